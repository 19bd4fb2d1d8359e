MODIFY e ENUM('red', 'blue'), MODIFY s SET('a', 'b')
