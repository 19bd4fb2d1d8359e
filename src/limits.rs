//! Every bound and interval of the tool, each with its reason.
//!
//! Called by everybody; holds numbers only. A new queue, retry, wait or statement size gets its
//! bound here, so that "how long can this take" and "how much can this hold" have one place.

use std::time::Duration;

/// Rows of the first chunk, before any chunk has been timed (gh-ost's default chunk size).
pub const CHUNK_ROWS_START: u64 = 1_000;
/// Fewest rows a chunk shrinks to; below this the round trips cost more than the rows.
pub const CHUNK_ROWS_MIN: u64 = 50;
/// Most rows a chunk grows to (gh-ost's upper bound for `--chunk-size`).
pub const CHUNK_ROWS_MAX: u64 = 100_000;
/// Time a copy chunk should take on the server while nobody writes to the table.
pub const COPY_CHUNK_TARGET: Duration = Duration::from_millis(50);
/// The same while somebody does. Its record locks are held that long, and other commits queue behind what it
/// has to write: beside unlimited updates the writers' p99 was 18 ms with chunks of 50 ms and 8 ms with chunks
/// of some 7 ms, for a copy that took a fifth longer.
pub const COPY_CHUNK_TARGET_BUSY: Duration = Duration::from_millis(5);
/// Rest of a connection behind each of these, in thousandths of the time that it took: what has queued up
/// meanwhile is served. Beside unlimited updates on two cores the writers' p99 was 1.95 times that of before
/// without it, and 1.55 times with 200 and shorter chunks and refreshes, for a run that took a third longer
/// (four runs each).
pub const COPY_REST_BUSY_PERMILLE: u64 = 150;
/// Changes of the table in one stretch from which on it counts as written to.
pub const BUSY_CHANGES: u64 = 10;
/// How long that is looked at.
pub const BUSY_STRETCH: Duration = Duration::from_secs(1);
/// Time a verification chunk should take; it holds no locks, only a read view.
pub const VERIFY_CHUNK_TARGET: Duration = Duration::from_millis(150);
/// Bytes of rows in one chunk, estimated from the average row length: the transaction's share of
/// the binlog cache and of the undo log stays small whatever the rows are.
pub const CHUNK_BYTES_MAX: u64 = 16 << 20;
/// Times a chunk is halved that is too much for one transaction of the server: enough to get from the
/// largest chunk to a single row, with some to spare for rows that come meanwhile.
pub const HALVINGS: u32 = 24;
/// Chunks whose boundaries are looked up ahead of the copy workers, per worker.
pub const CHUNKS_AHEAD_PER_WORKER: usize = 2;

/// Copied chunks that may wait to be compared: few enough to be in the server's memory still, and enough
/// for the copy not to wait for one comparison.
pub const CHUNKS_TO_COMPARE_MAX: usize = 8;

/// Time in which the copy's speed is measured to tell whether another connection is worth it.
pub const HANDS_STRETCH: Duration = Duration::from_secs(1);
/// Stretches before another connection is tried, and the most of them after trials in vain: a server that
/// has nothing to spare is asked once in five minutes.
pub const HANDS_PAUSE_FIRST: u32 = 5;
/// See [`HANDS_PAUSE_FIRST`].
pub const HANDS_PAUSE_MAX: u32 = 300;

/// Connections that copy, unless told otherwise: two saturate two cores (measured: 1.7 times one).
pub const COPY_WORKERS: usize = 2;
/// Connections that refresh, beside the copy's own, so that neither starves the other.
pub const REFRESH_WORKERS: usize = 2;
/// Keys of the first refreshes, before any has been timed: a few milliseconds.
pub const REFRESH_KEYS: usize = 500;
/// Fewest keys that a refresh shrinks to because it takes long.
pub const REFRESH_KEYS_MIN: usize = 50;
/// Most keys of a refresh.
pub const REFRESH_KEYS_MAX: usize = 4_000;
/// Bytes of rows in one refresh, estimated from the average row length.
pub const REFRESH_ROW_BYTES_MAX: u64 = 4 << 20;
/// Time that a refresh should take: its rows are locked as long.
pub const REFRESH_TARGET: Duration = Duration::from_millis(25);
/// The same while applications write and the backlog is small: nobody waits for these, but others' commits
/// queue behind them.
pub const REFRESH_TARGET_BUSY: Duration = Duration::from_millis(10);
/// Bytes of keys of one refresh: a statement has them twice as large, in hexadecimal, and must stay far below
/// the smallest `max_allowed_packet` in use; and each worker holds as much as that.
pub const REFRESH_KEY_BYTES_MAX: usize = 256 << 10;
/// Dirty keys from which a refresh starts at once; fewer wait for the next tick, so that a row
/// that is changed again and again costs one refresh and not a hundred.
pub const REFRESH_KEYS_EAGER: usize = 500;
/// Dirty keys from which the refresh takes connections from the copy (never the last one).
pub const BACKLOG_KEYS_HIGH: usize = 20_000;
/// Memory of dirty keys at which the stream is no longer read until the refresh has caught up: half of what
/// the process may have (64 MiB). What isn't read stays in the server's binary log, which is on disk
/// already, is read on at will, and is what a checkpoint counts in; a file of our own would be the same keys
/// once more, with nobody to vouch for it.
pub const DIRTY_BYTES_MAX: usize = 32 << 20;
/// Memory of a dirty key beside what a long one has on the heap: its share of a tree node. Measured by
/// `examples/backlog.rs`: 50 bytes when keys come in any order, 63 when they ascend, which leaves nodes half full.
pub const DIRTY_KEY_BYTES: usize = 64;
/// Longest time in which a stream that delivers at full speed tells no position.
pub const POSITION_EVERY: Duration = Duration::from_secs(1);
/// Seconds that a session without much to do may idle: the most that the server takes (manual,
/// `wait_timeout`), because the advisory lock goes with its connection, and a run may take weeks. A client
/// whose machine is gone is noticed by TCP's keep-alive.
pub const IDLE_SECONDS: u32 = 31_536_000;
/// Time between two checkpoints: what a run that goes on has to do again, against a row written.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
/// Tries to write one checkpoint: the next one comes soon enough.
pub const CHECKPOINT_TRIES: u32 = 3;
/// Places in the log that are kept for checkpoints to begin at. They are as many as checkpoints are taken
/// while one key stays dirty: behind this many, a day at the usual pace, positions stand still until it is
/// refreshed.
pub const SPOTS_MAX: usize = 16_384;
/// Bytes of keys in a checkpoint that the copy passed over; with more, none is taken until some are
/// refreshed. Far below the smallest `max_allowed_packet` in use (16 MiB was a default before 8.0), twice
/// as large in hexadecimal.
pub const CHECKPOINT_KEYS_BYTES_MAX: usize = 2 << 20;

/// Seconds that the statement that builds indexes may wait for others on the ghost, at its beginning and at its
/// end. Our workers wait behind it, some of them with rows of the original locked; only somebody who reads the
/// ghost (a dump of the whole schema) makes it wait at all.
pub const INDEX_LOCK_SECONDS: u32 = 5;
/// Lost connections after which the building is not begun again.
pub const INDEX_LOSSES: u32 = 10;
/// Times that the building waits for others, with [`INDEX_PAUSE`] between: a day, as backups of large servers
/// hold DDL up for hours.
pub const INDEX_WAITS: u32 = 86_400;
/// Pause before the building is tried again.
pub const INDEX_PAUSE: Duration = Duration::from_secs(1);

/// Interval of the tick that drives pauses, batching, throttling and status.
pub const TICK: Duration = Duration::from_millis(50);
/// Events taken from the stream between two looks at the workers' results.
pub const STREAM_QUEUE: usize = 64;
/// Ids of our connections that the stream has not taken note of yet: more than a run opens before the
/// stream is followed (64 workers at most, and a few others).
pub const ROSTER_QUEUE: usize = 128;
/// Keys in one message from the stream; a transaction of a million rows arrives in pieces.
pub const STREAM_BATCH_KEYS: usize = 2_000;
/// Bytes of long keys in one message from the stream: a full queue holds 4 MiB of them.
pub const STREAM_BATCH_BYTES: usize = 64 << 10;
/// Bytes of events that are read at a stretch before anybody else is listened to: a millisecond's worth.
pub const STREAM_BURST_BYTES: u64 = 64 << 10;

/// Differing keys that one verification chunk reports; more in one chunk are looked at again as
/// a whole, because they mean that a large part of the chunk is still waiting for its refresh.
pub const VERIFY_DIFFERENCES_MAX: usize = 1_000;
/// Suspect keys checked by one statement.
pub const RECHECK_KEYS: usize = 500;
/// Suspect keys kept at a time; verification of further chunks waits while there are more.
pub const SUSPECT_KEYS_MAX: usize = 20_000;
/// Times a key must differ, with no change of it under way, before it is a definite mismatch.
pub const MISMATCH_CONFIRMATIONS: u8 = 2;
/// Passes of the verification that may repair. A refresh writes what the copy writes; a row that
/// differs even after three has a cause that refreshing doesn't take away.
pub const REPAIR_PASSES_MAX: u8 = 3;
/// Checks after each of which a suspect has changed, until a pass that repaired no longer waits for it.
pub const SETTLING_CHECKS: u8 = 3;
/// Changed rows kept to be compared again while the cut-over is postponed: two seconds of checks, and
/// at most some 60 MB with the longest keys.
pub const CHANGED_KEYS_MAX: usize = 20_000;
/// Chunks of a hundred that `--verify=sample` compares unless told otherwise: a defect that
/// concerns many rows shows in one of ten chunks.
pub const SAMPLE_PERCENT: u8 = 10;

/// Times that `tableshift verify` looks again at rows that differed, before it says so: one of a replica
/// that applies with several workers, say, may be a moment behind.
pub const PAIR_CHECKS: u32 = 3;
/// Pause before each of these.
pub const PAIR_PAUSE: Duration = Duration::from_secs(1);

/// Rows that don't fit the ghost at which a run ends without looking for more: a person reads the list. Far
/// below what a cut-over may find dirty, so that they don't hold it up for ever.
pub const MISFITS_MAX: usize = 100;

/// Dirty keys up to which a cut-over may begin. Measured up to 218 keys (at most 10 ms of refresh for
/// 160); what a thousand take is extrapolated.
pub const CUT_OVER_DIRTY_MAX: usize = 1_000;
/// Dirty keys under the lock beyond which the attempt is given up rather than refreshed, because
/// the writers would wait for it.
pub const CUT_OVER_DIRTY_LOCKED_MAX: usize = 10_000;
/// Time the first attempt's LOCK TABLES may wait; every new statement on the table queues behind
/// it meanwhile. Each attempt that fails doubles it, up to `--cut-over-lock-timeout-seconds`.
pub const LOCK_WAIT_FIRST: Duration = Duration::from_millis(400);
/// Looks for a moment without readers before the lock is asked for anyway (a quarter of a second).
pub const READER_LOOKS: u32 = 50;
/// First pause between cut-over attempts; doubles up to
/// `--exponential-backoff-max-interval`.
pub const CUT_OVER_PAUSE_FIRST: Duration = Duration::from_millis(500);
/// Rounds of a run in which blockers are ended (`--force-cut-over-after`): whoever comes back that often
/// needs a person.
pub const KILL_ROUNDS_MAX: u32 = 10;
/// Changed rows up to which a transaction may be ended. The server rolls back some 10 000 rows in well
/// under a second; a rollback of millions holds the table longer than the transaction itself would.
pub const KILL_ROWS_MAX: u64 = 10_000;
/// Time to wait until those who were ended have gone: their rollbacks are small.
pub const KILL_WAIT: Duration = Duration::from_secs(5);
/// Pause between two attempts, beyond the longest back-off, after which they don't count as in vain one
/// after the other: the cut-over was postponed.
pub const VAIN_GAP_MAX: Duration = Duration::from_secs(600);
/// Characters of a statement's first word that a message shows; the longest of SQL has ten.
pub const STATEMENT_KIND_CHARS_MAX: usize = 12;
/// Times the server's own change of the original is tried, while nobody is seen in the way.
pub const SHORTCUT_TRIES: u32 = 5;
/// Seconds that such a change waits behind others, and everybody else behind it; the least the server takes.
pub const SHORTCUT_LOCK_SECONDS: u32 = 1;
/// Pause between two of these: the application gets that long without anybody in front of it.
pub const SHORTCUT_PAUSE: Duration = Duration::from_secs(1);
/// Seconds the server lets the locking connection idle: a frozen tool frees the table by itself.
pub const LOCKER_IDLE_SECONDS: u32 = 20;

/// Times a statement is tried again after a lock wait or a deadlock among our own connections.
pub const LOCK_RETRIES: u32 = 60;
/// Times it is tried again after it took longer than [`STATEMENT_TIMEOUT`]: six minutes in all, after
/// which an operator should know.
pub const TIMEOUT_RETRIES: u32 = 2;
/// Pause before such a retry.
pub const LOCK_RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Connection attempts of one connection before the run fails (with [`RECONNECT_PAUSE`] between).
pub const RECONNECTS: u32 = 30;
/// Pause between two connection attempts.
pub const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// Time a new connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time any single statement may take before its connection is thrown away and killed; far above
/// what a chunk or a batch needs, far below for ever.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(120);
/// Time a statement may take that depends on the table's size (the scan for duplicates, DDL on
/// the empty ghost queued behind other DDL, dropping a large old table).
pub const LONG_STATEMENT_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// Heartbeat that the server sends on an idle binlog connection.
pub const BINLOG_HEARTBEAT: Duration = Duration::from_secs(1);
/// Silence on the binlog connection after which it counts as lost: several heartbeats.
pub const BINLOG_SILENCE: Duration = Duration::from_secs(10);
/// Time without an event but the server's heartbeats after which the dump is asked for again: our own
/// heartbeats should have come many times by then.
pub const BINLOG_QUIET: Duration = Duration::from_secs(15);
/// Attempts to follow a replica's log again that may fail in a row (with [`RECONNECT_PAUSE`] between): a
/// replica that is restarted recovers for minutes, and nothing is lost meanwhile.
pub const REPLICA_RECONNECTS: u32 = 300;
/// Longest wait at the start for the replica to show the first row written on the primary: longer than
/// anybody lets a replica lag unnoticed.
pub const REPLICA_WAIT: Duration = Duration::from_secs(3_600);
/// Pause between two looks at a replica.
pub const REPLICA_PAUSE: Duration = Duration::from_millis(50);
/// Time that passes between two words about a wait.
pub const WAIT_TOLD: Duration = Duration::from_secs(5);
/// Lag of a followed replica from which on it is told.
pub const REPLICA_LAG_TOLD: Duration = Duration::from_secs(10);
/// Servers between the one that is followed and the primary: chains are seldom longer than three.
pub const CHAIN_MAX: usize = 8;
/// Longest wait for a replica's applier to stop: the transaction that it is at comes to its end first.
pub const REPLICA_STOP_WAIT: Duration = Duration::from_secs(300);
/// Times that replication is told to stop or to start: one answer may be lost, and once the statement may
/// have another name.
pub const REPLICATION_TRIES: u32 = 4;
/// Longest wait of the start barrier for transactions that were open when the position was taken.
pub const BARRIER_WAIT: Duration = Duration::from_secs(3_600);
/// Pause between two looks of the start barrier.
pub const BARRIER_PAUSE: Duration = Duration::from_millis(5);
/// Seconds to wait for the advisory lock at the start: the server gives up the lock of a run that was
/// killed as soon as it notices, which takes a moment.
pub const ADVISORY_WAIT_SECONDS: u32 = 2;
/// Looks at the advisory lock that may fail in a row before it counts as lost.
pub const ADVISORY_FAILURES: u32 = 3;
/// Times the dropping of a helper table is tried again after a lock wait or a lost connection.
pub const DROP_RETRIES: u32 = 3;
/// Interval of the ping that keeps the advisory lock's connection alive and checks the lock.
pub const ADVISORY_PING: Duration = Duration::from_secs(30);
/// Time without an answer, or without any progress and any reason to wait, after which a run counts
/// as hung and ends. Above every wait that ends by itself: a statement's time-out and as many
/// reconnections as are tried.
pub const LIVENESS: Duration = Duration::from_secs(600);
/// Most time that one tick counts for in that: when the process was frozen for an hour, nobody is
/// late for it.
pub const LIVENESS_TICK: Duration = Duration::from_secs(1);
/// Interval of the looks at status variables and of the throttle query (gh-ost's).
pub const SIGNAL_LOOK: Duration = Duration::from_secs(1);
/// Time without an answer after which a signal counts as unreadable and throttles.
pub const SIGNAL_SILENCE: Duration = Duration::from_secs(1);
/// Time that a throttle query may take on the server, and a look at status variables or a replica
/// at all; then it is ended, so that it never piles up.
pub const SIGNAL_STATEMENT: Duration = Duration::from_secs(5);
/// Longest interval between two looks at a replica's heartbeat, however rare heartbeats are.
pub const REPLICA_LOOK_MAX: Duration = Duration::from_millis(250);
/// Interval at which the readings of all replicas are judged: lag grows while none comes.
pub const REPLICA_JUDGE: Duration = Duration::from_millis(100);
/// Interval between two looks at the list of replicas on the primary.
pub const REPLICA_DISCOVERY: Duration = Duration::from_secs(10);
/// Time without an answer after which a replica that the primary no longer lists is let go.
pub const REPLICA_GONE: Duration = Duration::from_secs(60);
/// Bytes of an HTTP answer that are read for its first line.
pub const HTTP_ANSWER_BYTES: usize = 4_096;
/// Connections to the metrics endpoint at a time: a few scrapers. Others wait in the system's queue.
pub const METRICS_CONNECTIONS_MAX: usize = 8;
/// Bytes of the head of a request to it: Prometheus' has some 400.
pub const METRICS_REQUEST_BYTES_MAX: usize = 8 << 10;
/// Time for a request and for taking its answer; half of what Prometheus gives a scrape by default.
pub const METRICS_PATIENCE: Duration = Duration::from_secs(5);
/// Time between two connections that are taken: a client without manners costs a hundred answers a second.
pub const METRICS_ACCEPT_EVERY: Duration = Duration::from_millis(10);
/// Time between two reports to StatsD; collectors flush every ten seconds by default.
pub const STATSD_EVERY: Duration = Duration::from_secs(1);
/// Bytes of a datagram to it, so that it is not cut into pieces: Ethernet's 1500 without the heads of IPv6
/// and UDP, and some for tunnels.
pub const STATSD_DATAGRAM_BYTES_MAX: usize = 1_400;
/// Time that recording a run may take, at its start and at its end, all attempts together: a history is
/// worth a few seconds of waiting, not more.
pub const HISTORY_WAIT: Duration = Duration::from_secs(10);
/// Time that one of its statements may take; then its connection is thrown away.
pub const HISTORY_STATEMENT: Duration = Duration::from_secs(3);
/// Seconds that the server lets it wait for a metadata lock.
pub const HISTORY_LOCK_SECONDS: u32 = 2;
/// Times that it is tried, each time on a new connection.
pub const HISTORY_TRIES: u32 = 3;
/// Seconds that `tableshift plan` copies a sample for unless told otherwise: some sixty chunks, whose spread
/// tells how far the predicted time can be trusted.
pub const SAMPLE_SECONDS: u64 = 3;
/// Most that it may be told: everything copied is written to the binary log, and dropped again.
pub const SAMPLE_SECONDS_MAX: u64 = 60;
/// Most bytes of a sample's rows, by the average row: they are written to the binary log for nothing.
pub const SAMPLE_BYTES_MAX: u64 = 256 << 20;
/// Points of an integer key at which a sample takes a chunk in turn.
pub const SAMPLE_POINTS: u64 = 64;
/// Time that each look at what a table has around it may take: catalogues of servers with many schemas are slow.
pub const SURROUNDINGS_STATEMENT: Duration = Duration::from_secs(30);
/// How lately a statement must have been seen for its plans to be compared: a day has what runs once a night.
pub const PLANS_SEEN_WITHIN: Duration = Duration::from_secs(24 * 3_600);
/// Statements whose plans are compared, the most expensive first: beyond them little of a server's time is spent.
pub const PLANS_MAX: usize = 200;
/// Time that explaining all of them may take; what is left is told as not compared.
pub const PLANS_WAIT: Duration = Duration::from_secs(120);
/// Time that the server may take for one reading statement: EXPLAIN carries some subqueries out.
pub const PLAN_EXECUTION: Duration = Duration::from_secs(2);
/// Time that one EXPLAIN may take; then its connection is thrown away.
pub const PLAN_STATEMENT: Duration = Duration::from_secs(5);
/// Seconds that a comparison waits for a metadata lock.
pub const PLAN_LOCK_SECONDS: u32 = 2;
/// Times that a comparison is begun, each on a new connection, with [`RECONNECT_PAUSE`] between.
pub const PLAN_TRIES: u32 = 3;
/// Time after which plans are compared again while the cut-over is postponed.
pub const PLANS_AGAIN: Duration = Duration::from_secs(60);
/// Seconds that a run of a batch waits with plans that got worse, unless told otherwise: nobody is there at night.
pub const BATCH_PLANS_WAIT_SECONDS: u64 = 600;
/// Characters of a statement's digest that a message shows.
pub const DIGEST_CHARS_MAX: usize = 300;
/// Statements that a comparison names one by one.
pub const PLANS_SHOWN_MAX: usize = 10;
/// Time a clean stop may take before the process ends anyway.
pub const STOP_WAIT: Duration = Duration::from_secs(20);
/// Keys that a message shows: enough to see what they have in common.
pub const KEYS_SHOWN_MAX: usize = 10;
/// Columns that a message names of one row.
pub const COLUMNS_SHOWN_MAX: usize = 20;
/// Characters of one key value that a message shows; a key has at most 3 072 bytes, and its beginning
/// finds the row as well.
pub const KEY_VALUE_CHARS_MAX: usize = 200;
/// How often a batch looks at its state when nothing happens: others' jobs end meanwhile.
pub const BATCH_TICK: Duration = Duration::from_secs(1);
/// How often a batch says that it is alive.
pub const BATCH_BEAT: Duration = Duration::from_secs(5);
/// Silence after which another machine may take over the jobs of one whose lock is gone.
pub const BATCH_LEASE: Duration = Duration::from_secs(180);
/// Time that a statement about the state may take: far more than it needs, far less than the lease.
pub const BATCH_STATEMENT: Duration = Duration::from_secs(10);
/// Time without its state after which a batch stops its migrations: before others may take them over.
pub const BATCH_STATE_LOST: Duration = Duration::from_secs(30);
/// Time a batch waits for a run on a table of its own that was left alone and is ending.
pub const BATCH_BUSY_WAIT: Duration = Duration::from_secs(60);
/// Time that a stopped migration may take: a cut-over that is locked is finished or given up, then a clean
/// stop.
pub const BATCH_STOP_WAIT: Duration = Duration::from_secs(50);
/// Bytes of the end of a log in which the reason is looked for.
pub const BATCH_LOG_TAIL: u64 = 64 << 10;
/// Time the command at the end of a batch may take.
pub const BATCH_HOOK: Duration = Duration::from_secs(60);

const _: () = assert!(CHUNK_ROWS_MIN < CHUNK_ROWS_START && CHUNK_ROWS_START < CHUNK_ROWS_MAX);
const _: () = assert!(1 << (HALVINGS - 4) > CHUNK_ROWS_MAX);
const _: () = assert!(CUT_OVER_DIRTY_MAX < CUT_OVER_DIRTY_LOCKED_MAX);
const _: () = assert!(BINLOG_HEARTBEAT.as_secs() * 3 < BINLOG_SILENCE.as_secs());
const _: () = assert!(
    STATEMENT_TIMEOUT.as_secs()
        + RECONNECTS as u64 * (RECONNECT_PAUSE.as_secs() + CONNECT_TIMEOUT.as_secs())
        < LIVENESS.as_secs()
);
const _: () =
    assert!(REPLICA_STOP_WAIT.as_secs() + STATEMENT_TIMEOUT.as_secs() < LIVENESS.as_secs());
// Keys in conflict wait for events behind them in the stream: they must never fill the set. A key
// is 3072 bytes at most (InnoDB's limit).
const _: () = assert!(CUT_OVER_DIRTY_MAX * (3_072 + 2 * DIRTY_KEY_BYTES) < DIRTY_BYTES_MAX);
const _: () = assert!(REPLICA_LOOK_MAX.as_millis() < SIGNAL_SILENCE.as_millis());
const _: () = assert!(SIGNAL_STATEMENT.as_secs() < STOP_WAIT.as_secs());
const _: () = assert!(VERIFY_DIFFERENCES_MAX < SUSPECT_KEYS_MAX);
const _: () = assert!(STOP_WAIT.as_secs() < BATCH_STOP_WAIT.as_secs());
// A comparison that is begun again at the last moment, and one statement of it that hangs.
const _: () = assert!(
    2 * STATEMENT_TIMEOUT.as_secs() + 4 * CONNECT_TIMEOUT.as_secs() + PLANS_WAIT.as_secs()
        < LIVENESS.as_secs()
);
const _: () =
    assert!(BATCH_STATE_LOST.as_secs() + BATCH_STOP_WAIT.as_secs() < BATCH_LEASE.as_secs());
