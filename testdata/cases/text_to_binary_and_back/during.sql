UPDATE t SET a = 'ÿ', b = '😀', c = ' x ', d = x'0001' WHERE id % 3 = 0;
DELETE FROM t WHERE id = 10;
INSERT INTO t VALUES (500, '', '', '', ''), (501, NULL, NULL, NULL, NULL);
