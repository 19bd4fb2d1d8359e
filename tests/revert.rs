//! Finished migrations that are swapped back.

#![cfg(test)]

#[cfg(test)]
mod support;

use std::process::{Command, Output, Stdio};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use support::running::{assert_code, assert_done, execute, schema, tables};
use support::server::Server;
use support::{tableshift_command, wait_until};

/// A finished migration of `t`.
async fn migrated(server: &Server, schema: &str, alter: &str, flags: &[&str]) {
    let mut command = tableshift_command(server, schema, "t", alter);
    command.arg("--execute").args(flags);
    assert_done(&run(command).await);
}

fn reverting(server: &Server, schema: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    let (user, password) = (support::server::USER, support::server::PASSWORD);
    command
        .args(["--host", &server.host, "--port", &server.port.to_string()])
        .args(["--user", user, "--password", password])
        .args(["--database", schema, "--table", "t", "--execute"])
        .args(["--revert", "--old-table=_t_del"])
        .args(flags)
        .env("TABLESHIFT_CHECKPOINT_MS", "50")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end")
}

async fn rows(conn: &mut Conn, query: &str) -> Vec<String> {
    conn.query(query).await.expect("rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_migration_is_swapped_back_with_what_was_written_since() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "plain", 5_000).await;
    migrated(&server, "plain", "ADD note VARCHAR(10) NOT NULL DEFAULT '', MODIFY v BIGINT NOT NULL, ADD CHECK (id >= 0)", &[]).await;
    execute(
        &mut conn,
        &[
            "UPDATE t SET v = -1, note = 'x' WHERE id IN (1, 2, 4999)",
            "DELETE FROM t WHERE id IN (10, 4000)",
            "INSERT INTO t VALUES (0, 5, 'new'), (30000, 6, '')",
            "UPDATE t SET id = 40000 WHERE id = 3",
        ],
    )
    .await;
    let before = rows(&mut conn, "SELECT CONCAT_WS(',', id, v) FROM t ORDER BY id").await;
    let output = run(reverting(&server, "plain", &[])).await;
    assert_done(&output);
    let after = rows(&mut conn, "SELECT CONCAT_WS(',', id, v) FROM t ORDER BY id").await;
    assert!(before == after, "the rows are the same");
    assert_eq!(tables(&mut conn).await, ["_t_rev_del", "t"]);
    let columns = rows(&mut conn, "SELECT CONCAT(COLUMN_NAME, ' ', COLUMN_TYPE) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'plain' AND TABLE_NAME = 't' ORDER BY ORDINAL_POSITION").await;
    assert_eq!(columns, ["id int", "v int"]);
}
