-- As if the columns had been added.
UPDATE t SET a = 0, b = NULL;
