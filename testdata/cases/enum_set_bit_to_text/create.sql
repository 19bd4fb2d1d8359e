CREATE TABLE t (id INT PRIMARY KEY, e ENUM('red', 'it''s, blue', ''), s SET('a', 'b', 'c d'), b BIT(16), y YEAR);
INSERT INTO t
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
SELECT i, 1 + i % 3, i % 8, i * 256 + 39, 1970 + i % 50 FROM n;
