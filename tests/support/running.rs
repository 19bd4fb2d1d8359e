//! A migration of a small table `t` under way, for tests of what happens to it meanwhile.

use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::server::Server;
use super::{tableshift_command, through, wait_until};

/// Far more than any step takes.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The change.
pub const ALTER: &str = "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT ''";

/// A schema with a table `t` of `rows` rows.
pub async fn schema(server: &Server, name: &str, rows: u32) -> Conn {
    let mut conn = server.conn(None).await;
    for statement in [
        format!("CREATE DATABASE {name}"),
        format!("USE {name}"),
        "CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)".into(),
        "SET SESSION cte_max_recursion_depth = 2000000".into(),
        format!(
            "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \
             {rows}) SELECT i, i * 7 FROM n"
        ),
    ] {
        conn.query_drop(statement).await.expect("a fresh schema");
    }
    conn
}

/// Runs statements one after the other.
pub async fn execute(conn: &mut Conn, statements: &[&str]) {
    for statement in statements {
        let outcome = conn.query_drop(*statement).await;
        outcome.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// The tables of the connection's schema, without the history (tests/history.rs), which stays.
pub async fn tables(conn: &mut Conn) -> Vec<String> {
    let mut tables: Vec<String> = conn.query("SHOW TABLES").await.expect("tables");
    tables.retain(|table| table != tableshift::plan::history::TABLE);
    tables
}

/// The rows of `t`.
pub async fn content(conn: &mut Conn, columns: &str) -> Vec<(i32, i32)> {
    let query = format!("SELECT {columns} FROM t ORDER BY 1");
    conn.query(query).await.expect("the table's rows")
}

/// A running migration of `t`, held before its cut-over by a flag file.
pub struct Running {
    pub child: Child,
    pub hold: PathBuf,
}

impl Running {
    /// Starts it.
    pub fn start(server: &Server, schema: &str, flags: &[&str]) -> Self {
        Self::start_through(server, server.port, schema, flags)
    }

    /// Starts it on another port, behind which the server is.
    pub fn start_through(server: &Server, port: u16, schema: &str, flags: &[&str]) -> Self {
        let hold = std::env::temp_dir().join(format!(
            "tableshift-{}-{schema}.postpone",
            std::process::id()
        ));
        let command = tableshift_command(server, schema, "t", ALTER);
        let child = through(&command, server, port)
            .args(["--execute", "--postpone-cut-over-flag-file"])
            .arg(&hold)
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        Self { child, hold }
    }

    /// Waits until the ghost has as many rows.
    pub async fn copied(&self, conn: &mut Conn, rows: u64) {
        wait_until(PATIENCE, "the copy is complete", async || {
            let count: Result<Option<u64>, _> =
                conn.query_first("SELECT COUNT(*) FROM _t_gho").await;
            matches!(count, Ok(Some(count)) if count == rows)
        })
        .await;
    }

    /// Waits until every connection is open: the flag file is made then.
    pub async fn under_way(&self) {
        wait_until(PATIENCE, "the run is under way", async || {
            self.hold.exists()
        })
        .await;
    }

    /// Allows the cut-over.
    pub fn release(&self) {
        std::fs::remove_file(&self.hold).expect("the flag file");
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let sent = std::process::Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(sent.success());
    }

    /// Most memory that it has had so far, in KiB.
    pub fn memory_peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("it is still running");
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .expect("its peak")
    }

    /// Waits for its end.
    pub fn end(self) -> Output {
        let output = self.child.wait_with_output().expect("the program's end");
        let _ = std::fs::remove_file(&self.hold);
        output
    }
}

/// The rows are the same; otherwise shows the first that aren't.
pub fn assert_same(found: &[(i32, i32)], expected: &[(i32, i32)]) {
    let only = |one: &[(i32, i32)], other: &[(i32, i32)]| -> Vec<(i32, i32)> {
        let lacking = |row: &&(i32, i32)| !other.contains(row);
        one.iter().filter(lacking).take(10).copied().collect()
    };
    assert!(
        found == expected,
        "only found: {:?}, only expected: {:?}",
        only(found, expected),
        only(expected, found)
    );
}

/// It ended with this exit code and said this on stderr.
pub fn assert_code(output: &Output, code: i32, fragments: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for fragment in fragments {
        assert!(text.contains(fragment), "no {fragment:?} in:\n{text}");
    }
}

/// It ended well.
pub fn assert_done(output: &Output) {
    assert_code(output, 0, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().last(), Some("# Done"), "{text}");
}
