UPDATE t SET a = 'è' WHERE id = 1;
