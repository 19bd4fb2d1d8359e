SET SESSION binlog_row_image = 'MINIMAL';
UPDATE t SET a = NULL WHERE a = 5;
