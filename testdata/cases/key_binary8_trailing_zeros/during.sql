UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = CONCAT(x'FF00', LEFT(k, 2)) WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (x'', 1, 'all zeros'), (x'0000000000000001', 1, 'one'), (x'2000', 1, 'space'), (x'FFFFFFFFFFFFFFFF', 1, 'high');
UPDATE t SET w = 'seen' WHERE k = x'0000000000000000';
