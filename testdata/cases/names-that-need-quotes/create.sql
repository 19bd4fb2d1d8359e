CREATE TABLE `we``ird t☃ %s` (
  `select` INT NOT NULL, `a``b` VARCHAR(20) NOT NULL, `per%cent %s` INT, `what? :x` INT, `quo"te'` INT, `back\slash` INT, `ключ` INT, `a.b` INT, `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_é☃9` INT,
  PRIMARY KEY (`select`, `a``b`), KEY `k``1 %d` (`per%cent %s`)
);
INSERT INTO `we``ird t☃ %s`
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
SELECT i, CONCAT('`', i), i, i, i, i, i, i, i FROM n;
