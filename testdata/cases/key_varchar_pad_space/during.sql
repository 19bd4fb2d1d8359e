UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = CONCAT(k, '  ') WHERE v % 7 = 0;
UPDATE t SET w = 'seen' WHERE k = '6   ';
INSERT INTO t VALUES ('   ', 1, 'spaces'), ('\t', 1, 'below space'), ('\0', 1, 'zero');
