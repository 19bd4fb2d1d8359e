CREATE INDEX foreign_i ON t (b);
