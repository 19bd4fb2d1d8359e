UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = UPPER(k) WHERE v % 7 = 0;
INSERT INTO t VALUES ('a', 1, ''), ('A', 1, ''), ('á', 1, ''), ('a b', 1, 'space');
DELETE FROM t WHERE k = 'A';
