UPDATE t SET v = -v WHERE id % 3 = 0;
UPDATE t SET kind = 1 - kind WHERE id % 7 = 0;
DELETE FROM t WHERE id % 10 = 1;
INSERT INTO t VALUES (-1, '', 0, 0), (2, 'z', 0, 0), (0, 'a', 100000, 0);
