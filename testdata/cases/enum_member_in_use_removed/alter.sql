MODIFY colour ENUM('a', 'c')
