-- The usual mode refuses the defaults that are there.
SET SESSION sql_mode = 'STRICT_ALL_TABLES';
