UPDATE t SET b = CONCAT(b, '!') WHERE id % 3 = 0;
INSERT INTO t (a, b) VALUES (1, NULL), (2, NULL), (3, '');
DELETE FROM t WHERE id % 10 = 4;
