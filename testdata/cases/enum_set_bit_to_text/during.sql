UPDATE t SET e = 'red', s = 'a,c d', b = b'1111111111111111' WHERE id % 7 = 0;
UPDATE t SET e = NULL, s = '', b = 0 WHERE id = 5;
DELETE FROM t WHERE id = 9;
INSERT INTO t VALUES (500, 'it''s, blue', 'a,b,c d', b'1', 1901), (501, '', NULL, NULL, 0);
