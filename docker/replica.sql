-- The server that runs this is the image's temporary one. The real one, started
-- afterwards, finds its source configured and begins to replicate by itself.
CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'primary', SOURCE_PORT = 3306,
    SOURCE_USER = 'replication', SOURCE_PASSWORD = 'replication',
    SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1;

-- For the real one: the rest of the image's set-up may still have to write.
SET PERSIST_ONLY read_only = ON;
SET PERSIST_ONLY super_read_only = ON;
