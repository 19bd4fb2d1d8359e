UPDATE t SET a = 0, b = 'x', c = JSON_ARRAY(), e = x'00' WHERE id % 3 = 0;
DELETE FROM t WHERE id = 7;
INSERT INTO t VALUES (500, -1, ' ', '"x"', '9999-12-31 23:59:59.999', 'b');
