//! What can happen to the binary log and to the stream: foreign writes, rotated, purged and damaged
//! logs, dumps that are cut, refused, frozen or pushed out, restarts and other servers, transactions of
//! every kind. Each run ends with the exact table, or with the original untouched and a word that says
//! why.

#[cfg(test)]
mod support;

use std::process::Stdio;

use futures_util::StreamExt;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStreamRequest, Conn};
use support::proxy::Proxy;
use support::running::{
    PATIENCE, Running, assert_code, assert_done, assert_same, content, execute, schema, tables,
};
use support::server::Server;
use support::{tableshift_command, wait_until};

async fn one<T: mysql_async::prelude::FromRow + Send + 'static>(conn: &mut Conn, query: &str) -> T {
    let row: Option<T> = conn.query_first(query).await.expect(query);
    row.expect("one row")
}

/// The present binary log file.
async fn log_file(conn: &mut Conn) -> String {
    let row: mysql_async::Row = one(conn, "SHOW BINARY LOG STATUS").await;
    row.get(0).expect("its name")
}

/// Ends the connections that read the binary log.
async fn kill_dumps(conn: &mut Conn) {
    let dumps: Vec<u64> = conn
        .query(
            "SELECT PROCESSLIST_ID FROM performance_schema.threads WHERE PROCESSLIST_COMMAND LIKE \
             'Binlog Dump%'",
        )
        .await
        .expect("threads");
    for id in dumps {
        // It may have ended meanwhile.
        let _ = conn.query_drop(format!("KILL {id}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_somebody_else_writes_to_a_helper_table_end_the_run() {
    let server = Server::start(&[]);
    for (name, write, table) in [
        (
            "ghost",
            "INSERT INTO _t_gho (id, v) VALUES (5000, 1)",
            "`_t_gho`",
        ),
        (
            "ghost_xa",
            "UPDATE _t_gho SET v = v + 1 WHERE id = 7",
            "`_t_gho`",
        ),
        ("changelog", "DELETE FROM _t_ghc WHERE id = 1", "`_t_ghc`"),
    ] {
        let mut conn = schema(&server, name, 100).await;
        let running = Running::start(&server, name, &[]);
        running.copied(&mut conn, 100).await;
        if name == "ghost_xa" {
            execute(
                &mut conn,
                &["XA START 'foreign'", write, "XA END 'foreign'"],
            )
            .await;
            execute(&mut conn, &["XA PREPARE 'foreign'", "XA COMMIT 'foreign'"]).await;
        } else {
            execute(&mut conn, &[write]).await;
        }
        let output = running.end();
        let said = format!("connection {}, which is not this run's", conn.id());
        assert_code(&output, 5, &[&said, table, "  data:  "]);
        assert_eq!(tables(&mut conn).await, ["t"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_rotated_purged_and_renumbered_beyond_six_digits() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "rotated", 500).await;
    execute(&mut conn, &["RESET BINARY LOGS AND GTIDS TO 999998"]).await;
    let running = Running::start(&server, "rotated", &["--chunk-size=100"]);
    running.under_way().await;
    for round in 1..=5 {
        let change = format!("UPDATE t SET v = v + {round} WHERE id % 5 = {}", round % 5);
        execute(&mut conn, &[&change, "FLUSH BINARY LOGS"]).await;
        kill_dumps(&mut conn).await;
        execute(
            &mut conn,
            &[&format!("INSERT INTO t VALUES ({}, 1)", 600 + round)],
        )
        .await;
    }
    let now = log_file(&mut conn).await;
    assert_eq!(now, "binlog.1000003");
    wait_until(PATIENCE, "everything has been read", async || {
        let reading = "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_COMMAND LIKE \
                       'Binlog Dump%' AND PROCESSLIST_STATE LIKE '%has sent all binlog%'";
        one::<u64>(&mut conn, reading).await == 1
    })
    .await;
    execute(&mut conn, &[&format!("PURGE BINARY LOGS TO '{now}'")]).await;
    let before = content(&mut conn, "id, v").await;
    running.release();
    assert_done(&running.end());
    assert_same(&content(&mut conn, "id, v").await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_purged_before_it_was_read_ends_the_run() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "purged", 100).await;
    let proxy = Proxy::start(&server).await;
    let running = Running::start_through(&server, proxy.port, "purged", &[]);
    running.copied(&mut conn, 100).await;
    proxy.deny_dumps(true);
    kill_dumps(&mut conn).await;
    execute(&mut conn, &["UPDATE t SET v = 1", "FLUSH BINARY LOGS"]).await;
    wait_until(PATIENCE, "the log is gone", async || {
        let now = log_file(&mut conn).await;
        execute(&mut conn, &[&format!("PURGE BINARY LOGS TO '{now}'")]).await;
        let files: Vec<mysql_async::Row> = conn.query("SHOW BINARY LOGS").await.expect("logs");
        files.len() == 1
    })
    .await;
    proxy.deny_dumps(false);
    assert_code(
        &running.end(),
        5,
        &["the binary log can't be read from", "  next:  "],
    );
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_dump_with_our_server_id_is_made_way_for() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "pushed", 100).await;
    let proxy = Proxy::start(&server).await;
    let running = Running::start_through(&server, proxy.port, "pushed", &[]);
    running.copied(&mut conn, 100).await;
    let mut known = 0;
    for round in 1..=3 {
        let dumps = proxy.dumps();
        let mut shown: Option<mysql_async::Row> = None;
        wait_until(PATIENCE, "the server knows our dump", async || {
            let dumps: Vec<mysql_async::Row> = conn.query("SHOW REPLICAS").await.expect("dumps");
            let mut news = dumps.into_iter();
            shown = news.find(|row| row.get(0) != Some(known));
            shown.is_some()
        })
        .await;
        let row = shown.expect("our dump");
        let ours: u32 = row.get(0).expect("its id");
        assert!(ours >= 0x8000_0000, "{ours}");
        known = ours;
        let file = log_file(&mut conn).await;
        let mut rival = server.conn(None).await;
        let uuid: String = row.get(4).expect("its uuid");
        // A dump with the same server uuid as ours is what the server makes way for.
        execute(
            &mut rival,
            &[&format!("SET @replica_uuid='{uuid}', @slave_uuid='{uuid}'")],
        )
        .await;
        let request = BinlogStreamRequest::new(ours).with_filename(file.as_bytes());
        let mut stream = rival.get_binlog_stream(request).await.expect("a dump");
        stream.next().await.expect("an event").expect("a good one");
        wait_until(PATIENCE, "ours has come back", async || {
            proxy.dumps() > dumps
        })
        .await;
        execute(
            &mut conn,
            &[&format!("UPDATE t SET v = v + 1 WHERE id > {}", round * 20)],
        )
        .await;
    }
    let before = content(&mut conn, "id, v").await;
    running.release();
    assert_done(&running.end());
    assert_same(&content(&mut conn, "id, v").await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_falls_silent_is_asked_for_again() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "silent", 100).await;
    let proxy = Proxy::start(&server).await;
    let running = Running::start_through(&server, proxy.port, "silent", &[]);
    running.copied(&mut conn, 100).await;
    let dumps = proxy.dumps();
    proxy.freeze_dumps();
    execute(
        &mut conn,
        &["UPDATE t SET v = 5", "DELETE FROM t WHERE id = 3"],
    )
    .await;
    wait_until(PATIENCE, "another dump is asked for", async || {
        proxy.dumps() > dumps
    })
    .await;
    let before = content(&mut conn, "id, v").await;
    running.release();
    assert_done(&running.end());
    assert_same(&content(&mut conn, "id, v").await, &before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_event_ends_the_run() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "damaged", 100).await;
    let proxy = Proxy::start(&server).await;
    let running = Running::start_through(&server, proxy.port, "damaged", &[]);
    running.copied(&mut conn, 100).await;
    proxy.damage(b"kkkkkkkk");
    let value = i32::from_le_bytes(*b"kkkk");
    execute(
        &mut conn,
        &[&format!("INSERT INTO t VALUES ({value}, {value})")],
    )
    .await;
    assert_code(&running.end(), 5, &["wrong checksum", "  data:  "]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_ends_the_run() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "restarted", 200).await;
    let before = content(&mut conn, "id, v").await;
    let running = Running::start(&server, "restarted", &[]);
    running.copied(&mut conn, 200).await;
    server.kill_and_restart();
    running.release();
    let output = running.end();
    assert_code(&output, 5, &["  data:  "]);
    // Whichever connection notices first.
    let told = String::from_utf8_lossy(&output.stderr);
    let restarted = told.contains("the server was restarted");
    assert!(
        restarted || told.contains("keeps other runs away from the table was lost"),
        "{told}"
    );
    let mut conn = server.conn(Some("restarted")).await;
    assert_same(&content(&mut conn, "id, v").await, &before);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_behind_the_same_address_ends_the_run() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "moved", 200).await;
    let other = Server::start(&[]);
    let mut elsewhere = schema(&other, "moved", 200).await;
    let before = content(&mut conn, "id, v").await;
    let proxy = Proxy::start(&server).await;
    let running = Running::start_through(&server, proxy.port, "moved", &[]);
    running.copied(&mut conn, 200).await;
    // As after a failover: helper tables have come there by replication.
    execute(
        &mut elsewhere,
        &[
            "CREATE TABLE _t_gho LIKE t",
            "CREATE TABLE _t_ghc (id INT PRIMARY KEY)",
        ],
    )
    .await;
    proxy.turn_to(&other);
    running.release();
    assert_code(&running.end(), 5, &["another server"]);
    assert_same(&content(&mut conn, "id, v").await, &before);
    assert_same(&content(&mut elsewhere, "id, v").await, &before);
    assert_eq!(tables(&mut elsewhere).await, ["_t_ghc", "_t_gho", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_a_million_rows_takes_bounded_memory() {
    let server = Server::start(&["--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0"]);
    let mut conn = schema(&server, "giant", 10).await;
    let throttle = std::env::temp_dir().join(format!("tableshift-{}.giant", std::process::id()));
    std::fs::write(&throttle, "").expect("the throttle file");
    let flag = throttle.to_string_lossy().into_owned();
    let running = Running::start(&server, "giant", &["--throttle-flag-file", &flag]);
    running.under_way().await;
    execute(
        &mut conn,
        &["INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 11 UNION ALL SELECT i + 1 FROM n WHERE i < \
           1000000) SELECT i, 1 FROM n"],
    )
    .await;
    // Nothing is refreshed while it is throttled, so the dirty keys fill the memory they may have.
    std::fs::remove_file(&throttle).expect("the throttle file");
    running.copied(&mut conn, 1_000_000).await;
    let peak = running.memory_peak_kib();
    running.release();
    assert_done(&running.end());
    let rows: (u64, u64) = one(&mut conn, "SELECT COUNT(*), SUM(v) FROM t").await;
    assert_eq!(rows, (1_000_000, 999_990 + 7 * 55));
    assert!(peak < 96 << 10, "{peak} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_the_event_scheduler_and_by_files_arrive() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "scheduled", 100).await;
    execute(
        &mut conn,
        &[
            "CREATE DATABASE other",
            "CREATE TABLE other.log (id INT, v INT)",
        ],
    )
    .await;
    let running = Running::start(&server, "scheduled", &[]);
    running.copied(&mut conn, 100).await;
    let file = std::env::temp_dir().join(format!("tableshift-{}.rows", std::process::id()));
    std::fs::write(&file, "1001\t1\n1002\t2\n").expect("a file");
    let load = |table: &str| format!("LOAD DATA INFILE '{}' INTO TABLE {table}", file.display());
    execute(
        &mut conn,
        &[
            "SET GLOBAL event_scheduler = ON",
            "CREATE EVENT once ON SCHEDULE AT CURRENT_TIMESTAMP DO UPDATE t SET v = -1 WHERE id < 50",
            &load("t"),
            // Logged as a statement, but of another schema.
            "SET SESSION binlog_format = STATEMENT",
            "USE other",
            &load("log"),
            "USE scheduled",
        ],
    )
    .await;
    wait_until(PATIENCE, "the event has run", async || {
        one::<u64>(&mut conn, "SELECT COUNT(*) FROM t WHERE v = -1").await == 49
    })
    .await;
    let before = content(&mut conn, "id, v").await;
    running.release();
    assert_done(&running.end());
    assert_same(&content(&mut conn, "id, v").await, &before);

    // The same on our table: rows that no event tells of.
    execute(&mut conn, &["DELETE FROM t WHERE id > 1000"]).await;
    let again = tableshift_command(&server, "scheduled", "t", "ADD COLUMN more INT")
        .args([
            "--execute",
            "--initially-drop-old-table",
            "--postpone-cut-over-flag-file",
        ])
        .arg(file.with_extension("hold"))
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    wait_until(PATIENCE, "it is under way", async || {
        file.with_extension("hold").exists()
    })
    .await;
    execute(
        &mut conn,
        &[&format!("{} (id, v) SET note = ''", load("t"))],
    )
    .await;
    let output = again.wait_with_output().expect("its end");
    assert_code(&output, 5, &["logged a change as a statement (LOAD"]);
    for leftover in [file.with_extension("hold"), file] {
        let _ = std::fs::remove_file(leftover);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_xa_transaction_holds_the_cut_over_back() {
    let server = Server::start(&[]);
    for (name, end) in [
        ("xa_commit", "XA COMMIT 'x'"),
        ("xa_rollback", "XA ROLLBACK 'x'"),
    ] {
        let mut conn = schema(&server, name, 200).await;
        let running = Running::start(&server, name, &[]);
        running.copied(&mut conn, 200).await;
        let mut writer = server.conn(Some(name)).await;
        execute(
            &mut writer,
            &[
                "XA START 'x'",
                "UPDATE t SET v = -9 WHERE id IN (2, 4, 150)",
                "INSERT INTO t VALUES (900, 1)",
                "DELETE FROM t WHERE id = 1",
                "XA END 'x'",
                "XA PREPARE 'x'",
            ],
        )
        .await;
        writer.disconnect().await.expect("the session's end");
        running.release();
        // It looks for blockers before it asks for the lock, so no LOCK is ever pending here.
        let looks = "SELECT CAST(COALESCE(SUM(COUNT_STAR), 0) AS UNSIGNED) FROM \
                     performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE \
                     '%PROCESSLIST_ID%metadata_locks%events_transactions_current%'";
        let seen: u64 = one(&mut conn, looks).await;
        wait_until(
            PATIENCE,
            "the tool has looked for blockers twice",
            async || one::<u64>(&mut conn, looks).await >= seen + 2,
        )
        .await;
        execute(&mut conn, &["UPDATE t SET v = 2 WHERE id = 7", end]).await;
        let before = content(&mut conn, "id, v").await;
        let output = running.end();
        assert_done(&output);
        assert_code(&output, 0, &["a prepared XA transaction holds `t`"]);
        assert_same(&content(&mut conn, "id, v").await, &before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_checksums_is_read_as_well() {
    let server = Server::start(&["--binlog-checksum=NONE"]);
    let mut conn = schema(&server, "plain", 100).await;
    let running = Running::start(&server, "plain", &[]);
    running.copied(&mut conn, 100).await;
    execute(
        &mut conn,
        &[
            "UPDATE t SET v = 3",
            "FLUSH BINARY LOGS",
            "DELETE FROM t WHERE id = 5",
        ],
    )
    .await;
    let before = content(&mut conn, "id, v").await;
    running.release();
    assert_done(&running.end());
    assert_same(&content(&mut conn, "id, v").await, &before);
}
