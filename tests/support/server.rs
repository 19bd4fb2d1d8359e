//! MySQL servers that live as long as a test needs them.

use std::{
    fmt::Write as _,
    path::PathBuf,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

use mysql_async::{Conn, Opts, OptsBuilder};

/// The user that `scripts/mysql` creates on every server; it may do everything.
pub const USER: &str = "tableshift";
/// The password of [`USER`].
pub const PASSWORD: &str = "tableshift";

/// A running MySQL server with its own empty data; it goes away when dropped.
///
/// It also goes away when the test process is killed, because `scripts/mysql`
/// leaves a watchdog with it. Starting one takes a few seconds and blocks the
/// thread, so tests that can share a server should, each in its own database.
#[derive(Debug)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub socket: PathBuf,
    folder: PathBuf,
}

impl Server {
    /// Starts a server with `extra` mysqld options, such as `--binlog-format=ROW`.
    pub fn start(extra: &[&str]) -> Self {
        Self::launch(&[], extra)
    }

    /// Starts a read-only GTID replica of `source`, replicating when this returns.
    pub fn start_replica_of(source: &Self) -> Self {
        let folder = source.folder.to_str().expect("the folder's name is UTF-8");
        Self::launch(&["--replica-of", folder], &[])
    }

    fn launch(options: &[&str], extra: &[&str]) -> Self {
        // Made first, so that a start that fails half-way is cleaned up as well.
        let mut server = Self {
            host: String::new(),
            port: 0,
            socket: PathBuf::new(),
            folder: new_folder(),
        };
        let output = server
            .script("start")
            .args(["--with-parent", &std::process::id().to_string()])
            .args(options)
            .arg("--")
            .args(extra)
            .output()
            .expect("scripts/mysql can be run");
        assert!(output.status.success(), "no MySQL server{}", told(&output));

        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match line.split_once('=') {
                Some(("HOST", host)) => host.clone_into(&mut server.host),
                Some(("PORT", port)) => server.port = port.parse().expect("PORT is a number"),
                Some(("SOCKET", path)) => server.socket = path.into(),
                _ => {}
            }
        }
        server
    }

    /// How to connect as [`USER`], over TCP, as `tableshift` itself does.
    pub fn opts(&self, database: Option<&str>) -> Opts {
        OptsBuilder::default()
            .ip_or_hostname(&self.host)
            .tcp_port(self.port)
            .user(Some(USER))
            .pass(Some(PASSWORD))
            .db_name(database)
            .prefer_socket(false)
            .into()
    }

    /// A new connection as [`USER`].
    pub async fn conn(&self, database: Option<&str>) -> Conn {
        Conn::new(self.opts(database))
            .await
            .expect("the server takes connections")
    }

    /// Kills the server process, as a crash would, and starts it again on the same data and port.
    pub fn kill_and_restart(&self) {
        let pid = std::fs::read_to_string(self.folder.join("mysqld.pid")).expect("its pid");
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status();
        assert!(killed.expect("kill").success());
        // A dead process that nobody has collected yet still looks alive to the new server.
        let stat = format!("/proc/{}/stat", pid.trim());
        let dead = |stat: &str| {
            stat.rsplit(") ")
                .next()
                .is_none_or(|rest| rest.starts_with(['Z', 'X']))
        };
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !dead(&stat)) {
            std::thread::yield_now();
        }
        let _ = std::fs::remove_file(self.socket.with_extension("sock.lock"));
        let output = self
            .script("start")
            .args(["--with-parent", &std::process::id().to_string()])
            .output()
            .expect("scripts/mysql can be run");
        assert!(output.status.success(), "no MySQL server{}", told(&output));
    }

    /// Stops the server; its data stay.
    pub fn stop(&self) {
        let output = self
            .script("stop")
            .output()
            .expect("scripts/mysql can be run");
        assert!(output.status.success(), "it did not stop{}", told(&output));
    }

    /// Stops the server process where it is, as a machine in trouble would; connections stay open.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.folder.join("mysqld.pid")).expect("its pid");
        let sent = Command::new("kill").args([signal, pid.trim()]).status();
        assert!(sent.expect("kill").success());
    }

    fn script(&self, command: &str) -> Command {
        let mut script = Command::new(super::project_file("scripts/mysql"));
        script.arg(command).arg(&self.folder);
        script
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let output = self.script("clean").output();
        // A second panic would abort the process and hide why the test failed.
        if !std::thread::panicking() {
            let output = output.expect("scripts/mysql can be run");
            assert!(
                output.status.success(),
                "the server did not stop{}",
                told(&output)
            );
        }
    }
}

/// A folder that no other server has, neither of this process nor of another.
fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("tableshift-test-{}-{count}", std::process::id()))
}

/// What a command printed, for the message of a failed test.
fn told(output: &Output) -> String {
    let mut text = format!(" ({})", output.status);
    for stream in [&output.stdout, &output.stderr] {
        write!(text, "\n{}", String::from_utf8_lossy(stream)).expect("a string takes any text");
    }
    text
}
