SET SESSION sql_mode = '';
UPDATE t SET e = 'wrong' WHERE id % 7 = 0;
UPDATE t SET v = 0 WHERE id % 2 = 0;
INSERT INTO t VALUES (500, 'none', 1), (501, 2, 1);
DELETE FROM t WHERE id = 10;
