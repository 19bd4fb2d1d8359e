UPDATE t SET j = JSON_SET(j, '$.k', 1e10), v = '{"b": 1,   "a": [true, null]}' WHERE id % 7 = 0;
UPDATE t SET j = NULL, v = '"just text"' WHERE id = 9;
DELETE FROM t WHERE id = 10;
INSERT INTO t VALUES (500, JSON_ARRAY(CAST(1.10 AS DECIMAL(5,2)), DATE'2020-01-01', x'00FF', 18446744073709551615, -0e0), ' [ 1e2 ,"\\u00e9" ] '), (501, 'null', 'null');
