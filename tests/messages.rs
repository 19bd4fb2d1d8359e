//! What a run says, word for word as it was read in review; numbers and the server's name are left out.

#[cfg(test)]
mod support;

use std::process::{Command, Output};
use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::golden;
use support::running::{ALTER, PATIENCE, Running, execute, schema};
use support::server::Server;
use support::{tableshift_command, wait_until};

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// Numbers become `#`; what depends on the machine and the day gets a name.
async fn plain(conn: &mut Conn, bytes: &[u8]) -> String {
    let host: Option<String> = conn.query_first("SELECT @@hostname").await.expect("a name");
    let host = host.expect("a name");
    let folder = std::env::temp_dir().display().to_string();
    let text = String::from_utf8_lossy(bytes)
        .replace(&format!(" {host}:"), " SERVER:")
        .replace(&format!("={host}:"), "=SERVER:")
        .replace(&format!("executing on {host}\n"), "executing on HERE\n")
        .replace(
            &format!("{folder}/tableshift-{}", std::process::id()),
            "FOLDER/ID",
        );
    let mut plain = String::new();
    for line in text.lines() {
        // Large or small, it depends on the machine.
        let line = ["KiB", "MiB", "TiB"]
            .iter()
            .fold(line.to_owned(), |line, unit| line.replace(unit, "GiB"));
        let line = match line.split_once(" started at ") {
            Some((what, _)) => format!("{what} started at DAY"),
            None => line,
        };
        for letter in line.chars() {
            match letter {
                '0'..='9' if plain.ends_with('#') => {}
                '0'..='9' => plain.push('#'),
                other => plain.push(other),
            }
        }
        plain.push('\n');
    }
    plain
}

/// The log without steps that may come sooner or later than others, and of stdout what isn't a line of the
/// progress.
async fn told(conn: &mut Conn, output: &Output) -> String {
    let log = plain(conn, &output.stderr).await;
    let steps = ["cut-over postponed", "copy complete", "verified rows"];
    let fixed = |line: &&str| !steps.iter().any(|step| line.contains(step));
    let log: String = log
        .lines()
        .filter(fixed)
        .map(|line| format!("{line}\n"))
        .collect();
    let out = plain(conn, &output.stdout).await;
    // They come by the second; replies.txt has them.
    let by_time =
        |line: &&str| line.starts_with("Copy: ") || line.starts_with("# ") && *line != "# Done";
    let lines = out.lines().filter(|line| !by_time(line));
    let out: String = lines.map(|line| format!("{line}\n")).collect();
    format!(
        "exit code {}\n\n--- stderr\n{log}\n--- stdout\n{out}",
        output.status.code().unwrap_or(-1)
    )
}

/// The answer on the socket.
fn answer(socket: &str, command: &str) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_tableshift"))
        .args(["ctl", "--socket", socket, command])
        .output();
    output.expect("the program").stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_lists_everything_at_once() {
    let mut conn = schema(shared(), "refusal", 10).await;
    execute(
        &mut conn,
        &[
            "CREATE TRIGGER before_t BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 1",
            "CREATE TABLE child (t_id INT, CONSTRAINT of_t FOREIGN KEY (t_id) REFERENCES t (id))",
        ],
    )
    .await;
    let output = tableshift_command(
        shared(),
        "refusal",
        "t",
        "RENAME TO other, DROP PRIMARY KEY",
    )
    .arg("--execute")
    .output()
    .expect("the program");
    golden("tests/golden/refused.txt", &told(&mut conn, &output).await);
}

/// A run of which only the cut-over is left, and its socket.
async fn held(conn: &mut Conn, name: &str) -> (Running, String) {
    let folder = std::env::temp_dir().display().to_string();
    let socket = format!("{folder}/tableshift-{}.{name}.sock", std::process::id());
    let running = Running::start(shared(), name, &["--serve-socket-file", &socket]);
    running.copied(conn, 50).await;
    wait_until(PATIENCE, "only the cut-over is left", async || {
        let progress = answer(&socket, "sup");
        String::from_utf8_lossy(&progress).contains("State: postponing cut-over; ETA: due")
    })
    .await;
    (running, socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_to_its_end() {
    let mut conn = schema(shared(), "course", 50).await;
    let (running, socket) = held(&mut conn, "course").await;
    let mut replies = String::new();
    for command in [
        "status",
        "sup",
        "help",
        "chunk-size=?",
        "max-load=?",
        "coordinates",
        "nonsense",
    ] {
        let reply = plain(&mut conn, &answer(&socket, command)).await;
        replies.push_str(&format!("> {command}\n{reply}"));
    }
    golden("tests/golden/replies.txt", &replies);
    running.release();
    let text = told(&mut conn, &running.end()).await;
    golden("tests/golden/completed.txt", &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped() {
    let mut conn = schema(shared(), "stopped", 50).await;
    let (running, _) = held(&mut conn, "stopped").await;
    running.terminate();
    let text = told(&mut conn, &running.end()).await;
    golden("tests/golden/stopped.txt", &text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial() {
    let mut conn = schema(shared(), "trial", 10).await;
    let output = tableshift_command(shared(), "trial", "t", ALTER)
        .output()
        .expect("the program");
    golden("tests/golden/trial.txt", &told(&mut conn, &output).await);
}
