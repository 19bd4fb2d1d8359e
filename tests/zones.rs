//! Servers in a zone with daylight saving, where the text of a TIMESTAMP can mean two moments.

#[cfg(test)]
mod support;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::server::Server;
use support::{tableshift_command, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
/// 2024-10-27 00:30 in UTC: half past two in Berlin, for the first time that night.
const FIRST: u64 = 1_729_989_000;
/// An hour later it is half past two again.
const AGAIN: u64 = FIRST + 3_600;

/// A server in Berlin's zone. Its rules are given for 2024 only, so that the test doesn't depend on
/// the system's own tables.
async fn berlin() -> (Server, Conn) {
    let server = Server::start(&[]);
    let mut conn = server.conn(Some("mysql")).await;
    for statement in [
        "INSERT INTO time_zone (Use_leap_seconds) VALUES ('N')",
        "SET @zone = LAST_INSERT_ID()",
        "INSERT INTO time_zone_name VALUES ('Europe/Berlin', @zone)",
        "INSERT INTO time_zone_transition_type VALUES (@zone, 0, 7200, 1, 'CEST'), \
         (@zone, 1, 3600, 0, 'CET')",
        "INSERT INTO time_zone_transition VALUES (@zone, 1711846800, 0), (@zone, 1729990800, 1)",
        "SET GLOBAL time_zone = 'Europe/Berlin'",
        "CREATE DATABASE shop",
    ] {
        conn.query_drop(statement).await.expect(statement);
    }
    let conn = server.conn(Some("shop")).await;
    (server, conn)
}

async fn run(conn: &mut Conn, statements: &[String]) {
    for statement in statements {
        conn.query_drop(statement).await.expect(statement);
    }
}

/// A moment of the key, half a microsecond short of a second in every case.
fn moment(seconds: u64) -> String {
    format!("FROM_UNIXTIME({seconds}.999999)")
}

/// Partitioned by time, as tables of events are, with a row in each of the two equal hours.
async fn create(conn: &mut Conn) {
    let (first, again) = (moment(FIRST), moment(AGAIN));
    run(
        conn,
        &[
            "SET SESSION time_zone = '+00:00'".into(),
            "CREATE TABLE t (id INT NOT NULL, at TIMESTAMP(6) NOT NULL DEFAULT \
             CURRENT_TIMESTAMP(6), v INT, PRIMARY KEY (id, at)) PARTITION BY RANGE \
             (FLOOR(UNIX_TIMESTAMP(at))) (PARTITION p0 VALUES LESS THAN (1729990800), PARTITION p1 \
             VALUES LESS THAN MAXVALUE)"
                .into(),
            format!(
                "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                 WHERE i < 300) SELECT i, IF(h, {again}, {first}), i FROM n, (SELECT 0 AS h UNION ALL \
                 SELECT 1) AS hours"
            ),
        ],
    )
    .await;
}

async fn rows(conn: &mut Conn, table: &str) -> Vec<(i32, String, i64)> {
    let query = format!("SELECT id, CAST(at AS CHAR), v FROM {table} ORDER BY id, at");
    conn.query(query).await.expect("rows")
}

fn flag_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("zones-{name}"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn rows_an_hour_apart_in_the_repeated_hour_stay_apart() {
    let (server, mut conn) = berlin().await;
    create(&mut conn).await;
    let postpone = flag_file("repeated-hour");
    let alter = "ADD COLUMN note VARCHAR(10) NOT NULL DEFAULT ''";
    let mut command: Command = tableshift_command(&server, "shop", "t", alter);
    command
        .args([
            "--chunk-size",
            "50",
            "--execute",
            "--postpone-cut-over-flag-file",
        ])
        .arg(&postpone)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    wait_until(PATIENCE, "the ghost table exists", async || {
        let mut conn = server.conn(Some("shop")).await;
        let found: Option<u8> = conn
            .query_first("SELECT 1 FROM information_schema.tables WHERE table_name = '_t_gho'")
            .await
            .expect("the catalogue");
        found.is_some() && postpone.exists()
    })
    .await;
    let (first, again) = (moment(FIRST), moment(AGAIN));
    run(
        &mut conn,
        &[
            format!("UPDATE t SET v = -v WHERE at = {first} AND id % 3 = 0"),
            format!("UPDATE t SET v = v + 1000 WHERE at = {again} AND id % 5 = 0"),
            format!("DELETE FROM t WHERE at = {again} AND id % 10 = 1"),
            format!("DELETE FROM t WHERE at = {first} AND id % 10 = 2"),
            format!("UPDATE t SET id = id + 1000 WHERE at = {first} AND id % 10 = 3"),
            // From one of the equal hours to the other, and the other way.
            format!("UPDATE t SET at = {first} WHERE at = {again} AND id % 10 = 3"),
            format!(
                "INSERT INTO t VALUES (2000, {again}, 1), (2001, {first}, 2), (2001, {again}, 3)"
            ),
        ],
    )
    .await;
    std::fs::remove_file(&postpone).expect("the flag file");
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{}", text(&output));
    let (new, old) = (rows(&mut conn, "t").await, rows(&mut conn, "_t_del").await);
    assert_eq!(new, old);
    assert_eq!(new.len(), 600 - 30 - 30 + 3);
    let pair: Vec<_> = new.iter().filter(|row| row.0 == 2001).collect();
    assert_eq!(pair[0].1, "2024-10-27 00:30:00.999999");
    assert_eq!(pair[1].1, "2024-10-27 01:30:00.999999");
}

#[tokio::test]
async fn what_depends_on_the_zone_is_refused_with_its_reason() {
    let (server, mut conn) = berlin().await;
    create(&mut conn).await;
    let before = rows(&mut conn, "t").await;
    for (alter, reason) in [
        (
            "ADD COLUMN day DATE AS (DATE(at)) VIRTUAL",
            "computed by it",
        ),
        ("MODIFY at TIMESTAMP NOT NULL", "changes from"),
        ("ADD CHECK (at > '2000-01-01')", "check constraint"),
    ] {
        let output = tableshift_command(&server, "shop", "t", alter)
            .arg("--execute")
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(3), "{alter}: {}", text(&output));
        assert!(text(&output).contains(reason), "{alter}: {}", text(&output));
    }
    assert_eq!(rows(&mut conn, "t").await, before);
}

/// Beside the key, too: INSERT … SELECT in this zone would move the first of the two by an hour.
#[tokio::test]
async fn copied_moments_of_the_repeated_hour_stay_what_they_are() {
    let (server, mut conn) = berlin().await;
    run(
        &mut conn,
        &[
            "SET SESSION time_zone = '+00:00'".into(),
            "CREATE TABLE t (id INT PRIMARY KEY, at TIMESTAMP NULL, v INT, w INT AS (v * 2) STORED, \
             CHECK (v > 0))"
                .into(),
            format!(
                "INSERT INTO t (id, at, v) VALUES (1, FROM_UNIXTIME({FIRST}), 1), (2, \
                 FROM_UNIXTIME({AGAIN}), 2)"
            ),
        ],
    )
    .await;
    let alter = "ADD COLUMN made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, ADD COLUMN local \
                 DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP";
    let output = tableshift_command(&server, "shop", "t", alter)
        .arg("--execute")
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", text(&output));
    let found: Vec<(i32, u64, i64, i64)> = conn
        .query(
            "SELECT id, UNIX_TIMESTAMP(at), ABS(TIMESTAMPDIFF(MINUTE, made, UTC_TIMESTAMP())) < 5, \
             ABS(TIMESTAMPDIFF(MINUTE, local, CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', \
             'Europe/Berlin'))) < 5 FROM t ORDER BY id",
        )
        .await
        .expect("rows");
    assert_eq!(found, [(1, FIRST, 1, 1), (2, AGAIN, 1, 1)]);
}

#[tokio::test]
async fn a_backfill_that_goes_by_the_zone_is_refused_where_its_value_could_move() {
    let (server, mut conn) = berlin().await;
    run(
        &mut conn,
        &[
            "SET SESSION time_zone = '+00:00'".into(),
            "CREATE TABLE t (id INT PRIMARY KEY, at TIMESTAMP NULL, v INT)".into(),
            format!("INSERT INTO t VALUES (1, FROM_UNIXTIME({FIRST}), 1), (2, FROM_UNIXTIME({AGAIN}), 2)"),
        ],
    )
    .await;
    let migrated = |alter: &str, backfill: &str| -> Output {
        tableshift_command(&server, "shop", "t", alter)
            .args(["--execute", "--initially-drop-old-table", backfill])
            .output()
            .expect("the program")
    };
    for (alter, backfill, words) in [
        // `at` is copied, in UTC.
        (
            "ADD COLUMN day DATE",
            "--backfill=day = DATE(`at`)",
            "the backfill of column `day` may use it",
        ),
        (
            "ADD COLUMN later TIMESTAMP NULL",
            "--backfill=later = IF(v = 2, `at`, NULL)",
            "the backfill of column `later` may use it",
        ),
        // Text with an offset goes by the session's zone.
        (
            "ADD COLUMN z DATETIME",
            "--backfill=z = CAST('2024-06-01 10:00:00+05:00' AS DATETIME)",
            "the backfill of column `z` may use it",
        ),
        // Nothing is copied in UTC: by way of the zone's text the second row's moment would be the first one's.
        (
            "DROP COLUMN `at`, ADD COLUMN moved TIMESTAMP NULL",
            "--backfill=moved = `at`",
            "the backfill of column `moved` takes a TIMESTAMP over",
        ),
    ] {
        let output = migrated(alter, backfill);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        assert!(text(&output).contains(words), "{}", text(&output));
    }
    // An expression that has nothing to do with it, and one that means the zone's text.
    for (alter, backfill) in [
        ("ADD COLUMN w INT", "--backfill=w = v * 2"),
        (
            "DROP COLUMN `at`, ADD COLUMN x DATETIME",
            "--backfill=x = `at`",
        ),
    ] {
        let output = migrated(alter, backfill);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
    let found: Vec<(i32, i32, String)> = conn
        .query("SELECT v, w, CAST(x AS CHAR) FROM t ORDER BY v")
        .await
        .expect("rows");
    let local = "2024-10-27 02:30:00".to_owned();
    assert_eq!(found, [(1, 2, local.clone()), (2, 4, local)]);
}
