SET SESSION binlog_row_image = MINIMAL;
UPDATE t SET v = 0 WHERE n % 3 = 0;
UPDATE t SET n = n - 1000 WHERE v % 7 = 1;
UPDATE t SET code = CONCAT('x', code) WHERE v % 11 = 1;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES ('new', 1, 1);
