INSERT INTO queue (task) VALUES (1), (2), (3), (50);
CALL more();
INSERT INTO queue (task) VALUES (150);
