UPDATE t SET v = 0 WHERE id % 3 = 0;
UPDATE t SET id = id + 1000 WHERE id % 7 = 0;
UPDATE t SET code = CONCAT('x', code) WHERE id % 11 = 0;
DELETE FROM t WHERE id % 10 = 1;
INSERT INTO t VALUES (5000, 'new', 1);
