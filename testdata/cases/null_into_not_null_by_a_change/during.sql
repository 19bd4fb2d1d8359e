UPDATE t SET amount = NULL WHERE id = 200;
