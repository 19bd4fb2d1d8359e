//! What pauses a run: each kind of signal holds the copy and says why, lets it go again, and holds as
//! well while it can't be read. Ends, hibernation, and that a paused run is no load.

#[cfg(test)]
mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{PATIENCE, Running, assert_same, content, execute, schema, tables};
use support::server::Server;
use support::wait_until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// One server for all tests but those that count its statements or need a replica.
fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// A run whose output is read while it goes on.
struct Watched {
    running: Running,
    output: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Watched {
    fn start(server: &Server, schema: &str, flags: &[&str]) -> Self {
        let mut running = Running::start(server, schema, flags);
        let output = Arc::new(Mutex::new(String::new()));
        let (out, err) = (running.child.stdout.take(), running.child.stderr.take());
        let readers = vec![
            follow(out.expect("its stdout"), &output),
            follow(err.expect("its stderr"), &output),
        ];
        Self {
            running,
            output,
            readers,
        }
    }

    fn output(&self) -> String {
        self.output.lock().expect("the output").clone()
    }

    /// Waits until it has said this.
    async fn says(&self, text: &str) {
        self.says_again(0, text).await;
    }

    /// Waits until it has said this behind so many bytes of output.
    async fn says_again(&self, from: usize, text: &str) {
        wait_until(PATIENCE, &format!("it says {text:?}"), async || {
            self.output()[from..].contains(text)
        })
        .await;
    }

    /// Nothing is copied while it is throttled for this reason.
    async fn held(&self, conn: &mut Conn, reason: &str) {
        self.says(&format!("State: throttled, {reason}")).await;
        self.says(&format!("throttled: {reason}")).await;
        let copied: Option<u64> = conn
            .query_first("SELECT COUNT(*) FROM _t_gho")
            .await
            .expect("the ghost");
        assert_eq!(copied, Some(0));
    }

    /// Waits for its end.
    fn end(self) -> (Option<i32>, String) {
        let status = self.running.end().status.code();
        for reader in self.readers {
            reader.join().expect("a reader of its output");
        }
        let output = self.output.lock().expect("the output").clone();
        (status, output)
    }

    /// Lets it swap the tables; the new one must be exact.
    async fn completes(self, conn: &mut Conn, rows: u64) {
        self.running.copied(conn, rows).await;
        let before = content(conn, "id, v").await;
        self.running.release();
        let (code, output) = self.end();
        assert_eq!(code, Some(0), "{output}");
        assert_same(&content(conn, "id, v").await, &before);
        assert!(content(conn, "id, LENGTH(note)").await.len() == before.len());
    }
}

fn follow(mut stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut piece = [0; 4_096];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            let text = String::from_utf8_lossy(&piece[..count]);
            output.lock().expect("the output").push_str(&text);
        }
    })
}

/// Holds so many prepared statements, for a status variable that the test alone moves.
async fn prepare(conn: &mut Conn, count: u32) {
    for number in 0..count {
        let text = format!("PREPARE s{number} FROM 'SELECT 1'");
        conn.query_drop(text).await.expect("a statement");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_high_load_holds_the_copy() {
    let mut conn = schema(shared(), "loaded", 2_000).await;
    let mut load = shared().conn(None).await;
    prepare(&mut load, 5).await;
    let flags = ["--max-load=Threads_running=100000,Prepared_stmt_count=5"];
    let run = Watched::start(shared(), "loaded", &flags);
    run.held(&mut conn, "max-load Prepared_stmt_count=").await;
    load.disconnect().await.expect("the end of the load");
    run.completes(&mut conn, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_cannot_be_read_holds_the_copy() {
    for (name, flag, variable) in [
        ("noload", "--max-load=No_such_thing=1", "No_such_thing"),
        ("nocritical", "--critical-load=No_such_one=1", "No_such_one"),
    ] {
        let mut conn = schema(shared(), name, 100).await;
        let run = Watched::start(shared(), name, &[flag]);
        let reason = format!("{variable} is not a status variable of this server");
        run.held(&mut conn, &reason).await;
        run.running.terminate();
        let (code, output) = run.end();
        assert_eq!(code, Some(4), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_load_ends_the_run_and_leaves_the_original() {
    for (name, flags) in [
        ("critical", &["--critical-load=Uptime=0"][..]),
        (
            "twice",
            &[
                "--critical-load=Uptime=0",
                "--critical-load-interval-millis=500",
            ],
        ),
    ] {
        let mut conn = schema(shared(), name, 100).await;
        let before = content(&mut conn, "id, v").await;
        let (code, output) = Watched::start(shared(), name, flags).end();
        assert_eq!(code, Some(4), "{output}");
        assert!(
            output.contains("stopping: critical-load Uptime="),
            "{output}"
        );
        assert!(output.contains("is in place, untouched"), "{output}");
        // The log of a run that looks twice tells of the first look.
        let first = output.contains("throttled: critical-load Uptime=");
        assert!(first || flags.len() == 1, "{output}");
        assert_eq!(tables(&mut conn).await, ["t"]);
        assert_same(&content(&mut conn, "id, v").await, &before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_load_that_has_gone_at_the_second_look_ends_nothing() {
    let mut conn = schema(shared(), "second", 2_000).await;
    let mut load = shared().conn(None).await;
    prepare(&mut load, 50).await;
    let flags = [
        "--critical-load=Prepared_stmt_count=50",
        "--critical-load-interval-millis=6000",
    ];
    let run = Watched::start(shared(), "second", &flags);
    run.held(&mut conn, "critical-load Prepared_stmt_count=")
        .await;
    load.disconnect().await.expect("the end of the load");
    run.completes(&mut conn, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_load_can_make_the_run_hibernate() {
    let mut conn = schema(shared(), "winter", 2_000).await;
    let mut load = shared().conn(None).await;
    prepare(&mut load, 300).await;
    let flags = [
        "--critical-load=Prepared_stmt_count=300",
        "--critical-load-hibernate-seconds=4",
    ];
    let run = Watched::start(shared(), "winter", &flags);
    run.held(&mut conn, "critical-load-hibernate until 20")
        .await;
    load.disconnect().await.expect("the end of the load");
    // Nothing is written, not even heartbeats: several of their intervals go by without one.
    let (mut last, mut same) = (None, 0);
    wait_until(PATIENCE, "heartbeats rest", async || {
        let beat: Option<String> = conn
            .query_first("SELECT value FROM _t_ghc WHERE hint = 'heartbeat'")
            .await
            .expect("the changelog");
        same = if beat == last { same + 1 } else { 0 };
        last = beat;
        same >= 20
    })
    .await;
    assert!(!run.output().contains("leaving"), "{}", run.output());
    run.says("throttled: leaving hibernation").await;
    run.completes(&mut conn, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_holds_the_copy_while_it_is_positive_or_cannot_be_read() {
    let mut conn = schema(shared(), "asked", 2_000).await;
    let run = Watched::start(
        shared(),
        "asked",
        &["--throttle-query=SELECT v FROM asked.gate"],
    );
    run.held(&mut conn, "throttle-query Table 'asked.gate' doesn't exist")
        .await;
    execute(&mut conn, &["CREATE TABLE gate (v VARCHAR(10))"]).await;
    run.held(&mut conn, "throttle-query returned no row").await;
    execute(&mut conn, &["INSERT INTO gate VALUES (NULL)"]).await;
    run.held(&mut conn, "throttle-query returned NULL").await;
    execute(&mut conn, &["UPDATE gate SET v = 'many'"]).await;
    run.held(&mut conn, "throttle-query returned no number")
        .await;
    execute(&mut conn, &["UPDATE gate SET v = '1'"]).await;
    run.held(&mut conn, "throttle-query").await;
    run.says("State: throttled, throttle-query;").await;
    execute(&mut conn, &["UPDATE gate SET v = '0'"]).await;
    run.completes(&mut conn, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_hangs_holds_the_copy_and_never_piles_up() {
    let mut conn = schema(shared(), "hanging", 2_000).await;
    execute(
        &mut conn,
        &["CREATE TABLE gate (v INT)", "INSERT INTO gate VALUES (600)"],
    )
    .await;
    let query = "--throttle-query=SELECT SLEEP(v) * 0 FROM hanging.gate";
    let run = Watched::start(shared(), "hanging", &[query]);
    run.held(&mut conn, "throttle-query no answer for 1 s")
        .await;
    let running: Vec<u64> = conn
        .query("SELECT ID FROM performance_schema.processlist WHERE INFO LIKE 'SELECT SLEEP(v)%'")
        .await
        .expect("sessions");
    assert!(running.len() <= 1, "{running:?}");
    execute(&mut conn, &["UPDATE gate SET v = 0"]).await;
    run.completes(&mut conn, 2_000).await;
}

/// Answers every request on this port with a status of its own time.
async fn answer(port: u16, status: Arc<AtomicU16>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    let listener = listener.expect("the port");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = [0; 1_024];
            let count = client.read(&mut request).await.unwrap_or_default();
            let status = if request[..count].starts_with(b"HEAD /freno/check HTTP/1.1\r\n") {
                status.load(Ordering::SeqCst)
            } else {
                400
            };
            let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n");
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
}

/// A port that nobody listens on.
async fn free_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let address = listener.expect("a port").local_addr();
    address.expect("its number").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_holds_the_copy_unless_it_answers_200() {
    let mut conn = schema(shared(), "linked", 2_000).await;
    let port = free_port().await;
    let flag = format!("--throttle-http=http://127.0.0.1:{port}/freno/check");
    let run = Watched::start(shared(), "linked", &[&flag]);
    run.held(&mut conn, "freno: connection error (http=-1)")
        .await;
    let status = Arc::new(AtomicU16::new(429));
    answer(port, Arc::clone(&status)).await;
    run.held(&mut conn, "freno: threshold exceeded (http=429)")
        .await;
    status.store(200, Ordering::SeqCst);
    run.completes(&mut conn, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_cannot_be_reached_holds_nothing_when_that_is_allowed() {
    let mut conn = schema(shared(), "unlinked", 500).await;
    let flag = format!("--throttle-http=http://127.0.0.1:{}/", free_port().await);
    let flags = [flag.as_str(), "--ignore-http-errors"];
    let run = Watched::start(shared(), "unlinked", &flags);
    run.completes(&mut conn, 500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lags_or_does_not_answer_holds_the_run() {
    let primary = Server::start(&[]);
    let replica = Server::start_replica_of(&primary);
    let mut there = replica.conn(None).await;
    let mut conn = schema(&primary, "followed", 2_000).await;
    execute(&mut there, &["STOP REPLICA SQL_THREAD"]).await;
    let place = format!("127.0.0.1:{}", replica.port);
    let flag = format!("--throttle-control-replicas={place}");
    let flags = [flag.as_str(), "--max-lag-millis=1000"];
    let run = Watched::start(&primary, "followed", &flags);
    run.held(&mut conn, &format!("{place} has no heartbeat yet"))
        .await;
    execute(&mut there, &["START REPLICA SQL_THREAD"]).await;
    run.running.copied(&mut conn, 2_000).await;
    for (stop, go) in [
        ("STOP REPLICA SQL_THREAD", "START REPLICA SQL_THREAD"),
        ("STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD"),
    ] {
        let from = run.output().len();
        execute(&mut there, &[stop]).await;
        let lag = format!("State: throttled, {place} replica-lag=");
        run.says_again(from, &lag).await;
        execute(&mut there, &[go]).await;
        run.says_again(from, "no longer throttled after").await;
    }
    let from = run.output().len();
    replica.freeze();
    let silent = format!("throttled: {place} no answer for 1 s");
    run.says_again(from, &silent).await;
    replica.thaw();
    run.says_again(from, "no longer throttled after").await;
    run.completes(&mut conn, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_found_from_the_primary_and_their_lag_counts() {
    let primary = Server::start(&[]);
    let replica = Server::start_replica_of(&primary);
    let mut there = replica.conn(None).await;
    let mut conn = schema(&primary, "found", 2_000).await;
    let flags = ["--discover-replicas", "--max-lag-millis=1000"];
    let run = Watched::start(&primary, "found", &flags);
    let place = format!("127.0.0.1:{}", replica.port);
    run.says(&format!("replicas found: {place}\n")).await;
    run.running.copied(&mut conn, 2_000).await;
    let from = run.output().len();
    // It vanishes from the primary's list, and is behind nevertheless.
    execute(&mut there, &["STOP REPLICA"]).await;
    let lag = format!("State: throttled, {place} replica-lag=");
    run.says_again(from, &lag).await;
    run.running.release();
    execute(&mut conn, &["UPDATE t SET v = -1 WHERE id = 7"]).await;
    assert!(tables(&mut conn).await.contains(&"_t_gho".to_owned()));
    execute(&mut there, &["START REPLICA"]).await;
    let (code, output) = run.end();
    assert_eq!(code, Some(0), "{output}");
    assert_eq!(content(&mut conn, "id, v").await[6], (7, -1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_run_sends_nothing_to_the_tables() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "calm", 2_000).await;
    execute(
        &mut conn,
        &["CREATE TABLE gate (v INT)", "INSERT INTO gate VALUES (0)"],
    )
    .await;
    let query = "--throttle-query=SELECT v FROM calm.gate";
    let run = Watched::start(&server, "calm", &[query]);
    run.running.copied(&mut conn, 2_000).await;
    execute(&mut conn, &["UPDATE gate SET v = 1"]).await;
    run.says("State: throttled, throttle-query;").await;
    // Work for the refresh, which waits.
    execute(&mut conn, &["UPDATE t SET v = v + 1 WHERE id <= 300"]).await;
    heartbeats(&mut conn, 5).await;
    let before = statements(&mut conn).await;
    heartbeats(&mut conn, 12).await;
    assert_eq!(statements(&mut conn).await, before);
    let stale: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM t JOIN _t_gho AS g USING (id) WHERE t.v <> g.v")
        .await
        .expect("both tables");
    assert_eq!(stale, Some(300));
    execute(&mut conn, &["UPDATE gate SET v = 0"]).await;
    run.completes(&mut conn, 2_000).await;
}

/// Waits for so many heartbeats: they go on, a tenth of a second apart.
async fn heartbeats(conn: &mut Conn, count: u32) {
    let (mut last, mut seen) = (None, 0);
    wait_until(PATIENCE, "heartbeats go on", async || {
        let beat: Option<String> = conn
            .query_first("SELECT value FROM _t_ghc WHERE hint = 'heartbeat'")
            .await
            .expect("the changelog");
        seen += u32::from(beat != last);
        last = beat;
        seen > count
    })
    .await;
}

/// Statements on the original and the ghost so far: the tool names tables with their schema.
async fn statements(conn: &mut Conn) -> Option<u64> {
    conn.query_first(
        "SELECT CAST(COALESCE(SUM(COUNT_STAR), 0) AS UNSIGNED) FROM \
         performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE \
         '%`calm` . `t`%' OR DIGEST_TEXT LIKE '%`calm` . `_t_gho`%'",
    )
    .await
    .expect("statement counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nice_run_rests_after_each_chunk() {
    let mut conn = schema(shared(), "nice", 2_000).await;
    let flags = ["--nice-ratio=100", "--chunk-size=100"];
    let run = Watched::start(shared(), "nice", &flags);
    run.says("copy complete rows=2000 chunks=").await;
    let output = run.output();
    let figure = |name: &str| -> f64 {
        let rest = output.split(&format!("{name}=")).nth(1).expect(name);
        let text = rest.split_whitespace().next().expect(name);
        text.parse().expect(name)
    };
    // Each chunk took a millisecond at least; two connections copy, and the last ones needn't rest.
    let least = (figure("chunks") - 2.0) * 0.1 / 2.0;
    assert!(least > 0.5 && figure("seconds") >= least, "{output}");
    run.completes(&mut conn, 2_000).await;
}

/// One line to the socket, and its whole answer.
fn ask(socket: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("the socket");
    stream
        .write_all(format!("{line}\n").as_bytes())
        .expect("a line");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_can_be_changed_while_the_run_goes_on() {
    let mut conn = schema(shared(), "live", 2_000).await;
    let socket = std::env::temp_dir().join(format!("tableshift-live-{}", std::process::id()));
    let path = socket.to_string_lossy().into_owned();
    let flags = ["--serve-socket-file", path.as_str(), "--max-load=Uptime=0"];
    let run = Watched::start(shared(), "live", &flags);
    run.held(&mut conn, "max-load Uptime=").await;
    let state = async |expected: &str| {
        wait_until(PATIENCE, expected, async || {
            ask(&socket, "sup").contains(&format!("State: {expected}"))
        })
        .await;
    };
    let url = format!("throttle-http=http://127.0.0.1:{}/", free_port().await);
    // Each is set before the one before it is cleared, so that the run never goes on in between.
    let mut clear_last = "max-load=";
    for (set, reason, clear) in [
        (
            "throttle-query=SELECT 1",
            "throttle-query;",
            "throttle-query=",
        ),
        (url.as_str(), "Connection error", "throttle-http="),
        (
            "throttle-control-replicas=127.0.0.1:1",
            "127.0.0.1:1 ",
            "throttle-control-replicas=",
        ),
        ("throttle", "commanded by user", "no-throttle"),
    ] {
        ask(&socket, set);
        ask(&socket, clear_last);
        state(&format!("throttled, {reason}")).await;
        clear_last = clear;
    }
    ask(&socket, clear_last);
    assert!(
        ask(&socket, "throttle-http=https://h/").contains("must be http://host"),
        "what can't be asked is refused"
    );
    state("postponing cut-over").await;
    ask(&socket, "critical-load=Uptime=0");
    let (code, output) = run.end();
    assert_eq!(code, Some(4), "{output}");
    assert!(
        output.contains("stopping: critical-load Uptime="),
        "{output}"
    );
    assert_eq!(tables(&mut conn).await, ["t"]);
}
