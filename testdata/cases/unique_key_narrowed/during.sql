UPDATE t SET slot = slot + 1000 WHERE v % 3 = 0;
UPDATE t SET slot = NULL WHERE v % 10 = 1;
UPDATE t SET slot = 10 * v + 100000, v = -v WHERE v % 7 = 0;
BEGIN;
UPDATE t SET slot = -slot WHERE v BETWEEN 20 AND 40;
UPDATE t SET slot = slot + 60 WHERE v BETWEEN 20 AND 40;
COMMIT;
DELETE FROM t WHERE v % 11 = 1;
INSERT INTO t VALUES (9, 'new', 21, 5), (9, 'newer', NULL, 5), (9, 'newest', NULL, 5);
