UPDATE t SET e = 'a', s = 'x,z' WHERE id % 4 = 0;
INSERT INTO t VALUES (500, 'c', '');
