MODIFY e ENUM('☃', 'é', 'new', 'b\\s', 'a'',''b') NOT NULL, MODIFY s SET('100%', 'é', 'b\\s', 'it''s')
