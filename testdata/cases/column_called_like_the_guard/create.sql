CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT, _tableshift_snapshot_guard INT);
INSERT INTO t (v, _tableshift_snapshot_guard) VALUES (1, 2);
