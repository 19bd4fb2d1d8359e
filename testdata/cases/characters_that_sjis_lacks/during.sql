UPDATE t SET title = '汉' WHERE id = 33;
