UPDATE t SET c = '☃' WHERE id % 3 = 0;
UPDATE t SET c = 'it''s', d = '2021-01-01' WHERE id % 7 = 0;
DELETE FROM t WHERE id % 10 = 1;
INSERT INTO t VALUES (1000, 'É', '2020-01-01', 1);
