DROP INDEX by_slot, ADD UNIQUE KEY by_slot (slot)
