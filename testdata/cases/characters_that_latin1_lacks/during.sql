UPDATE t SET title = 'Жук' WHERE id = 33;
