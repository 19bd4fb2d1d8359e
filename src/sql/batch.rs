//! Statements of a batch: its state, and what is looked at on the servers it works on.

use super::{Statement, qualified, text_literal};
use crate::plan::batch::{TABLE, comment};
use crate::plan::history;

/// Id of the row that every claim locks first: limits count over many rows, so claims come one by one.
const GATE: &str = "";
/// Jobs that one statement writes.
pub const JOBS_AT_ONCE: usize = 500;
/// Columns of [`read`].
pub const COLUMNS: [&str; 13] = [
    "job_id",
    "migration",
    "server",
    "table_schema",
    "table_name",
    "state",
    "exit_code",
    "reason",
    "attempts",
    "worker",
    "worker_pid",
    "claim",
    "table_before",
];

/// A row that isn't written yet.
pub struct New<'a> {
    /// Id.
    pub id: &'a str,
    /// Migration's name.
    pub migration: &'a str,
    /// Server's name.
    pub server: &'a str,
    /// Schema.
    pub schema: &'a str,
    /// Table.
    pub table: &'a str,
    /// The ALTER, without passwords.
    pub alter: &'a str,
}

/// Who has a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// The machine's name.
    pub worker: String,
    /// The process.
    pub pid: u32,
    /// What no other process has.
    pub claim: String,
    /// Name of the lock that it holds while it lives.
    pub lock: String,
}

/// Looks for the table, and by its comment whose it is.
#[must_use]
pub fn look(schema: &str) -> Statement {
    Statement::new(
        "look for the batch's state",
        format!(
            "SELECT /* tableshift */ TABLE_COMMENT FROM information_schema.TABLES WHERE \
             TABLE_SCHEMA={} AND TABLE_NAME={}",
            text_literal(schema),
            text_literal(TABLE)
        ),
    )
}

/// Makes the table.
#[must_use]
pub fn create(schema: &str) -> Statement {
    Statement::new(
        "create the batch's state",
        format!(
            "CREATE /* tableshift */ TABLE IF NOT EXISTS {} (\
             batch VARCHAR(64) NOT NULL, \
             job_id VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
             migration VARCHAR(255) NOT NULL, \
             server VARCHAR(64) NOT NULL, \
             table_schema VARCHAR(64) NOT NULL, \
             table_name VARCHAR(64) NOT NULL, \
             alter_text LONGTEXT NOT NULL, \
             state VARCHAR(16) NOT NULL, \
             exit_code TINYINT UNSIGNED NULL, \
             reason TEXT NOT NULL, \
             attempts INT UNSIGNED NOT NULL DEFAULT 0, \
             worker VARCHAR(255) NOT NULL DEFAULT '', \
             worker_pid INT UNSIGNED NOT NULL DEFAULT 0, \
             claim VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '', \
             worker_lock VARCHAR(64) NOT NULL DEFAULT '', \
             table_before VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL \
             COMMENT 'what the table was before a run whose end is not known', \
             claimed DATETIME(6) NULL COMMENT 'UTC', \
             heartbeat DATETIME(6) NULL COMMENT 'UTC', \
             ended DATETIME(6) NULL COMMENT 'UTC', \
             PRIMARY KEY (batch, job_id)) \
             ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT={}",
            qualified(schema, TABLE),
            text_literal(&comment()),
        ),
    )
}

/// Writes rows of jobs that aren't there yet; those that are stay as they are.
#[must_use]
pub fn seed(schema: &str, batch: &str, jobs: &[New<'_>]) -> Statement {
    let gate = New {
        id: GATE,
        migration: "",
        server: "",
        schema: "",
        table: "",
        alter: "",
    };
    let rows: Vec<String> = jobs
        .iter()
        .chain([&gate])
        .map(|job| {
            let texts = [
                batch,
                job.id,
                job.migration,
                job.server,
                job.schema,
                job.table,
                job.alter,
            ];
            let state = if job.id == GATE { "gate" } else { "pending" };
            format!("({}, '{state}', '')", texts.map(text_literal).join(", "))
        })
        .collect();
    Statement::new(
        "write the batch's jobs",
        format!(
            "INSERT /* tableshift */ INTO {} (batch, job_id, migration, server, table_schema, \
             table_name, alter_text, state, reason) VALUES {} ON DUPLICATE KEY UPDATE job_id=job_id",
            qualified(schema, TABLE),
            rows.join(", "),
        ),
    )
}

/// Writes that these pairs of a migration and a server were looked at: of each, the id, the migration's name
/// and the server's.
#[must_use]
pub fn write_looks(schema: &str, batch: &str, looks: &[[&str; 3]]) -> Statement {
    let rows: Vec<String> = looks
        .iter()
        .map(|[id, migration, server]| {
            let texts = [batch, id, migration, server].map(text_literal);
            format!("({}, '', '', '', 'looked', '')", texts.join(", "))
        })
        .collect();
    Statement::new(
        "write what was looked at",
        format!(
            "INSERT /* tableshift */ INTO {} (batch, job_id, migration, server, table_schema, \
             table_name, alter_text, state, reason) VALUES {} ON DUPLICATE KEY UPDATE job_id=job_id",
            qualified(schema, TABLE),
            rows.join(", "),
        ),
    )
}

/// Ids of pairs that were looked at.
#[must_use]
pub fn looks(schema: &str, batch: &str) -> Statement {
    Statement::new(
        "read what was looked at",
        format!(
            "SELECT /* tableshift */ job_id FROM {} WHERE batch={} AND state='looked'",
            qualified(schema, TABLE),
            text_literal(batch),
        ),
    )
}

/// Takes the lock that says that a worker lives; returns 1 if nobody else of its name does.
#[must_use]
pub fn take_lock(lock: &str) -> Statement {
    Statement::new(
        "take the batch's lock",
        format!(
            "SELECT /* tableshift */ GET_LOCK({}, 0)",
            text_literal(lock)
        ),
    )
}

/// All rows of a batch. The last column says whether whoever has the job is gone: another process of this
/// worker, or one whose lock is free and whose heartbeat is older than the lease.
#[must_use]
pub fn read(schema: &str, batch: &str, me: &Claimant, lease_seconds: u64) -> Statement {
    Statement::new(
        "read the batch's state",
        format!(
            "SELECT /* tableshift */ {}, TIMESTAMPDIFF(SECOND, heartbeat, UTC_TIMESTAMP(6)), \
             state='running' AND claim<>{} AND (worker_lock<>'' AND worker_lock={} OR IS_FREE_LOCK(IF(worker_lock='', \
             'tableshift-batch', worker_lock))=1 AND heartbeat < UTC_TIMESTAMP(6) - INTERVAL \
             {lease_seconds} SECOND) FROM {} WHERE batch={} AND state NOT IN ('gate', 'looked') ORDER BY server, \
             table_schema, table_name, migration",
            COLUMNS.join(", "),
            text_literal(&me.claim),
            text_literal(&me.lock),
            qualified(schema, TABLE),
            text_literal(batch),
        ),
    )
}

/// Locks the row that every claim locks first.
#[must_use]
pub fn gate(schema: &str, batch: &str) -> Statement {
    Statement::new(
        "wait for other claims",
        format!(
            "SELECT /* tableshift */ 1 FROM {} WHERE {} FOR UPDATE",
            qualified(schema, TABLE),
            key(batch, GATE)
        ),
    )
}

/// Locks jobs that are to be claimed, without those that somebody is writing to.
#[must_use]
pub fn lock(schema: &str, batch: &str, ids: &[&str]) -> Statement {
    Statement::new(
        "lock the batch's jobs",
        format!(
            "SELECT /* tableshift */ job_id FROM {} WHERE {} FOR UPDATE SKIP LOCKED",
            qualified(schema, TABLE),
            keys(batch, ids),
        ),
    )
}

/// Claims jobs.
#[must_use]
pub fn claim(schema: &str, batch: &str, ids: &[&str], me: &Claimant) -> Statement {
    Statement::new(
        "claim the batch's jobs",
        format!(
            "UPDATE /* tableshift */ {} SET state='running', attempts=attempts+1, worker={}, \
             worker_pid={}, claim={}, worker_lock={}, claimed=UTC_TIMESTAMP(6), \
             heartbeat=UTC_TIMESTAMP(6), ended=NULL, exit_code=NULL, reason='' WHERE {}",
            qualified(schema, TABLE),
            text_literal(&me.worker),
            me.pid,
            text_literal(&me.claim),
            text_literal(&me.lock),
            keys(batch, ids),
        ),
    )
}

/// Says that a worker is alive.
#[must_use]
pub fn beat(schema: &str, batch: &str, claim: &str) -> Statement {
    Statement::new(
        "say that the batch is alive",
        format!(
            "UPDATE /* tableshift */ {} SET heartbeat=UTC_TIMESTAMP(6) WHERE batch={} AND claim={} AND \
             state='running'",
            qualified(schema, TABLE),
            text_literal(batch),
            text_literal(claim),
        ),
    )
}

/// Notes what the table is before its migration begins.
#[must_use]
pub fn note(schema: &str, batch: &str, id: &str, claim: &str, identity: &str) -> Statement {
    Statement::new(
        "note the table's definition",
        format!(
            "UPDATE /* tableshift */ {} SET table_before={}, heartbeat=UTC_TIMESTAMP(6) WHERE {} AND \
             claim={} AND state='running'",
            qualified(schema, TABLE),
            text_literal(identity),
            key(batch, id),
            text_literal(claim),
        ),
    )
}

/// How a job ended.
pub struct Ended<'a> {
    /// Id.
    pub id: &'a str,
    /// Its state from now on.
    pub state: &'a str,
    /// The exit code, if it has one.
    pub exit_code: Option<u8>,
    /// Why, in one line.
    pub reason: &'a str,
    /// It is known what became of the table.
    pub known: bool,
}

/// Records how a job ended, if it is still the claimant's. May be sent twice.
#[must_use]
pub fn finish(schema: &str, batch: &str, claim: &str, ended: &Ended<'_>) -> Statement {
    let code = ended
        .exit_code
        .map_or("NULL".into(), |code| code.to_string());
    let before = if ended.known {
        ", table_before=NULL"
    } else {
        ""
    };
    Statement::new(
        "record the end of a job",
        format!(
            "UPDATE /* tableshift */ {} SET state={}, exit_code={code}, reason={}, \
             ended=UTC_TIMESTAMP(6){before} WHERE {} AND claim={} AND state='running'",
            qualified(schema, TABLE),
            text_literal(ended.state),
            text_literal(ended.reason),
            key(batch, ended.id),
            text_literal(claim),
        ),
    )
}

/// What an operator says of jobs that nobody is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Those that failed are tried again.
    RetryFailed,
    /// It is tried again, whatever became of its table.
    Retry,
    /// Its table is as it should be.
    Done,
}

/// Writes what an operator says.
#[must_use]
pub fn say(schema: &str, batch: &str, ids: &[&str], word: Word) -> Statement {
    let (set, if_state) = match word {
        Word::RetryFailed => ("state='pending'", "state='failed'"),
        Word::Retry => ("state='pending', table_before=NULL", "state<>'running'"),
        Word::Done => (
            "state='done', table_before=NULL, reason='said to be done'",
            "state<>'running'",
        ),
    };
    Statement::new(
        "write what was said of the batch's jobs",
        format!(
            "UPDATE /* tableshift */ {} SET {set} WHERE {} AND {if_state}",
            qualified(schema, TABLE),
            keys(batch, ids),
        ),
    )
}

fn key(batch: &str, id: &str) -> String {
    format!(
        "batch={} AND job_id={}",
        text_literal(batch),
        text_literal(id)
    )
}

fn keys(batch: &str, ids: &[&str]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| text_literal(id)).collect();
    format!(
        "batch={} AND job_id IN ({})",
        text_literal(batch),
        ids.join(", ")
    )
}

/// All ordinary tables of a server.
#[must_use]
pub fn tables() -> Statement {
    Statement::new(
        "list the server's tables",
        "SELECT /* tableshift */ TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE \
         TABLE_TYPE='BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', \
         'information_schema')"
            .into(),
    )
}

/// Whether a table's advisory lock is free, and whether the server only follows another one, so that it may
/// not know yet what happened there.
#[must_use]
pub fn situation(advisory_lock: &str) -> Statement {
    Statement::new(
        "look for a run on the table",
        format!(
            "SELECT /* tableshift */ IS_FREE_LOCK({}), @@global.read_only OR EXISTS(SELECT 1 FROM \
             performance_schema.replication_connection_configuration), @@server_uuid",
            text_literal(advisory_lock)
        ),
    )
}

/// The table's definition.
#[must_use]
pub fn definition(schema: &str, table: &str) -> Statement {
    Statement::new(
        "read the table's definition",
        format!("SHOW CREATE TABLE {}", qualified(schema, table)),
    )
}

/// When the table was made or altered last, and how many seconds ago.
#[must_use]
pub fn made(schema: &str, table: &str) -> Statement {
    Statement::new(
        "read when the table was made",
        format!(
            "SELECT /* tableshift */ UNIX_TIMESTAMP(CREATE_TIME), UNIX_TIMESTAMP() - \
             UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.TABLES WHERE TABLE_SCHEMA={} AND TABLE_NAME={}",
            text_literal(schema),
            text_literal(table)
        ),
    )
}

/// Which server it is, and which ones it follows.
#[must_use]
pub fn who() -> Statement {
    Statement::new(
        "ask which server it follows",
        "SELECT /* tableshift */ @@server_uuid, (SELECT GROUP_CONCAT(SOURCE_UUID) FROM \
         performance_schema.replication_connection_status)"
            .into(),
    )
}

/// The last run on a table that the history knows: how it ended, whether it did this ALTER, its id and its kind.
#[must_use]
pub fn last_run(history_schema: &str, schema: &str, table: &str, alter: &str) -> Statement {
    Statement::new(
        "read the history",
        format!(
            "SELECT /* tableshift */ result, alter_text={}, run_id, kind FROM {} WHERE table_schema={} AND \
             table_name={} ORDER BY started DESC LIMIT 1",
            text_literal(alter),
            qualified(history_schema, history::TABLE),
            text_literal(schema),
            text_literal(table),
        ),
    )
}
