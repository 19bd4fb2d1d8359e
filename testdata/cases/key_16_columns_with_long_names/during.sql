UPDATE t SET v = -v WHERE v % 3 = 0;
UPDATE t SET a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_15 = 2 WHERE v % 7 = 0;
DELETE FROM t WHERE v % 10 = 1;
INSERT INTO t VALUES (-5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, 1);
