UPDATE t SET w = 'new' WHERE v % 3 = 0;
UPDATE t SET k = k + INTERVAL 100 YEAR WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES ('1000-01-01', 1, 'low'), ('9999-12-31', 1, 'high');
