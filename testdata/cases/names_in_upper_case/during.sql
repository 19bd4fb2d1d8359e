UPDATE Orders SET a = 0 WHERE id % 3 = 0;
DELETE FROM Orders WHERE Id = 8;
