UPDATE t SET v = x'C328' WHERE id = 33;
