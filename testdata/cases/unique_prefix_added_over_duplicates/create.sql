CREATE TABLE t (id INT NOT NULL PRIMARY KEY, title VARCHAR(40));
INSERT INTO t VALUES (1, 'abc'), (2, 'abcd'), (3, 'x'), (4, NULL), (5, NULL);
