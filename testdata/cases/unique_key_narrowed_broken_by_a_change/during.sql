UPDATE t SET slot = 17 WHERE v = 230;
