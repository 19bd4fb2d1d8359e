UPDATE t SET a = a + 1 WHERE id % 5 = 0;
UPDATE t SET u = u + 1000 WHERE id % 7 = 0;
UPDATE t SET c = NULL, b = 'é😀' WHERE id % 11 = 0;
DELETE FROM t WHERE id = 1;
INSERT INTO t VALUES (1000, 1, 'new', NULL, 1);
UPDATE t SET id = id + 2000 WHERE id % 13 = 0;
