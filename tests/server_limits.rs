//! Real limits of a server: small caches and packets, a full disk, rows that others hold for long. In
//! each case nothing hangs, the original is as it was, the message tells what to do, and the run
//! succeeds once that is done.

#![cfg(test)]

#[cfg(test)]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::tables;
use support::server::Server;
use support::{tableshift_command, wait_until};

/// Far more than any step here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const ALTER: &str = "ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT ''";

async fn say(conn: &mut Conn, statement: impl AsRef<str>) {
    let statement = statement.as_ref();
    let shown: String = statement.chars().take(200).collect();
    conn.query_drop(statement)
        .await
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
}

/// A schema with a table `t` of `rows` rows of about 800 bytes.
async fn schema(server: &Server, name: &str, rows: u32) -> Conn {
    schema_with_key(server, name, rows, "id").await
}

/// The same under another primary key. `g` has one value for 170 rows.
async fn schema_with_key(server: &Server, name: &str, rows: u32, key: &str) -> Conn {
    let mut conn = server.conn(None).await;
    say(&mut conn, format!("CREATE DATABASE {name}")).await;
    say(&mut conn, format!("USE {name}")).await;
    say(
        &mut conn,
        format!(
            "CREATE TABLE t (id INT NOT NULL UNIQUE, v INT NOT NULL, filler MEDIUMTEXT NOT NULL, g INT \
             NOT NULL DEFAULT (id DIV 170), PRIMARY KEY ({key}))"
        ),
    )
    .await;
    say(&mut conn, "SET SESSION cte_max_recursion_depth = 100000").await;
    let insert = format!(
        "INSERT INTO t (id, v, filler) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) \
         SELECT i, i, REPEAT('x', 800) FROM n"
    );
    say(&mut conn, insert).await;
    conn
}

fn command(server: &Server, schema: &str) -> Command {
    let mut command = tableshift_command(server, schema, "t", ALTER);
    command
        .args(["--execute", "--initially-drop-ghost-table"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Waits for a run's end in another thread, so that the test's tasks go on.
async fn end(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().expect("the program's end"))
        .await
        .expect("a thread")
}

async fn migrate(server: &Server, schema: &str) -> Output {
    end(command(server, schema).spawn().expect("the program")).await
}

fn assert_code(output: &Output, code: i32, fragments: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for fragment in fragments {
        assert!(text.contains(fragment), "no {fragment:?} in:\n{text}");
    }
}

/// What the application has in the table.
async fn content(conn: &mut Conn) -> Vec<(i32, i32, u64)> {
    conn.query("SELECT id, v, CRC32(filler) FROM t ORDER BY id")
        .await
        .expect("the table's rows")
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tableshift-{}-{name}", std::process::id()))
}

/// Waits until the tool stands at a held point.
async fn held(file: &Path) {
    wait_until(PATIENCE, "the tool is held", async || file.exists()).await;
}

fn go_on(file: &Path) {
    std::fs::remove_file(file).expect("the file of a held point");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_binlog_cache_makes_transactions_smaller_until_they_fit() {
    smaller_until_they_fit("small", "id").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_binlog_cache_halves_ranges_of_a_composite_key_as_well() {
    smaller_until_they_fit("composite", "g, id").await;
}

async fn smaller_until_they_fit(name: &str, key: &str) {
    let server = Server::start(&[]);
    let mut conn = schema_with_key(&server, name, 300, key).await;
    say(&mut conn, "SET GLOBAL binlog_cache_size = 4096").await;
    say(&mut conn, "SET GLOBAL max_binlog_cache_size = 16384").await;
    let copied = file(&format!("{name}.copied"));
    let locking = file(&format!("{name}.locking"));
    let orders = format!(
        "compare chunk@worker:hold={};look for blockers@control:hold={}",
        copied.display(),
        locking.display()
    );
    let child = command(&server, name)
        .env("TABLESHIFT_FAULTS", orders)
        .spawn()
        .expect("the program");
    held(&copied).await;
    let at_copy = raised(&mut conn, 1197).await;
    assert!(at_copy >= 1, "the copy met the limit");
    change(&mut conn, 1).await;
    wait_until(PATIENCE, "a refresh meets the limit", async || {
        raised(&mut conn, 1197).await > at_copy
    })
    .await;
    go_on(&copied);
    held(&locking).await;
    let at_refresh = raised(&mut conn, 1197).await;
    change(&mut conn, 150).await;
    go_on(&locking);
    let before = content(&mut conn).await;
    assert_code(&end(child).await, 0, &[]);
    assert!(
        raised(&mut conn, 1197).await > at_refresh,
        "the refresh under the lock met the limit"
    );
    assert_eq!(content(&mut conn).await, before);
}

/// One transaction of many rows: the limit is for connections made later than the application's.
async fn change(conn: &mut Conn, least: u32) {
    let (last, gone) = (least + 99, least + 100);
    say(conn, "START TRANSACTION").await;
    say(
        conn,
        format!("UPDATE t SET v = v + 1 WHERE id BETWEEN {least} AND {last}"),
    )
    .await;
    say(conn, format!("DELETE FROM t WHERE id = {gone}")).await;
    say(conn, "COMMIT").await;
}

/// How often the server has answered with an error.
async fn raised(conn: &mut Conn, code: u32) -> u64 {
    let query = format!(
        "SELECT SUM_ERROR_RAISED FROM performance_schema.events_errors_summary_global_by_error WHERE \
         ERROR_NUMBER = {code}"
    );
    let count: Option<u64> = conn.query_first(query).await.expect("error counts");
    count.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_too_large_for_a_transaction_is_told_with_the_remedy() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "large", 100).await;
    // MySQL lets the first row of a transaction pass whatever its size, but that is no promise.
    for orders in [
        "copy chunk@worker:error=1197:1+",
        "write the changelog@clerk:error=1197:2",
    ] {
        let before = content(&mut conn).await;
        let child = command(&server, "large")
            .env("TABLESHIFT_FAULTS", orders)
            .spawn()
            .expect("the program");
        assert_code(
            &end(child).await,
            5,
            &["(1197)", "is in place, untouched", "max_binlog_cache_size"],
        );
        assert_eq!(content(&mut conn).await, before);
        assert_eq!(tables(&mut conn).await, ["t"]);
    }
    assert_code(&migrate(&server, "large").await, 0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_packet_is_refused_with_the_remedy() {
    let server = Server::start(&["--max-allowed-packet=65536"]);
    let mut conn = schema(&server, "packet", 100).await;
    let before = content(&mut conn).await;
    let output = migrate(&server, "packet").await;
    assert_code(
        &output,
        3,
        &[
            "max_allowed_packet is 65536 bytes",
            "SET GLOBAL max_allowed_packet",
        ],
    );
    assert_eq!(content(&mut conn).await, before);
    assert_eq!(tables(&mut conn).await, ["t"]);
    say(&mut conn, "SET GLOBAL max_allowed_packet = 16777216").await;
    assert_code(&migrate(&server, "packet").await, 0, &[]);
    assert_eq!(content(&mut conn).await, before);
}

/// A server whose tables share one tablespace that can't grow.
fn full_soon() -> Server {
    Server::start(&[
        "--innodb-file-per-table=OFF",
        "--innodb-data-file-path=ibdata1:12M;ibdata2:12M",
    ])
}

/// Takes all the space there is.
async fn fill(conn: &mut Conn) {
    say(conn, "CREATE TABLE filler (a MEDIUMTEXT NOT NULL)").await;
    for size in [1_000_000, 200_000, 20_000, 2_000, 200] {
        loop {
            let insert = format!("INSERT INTO filler VALUES (REPEAT('z', {size}))");
            match conn.query_drop(insert).await {
                Ok(()) => {}
                Err(mysql_async::Error::Server(error)) => {
                    assert_eq!(error.code, 1114, "{error}");
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_the_copy_or_a_refresh_ends_the_run_cleanly() {
    let server = full_soon();
    for (name, point) in [("copying", "copy chunk"), ("refreshing", "compare chunk")] {
        let mut conn = schema(&server, name, 2_000).await;
        let hold = file(name);
        let child = command(&server, name)
            .env(
                "TABLESHIFT_FAULTS",
                format!("{point}@worker:hold={}", hold.display()),
            )
            .spawn()
            .expect("the program");
        held(&hold).await;
        // The application's change has its space already; its refresh finds none.
        let mut writer = server.conn(Some(name)).await;
        say(&mut writer, "START TRANSACTION").await;
        if name == "refreshing" {
            say(
                &mut writer,
                "UPDATE t SET filler = REPEAT('y', 1600) WHERE id <= 1000",
            )
            .await;
        }
        fill(&mut conn).await;
        say(&mut writer, "COMMIT").await;
        let before = content(&mut conn).await;
        go_on(&hold);
        let output = end(child).await;
        assert_code(
            &output,
            5,
            &["(1114)", "is in place, untouched", "free disk space"],
        );
        assert_eq!(content(&mut conn).await, before);
        say(&mut conn, "DROP TABLE filler").await;
        assert_eq!(tables(&mut conn).await, ["t"]);
        assert_code(&migrate(&server, name).await, 0, &[]);
        assert_eq!(content(&mut conn).await, before);
        say(&mut conn, format!("DROP DATABASE {name}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_held_for_long_are_waited_for_and_their_holder_is_named() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "held", 300).await;
    let mut holder = server.conn(Some("held")).await;
    let hold = file("held");
    let child = command(&server, "held")
        .env(
            "TABLESHIFT_FAULTS",
            format!("copy chunk@worker:hold={}", hold.display()),
        )
        .spawn()
        .expect("the program");
    held(&hold).await;
    say(&mut holder, "START TRANSACTION").await;
    say(&mut holder, "UPDATE t SET v = -v WHERE id <= 100").await;
    go_on(&hold);
    let age = "SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) FROM \
               information_schema.INNODB_TRX";
    wait_until(PATIENCE, "the rows are held for long", async || {
        let age: Option<u64> = conn.query_first(age).await.expect("its age");
        age >= Some(4)
    })
    .await;
    say(&mut conn, "UPDATE t SET v = 7 WHERE id = 200").await;
    say(&mut holder, "COMMIT").await;
    let before = content(&mut conn).await;
    let output = end(child).await;
    assert_code(&output, 0, &[&format!("connection {}", holder.id())]);
    assert_eq!(content(&mut conn).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_wait_on_the_ghost_is_outlasted() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "ghostly", 300).await;
    let mut holder = server.conn(Some("ghostly")).await;
    let hold = file("ghostly");
    let child = command(&server, "ghostly")
        .env(
            "TABLESHIFT_FAULTS",
            format!("copy chunk@worker:hold={}", hold.display()),
        )
        .spawn()
        .expect("the program");
    held(&hold).await;
    say(&mut holder, "START TRANSACTION").await;
    // Nobody can insert while the empty table is locked like this.
    say(&mut holder, "SELECT * FROM _t_gho FOR UPDATE").await;
    go_on(&hold);
    wait_until(PATIENCE, "a lock wait has timed out", async || {
        raised(&mut conn, 1205).await >= 1
    })
    .await;
    say(&mut holder, "COMMIT").await;
    let before = content(&mut conn).await;
    assert_code(&end(child).await, 0, &[]);
    assert_eq!(content(&mut conn).await, before);
}
