UPDATE t SET title = '😀' WHERE id = 33;
