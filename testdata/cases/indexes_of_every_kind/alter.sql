RENAME INDEX old_name TO new_name, DROP INDEX gone, ADD INDEX prefix (a(10), c DESC), ADD FULLTEXT INDEX words (b), ADD INDEX hidden (c, a) INVISIBLE COMMENT 'no one sees'
