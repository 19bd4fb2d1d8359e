UPDATE t SET x = NULL, u = 'changed' WHERE id % 3 = 0;
DELETE FROM t WHERE id = 7;
INSERT INTO t (id, u, r, d, a) VALUES (500, 'late', 0.1, '2021-01-01', 5);
