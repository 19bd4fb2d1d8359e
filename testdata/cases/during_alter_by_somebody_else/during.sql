ALTER TABLE t ADD COLUMN foreign_c INT;
UPDATE t SET foreign_c = 1;
