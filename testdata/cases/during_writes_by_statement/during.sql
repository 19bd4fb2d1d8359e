SET SESSION binlog_format = STATEMENT;
UPDATE t SET a = 0 WHERE id = 5;
