SET SESSION time_zone = '+00:00';
UPDATE t SET a = '1970-01-01 00:00:01', b = '2038-01-18 03:14:07', d = '9999-12-31 00:00:00' WHERE id % 7 = 0;
UPDATE t SET a = NULL, b = NULL WHERE id = 3;
