-- What --allow-zero-in-date leaves of the usual mode.
SET SESSION sql_mode = 'STRICT_ALL_TABLES';
