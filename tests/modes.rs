//! Servers whose global settings give an ALTER, its values or the binary log another meaning: the table is
//! what a plain ALTER makes under the same settings, or the migration is refused.

#[cfg(test)]
mod support;

use mysql_async::prelude::Queryable;
use support::proxy::Proxy;
use support::running::{
    PATIENCE, Running, assert_code, assert_done, assert_same, content, execute, schema, tables,
};
use support::server::Server;
use support::{tableshift_command, wait_until};

const PLAIN: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE";

#[tokio::test(flavor = "multi_thread")]
async fn sql_modes_that_change_what_an_alter_means() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "modes", 10).await;
    let mode = format!("SET GLOBAL sql_mode = '{PLAIN},TIME_TRUNCATE_FRACTIONAL'");
    execute(
        &mut conn,
        &[
            "CREATE TABLE d (id INT PRIMARY KEY, d DATETIME(3))",
            "INSERT INTO d VALUES (1, '2020-01-01 23:59:59.900')",
            &mode,
        ],
    )
    .await;
    let run = |table: &str, alter: &str| {
        tableshift_command(&server, "modes", table, alter)
            .arg("--execute")
            .output()
            .expect("the program")
    };
    assert_done(&run("d", "MODIFY d DATETIME"));
    let found: Option<String> = conn
        .query_first("SELECT CAST(d AS CHAR) FROM d")
        .await
        .expect("a row");
    assert_eq!(
        found.as_deref(),
        Some("2020-01-01 23:59:59"),
        "cut, not rounded"
    );

    for (mode, alter, word) in [
        (
            "NO_BACKSLASH_ESCAPES",
            r"ADD COLUMN x VARCHAR(20) DEFAULT 'C:\new'",
            "NO_BACKSLASH_ESCAPES",
        ),
        (
            "ANSI_QUOTES",
            r#"ADD COLUMN x VARCHAR(20) DEFAULT "n""#,
            "ANSI_QUOTES",
        ),
    ] {
        execute(
            &mut conn,
            &[&format!("SET GLOBAL sql_mode = '{PLAIN},{mode}'")],
        )
        .await;
        assert_code(&run("t", alter), 3, &[word]);
    }
    assert_eq!(tables(&mut conn).await, ["_d_del", "_d_ghk", "d", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_filters_its_binary_log_is_refused() {
    let server = Server::start(&["--binlog-ignore-db=elsewhere"]);
    let mut conn = schema(&server, "filtered", 10).await;
    let running = Running::start(&server, "filtered", &[]);
    assert_code(&running.end(), 3, &["binlog_do_db or binlog_ignore_db"]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn minimal_row_images_by_default_work() {
    let server = Server::start(&["--binlog-row-image=MINIMAL"]);
    let mut conn = schema(&server, "minimal", 200).await;
    let running = Running::start(&server, "minimal", &[]);
    running.copied(&mut conn, 200).await;
    execute(
        &mut conn,
        &[
            "UPDATE t SET v = 1 WHERE id < 50",
            "DELETE FROM t WHERE id = 60",
            "UPDATE t SET id = id + 1000 WHERE id > 190",
        ],
    )
    .await;
    let before = content(&mut conn, "id, v").await;
    running.release();
    assert_done(&running.end());
    assert_same(&content(&mut conn, "id, v").await, &before);
}

/// The new file is shorter than where the dump waits, so the server would never send anything again.
#[tokio::test(flavor = "multi_thread")]
async fn binary_logs_that_begin_anew_end_the_run() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "reset", 3_000).await;
    let proxy = Proxy::start(&server).await;
    let running = Running::start_through(&server, proxy.port, "reset", &[]);
    running.copied(&mut conn, 3_000).await;
    let dumps = proxy.dumps();
    execute(&mut conn, &["RESET BINARY LOGS AND GTIDS"]).await;
    wait_until(PATIENCE, "it is asked for again", async || {
        proxy.dumps() > dumps
    })
    .await;
    assert_code(&running.end(), 5, &["the binary log can't be read from"]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

/// An account that sees neither the other schema nor its foreign key.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_that_the_account_cannot_see_is_found() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "seen", 10).await;
    execute(
        &mut conn,
        &[
            "CREATE DATABASE unseen",
            "CREATE TABLE unseen.child (id INT, FOREIGN KEY (id) REFERENCES seen.t (id))",
            "CREATE USER half@'%' IDENTIFIED BY 'half'",
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, LOCK TABLES, SELECT, TRIGGER, UPDATE ON \
             seen.* TO half@'%'",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO half@'%'",
            "GRANT SELECT ON performance_schema.* TO half@'%'",
        ],
    )
    .await;
    let port = server.port.to_string();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tableshift"))
        .args([
            "--host",
            &server.host,
            "--port",
            &port,
            "--user=half",
            "--password=half",
        ])
        .args(["--alter=ALTER TABLE seen.t ADD COLUMN x INT", "--execute"])
        .output()
        .expect("the program");
    assert_code(&output, 3, &["changes of this table reach unseen.child"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_dropped_in_a_trial_or_for_an_alter_that_is_refused() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "kept", 10).await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE _t_del (precious INT)",
            "CREATE TABLE _t_gho (id INT)",
        ],
    )
    .await;
    let run = |alter: &str, flags: &[&str]| {
        tableshift_command(&server, "kept", "t", alter)
            .args(["--initially-drop-old-table", "--initially-drop-ghost-table"])
            .args(flags)
            .output()
            .expect("the program")
    };
    let trial = run("ADD COLUMN x INT", &[]);
    assert_code(&trial, 3, &["without --execute nothing is dropped"]);
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_gho", "t"]);
    assert_code(&run("DROP COLUMN nosuch", &["--execute"]), 3, &["nosuch"]);
    assert_eq!(
        tables(&mut conn).await,
        ["_t_del", "t"],
        "what the table was is still there"
    );
    execute(
        &mut conn,
        &[
            "CREATE TABLE u (id INT PRIMARY KEY)",
            "CREATE TABLE _u_del (precious INT)",
        ],
    )
    .await;
    let output = tableshift_command(&server, "kept", "u", "ADD COLUMN x INT")
        .arg("--initially-drop-old-table")
        .output()
        .expect("the program");
    assert_done(&output);
    assert_eq!(tables(&mut conn).await, ["_t_del", "_u_del", "t", "u"]);
}
