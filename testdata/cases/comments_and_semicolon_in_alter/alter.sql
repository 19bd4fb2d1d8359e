ADD COLUMN c VARCHAR(40) /* not; the end */ DEFAULT 'a;b -- c' COMMENT 'RENAME TO x, DROP COLUMN a', COMMENT = 'what''s `this`? 100%'
