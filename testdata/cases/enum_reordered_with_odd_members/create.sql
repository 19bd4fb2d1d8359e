CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a'',''b', 'b\\s', 'é', '☃') NOT NULL, s SET('it''s', 'b\\s', 'é', '100%'));
INSERT INTO t
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
SELECT i, 1 + i % 4, i % 16 FROM n;
