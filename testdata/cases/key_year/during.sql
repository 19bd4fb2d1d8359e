UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (0, 1, 'zero');
UPDATE t SET k = 2155 WHERE v = 7;
INSERT INTO t VALUES (2154, 1, 'next to the last'), (1907, 1, 'again');
