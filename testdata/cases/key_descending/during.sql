UPDATE t SET v = -v WHERE b % 3 = 0;
UPDATE t SET a = a + 100 WHERE b % 7 = 0;
DELETE FROM t WHERE b % 10 = 1;
INSERT INTO t VALUES (-5, 5, 5), (500, 5, 5);
