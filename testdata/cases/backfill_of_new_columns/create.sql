CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(20), l VARCHAR(20) CHARACTER SET latin1, price DECIMAL(12,3) NOT NULL, j JSON, d DATETIME(6), f FLOAT, g INT AS (a + 1) VIRTUAL, e ENUM('x', 'y'));
INSERT INTO t (id, a, b, l, price, j, d, f, e)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
SELECT i, IF(i % 7, i, NULL), CONCAT('日本😀', i % 5, ' '), 'äß', i / 7, JSON_OBJECT('k', i, 'l', JSON_ARRAY(i / 2, 'é')), '2024-02-28 23:59:59.9' + INTERVAL i HOUR, i / 3, 1 + i % 2 FROM n;
