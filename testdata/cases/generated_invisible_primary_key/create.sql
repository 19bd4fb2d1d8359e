SET SESSION sql_generate_invisible_primary_key = ON;
CREATE TABLE t (a INT, b VARCHAR(20));
INSERT INTO t (a, b)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
SELECT i, CONCAT('b', i) FROM n;
