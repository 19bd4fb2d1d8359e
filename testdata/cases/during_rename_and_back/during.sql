RENAME TABLE t TO away;
UPDATE away SET a = 0 WHERE id = 5;
RENAME TABLE away TO t;
