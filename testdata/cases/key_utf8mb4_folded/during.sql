UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = UPPER(k) WHERE v % 7 = 0;
UPDATE t SET k = LOWER(k) WHERE v % 5 = 0;
UPDATE t SET w = 'folded' WHERE k = 'CAFE 6';
DELETE FROM t WHERE k = 'STRASSE 5';
INSERT INTO t VALUES ('strasse 5', 5, 'back'), ('', 1, 'empty'), (' ', 1, 'space');
