UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = CONCAT('😀', v) WHERE v % 7 = 0;
INSERT INTO t VALUES ('', 1, 'empty'), ('￮', 1, 'high'), ('😀', 1, 'surrogates');
UPDATE t SET w = 'seen' WHERE k = '😀';
