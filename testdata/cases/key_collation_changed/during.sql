UPDATE t SET v = -v WHERE v % 3 = 0;
UPDATE t SET k = UPPER(k) WHERE v % 7 = 1;
UPDATE t SET k = CONCAT('x', k) WHERE v % 11 = 1;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES ('ångström', 5), ('', 6);
