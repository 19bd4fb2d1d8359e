UPDATE t SET id = id + 1000;
UPDATE t SET id = id - 500 WHERE id <= 1150;
UPDATE t SET id = 1 WHERE id = 501;
UPDATE t SET id = -id WHERE id % 5 = 0;
