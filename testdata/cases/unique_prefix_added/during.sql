UPDATE t SET title = CONCAT('x', title), b = CONCAT('0', b) WHERE id % 3 = 0 AND id >= 100;
DELETE FROM t WHERE id % 10 = 1;
