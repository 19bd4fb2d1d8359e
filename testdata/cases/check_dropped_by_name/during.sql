UPDATE t SET a = a + 1 WHERE id % 3 = 0;
DELETE FROM t WHERE id % 10 = 1;
