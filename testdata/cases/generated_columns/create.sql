CREATE TABLE t (
  id INT NOT NULL,
  v1 INT AS (id * 2) VIRTUAL,
  a INT,
  s1 VARCHAR(50) AS (CONCAT(name, '-', a)) STORED NOT NULL,
  name VARCHAR(30),
  v2 VARCHAR(64) AS (UPPER(name)) VIRTUAL,
  z INT,
  PRIMARY KEY (id), KEY by_v2 (v2), KEY by_s1 (s1)
);
INSERT INTO t (id, a, name, z)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
SELECT i, i % 10, CONCAT('n', i), -i FROM n;
