UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (0, 1, 'zero');
