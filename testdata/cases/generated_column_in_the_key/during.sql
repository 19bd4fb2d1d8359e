UPDATE t SET v = -v WHERE id % 3 = 0;
UPDATE t SET doc = JSON_OBJECT('id', id + 1000) WHERE id % 7 = 0;
DELETE FROM t WHERE id % 10 = 1;
INSERT INTO t (doc, v) VALUES ('{"id": 7777}', 1);
