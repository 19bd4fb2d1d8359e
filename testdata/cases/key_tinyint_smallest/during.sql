UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE k IN (-128, -1, 0, 127);
INSERT INTO t VALUES (-128, 0, 'back');
