SET SESSION binlog_row_value_options = PARTIAL_JSON;
UPDATE t SET j = JSON_SET(j, '$.n', -1) WHERE id % 3 = 0;
UPDATE t SET j = JSON_REMOVE(j, '$.list[1]'), a = 0 WHERE id % 5 = 0;
UPDATE t SET j = JSON_REPLACE(j, '$.pad', 'short'), id = id + 1000 WHERE id % 7 = 0;
SET SESSION binlog_row_image = MINIMAL;
UPDATE t SET j = JSON_SET(j, '$.list[0]', 9.5) WHERE id % 4 = 0;
