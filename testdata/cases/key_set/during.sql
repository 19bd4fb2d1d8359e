UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE k IN ('', 'one,two', 'cinq,sechs');
INSERT INTO t VALUES ('', 0, 'back');
UPDATE t SET k = 'one,two' WHERE k = 'th''ree';
