//! How runs end and what they leave: clean stops, refusals, pauses, blockers, lost connections and
//! commits that are logged long before they are visible. In every case the original is as it was, or
//! the new table is exactly right.

#[cfg(test)]
mod support;

use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{
    ALTER, PATIENCE, Running, assert_code, assert_done, content, schema, tables,
};
use support::server::Server;
use support::{tableshift_command, wait_until};

/// One server for all tests but those that change its global settings.
fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_run_leaves_the_original_and_nothing_else() {
    let mut conn = schema(shared(), "ended", 3_000).await;
    let before = content(&mut conn, "id, v").await;
    let running = Running::start(shared(), "ended", &[]);
    running.copied(&mut conn, 3_000).await;
    running.terminate();
    assert_code(
        &running.end(),
        4,
        &["  data:  `ended`.`t` is in place", "  next:  "],
    );
    assert_eq!(tables(&mut conn).await, ["t"]);
    assert_eq!(content(&mut conn, "id, v").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panic_file_ends_a_run() {
    let mut conn = schema(shared(), "panicked", 100).await;
    let panic = std::env::temp_dir().join(format!("tableshift-{}.panic", std::process::id()));
    let flag = panic.to_string_lossy().into_owned();
    let running = Running::start(shared(), "panicked", &["--panic-flag-file", &flag]);
    running.copied(&mut conn, 100).await;
    std::fs::write(&panic, "").expect("the panic file");
    assert_code(&running.end(), 4, &["panic flag file"]);
    std::fs::remove_file(&panic).expect("the panic file");
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_on_the_same_table_is_refused() {
    let mut conn = schema(shared(), "twice", 100).await;
    let running = Running::start(shared(), "twice", &[]);
    running.copied(&mut conn, 100).await;
    let second = tableshift_command(shared(), "twice", "t", ALTER)
        .args(["--execute", "--initially-drop-ghost-table"])
        .output()
        .expect("the program");
    assert_code(&second, 3, &["another migration", "advisory lock"]);
    running.release();
    assert_done(&running.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_nothing() {
    let mut conn = schema(shared(), "dry", 100).await;
    let output = tableshift_command(shared(), "dry", "t", ALTER)
        .output()
        .expect("the program");
    assert_done(&output);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("`note` varchar(100)"), "{shown}");
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_refusals_come_at_once_and_before_the_first_write() {
    let mut conn = schema(shared(), "refused", 10).await;
    for statement in [
        "CREATE TABLE child (id INT PRIMARY KEY, t INT, CONSTRAINT to_t FOREIGN KEY (t) REFERENCES t (id))",
        "CREATE TRIGGER watch BEFORE INSERT ON t FOR EACH ROW SET NEW.v = NEW.v",
        "CREATE TABLE _t_gho (id INT PRIMARY KEY)",
    ] {
        conn.query_drop(statement).await.expect("an obstacle");
    }
    let output = tableshift_command(shared(), "refused", "t", "RENAME TO u, ADD c INT")
        .arg("--execute")
        .output()
        .expect("the program");
    assert_code(
        &output,
        3,
        &[
            "to_t",
            "watch",
            "_t_gho",
            "--initially-drop-ghost-table",
            "`u`",
            "nothing has been written",
        ],
    );
    assert_eq!(tables(&mut conn).await, ["_t_gho", "child", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_privileges_suffice_and_missing_ones_are_named() {
    let mut conn = schema(shared(), "limited", 50).await;
    for statement in [
        "CREATE USER limited@'%' IDENTIFIED BY 'limited'",
        "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, SELECT, TRIGGER, UPDATE ON limited.* TO limited@'%'",
        "GRANT REPLICATION SLAVE ON *.* TO limited@'%'",
    ] {
        conn.query_drop(statement).await.expect("an account");
    }
    let run = || {
        std::process::Command::new(env!("CARGO_BIN_EXE_tableshift"))
            .args([
                "--host",
                &shared().host,
                "--port",
                &shared().port.to_string(),
            ])
            .args(["--user", "limited", "--password", "limited", "--execute"])
            .args(["--alter", &format!("ALTER TABLE limited.t {ALTER}")])
            .arg("--no-shortcuts")
            .output()
            .expect("the program")
    };
    let output = run();
    assert_code(
        &output,
        3,
        &[
            "GRANT LOCK TABLES ON `limited`.* TO 'limited'@'%';",
            "GRANT REPLICATION CLIENT ON *.* TO 'limited'@'%';",
            "GRANT SELECT ON performance_schema.* TO 'limited'@'%';",
        ],
    );
    for statement in [
        "GRANT LOCK TABLES ON limited.* TO limited@'%'",
        "GRANT REPLICATION CLIENT ON *.* TO limited@'%'",
        "GRANT SELECT ON performance_schema.* TO limited@'%'",
    ] {
        conn.query_drop(statement).await.expect("a grant");
    }
    assert_done(&run());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_copied_while_the_throttle_file_is_there() {
    let mut conn = schema(shared(), "throttled", 2_000).await;
    let file = std::env::temp_dir().join(format!("tableshift-{}.throttle", std::process::id()));
    std::fs::write(&file, "").expect("the throttle file");
    let flag = file.to_string_lossy().into_owned();
    let running = Running::start(shared(), "throttled", &["--throttle-flag-file", &flag]);
    // A heartbeat shows that the run is under way: the changelog is written while it is throttled.
    wait_until(PATIENCE, "the run is under way", async || {
        let beats: Result<Option<u64>, _> = conn
            .query_first("SELECT COUNT(*) FROM _t_ghc WHERE hint = 'heartbeat'")
            .await;
        matches!(beats, Ok(Some(1)))
    })
    .await;
    conn.query_drop("UPDATE t SET v = v + 1 WHERE id <= 100")
        .await
        .expect("a change");
    let copied: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM _t_gho")
        .await
        .expect("the ghost");
    assert_eq!(copied, Some(0));
    std::fs::remove_file(&file).expect("the throttle file");
    running.copied(&mut conn, 2_000).await;
    running.release();
    assert_done(&running.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_table_goes_only_when_that_is_allowed() {
    let mut conn = schema(shared(), "dropped", 100).await;
    let running = Running::start(shared(), "dropped", &["--ok-to-drop-table"]);
    running.copied(&mut conn, 100).await;
    running.release();
    assert_done(&running.end());
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_in_the_way_is_named_and_waited_for() {
    // A server of its own: the looks for blockers are counted below.
    let server = Server::start(&[]);
    let mut conn = schema(&server, "blocked", 100).await;
    let mut reader = server.conn(Some("blocked")).await;
    let running = Running::start(&server, "blocked", &[]);
    running.copied(&mut conn, 100).await;
    reader
        .query_drop("START TRANSACTION")
        .await
        .expect("a transaction");
    reader
        .query_drop("SELECT * FROM t LIMIT 1")
        .await
        .expect("a read");
    // Long enough ago to be worth naming.
    wait_until(
        PATIENCE,
        "the transaction is some seconds old",
        async || {
            let age: Option<u64> = conn
                .query_first(
                    "SELECT MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())) FROM \
                 information_schema.INNODB_TRX",
                )
                .await
                .expect("its age");
            age >= Some(3)
        },
    )
    .await;
    running.release();
    // The tool looks for blockers before it asks for the lock, so no LOCK is ever pending here.
    wait_until(PATIENCE, "the tool has seen the reader", async || {
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
    conn.query_drop("UPDATE t SET v = -1 WHERE id = 1")
        .await
        .expect("writers go on meanwhile");
    reader
        .query_drop("COMMIT")
        .await
        .expect("the end of the reader");
    let output = running.end();
    assert_done(&output);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        log.contains(&format!("cut-over waits: connection {}", reader.id())),
        "{log}"
    );
    assert_eq!(content(&mut conn, "id, v").await[0], (1, -1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_never_takes_the_original_s_name() {
    let mut conn = schema(shared(), "named", 20).await;
    conn.query_drop("RENAME TABLE t TO _x_ghc")
        .await
        .expect("a name");
    let output = tableshift_command(shared(), "named", "_x_ghc", ALTER)
        .args(["--force-table-names", "x", "--execute"])
        .output()
        .expect("the program");
    assert_code(&output, 3, &["the name of two tables"]);
    conn.query_drop("RENAME TABLE _x_ghc TO t")
        .await
        .expect("it is still there");
    conn.query_drop("CREATE TABLE _t_ghc (id INT PRIMARY KEY)")
        .await
        .expect("a foreign table");
    let output = tableshift_command(shared(), "named", "t", ALTER)
        .arg("--execute")
        .output()
        .expect("it");
    assert_code(&output, 3, &["is not one of ours"]);
    assert_eq!(tables(&mut conn).await, ["_t_ghc", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_taken_meanwhile_ends_the_run() {
    let mut conn = schema(shared(), "taken", 20).await;
    let running = Running::start(shared(), "taken", &[]);
    running.copied(&mut conn, 20).await;
    conn.query_drop("CREATE TABLE _t_del (id INT PRIMARY KEY)")
        .await
        .expect("the old table's name");
    running.release();
    assert_code(&running.end(), 5, &["_t_del", "(1050)"]);
    assert_eq!(tables(&mut conn).await, ["_t_del", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_named_and_waited_for() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "backup", 20).await;
    let mut backup = server.conn(None).await;
    let running = Running::start(&server, "backup", &[]);
    running.copied(&mut conn, 20).await;
    backup
        .query_drop("LOCK INSTANCE FOR BACKUP")
        .await
        .expect("the backup lock");
    running.release();
    wait_until(PATIENCE, "the tool has looked for blockers", async || {
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
    conn.query_drop("UPDATE t SET v = 0 WHERE id = 1")
        .await
        .expect("writers go on meanwhile");
    backup
        .query_drop("UNLOCK INSTANCE")
        .await
        .expect("the end of the backup");
    let output = running.end();
    assert_done(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds the backup lock"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_s_settings_and_time_zone_change_nothing() {
    let server = Server::start(&["--default-time-zone=+05:30"]);
    let mut conn = schema(&server, "settings", 1).await;
    for statement in [
        "CREATE TABLE z (id INT PRIMARY KEY, a INT, b INT, c INT, ts TIMESTAMP NULL, d DATE AS \
         (DATE(ts)) STORED, KEY ((DATE(ts))))",
        "INSERT INTO z (id, a, b, c, ts) VALUES (1, 2, 3, 4, '2024-01-01 02:00:00')",
        "CREATE TABLE twin LIKE z",
        "INSERT INTO twin (id, a, b, c, ts) SELECT id, a, b, c, ts FROM z",
        "SET GLOBAL sql_select_limit = 3",
        "SET GLOBAL autocommit = 0",
        "SET GLOBAL completion_type = 'CHAIN'",
        "SET GLOBAL sql_safe_updates = 1",
    ] {
        conn.query_drop(statement).await.expect("a setting");
    }
    let alter = "ADD COLUMN g DATETIME AS (ts) STORED, ADD COLUMN n DATETIME DEFAULT \
                 '2024-01-01 02:00:00', ADD COLUMN m TIMESTAMP NOT NULL DEFAULT '2020-01-01 00:00:00', \
                 MODIFY a BIGINT";
    let output = tableshift_command(&server, "settings", "z", alter)
        .arg("--execute")
        .output()
        .expect("it");
    assert_done(&output);
    for statement in ["SET SESSION sql_select_limit = DEFAULT, autocommit = 1, completion_type = 0"]
    {
        conn.query_drop(statement).await.expect("a setting");
    }
    conn.query_drop(format!("ALTER TABLE twin {alter}"))
        .await
        .expect("a plain ALTER");
    let row = "SELECT CONCAT_WS('|', id, a, b, c, ts, d, g, n, m) FROM";
    let ours: Vec<String> = conn
        .query(format!("{row} z WHERE DATE(ts) = d"))
        .await
        .expect("a row");
    let plain: Vec<String> = conn.query(format!("{row} twin")).await.expect("a row");
    assert_eq!(ours, plain);
    let mut definition = async |table: &str| {
        let row: Option<(String, String)> = conn
            .query_first(format!("SHOW CREATE TABLE {table}"))
            .await
            .expect("a definition");
        row.expect("one row").1.replace("`twin`", "`z`")
    };
    assert_eq!(definition("z").await, definition("twin").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_snapshot_gets_an_error_and_never_an_empty_table() {
    let mut conn = schema(shared(), "snapshot", 300).await;
    let running = Running::start(shared(), "snapshot", &[]);
    wait_until(PATIENCE, "the ghost is there", async || {
        tables(&mut conn)
            .await
            .iter()
            .any(|table| table == "_t_gho")
    })
    .await;
    // A consistent backup that begins now and comes to this table after the swap.
    let mut backup = shared().conn(Some("snapshot")).await;
    for statement in [
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    ] {
        backup.query_drop(statement).await.expect("a snapshot");
    }
    running.copied(&mut conn, 300).await;
    running.release();
    assert_done(&running.end());
    let read: Result<Vec<i32>, _> = backup.query("SELECT id FROM t").await;
    match read {
        Err(mysql_async::Error::Server(error)) => assert_eq!(error.code, 1412, "{error}"),
        other => panic!("{other:?}"),
    }
    let definition: Option<(String, String)> = conn
        .query_first("SHOW CREATE TABLE t")
        .await
        .expect("the definition");
    assert!(!definition.expect("one row").1.contains("snapshot_guard"));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_connections_lose_nothing() {
    // A server of its own: the kills below take every connection of the tool they find.
    let server = Server::start(&[]);
    let mut conn = schema(&server, "killed", 5_000).await;
    let running = Running::start(&server, "killed", &["--chunk-size=100"]);
    // The flag file is made once every connection is open; before that, a kill ends the run.
    wait_until(PATIENCE, "the run is under way", async || {
        running.hold.exists()
    })
    .await;
    for round in 1..=8 {
        // Everything but the holder of the advisory lock, whose loss ends a run on purpose.
        let ids: Vec<u64> = conn
            .query(
                "SELECT DISTINCT PROCESSLIST_ID FROM performance_schema.session_connect_attrs WHERE \
                 ATTR_NAME = 'tableshift_run' AND PROCESSLIST_ID <> \
                 COALESCE(IS_USED_LOCK('gh-ost::killed.t'), 0)",
            )
            .await
            .expect("the tool's connections");
        for id in ids {
            // It may have ended meanwhile.
            let _ = conn.query_drop(format!("KILL {id}")).await;
        }
        for statement in [
            format!("UPDATE t SET v = v + {round} WHERE id % 8 = {}", round % 8),
            format!("DELETE FROM t WHERE id % 100 = {round}"),
            format!("INSERT INTO t VALUES ({}, {round})", 10_000 + round),
            format!(
                "UPDATE t SET id = id + 20000 WHERE id % 200 = {}",
                100 + round
            ),
        ] {
            conn.query_drop(statement).await.expect("a write");
        }
    }
    let before = content(&mut conn, "id, v").await;
    running.release();
    let output = running.end();
    assert_done(&output);
    assert_eq!(content(&mut conn, "id, v").await, before);
    let gained: Vec<String> = conn
        .query("SELECT DISTINCT note FROM t")
        .await
        .expect("the new column");
    assert_eq!(gained, [""]);
}

/// With semi-synchronous replication and no replica, a commit is logged, and delivered to whoever
/// reads the log, seconds before it is visible.
async fn stall_commits(conn: &mut Conn) {
    for statement in [
        "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
        "SET GLOBAL rpl_semi_sync_source_timeout = 1500",
        "SET GLOBAL rpl_semi_sync_source_enabled = ON",
    ] {
        conn.query_drop(statement).await.expect("a setting");
    }
}

async fn semi_sync_server() -> Server {
    let server = Server::start(&[]);
    let mut conn = server.conn(None).await;
    conn.query_drop("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'")
        .await
        .expect("the plugin");
    server
}

/// Waits until a commit waits for the acknowledgement that will never come.
async fn someone_waits(conn: &mut Conn) {
    wait_until(PATIENCE, "a commit is logged and waits", async || {
        let waiting: Option<u64> = conn
            .query_first(
                "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_STATE LIKE \
                 'Waiting for semi-sync ACK%'",
            )
            .await
            .expect("sessions");
        waiting >= Some(1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_delivered_before_they_are_visible_are_not_lost() {
    let server = semi_sync_server().await;
    let mut conn = schema(&server, "stalled", 500).await;
    let running = Running::start(&server, "stalled", &["--chunk-size=100"]);
    running.copied(&mut conn, 500).await;
    for statement in [
        "INSERT INTO t VALUES (9001, 1)",
        "UPDATE t SET v = -5 WHERE id = 5",
        "DELETE FROM t WHERE id = 6",
        "UPDATE t SET id = 9007 WHERE id = 7",
    ] {
        stall_commits(&mut conn).await;
        conn.query_drop(statement)
            .await
            .expect("a write whose commit is stalled");
    }
    let before = content(&mut conn, "id, v").await;
    running.release();
    assert_done(&running.end());
    assert_eq!(content(&mut conn, "id, v").await, before);
}

/// How often the start barrier has looked at the locks.
async fn looks(conn: &mut Conn) -> u64 {
    conn.query_first(
        "SELECT CAST(COALESCE(SUM(COUNT_STAR), 0) AS UNSIGNED) FROM \
         performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE \
         '%metadata_locks%LOCK_TYPE%NOT IN%'",
    )
    .await
    .expect("statement counts")
    .expect("one row")
}

/// A session such as the tool's.
async fn session(server: &Server) -> tableshift::mysql::session::Session {
    use tableshift::mysql::session::{Account, Address, Session, Setup};

    let account = Account::fixed(support::server::USER, support::server::PASSWORD);
    let address = Address::new(&server.host, server.port, account, "tableshift-test".into());
    let setup = Setup {
        role: "test",
        sql_mode: String::new(),
        zone: tableshift::plan::Zone::Server,
        lock_wait_seconds: 5,
        idle_seconds: 60,
        pinned: String::new(),
        server_zone: String::new(),
    };
    Session::open(&address, setup).await.expect("a session")
}

/// A server that was restarted counts its connections anew, and the new one may get the earlier one's id.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_with_its_earlier_id_does_not_end_itself() {
    let server = Server::start(&[]);
    // Far enough from those that starting the server takes.
    while server.conn(None).await.id() < 60 {}
    let mut session = session(&server).await;
    let id = session.id();
    server.kill_and_restart();
    while server.conn(None).await.id() + 1 < id {}
    session.reopen().await.expect("a connection");
    assert_eq!(session.id(), id);
    session.say("look", "DO 1").await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_barrier_outlasts_a_commit_that_is_logged_but_not_visible() {
    use tableshift::engine::{barrier, clock::Clock};
    use tableshift::plan::names::Names;
    use tableshift::report::{Level, Reporter};

    let server = semi_sync_server().await;
    let mut conn = schema(&server, "barrier", 10).await;
    stall_commits(&mut conn).await;
    let mut writer = server.conn(Some("barrier")).await;
    let write = tokio::spawn(async move {
        writer
            .query_drop("INSERT INTO t VALUES (100, 1)")
            .await
            .expect("a stalled write");
    });
    someone_waits(&mut conn).await;
    let visible = "SELECT COUNT(*) FROM t WHERE id = 100";
    let before: Option<u64> = conn.query_first(visible).await.expect("a count");
    assert_eq!(before, Some(0), "logged, but not visible");

    let mut session = session(&server).await;
    let (reporter, _thread) = Reporter::start(Level::Error).expect("a reporter");
    let names = Names::new("barrier", "t", None, None);
    barrier::wait(&mut session, &names, Clock::start(), &reporter)
        .await
        .expect("the barrier");
    let after: Option<u64> = conn.query_first(visible).await.expect("a count");
    assert_eq!(after, Some(1), "behind the barrier it is visible");
    write.await.expect("the writer");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_barrier_follows_a_prepared_transaction_that_outlives_its_session() {
    use tableshift::engine::{barrier, clock::Clock};
    use tableshift::plan::names::Names;
    use tableshift::report::{Level, Reporter};

    let server = Server::start(&[]);
    let mut conn = schema(&server, "prepared", 10).await;
    let mut writer = server.conn(Some("prepared")).await;
    for statement in [
        "SET SESSION xa_detach_on_prepare = OFF",
        "XA START 'q'",
        "INSERT INTO t VALUES (50, 1)",
        "XA END 'q'",
        "XA PREPARE 'q'",
    ] {
        writer
            .query_drop(statement)
            .await
            .expect("a prepared transaction");
    }
    let mut session = session(&server).await;
    let barrier = tokio::spawn(async move {
        let (reporter, _thread) = Reporter::start(Level::Error).expect("a reporter");
        let names = Names::new("prepared", "t", None, None);
        barrier::wait(&mut session, &names, Clock::start(), &reporter)
            .await
            .expect("the barrier");
    });
    wait_until(PATIENCE, "the barrier has looked", async || {
        looks(&mut conn).await >= 1
    })
    .await;
    writer.disconnect().await.expect("the session's end");
    // The transaction's lock is another one now; the barrier must have looked at it as well.
    let seen = looks(&mut conn).await;
    wait_until(PATIENCE, "the barrier has looked again", async || {
        looks(&mut conn).await >= seen + 5
    })
    .await;
    assert!(!barrier.is_finished(), "the transaction is not decided");
    conn.query_drop("XA COMMIT 'q'").await.expect("a decision");
    barrier.await.expect("the barrier");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_barrier_outlasts_a_decision_that_is_logged_but_not_visible() {
    use tableshift::engine::{barrier, clock::Clock};
    use tableshift::plan::names::Names;
    use tableshift::report::{Level, Reporter};

    let server = semi_sync_server().await;
    let mut conn = schema(&server, "decided", 10).await;
    let mut writer = server.conn(Some("decided")).await;
    for statement in [
        "XA START 'd'",
        "INSERT INTO t VALUES (100, 1)",
        "XA END 'd'",
        "XA PREPARE 'd'",
    ] {
        writer
            .query_drop(statement)
            .await
            .expect("a prepared transaction");
    }
    writer.disconnect().await.expect("the session's end");
    let mut session = session(&server).await;
    let barrier = tokio::spawn(async move {
        let (reporter, _thread) = Reporter::start(Level::Error).expect("a reporter");
        let names = Names::new("decided", "t", None, None);
        barrier::wait(&mut session, &names, Clock::start(), &reporter)
            .await
            .expect("the barrier");
    });
    wait_until(PATIENCE, "the barrier has looked", async || {
        looks(&mut conn).await >= 1
    })
    .await;
    stall_commits(&mut conn).await;
    for statement in ["SET GLOBAL rpl_semi_sync_source_timeout = 600000"] {
        conn.query_drop(statement).await.expect("a setting");
    }
    let mut other = server.conn(Some("decided")).await;
    let decision = tokio::spawn(async move {
        other.query_drop("XA COMMIT 'd'").await.expect("a decision");
    });
    someone_waits(&mut conn).await;
    let seen = looks(&mut conn).await;
    wait_until(PATIENCE, "the barrier has looked again", async || {
        looks(&mut conn).await >= seen + 5
    })
    .await;
    assert!(!barrier.is_finished(), "the decision isn't visible");
    conn.query_drop("SET GLOBAL rpl_semi_sync_source_enabled = OFF")
        .await
        .expect("a setting");
    decision.await.expect("the decision");
    barrier.await.expect("the barrier");
}
