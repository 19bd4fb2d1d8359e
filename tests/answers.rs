//! Lost answers and damaged ghosts: the two ends of a run where only looking again helps.
//!
//! The tool reaches the server through a proxy that cuts the connection around a statement: before it
//! is passed on, after it was carried out and before its answer is passed back, or on the tool's side
//! alone, as a network does it that forgets a connection.

#[cfg(test)]
mod support;

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::server::Server;
use support::tableshift_command;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ALTER: &str = "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT ''";
const RENAME: &[u8] = b"RENAME /* tableshift */";
const LOCK: &[u8] = b"LOCK /* tableshift */ TABLES";

/// Where the connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    BeforeTheStatement,
    BeforeTheAnswer,
    /// The server still believes in the connection, and in what it holds.
    OurSideAlone,
}

/// A proxy in front of a server; cuts the first `cuts` statements that begin like this.
async fn proxy(server: &Server, statement: &'static [u8], cut: Cut, cuts: u32) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its number").port();
    let target = (server.host.clone(), server.port);
    let left = Arc::new(AtomicU32::new(cuts));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let target = target.clone();
            let left = Arc::clone(&left);
            tokio::spawn(async move {
                let server = TcpStream::connect(target).await.expect("the server");
                // A broken connection is what this proxy is for.
                let _ = pass(client, server, statement, cut, &left).await;
            });
        }
    });
    port
}

async fn pass(
    client: TcpStream,
    server: TcpStream,
    statement: &[u8],
    cut: Cut,
    left: &AtomicU32,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut asked = vec![0; 1 << 16];
    let mut answered = vec![0; 1 << 16];
    let mut answer_is_cut = false;
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let request = &asked[..read?];
                if request.is_empty() {
                    return Ok(());
                }
                let meant = request
                    .windows(statement.len())
                    .any(|window| window == statement);
                let cut_now = meant
                    && left
                        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                        .is_ok();
                if cut_now && cut == Cut::BeforeTheStatement {
                    return Ok(());
                }
                answer_is_cut = cut_now;
                to_server.write_all(request).await?;
                if cut_now && cut == Cut::OurSideAlone {
                    drop((from_client, to_client));
                    // Until the server ends it.
                    while from_server.read(&mut answered).await? > 0 {}
                    return Ok(());
                }
            }
            read = from_server.read(&mut answered) => {
                let answer = &answered[..read?];
                if answer.is_empty() || answer_is_cut {
                    return Ok(());
                }
                to_client.write_all(answer).await?;
            }
        }
    }
}

async fn table(server: &Server, schema: &str) -> Conn {
    let mut conn = server.conn(None).await;
    for statement in [
        format!("CREATE DATABASE {schema}"),
        format!("USE {schema}"),
        "CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)".into(),
        "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
         SELECT i, i FROM n"
            .into(),
    ] {
        conn.query_drop(statement).await.expect("a fresh table");
    }
    conn
}

/// Migrates through a port; the last `--port` counts.
async fn migrate(server: &Server, schema: &str, port: u16) -> Output {
    let mut command = tableshift_command(server, schema, "t", ALTER);
    let arguments: Vec<String> = command
        .get_args()
        .map(|argument| {
            argument
                .to_string_lossy()
                .replace(&server.port.to_string(), &port.to_string())
        })
        .collect();
    let program = command.get_program().to_owned();
    command = std::process::Command::new(program);
    command.args(arguments).arg("--execute");
    tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end")
}

async fn assert_swapped_once(conn: &mut Conn, output: &Output) {
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    let tables = support::running::tables(conn).await;
    assert_eq!(tables, ["_t_del", "_t_ghk", "t"], "{log}");
    let rows: Option<(u64, u64)> = conn
        .query_first("SELECT COUNT(*), SUM(v) FROM t WHERE note = ''")
        .await
        .expect("rows");
    assert_eq!(rows, Some((500, 500 * 501 / 2)), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_whose_answer_is_lost_is_found_in_the_catalogue() {
    let server = Server::start(&[]);
    let mut conn = table(&server, "lost").await;
    let port = proxy(&server, RENAME, Cut::BeforeTheAnswer, 1).await;
    let output = migrate(&server, "lost", port).await;
    assert_swapped_once(&mut conn, &output).await;
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("looking what became of it"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_that_never_arrived_is_tried_again() {
    let server = Server::start(&[]);
    let mut conn = table(&server, "unsent").await;
    let port = proxy(&server, RENAME, Cut::BeforeTheStatement, 2).await;
    let output = migrate(&server, "unsent", port).await;
    assert_swapped_once(&mut conn, &output).await;
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("attempts=3"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_granted_to_a_connection_that_only_the_server_believes_in_is_given_up() {
    let server = Server::start(&[]);
    let mut conn = table(&server, "half").await;
    let port = proxy(&server, LOCK, Cut::OurSideAlone, 1).await;
    let output = migrate(&server, "half", port).await;
    assert_swapped_once(&mut conn, &output).await;
    // Nobody waited for the server's own limit, which is twenty seconds.
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("attempts=2"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_ghost_is_never_swapped_in() {
    let server = Server::start(&[]);
    for (schema, damage) in [
        ("wrong", "SET NEW.v = IF(NEW.id = 77, NEW.v + 1, NEW.v)"),
        ("extra", "SET NEW.id = IF(NEW.id = 77, 7777, NEW.id)"),
    ] {
        let mut conn = table(&server, schema).await;
        let throttle = std::env::temp_dir().join(format!(
            "tableshift-{}-{schema}.throttle",
            std::process::id()
        ));
        std::fs::write(&throttle, "").expect("the throttle file");
        let child = tableshift_command(&server, schema, "t", ALTER)
            .args(["--execute", "--throttle-flag-file"])
            .arg(&throttle)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the program");
        support::wait_until(
            std::time::Duration::from_secs(60),
            "it is throttled",
            async || {
                let beats: Result<Option<u64>, _> = conn
                    .query_first("SELECT COUNT(*) FROM _t_ghc WHERE hint = 'heartbeat'")
                    .await;
                matches!(beats, Ok(Some(1)))
            },
        )
        .await;
        // Unlogged, so that the tool can't know: only looking at the rows can tell.
        conn.query_drop("SET SESSION sql_log_bin = 0")
            .await
            .expect("a setting");
        conn.query_drop(format!(
            "CREATE TRIGGER harm BEFORE INSERT ON _t_gho FOR EACH ROW {damage}"
        ))
        .await
        .expect("a trigger");
        std::fs::remove_file(&throttle).expect("the throttle file");
        let output = child.wait_with_output().expect("its end");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{log}");
        assert!(log.contains("rows that differ for certain: id=77"), "{log}");
        let tables = support::running::tables(&mut conn).await;
        assert_eq!(tables, ["t"], "{log}");
    }
}
