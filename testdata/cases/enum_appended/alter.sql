MODIFY e ENUM('a', 'b', '', 'c')
