UPDATE t SET j = JSON_SET(j, '$.k', 1e10), v = '{"b": 1,   "a": [true, null]}' WHERE id % 7 = 0;
UPDATE t SET j = NULL, v = '"just text"' WHERE id = 9;
