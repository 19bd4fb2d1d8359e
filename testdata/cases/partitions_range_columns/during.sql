UPDATE t SET d = '2020-01-01', c = 'n' WHERE id % 3 = 0;
DELETE FROM t WHERE id % 10 = 1;
INSERT INTO t VALUES (1000, 'x', '9999-12-31', 1), (1001, 'l', '2020-01-01', 1);
