CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a', 'b', 'c'), s SET('x', 'y', 'z'));
INSERT INTO t
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
SELECT i, 1 + i % 3, i % 8 FROM n;
