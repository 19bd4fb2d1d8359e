ADD CONSTRAINT small_amount CHECK (amount < 1000)
