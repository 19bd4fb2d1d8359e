UPDATE t SET name = 'changed' WHERE id % 3 = 0;
UPDATE t SET id = id + 1000 WHERE id % 7 = 0;
DELETE FROM t WHERE id % 10 = 1;
INSERT INTO t (id, a, name, z) VALUES (5000, 1, 'late', 2);
