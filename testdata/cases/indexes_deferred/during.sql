UPDATE t SET a = a + 1, c = -c WHERE id % 3 = 0;
DELETE FROM t WHERE id % 10 = 1;
INSERT INTO t (a, b, c) VALUES (-5, 'new', 1), (NULL, NULL, NULL);
UPDATE t SET b = UPPER(b) WHERE id < 300;
