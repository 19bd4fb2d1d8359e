UPDATE t SET a = NULL, b = 'other words' WHERE id % 3 = 0;
DELETE FROM t WHERE id % 10 = 1;
