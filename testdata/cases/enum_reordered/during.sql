UPDATE t SET e = 'a', s = 'x,z' WHERE id % 4 = 0;
INSERT INTO t VALUES (500, 'c', '');
DELETE FROM t WHERE id = 9;
UPDATE t SET e = NULL, s = NULL WHERE id = 11;
