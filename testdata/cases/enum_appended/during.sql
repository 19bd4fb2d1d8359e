UPDATE t SET e = 'a' WHERE id % 4 = 0;
UPDATE t SET e = '' WHERE id % 7 = 0;
DELETE FROM t WHERE id = 3;
INSERT INTO t VALUES (500, ''), (501, NULL), (502, 'b');
