UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = 300 WHERE v = 7;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (299, 0, 'late'), (291, 0, 'late');
