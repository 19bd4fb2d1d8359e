UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = LOWER(k) WHERE v % 7 = 0;
UPDATE t SET w = 'folded' WHERE k = 'LODZ6';
INSERT INTO t VALUES ('', 1, 'empty'), ('￮', 1, 'high'), ('it''s \\ "', 1, 'quotes');
