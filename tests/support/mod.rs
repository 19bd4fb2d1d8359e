//! What the integration tests share: throw-away MySQL servers, the command
//! under test, and waiting for something to become true.
//!
//! Use it with `#[cfg(test)] mod support;` at the top of a test file. (`cfg` is
//! always true there; it tells clippy that the helpers are test code as well.)

pub mod chance;
pub mod proxy;
pub mod running;
pub mod server;
pub mod terminal;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use running::Running;
use server::Server;

/// How often [`wait_until`] looks again.
const POLL: Duration = Duration::from_millis(20);

/// Every test file compiles this module for itself and uses only part of it.
/// This names the whole kit once, so that nothing in it counts as dead code.
const _: () = {
    let _ = (
        Server::start,
        Server::start_replica_of,
        Server::opts,
        Server::conn,
    );
    let _ = |server: &Server| (server.host.len(), server.port, server.socket.is_file());
    let _ = (tableshift_command, |deadline| {
        wait_until(deadline, "", async || true)
    });
    let _ = (through, golden, with_shortcuts);
    let _ = || chance::Chance::new().another().below(2);
    let _ = (
        terminal::Terminal::run,
        terminal::Terminal::shows,
        terminal::Terminal::press,
        terminal::Terminal::end,
    );
    let _ = |terminal: terminal::Terminal| terminal.child;
    let _ = (Server::kill_and_restart, Server::stop);
    let _ = (Server::freeze, Server::thaw);
    let _ = (
        proxy::Proxy::start,
        proxy::Proxy::turn_to,
        proxy::Proxy::deny_dumps,
    );
    let _ = (
        proxy::Proxy::freeze_dumps,
        proxy::Proxy::dumps,
        proxy::Proxy::damage,
    );
    let _ = |proxy: &proxy::Proxy| proxy.port;
    let _ = (Running::start, Running::start_through);
    let _ = (Running::copied, Running::under_way, Running::release);
    let _ = (Running::terminate, Running::memory_peak_kib, Running::end);
    let _ = (
        running::schema,
        running::execute,
        running::tables,
        running::content,
    );
    let _ = (
        running::assert_code,
        running::assert_done,
        running::assert_same,
    );
};

/// The file has this text; with `TABLESHIFT_WRITE_DOCS=1` it gets it.
#[track_caller]
pub fn golden(name: &str, text: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("TABLESHIFT_WRITE_DOCS").is_some() {
        std::fs::write(&path, text).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "{name} is not current: run this test with TABLESHIFT_WRITE_DOCS=1, then read the \
         difference"
    );
}

/// The same command through another port.
pub fn through(command: &Command, server: &Server, port: u16) -> Command {
    let (from, to) = (server.port.to_string(), port.to_string());
    let mut other = Command::new(command.get_program());
    other.args(command.get_args().map(|argument| {
        if argument == from.as_str() {
            to.clone().into()
        } else {
            argument.to_owned()
        }
    }));
    other
}

/// The `tableshift` program, told to change `table` of `database` on `server`.
///
/// It only plans: the caller adds `--execute` and whatever else the test needs. The table is never altered
/// directly: tests are about the copy, whatever the ALTER is.
pub fn tableshift_command(server: &Server, database: &str, table: &str, alter: &str) -> Command {
    let mut command = with_shortcuts(server, database, table, alter);
    command.arg("--no-shortcuts");
    command
}

/// The same, as operators have it: what the server can do by itself it does.
pub fn with_shortcuts(server: &Server, database: &str, table: &str, alter: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(["--host", &server.host, "--port", &server.port.to_string()])
        .args(["--user", server::USER, "--password", server::PASSWORD])
        .args(["--database", database, "--table", table, "--alter", alter]);
    command
}

/// Waits until `check` is true, and fails the test with `what` if it still
/// isn't after `deadline`.
pub async fn wait_until(deadline: Duration, what: &str, mut check: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !check().await {
        assert!(
            start.elapsed() < deadline,
            "after {deadline:?} still waiting until {what}"
        );
        tokio::time::sleep(POLL).await;
    }
}

/// A file of the project, wherever the tests are started.
fn project_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
