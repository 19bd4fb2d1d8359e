-- The data of a renamed column is left behind, that of one with the same name is not.
UPDATE t SET a = 5;
