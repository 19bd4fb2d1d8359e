UPDATE t SET a = a + 1 WHERE id % 3 = 0;
DELETE FROM t WHERE id % 10 = 4;
INSERT INTO t (a, b) VALUES (1, 'late'), (NULL, NULL), (3, '');
UPDATE t SET a = 2147483647 WHERE id = 1;

