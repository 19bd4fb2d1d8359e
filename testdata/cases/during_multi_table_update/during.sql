UPDATE t JOIN other USING (id) SET t.a = other.a * 2, other.a = 0 WHERE id % 2 = 0;
DELETE t, other FROM t JOIN other USING (id) WHERE id % 10 = 3;
UPDATE t SET id = id + 1000 WHERE id IN (SELECT id FROM other WHERE id < 20) ORDER BY id DESC;
INSERT INTO t (id, a, b) SELECT id + 5000, a, 'from other' FROM other;
REPLACE INTO t (id, a) SELECT id, -1 FROM other WHERE id % 4 = 0;
INSERT INTO t (id, a) SELECT id, 7 FROM other ON DUPLICATE KEY UPDATE t.a = t.a + 1, t.b = 'twice';
