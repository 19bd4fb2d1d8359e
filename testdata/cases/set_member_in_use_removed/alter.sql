MODIFY s SET('x', 'z')
