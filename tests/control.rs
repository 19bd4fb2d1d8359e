//! A run under an operator's hands: socket and TCP commands in every state, hooks as real scripts, flag
//! files. Each command of gh-ost is typed as its scripts type it.

#[cfg(test)]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use support::running::{
    PATIENCE, Running, assert_code, assert_done, assert_same, content, execute, schema, tables,
};
use support::server::Server;
use support::wait_until;

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// A fresh folder of this test.
fn folder(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("tableshift-control-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// One line to the socket, and its whole answer.
fn ask(socket: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("the socket");
    talk(&mut stream, line)
}

fn talk(stream: &mut (impl Read + Write), line: &str) -> String {
    stream
        .write_all(format!("{line}\n").as_bytes())
        .expect("a line");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// A run held before its cut-over, with its socket.
async fn held(name: &str, flags: &[&str]) -> (mysql_async::Conn, Running, PathBuf) {
    let mut conn = schema(shared(), name, 200).await;
    let socket = folder(name).join("socket");
    let path = socket.to_string_lossy().into_owned();
    let mut all = vec!["--serve-socket-file", path.as_str()];
    all.extend(flags);
    let running = Running::start(shared(), name, &all);
    running.copied(&mut conn, 200).await;
    (conn, running, socket)
}

/// Waits until the status says this.
async fn until(socket: &Path, state: &str) {
    wait_until(PATIENCE, state, async || ask(socket, "sup").contains(state)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_is_answered_while_the_cut_over_is_postponed() {
    let (mut conn, running, socket) = held("commanded", &["--serve-tcp-port=0"]).await;
    until(&socket, "State: postponing cut-over").await;
    let mode = std::fs::metadata(&socket)
        .expect("the socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "its owner alone");
    let status = ask(&socket, "status");
    let lines: Vec<&str> = status.lines().collect();
    assert_eq!(
        lines[0],
        "# Migrating `commanded`.`t`; Ghost table is `commanded`.`_t_gho`"
    );
    assert!(
        lines[1].starts_with("# Migrating ") && lines[1].contains("; inspecting "),
        "{status}"
    );
    assert!(lines[2].starts_with("# Migration started at "), "{status}");
    assert!(lines[3].starts_with("# chunk-size: "), "{status}");
    assert!(status.contains(&format!(
        "# postpone-cut-over-flag-file: {} [set]",
        running.hold.display()
    )));
    assert!(status.contains(&format!("# Serving on unix socket: {}", socket.display())));
    let last = lines[lines.len() - 1];
    assert!(
        last.starts_with("Copy: 200/200 100.0%; Applied: ") && last.ends_with("ETA: due"),
        "{last}"
    );
    assert_eq!(ask(&socket, "sup").lines().count(), 1);
    type_everything(&socket);
    assert!(ask(&socket, "throttle=t").contains("State: throttled, commanded by user"));
    execute(&mut conn, &["UPDATE t SET v = 1 WHERE id = 1"]).await;
    until(&socket, "State: throttled, commanded by user").await;
    ask(&socket, "continue");
    let before = content(&mut conn, "id, v").await;
    assert!(ask(&socket, "unpostpone").starts_with("Unpostponed\n# Migrating"));
    let output = running.end();
    assert_done(&output);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        printed.matches("# Migrating `commanded`.`t`").count() > 5,
        "asked for, it goes to stdout too"
    );
    assert_same(&content(&mut conn, "id, v").await, &before);
    assert!(!socket.exists(), "the socket goes with its run");
}

fn type_everything(socket: &Path) {
    for (line, begins) in [
        ("help", "available commands:"),
        ("info", "# Migrating"),
        ("coordinates", "binlog.0000"),
        ("applier", "Host: "),
        ("inspector", "Host: "),
        ("cpu-profile", "cpu-profile is"),
        ("chunk-size=250", "# Migrating"),
        ("chunk-size=?", "250\n"),
        ("max-lag-millis=2000", "# Migrating"),
        ("max-lag-millis=?", "2000\n"),
        ("nice-ratio=?", "0\n"),
        ("max-load=?", "\n"),
        ("throttle-query=?", "\n"),
        ("foo", "unknown command: foo\n"),
        (
            "throttle=zz",
            "user commanded 'throttle' on zz, but migrated table is t; ignoring request\n",
        ),
        ("throttle", "# Note: you may only throttle"),
        ("sup", "Copy: "),
        ("no-throttle", "# Migrating"),
    ] {
        let begun = Instant::now();
        let answer = ask(socket, line);
        assert!(answer.starts_with(begins), "{line}: {answer}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_run_copies_nothing_and_still_answers() {
    let mut conn = schema(shared(), "user_throttled", 500).await;
    let folder = folder("user_throttled");
    let (socket, flag) = (folder.join("socket"), folder.join("throttle"));
    std::fs::write(&flag, "").expect("the throttle file");
    let (path, file) = (socket.to_string_lossy(), flag.to_string_lossy());
    let running = Running::start(
        shared(),
        "user_throttled",
        &["--serve-socket-file", &path, "--throttle-flag-file", &file],
    );
    running.under_way().await;
    until(&socket, "State: throttled, flag-file").await;
    assert!(ask(&socket, "status").contains(&format!("# throttle-flag-file: {file} [set]\n")));
    ask(&socket, "throttle");
    std::fs::remove_file(&flag).expect("the throttle file");
    wait_until(PATIENCE, "the file is noticed", async || {
        ask(&socket, "status").contains(&format!("# throttle-flag-file: {file} \n"))
    })
    .await;
    assert!(ask(&socket, "sup").contains("State: throttled, commanded by user"));
    let copied: Option<u64> =
        mysql_async::prelude::Queryable::query_first(&mut conn, "SELECT COUNT(*) FROM _t_gho")
            .await
            .expect("the ghost");
    assert_eq!(copied, Some(0));
    assert!(ask(&socket, "unpostpone").starts_with("You may only invoke this"));
    ask(&socket, "no-throttle");
    running.copied(&mut conn, 500).await;
    running.release();
    assert_done(&running.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_commands_names_that_must_be_given_and_panic() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let tcp = format!("--serve-tcp-port={port}");
    let flags = [
        tcp.as_str(),
        "--force-named-panic",
        "--force-named-cut-over",
    ];
    let (mut conn, running, socket) = held("named_panic", &flags).await;
    until(&socket, "postponing").await;
    let ask_tcp = |line: &str| {
        talk(
            &mut TcpStream::connect(("127.0.0.1", port)).expect("tcp"),
            line,
        )
    };
    assert!(ask_tcp("status").contains(&format!("# Serving on TCP port: {port}\n")));
    assert_eq!(
        ask_tcp("unpostpone"),
        "user commanded 'unpostpone' without specifying table name, but --force-named-cut-over is set\n"
    );
    assert_eq!(
        ask_tcp("panic"),
        "user commanded 'panic' without specifying table name, but --force-named-panic is set\n"
    );
    assert!(
        ask_tcp("panic=t").starts_with("user commanded 'panic'. The migration will be aborted")
    );
    assert_code(&running.end(), 4, &["commanded by user"]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cut_over_is_postponed_by_command_into_a_file_of_its_own() {
    let (mut conn, running, socket) = held("postponed_later", &[]).await;
    let file = socket.with_extension("postpone");
    let answer = ask(
        &socket,
        &format!("postpone-cut-over-flag-file={}", file.display()),
    );
    assert!(answer.starts_with("Postponed\n"), "{answer}");
    assert!(file.exists());
    running.release();
    until(&socket, "State: postponing cut-over").await;
    std::fs::remove_file(&file).expect("the postpone file");
    assert_done(&running.end());
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    let (_conn, running, socket) = held("postponed_nowhere", &[]).await;
    let answer = ask(
        &socket,
        "postpone-cut-over-flag-file=/nonexistent/folder/file",
    );
    assert!(answer.contains("could not be created"), "{answer}");
    running.terminate();
    assert_code(&running.end(), 4, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_a_dead_run_is_in_nobody_s_way_and_a_living_one_is_refused() {
    let mut conn = schema(shared(), "sockets", 50).await;
    let socket = folder("sockets").join("socket");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket that nobody serves"));
    let path = socket.to_string_lossy().into_owned();
    let running = Running::start(shared(), "sockets", &["--serve-socket-file", &path]);
    running.copied(&mut conn, 50).await;
    until(&socket, "State: ").await;
    let mut other = schema(shared(), "sockets_other", 50).await;
    let second = Running::start(shared(), "sockets_other", &["--serve-socket-file", &path]);
    assert_code(
        &second.end(),
        3,
        &["is in use by another run", "--serve-socket-file"],
    );
    assert_eq!(tables(&mut other).await, ["t"]);
    running.release();
    assert_done(&running.end());
}

/// A script that notes its name and variables, and ends as told.
fn hook(folder: &Path, name: &str, ending: &str) {
    let path = folder.join(name);
    let script = format!(
        "#!/bin/sh\necho \"$(basename \"$0\") $GH_OST_TABLE_NAME $GH_OST_GHOST_TABLE_NAME $GH_OST_OLD_TABLE_NAME \
         $GH_OST_DRY_RUN $GH_OST_HOOKS_HINT $GH_OST_COMMAND\" >> {}/log\necho from-$GH_OST_DATABASE_NAME\n{ending}\n",
        folder.display()
    );
    std::fs::write(&path, script).expect("a hook");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its mode");
}

fn told(folder: &Path) -> Vec<String> {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    log.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_told_everything_in_order() {
    let folder = folder("hooks");
    for name in [
        "gh-ost-on-startup",
        "gh-ost-on-validated",
        "gh-ost-on-before-row-copy",
        "gh-ost-on-row-copy-complete",
        "gh-ost-on-before-cut-over-1",
        "gh-ost-on-before-cut-over-2",
        "gh-ost-on-begin-postponed",
        "gh-ost-on-interactive-command",
        "gh-ost-on-success-mail",
        "gh-ost-on-failure",
    ] {
        hook(&folder, name, "");
    }
    let path = folder.to_string_lossy().into_owned();
    let flags = ["--hooks-path", path.as_str(), "--hooks-hint=why"];
    let (_conn, running, socket) = held("hooked", &flags).await;
    wait_until(PATIENCE, "the cut-over is postponed", async || {
        told(&folder)
            .iter()
            .any(|line| line.contains("begin-postponed"))
    })
    .await;
    ask(&socket, "unpostpone");
    let output = running.end();
    assert_done(&output);
    let expected: Vec<String> = [
        "gh-ost-on-startup",
        "gh-ost-on-validated",
        "gh-ost-on-before-row-copy",
        "gh-ost-on-row-copy-complete",
        "gh-ost-on-before-cut-over-1",
        "gh-ost-on-before-cut-over-2",
        "gh-ost-on-begin-postponed",
        "gh-ost-on-interactive-command",
        "gh-ost-on-success-mail",
    ]
    .iter()
    .map(|name| {
        let command = if name.contains("interactive") {
            " 'unpostpone'"
        } else {
            ""
        };
        format!("{name} t _t_gho _t_del false why{command}")
    })
    .collect();
    assert_eq!(told(&folder), expected);
    assert_code(&output, 0, &["gh-ost-on-success-mail: from-hooked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_that_fail_have_their_effect() {
    for (name, code, word) in [
        ("gh-ost-on-startup", 5, "exit status: 3"),
        ("gh-ost-on-validated", 5, "exit status: 3"),
        ("gh-ost-on-before-row-copy", 5, "exit status: 3"),
        ("gh-ost-on-row-copy-complete", 5, "exit status: 3"),
        ("gh-ost-on-before-cut-over", 5, "exit status: 3"),
        ("gh-ost-on-success", 7, "exit status: 3"),
    ] {
        let schema_name = name.replace(['-'], "_").replace("gh_ost_on_", "fails_");
        let folder = folder(&schema_name);
        hook(&folder, name, "exit 3");
        hook(&folder, "gh-ost-on-failure", "");
        let mut conn = schema(shared(), &schema_name, 50).await;
        let (path, socket) = (folder.to_string_lossy(), folder.join("socket"));
        let command =
            support::tableshift_command(shared(), &schema_name, "t", support::running::ALTER)
                .args(["--execute", "--hooks-path", &path, "--serve-socket-file"])
                .arg(&socket)
                .output()
                .expect("the program");
        assert_code(&command, code, &[word, name]);
        let failed = told(&folder)
            .iter()
            .any(|line| line.starts_with("gh-ost-on-failure"));
        assert_eq!(failed, code != 7, "{name}");
        let expected: &[&str] = if code == 7 {
            &["_t_del", "_t_ghk", "t"]
        } else {
            &["t"]
        };
        assert_eq!(tables(&mut conn).await, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_refuses_a_command_and_one_that_hangs_is_ended() {
    let folder = folder("refusing_hooks");
    hook(
        &folder,
        "gh-ost-on-interactive-command",
        "[ \"$GH_OST_COMMAND\" != \"'panic'\" ]",
    );
    hook(&folder, "gh-ost-on-before-cut-over", "exec sleep 1000");
    let path = folder.to_string_lossy().into_owned();
    let flags = ["--hooks-path", path.as_str(), "--hooks-timeout=1"];
    let (_conn, running, socket) = held("refusing", &flags).await;
    let answer = ask(&socket, "panic");
    assert!(answer.contains("exit status: 1"), "{answer}");
    assert_code(&running.end(), 5, &["took longer than 1 s"]);
}

/// `tableshift ctl` on a socket.
fn ctl(socket: &Path, words: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_tableshift"))
        .arg("ctl")
        .arg("--socket")
        .arg(socket)
        .args(words)
        .output()
        .expect("the program")
}

#[tokio::test(flavor = "multi_thread")]
async fn ctl_types_commands_and_watches() {
    let (_conn, running, socket) = held("ctl", &[]).await;
    until(&socket, "State: postponing").await;
    let output = ctl(&socket, &["chunk-size=?"]);
    assert!(output.status.success() && !output.stdout.is_empty());
    let output = ctl(&socket, &["throttle=zz"]);
    assert_eq!(output.status.code(), Some(1));
    let watching = std::process::Command::new(env!("CARGO_BIN_EXE_tableshift"))
        .args(["ctl", "--socket"])
        .arg(&socket)
        .arg("watch")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program");
    assert!(ctl(&socket, &["unpostpone"]).status.success());
    assert_done(&running.end());
    let seen = watching.wait_with_output().expect("its end");
    let text = String::from_utf8_lossy(&seen.stdout).into_owned();
    // It may have come too late for the first look; then it says so.
    assert!(
        text.contains("the migration has ended") || seen.status.code() == Some(1),
        "{text}"
    );
    let output = ctl(&socket, &["status"]);
    assert_code(&output, 1, &["can't be reached", "  next:  "]);
    let output = ctl(&socket, &["--table=t", "status"]);
    assert_eq!(output.status.code(), Some(2));
}

/// The flag files are looked at again once the lock is granted: what an operator has said while it was
/// waited for counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_postpone_file_that_appears_under_the_lock_keeps_the_tables_as_they_are() {
    let mut conn = schema(shared(), "called_off", 100).await;
    let folder = folder("called_off");
    let (socket, granted, hold) = (
        folder.join("socket"),
        folder.join("granted"),
        folder.join("postpone"),
    );
    let order = format!("lock tables@locker:hold-after={}", granted.display());
    let child = support::tableshift_command(shared(), "called_off", "t", support::running::ALTER)
        .args(["--execute", "--serve-socket-file"])
        .arg(&socket)
        .arg("--postpone-cut-over-flag-file")
        .arg(&hold)
        .env("TABLESHIFT_FAULTS", order)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program");
    wait_until(PATIENCE, "the file is made", async || hold.exists()).await;
    std::fs::remove_file(&hold).expect("the postpone file");
    wait_until(PATIENCE, "the lock is granted", async || granted.exists()).await;
    std::fs::write(&hold, "").expect("the postpone file");
    std::fs::remove_file(&granted).expect("the hold");
    until(&socket, "State: postponing cut-over").await;
    execute(&mut conn, &["UPDATE t SET v = 0 WHERE id = 1"]).await;
    assert_eq!(tables(&mut conn).await, ["_t_ghc", "_t_ghk", "_t_gho", "t"]);
    std::fs::remove_file(&hold).expect("the postpone file");
    assert_done(&child.wait_with_output().expect("its end"));
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
}

/// A status request is answered within 50 ms whatever the tool is doing; what is asserted here is only
/// that it is answered while everything else waits.
#[tokio::test(flavor = "multi_thread")]
async fn the_socket_answers_while_a_statement_hangs() {
    let mut conn = schema(shared(), "hanging", 100).await;
    let folder = folder("hanging");
    let (socket, hanging) = (folder.join("socket"), folder.join("hanging"));
    let order = format!("copy chunk@worker:hold={}", hanging.display());
    let child = support::tableshift_command(shared(), "hanging", "t", support::running::ALTER)
        .args(["--execute", "--serve-socket-file"])
        .arg(&socket)
        .env("TABLESHIFT_FAULTS", order)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program");
    wait_until(PATIENCE, "the copy hangs", async || hanging.exists()).await;
    assert!(ask(&socket, "status").contains("Copy: 0/"));
    assert!(ask(&socket, "throttle").contains("State: throttled"));
    ask(&socket, "no-throttle");
    std::fs::remove_file(&hanging).expect("the hold");
    assert_done(&child.wait_with_output().expect("its end"));
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_tried_again_is_told_to_its_hook() {
    let mut conn = schema(shared(), "retried", 100).await;
    let folder = folder("retried");
    hook(
        &folder,
        "gh-ost-on-batch-copy-retry",
        &format!(
            "echo \"$GH_OST_LAST_BATCH_COPY_ERROR\" >> {}/errors",
            folder.display()
        ),
    );
    let output = support::tableshift_command(shared(), "retried", "t", support::running::ALTER)
        .args(["--execute", "--serve-socket-file"])
        .arg(folder.join("socket"))
        .arg("--hooks-path")
        .arg(&folder)
        .env("TABLESHIFT_FAULTS", "copy chunk@worker:error=1213")
        .output()
        .expect("the program");
    assert_done(&output);
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    let errors = std::fs::read_to_string(folder.join("errors")).expect("what the hook was told");
    assert!(
        errors.contains("could not copy chunk") && errors.contains("1213"),
        "{errors}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_table_of_another_server_gets_a_socket_of_its_own() {
    let other = Server::start(&[]);
    let mut here = schema(shared(), "one_of_many", 20).await;
    let mut there = schema(&other, "one_of_many", 20).await;
    let hold = folder("one_of_many").join("hold");
    let start = |server: &Server, hold: &Path| {
        support::tableshift_command(server, "one_of_many", "t", support::running::ALTER)
            .args(["--execute", "--postpone-cut-over-flag-file"])
            .arg(hold)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the program")
    };
    let first = start(shared(), &hold);
    wait_until(PATIENCE, "the first is under way", async || hold.exists()).await;
    let second = start(&other, &hold.with_extension("second"));
    let second_hold = hold.with_extension("second");
    wait_until(PATIENCE, "the second is under way", async || {
        second_hold.exists()
    })
    .await;
    std::fs::remove_file(&second_hold).expect("its file");
    let output = second.wait_with_output().expect("its end");
    assert_done(&output);
    assert_code(
        &output,
        0,
        &["is in use by another run; this one listens on"],
    );
    std::fs::remove_file(&hold).expect("its file");
    assert_done(&first.wait_with_output().expect("its end"));
    assert_eq!(tables(&mut here).await, ["_t_del", "_t_ghk", "t"]);
    assert_eq!(tables(&mut there).await, ["_t_del", "_t_ghk", "t"]);
}
