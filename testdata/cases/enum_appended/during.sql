UPDATE t SET e = 'a' WHERE id % 4 = 0;
UPDATE t SET e = '' WHERE id % 7 = 0;
DELETE FROM t WHERE id = 3;
