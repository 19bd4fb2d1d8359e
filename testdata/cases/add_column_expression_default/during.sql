UPDATE t SET a = a + 1 WHERE id % 3 = 0;
DELETE FROM t WHERE id % 10 = 4;
INSERT INTO t (a, b) VALUES (1, 'late'), (NULL, NULL), (3, '');
INSERT INTO t (id, a, b) VALUES (1000, -1, 'é☃');
