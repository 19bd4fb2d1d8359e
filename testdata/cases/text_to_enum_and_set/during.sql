UPDATE t SET e = 'a'',''b', s = 'a,b,c d,é,b\\s', l = NULL WHERE id % 7 = 0;
UPDATE t SET e = NULL, s = NULL WHERE id = 5;
DELETE FROM t WHERE id = 8;
INSERT INTO t VALUES (500, 'Blå', 'É', 'Ÿ', 0), (501, '', '', 'x', 0);
