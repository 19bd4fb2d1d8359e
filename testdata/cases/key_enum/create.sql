CREATE TABLE t (k ENUM('zebra', 'ant', 'm''n', 'a,b', 'Ünder', 'x\\y', 'q?', 'emu', 'bee', 'cat', '10', '2', 'fox', 'elk', 'dog', 'hen') NOT NULL PRIMARY KEY, v INT, w VARCHAR(40));
INSERT INTO t
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16)
SELECT i, i, 'old' FROM n;
