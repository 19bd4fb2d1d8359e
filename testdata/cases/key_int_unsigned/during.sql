UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = 4294967295 WHERE v = 7;
INSERT INTO t VALUES (0, 0, 'zero'), (4294967294, 1, 'next to the last');
