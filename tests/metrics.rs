//! The numbers for machines, of real runs: the endpoint that Prometheus scrapes, and StatsD. They are those
//! of the status line, they are told whatever clients do, and no client is waited for.

mod openmetrics;
#[cfg(test)]
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;

use openmetrics::{Set, check};
use support::running::{
    ALTER, PATIENCE, Running, assert_code, assert_done, execute, schema, tables,
};
use support::server::{PASSWORD, Server};
use support::{tableshift_command, wait_until};

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

const OPEN: &str =
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// The port that the run's log names; the rest of the log is read and dropped.
fn port(running: &mut Running) -> u16 {
    let log = running.child.stderr.take().expect("its log");
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let told = lines.find_map(|line| {
        let (_, place) = line.split_once("metrics at http://127.0.0.1:")?;
        place.strip_suffix("/metrics")?.parse().ok()
    });
    std::thread::spawn(move || lines.for_each(drop));
    told.expect("the log tells the port")
}

/// The answer to bytes, whole.
fn answer(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the endpoint");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Head and body of the answer to a scrape.
fn scrape(port: u16, accept: &str) -> (String, String) {
    let request = format!("GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: {accept}\r\n\r\n");
    let answer = answer(port, &request);
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{head}"
    );
    (head.to_owned(), body.to_owned())
}

fn numbers(port: u16) -> Set {
    let (head, body) = scrape(port, OPEN);
    let kind = "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains(kind),
        "{head}"
    );
    check(&body).unwrap_or_else(|wrong| panic!("{wrong} in\n{body}"))
}

fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tableshift-{}-{name}.sock", std::process::id()))
}

/// The status line, from the control socket.
fn status(path: &PathBuf) -> String {
    let mut stream = UnixStream::connect(path).expect("the control socket");
    stream.write_all(b"sup\n").expect("a command");
    let mut line = String::new();
    stream.read_to_string(&mut line).expect("its answer");
    line
}

/// Two numbers of the status line, `name: 1/2`.
fn pair(line: &str, name: &str) -> (f64, f64) {
    let (_, rest) = line.split_once(&format!("{name}: ")).expect(name);
    let words = rest.split([' ', ';']).next().expect("a pair");
    let (one, other) = words.split_once('/').expect("a pair");
    (one.parse().expect(name), other.parse().expect(name))
}

#[track_caller]
fn labels_name_the_table_and_nothing_else(set: &Set) {
    let mut names: Vec<&str> = Vec::new();
    for sample in set.families.iter().flat_map(|family| &family.samples) {
        assert_eq!(sample.label("database"), Some("scraped"));
        assert_eq!(sample.label("table"), Some("t"));
        names.extend(sample.labels.iter().map(|(name, _)| name.as_str()));
    }
    names.sort_unstable();
    names.dedup();
    let expected = ["commit", "database", "table", "tableshift_stage", "version"];
    assert_eq!(names, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_says_what_the_status_line_says() {
    let mut conn = schema(shared(), "scraped", 300).await;
    let control = socket("scraped");
    let path = control.to_string_lossy().into_owned();
    let token = "--hooks-hint-token=ours-alone";
    let flags = ["--metrics-listen=0", token, "--serve-socket-file", &path];
    let mut running = Running::start(shared(), "scraped", &flags);
    let port = port(&mut running);
    running.copied(&mut conn, 300).await;
    execute(&mut conn, &["UPDATE t SET v = 987654 WHERE id IN (7, 8)"]).await;
    let value = |set: &Set, name: &str| set.number(name);
    wait_until(PATIENCE, "the cut-over is postponed", async || {
        let set = numbers(port);
        set.family("tableshift_postponed").is_some()
            && value(&set, "tableshift_postponed") == 1.0
            && value(&set, "tableshift_applied_rows_total") == 2.0
            && value(&set, "tableshift_backlog_keys") == 0.0
    })
    .await;
    let before = numbers(port);
    let line = status(&control);
    let after = numbers(port);
    assert!(
        line.contains("State: postponing cut-over; ETA: due"),
        "{line}"
    );
    let copied = (
        value(&before, "tableshift_copied_rows_total"),
        value(&before, "tableshift_expected_rows"),
    );
    assert_eq!((copied, copied.0), (pair(&line, "Copy"), 300.0));
    assert!(line.contains("100.0%; Applied: 2; "), "{line}");
    assert_eq!(value(&before, "tableshift_progress_ratio"), 1.0);
    assert_eq!(value(&before, "tableshift_remaining_seconds"), 0.0);
    let backlog = (
        value(&before, "tableshift_backlog_keys"),
        value(&before, "tableshift_backlog_capacity_keys"),
    );
    assert_eq!(backlog, pair(&line, "Backlog"));
    let seconds = |name: &str, set: &Set| value(set, name).floor();
    let (_, times) = line.split_once("Time: ").expect("times");
    let (total, rest) = times.split_once("s(total), ").expect("the total");
    let (copy, _) = rest.split_once("s(copy)").expect("the copy");
    let total: f64 = total.parse().expect("less than a minute");
    assert!(seconds("tableshift_elapsed_seconds", &before) <= total);
    assert!(total <= seconds("tableshift_elapsed_seconds", &after));
    let copy: f64 = copy.parse().expect("less than a minute");
    assert_eq!(seconds("tableshift_copy_seconds_total", &before), copy);
    assert!(value(&before, "tableshift_lag_seconds") < 60.0);
    assert_eq!(value(&before, "tableshift_verified_rows_total"), 300.0);

    labels_name_the_table_and_nothing_else(&before);
    let (_, body) = scrape(port, OPEN);
    for never in ["987654", "127.0.0.1", "ours-alone"] {
        assert!(!body.contains(never), "{never}");
    }
    // The password is the program's name, which stands in names: as a value it would stand in quotes.
    assert!(!body.contains(&format!("\"{PASSWORD}\"")));

    let (head, older) = scrape(port, "text/plain");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert!(
        !older.contains("# EOF") && older.contains("# TYPE tableshift_copied_rows_total counter\n")
    );
    running.release();
    assert_done(&running.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_opened_is_told_before_anything_is_written() {
    let mut conn = schema(shared(), "taken", 10).await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its number").port();
    let run = |flags: &[&str]| -> Output {
        let mut command = tableshift_command(shared(), "taken", "t", ALTER);
        command.args(flags).output().expect("the program")
    };
    let listen = format!("--metrics-listen={port}");
    for execute in ["--execute", "--execute=false"] {
        let output = run(&[&listen, "--statsd-addr=nobody.invalid:8125", execute]);
        let place = format!("metrics can't be served on port {port} of 127.0.0.1");
        let fragments = [
            place.as_str(),
            "StatsD at port 8125 of nobody.invalid can't be reached",
            "  data:  ",
            "  next:  ",
        ];
        assert_code(&output, 3, &fragments);
    }
    let output = run(&["--statsd-addr=/nowhere/statsd.sock", "--execute"]);
    assert_code(
        &output,
        3,
        &["StatsD at /nowhere/statsd.sock can't be reached"],
    );
    let all: Vec<String> = mysql_async::prelude::Queryable::query(&mut conn, "SHOW TABLES")
        .await
        .expect("tables");
    assert_eq!(all, ["t"], "not even the history");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_hostile_clients_are_not_waited_for() {
    let mut conn = schema(shared(), "hostile", 300).await;
    let mut running = Running::start(shared(), "hostile", &["--metrics-listen=0"]);
    let port = port(&mut running);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("\x16\x03\x01 hello\r\n\r\n", "400 Bad Request"),
        (
            &format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(8_192 - 26)),
            "431 Request Header Fields Too Large",
        ),
    ] {
        let answer = answer(port, request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{answer}"
        );
    }
    // More of them than are served at a time, and they stay until the run is over.
    let silent: Vec<TcpStream> = (0..40)
        .filter_map(|number| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            let half = ["", "GET /metr", "GET /metrics HTTP/1.1\r\nHost"];
            stream.write_all(half[number % 3].as_bytes()).ok()?;
            Some(stream)
        })
        .collect();
    assert!(silent.len() > 8);
    running.copied(&mut conn, 300).await;
    execute(&mut conn, &["UPDATE t SET v = 5 WHERE id = 7"]).await;
    running.release();
    assert_done(&running.end());
    let expected = ["_t_del", "_t_ghk", "t"];
    assert_eq!(tables(&mut conn).await, expected);
    drop(silent);
}

/// Names and types of gh-ost's metrics that are sent here.
const SENT: [(&str, &str); 15] = [
    ("binlog.backlog_capacity", "g"),
    ("binlog.backlog_size", "g"),
    ("binlog.backlog_utilization", "g"),
    ("cut_over.attempts_total", "c"),
    ("cut_over.phase_duration_milliseconds", "ms"),
    ("cut_over.total_duration_milliseconds", "ms"),
    ("dml.events_applied", "g"),
    ("lag.heartbeat_seconds", "g"),
    ("lag.replication_seconds", "g"),
    ("row_copy.rows_copied", "g"),
    ("row_copy.rows_estimate", "g"),
    ("startup", "c"),
    ("throttle.active", "g"),
    ("throttle.duration_milliseconds", "ms"),
    ("throttle.events_total", "c"),
];

/// Every line of the datagrams, by name; all values, and the tags beside the operator's.
fn read_lines(datagrams: &[String]) -> BTreeMap<String, Vec<(f64, String)>> {
    let mut found: BTreeMap<String, Vec<(f64, String)>> = BTreeMap::new();
    for line in datagrams.iter().flat_map(|datagram| datagram.split('\n')) {
        let (name, rest) = line.split_once(':').expect(line);
        let name = name.strip_prefix("gh_ost.").expect(line);
        let mut parts = rest.split('|');
        let value = parts
            .next()
            .and_then(|value| value.parse().ok())
            .expect(line);
        let kind = parts.next().expect(line);
        assert!(SENT.contains(&(name, kind)), "{line}");
        let tags = parts
            .next()
            .and_then(|tags| tags.strip_prefix("#env:test,team:x"));
        assert_eq!(parts.next(), None, "{line}");
        let values = found.entry(name.to_owned()).or_default();
        values.push((value, tags.expect(line).to_owned()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn statsd_is_sent_gh_osts_metrics() {
    let mut conn = schema(shared(), "sent", 300).await;
    let collector = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = format!(
        "--statsd-addr={}",
        collector.local_addr().expect("its address")
    );
    let pause = std::env::temp_dir().join(format!("tableshift-{}-sent", std::process::id()));
    std::fs::write(&pause, "").expect("a flag file");
    let flag = format!("--throttle-flag-file={}", pause.display());
    let tags = ["--statsd-tags=env:test", "--statsd-tags", "team:x"];
    let running = Running::start(
        shared(),
        "sent",
        &[&[address.as_str(), &flag], &tags[..]].concat(),
    );
    let datagram = || {
        let mut bytes = [0; 65_536];
        let length = collector.recv(&mut bytes).expect("a datagram");
        assert!(length <= 1_400, "{length}");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    collector
        .set_read_timeout(Some(PATIENCE))
        .expect("a socket");
    let mut datagrams = Vec::new();
    while !read_lines(&datagrams)
        .get("throttle.active")
        .is_some_and(|values| values.iter().any(|(value, _)| *value == 1.0))
    {
        datagrams.push(datagram());
    }
    std::fs::remove_file(&pause).expect("the flag file");
    running.copied(&mut conn, 300).await;
    running.release();
    assert_done(&running.end());
    collector.set_nonblocking(true).expect("a socket");
    let mut bytes = [0; 65_536];
    while let Ok(length) = collector.recv(&mut bytes) {
        datagrams.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
    }
    let found = read_lines(&datagrams);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, SENT.map(|(name, _)| name));
    let last = |name: &str| found[name].last().map(|(value, _)| *value);
    let sum = |name: &str| found[name].iter().map(|(value, _)| *value).sum::<f64>();
    assert_eq!(last("row_copy.rows_copied"), Some(300.0));
    assert_eq!(last("row_copy.rows_estimate"), Some(300.0));
    assert_eq!(last("throttle.active"), Some(0.0));
    assert_eq!(sum("startup"), 1.0);
    assert_eq!(sum("throttle.events_total"), 1.0);
    assert_eq!(found["throttle.duration_milliseconds"].len(), 1);
    let attempts = sum("cut_over.attempts_total");
    assert!(attempts >= 1.0);
    let phases = &found["cut_over.phase_duration_milliseconds"];
    assert!(
        phases
            .iter()
            .all(|(_, tags)| tags == ",phase:lock_wait" || tags == ",phase:locked")
    );
    let total = sum("cut_over.total_duration_milliseconds");
    assert_eq!(sum("cut_over.phase_duration_milliseconds"), total);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_gone_or_full_costs_a_run_nothing() {
    let server = shared();
    // A port that nobody has any more.
    let gone = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = gone.local_addr().expect("its address");
    drop(gone);
    // And a unix socket that nobody reads: its queue is full after some datagrams.
    let path = socket("full");
    let _ = std::fs::remove_file(&path);
    let unread = UnixDatagram::bind(&path).expect("a socket");
    let filler = UnixDatagram::unbound().expect("a socket");
    filler.connect(&path).expect("the socket");
    filler.set_nonblocking(true).expect("a socket");
    while filler.send(b"full").is_ok() {}
    for (name, place) in [
        ("gone", address.to_string()),
        ("full", path.display().to_string()),
    ] {
        let mut conn = schema(server, name, 100).await;
        let flag = format!("--statsd-addr={place}");
        let running = Running::start(server, name, &[&flag]);
        running.copied(&mut conn, 100).await;
        running.release();
        assert_done(&running.end());
        assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    }
    drop(unread);
    let _ = std::fs::remove_file(&path);
}
