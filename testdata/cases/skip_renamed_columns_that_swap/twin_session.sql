UPDATE t SET a = 1, b = 2;
