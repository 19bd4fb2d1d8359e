//! `tableshift cleanup`: what a run that is over has left goes; what is somebody's stays.

#[cfg(test)]
mod support;

use std::process::{Command, Output};

use support::running::{PATIENCE, Running, assert_done, execute, schema, tables};
use support::server::{PASSWORD, Server, USER};
use support::terminal::Terminal;
use support::wait_until;

fn command(server: &Server, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(["cleanup", "--host", &server.host])
        .args(["--port", &server.port.to_string()])
        .args(["--user", USER, "--password", PASSWORD])
        .args(flags);
    command
}

fn cleanup(server: &Server, flags: &[&str]) -> Output {
    command(server, flags)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the program")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A run that was killed when its ghost was complete.
async fn killed(server: &Server, name: &str) -> mysql_async::Conn {
    let mut conn = schema(server, name, 50).await;
    let mut running = Running::start(server, name, &[]);
    running.copied(&mut conn, 50).await;
    running.child.kill().expect("it is running");
    running.end();
    // The server notices when it next writes to the connections, or reads from them.
    wait_until(PATIENCE, "nobody uses them", async || {
        said(&cleanup(server, &["--database", name])).contains("_t_gho`") && {
            let listed = said(&cleanup(server, &["--database", name]));
            !listed.contains("in use")
        }
    })
    .await;
    conn
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_goes_and_everything_else_stays() {
    let server = Server::start(&[]);
    let mut conn = killed(&server, "cleanup_killed").await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE _t_del (id INT)",
            "CREATE TABLE _x_gho (id INT)",
            "CREATE TABLE _y_ghc (id INT) COMMENT='notes'",
            "CREATE TABLE _y_gho (id INT)",
        ],
    )
    .await;
    let mut other = schema(&server, "cleanup_alive", 50).await;
    let alive = Running::start(&server, "cleanup_alive", &[]);
    alive.copied(&mut other, 50).await;

    let listed = cleanup(&server, &[]);
    assert_eq!(listed.status.code(), Some(7), "{}", said(&listed));
    for words in [
        "`cleanup_killed`.`_t_gho`  ",
        "left over: nobody holds its lock",
        "`cleanup_alive`.`_t_gho`  ",
        "in use: connection ",
        "old table: kept",
        "--yes drops it",
    ] {
        assert!(
            said(&listed).contains(words),
            "{words} in {}",
            said(&listed)
        );
    }
    assert_eq!(tables(&mut conn).await.len(), 8, "only listed");

    let done = cleanup(&server, &["--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(
        tables(&mut conn).await,
        ["_t_del", "_x_gho", "_y_ghc", "_y_gho", "t"]
    );
    alive.release();
    assert_done(&alive.end());
    assert_eq!(tables(&mut other).await, ["_t_del", "_t_ghk", "t"]);

    let flags = [
        "--yes",
        "--old-tables",
        "--database",
        "cleanup_killed",
        "--table",
        "t",
    ];
    let done = cleanup(&server, &flags);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(tables(&mut conn).await, ["_x_gho", "_y_ghc", "_y_gho", "t"]);
    assert_eq!(
        tables(&mut other).await,
        ["_t_del", "_t_ghk", "t"],
        "of another schema"
    );
}

/// The helpers don't bear the table's name, and the run is known by its mark alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_living_run_with_other_names_keeps_its_tables() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "cleanup_named", 50).await;
    let running = Running::start(&server, "cleanup_named", &["--force-table-names", "other"]);
    wait_until(PATIENCE, "the copy is complete", async || {
        tables(&mut conn).await.contains(&"_other_gho".to_owned())
    })
    .await;
    running.under_way().await;
    let done = cleanup(&server, &["--yes"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).contains("in use: a run on its table is connected"));
    running.release();
    assert_done(&running.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_sockets_on_which_nobody_listens_go() {
    let server = Server::start(&[]);
    let name = format!("cleanup_sockets_{}", std::process::id());
    let path = |table: &str| std::path::PathBuf::from(format!("/tmp/gh-ost.{name}.{table}.sock"));
    let listening = std::os::unix::net::UnixListener::bind(path("alive")).expect("a socket");
    drop(std::os::unix::net::UnixListener::bind(path("dead")).expect("a socket"));
    std::fs::write(path("file"), "").expect("a file");
    let done = cleanup(&server, &["--yes", "--database", &name]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(path("alive").exists() && path("file").exists() && !path("dead").exists());
    drop(listening);
    std::fs::remove_file(path("alive")).expect("the socket");
    std::fs::remove_file(path("file")).expect("the file");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_it_asks_and_anything_but_yes_means_no() {
    let server = Server::start(&[]);
    let mut conn = killed(&server, "cleanup_asked").await;
    let before = tables(&mut conn).await;
    assert_eq!(before, ["_t_ghc", "_t_ghk", "_t_gho", "t"]);
    for (keys, code, left) in [
        ("\r", 4, &before[..]),
        ("no\r", 4, &before[..]),
        ("y\r", 0, &["t".to_owned()][..]),
    ] {
        let mut terminal = Terminal::run(&command(&server, &["--database", "cleanup_asked"]));
        terminal.shows("Drop these? [y/N] ").await;
        assert_eq!(tables(&mut conn).await, before, "not before the answer");
        terminal.press(keys);
        let (ended, text) = terminal.end().await;
        assert_eq!(ended, Some(code), "{keys:?}: {text}");
        assert_eq!(tables(&mut conn).await, left, "{keys:?}");
    }
}
