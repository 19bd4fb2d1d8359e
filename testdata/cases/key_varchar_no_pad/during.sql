UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = UPPER(k) WHERE v % 7 = 0;
UPDATE t SET k = CONCAT(k, '    ') WHERE v % 11 = 0;
UPDATE t SET w = 'folded' WHERE k = 'E5';
INSERT INTO t VALUES ('', 1, 'empty'), (' ', 1, 'space'), ('  ', 1, 'spaces');
DELETE FROM t WHERE k = ' ';
