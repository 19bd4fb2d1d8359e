SET SESSION sql_mode = '';
UPDATE t SET d = '0000-00-00', dt = '2020-05-00 01:02:03' WHERE id % 3 = 0;
UPDATE t SET a = 0, ts = 0 WHERE id % 5 = 0;
DELETE FROM t WHERE id = 8;
