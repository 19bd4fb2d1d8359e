UPDATE t SET a = 7, b = 8, c = 9 WHERE id % 3 = 0;
