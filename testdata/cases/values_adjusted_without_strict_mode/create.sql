CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT, b INT, c VARCHAR(40), d VARCHAR(40), e DECIMAL(12,4), f INT, g VARCHAR(20), h ENUM('a', 'b', 'c'), i SET('x', 'y', 'z'), k VARCHAR(20), l DATETIME NULL, m BIGINT, n VARBINARY(20), o DATE NULL, p CHAR(10), q BIGINT UNSIGNED, kept INT);
INSERT INTO t
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
SELECT i, i * 700, -i, CONCAT('é☃ row ', i), CONCAT('snow ☃ ', i), i * 123.4567, IF(i % 4, i, NULL), ELT(1 + i % 4, '12', '12abc', '', '99999999999'), 1 + i % 3, i % 8, ELT(1 + i % 3, 'red', 'no such', ''), IF(i % 2, NULL, '2020-01-01'), i * 100000000, REPEAT(x'00FF', 8), IF(i % 5, NULL, '2020-02-29'), REPEAT('y', i % 11), 18446744073709551615 - i, i FROM n;
