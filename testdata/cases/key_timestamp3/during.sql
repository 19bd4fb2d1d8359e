SET SESSION time_zone = '+00:00';
UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = k + INTERVAL 1 HOUR WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES ('1970-01-01 00:00:01', 1, 'low'), ('2038-01-19 03:14:07.999', 1, 'high');
