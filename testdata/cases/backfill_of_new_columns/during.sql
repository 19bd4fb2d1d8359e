UPDATE t SET a = NULL, b = NULL, j = NULL, d = NULL, f = NULL, e = NULL, l = NULL WHERE id % 11 = 0;
UPDATE t SET a = -a, price = price + 0.005, b = 'ÿ  ', j = '[1.50, "x"]' WHERE id % 13 = 0;
UPDATE t SET id = id + 1000, price = 1 WHERE id % 17 = 0;
UPDATE t SET price = 2 WHERE id = 1017;
DELETE FROM t WHERE id % 19 = 0;
INSERT INTO t (id, price) VALUES (5000, -0.004);
INSERT INTO t (id, a, b, l, price, d) VALUES (5001, 2147483646, '', '', 99999999.994, '9999-11-30 00:00:00');
REPLACE INTO t (id, a, price) VALUES (20, 20, 20);
