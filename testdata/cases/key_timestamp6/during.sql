SET SESSION time_zone = '+00:00';
UPDATE t SET v = -v WHERE v % 3 = 0;
UPDATE t SET created_at = created_at + INTERVAL 1 HOUR WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (1, '1970-01-01 00:00:01', 1), (1, '2038-01-19 03:14:07.999999', 1);
