UPDATE t SET amount = 40000 WHERE id = 200;
