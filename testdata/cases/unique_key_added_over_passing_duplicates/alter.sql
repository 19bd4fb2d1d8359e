ADD UNIQUE KEY by_slot (slot)
