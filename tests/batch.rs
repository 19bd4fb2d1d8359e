//! `tableshift batch`: each migration exactly once, whatever happens to the batch and to servers.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use support::running::{PATIENCE, assert_code, execute};
use support::server::Server;
use support::wait_until;

const USER: &str = "batch";
/// It must be seen nowhere.
const SECRET: &str = "Zq9hidden";
const SECRET_VARIABLE: &str = "BATCH_TEST_PASSWORD";
/// Twice it would leave two indexes.
const ALTER: &str = "ADD INDEX (v)";

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("tableshift-batch-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn manifest(&self, text: &str) -> PathBuf {
        let path = self.0.join("manifest.toml");
        std::fs::write(&path, text).expect("the manifest");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn batch(manifest: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .arg("batch")
        .args(flags)
        .arg(manifest)
        .env(SECRET_VARIABLE, SECRET)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(manifest: &Path, flags: &[&str]) -> Output {
    batch(manifest, flags).output().expect("the program")
}

fn start(manifest: &Path, flags: &[&str]) -> Child {
    batch(manifest, flags).spawn().expect("the program")
}

#[track_caller]
fn ends(output: &Output, code: i32, words: &[&str]) {
    let told = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let told = told.concat();
    assert_eq!(output.status.code(), Some(code), "{told}");
    for word in words {
        assert!(told.contains(word), "no {word:?} in:\n{told}");
    }
    assert!(!told.contains(SECRET), "{told}");
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
}

/// A server with the batch's account.
async fn server() -> (Server, Conn) {
    let server = Server::start(&[]);
    let mut conn = server.conn(None).await;
    execute(
        &mut conn,
        &[
            &format!("CREATE USER {USER} IDENTIFIED BY '{SECRET}'"),
            &format!("GRANT ALL ON *.* TO {USER}"),
        ],
    )
    .await;
    (server, conn)
}

async fn tables(conn: &mut Conn, schema: &str, count: usize) {
    execute(conn, &[&format!("CREATE DATABASE {schema}")]).await;
    for number in 0..count {
        let table = format!("{schema}.t{number}");
        execute(
            conn,
            &[
                &format!("CREATE TABLE {table} (id INT PRIMARY KEY, v INT NOT NULL)"),
                &format!("INSERT INTO {table} VALUES (1, 10), (2, 20), (3, {number})"),
            ],
        )
        .await;
    }
}

/// Every table of the schema was changed once, by one run, and has its rows.
async fn changed_once(conn: &mut Conn, schema: &str, count: usize) {
    for number in 0..count {
        let table = format!("t{number}");
        let indexes: Option<u32> = conn
            .query_first(format!(
                "SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE \
                 TABLE_SCHEMA='{schema}' AND TABLE_NAME='{table}'"
            ))
            .await
            .expect("indexes");
        assert_eq!(indexes, Some(2), "{schema}.{table}");
        let runs: Option<u32> = conn
            .query_first(format!(
                "SELECT COUNT(*) FROM {schema}._tableshift_history WHERE table_name='{table}' AND \
                 result='completed'"
            ))
            .await
            .expect("the history");
        assert_eq!(runs, Some(1), "{schema}.{table}");
        let rows: Vec<(i32, i32)> = conn
            .query(format!("SELECT id, v FROM {schema}.{table} ORDER BY id"))
            .await
            .expect("rows");
        let last = i32::try_from(number).expect("few tables");
        assert_eq!(rows, [(1, 10), (2, 20), (3, last)], "{schema}.{table}");
    }
}

async fn count(conn: &mut Conn, state: &str, of: &str) -> u32 {
    let query = format!(
        "SELECT COUNT(*) FROM ops._tableshift_batch WHERE state='{state}' AND batch='{of}'"
    );
    // It isn't there before the batch has made it.
    conn.query_first(query)
        .await
        .ok()
        .flatten()
        .unwrap_or_default()
}

fn manifest(name: &str, servers: &[(&str, u16)], top: &str, migrations: &str) -> String {
    let mut text = format!("name = '{name}'\n{top}\n[state]\nserver = 'a'\nschema = 'ops'\n");
    for (server, port) in servers {
        text.push_str(&format!(
            "[servers.{server}]\nhost = '127.0.0.1'\nport = {port}\nuser = '{USER}'\npassword-env = \
             '{SECRET_VARIABLE}'\n"
        ));
    }
    text + migrations
}

fn migration(name: &str, schemas: &str, alter: &str, more: &str) -> String {
    format!(
        "[[migrations]]\nname = '{name}'\nschemas = '{schemas}'\ntables = 't*'\nalter = '{alter}'\n{more}\n"
    )
}

/// What others can see while it runs: command lines and files.
fn assert_hidden(folder: &Folder) {
    for process in std::fs::read_dir("/proc").expect("processes").flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(!line.contains(SECRET), "{line}");
    }
    for log in std::fs::read_dir(folder.0.join("logs"))
        .expect("logs")
        .flatten()
    {
        let text = std::fs::read_to_string(log.path()).expect("a log");
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn three_servers_and_twenty_tables() {
    let (one, mut a) = server().await;
    let (two, mut b) = server().await;
    let (three, mut c) = server().await;
    execute(&mut a, &["CREATE DATABASE ops"]).await;
    let servers = [("a", one.port), ("b", two.port), ("c", three.port)];
    killed_in_the_middle(&servers, [&mut a, &mut b, &mut c]).await;
    two_at_once(&servers, [&mut a, &mut b, &mut c]).await;
    one_is_down(&servers, [&mut a, &mut b, &mut c]).await;
}

/// The batch is killed, and the next run finishes everything.
async fn killed_in_the_middle(servers: &[(&str, u16)], conns: [&mut Conn; 3]) {
    let [a, b, c] = conns;
    let folder = Folder::new("killed");
    for (conn, schemas) in [(&mut *a, [4, 3]), (&mut *b, [4, 3]), (&mut *c, [3, 3])] {
        tables(conn, "shop_1", schemas[0]).await;
        tables(conn, "shop_2", schemas[1]).await;
    }
    let first = migration("one", "shop_1", ALTER, "");
    let second = migration("two", "shop_2", ALTER, "after = ['one']");
    let top = "concurrency = 4\nserver-concurrency = 2\non-end = 'cat > told; env > variables'";
    let path = folder.manifest(&manifest("killed", servers, top, &(first + &second)));
    ends(&run(&path, &[]), 0, &["0 done, 20 pending of 20"]);
    assert_eq!(run(&path, &["status"]).status.code(), Some(13));
    let mut child = start(&path, &["--execute"]);
    wait_until(PATIENCE, "some are done and some run", async || {
        count(a, "done", "killed").await >= 3 && count(a, "running", "killed").await >= 2
    })
    .await;
    assert_hidden(&folder);
    child.kill().expect("kill");
    child.wait().expect("its end");
    assert!(count(a, "done", "killed").await < 20);
    ends(
        &run(&path, &["--execute"]),
        0,
        &["batch killed completed: 20 done of 20"],
    );
    for (conn, schemas) in [(&mut *a, [4, 3]), (b, [4, 3]), (c, [3, 3])] {
        changed_once(conn, "shop_1", schemas[0]).await;
        changed_once(conn, "shop_2", schemas[1]).await;
    }
    let told = std::fs::read_to_string(folder.0.join("told")).expect("the summary");
    assert!(
        told.contains("batch killed completed: 20 done of 20"),
        "{told}"
    );
    let variables = std::fs::read_to_string(folder.0.join("variables")).expect("variables");
    for variable in ["TABLESHIFT_BATCH=killed", "TABLESHIFT_BATCH_DONE=20"] {
        assert!(
            variables.lines().any(|line| line == variable),
            "{variables}"
        );
    }
    assert!(!variables.contains(SECRET));
    assert_hidden(&folder);
    let kept: Vec<String> = a
        .query("SELECT CONCAT_WS(' ', alter_text, reason, worker) FROM ops._tableshift_batch")
        .await
        .expect("the state");
    assert!(kept.iter().all(|row| !row.contains(SECRET)), "{kept:?}");
    // Nothing is left to do, and nobody is told so again.
    std::fs::remove_file(folder.0.join("told")).expect("the summary");
    let again = run(&path, &["--execute", "--format=json"]);
    ends(
        &again,
        0,
        &["\"result\":\"completed\",\"exit_code\":0,\"count\":20,\"done\":20"],
    );
    assert!(!folder.0.join("told").exists());
    ends(&run(&path, &["status"]), 0, &["20 done of 20"]);
}

/// Two machines work on one manifest.
async fn two_at_once(servers: &[(&str, u16)], conns: [&mut Conn; 3]) {
    let folder = Folder::new("two");
    let [a, b, c] = conns;
    for conn in [&mut *a, &mut *b, &mut *c] {
        tables(conn, "twins", 3).await;
    }
    let text = manifest(
        "two",
        servers,
        "concurrency = 4",
        &migration("m", "twins", ALTER, ""),
    );
    let path = folder.manifest(&text);
    // The first stands still with one job claimed until the other has some.
    let held = folder.0.join("held");
    let mut left = batch(&path, &["--execute", "--worker", "left"]);
    let fault = format!("commit@batch:hold-after={}", held.display());
    let left = left.env("TABLESHIFT_FAULTS", fault).spawn();
    wait_until(PATIENCE, "the first has claimed", async || held.exists()).await;
    let right = start(&path, &["--execute", "--worker", "right"]);
    wait_until(PATIENCE, "the other works", async || {
        count(a, "done", "two").await > 0
    })
    .await;
    std::fs::remove_file(&held).expect("the first goes on");
    let others = [left.expect("the program"), right];
    for other in others {
        let output = other.wait_with_output().expect("its end");
        // Who has nothing more to begin doesn't wait for the other's last.
        assert!(matches!(output.status.code(), Some(0 | 13)), "{output:?}");
    }
    ends(&run(&path, &["status"]), 0, &["9 done of 9"]);
    let workers: Option<u32> = a
        .query_first("SELECT COUNT(DISTINCT worker) FROM ops._tableshift_batch WHERE batch='two' AND state='done'")
        .await
        .expect("workers");
    assert_eq!(workers, Some(2));
    for conn in [a, b, c] {
        changed_once(conn, "twins", 3).await;
    }
}

/// The others go on; what comes after waits; once the server is back all is done.
async fn one_is_down(servers: &[(&str, u16)], conns: [&mut Conn; 3]) {
    let folder = Folder::new("down");
    let [a, b, c] = conns;
    for conn in [&mut *a, &mut *b, &mut *c] {
        tables(conn, "down", 2).await;
    }
    let first = "[[migrations]]\nname = 'first'\nschemas = 'down'\ntables = 't0'\nalter = 'ADD INDEX (v)'\n";
    let second = "[[migrations]]\nname = 'second'\nschemas = 'down'\ntables = 't1'\nalter = 'ADD INDEX (v)'\nafter = 'first'\n";
    let migrations = format!("{first}{second}");
    // Nobody listens there: the port is taken and given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let mut broken = servers.to_vec();
    broken[2].1 = free.expect("a port").port();
    let path = folder.manifest(&manifest("down", &broken, "", &migrations));
    let output = run(&path, &["--execute"]);
    ends(
        &output,
        13,
        &["server c was left out", "2 done", "2 pending of 4"],
    );
    let path = folder.manifest(&manifest("down", servers, "", &migrations));
    ends(&run(&path, &["--execute"]), 0, &["6 done of 6"]);
    for conn in [a, b, c] {
        changed_once(conn, "down", 2).await;
    }
}

#[tokio::test]
async fn one_process_of_a_machine_works_and_a_stop_is_resumed() {
    let (one, mut conn) = server().await;
    execute(&mut conn, &["CREATE DATABASE ops"]).await;
    let servers = [("a", one.port)];
    let folder = Folder::new("cron");
    tables(&mut conn, "cron", 3).await;
    let hold = folder.0.join("hold");
    let top = format!(
        "[defaults]\npostpone-cut-over-flag-file = '{}'",
        hold.display()
    );
    let migrations = migration("m", "cron", ALTER, "");
    let text = manifest("cron", &servers, &top, &migrations);
    let path = folder.manifest(&text);
    let first = start(&path, &["--execute"]);
    wait_until(PATIENCE, "a migration is under way", async || hold.exists()).await;
    ends(&run(&path, &["--execute"]), 14, &["another process of"]);
    ends(
        &run(&path, &["status"]),
        13,
        &["1 running, 2 pending of 3", "heard of"],
    );
    assert_hidden(&folder);
    signal(&first, "-TERM");
    let output = first.wait_with_output().expect("its end");
    ends(
        &output,
        13,
        &["stopped by TERM", "1 interrupted, 2 pending of 3"],
    );
    let path = folder.manifest(&manifest("cron", &servers, "", &migrations));
    ends(&run(&path, &["--execute"]), 0, &["3 done of 3"]);
    changed_once(&mut conn, "cron", 3).await;
    failures(&servers, &mut conn).await;
    unclear(&servers, &mut conn).await;
    filled_once(&servers, &mut conn).await;
    closed_window(&servers, &mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_takes_over_after_the_lease_and_not_before() {
    let (one, mut conn) = server().await;
    execute(&mut conn, &["CREATE DATABASE ops"]).await;
    let servers = [("a", one.port)];
    let folder = Folder::new("takeover");
    tables(&mut conn, "takeover", 1).await;
    let hold = folder.0.join("hold");
    let top = format!(
        "[defaults]\npostpone-cut-over-flag-file = '{}'",
        hold.display()
    );
    let migrations = migration("m", "takeover", ALTER, "");
    let path = folder.manifest(&manifest("takeover", &servers, &top, &migrations));
    let mut first = start(&path, &["--execute", "--worker=first"]);
    wait_until(PATIENCE, "a migration is under way", async || hold.exists()).await;
    signal(&first, "-KILL");
    first.wait().expect("its end");
    let path = folder.manifest(&manifest("takeover", &servers, "", &migrations));
    let second = ["--execute", "--worker=second"];
    ends(&run(&path, &second), 13, &["on first", "1 running of 1"]);
    let silence = "UPDATE ops._tableshift_batch SET heartbeat = UTC_TIMESTAMP(6) - INTERVAL 181 SECOND \
                   WHERE state='running'";
    execute(&mut conn, &[silence]).await;
    ends(&run(&path, &second), 0, &["1 done of 1"]);
    changed_once(&mut conn, "takeover", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_stopped_where_the_window_says_so() {
    let (one, mut conn) = server().await;
    execute(&mut conn, &["CREATE DATABASE ops"]).await;
    let servers = [("a", one.port)];
    let folder = Folder::new("ending");
    tables(&mut conn, "ending", 1).await;
    let hold = folder.0.join("hold");
    // It ends at a full minute, half a minute from now at the earliest.
    let window: Option<String> = conn
        .query_first(
            "SELECT CONCAT(DATE_FORMAT(now - INTERVAL 1 MINUTE, '%H:%i'), '-', DATE_FORMAT(now + INTERVAL \
             IF(SECOND(now) > 30, 2, 1) MINUTE, '%H:%i'), ' UTC') FROM (SELECT UTC_TIMESTAMP() AS now) AS n",
        )
        .await
        .expect("a window");
    let top = |window: &str| format!("when-window-ends = 'stop'\n{window}");
    let held = format!(
        "window = '{}'\n[defaults]\npostpone-cut-over-flag-file = '{}'",
        window.expect("a window"),
        hold.display()
    );
    let migrations = migration("m", "ending", ALTER, "");
    let path = folder.manifest(&manifest("ending", &servers, &top(&held), &migrations));
    let output = run(&path, &["--execute"]);
    assert!(hold.exists(), "it was under way");
    ends(&output, 13, &["outside the window", "1 interrupted of 1"]);
    let path = folder.manifest(&manifest("ending", &servers, &top(""), &migrations));
    ends(&run(&path, &["--execute"]), 0, &["1 done of 1"]);
    changed_once(&mut conn, "ending", 1).await;
}

/// After which the definition is as before, and doing it twice costs what was written in between.
const EMPTIES: &str = "DROP COLUMN note, ADD COLUMN note TEXT";

async fn notes(conn: &mut Conn, schema: &str) {
    execute(
        conn,
        &[
            &format!("CREATE DATABASE {schema}"),
            &format!("CREATE TABLE {schema}.t0 (id INT PRIMARY KEY, note TEXT)"),
            &format!("INSERT INTO {schema}.t0 VALUES (1, 'old')"),
        ],
    )
    .await;
}

async fn note(conn: &mut Conn, schema: &str) -> Option<String> {
    let query = format!("SELECT COALESCE(note, '') FROM {schema}.t0");
    conn.query_first(query).await.expect("a note")
}

/// Whether an ALTER was made isn't told by the definition alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_not_done_again_though_the_definition_is_the_same() {
    let (one, mut conn) = server().await;
    execute(&mut conn, &["CREATE DATABASE ops"]).await;
    let servers = [("a", one.port)];
    for (schema, fault, code, words) in [
        (
            "recorded",
            "record the end of a job@batch:kill-before",
            0,
            "an earlier run did it",
        ),
        (
            "unrecorded",
            "alter the table instantly@main:kill-after",
            12,
            "altered or made anew since it began",
        ),
    ] {
        notes(&mut conn, schema).await;
        let folder = Folder::new(schema);
        let migrations = migration("m", schema, EMPTIES, "");
        let path = folder.manifest(&manifest(schema, &servers, "", &migrations));
        let mut faulty = batch(&path, &["--execute"]);
        faulty.env("TABLESHIFT_FAULTS", fault);
        let output = faulty.output().expect("the program");
        assert_ne!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(note(&mut conn, schema).await.as_deref(), Some(""));
        let write = format!("UPDATE {schema}.t0 SET note = 'new'");
        execute(&mut conn, &[&write]).await;
        let again = run(&path, &["--execute", "--retry-failed"]);
        ends(&again, code, &[words]);
        assert_eq!(note(&mut conn, schema).await.as_deref(), Some("new"));
    }
}

/// Somebody may have taken back what an older run of the same ALTER did.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_run_of_the_same_alter_is_not_believed() {
    let (one, mut conn) = server().await;
    execute(&mut conn, &["CREATE DATABASE ops"]).await;
    let servers = [("a", one.port)];
    let folder = Folder::new("older");
    tables(&mut conn, "older", 1).await;
    let path = folder.manifest(&manifest(
        "before",
        &servers,
        "[defaults]\nok-to-drop-table = true",
        &migration("m", "older", ALTER, ""),
    ));
    ends(&run(&path, &["--execute"]), 0, &["1 done of 1"]);
    execute(&mut conn, &["ALTER TABLE older.t0 DROP INDEX v"]).await;
    let path = folder.manifest(&manifest(
        "older",
        &servers,
        "",
        &migration("m", "older", ALTER, ""),
    ));
    let mut faulty = batch(&path, &["--execute"]);
    faulty.env(
        "TABLESHIFT_FAULTS",
        "create the changelog table@main:kill-before",
    );
    ends(
        &faulty.output().expect("the program"),
        13,
        &["1 interrupted of 1"],
    );
    execute(&mut conn, &["ALTER TABLE older.t0 ADD COLUMN other INT"]).await;
    ends(
        &run(&path, &["--execute", "--retry-failed"]),
        12,
        &["altered or made anew since it began"],
    );
}

/// A machine that stood still starts its migration when another one has long made it.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_begins_only_with_the_table_that_its_batch_has_seen() {
    let (one, mut conn) = server().await;
    execute(&mut conn, &["CREATE DATABASE ops"]).await;
    let servers = [("a", one.port)];
    let folder = Folder::new("fence");
    tables(&mut conn, "fence", 1).await;
    let migrations = migration("m", "fence", ALTER, "");
    let path = folder.manifest(&manifest("fence", &servers, "", &migrations));
    let held = folder.0.join("held");
    let late = batch(&path, &["--execute"])
        .env(
            "TABLESHIFT_FAULTS",
            format!("take the advisory lock@main:hold={}", held.display()),
        )
        .spawn()
        .expect("the program");
    wait_until(PATIENCE, "a migration is about to begin", async || {
        held.exists()
    })
    .await;
    execute(&mut conn, &["ALTER TABLE fence.t0 ADD INDEX (v)"]).await;
    std::fs::remove_file(&held).expect("the hold");
    ends(
        &late.wait_with_output().expect("its end"),
        12,
        &["altered or made anew since the batch looked at it"],
    );
    let indexes: Option<u32> = conn
        .query_first(
            "SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE \
             TABLE_SCHEMA='fence' AND TABLE_NAME='t0'",
        )
        .await
        .expect("indexes");
    assert_eq!(indexes, Some(2));
}

/// What the state alone says is no better than what a run says.
#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_that_of_the_last_run() {
    let (one, mut conn) = server().await;
    execute(&mut conn, &["CREATE DATABASE ops"]).await;
    tables(&mut conn, "status", 1).await;
    let folder = Folder::new("status");
    let away = [("a", one.port), ("away", 1)];
    let drop = "[defaults]\nok-to-drop-table = true";
    let good = migration("m", "status", ALTER, "");
    let path = folder.manifest(&manifest("status", &away, drop, &good));
    ends(
        &run(&path, &["--execute"]),
        13,
        &["server away was left out"],
    );
    ends(
        &run(&path, &["status"]),
        13,
        &["1 done of 1", "server away wasn't asked yet"],
    );
    let servers = [("a", one.port)];
    let path = folder.manifest(&manifest("status", &servers, drop, &good));
    ends(&run(&path, &["status"]), 0, &["1 done of 1"]);
    let bad = |name: &str| {
        let more = migration(name, "status", "DROP COLUMN nothing", "after = 'm'");
        manifest("status", &servers, drop, &format!("{good}{more}"))
    };
    let path = folder.manifest(&bad("bad"));
    ends(&run(&path, &["status"]), 13, &["wasn't asked yet"]);
    ends(&run(&path, &["--execute"]), 12, &["DROP"]);
    let path = folder.manifest(&bad("renamed"));
    ends(&run(&path, &["--execute"]), 12, &["1 failed"]);
    ends(&run(&path, &["status"]), 12, &["1 failed"]);
    ends(
        &run(&path, &["--execute", "--retry", "0123456789abcdef"]),
        5,
        &["no job 0123456789abcdef"],
    );
    let twice = [("a", one.port), ("alias", one.port)];
    let mut text = manifest("twice", &twice, "", &good);
    let last = text.rfind("127.0.0.1").expect("a host");
    text.replace_range(last..last + "127.0.0.1".len(), "localhost");
    let path = folder.manifest(&text);
    ends(
        &run(&path, &["--execute"]),
        3,
        &["a and alias are the same server"],
    );
}

/// Or another machine could take over what this one is still at.
#[tokio::test(flavor = "multi_thread")]
async fn migrations_are_stopped_when_the_state_is_out_of_reach() {
    let (state, mut ops) = server().await;
    let (one, mut conn) = server().await;
    execute(&mut ops, &["CREATE DATABASE ops"]).await;
    tables(&mut conn, "lost", 1).await;
    let servers = [("a", state.port), ("b", one.port)];
    let folder = Folder::new("lost");
    let hold = folder.0.join("hold");
    let top = format!(
        "[defaults]\npostpone-cut-over-flag-file = '{}'",
        hold.display()
    );
    let migrations = migration("m", "lost", ALTER, "servers = ['b']");
    let path = folder.manifest(&manifest("lost", &servers, &top, &migrations));
    let first = start(&path, &["--execute"]);
    wait_until(PATIENCE, "a migration is under way", async || hold.exists()).await;
    state.freeze();
    let output = first.wait_with_output().expect("its end");
    state.thaw();
    ends(&output, 13, &["state is out of reach", "1 running of 1"]);
    let lock = "SELECT IS_FREE_LOCK('gh-ost::lost.t0')";
    let free: Option<u32> = conn.query_first(lock).await.expect("a lock");
    assert_eq!(free, Some(1), "the migration is over");
    let path = folder.manifest(&manifest("lost", &servers, "", &migrations));
    ends(&run(&path, &["--execute"]), 0, &["1 done of 1"]);
    changed_once(&mut conn, "lost", 1).await;
}

/// A failed one stays failed until it is told otherwise, and hinders what comes after.
async fn failures(servers: &[(&str, u16)], conn: &mut Conn) {
    let folder = Folder::new("failures");
    for schema in ["bad", "later", "other"] {
        tables(conn, schema, 1).await;
    }
    let migrations = migration("bad", "bad", "ADD COLUMN v INT", "")
        + &migration("later", "later", ALTER, "after = 'bad'")
        + &migration("other", "other", ALTER, "");
    let top = "on-failure = 'skip-dependents'";
    let path = folder.manifest(&manifest("failures", servers, top, &migrations));
    let words = [
        "1 done, 1 failed, 1 skipped of 3",
        "bad failed",
        "exit code",
    ];
    let attempts = async |conn: &mut Conn| -> Option<u32> {
        let query =
            "SELECT attempts FROM ops._tableshift_batch WHERE migration='bad' AND state='failed'";
        conn.query_first(query).await.expect("attempts")
    };
    ends(&run(&path, &["--execute"]), 12, &words);
    ends(&run(&path, &["--execute"]), 12, &words);
    assert_eq!(attempts(conn).await, Some(1));
    ends(&run(&path, &["--execute", "--retry-failed"]), 12, &words);
    assert_eq!(attempts(conn).await, Some(2));
    ends(&run(&path, &["status"]), 12, &words);
    changed_once(conn, "other", 1).await;
}

/// A run whose end isn't known is not repeated on a table that has changed.
async fn unclear(servers: &[(&str, u16)], conn: &mut Conn) {
    let folder = Folder::new("unclear");
    tables(conn, "unclear", 1).await;
    let text = manifest(
        "unclear",
        servers,
        "",
        &migration("m", "unclear", ALTER, ""),
    );
    let path = folder.manifest(&text);
    // A batch and its migration are killed, and the table changes; nobody recorded how.
    let mut killed = batch(&path, &["--execute"]);
    killed.env(
        "TABLESHIFT_FAULTS",
        "note the table's definition@batch:kill-after",
    );
    assert_eq!(killed.output().expect("the program").status.code(), None);
    execute(conn, &["ALTER TABLE unclear.t0 ADD INDEX (v)"]).await;
    let output = run(&path, &["--execute"]);
    ends(
        &output,
        12,
        &["altered or made anew since it began", "--mark-done"],
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = text
        .lines()
        .find(|line| line.contains("unclear.t0"))
        .expect("its row");
    let id = row.split_whitespace().next().expect("its id");
    ends(
        &run(&path, &["--execute", "--retry-failed"]),
        12,
        &["altered or made anew since it began"],
    );
    ends(
        &run(&path, &["--execute", "--mark-done", id]),
        0,
        &["1 done of 1"],
    );
}

/// A backfill shows in no definition: a run that swapped and could not say so is not repeated.
async fn filled_once(servers: &[(&str, u16)], conn: &mut Conn) {
    let folder = Folder::new("filled");
    tables(conn, "filled", 1).await;
    let migrations = migration(
        "m",
        "filled",
        "MODIFY v INT NOT NULL",
        "backfill = ['v = v * 10']\nflags = { ok-to-drop-table = true }",
    );
    let path = folder.manifest(&manifest("filled", servers, "", &migrations));
    let mut killed = batch(&path, &["--execute"]);
    killed.env("TABLESHIFT_FAULTS", "rename tables@locker:kill-after");
    ends(
        &killed.output().expect("the program"),
        13,
        &["1 interrupted of 1"],
    );
    let rows = async |conn: &mut Conn| -> Vec<(i32, i32)> {
        let query = "SELECT id, v FROM filled.t0 ORDER BY id";
        conn.query(query).await.expect("rows")
    };
    let expected = [(1, 100), (2, 200), (3, 0)];
    wait_until(PATIENCE, "it is swapped", async || {
        rows(conn).await == expected
    })
    .await;
    ends(
        &run(&path, &["--execute"]),
        12,
        &["altered or made anew since it began", "--mark-done"],
    );
    assert_eq!(rows(conn).await, expected);
}

/// Outside its window nothing begins.
async fn closed_window(servers: &[(&str, u16)], conn: &mut Conn) {
    let folder = Folder::new("window");
    tables(conn, "closed", 1).await;
    // A day of the week that is neither today nor next to it, in any zone.
    let day: Option<String> = conn
        .query_first("SELECT LEFT(DAYNAME(UTC_DATE() + INTERVAL 3 DAY), 3)")
        .await
        .expect("a day");
    let top = format!("window = '{} 01:00-02:00 UTC'", day.expect("a day"));
    let path = folder.manifest(&manifest(
        "window",
        servers,
        &top,
        &migration("m", "closed", ALTER, ""),
    ));
    ends(
        &run(&path, &["--execute"]),
        13,
        &["outside the window", "1 pending of 1"],
    );
}

#[tokio::test]
async fn answers_are_lost_and_the_batch_dies_at_any_step() {
    let (one, mut conn) = server().await;
    execute(&mut conn, &["CREATE DATABASE ops"]).await;
    for (number, fault) in [
        "commit@batch:lost-after",
        "commit@batch:kill-after",
        "claim the batch's jobs@batch:lost-after",
        "note the table's definition@batch:lost-after",
        "record the end of a job@batch:lost-before",
        "record the end of a job@batch:lost-after",
        "record the end of a job@batch:kill-before",
        "read the batch's state@batch:lost-after:2",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("fault_{number}");
        let folder = Folder::new(&name);
        tables(&mut conn, &name, 1).await;
        let servers = [("a", one.port)];
        let text = manifest(&name, &servers, "", &migration("m", &name, ALTER, ""));
        let path = folder.manifest(&text);
        let hits = folder.0.join("hits");
        let mut faulty = batch(&path, &["--execute"]);
        faulty
            .env("TABLESHIFT_FAULTS", fault)
            .env("TABLESHIFT_FAULTS_HITS", &hits);
        let output = faulty.output().expect("the program");
        assert!(hits.exists(), "{fault} didn't happen");
        let killed = fault.contains("kill");
        assert_eq!(
            output.status.code(),
            (!killed).then_some(0),
            "{fault}: {output:?}"
        );
        ends(&run(&path, &["--execute"]), 0, &["1 done of 1"]);
        changed_once(&mut conn, &name, 1).await;
    }
}

#[test]
fn ten_mistakes_are_told_at_once() {
    let folder = Folder::new("mistakes");
    let path = folder.manifest(
        "nam = 'x'\nconcurrency = 0\non-failure = 'panic'\n[state]\nserver = 'b'\n[defaults]\npassword = \
         'Zq9hidden'\n[servers.a]\nport = 1\n[[migrations]]\nschemas = 'd'\ntables = 't'\nafter = 'm'\n\
         alter = ''\n",
    );
    let output = run(&path, &["--execute"]);
    let words = [
        "line 1: the manifest has no nam",
        "line 1: the manifest: name is missing",
        "line 2: concurrency must be",
        "line 3: on-failure is one of",
        "line 4: [state]: schema is missing",
        "line 5: [state]: there is no [servers.b]",
        "line 7: defaults: password would be seen",
        "line 8: [servers.a]: host is missing",
        "line 10: [[migrations]]: name is missing",
        "after: there is no m",
        "line 14: alter is empty",
        "nothing was sent",
    ];
    ends(&output, 2, &words);
    assert_code(&output, 2, &[]);
}
