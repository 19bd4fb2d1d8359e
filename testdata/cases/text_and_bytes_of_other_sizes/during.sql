UPDATE t SET a = '', b = ' ', c = '  ', d = '', e = ' ', f = x'00', g = 31, h = ' z ', i = x'' WHERE id % 3 = 0;
UPDATE t SET a = NULL, c = REPEAT('😀', 400), e = NULL, h = NULL, i = NULL WHERE id % 7 = 0;
DELETE FROM t WHERE id = 8;
INSERT INTO t VALUES (500, REPEAT('x', 255), REPEAT('é', 300), '', REPEAT(x'5C', 255), REPEAT(x'27', 300), REPEAT(x'0A', 255), 0, '', 'abc');
