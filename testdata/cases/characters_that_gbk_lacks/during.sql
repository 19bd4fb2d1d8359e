UPDATE t SET title = 'Ünï' WHERE id = 33;
