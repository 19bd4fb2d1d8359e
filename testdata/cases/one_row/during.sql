UPDATE t SET a = 6;
