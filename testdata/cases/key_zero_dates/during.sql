SET SESSION sql_mode = '', time_zone = '+00:00';
UPDATE t SET v = -v WHERE v % 3 = 0;
UPDATE t SET ts = 0 WHERE v = 8;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES ('2024-02-00', 0, 0, 1), ('9999-00-00', '9999-00-31', 0, 2);
