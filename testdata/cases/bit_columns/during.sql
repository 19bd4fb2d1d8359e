UPDATE t SET b = 39, c = 92, d = 0 WHERE id % 3 = 0;
INSERT INTO t (id) VALUES (500);
