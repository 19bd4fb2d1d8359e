MODIFY e ENUM('red', 'it''s, blue', '', 'blå', 'a'',''b'), MODIFY s SET('a', 'b', 'c d', 'é', 'b\\s'), MODIFY l ENUM('ÿ', 'x')
