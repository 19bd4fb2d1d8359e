MODIFY e ENUM('c', 'new', 'a', 'b'), MODIFY s SET('z', 'new', 'x', 'y')
