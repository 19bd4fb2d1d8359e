UPDATE t SET a = 'ü' WHERE id % 3 = 0;
