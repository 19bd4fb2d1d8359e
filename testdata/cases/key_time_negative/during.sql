UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = ADDTIME(k, '100:00:00.05') WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES ('-838:59:59', 1, 'low'), ('838:59:59', 1, 'high'), ('-00:00:00.01', 1, 'near zero');
