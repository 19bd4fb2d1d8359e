//! Runs that are killed, stopped or cut off, and the runs that go on where those were; and what is refused.

#[cfg(test)]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use support::chance::Chance;
use support::running::{ALTER, PATIENCE, assert_code, assert_done, execute, schema, tables};
use support::server::Server;
use support::{tableshift_command, wait_until};

const ROWS: u64 = 20_000;

fn rows() -> u32 {
    u32::try_from(ROWS).expect("a small table")
}

/// A run with small chunks, one after the other, and many checkpoints.
fn command(server: &Server, schema: &str, alter: &str) -> Command {
    let mut command = tableshift_command(server, schema, "t", alter);
    command
        .args(["--execute", "--chunk-size=100", "--copy-workers=1"])
        .env("TABLESHIFT_CHECKPOINT_MS", "20")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end")
}

async fn end(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().expect("the program's end"))
        .await
        .expect("a thread")
}

/// A run that is held before it copies its `chunk`th chunk, when all before it are in a checkpoint; and how
/// many rows they have.
async fn held(
    server: &Server,
    conn: &mut Conn,
    schema: &str,
    (chunk, flags): (u64, &[&str]),
) -> (Child, u64) {
    let hold = file(schema);
    let _ = std::fs::remove_file(&hold);
    let child = command(server, schema, ALTER)
        .args(flags)
        .env(
            "TABLESHIFT_FAULTS",
            format!("copy chunk@worker:hold={}:{chunk}", hold.display()),
        )
        .spawn()
        .expect("the program");
    let copied = saved_when_held(conn, &hold).await;
    (child, copied)
}

/// Waits until the run is held there and everything it has copied is in a checkpoint.
async fn saved_when_held(conn: &mut Conn, hold: &Path) -> u64 {
    wait_until(PATIENCE, "it is held", async || hold.exists()).await;
    let copied: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM _t_gho")
        .await
        .expect("the ghost");
    let copied = copied.expect("a number");
    wait_until(PATIENCE, "a checkpoint", async || {
        let query = "SELECT rows_copied FROM _t_ghk WHERE id = 2";
        let saved: Result<Option<u64>, _> = conn.query_first(query).await;
        matches!(saved, Ok(Some(saved)) if saved == copied)
    })
    .await;
    copied
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tableshift-{}-{name}.hold", std::process::id()))
}

fn kill(mut child: Child) {
    child.kill().expect("a signal");
    child.wait().expect("its end");
}

fn terminate(child: &Child) {
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
}

/// The number behind `name` in the line that has `line`.
fn figure(output: &Output, line: &str, name: &str) -> u64 {
    let text = String::from_utf8_lossy(&output.stderr);
    let found = text.lines().find(|one| one.contains(line));
    let found = found.unwrap_or_else(|| panic!("no {line:?} in:\n{text}"));
    let rest = found.split(name).nth(1).expect("the figure");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

async fn twin(conn: &mut Conn) {
    execute(
        conn,
        &[
            "CREATE TABLE twin LIKE t",
            "INSERT INTO twin SELECT * FROM t",
        ],
    )
    .await;
}

/// The same changes to the table and to its twin.
async fn change(conn: &mut Conn, changes: &[&str]) {
    for table in ["t", "twin"] {
        for change in changes {
            let change = change.replace('@', table);
            conn.query_drop(change).await.expect("a change");
        }
    }
}

async fn assert_same_as_twin(conn: &mut Conn) {
    let different: Option<u64> = conn
        .query_first(
            "SELECT (SELECT COUNT(*) FROM t LEFT JOIN twin USING (id, v) WHERE twin.id IS NULL) + \
             (SELECT COUNT(*) FROM twin LEFT JOIN t USING (id, v) WHERE t.id IS NULL)",
        )
        .await
        .expect("both tables");
    assert_eq!(different, Some(0), "rows differ from the twin's");
}

const CHANGES: [&str; 4] = [
    "UPDATE @ SET v = -1 WHERE id IN (1, 2, 4999, 19999)",
    "DELETE FROM @ WHERE id IN (10, 4000, 15000)",
    "INSERT INTO @ VALUES (0, 5), (30000, 6)",
    "UPDATE @ SET id = id + 50000 WHERE id IN (20, 12000)",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_before_a_checkpoint_is_not_copied_again() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "killed", rows()).await;
    twin(&mut conn).await;
    let (child, copied) = held(&server, &mut conn, "killed", (51, &[])).await;
    kill(child);
    let output = run(command(&server, "killed", ALTER)).await;
    assert_done(&output);
    assert_eq!(figure(&output, "going on from checkpoint", "rows="), copied);
    assert_eq!(figure(&output, "copy complete", "rows="), ROWS);
    assert_same_as_twin(&mut conn).await;
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t", "twin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_between_two_runs_are_not_lost() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "meantime", rows()).await;
    twin(&mut conn).await;
    let (child, _) = held(&server, &mut conn, "meantime", (51, &[])).await;
    change(
        &mut conn,
        &[
            "UPDATE @ SET v = -2 WHERE id IN (3, 4998)",
            "DELETE FROM @ WHERE id = 11",
        ],
    )
    .await;
    kill(child);
    change(&mut conn, &CHANGES).await;
    assert_done(&run(command(&server, "meantime", ALTER)).await);
    assert_same_as_twin(&mut conn).await;
}

/// Rows that were passed over because somebody held them have no event: the checkpoint names them.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_held_when_it_was_passed_over_is_copied_by_the_next_run() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "passed", rows()).await;
    twin(&mut conn).await;
    let (first, hold) = (file("passed-first"), file("passed"));
    let orders = format!(
        "copy chunk@worker:hold={}:1;copy chunk@worker:hold={}:51",
        first.display(),
        hold.display()
    );
    let child = command(&server, "passed", ALTER)
        .env("TABLESHIFT_FAULTS", orders)
        .spawn()
        .expect("the program");
    // The start barrier would wait for a transaction that is open before.
    wait_until(PATIENCE, "the first chunk", async || first.exists()).await;
    let mut holder = server.conn(Some("passed")).await;
    let rows = "SELECT * FROM t WHERE id IN (50, 1250) FOR UPDATE";
    execute(&mut holder, &["BEGIN", rows]).await;
    std::fs::remove_file(&first).expect("the held point");
    saved_when_held(&mut conn, &hold).await;
    let missing: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM t LEFT JOIN _t_gho AS g USING (id) WHERE id IN (50, 1250) AND g.id IS NULL")
        .await
        .expect("both tables");
    assert_eq!(missing, Some(2));
    kill(child);
    holder.query_drop("COMMIT").await.expect("a commit");
    assert_done(&run(command(&server, "passed", ALTER)).await);
    assert_same_as_twin(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_says_how_to_go_on() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "stopped", rows()).await;
    twin(&mut conn).await;
    let (child, _) = held(&server, &mut conn, "stopped", (51, &[])).await;
    terminate(&child);
    std::fs::remove_file(file("stopped")).expect("the held point");
    let output = end(child).await;
    assert_code(
        &output,
        8,
        &["stopped as asked", "`_t_ghk`", "run the same command again"],
    );
    change(&mut conn, &CHANGES).await;
    // A trial run tells that it could go on, and leaves everything as it is.
    let mut trial = tableshift_command(&server, "stopped", "t", ALTER);
    trial.stdout(Stdio::piped()).stderr(Stdio::piped());
    assert_code(
        &run(trial).await,
        0,
        &["going on from checkpoint", "add --execute"],
    );
    let mut again = command(&server, "stopped", ALTER);
    again.arg("--resume");
    assert_done(&run(again).await);
    assert_same_as_twin(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_same_migration_goes_on() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "other", rows()).await;
    twin(&mut conn).await;
    let mut unknown = command(&server, "other", ALTER);
    unknown.arg("--resume");
    assert_code(
        &run(unknown).await,
        3,
        &["no earlier run of this table can be continued"],
    );
    kill(held(&server, &mut conn, "other", (51, &[])).await.0);
    let kept = ["_t_ghc", "_t_ghk", "_t_gho", "t", "twin"];
    let output = run(command(&server, "other", "ADD COLUMN another INT")).await;
    assert_code(&output, 3, &["another ALTER", "--no-resume"]);
    assert_eq!(tables(&mut conn).await, kept);
    let mut otherwise = command(&server, "other", ALTER);
    otherwise.arg("--skip-strict-mode");
    assert_code(&run(otherwise).await, 3, &["other expressions or settings"]);
    execute(
        &mut conn,
        &["ALTER TABLE t COMMENT 'altered'", "DROP TABLE _t_ghc"],
    )
    .await;
    let output = run(command(&server, "other", ALTER)).await;
    assert_code(&output, 3, &["2 reasons", "was altered since", "changelog"]);
    let mut anew = command(&server, "other", "ADD COLUMN another INT");
    anew.arg("--no-resume");
    assert_done(&run(anew).await);
    assert_same_as_twin(&mut conn).await;
}

/// DDL that was undone again is in the log all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_the_tables_meanwhile_is_read_in_the_log() {
    let server = Server::start(&[]);
    for (schema_name, statements) in [
        (
            "truncated",
            vec!["TRUNCATE TABLE t", "INSERT INTO t SELECT * FROM twin"],
        ),
        (
            "remade",
            vec![
                "CREATE TABLE copied LIKE _t_gho",
                "DROP TABLE _t_gho",
                "RENAME TABLE copied TO _t_gho",
            ],
        ),
    ] {
        let mut conn = schema(&server, schema_name, rows()).await;
        twin(&mut conn).await;
        kill(held(&server, &mut conn, schema_name, (51, &[])).await.0);
        execute(&mut conn, &statements).await;
        let output = run(command(&server, schema_name, ALTER)).await;
        assert_code(&output, 5, &["another session ran"]);
        assert_same_as_twin(&mut conn).await;
        assert_eq!(
            tables(&mut conn).await,
            ["t", "twin"],
            "it can't go on any more"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_log_there_is_no_going_on() {
    let server = Server::start(&[]);
    for (name, flags) in [("purged", &[][..]), ("purged_gtids", &["--gtid"])] {
        let mut conn = schema(&server, name, rows()).await;
        twin(&mut conn).await;
        kill(held(&server, &mut conn, name, (51, flags)).await.0);
        execute(&mut conn, &["FLUSH BINARY LOGS"]).await;
        change(&mut conn, &CHANGES).await;
        execute(&mut conn, &["FLUSH BINARY LOGS"]).await;
        let files: Vec<(String, u64, String)> =
            conn.query("SHOW BINARY LOGS").await.expect("the logs");
        let last = &files.last().expect("one").0;
        execute(&mut conn, &[&format!("PURGE BINARY LOGS TO '{last}'")]).await;
        let again = || {
            let mut again = command(&server, name, ALTER);
            again.args(flags);
            again
        };
        let left = ["_t_ghc", "_t_ghk", "_t_gho", "t", "twin"];
        let purged = "binary logs that the earlier run had not read yet are purged";
        assert_code(&run(again()).await, 3, &[purged, "--no-resume"]);
        assert_eq!(tables(&mut conn).await, left);
        // A plan of it, and a run without --execute, say the same.
        let whole = again();
        let words: Vec<_> = whole
            .get_args()
            .filter(|word| *word != "--execute")
            .collect();
        let mut trial = Command::new(whole.get_program());
        trial.args(&words);
        assert_code(&run(trial).await, 3, &[purged]);
        let mut plan = Command::new(whole.get_program());
        plan.arg("plan").args(&words);
        let told = run(plan).await;
        assert_code(&told, 3, &[]);
        let text = String::from_utf8_lossy(&told.stdout);
        assert!(text.contains(purged), "{text}");
        assert_eq!(tables(&mut conn).await, left);
        let mut anew = again();
        anew.arg("--no-resume");
        assert_done(&run(anew).await);
        assert_same_as_twin(&mut conn).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_began_anew_is_another_one() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "reset", rows()).await;
    twin(&mut conn).await;
    kill(held(&server, &mut conn, "reset", (51, &[])).await.0);
    execute(&mut conn, &["RESET BINARY LOGS AND GTIDS"]).await;
    change(&mut conn, &CHANGES).await;
    let output = run(command(&server, "reset", ALTER)).await;
    assert_code(&output, 3, &["the log was reset", "--no-resume"]);
    let left = ["_t_ghc", "_t_ghk", "_t_gho", "t", "twin"];
    assert_eq!(tables(&mut conn).await, left);
    let mut anew = command(&server, "reset", ALTER);
    anew.arg("--no-resume");
    assert_done(&run(anew).await);
    assert_same_as_twin(&mut conn).await;
}

/// A server that is down, busy or lost while a run looks at what there is must not cost the state.
#[tokio::test(flavor = "multi_thread")]
async fn trouble_while_going_on_leaves_the_state() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "trouble", rows()).await;
    twin(&mut conn).await;
    let (child, copied) = held(&server, &mut conn, "trouble", (51, &[])).await;
    kill(child);
    for fault in [
        "read the checkpoint@main:error=1205",
        "look for leftovers@main:lost-after",
        "read the table's definition@main:lost-before:2",
        "look for triggers@main:error=1213",
        "list the binary logs@main:lost-after",
        "connect@worker:lost-before:2",
        "connect@scribe:lost-before",
        "read the table's catalogue@barrier:error=1205",
        "prepared@engine:kill-before",
        "followed@engine:kill-before",
    ] {
        let mut command = command(&server, "trouble", ALTER);
        command.env("TABLESHIFT_FAULTS", fault);
        let output = run(command).await;
        assert!(!output.status.success(), "{fault}");
        assert_eq!(
            tables(&mut conn).await,
            ["_t_ghc", "_t_ghk", "_t_gho", "t", "twin"],
            "{fault}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    change(&mut conn, &CHANGES).await;
    let output = run(command(&server, "trouble", ALTER)).await;
    assert_done(&output);
    assert_eq!(figure(&output, "going on from checkpoint", "rows="), copied);
    assert_same_as_twin(&mut conn).await;
}

/// Without checkpoints an end leaves nothing, and nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_can_be_left_out() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "without", rows()).await;
    twin(&mut conn).await;
    let hold = file("without");
    let child = command(&server, "without", ALTER)
        .arg("--checkpoint=false")
        .env(
            "TABLESHIFT_FAULTS",
            format!("copy chunk@worker:hold={}:20", hold.display()),
        )
        .spawn()
        .expect("the program");
    wait_until(PATIENCE, "the copy", async || hold.exists()).await;
    terminate(&child);
    std::fs::remove_file(&hold).expect("the held point");
    assert_code(&end(child).await, 4, &["stopped as asked"]);
    assert_eq!(tables(&mut conn).await, ["t", "twin"]);
    let mut command = command(&server, "without", ALTER);
    command.arg("--checkpoint=false");
    assert_done(&run(command).await);
    assert_eq!(tables(&mut conn).await, ["_t_del", "t", "twin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_run_may_leave_checkpoints_out() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "last", rows()).await;
    twin(&mut conn).await;
    let (child, copied) = held(&server, &mut conn, "last", (51, &[])).await;
    kill(child);
    let mut command = command(&server, "last", ALTER);
    command.arg("--checkpoint=false");
    let output = run(command).await;
    assert_done(&output);
    assert_eq!(figure(&output, "going on from checkpoint", "rows="), copied);
    assert_same_as_twin(&mut conn).await;
    assert_eq!(tables(&mut conn).await, ["_t_del", "t", "twin"]);
}

// --- under load ---------------------------------------------------------------------------------------

/// Rows of the table that is migrated under load.
const MANY: u32 = 120_000;
/// Rows of its largest transactions.
const LARGE: u32 = 100_000;
const KILLS: u32 = 8;

/// An application that writes to the table and its twin in the same transactions.
struct Application {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Application {
    async fn start(server: &Server, schema: &str) -> Self {
        let (stop, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU32::new(0)),
        );
        let conn = server.conn(Some(schema)).await;
        let task = tokio::spawn(write(conn, Arc::clone(&stop), Arc::clone(&done)));
        Self { stop, done, task }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("no statement fails");
        assert!(self.done.load(Ordering::SeqCst) > 10);
    }
}

async fn write(mut conn: Conn, stop: Arc<AtomicBool>, done: Arc<AtomicU32>) {
    while !stop.load(Ordering::SeqCst) {
        let round = done.fetch_add(1, Ordering::SeqCst) + 1;
        let row = 1 + round * 7_919 % MANY;
        let new = 1_000_000 + round;
        let changes = if round.is_multiple_of(40) {
            vec![format!("UPDATE @ SET v = v + 1 WHERE id <= {LARGE}")]
        } else {
            vec![
                format!("UPDATE @ SET v = v + 1 WHERE id = {row}"),
                format!("INSERT INTO @ (id, v) VALUES ({new}, {round})"),
                format!("DELETE FROM @ WHERE id = {} AND id % 3 = 0", new - 20),
                format!(
                    "UPDATE @ SET id = id + 1000000 WHERE id = {} AND id % 5 = 0",
                    new - 9
                ),
            ]
        };
        // One table after the other: LOCK TABLES makes a deadlock out of two in one transaction.
        for table in ["t", "twin"] {
            conn.query_drop("BEGIN").await.expect("a transaction");
            for change in &changes {
                let change = change.replace('@', table);
                conn.query_drop(change).await.expect("a change");
            }
            let end = if round.is_multiple_of(7) {
                "ROLLBACK"
            } else {
                "COMMIT"
            };
            conn.query_drop(end).await.expect("its end");
        }
    }
}

/// The number of the last checkpoint.
async fn number(conn: &mut Conn) -> u64 {
    let query = "SELECT number FROM _t_ghk WHERE id = 2";
    let number: Result<Option<u64>, _> = conn.query_first(query).await;
    number.ok().flatten().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_again_and_again_gets_there_under_load() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "often", MANY).await;
    twin(&mut conn).await;
    let application = Application::start(&server, "often").await;
    let mut chance = Chance::new();
    let mut last = 0;
    for _ in 0..KILLS {
        let child = command(&server, "often", ALTER)
            .args(["--chunk-size=500", "--nice-ratio=1"])
            .spawn()
            .expect("the program");
        // Each run writes one checkpoint at least, so that all of them together get somewhere.
        wait_until(PATIENCE, "a checkpoint of this run", async || {
            number(&mut conn).await > last
        })
        .await;
        tokio::time::sleep(Duration::from_millis(chance.below(300))).await;
        kill(child);
        last = number(&mut conn).await;
    }
    let output = run(command(&server, "often", ALTER)).await;
    application.end().await;
    assert_done(&output);
    assert_same_as_twin(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_is_gone_on_with() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "crashed", rows()).await;
    twin(&mut conn).await;
    let (child, copied) = held(&server, &mut conn, "crashed", (51, &[])).await;
    change(&mut conn, &["UPDATE @ SET v = -2 WHERE id IN (3, 4998)"]).await;
    drop(conn);
    server.kill_and_restart();
    std::fs::remove_file(file("crashed")).expect("the held point");
    assert_code(
        &end(child).await,
        8,
        &["it goes on from the last checkpoint"],
    );
    let mut conn = server.conn(Some("crashed")).await;
    change(&mut conn, &CHANGES).await;
    let output = run(command(&server, "crashed", ALTER)).await;
    assert_done(&output);
    assert_eq!(figure(&output, "going on from checkpoint", "rows="), copied);
    assert_same_as_twin(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_may_have_lost_the_end_of_its_log_is_not() {
    let server = Server::start(&["--sync-binlog=0"]);
    let mut conn = schema(&server, "unflushed", rows()).await;
    twin(&mut conn).await;
    // A restart within a second of the start isn't told from none.
    wait_until(PATIENCE, "the server is old enough", async || {
        let age: Option<(String, u64)> = conn
            .query_first("SHOW GLOBAL STATUS LIKE 'Uptime'")
            .await
            .expect("its age");
        age.expect("one").1 >= 3
    })
    .await;
    kill(held(&server, &mut conn, "unflushed", (51, &[])).await.0);
    drop(conn);
    server.kill_and_restart();
    let output = run(command(&server, "unflushed", ALTER)).await;
    assert_code(
        &output,
        3,
        &["was restarted since", "sync_binlog", "--no-resume"],
    );
    let mut conn = server.conn(Some("unflushed")).await;
    assert_same_as_twin(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_a_run_by_gtids_goes_on_at_the_new_primary() {
    let primary = Server::start(&[]);
    let replica = Server::start_replica_of(&primary);
    let mut conn = schema(&primary, "moved", rows()).await;
    twin(&mut conn).await;
    let (child, copied) = held(&primary, &mut conn, "moved", (51, &["--gtid"])).await;
    change(&mut conn, &["UPDATE @ SET v = -2 WHERE id IN (3, 4998)"]).await;
    kill(child);
    change(&mut conn, &CHANGES).await;
    let everything: Option<String> = conn
        .query_first("SELECT @@global.gtid_executed")
        .await
        .expect("a set");
    let mut promoted = replica.conn(None).await;
    let wait = format!(
        "SELECT WAIT_FOR_EXECUTED_GTID_SET('{}', 60)",
        everything.expect("one")
    );
    assert_eq!(
        promoted.query_first(wait).await.expect("an answer"),
        Some(0)
    );
    execute(
        &mut promoted,
        &[
            "STOP REPLICA",
            "RESET REPLICA ALL",
            "SET GLOBAL super_read_only = OFF",
            "SET GLOBAL read_only = OFF",
            "USE moved",
        ],
    )
    .await;
    change(
        &mut promoted,
        &[
            "UPDATE @ SET v = -3 WHERE id IN (5, 18000)",
            "DELETE FROM @ WHERE id = 77",
        ],
    )
    .await;
    // By file and byte nobody knows where that is here.
    assert_code(
        &run(command(&replica, "moved", ALTER)).await,
        3,
        &["--gtid"],
    );
    let mut again = command(&replica, "moved", ALTER);
    again.arg("--gtid");
    let output = run(again).await;
    assert_done(&output);
    assert_eq!(figure(&output, "going on from checkpoint", "rows="), copied);
    assert_same_as_twin(&mut promoted).await;
}

/// The position is one of the replica's log, which has the primary's checkpoint as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_follows_a_replica_goes_on_in_its_log() {
    let primary = Server::start(&[]);
    let replica = Server::start_replica_of(&primary);
    let mut conn = schema(&primary, "followed", rows()).await;
    twin(&mut conn).await;
    let mut there = replica.conn(None).await;
    wait_until(PATIENCE, "the replica has the rows", async || {
        let count: Result<Option<u64>, _> = there
            .query_first("SELECT COUNT(*) FROM followed.twin")
            .await;
        matches!(count, Ok(Some(ROWS)))
    })
    .await;
    let (child, copied) = held(&replica, &mut conn, "followed", (51, &[])).await;
    change(&mut conn, &["UPDATE @ SET v = -2 WHERE id IN (3, 4998)"]).await;
    kill(child);
    change(&mut conn, &CHANGES).await;
    // The primary's own log counts otherwise.
    let mut other = command(&primary, "followed", ALTER);
    other.arg("--allow-on-master");
    assert_code(
        &run(other).await,
        3,
        &["another server whose binary log is followed"],
    );
    let mut spoilt = command(&replica, "followed", ALTER);
    spoilt.env(
        "TABLESHIFT_FAULTS",
        "list the binary logs@topology:lost-after",
    );
    assert_code(&run(spoilt).await, 5, &["list the binary logs"]);
    let output = run(command(&replica, "followed", ALTER)).await;
    assert_done(&output);
    assert_eq!(figure(&output, "going on from checkpoint", "rows="), copied);
    assert_same_as_twin(&mut conn).await;
}

/// The id under which the table's rows stand in the last binary log.
async fn table_id(conn: &mut Conn, table: &str) -> Option<u64> {
    let files: Vec<(String, u64, String)> = conn.query("SHOW BINARY LOGS").await.expect("the logs");
    let last = &files.last().expect("one").0;
    let events: Vec<mysql_async::Row> = conn
        .query(format!("SHOW BINLOG EVENTS IN '{last}'"))
        .await
        .expect("its events");
    let maps = events.iter().filter_map(|row| row.get::<String, _>(5));
    let mut of_table = maps.filter(|info| info.ends_with(&format!("(ids.{table})")));
    let id = of_table.next_back()?;
    id.strip_prefix("table_id: ")?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

/// Table ids in the log begin anew with the server: what was somebody else's before the restart may be the
/// table's behind it.
#[tokio::test(flavor = "multi_thread")]
async fn table_ids_mean_something_else_behind_a_restart() {
    const DUMMIES: usize = 300;
    let server = Server::start(&[]);
    let mut conn = schema(&server, "ids", rows()).await;
    twin(&mut conn).await;
    execute(&mut conn, &["CREATE TABLE other (id INT PRIMARY KEY)"]).await;
    for number in 0..DUMMIES {
        execute(
            &mut conn,
            &[&format!("CREATE TABLE dummy{number} (id INT)")],
        )
        .await;
    }
    drop(conn);
    server.kill_and_restart();
    let mut conn = server.conn(Some("ids")).await;
    for number in 0..DUMMIES / 2 {
        execute(&mut conn, &[&format!("SELECT * FROM dummy{number}")]).await;
    }
    execute(&mut conn, &["INSERT INTO other VALUES (1)"]).await;
    let (child, _) = held(&server, &mut conn, "ids", (51, &[])).await;
    kill(child);
    // Its event stands behind the checkpoint.
    execute(&mut conn, &["INSERT INTO other VALUES (2)"]).await;
    let others = table_id(&mut conn, "other").await.expect("its id");
    drop(conn);
    server.kill_and_restart();
    let mut conn = server.conn(Some("ids")).await;
    let mut dummies = 0..DUMMIES;
    for number in dummies.by_ref() {
        let table = format!("dummy{number}");
        execute(&mut conn, &[&format!("INSERT INTO {table} VALUES (1)")]).await;
        let id = table_id(&mut conn, &table).await.expect("its id");
        assert!(id < others, "the table can't get the id any more");
        if id + 1 == others {
            break;
        }
    }
    execute(&mut conn, &["SELECT * FROM t LIMIT 1"]).await;
    // The helper tables get ids that nobody has had.
    for number in dummies {
        execute(&mut conn, &[&format!("SELECT * FROM dummy{number}")]).await;
    }
    let postpone = file("ids-postpone");
    let child = command(&server, "ids", ALTER)
        .arg("--postpone-cut-over-flag-file")
        .arg(&postpone)
        .spawn()
        .expect("the program");
    wait_until(PATIENCE, "the copy", async || {
        let count: Result<Option<u64>, _> = conn.query_first("SELECT COUNT(*) FROM _t_gho").await;
        matches!(count, Ok(Some(ROWS))) && postpone.exists()
    })
    .await;
    change(&mut conn, &CHANGES).await;
    assert_eq!(table_id(&mut conn, "t").await, Some(others));
    std::fs::remove_file(&postpone).expect("the flag file");
    assert_done(&end(child).await);
    assert_same_as_twin(&mut conn).await;
}

/// Expressions take these from the server: half a column by the one setting and half by the other would be
/// wrong, and no comparison would see it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_expressions_come_out_otherwise_is_refused() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "otherwise", rows()).await;
    twin(&mut conn).await;
    kill(held(&server, &mut conn, "otherwise", (51, &[])).await.0);
    for (set, back) in [
        ("time_zone = '+02:00'", "time_zone = 'SYSTEM'"),
        (
            "div_precision_increment = 12",
            "div_precision_increment = 4",
        ),
        ("lc_time_names = 'de_DE'", "lc_time_names = 'en_US'"),
    ] {
        execute(&mut conn, &[&format!("SET GLOBAL {set}")]).await;
        let output = run(command(&server, "otherwise", ALTER)).await;
        assert_code(&output, 3, &["other expressions or settings"]);
        execute(&mut conn, &[&format!("SET GLOBAL {back}")]).await;
    }
    assert_done(&run(command(&server, "otherwise", ALTER)).await);
    assert_same_as_twin(&mut conn).await;
}
