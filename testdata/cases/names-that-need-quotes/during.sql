UPDATE `we``ird t☃ %s` SET `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_é☃9` = 0, `a.b` = NULL WHERE `select` % 3 = 0;
UPDATE `we``ird t☃ %s` SET `a``b` = '`''"\\' WHERE `select` % 7 = 0;
DELETE FROM `we``ird t☃ %s` WHERE `ключ` = 8;
