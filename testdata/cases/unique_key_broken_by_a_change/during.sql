UPDATE t SET title = 'the same' WHERE id IN (17, 230);
