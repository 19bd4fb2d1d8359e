ADD UNIQUE KEY by_title ((LOWER(title)), a)
