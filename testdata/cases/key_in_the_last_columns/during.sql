UPDATE t SET w = NULL, x = NULL, j = NULL WHERE b % 3 = 0;
UPDATE t SET a = 'moved' WHERE b % 7 = 0;
DELETE FROM t WHERE b % 10 = 1;
