UPDATE t SET b = 0 WHERE id = 33;
