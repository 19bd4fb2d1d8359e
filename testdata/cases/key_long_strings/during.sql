UPDATE t SET v = -v WHERE v % 3 = 0;
UPDATE t SET c = REPEAT('😀', 255), b = REPEAT(x'FF', 300), s = REPEAT('''', 300), n = REPEAT(x'FE', 255) WHERE v = 7;
UPDATE t SET b = CONCAT(b, x'00') WHERE v % 11 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES ('', '', '', '', 1);
