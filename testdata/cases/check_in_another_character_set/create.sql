CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin, CONSTRAINT no_e CHECK (a <> _latin1 x'E9'), CONSTRAINT no_ue CHECK (a <> 'ü'), CONSTRAINT bin CHECK (a <> _binary'\0\x1f'), CHECK (id > 0));
INSERT INTO t VALUES (1, 'e'), (2, 'u'), (3, '?');
