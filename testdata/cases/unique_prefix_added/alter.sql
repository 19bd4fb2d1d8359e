ADD UNIQUE KEY by_title (title(4), id), ADD UNIQUE KEY by_b (b(5))
