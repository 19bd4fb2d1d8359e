DROP INDEX by_slot, ADD INDEX by_slot (slot, v)
