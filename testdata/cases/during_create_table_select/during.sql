CREATE TABLE copy_of_t SELECT * FROM t WHERE id < 50;
UPDATE t SET a = 0 WHERE id < 10;
CREATE TABLE another LIKE t;
INSERT INTO another SELECT * FROM t;
INSERT INTO t SELECT id + 1000, a, b FROM copy_of_t;
DROP TABLE another;
