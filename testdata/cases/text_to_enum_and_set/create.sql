CREATE TABLE t (id INT PRIMARY KEY, e VARCHAR(20), s VARCHAR(40), l CHAR(20) CHARACTER SET latin1, v INT);
INSERT INTO t
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
SELECT i, ELT(1 + i % 4, 'red', 'it''s, blue', '', 'BLÅ'), ELT(1 + i % 4, '', 'a', 'c d,a', 'é,b'), ELT(1 + i % 2, 'x', 'ÿ'), i FROM n;
INSERT INTO t VALUES (200, 'RED ', 'A,C D ', 'X ', 1), (201, NULL, NULL, NULL, 1);
