UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = k - 5000000 WHERE k < -100000;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (-8388608, 1, 'low'), (8388607, 1, 'high'), (0, 2, 'zero') ON DUPLICATE KEY UPDATE w = 'again';
