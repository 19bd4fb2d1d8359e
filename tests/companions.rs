//! What hangs on a table: its triggers go along, its own foreign keys stay behind when that is wanted,
//! and what others change through them arrives.

#[cfg(test)]
mod support;

use std::process::{Child, Stdio};
use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{
    ALTER, PATIENCE, Running, assert_code, assert_done, execute, schema, tables,
};
use support::server::Server;
use support::{tableshift_command, wait_until, with_shortcuts};

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

const TAKEN: [&str; 2] = ["--include-triggers", "--trigger-suffix=_v2"];

/// A table whose writes are counted by triggers, two of them of the same moment.
async fn audited(name: &str) -> Conn {
    let mut conn = schema(shared(), name, 100).await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE audit (n INT AUTO_INCREMENT PRIMARY KEY, id INT, what VARCHAR(40))",
            "SET sql_mode='ANSI_QUOTES,NO_ZERO_DATE', NAMES utf8mb4 COLLATE utf8mb4_bin",
            "CREATE DEFINER=CURRENT_USER TRIGGER second_ AFTER INSERT ON t FOR EACH ROW INSERT INTO \"audit\" \
             (id, what) VALUES (NEW.id, 'second')",
            "CREATE TRIGGER first_ AFTER INSERT ON t FOR EACH ROW PRECEDES second_ BEGIN INSERT INTO audit \
             (id, what) VALUES (NEW.id, 'first \u{e4}'); END",
            "CREATE TRIGGER changed BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = NEW.v + 1",
            "SET sql_mode=DEFAULT",
        ],
    )
    .await;
    conn
}

/// Name, moment, order and everything that a trigger brings with it.
async fn shown(conn: &mut Conn, table: &str) -> Vec<(String, String, String, String)> {
    conn.query(format!(
        "SELECT TRIGGER_NAME, CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION, ' ', ACTION_ORDER), \
         CONCAT_WS('|', DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION), \
         ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND \
         EVENT_OBJECT_TABLE = '{table}' ORDER BY EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER"
    ))
    .await
    .expect("triggers")
}

async fn audits(conn: &mut Conn) -> Vec<(i32, String)> {
    let query = "SELECT id, what FROM audit ORDER BY n";
    conn.query(query).await.expect("the audit's rows")
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_go_along_and_fire_once_for_every_write() {
    let mut conn = audited("triggers_taken").await;
    let before = shown(&mut conn, "t").await;
    let running = Running::start(shared(), "triggers_taken", &TAKEN);
    running.copied(&mut conn, 100).await;
    execute(
        &mut conn,
        &[
            "INSERT INTO t VALUES (500, 5)",
            "UPDATE t SET v = 10 WHERE id = 1",
            "DELETE FROM t WHERE id = 2",
        ],
    )
    .await;
    assert!(
        shown(&mut conn, "_t_gho").await.is_empty(),
        "none before the swap"
    );
    running.release();
    let output = running.end();
    assert_done(&output);
    let renamed = |suffix: &str| -> Vec<_> {
        let renamed = before
            .iter()
            .cloned()
            .map(|(name, moment, rest, body)| (format!("{name}{suffix}"), moment, rest, body));
        renamed.collect()
    };
    assert_eq!(shown(&mut conn, "t").await, renamed("_v2"));
    assert_eq!(shown(&mut conn, "_t_del").await, before);
    execute(
        &mut conn,
        &[
            "INSERT INTO t (id, v) VALUES (501, 5)",
            "UPDATE t SET v = 20 WHERE id = 3",
        ],
    )
    .await;
    let twice = |id| [(id, "first \u{e4}".to_owned()), (id, "second".to_owned())];
    let expected: Vec<_> = twice(500).into_iter().chain(twice(501)).collect();
    assert_eq!(audits(&mut conn).await, expected);
    let values: Vec<i32> = conn
        .query("SELECT v FROM t WHERE id IN (1, 3) ORDER BY id")
        .await
        .expect("values");
    assert_eq!(values, [11, 21]);

    // And back to the plain names.
    execute(&mut conn, &["DROP TABLE _t_del"]).await;
    let flags = [TAKEN[0], TAKEN[1], "--remove-trigger-suffix-if-exists"];
    let back = tableshift_command(shared(), "triggers_taken", "t", "ADD COLUMN x INT")
        .args(flags)
        .arg("--execute")
        .output()
        .expect("the program");
    assert_done(&back);
    assert_eq!(shown(&mut conn, "t").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_that_can_t_go_along_are_refused_before_the_copy() {
    let mut conn = audited("triggers_refused").await;
    let mut refused = async |alter: &str, flags: &[&str], words: &[&str]| {
        let output = tableshift_command(shared(), "triggers_refused", "t", alter)
            .args(flags)
            .arg("--execute")
            .output()
            .expect("the program");
        assert_code(&output, 3, words);
        assert_eq!(tables(&mut conn).await, ["audit", "t"]);
    };
    refused(
        ALTER,
        &[],
        &["the table has triggers", "--include-triggers"],
    )
    .await;
    let unknown = ["a trigger doesn't fit the new table", "'v'"];
    refused("RENAME COLUMN v TO w", &TAKEN, &unknown).await;
    let long = format!("--trigger-suffix={}", "x".repeat(60));
    let flags = ["--include-triggers", &long];
    refused(ALTER, &flags, &["more than 64 characters"]).await;
    let mut other = shared().conn(Some("triggers_refused")).await;
    let taken = "CREATE TRIGGER changed_v2 BEFORE DELETE ON audit FOR EACH ROW SET @x = 1";
    execute(&mut other, &[taken]).await;
    refused(
        ALTER,
        &TAKEN,
        &["the name of trigger `changed_v2` is taken"],
    )
    .await;
}

/// With one fault in it.
fn faulty(name: &str, faults: &str) -> Child {
    tableshift_command(shared(), name, "t", ALTER)
        .args(TAKEN)
        .arg("--execute")
        .env("TABLESHIFT_FAULTS", faults)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program")
}

/// The ghost's rows are written again after an attempt that failed: no trigger may fire for them.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_takes_the_ghost_s_triggers_away_again() {
    for (number, faults) in [
        "rename tables@locker:error=1205:1",
        "rename tables@locker:lost-before:1",
        "create a trigger@locker:lost-after:2",
        "create a trigger@locker:error=1205:2",
        "rename tables@locker:error=1205:1;drop a trigger@locker:lost-before:1",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("triggers_again_{number}");
        let mut conn = audited(&name).await;
        let hold = std::env::temp_dir().join(format!("tableshift-{}-{name}", std::process::id()));
        // The second attempt waits, so that what the first has left can be looked at.
        let held = format!(
            "{faults};look for blockers@control:hold={}:2",
            hold.display()
        );
        let child = faulty(&name, &held);
        wait_until(PATIENCE, "the second attempt begins", async || {
            hold.exists()
        })
        .await;
        assert!(shown(&mut conn, "_t_gho").await.is_empty(), "{faults}");
        execute(&mut conn, &["INSERT INTO t VALUES (500, 5)"]).await;
        std::fs::remove_file(&hold).expect("the file");
        let output = child.wait_with_output().expect("its end");
        assert_done(&output);
        assert_eq!(audits(&mut conn).await.len(), 2, "{faults}");
        assert_eq!(shown(&mut conn, "t").await.len(), 3, "{faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_the_rename_may_be_lost_and_the_triggers_stay() {
    let mut conn = audited("triggers_lost").await;
    let child = faulty("triggers_lost", "rename tables@locker:lost-after:1");
    assert_done(&child.wait_with_output().expect("its end"));
    assert_eq!(shown(&mut conn, "t").await.len(), 3);
}

/// `t` is a child of `p`.
async fn child_of_p(server: &Server, name: &str) -> Conn {
    let mut conn = schema(server, name, 60).await;
    execute(
        &mut conn,
        &[
            "CREATE TABLE p (id INT PRIMARY KEY)",
            "INSERT INTO p SELECT DISTINCT v FROM t",
            "ALTER TABLE t ADD CONSTRAINT to_p FOREIGN KEY (v) REFERENCES p (id) ON DELETE CASCADE ON \
             UPDATE CASCADE",
        ],
    )
    .await;
    conn
}

#[tokio::test(flavor = "multi_thread")]
async fn cascades_from_the_parent_arrive_while_the_foreign_key_is_left_behind() {
    let mut conn = child_of_p(shared(), "fk_child").await;
    let refused = tableshift_command(shared(), "fk_child", "t", ALTER)
        .output()
        .expect("the program");
    assert_code(&refused, 3, &["`to_p`", "--discard-foreign-keys"]);
    let running = Running::start(shared(), "fk_child", &["--discard-foreign-keys"]);
    running.copied(&mut conn, 60).await;
    execute(
        &mut conn,
        &[
            "DELETE FROM p WHERE id = 7",
            "UPDATE p SET id = 1000 WHERE id = 14",
        ],
    )
    .await;
    running.release();
    let output = running.end();
    assert_code(&output, 0, &["WARN", "to_p"]);
    let rows: Option<(u64, i32)> = conn
        .query_first("SELECT COUNT(*), MAX(v) FROM t")
        .await
        .expect("rows");
    assert_eq!(rows, Some((59, 1000)));
    let definition: Option<(String, String)> =
        conn.query_first("SHOW CREATE TABLE t").await.expect("it");
    assert!(!definition.expect("a table").1.contains("FOREIGN KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cascades_that_are_in_no_log_are_refused_and_so_are_children() {
    let server = Server::start(&["--innodb-native-foreign-keys=ON"]);
    let mut conn = child_of_p(&server, "fk_native").await;
    let run = |table: &str| {
        tableshift_command(&server, "fk_native", table, "ADD COLUMN c INT")
            .arg("--discard-foreign-keys")
            .output()
            .expect("the program")
    };
    assert_code(&run("t"), 3, &["doesn't log what it changes"]);
    assert_code(&run("p"), 3, &["refers to this table"]);
    execute(
        &mut conn,
        &[
            "ALTER TABLE t DROP FOREIGN KEY to_p",
            "ALTER TABLE t ADD CONSTRAINT to_p FOREIGN KEY (v) REFERENCES p (id)",
        ],
    )
    .await;
    assert_done(&run("t"));
}

/// The original's definition, and the table's id in InnoDB, which a new table doesn't share.
async fn identity(conn: &mut Conn) -> (u64, String) {
    let id: Option<u64> = conn
        .query_first(
            "SELECT TABLE_ID FROM information_schema.INNODB_TABLES WHERE NAME = CONCAT(DATABASE(), '/t')",
        )
        .await
        .expect("its id");
    let shown: Option<(String, String)> =
        conn.query_first("SHOW CREATE TABLE t").await.expect("it");
    (id.expect("an id"), shown.expect("a definition").1)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_change_is_made_on_the_table_itself_and_any_other_is_migrated() {
    let mut conn = schema(shared(), "instant", 50).await;
    let run = |alter: &str, flags: &[&str]| {
        let output = with_shortcuts(shared(), "instant", "t", alter)
            .arg("--attempt-instant-ddl")
            .args(flags)
            .output()
            .expect("the program");
        assert_done(&output);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let before = identity(&mut conn).await;
    run(ALTER, &[]);
    assert_eq!(identity(&mut conn).await, before, "only with --execute");
    assert!(run(ALTER, &["--execute"]).contains("altered instantly"));
    let after = identity(&mut conn).await;
    assert_eq!(after.0, before.0, "the same table");
    assert!(after.1.contains("`note`"));
    assert_eq!(tables(&mut conn).await, ["t"]);
    let log = run("MODIFY v BIGINT NOT NULL", &["--execute"]);
    assert!(
        log.contains("not possible instantly")
            && log.contains("ALGORITHM=INSTANT is not supported"),
        "{log}"
    );
    assert_ne!(identity(&mut conn).await.0, before.0);
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_an_instant_change_is_settled_by_the_definition() {
    for (name, kind, code) in [
        ("instant_done", "lost-after", 0),
        ("instant_not", "lost-before", 5),
    ] {
        let mut conn = schema(shared(), name, 10).await;
        let output = with_shortcuts(shared(), name, "t", ALTER)
            .args(["--attempt-instant-ddl", "--execute"])
            .env(
                "TABLESHIFT_FAULTS",
                format!("alter the table instantly@main:{kind}:1"),
            )
            .output()
            .expect("the program");
        assert_code(&output, code, &[]);
        assert_eq!(identity(&mut conn).await.1.contains("`note`"), code == 0);
        assert_eq!(tables(&mut conn).await, ["t"]);
    }
}
