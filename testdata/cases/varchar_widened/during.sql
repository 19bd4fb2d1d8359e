UPDATE t SET b = REPEAT('x', 40) WHERE id % 3 = 0;
INSERT INTO t (b) VALUES ('  padded  ');
