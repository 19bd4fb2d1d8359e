UPDATE t SET slot = 301 - slot;
UPDATE t SET slot = IF(id % 2, slot - 1, slot + 1) WHERE id <= 200;
UPDATE t SET id = -id WHERE id % 5 = 0;
UPDATE t SET slot = slot + 1;
BEGIN;
DELETE FROM t WHERE v = 7;
INSERT INTO t SELECT 1007, slot, v FROM t WHERE v = 8;
UPDATE t SET slot = NULL WHERE v = 8 AND id <> 1007;
COMMIT;
