SET SESSION sql_mode = '';
UPDATE t SET e = 'wrong' WHERE id % 7 = 0;
UPDATE t SET v = 0 WHERE id % 2 = 0;
