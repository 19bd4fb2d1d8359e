CREATE TABLE t (
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_00 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_01 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_02 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_03 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_04 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_05 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_06 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_07 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_08 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_09 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_10 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_11 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_12 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_13 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_14 INT NOT NULL,
  a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_15 INT NOT NULL,
  v INT,
  PRIMARY KEY (a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_00, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_01, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_02, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_03, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_04, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_05, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_06, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_07, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_08, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_09, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_10, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_11, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_12, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_13, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_14, a_column_whose_name_is_as_long_as_a_name_may_be_in_this_serve_15)
);
INSERT INTO t
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
SELECT (i >> 0) & 1, (i >> 1) & 1, (i >> 2) & 1, (i >> 3) & 1, (i >> 4) & 1, (i >> 5) & 1, (i >> 6) & 1, (i >> 7) & 1, (i >> 8) & 1, (i >> 0) & 1, (i >> 1) & 1, (i >> 2) & 1, (i >> 3) & 1, (i >> 4) & 1, (i >> 5) & 1, (i >> 6) & 1, i FROM n;
