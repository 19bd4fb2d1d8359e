//! Runs that are killed, and what the next one makes of what they leave: tables, connections whose
//! client is gone, and an advisory lock that somebody else has by now.

#![cfg(test)]

#[cfg(test)]
mod support;

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use support::chance::Chance;
use support::running::tables;
use support::server::Server;
use support::{tableshift_command, wait_until};
use tableshift::mysql::session::mark_of_table;
use tableshift::plan::names::Names;
use tokio::sync::Mutex;

/// Far more than any step here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const ALTER: &str = "ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT ''";
const KILLS: u32 = 20;
/// A run without a kill takes about half of it.
const KILL_WITHIN_MS: u64 = 500;

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// A schema with a table `t` of 2000 rows, and its twin.
async fn schema(server: &Server, name: &str) -> Conn {
    let mut conn = server.conn(None).await;
    for statement in [
        format!("CREATE DATABASE {name}"),
        format!("USE {name}"),
        "SET SESSION cte_max_recursion_depth = 10000".into(),
        "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, u INT NOT NULL, v INT NOT NULL, UNIQUE \
         KEY u (u))"
            .into(),
        "CREATE TABLE twin LIKE t".into(),
        "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \
         2000) SELECT i, i, i FROM n"
            .into(),
        "INSERT INTO twin SELECT * FROM t".into(),
    ] {
        conn.query_drop(statement).await.expect("a fresh schema");
    }
    conn
}

fn command(server: &Server, schema: &str, alter: &str, flags: &[&str]) -> Command {
    let mut command = tableshift_command(server, schema, "t", alter);
    command
        .arg("--execute")
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

const DROP_FIRST: [&str; 2] = ["--initially-drop-ghost-table", "--initially-drop-old-table"];

/// Waits for a run's end in another thread, so that the test's tasks go on.
async fn end(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().expect("the program's end"))
        .await
        .expect("a thread")
}

async fn migrate(server: &Server, schema: &str, alter: &str, flags: &[&str]) -> Output {
    end(command(server, schema, alter, flags)
        .spawn()
        .expect("the program"))
    .await
}

fn assert_code(output: &Output, code: i32, fragments: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for fragment in fragments {
        assert!(text.contains(fragment), "no {fragment:?} in:\n{text}");
    }
}

async fn rows(conn: &mut Conn, table: &str) -> Vec<(i32, i32, i32)> {
    conn.query(format!("SELECT id, u, v FROM {table} ORDER BY id"))
        .await
        .expect("the table's rows")
}

async fn assert_exact(conn: &mut Conn, when: &str) {
    let (ours, truth) = (rows(conn, "t").await, rows(conn, "twin").await);
    let wrong: Vec<_> = ours.iter().filter(|row| !truth.contains(row)).collect();
    assert_eq!(ours.len(), truth.len(), "{when}");
    assert!(wrong.is_empty(), "{when}: {wrong:?}");
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tableshift-{}-{name}", std::process::id()))
}

/// Changes both tables alike, one transaction after the other; who has the lock has a quiet table.
async fn write_for_ever(mut conn: Conn, quiet: Arc<Mutex<()>>, mut chance: Chance) {
    loop {
        let turn = quiet.lock().await;
        let id = chance.below(2_000) + 1;
        let change = match chance.below(4) {
            0 => format!("DELETE FROM @ WHERE id = {id}"),
            1 => format!("INSERT IGNORE INTO @ (id, u, v) VALUES ({id}, {id}, 0)"),
            2 => format!("UPDATE IGNORE @ SET id = id + 10000, u = u + 10000 WHERE id = {id}"),
            _ => format!("UPDATE @ SET v = v + 1 WHERE id BETWEEN {id} AND {id} + 5"),
        };
        conn.query_drop("START TRANSACTION").await.expect("a write");
        for table in ["t", "twin"] {
            conn.query_drop(change.replace('@', table))
                .await
                .expect("a write");
        }
        conn.query_drop("COMMIT").await.expect("a write");
        drop(turn);
        // Lets the other side have its turn.
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_under_a_writer_harm_nothing() {
    let server = shared();
    let mut conn = schema(server, "random").await;
    let mut chance = Chance::new();
    let quiet = Arc::new(Mutex::new(()));
    let writer = tokio::spawn(write_for_ever(
        server.conn(Some("random")).await,
        Arc::clone(&quiet),
        chance.another(),
    ));
    let mut leftovers = 0;
    for round in 1..=KILLS {
        let wait = Duration::from_millis(chance.below(KILL_WITHIN_MS));
        let mut child = command(server, "random", &next_alter(&mut conn).await, &DROP_FIRST)
            .spawn()
            .expect("the program");
        tokio::time::sleep(wait).await;
        child.kill().expect("a kill");
        let output = end(child).await;
        let turn = quiet.lock().await;
        let when = format!(
            "kill {round} after {wait:?}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_exact(&mut conn, &when).await;
        leftovers += u32::from(tables(&mut conn).await.iter().any(|name| name == "_t_gho"));
        drop(turn);
    }
    assert!(leftovers > 0, "no kill hit a run that was under way");
    let alter = next_alter(&mut conn).await;
    let output = migrate(server, "random", &alter, &DROP_FIRST).await;
    let turn = quiet.lock().await;
    assert_code(&output, 0, &[]);
    assert_exact(&mut conn, "in the end").await;
    drop(turn);
    assert!(!writer.is_finished(), "the writer met an error");
    writer.abort();
}

/// A run may have swapped the tables before it was killed; then the next one changes them back.
async fn next_alter(conn: &mut Conn) -> String {
    let row: Option<(String, String)> = conn
        .query_first("SHOW CREATE TABLE t")
        .await
        .expect("the definition");
    if row.expect("one row").1.contains("`note`") {
        "DROP COLUMN note".into()
    } else {
        ALTER.into()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_a_killed_run_is_ended_before_the_next_one_begins() {
    let server = shared();
    let mut conn = schema(server, "stray").await;
    for statement in [
        "CREATE TABLE _t_gho LIKE t",
        "INSERT INTO _t_gho SELECT * FROM t",
    ] {
        conn.query_drop(statement).await.expect("a leftover");
    }
    let lock = Names::new("stray", "t", None, None).advisory_lock();
    let opts = OptsBuilder::from_opts(server.opts(Some("stray")))
        .connect_attribute("tableshift_run", mark_of_table(&lock) + "dead");
    let mut dead = Conn::new(opts).await.expect("a connection");
    let id = dead.id();
    let stray = tokio::spawn(async move {
        dead.query_drop("DELETE FROM _t_gho WHERE SLEEP(600) = 0 OR id = 1")
            .await
    });
    wait_until(PATIENCE, "the statement runs", async || {
        let state: Option<u64> = conn
            .query_first(format!(
                "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_ID = {id} AND \
                 PROCESSLIST_STATE = 'User sleep'"
            ))
            .await
            .expect("its state");
        state == Some(1)
    })
    .await;
    let output = migrate(server, "stray", ALTER, &DROP_FIRST).await;
    assert_code(
        &output,
        0,
        &[&format!("ended connection {id} of an earlier run")],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    let times = said.matches(&format!("ended connection {id} ")).count();
    assert_eq!(times, 1, "{said}");
    assert_exact(&mut conn, "after the run").await;
    let ended = stray.await.expect("the statement's task");
    assert!(ended.is_err(), "it went on to its end");
}

/// A run that is held before its cut-over; the path is the file that holds it.
async fn postponed(
    server: &Server,
    schema: &str,
    name: &str,
    faults: Option<&str>,
) -> (Child, PathBuf) {
    let hold = file(name);
    let path = hold.to_string_lossy().into_owned();
    // Two of them run at a time, so each has its own socket.
    let socket = format!("--serve-socket-file={path}.sock");
    let flags = [
        DROP_FIRST[0],
        &socket,
        "--postpone-cut-over-flag-file",
        &path,
    ];
    let mut tool = command(server, schema, ALTER, &flags);
    if let Some(faults) = faults {
        tool.env("TABLESHIFT_FAULTS", faults);
    }
    let mut child = tool.spawn().expect("the program");
    let mut ended = None;
    wait_until(PATIENCE, "the run is under way", async || {
        ended = child.try_wait().expect("its state");
        ended.is_some() || hold.exists()
    })
    .await;
    if ended.is_some() {
        let output = end(child).await;
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    }
    (child, hold)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_advisory_lock_leaves_the_next_run_s_tables_alone() {
    let server = shared();
    let mut conn = schema(server, "two").await;
    // While it cleans up it would like the lock back; the second run is to have it by then.
    let waits = file("two.waits");
    let order = format!("take the advisory lock:hold={}:2", waits.display());
    let (first, first_hold) = postponed(server, "two", "two.first", Some(&order)).await;
    conn.query_drop("SET @holder = IS_USED_LOCK('gh-ost::two.t')")
        .await
        .expect("the holder");
    let holder: Option<u64> = conn.query_first("SELECT @holder").await.expect("its id");
    conn.query_drop(format!("KILL {}", holder.expect("a holder")))
        .await
        .expect("a kill");
    let (second, second_hold) = postponed(server, "two", "two.second", None).await;
    wait_until(PATIENCE, "the first is cleaning up", async || {
        waits.exists()
    })
    .await;
    std::fs::remove_file(&waits).expect("the hold");
    for table in ["t", "twin"] {
        conn.query_drop(format!("UPDATE {table} SET v = -v WHERE id % 3 = 0"))
            .await
            .expect("a write");
    }
    let output = end(first).await;
    assert_code(&output, 5, &["is in place, untouched", "left over"]);
    let _ = std::fs::remove_file(first_hold);
    assert_eq!(
        tables(&mut conn).await,
        ["_t_ghc", "_t_ghk", "_t_gho", "t", "twin"]
    );
    std::fs::remove_file(second_hold).expect("the flag file");
    assert_code(&end(second).await, 0, &[]);
    assert_exact(&mut conn, "after the second run").await;
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t", "twin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_are_refused_by_name_and_go_when_that_is_allowed() {
    let server = shared();
    let mut conn = schema(server, "remains").await;
    let (mut child, hold) = postponed(server, "remains", "remains.first", None).await;
    child.kill().expect("a kill");
    end(child).await;
    std::fs::remove_file(hold).expect("the flag file");
    assert_eq!(
        tables(&mut conn).await,
        ["_t_ghc", "_t_ghk", "_t_gho", "t", "twin"]
    );
    // The checkpoint table tells whose the ghost is; without it nobody knows.
    conn.query_drop("DROP TABLE _t_ghk").await.expect("a drop");
    let output = migrate(server, "remains", ALTER, &[]).await;
    assert_code(
        &output,
        3,
        &[
            "`remains`.`_t_gho` already exists",
            "--initially-drop-ghost-table",
        ],
    );
    assert_eq!(tables(&mut conn).await, ["_t_ghc", "_t_gho", "t", "twin"]);
    assert_code(
        &migrate(server, "remains", ALTER, &DROP_FIRST[..1]).await,
        0,
        &[],
    );
    let output = migrate(server, "remains", "ADD COLUMN again INT", &[]).await;
    assert_code(
        &output,
        3,
        &[
            "`remains`.`_t_del` already exists",
            "--initially-drop-old-table",
        ],
    );
    let output = migrate(server, "remains", "ADD COLUMN again INT", &DROP_FIRST[1..]).await;
    assert_code(&output, 0, &[]);
    assert_exact(&mut conn, "in the end").await;
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t", "twin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_before_its_first_checkpoint_is_begun_anew() {
    let server = shared();
    let mut conn = schema(server, "early").await;
    let (mut child, hold) = postponed(server, "early", "early.first", None).await;
    child.kill().expect("a kill");
    end(child).await;
    std::fs::remove_file(hold).expect("the flag file");
    let output = migrate(server, "early", ALTER, &[]).await;
    assert_code(&output, 0, &["copy complete rows=2000"]);
    assert_exact(&mut conn, "in the end").await;
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t", "twin"]);
}
