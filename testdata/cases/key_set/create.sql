CREATE TABLE t (k SET('one', 'two', 'th''ree', 'vier', 'cinq', 'sechs') NOT NULL PRIMARY KEY, v INT, w VARCHAR(40));
INSERT INTO t
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 64)
SELECT i - 1, i, 'old' FROM n;
