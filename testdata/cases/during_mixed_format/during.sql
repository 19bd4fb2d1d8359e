SET SESSION binlog_format = MIXED;
UPDATE t SET a = 5 WHERE id = 5;
