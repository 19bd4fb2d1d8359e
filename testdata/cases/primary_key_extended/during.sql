UPDATE t SET v = v + 1 WHERE id % 3 = 0;
UPDATE t SET id = id + 1000 WHERE id % 7 = 0;
DELETE FROM t WHERE id % 10 = 1;
