UPDATE t SET a = '', b = x'00', c = NULL, d = '' WHERE id % 3 = 0;
UPDATE t SET e = 0 WHERE id % 5 = 0;
INSERT INTO t VALUES (500, x'', NULL, REPEAT(x'FF00', 200000), NULL, 1);
