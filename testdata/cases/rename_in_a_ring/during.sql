UPDATE t SET a = 7, b = 8, c = 9 WHERE id % 3 = 0;
INSERT INTO t VALUES (500, 1, 2, 3);
DELETE FROM t WHERE id = 7;
