UPDATE t SET w = 'new' WHERE k IN ('zebra', 'a,b', '10', 'x\\y');
DELETE FROM t WHERE k IN ('ant', 'hen', '2');
INSERT INTO t VALUES ('ant', 0, 'back');
UPDATE t SET k = 'hen' WHERE k = 'bee';
