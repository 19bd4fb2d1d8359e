//! Names as long as the server allows: the helper tables' names are cut, and must not meet. And names that
//! differ in letter case only.

#[cfg(test)]
mod support;

use std::process::{Child, Stdio};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{Running, assert_done, assert_same, content, execute, schema};
use support::server::Server;
use support::{tableshift_command, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

async fn table(conn: &mut Conn, name: &str, marker: i32) {
    for statement in [
        format!("CREATE TABLE `{name}` (id INT PRIMARY KEY, v INT)"),
        format!(
            "INSERT INTO `{name}` WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
             WHERE i < 300) SELECT i, {marker} FROM n"
        ),
    ] {
        conn.query_drop(statement).await.expect("a fresh table");
    }
}

async fn tables(conn: &mut Conn) -> Vec<String> {
    conn.query(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'long' AND table_name <> \
         '_tableshift_history' ORDER BY 1",
    )
    .await
    .expect("the catalogue")
}

fn migrate(server: &Server, name: &str, postpone: &std::path::Path) -> Child {
    tableshift_command(server, "long", name, "MODIFY v BIGINT, ADD COLUMN w INT")
        .arg("--postpone-cut-over-flag-file")
        .arg(postpone)
        .arg("--execute")
        .stdout(Stdio::null())
        .spawn()
        .expect("tableshift can be run")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_names_of_64_characters_that_differ_in_the_last_migrate_at_the_same_time() {
    let server = Server::start(&[]);
    let mut conn = server.conn(None).await;
    conn.query_drop("CREATE DATABASE `long`")
        .await
        .expect("a database");
    conn.query_drop("USE `long`").await.expect("it");
    let names = ["1", "2"].map(|last| format!("{}{last}", "ü☃".repeat(31) + "x"));
    for (name, marker) in names.iter().zip([10, 20]) {
        assert_eq!(name.chars().count(), 64);
        table(&mut conn, name, marker).await;
    }

    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let postpone = ["long-1", "long-2"].map(|file| folder.join(file));
    for file in &postpone {
        // A run of this test that was killed may have left it.
        let _ = std::fs::remove_file(file);
    }
    let mut running: Vec<Child> = names
        .iter()
        .zip(&postpone)
        .map(|(name, file)| migrate(&server, name, file))
        .collect();
    // Both have their ghost, changelog and checkpoint table, which is only possible under different names.
    wait_until(PATIENCE, "both runs hold their cut-over", async || {
        postpone.iter().all(|file| file.exists()) && tables(&mut conn).await.len() == 8
    })
    .await;
    for name in tables(&mut conn).await {
        assert!(name.chars().count() <= 64, "{name}");
    }
    for (name, change) in names.iter().zip([11, 21]) {
        conn.query_drop(format!("UPDATE `{name}` SET v = {change} WHERE id = 5"))
            .await
            .expect("a change");
    }
    for file in &postpone {
        std::fs::remove_file(file).expect("the flag file");
    }
    for child in &mut running {
        assert!(child.wait().expect("its end").success());
    }

    for (name, marker) in names.iter().zip([10, 20]) {
        let (rows, sum): (i64, i64) = conn
            .query_first(format!(
                "SELECT COUNT(*), SUM(v) FROM `{name}` WHERE w IS NULL"
            ))
            .await
            .expect("the table")
            .expect("a row");
        assert_eq!((rows, sum), (300, 300 * marker + 1));
    }
    // The two old tables, and from where they could be swapped back.
    assert_eq!(tables(&mut conn).await.len(), 6);
}

/// What `T` is to the migration of `t` where the server tells them apart: nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_that_differs_in_letter_case_is_another_table() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "cased", 300).await;
    let neighbours = ["T", "_T_gho", "_T_ghc", "_T_ghk", "_T_del"];
    for name in neighbours {
        let make = format!("CREATE TABLE {name} (name VARCHAR(20) PRIMARY KEY, size INT)");
        execute(&mut conn, &[&make]).await;
    }
    let mut reader = server.conn(Some("cased")).await;
    let mut writer = server.conn(Some("cased")).await;
    // Neither the start barrier nor the cut-over waits for these two, or ends them.
    execute(
        &mut writer,
        &["BEGIN", "INSERT INTO T VALUES ('before', 1)"],
    )
    .await;
    execute(&mut reader, &["BEGIN", "SELECT * FROM _T_gho"]).await;
    let flags = ["--force-cut-over-after=1", "--kill-blockers=all"];
    let running = Running::start(&server, "cased", &flags);
    running.copied(&mut conn, 300).await;
    for name in neighbours {
        let other = format!("INSERT INTO {name} VALUES ('meanwhile', 2)");
        let shape = format!("ALTER TABLE {name} COMMENT 'altered meanwhile'");
        if !["T", "_T_gho"].contains(&name) {
            execute(&mut conn, &[&other, &shape]).await;
        } else {
            execute(&mut conn, &[&other]).await;
        }
    }
    execute(&mut conn, &["UPDATE t SET v = 5 WHERE id = 7"]).await;
    let before = content(&mut conn, "id, v").await;
    running.release();
    assert_done(&running.end());
    assert_same(&content(&mut conn, "id, v").await, &before);
    assert_same(
        &content(&mut conn, "id, LENGTH(note)").await[..1],
        &[(1, 0)],
    );
    // Both were left alone, and what they began can end.
    execute(&mut writer, &["COMMIT"]).await;
    execute(&mut reader, &["COMMIT"]).await;
    for (name, rows) in neighbours.iter().zip([2, 1, 1, 1, 1]) {
        let count = format!("SELECT COUNT(*) FROM {name}");
        let found: Option<u32> = conn.query_first(count).await.expect("the neighbour");
        assert_eq!(found, Some(rows), "{name}");
    }
}
