UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = k + 100000 WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (0, 1, 'low'), (b'11111111111111111111', 1, 'high');
