//! What the operator gives and reads: option files, passwords, counts, log lines, limits, signals, with a
//! terminal and without one.

#[cfg(test)]
mod support;

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::proxy::Proxy;
use support::running::{
    ALTER, PATIENCE, Running, assert_code, assert_done, execute, schema, tables,
};
use support::server::Server;
use support::terminal::Terminal;
use support::wait_until;

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// A folder that goes away when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tableshift-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    fn hook(&self, name: &str, script: &str) {
        let path = self.write(name, &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("its mode");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program in an empty environment, told nothing but this.
fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command.args(arguments).env_clear();
    command
}

fn output(mut command: Command) -> Output {
    command.output().expect("the program")
}

/// An account with this password that may do everything.
async fn account(conn: &mut Conn, name: &str, password: &str) {
    execute(
        conn,
        &[
            &format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'"),
            &format!("GRANT ALL ON *.* TO '{name}'@'%'"),
        ],
    )
    .await;
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
}

async fn reads(path: &Path, words: &str) {
    wait_until(PATIENCE, words, async || {
        std::fs::read_to_string(path).is_ok_and(|text| text.contains(words))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_beat_the_environment_which_beats_the_option_file() {
    let server = shared();
    let mut conn = schema(server, "conf", 10).await;
    account(&mut conn, "filed", "from # file").await;
    let folder = Folder::new("conf");
    folder.write(
        "more.cnf",
        "[tableshift]\npassword = 'from # file'\n[other]\nuser=nobody\n",
    );
    let conf = folder.write(
        "my.cnf",
        &format!(
            "# an operator's file\n[client]\nhost={}\nport={}\nuser=filed\npassword=wrong\nprompt=x\n\
             [osc]\nchunk_size=5\n!include more.cnf\n",
            server.host, server.port
        ),
    );
    let conf = format!("--conf={conf}");
    let common = [conf.as_str(), "--alter=ALTER TABLE conf.t FORCE"];
    let run = |flags: &[&str], variable: Option<&str>| {
        let mut command = bare(&common);
        command.args(flags);
        if let Some(password) = variable {
            command.env("TABLESHIFT_PASSWORD", password);
        }
        output(command)
    };
    let done = run(&[], None);
    assert_done(&done);
    let log = String::from_utf8_lossy(&done.stderr);
    assert!(log.contains("[osc] has no effect"), "{log}");
    assert_code(
        &run(&[], Some("not this")),
        5,
        &["Access denied", "check user and password"],
    );
    assert_done(&run(&["--password=from # file"], Some("not this")));
    assert_code(&run(&["--password="], None), 5, &["Access denied"]);
    assert_code(
        &run(&["--user=other"], None),
        5,
        &["check user and password"],
    );
}

#[test]
fn bad_option_files_are_told_with_file_and_line() {
    let folder = Folder::new("bad");
    let inner = folder.write("inner.cnf", "[client]\n=hidden\n");
    for (text, words) in [
        (
            format!("[client]\n!include {inner}\n"),
            "inner.cnf, line 2: a value without a name",
        ),
        (
            "[client]\n\npassword=${NOT_SET}\n".into(),
            "line 3: the environment variable NOT_SET",
        ),
        (
            "[client]\npassword\n".into(),
            "line 2: password has no value",
        ),
        (
            "[client]\nport=many\n".into(),
            "--port must be a whole number",
        ),
        ("[client]\nssl-mode=MAYBE\n".into(), "--ssl-mode is one of"),
        (
            "[client]\nsocket=/run/mysqld.sock\n".into(),
            "line 2: sockets aren't used",
        ),
        (
            "!includedir /nonexistent/folder\n".into(),
            "/nonexistent/folder can't be read",
        ),
        ("!include bad.cnf\n".into(), "files deep"),
        (
            "[client]\nssl-ca=/nonexistent.pem\n".into(),
            "/nonexistent.pem can't be read",
        ),
    ] {
        let conf = folder.write("bad.cnf", &text);
        let ended = output(bare(&["--conf", &conf, "--alter=ALTER TABLE d.t FORCE"]));
        assert_code(&ended, 2, &[words, "  next:  "]);
        assert!(!String::from_utf8_lossy(&ended.stderr).contains("hidden"));
    }
    let missing = output(bare(&[
        "--conf=/nonexistent.cnf",
        "--alter=ALTER TABLE d.t FORCE",
    ]));
    assert_code(&missing, 2, &["/nonexistent.cnf can't be read"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_on_the_way_is_taken_over_at_hup() {
    // A server of its own: every connection of the tool but one is killed.
    let server = Server::start(&[]);
    let mut conn = schema(&server, "renewed", 500).await;
    account(&mut conn, "rotated", "old secret 1").await;
    let folder = Folder::new("renewed");
    let file = |password: &str| {
        folder.write(
            "my.cnf",
            &format!("[client]\nuser=rotated\npassword='{password}'\n"),
        )
    };
    let conf = format!("--conf={}", file("old secret 1"));
    let (hold, log) = (folder.0.join("hold"), folder.0.join("log"));
    let hold_flag = format!("--postpone-cut-over-flag-file={}", hold.display());
    let port = format!("--port={}", server.port);
    let child = bare(&[
        &conf,
        &port,
        "--alter",
        &format!("ALTER TABLE renewed.t {ALTER}"),
    ])
    .args(["--execute", "--debug", &hold_flag, "--serve-socket-file"])
    .arg(folder.0.join("socket"))
    .stdout(Stdio::piped())
    .stderr(File::create(&log).expect("a file"))
    .spawn()
    .expect("the program");
    wait_until(PATIENCE, "the run is under way", async || hold.exists()).await;

    execute(
        &mut conn,
        &["ALTER USER 'rotated'@'%' IDENTIFIED BY 'new secret 2'"],
    )
    .await;
    file("new secret 2");
    send("-HUP", &child);
    reads(&log, "HUP: new connections use user and password of").await;
    // Everything but the holder of the advisory lock, whose loss ends a run on purpose.
    let ids: Vec<u64> = conn
        .query(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'rotated' AND ID <> \
             COALESCE(IS_USED_LOCK('gh-ost::renewed.t'), 0)",
        )
        .await
        .expect("the tool's connections");
    assert!(ids.len() > 5, "{ids:?}");
    for id in ids {
        execute(&mut conn, &[&format!("KILL {id}")]).await;
    }
    std::fs::remove_file(&hold).expect("the flag file");
    let ended = child.wait_with_output().expect("its end");
    let text = std::fs::read_to_string(&log).expect("the log");
    assert_eq!(ended.status.code(), Some(0), "{text}");
    for secret in ["old secret 1", "new secret 2"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_appear_nowhere() {
    let server = shared();
    let mut conn = schema(server, "hidden", 200).await;
    account(&mut conn, "hidden", "pässwort 7").await;
    let folder = Folder::new("hidden");
    for hook in ["gh-ost-on-startup", "gh-ost-on-status", "gh-ost-on-success"] {
        let dump = folder.0.join("told").display().to_string();
        folder.hook(
            hook,
            &format!("env >> {dump}; tr '\\0' ' ' </proc/$PPID/cmdline >> {dump}"),
        );
    }
    let (port, hooks) = (server.port.to_string(), folder.0.display().to_string());
    let common = [
        "--user=hidden",
        "--port",
        &port,
        "--alter=ALTER TABLE hidden.t FORCE",
        "--debug",
    ];
    for (password, code) in [("pässwort 7", 0), ("pässwort 8", 5)] {
        for format in ["--log-format=text", "--log-format=json"] {
            let mut command = bare(&common);
            command.args([format, "--hooks-path", &hooks]);
            let ended = output({
                command.env("TABLESHIFT_PASSWORD", password);
                command
            });
            assert_eq!(ended.status.code(), Some(code));
            for stream in [&ended.stdout, &ended.stderr] {
                let text = String::from_utf8_lossy(stream);
                assert!(!text.contains("pässwort"), "{text}");
            }
        }
    }
    let told = std::fs::read_to_string(folder.0.join("told")).expect("what hooks were told");
    assert!(told.contains("GH_OST_TABLE_NAME=t"), "{told}");
    assert!(!told.contains("pässwort"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_objects_and_status_lines_stay() {
    let server = shared();
    schema(server, "json", 200).await;
    let running = Running::start(server, "json", &["--log-format=json", "--assume-rbr"]);
    running.under_way().await;
    running.release();
    let ended = running.end();
    assert_done(&ended);
    let log = String::from_utf8_lossy(&ended.stderr);
    let level = "Z\",\"level\":\"";
    for line in log.lines() {
        assert!(
            line.starts_with("{\"time\":\"20") && line.ends_with("\"}"),
            "{line}"
        );
        assert!(
            line.contains(level) && line.contains("\",\"message\":\""),
            "{line}"
        );
    }
    for (level, words) in [
        ("warn", "--assume-rbr has no effect"),
        ("info", "cut over attempts="),
    ] {
        let level = format!("\"level\":\"{level}\"");
        let found = log
            .lines()
            .any(|line| line.contains(words) && line.contains(&level));
        assert!(found, "{words} in {log}");
    }
    let out = String::from_utf8_lossy(&ended.stdout);
    assert!(out.lines().any(|line| line.starts_with("Copy: ")), "{out}");

    let failed = support::tableshift_command(server, "json", "missing", ALTER)
        .arg("--log-format=json")
        .output()
        .expect("the program");
    let log = String::from_utf8_lossy(&failed.stderr);
    let last = log.lines().last().expect("a line");
    assert!(
        last.contains("\"level\":\"error\"") && last.contains("\\n  next:  "),
        "{last}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_counted_for_the_progress() {
    let server = shared();
    let mut conn = schema(server, "counted", 3_000).await;
    // The estimate comes from statistics, which know nothing of these rows yet.
    execute(
        &mut conn,
        &["UPDATE mysql.innodb_table_stats SET n_rows = 7 WHERE database_name = 'counted'"],
    )
    .await;
    let ended = support::tableshift_command(server, "counted", "t", ALTER)
        .args(["--execute", "--exact-rowcount"])
        .output()
        .expect("the program");
    assert_done(&ended);
    assert_code(&ended, 0, &["counted rows=3000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copy_waits_for_a_count_that_comes_first() {
    let server = shared();
    let mut conn = schema(server, "first", 300).await;
    let mut writer = server.conn(Some("first")).await;
    let folder = Folder::new("first");
    // Between the preparation and the count the table is locked, so that counting takes a while.
    for name in ["counted", "stopped"] {
        folder.hook(
            "gh-ost-on-validated",
            "cd \"$(dirname \"$0\")\"; touch validated; while [ -e validated ]; do sleep 0.05; done",
        );
        folder.hook(
            "gh-ost-on-rowcount-complete",
            "touch \"$(dirname \"$0\")\"/rowcount",
        );
        let log = folder.0.join("out");
        let child = support::tableshift_command(server, "first", "t", ALTER)
            .args([
                "--execute",
                "--exact-rowcount",
                "--concurrent-rowcount=false",
                "--hooks-path",
            ])
            .arg(&folder.0)
            .stdout(File::create(&log).expect("a file"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let validated = folder.0.join("validated");
        wait_until(PATIENCE, "the preparation is done", async || {
            validated.exists()
        })
        .await;
        execute(&mut writer, &["LOCK TABLES t WRITE"]).await;
        std::fs::remove_file(&validated).expect("the hook's file");
        reads(&log, "State: counting rows").await;
        let copied: Option<u64> = conn
            .query_first("SELECT COUNT(*) FROM _t_gho")
            .await
            .expect("a count");
        assert_eq!(copied, Some(0));
        if name == "stopped" {
            send("-TERM", &child);
        } else {
            execute(&mut writer, &["UNLOCK TABLES"]).await;
        }
        let ended = child.wait_with_output().expect("its end");
        execute(&mut writer, &["UNLOCK TABLES"]).await;
        if name == "stopped" {
            assert_code(&ended, 4, &["stopped as asked"]);
            assert_eq!(tables(&mut conn).await, ["t"]);
        } else {
            assert_code(&ended, 0, &["counted rows=300", "cut over"]);
            assert!(folder.0.join("rowcount").exists());
            execute(
                &mut conn,
                &["DROP TABLE _t_del", "ALTER TABLE t DROP COLUMN note"],
            )
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_lock_instrument_is_switched_on_when_that_is_allowed() {
    // A server of its own: the instrument is everybody's.
    let server = Server::start(&[]);
    let mut conn = schema(&server, "instrument", 10).await;
    execute(
        &mut conn,
        &[
            "UPDATE performance_schema.setup_instruments SET ENABLED='NO' WHERE \
             NAME='wait/lock/metadata/sql/mdl'",
            "CREATE USER looking@'%' IDENTIFIED BY 'looking'",
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER ON instrument.* TO looking@'%'",
            "GRANT SELECT ON performance_schema.* TO looking@'%'",
        ],
    )
    .await;
    let look = |flags: &[&str]| {
        let mut command = support::tableshift_command(&server, "instrument", "t", ALTER);
        command.args(flags).output().expect("the program")
    };
    assert_code(&look(&[]), 3, &["metadata locks can't be seen"]);
    let allowed = "--allow-setup-metadata-lock-instruments";
    let without = look(&["--user=looking", "--password=looking", allowed]);
    assert_code(
        &without,
        5,
        &[
            "could not switch the metadata lock instrument on",
            "UPDATE command denied",
            "setup_instruments",
            "grant the missing privilege",
        ],
    );
    let done = look(&[allowed]);
    assert_code(
        &done,
        0,
        &["switched the instrument wait/lock/metadata/sql/mdl on"],
    );
    let again = look(&[allowed]);
    assert_done(&again);
    assert!(!String::from_utf8_lossy(&again.stderr).contains("switched"));
}

#[test]
fn a_server_that_says_nothing_is_waited_for_as_long_as_asked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener
        .local_addr()
        .expect("its number")
        .port()
        .to_string();
    let ended = output(bare(&[
        "--port",
        &port,
        "--mysql-timeout=1.2",
        "--alter=ALTER TABLE d.t FORCE",
    ]));
    assert_code(&ended, 5, &["could not connect: no answer within 1 s"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dump_is_asked_for_again_only_as_often_as_allowed() {
    let server = shared();
    let mut conn = schema(server, "dumps", 10).await;
    let proxy = Proxy::start(server).await;
    let flags = ["--binlogsyncer-max-reconnect-attempts=2"];
    let running = Running::start_through(server, proxy.port, "dumps", &flags);
    running.copied(&mut conn, 10).await;
    proxy.deny_dumps(true);
    let dump: Vec<u64> = conn
        .query(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%' AND \
             USER = 'tableshift'",
        )
        .await
        .expect("the dumps");
    for id in dump {
        let _ = conn.query_drop(format!("KILL {id}")).await;
    }
    assert_code(
        &running.end(),
        5,
        &["the binary log could not be followed beyond"],
    );
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_asked_for_without_echo() {
    let server = shared();
    let mut conn = schema(server, "asked", 10).await;
    account(&mut conn, "asked", "typed secret 3").await;
    let port = server.port.to_string();
    let command = bare(&[
        "--user=asked",
        "--ask-pass",
        "--port",
        &port,
        "--alter=ALTER TABLE asked.t FORCE",
    ]);
    let mut terminal = Terminal::run(&command);
    terminal.shows("Password: ").await;
    terminal.press("typed secret 3\r");
    let (code, text) = terminal.end().await;
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("secret"), "{text}");

    let mut terminal = Terminal::run(&command);
    terminal.shows("Password: ").await;
    terminal.press("never mind\u{3}");
    let (code, text) = terminal.end().await;
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("no password was given") && !text.contains("mind"),
        "{text}"
    );
}

/// A run that is held before its cut-over by a file in `folder`.
fn held(server: &Server, schema: &str, folder: &Folder) -> Command {
    let mut command = support::tableshift_command(server, schema, "t", ALTER);
    command
        .args(["--execute", "--postpone-cut-over-flag-file"])
        .arg(folder.0.join("hold"))
        .arg("--serve-socket-file")
        .arg(folder.0.join("socket"));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_ctrl_c_has_to_be_meant() {
    let server = shared();
    let mut conn = schema(server, "meant", 10).await;
    let folder = Folder::new("meant");
    let mut terminal = Terminal::run(&held(server, "meant", &folder));
    let hold = folder.0.join("hold");
    wait_until(PATIENCE, "the run is under way", async || hold.exists()).await;
    terminal.press("\u{3}");
    terminal.shows("press Ctrl-C again within 5 s").await;
    assert!(terminal.child.try_wait().expect("its state").is_none());
    terminal.press("\u{3}");
    let (code, text) = terminal.end().await;
    assert_eq!(code, Some(4), "{text}");
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn term_stops_a_run_on_a_terminal_at_once() {
    let server = shared();
    let mut conn = schema(server, "term", 10).await;
    let folder = Folder::new("term");
    let terminal = Terminal::run(&held(server, "term", &folder));
    let hold = folder.0.join("hold");
    wait_until(PATIENCE, "the run is under way", async || hold.exists()).await;
    send("-TERM", &terminal.child);
    let (code, text) = terminal.end().await;
    assert_eq!(code, Some(4), "{text}");
    assert!(!text.contains("Ctrl-C again"), "{text}");
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_cron_nothing_is_asked_and_nothing_is_missing() {
    let server = shared();
    let mut conn = schema(server, "cron", 10).await;
    let folder = Folder::new("cron");
    for (signal, code) in [("-INT", 4), ("-TERM", 4), ("", 0)] {
        let asked = held(server, "cron", &folder);
        let child = Command::new("setsid")
            .arg("--wait")
            .arg(asked.get_program())
            .args(asked.get_args())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("setsid; scripts/setup installs it");
        let hold = folder.0.join("hold");
        wait_until(PATIENCE, "the run is under way", async || hold.exists()).await;
        if signal.is_empty() {
            std::fs::remove_file(&hold).expect("the flag file");
        } else {
            send(signal, &child);
        }
        let ended = child.wait_with_output().expect("its end");
        assert_code(&ended, code, &[]);
        let log = String::from_utf8_lossy(&ended.stderr);
        assert!(!log.contains("again within"), "{log}");
        let _ = std::fs::remove_file(&hold);
    }
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
}
