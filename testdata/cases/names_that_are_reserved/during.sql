UPDATE `table` SET `values` = 0 WHERE `key` % 3 = 0;
UPDATE `table` SET `key` = `key` + 1000 WHERE `key` % 7 = 0;
