UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = CONCAT(k, x'00') WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (x'', 1, 'empty'), (x'00', 1, 'zero'), (x'0000', 1, 'zeros'), (x'20', 1, 'space'), ('\'; DROP --', 1, 'quote'), (x'FFFFFFFF', 1, 'high'), (x'5C', 1, 'backslash');
UPDATE t SET w = 'seen' WHERE k IN (x'', x'00', x'5C');
