UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = CONCAT('誠誠', v) WHERE v % 7 = 0;
INSERT INTO t VALUES ('', 1, 'empty'), ('誠', 1, 'ends in a backslash byte'), ('龥', 1, 'high');
UPDATE t SET w = 'seen' WHERE k = '誠';
