UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = -0e0 WHERE k = 0;
UPDATE t SET k = k / 7 WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (-5e-324, 1, 'below zero'), (2.2250738585072014e-308, 1, 'normal'), (1e23, 1, 'halfway'), (9007199254740993, 1, 'beyond 53 bits'), (-1e-300, 1, 'tiny');
DELETE FROM t WHERE k = 0.3e0;
UPDATE t SET w = 'seen' WHERE k = 5e-324;
