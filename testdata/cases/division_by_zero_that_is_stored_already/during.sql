SET SESSION sql_mode = '';
UPDATE t SET a = 0, b = 0 WHERE id % 7 = 0;
DELETE FROM t WHERE id = 9;
INSERT INTO t (id, a, b) VALUES (500, 0, 1);
