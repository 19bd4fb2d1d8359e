//! Runs that are killed, stopped or cut off, and the runs that go on where those were.

#![cfg(test)]

#[cfg(test)]
mod support;

use std::process::{Command, Output, Stdio};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use support::running::{ALTER, PATIENCE, assert_code, assert_done, execute, schema, tables};
use support::server::Server;
use support::{tableshift_command, wait_until};

const ROWS: u32 = 20_000;
/// Slow enough to be interrupted, and a checkpoint every few chunks.
const SLOWLY: [&str; 3] = ["--chunk-size=100", "--nice-ratio=1", "--copy-workers=1"];

fn command(server: &Server, schema: &str, alter: &str) -> Command {
    let mut command = tableshift_command(server, schema, "t", alter);
    command
        .arg("--execute")
        .args(SLOWLY)
        .env("TABLESHIFT_CHECKPOINT_MS", "50")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A run that was killed when it had copied a part of the table.
async fn killed_half_way(server: &Server, conn: &mut Conn, schema: &str) {
    let mut child = command(server, schema, ALTER).spawn().expect("the program");
    saved_rows(conn, u64::from(ROWS) / 4).await;
    child.kill().expect("a signal");
    child.wait().expect("its end");
}

/// Waits for a checkpoint that says that so many rows are copied.
async fn saved_rows(conn: &mut Conn, rows: u64) {
    wait_until(PATIENCE, "a checkpoint", async || {
        let saved: Result<Option<Option<u64>>, _> = conn
            .query_first("SELECT rows_copied FROM _t_ghk WHERE id = 2")
            .await;
        matches!(saved, Ok(Some(Some(saved))) if saved >= rows)
    })
    .await;
}

async fn saved_now(conn: &mut Conn) -> u64 {
    let saved: Option<u64> = conn
        .query_first("SELECT rows_copied FROM _t_ghk WHERE id = 2")
        .await
        .expect("the checkpoint");
    saved.expect("one")
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end")
}

/// The number behind `name=` in the line that begins with `line`.
fn figure(output: &Output, line: &str, name: &str) -> u64 {
    let text = String::from_utf8_lossy(&output.stderr);
    let found = text.lines().find(|one| one.contains(line));
    let found = found.unwrap_or_else(|| panic!("no {line:?} in:\n{text}"));
    let rest = found.split(name).nth(1).expect("the figure");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
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

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_goes_on_where_it_was() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "killed", ROWS).await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE twin LIKE t",
            "INSERT INTO twin SELECT * FROM t",
        ],
    )
    .await;
    killed_half_way(&server, &mut conn, "killed").await;
    for table in ["t", "twin"] {
        let changes = [
            format!("UPDATE {table} SET v = -1 WHERE id IN (1, 2, 19999)"),
            format!("DELETE FROM {table} WHERE id IN (10, 4000, 15000)"),
            format!("INSERT INTO {table} VALUES (0, 5), (30000, 6)"),
        ];
        for change in changes {
            conn.query_drop(change).await.expect("a change");
        }
    }
    let saved = saved_now(&mut conn).await;
    let output = run(command(&server, "killed", ALTER)).await;
    assert_done(&output);
    assert_code(&output, 0, &["going on from checkpoint"]);
    let all = figure(&output, "copy complete", "rows=");
    assert!(
        all - saved < u64::from(ROWS) - saved + 10,
        "{all} rows copied in all, {saved} of them before"
    );
    assert_same_as_twin(&mut conn).await;
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t", "twin"]);
}
