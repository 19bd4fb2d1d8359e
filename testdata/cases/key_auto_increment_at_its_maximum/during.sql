UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v IN (7, 255);
INSERT INTO t VALUES (255, 1, 'again'), (7, 1, 'again');
SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO');
INSERT INTO t VALUES (0, 1, 'zero');
