UPDATE t SET a = -40000, b = 300, c = '😀😀😀😀😀😀😀😀😀😀', d = 'ÿ日本', e = -99999.99, f = NULL, g = '-1e3x', h = 'b', i = 'x,y,z', k = 'RED' WHERE id % 7 = 0;
UPDATE t SET m = NULL, n = '', o = NULL, p = NULL, kept = 0 WHERE id % 5 = 0;
DELETE FROM t WHERE id = 9;
INSERT INTO t VALUES (500, 2147483647, -1, REPEAT('x', 40), '☃', 99999999.9999, NULL, 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (501, 1, 1, 'fits', 'fits', 1, 1, '1', 'a', 'z', 'blue', '2020-01-01', 1, 'n', '2020-01-01', 'p', 1, 1);
