XA START 'during_xa_rollback';
UPDATE t SET a = -1 WHERE id % 3 = 0;
DELETE FROM t WHERE id % 10 = 4;
INSERT INTO t (id, a) VALUES (1000, 1);
UPDATE t SET id = id + 2000 WHERE id < 10;
XA END 'during_xa_rollback';
XA PREPARE 'during_xa_rollback';
XA ROLLBACK 'during_xa_rollback';
UPDATE t SET a = -2 WHERE id % 50 = 0;
