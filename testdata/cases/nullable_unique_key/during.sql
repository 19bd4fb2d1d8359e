UPDATE t SET v = 'new' WHERE a % 3 = 0;
UPDATE t SET a = a + 1000 WHERE a % 7 = 0;
DELETE FROM t WHERE a % 10 = 1;
INSERT INTO t VALUES (5000, 1, 'late');
