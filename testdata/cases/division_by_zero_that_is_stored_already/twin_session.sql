-- The default mode would refuse what is there.
SET SESSION sql_mode = 'STRICT_ALL_TABLES';
