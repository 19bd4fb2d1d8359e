UPDATE t SET x = x + 1 WHERE id % 2 = 0;
UPDATE t SET d2 = '-838:59:59', c7 = -c7, s2 = REPEAT('ü', 500), j = NULL WHERE id % 3 = 0;
UPDATE t SET x = 5 WHERE id > 99;
DELETE FROM t WHERE id = 7;
