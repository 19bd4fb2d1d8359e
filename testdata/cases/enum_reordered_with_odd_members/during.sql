UPDATE t SET e = 'a'',''b', s = 'it''s,100%' WHERE id % 4 = 0;
DELETE FROM t WHERE id = 9;
INSERT INTO t VALUES (500, '☃', ''), (501, 'b\\s', NULL), (502, 'é', 'b\\s');
