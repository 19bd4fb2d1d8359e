ADD UNIQUE KEY by_title (title(3))
