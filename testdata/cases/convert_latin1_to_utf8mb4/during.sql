UPDATE t SET a = 'Ça va?', d = 's', e = 'žluťoučký', f = 'ёлка' WHERE id % 3 = 0;
INSERT INTO t VALUES (500, '', '', '   ', NULL, 'ő', 'Ы');
DELETE FROM t WHERE id = 8;
