DROP CHECK positive, ADD CONSTRAINT `positive` CHECK (a > -10)
