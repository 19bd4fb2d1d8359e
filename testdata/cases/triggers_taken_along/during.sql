INSERT INTO t (id, a, b) VALUES (400, 1, 'x'), (401, 2, 'y');
UPDATE t SET b = 'changed' WHERE id <= 20;
DELETE FROM t WHERE id = 30;
