UPDATE t SET slot = -slot;
DELETE FROM t WHERE id % 10 = 1;
