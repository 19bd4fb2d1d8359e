-- Both servers run this once, on their empty data. Not logged: a GTID of its own
-- on the replica would be one that the primary never had.
SET SESSION sql_log_bin = 0;
CREATE USER tableshift@'%' IDENTIFIED WITH caching_sha2_password BY 'tableshift';
GRANT ALL PRIVILEGES ON *.* TO tableshift@'%' WITH GRANT OPTION;
CREATE USER replication@'%' IDENTIFIED WITH caching_sha2_password BY 'replication';
GRANT REPLICATION SLAVE ON *.* TO replication@'%';
