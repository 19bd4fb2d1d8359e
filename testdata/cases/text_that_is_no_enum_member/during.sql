UPDATE t SET s = 'a,c' WHERE id = 33;
