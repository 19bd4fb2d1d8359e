-- Strict ALTER TABLE refuses the old values in any column; they must come through all the same.
SET SESSION sql_mode = 'ALLOW_INVALID_DATES';
