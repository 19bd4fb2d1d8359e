UPDATE t SET v = -v WHERE v % 3 = 0;
UPDATE t SET k = -0e0 WHERE v % 100 = 1;
UPDATE t SET k = k + 1e10 WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 2;
INSERT INTO t VALUES (7, 0.001, 1), (7, -0.001, 1), (8, 0, 1), (9, -0e0, 2);
DELETE FROM t WHERE a = 9 AND k = 0;
