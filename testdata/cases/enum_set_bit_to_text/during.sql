UPDATE t SET e = 'red', s = 'a,c d', b = b'1111111111111111' WHERE id % 7 = 0;
UPDATE t SET e = NULL, s = '', b = 0 WHERE id = 5;
