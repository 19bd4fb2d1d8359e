UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = k - 4503599627370496 WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (9007199254740991, 0, 'all'), ('', 0, 'none'), ('s52', 0, 'the last');
