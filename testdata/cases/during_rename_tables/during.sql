RENAME TABLES t TO `event`, t2 TO t;
