CREATE TABLE `table` (`key` INT NOT NULL PRIMARY KEY, `group` INT, `values` INT, `rank` INT, `lead` INT, `interval` INT);
INSERT INTO `table`
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
SELECT i, i, i, i, i, i FROM n;
