//! Who is in the cut-over's way: named, waited for, and ended when the operator allowed that; and the
//! times at which a cut-over may happen at all.

#[cfg(test)]
mod support;

use std::process::Output;
use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{
    ALTER, PATIENCE, Running, assert_code, assert_done, execute, schema, tables,
};
use support::server::{PASSWORD, Server, USER};
use support::wait_until;
use tableshift::plan::names::Names;

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

const FORCE: &str = "--force-cut-over-after=1";

/// Lines of the log that have these words.
fn lines(output: &Output, words: &str) -> Vec<String> {
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    log.lines()
        .filter(|line| line.contains(words))
        .map(str::to_owned)
        .collect()
}

/// A connection with a transaction that has read `t`.
async fn reader(name: &str) -> Conn {
    let mut conn = shared().conn(Some(name)).await;
    execute(&mut conn, &["START TRANSACTION", "SELECT * FROM t LIMIT 1"]).await;
    conn
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_transaction_is_ended_when_that_was_allowed_and_not_before() {
    let mut conn = schema(shared(), "idle_ended", 50).await;
    let mut idle = reader("idle_ended").await;
    let running = Running::start(shared(), "idle_ended", &[FORCE, "--kill-blockers=idle"]);
    running.copied(&mut conn, 50).await;
    running.release();
    let output = running.end();
    assert_done(&output);
    let id = idle.id();
    let killed = lines(&output, &format!("KILL of connection {id} ("));
    assert_eq!(killed.len(), 1, "{killed:?}");
    assert!(killed[0].contains("WARN") && killed[0].contains("s old: idle in a transaction"));
    assert!(killed[0].contains(USER), "{killed:?}");
    let named = lines(&output, &format!("cut-over waits: connection {id} "));
    assert_eq!(named.len(), 1, "told once: {named:?}");
    idle.query_drop("SELECT 1").await.expect_err("it is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_query_is_ended_as_a_query_and_its_values_stay_hidden() {
    let mut conn = schema(shared(), "query_ended", 50).await;
    let mut reader = shared().conn(Some("query_ended")).await;
    let id = reader.id();
    let query = tokio::spawn(async move {
        let outcome = reader
            .query_drop("SELECT SLEEP(600), 'secret' FROM t LIMIT 1")
            .await;
        (outcome, reader.query_first::<u8, _>("SELECT 7").await)
    });
    let running = Running::start(shared(), "query_ended", &[FORCE, "--kill-blockers=queries"]);
    running.copied(&mut conn, 50).await;
    running.release();
    let output = running.end();
    assert_done(&output);
    let killed = lines(&output, &format!("KILL QUERY of connection {id} ("));
    assert!(
        killed.len() == 1 && killed[0].ends_with("SELECT …"),
        "{killed:?}"
    );
    assert!(lines(&output, "secret").is_empty());
    let (_, alive) = query.await.expect("the reader");
    assert_eq!(alive.expect("its connection is alive"), Some(7));
}

/// Locks that were asked for by name, and a large transaction.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_must_not_be_ended_is_waited_for() {
    // A server of its own: looks are counted over all its sessions.
    let server = Server::start(&[]);
    for (name, policy, before, reason) in [
        (
            "spared_lock",
            "--kill-blockers=all",
            &[
                "DO GET_LOCK('spared', 0)",
                "START TRANSACTION",
                "SELECT * FROM t LIMIT 1",
            ][..],
            "locks by name",
        ),
        (
            "spared_large",
            "--kill-blockers=all",
            &[
                "START TRANSACTION",
                "SELECT * FROM t LIMIT 1",
                "UPDATE large SET v = v + 1",
            ],
            "its rollback would take longer",
        ),
        (
            "spared_handler",
            "--kill-blockers=all",
            &["HANDLER t OPEN"],
            "locks by name",
        ),
    ] {
        let mut conn = schema(&server, name, 12_000).await;
        execute(&mut conn, &["CREATE TABLE large AS SELECT * FROM t"]).await;
        let mut spared = server.conn(Some(name)).await;
        execute(&mut spared, before).await;
        let running = Running::start(&server, name, &[FORCE, policy]);
        running.copied(&mut conn, 12_000).await;
        let log = spared_in(running, (&server, reason), &mut spared).await;
        assert_done(&log);
        let told = lines(&log, &format!("connection {} ", spared.id()));
        assert!(told.iter().any(|line| line.contains(reason)), "{told:?}");
        assert!(lines(&log, "KILL").is_empty(), "{told:?}");
    }
}

/// Releases the run, waits until it has looked at the transaction's weight, and lets the session go.
async fn spared_in(
    running: Running,
    (server, reason): (&Server, &str),
    spared: &mut Conn,
) -> Output {
    running.release();
    let socket = format!("WEIGHED {reason}");
    let mut conn = server.conn(None).await;
    let looks = format!(
        "SELECT CAST(COALESCE(SUM(COUNT_STAR), 0) AS UNSIGNED) FROM \
         performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE \
         '%trx_rows_modified%INNODB_TRX%' AND DIGEST_TEXT NOT LIKE '%events_statements%' /* {socket} */"
    );
    let before: Option<u64> = conn.query_first(&looks).await.expect("statement counts");
    wait_until(
        PATIENCE,
        "the tool has weighed the transaction",
        async || {
            let now: Option<u64> = conn.query_first(&looks).await.expect("statement counts");
            now > before
        },
    )
    .await;
    execute(spared, &["SELECT 1"]).await;
    execute(spared, &["ROLLBACK", "DO RELEASE_ALL_LOCKS()"]).await;
    let _ = spared.query_drop("HANDLER t CLOSE").await;
    running.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_global_read_lock_is_named_and_waited_for() {
    // A server of its own: everybody waits for this lock.
    let server = Server::start(&[]);
    let mut conn = schema(&server, "read_locked", 20).await;
    let mut backup = server.conn(None).await;
    let hold = std::env::temp_dir().join(format!("tableshift-{}.looked", std::process::id()));
    let child = support::tableshift_command(&server, "read_locked", "t", ALTER)
        .args(["--execute", FORCE, "--kill-blockers=all"])
        .env(
            "TABLESHIFT_FAULTS",
            format!(
                "look for blockers@control:hold={0};look for readers@control:hold={0}",
                hold.display()
            ),
        )
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program");
    wait_until(PATIENCE, "the tool is about to look", async || {
        hold.exists()
    })
    .await;
    execute(&mut backup, &["FLUSH TABLES WITH READ LOCK"]).await;
    std::fs::remove_file(&hold).expect("the file");
    wait_until(PATIENCE, "the tool has looked", async || {
        let looks: Option<u64> = conn
            .query_first(
                "SELECT CAST(COALESCE(SUM(COUNT_STAR), 0) AS UNSIGNED) FROM \
                 performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE \
                 '%PROCESSLIST_ID%metadata_locks%events_transactions_current%'",
            )
            .await
            .expect("statement counts");
        looks >= Some(1)
    })
    .await;
    let pending: Option<u64> = conn
        .query_first(
            "SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE OBJECT_NAME = 't' AND \
             LOCK_STATUS = 'PENDING' AND LOCK_TYPE = 'SHARED_NO_READ_WRITE'",
        )
        .await
        .expect("locks");
    assert_eq!(pending, Some(0), "nobody queues behind us");
    execute(&mut backup, &["UNLOCK TABLES"]).await;
    wait_until(PATIENCE, "it is about to lock", async || hold.exists()).await;
    std::fs::remove_file(&hold).expect("the file");
    let output = child.wait_with_output().expect("its end");
    assert_done(&output);
    assert_eq!(lines(&output, "holds the global read lock").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_others_needs_privileges_that_other_runs_do_not() {
    let mut conn = schema(shared(), "unprivileged", 10).await;
    execute(
        &mut conn,
        &[
            "CREATE USER unprivileged@'%' IDENTIFIED BY 'unprivileged'",
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, LOCK TABLES, SELECT, UPDATE ON \
             unprivileged.* TO unprivileged@'%'",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO unprivileged@'%'",
            "GRANT SELECT ON performance_schema.* TO unprivileged@'%'",
        ],
    )
    .await;
    let mut command = support::tableshift_command(shared(), "unprivileged", "t", ALTER);
    command.args(["--user", "unprivileged", "--password", "unprivileged"]);
    assert_ne!(PASSWORD, "unprivileged");
    command.args([FORCE, "--kill-blockers=idle"]);
    let output = command.output().expect("the program");
    assert_code(&output, 3, &["GRANT PROCESS, CONNECTION_ADMIN ON *.*"]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

/// A window of an hour, so many hours from now.
async fn window(conn: &mut Conn, hours: i32) -> String {
    let query = format!(
        "SELECT CONCAT(DATE_FORMAT(UTC_TIMESTAMP() + INTERVAL {hours} HOUR, '%H:00-'), \
         DATE_FORMAT(UTC_TIMESTAMP() + INTERVAL {} HOUR, '%H:00'), ' UTC')",
        hours + 2
    );
    let text: Option<String> = conn.query_first(query).await.expect("a time");
    format!("--cut-over-window={}", text.expect("a time"))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cut_over_happens_outside_its_window_unless_commanded() {
    let mut conn = schema(shared(), "windowed", 50).await;
    let flag = window(&mut conn, 5).await;
    let socket = std::env::temp_dir().join(format!("tableshift-{}.window", std::process::id()));
    let path = socket.to_string_lossy().into_owned();
    let running = Running::start(shared(), "windowed", &[&flag, "--serve-socket-file", &path]);
    running.copied(&mut conn, 50).await;
    running.release();
    let ask = |line: &str| {
        let words = ["ctl", "--socket", &path, line];
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tableshift"))
            .args(words)
            .output();
        String::from_utf8_lossy(&output.expect("the program").stdout).into_owned()
    };
    wait_until(PATIENCE, "the window holds it", async || {
        let status = ask("status");
        status.contains("State: postponing cut-over") && status.contains(".postpone \n")
    })
    .await;
    assert_eq!(tables(&mut conn).await, ["_t_ghc", "_t_ghk", "_t_gho", "t"]);
    assert!(ask("cut-over").starts_with("Unpostponed"));
    let output = running.end();
    assert_done(&output);
    assert_eq!(lines(&output, "no cut-over before").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn within_its_window_a_cut_over_waits_for_nobody() {
    let mut conn = schema(shared(), "in_window", 50).await;
    let flag = window(&mut conn, 0).await;
    let running = Running::start(shared(), "in_window", &[&flag]);
    running.copied(&mut conn, 50).await;
    running.release();
    let output = running.end();
    assert_done(&output);
    assert!(lines(&output, "no cut-over before").is_empty());
}

/// The server's own threads hold a table for a moment: the one that removes old versions of rows, above all.
#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_threads_are_no_blockers() {
    let schema = "own_threads";
    let mut conn = shared().conn(None).await;
    execute(
        &mut conn,
        &[
            "CREATE DATABASE own_threads",
            "CREATE TABLE own_threads.t (id INT PRIMARY KEY, k INT NOT NULL, KEY (k))",
            "SET SESSION cte_max_recursion_depth = 100000",
            "INSERT INTO own_threads.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
             WHERE i < 100000) SELECT i, i FROM n",
        ],
    )
    .await;
    // Many old versions, which may be removed all at once.
    let mut snapshot = shared().conn(None).await;
    execute(
        &mut snapshot,
        &["START TRANSACTION WITH CONSISTENT SNAPSHOT"],
    )
    .await;
    for _ in 0..3 {
        execute(&mut conn, &["UPDATE own_threads.t SET k = k + 100000"]).await;
    }
    execute(&mut snapshot, &["COMMIT"]).await;
    let statement = tableshift::sql::cutover::blockers(&Names::new(schema, "t", None, None), &[]);
    let seen = std::cell::Cell::new(0);
    let conn = tokio::sync::Mutex::new(conn);
    wait_until(PATIENCE, "the server holds the table", async || {
        let mut conn = conn.lock().await;
        let held: Option<u64> = conn
            .query_first(
                "SELECT COUNT(*) FROM performance_schema.metadata_locks AS m JOIN \
                 performance_schema.threads AS t ON t.THREAD_ID = m.OWNER_THREAD_ID WHERE \
                 m.OBJECT_SCHEMA = 'own_threads' AND m.OBJECT_NAME = 't' AND t.PROCESSLIST_ID IS NULL",
            )
            .await
            .expect("the locks");
        let found: Vec<mysql_async::Row> = conn.query(&statement.text).await.expect("the blockers");
        assert!(found.is_empty(), "nobody else uses the table: {found:?}");
        seen.set(seen.get() + held.unwrap_or_default());
        seen.get() >= 5
    })
    .await;
}
