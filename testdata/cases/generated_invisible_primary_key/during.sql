UPDATE t SET b = 'new' WHERE a % 3 = 0;
DELETE FROM t WHERE a % 10 = 1;
INSERT INTO t (a, b) VALUES (1000, 'late');
