UPDATE t SET w = 'new' WHERE v % 3 = 0;
DELETE FROM t WHERE v % 10 = 1;
UPDATE t SET k = UPPER(k) WHERE v % 7 = 0;
UPDATE t SET k = CONCAT('щит', v) WHERE v % 11 = 2;
INSERT INTO t VALUES ('', 1, 'empty'), ('яяяя', 1, 'high');
