//! Finished migrations that are swapped back.

#![cfg(test)]

#[cfg(test)]
mod support;
#[cfg(test)]
#[path = "support/writers/mod.rs"]
mod writers;

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use support::running::{PATIENCE, assert_code, assert_done, execute, schema, tables};
use support::server::{self, Server};
use support::{tableshift_command, wait_until};
use writers::Writers;
use writers::compare::{compare, read_table, report};
use writers::tables::{self as kinds, TableKind};

/// The last of the words that say what is to be done.
fn command(server: &Server, schema: &str, table: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(["--host", &server.host, "--port", &server.port.to_string()])
        .args(["--user", server::USER, "--password", server::PASSWORD])
        .args(["--database", schema, "--table", table])
        .args(flags)
        .env("TABLESHIFT_CHECKPOINT_MS", "50")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A finished migration of `t`.
async fn migrated(server: &Server, schema: &str, alter: &str, flags: &[&str]) {
    let mut command = tableshift_command(server, schema, "t", alter);
    command.arg("--execute").args(flags);
    assert_done(&run(command).await);
}

/// The way back.
async fn reverted(server: &Server, schema: &str, flags: &[&str]) -> Output {
    let mut all = vec!["--execute", "--revert", "--old-table=_t_del"];
    all.extend(flags);
    run(command(server, schema, "t", &all)).await
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end")
}

async fn rows(conn: &mut Conn, query: &str) -> Vec<String> {
    conn.query(query).await.expect("rows")
}

/// A revert of `t` that waits with its second swap.
struct Reverting {
    child: Child,
    hold: PathBuf,
}

impl Reverting {
    async fn start(server: &Server, schema: &str, flags: &[&str]) -> Self {
        let hold =
            std::env::temp_dir().join(format!("tableshift-{}-{schema}.hold", std::process::id()));
        let mut command = command(server, schema, "t", flags);
        command
            .args(["--execute", "--revert", "--old-table=_t_del"])
            .arg("--postpone-cut-over-flag-file")
            .arg(&hold);
        let child = command.spawn().expect("the program");
        wait_until(PATIENCE, "the revert is under way", async || hold.exists()).await;
        Self { child, hold }
    }

    fn release(&self) {
        std::fs::remove_file(&self.hold).expect("the flag file");
    }

    fn kill(mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("its end");
        let _ = std::fs::remove_file(&self.hold);
    }

    fn end(self) -> Output {
        let output = self.child.wait_with_output().expect("its end");
        let _ = std::fs::remove_file(&self.hold);
        output
    }
}

/// Waits until the old table has this row.
async fn refreshed(conn: &mut Conn, condition: &str) {
    let query = format!("SELECT COUNT(*) FROM _t_del WHERE {condition}");
    wait_until(PATIENCE, "the old table follows", async || {
        let found: Option<u64> = conn.query_first(&query).await.expect("the old table");
        found == Some(1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_migration_is_swapped_back_with_what_was_written_since() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "plain", 5_000).await;
    migrated(
        &server,
        "plain",
        "ADD note VARCHAR(10) NOT NULL DEFAULT '', MODIFY v BIGINT NOT NULL, ADD CHECK (id >= 0)",
        &[],
    )
    .await;
    execute(
        &mut conn,
        &[
            "UPDATE t SET v = -1, note = 'x' WHERE id IN (1, 2, 4999)",
            "DELETE FROM t WHERE id IN (10, 4000)",
            "INSERT INTO t VALUES (0, 5, 'new'), (30000, 6, '')",
            "UPDATE t SET id = 40000 WHERE id = 3",
        ],
    )
    .await;
    let before = rows(&mut conn, "SELECT CONCAT_WS(',', id, v) FROM t ORDER BY id").await;
    let output = reverted(&server, "plain", &[]).await;
    assert_done(&output);
    let after = rows(&mut conn, "SELECT CONCAT_WS(',', id, v) FROM t ORDER BY id").await;
    assert!(before == after, "the rows are the same");
    assert_eq!(tables(&mut conn).await, ["_t_rev_del", "t"]);
    let columns = rows(&mut conn, "SELECT CONCAT(COLUMN_NAME, ' ', COLUMN_TYPE) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'plain' AND TABLE_NAME = 't' ORDER BY ORDINAL_POSITION").await;
    assert_eq!(columns, ["id int", "v int"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_column_keeps_its_values_and_later_rows_get_the_default() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "kept", 3_000).await;
    execute(
        &mut conn,
        &[
            "ALTER TABLE t ADD u INT, ADD secret VARCHAR(20) NOT NULL DEFAULT 'none', ADD UNIQUE KEY (u)",
            "UPDATE t SET u = id, secret = CONCAT('s', id)",
        ],
    )
    .await;
    migrated(&server, "kept", "DROP COLUMN secret", &[]).await;
    execute(
        &mut conn,
        &[
            "UPDATE t SET v = -1 WHERE id IN (5, 6)",
            // A unique value that goes round, and one that a new row takes over.
            "UPDATE t SET u = -1 WHERE id = 7",
            "UPDATE t SET u = 7 WHERE id = 8",
            "UPDATE t SET u = 8 WHERE id = 7",
            "UPDATE t SET u = NULL WHERE id = 9",
            "INSERT INTO t VALUES (9000, 1, 9)",
            "DELETE FROM t WHERE id = 10",
        ],
    )
    .await;
    let output = reverted(&server, "kept", &[]).await;
    assert_done(&output);
    assert_code(&output, 0, &["`_t_del` alone has `secret`"]);
    let found = rows(
        &mut conn,
        "SELECT CONCAT_WS(',', id, v, COALESCE(u, 'NULL'), secret) FROM t WHERE id BETWEEN 5 AND 10 OR id = \
         9000 ORDER BY id",
    )
    .await;
    let expected = [
        "5,-1,5,s5",
        "6,-1,6,s6",
        "7,49,8,s7",
        "8,56,7,s8",
        "9,63,NULL,s9",
        "9000,1,9,none",
    ];
    assert_eq!(found, expected);
    let kept = rows(
        &mut conn,
        "SELECT CONCAT(COUNT(*)) FROM t WHERE secret = CONCAT('s', id)",
    )
    .await;
    assert_eq!(kept, ["2999"]);
}

/// What the old table has under a key belongs to the row that had it then, however little time there was
/// between two of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_again_is_another_row_s() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "again", 300).await;
    execute(
        &mut conn,
        &[
            "ALTER TABLE t ADD secret VARCHAR(20) NOT NULL DEFAULT 'none'",
            "UPDATE t SET secret = CONCAT('s', id)",
        ],
    )
    .await;
    migrated(&server, "again", "DROP COLUMN secret", &[]).await;
    execute(
        &mut conn,
        &[
            "BEGIN",
            "DELETE FROM t WHERE id = 1",
            "INSERT INTO t VALUES (1, 11)",
            "REPLACE INTO t VALUES (2, 12)",
            "UPDATE t SET id = -3 WHERE id = 3",
            "UPDATE t SET id = 3 WHERE id = 4",
            "UPDATE t SET id = 4 WHERE id = -3",
            "UPDATE t SET v = 15 WHERE id = 5",
            "COMMIT",
            "UPDATE t SET v = 21 WHERE id = 1",
            "UPDATE t SET id = id + 1 WHERE id >= 298 ORDER BY id DESC",
        ],
    )
    .await;
    assert_done(&reverted(&server, "again", &[]).await);
    let found = rows(
        &mut conn,
        "SELECT CONCAT_WS(',', id, v, secret) FROM t WHERE id <= 6 OR id >= 297 ORDER BY id",
    )
    .await;
    let expected = [
        "1,21,none",
        // The server logs it as an update (9.7.4), so that is what it is.
        "2,12,s2",
        "3,28,none",
        "4,21,none",
        "5,15,s5",
        "6,42,s6",
        "297,2079,s297",
        "299,2086,none",
        "300,2093,none",
        "301,2100,none",
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_can_t_go_back_is_listed_and_nothing_is_swapped() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "misfits", 1_000).await;
    execute(
        &mut conn,
        &[
            "ALTER TABLE t ADD w VARCHAR(3), ADD gone INT NOT NULL",
            "UPDATE t SET gone = id",
        ],
    )
    .await;
    let alter = "MODIFY v BIGINT NULL, MODIFY w VARCHAR(20), DROP COLUMN gone";
    migrated(&server, "misfits", alter, &[]).await;
    execute(
        &mut conn,
        &[
            "UPDATE t SET v = NULL WHERE id = 3",
            "UPDATE t SET v = 5000000000 WHERE id = 4",
            "UPDATE t SET w = 'secret' WHERE id = 5",
            "INSERT INTO t VALUES (9000, 1, 'a')",
            "UPDATE t SET v = 1 WHERE id = 6",
        ],
    )
    .await;
    let output = reverted(&server, "misfits", &[]).await;
    let named = [
        "4 rows can't go back to `_t_del`",
        "id=3: Column 'v' cannot be null",
        "id=4: Out of range value for column 'v'",
        "id=5: Data truncated for column 'w'",
        "id=9000: Field 'gone' doesn't have a default value",
    ];
    assert_code(&output, 8, &named);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"));
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    execute(
        &mut conn,
        &[
            "UPDATE t SET v = 1, w = 'b' WHERE id IN (3, 4, 5)",
            "DELETE FROM t WHERE id = 9000",
        ],
    )
    .await;
    assert_done(&reverted(&server, "misfits", &[]).await);
    let found = rows(
        &mut conn,
        "SELECT CONCAT_WS(',', id, v, w, gone) FROM t WHERE id BETWEEN 2 AND 6",
    )
    .await;
    assert_eq!(found, ["2,14,2", "3,1,b,3", "4,1,b,4", "5,1,b,5", "6,1,6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn renamed_columns_go_back_under_their_old_names() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "renamed", 100).await;
    execute(&mut conn, &["ALTER TABLE t ADD w INT NOT NULL DEFAULT 0"]).await;
    migrated(
        &server,
        "renamed",
        "CHANGE v w INT NOT NULL, CHANGE w v INT NOT NULL",
        &[],
    )
    .await;
    execute(&mut conn, &["UPDATE t SET w = 1, v = 2 WHERE id = 50"]).await;
    let output = reverted(&server, "renamed", &["--skip-renamed-columns"]).await;
    assert_code(&output, 3, &["paired renamed columns in another way"]);
    assert_done(&reverted(&server, "renamed", &[]).await);
    let found = rows(
        &mut conn,
        "SELECT CONCAT_WS(',', id, v, w) FROM t WHERE id >= 49 LIMIT 2",
    )
    .await;
    assert_eq!(found, ["49,343,0", "50,1,2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_revert_goes_on_and_nobody_takes_it_for_a_migration() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "killed", 1_000).await;
    migrated(&server, "killed", "ADD note INT", &[]).await;
    execute(&mut conn, &["UPDATE t SET v = -1 WHERE id = 1"]).await;
    let reverting = Reverting::start(&server, "killed", &[]).await;
    refreshed(&mut conn, "id = 1 AND v = -1").await;
    wait_until(PATIENCE, "a checkpoint behind the rename", async || {
        let stage: Option<u8> = conn
            .query_first("SELECT stage FROM _t_ghk WHERE id = 2")
            .await
            .expect("the checkpoint");
        stage == Some(2)
    })
    .await;
    reverting.kill();
    execute(&mut conn, &["UPDATE t SET v = -2 WHERE id = 2"]).await;
    let flags = [
        "--execute",
        "--timestamp-old-table",
        "--alter",
        "ADD other INT",
    ];
    let output = run(command(&server, "killed", "t", &flags)).await;
    assert_code(
        &output,
        3,
        &[
            "a revert of the last migration",
            "--revert --old-table=_t_del",
        ],
    );
    let reverting = Reverting::start(&server, "killed", &[]).await;
    refreshed(&mut conn, "id = 2 AND v = -2").await;
    reverting.release();
    assert_done(&reverting.end());
    assert_eq!(tables(&mut conn).await, ["_t_rev_del", "t"]);
    let found = rows(
        &mut conn,
        "SELECT CONCAT_WS(',', id, v) FROM t WHERE id <= 3",
    )
    .await;
    assert_eq!(found, ["1,-1", "2,-2", "3,21"]);
    let output = reverted(&server, "killed", &[]).await;
    assert_code(&output, 3, &["doesn't exist", "reverted already"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_row_events_don_t_tell_ends_the_revert() {
    let server = Server::start(&[]);
    let alterations: [(&str, &[&str], &str); 5] = [
        (
            "truncated",
            &["TRUNCATE TABLE t"],
            "another session ran TRUNCATE on `truncated`.`t`",
        ),
        (
            "back_again",
            &["ALTER TABLE t ADD x INT", "ALTER TABLE t DROP COLUMN x"],
            "another session ran ALTER on `back_again`.`t`",
        ),
        (
            "stranger",
            &["UPDATE _t_del SET v = 0 WHERE id = 1"],
            "wrote rows to its table `_t_del`",
        ),
        (
            "renamed_old",
            &["RENAME TABLE _t_del TO x", "RENAME TABLE x TO _t_del"],
            "another session ran RENAME",
        ),
        (
            "statement",
            &[
                "SET SESSION binlog_format = 'STATEMENT'",
                "UPDATE t SET v = 0 WHERE id = 1",
            ],
            "logged a change as a statement",
        ),
    ];
    for (name, statements, word) in alterations {
        let mut conn = schema(&server, name, 100).await;
        migrated(&server, name, "ADD note INT", &[]).await;
        execute(&mut conn, statements).await;
        let output = reverted(&server, name, &[]).await;
        assert_code(&output, 5, &[word, "is in place"]);
        assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_that_can_t_be_right_is_refused_for_all_reasons_at_once() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "refused", 100).await;
    let output = reverted(&server, "refused", &[]).await;
    assert_code(
        &output,
        3,
        &[
            "`_t_del` doesn't exist",
            "from where the log has to be read",
        ],
    );
    migrated(&server, "refused", "ADD note INT", &[]).await;
    execute(
        &mut conn,
        &[
            "ALTER TABLE t ADD x INT",
            "ALTER TABLE _t_del MODIFY v BIGINT",
            "CREATE TRIGGER trg BEFORE INSERT ON _t_del FOR EACH ROW SET @a = 1",
            "CREATE TABLE _t_rev_del (a INT)",
        ],
    )
    .await;
    let output = reverted(&server, "refused", &["--gtid"]).await;
    let reasons = [
        "`_t_rev_del` already exists",
        "`_t_del` has triggers (trg)",
        "the table was altered since the migration",
        "`_t_del` isn't the old table of this migration, or was altered",
        "(--gtid)",
    ];
    assert_code(&output, 3, &reasons);
    execute(&mut conn, &["CREATE TABLE other LIKE t"]).await;
    let flags = ["--execute", "--revert", "--old-table=other"];
    let output = run(command(&server, "refused", "t", &flags)).await;
    assert_code(
        &output,
        3,
        &["the old table of the last migration is `_t_del`, not `other`"],
    );
    assert_eq!(
        tables(&mut conn).await,
        ["_t_del", "_t_ghk", "_t_rev_del", "other", "t"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_or_a_purged_one_is_no_way_back() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "purged", 100).await;
    migrated(&server, "purged", "ADD note INT", &[]).await;
    execute(&mut conn, &["FLUSH BINARY LOGS"]).await;
    let status: Option<mysql_async::Row> = conn
        .query_first("SHOW BINARY LOG STATUS")
        .await
        .expect("a row");
    let file: Option<String> = status.and_then(|row| row.get(0));
    let purge = format!("PURGE BINARY LOGS TO '{}'", file.expect("one"));
    execute(&mut conn, &[&purge]).await;
    let output = reverted(&server, "purged", &[]).await;
    assert_code(&output, 3, &["are purged or reset"]);
    let mut conn = schema(&server, "late", 100).await;
    migrated(&server, "late", "ADD note INT", &[]).await;
    execute(&mut conn, &["UPDATE t SET v = -1 WHERE id = 1"]).await;
    let status: Option<mysql_async::Row> = conn
        .query_first("SHOW BINARY LOG STATUS")
        .await
        .expect("a row");
    let status = status.expect("one");
    let place: (Option<String>, Option<u64>) = (status.get(0), status.get(1));
    let place = (place.0.expect("a file"), place.1.expect("an offset"));
    let update = "UPDATE _t_ghk SET log_file = ?, log_offset = ? WHERE id = 2";
    conn.exec_drop(update, place).await.expect("a place behind");
    let output = reverted(&server, "late", &[]).await;
    let word = "it is another log than the one that was followed";
    assert_code(&output, 5, &[word]);
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_goes_by_gtids_as_its_migration_did() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "gtids", 100).await;
    migrated(&server, "gtids", "ADD note INT", &["--gtid"]).await;
    execute(
        &mut conn,
        &["UPDATE t SET v = -1 WHERE id = 1", "FLUSH BINARY LOGS"],
    )
    .await;
    assert_done(&reverted(&server, "gtids", &["--gtid", "--ok-to-drop-table"]).await);
    assert_eq!(tables(&mut conn).await, ["t"]);
    let found = rows(
        &mut conn,
        "SELECT CONCAT_WS(',', id, v) FROM t WHERE id <= 2",
    )
    .await;
    assert_eq!(found, ["1,-1", "2,14"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_changes_nothing_and_flags_without_effect_are_told() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "trial", 100).await;
    migrated(&server, "trial", "ADD note INT", &[]).await;
    let flags = ["--revert", "--old-table=_t_del", "--alter=ADD note INT"];
    let output = run(command(&server, "trial", "t", &flags)).await;
    assert_code(
        &output,
        0,
        &[
            "nothing speaks against this revert",
            "--alter has no effect with --revert",
        ],
    );
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    assert_done(&reverted(&server, "trial", &[]).await);
    let kinds = rows(
        &mut conn,
        "SELECT kind FROM _tableshift_history ORDER BY kind",
    )
    .await;
    assert_eq!(kinds, ["migrate", "revert"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_died_behind_its_rename_can_be_reverted() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "died", 1_000).await;
    let mut migration = tableshift_command(&server, "died", "t", "ADD note INT");
    migration
        .args(["--execute", "--chunk-size=100"])
        .env("TABLESHIFT_CHECKPOINT_MS", "1")
        .env("TABLESHIFT_FAULTS", "rename tables@locker:kill-after");
    let output = run(migration).await;
    assert_eq!(output.status.code(), None, "it was killed");
    execute(&mut conn, &["UPDATE t SET v = -1, note = 2 WHERE id = 1"]).await;
    assert_done(&reverted(&server, "died", &[]).await);
    let found = rows(
        &mut conn,
        "SELECT CONCAT_WS(',', id, v) FROM t WHERE id <= 2",
    )
    .await;
    assert_eq!(found, ["1,-1", "2,14"]);
    assert_eq!(tables(&mut conn).await, ["_t_rev_del", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_that_dies_anywhere_goes_on_or_is_done() {
    let server = Server::start(&[]);
    for (number, fault) in [
        "create the changelog table@main:kill-after",
        "put values aside@worker:kill-after",
        "delete rows@worker:kill-after",
        "refresh rows@worker:lost-after",
        "commit@worker:kill-before",
        "lock tables@locker:lost-after",
        "put values aside@locker:lost-after",
        "delete rows@locker:kill-after",
        "rename tables@locker:kill-before",
        "rename tables@locker:kill-after",
        "rename tables@locker:lost-after",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("dies{number}");
        let mut conn = schema(&server, &name, 3_000).await;
        execute(
            &mut conn,
            &[
                "ALTER TABLE t ADD gone INT NOT NULL DEFAULT 0",
                "UPDATE t SET gone = id",
            ],
        )
        .await;
        migrated(&server, &name, "DROP COLUMN gone", &[]).await;
        // More than are left to the lock.
        execute(&mut conn, &["UPDATE t SET v = -id WHERE id < 2000"]).await;
        let flags = ["--execute", "--revert", "--old-table=_t_del"];
        let mut command = command(&server, &name, "t", &flags);
        let hits = std::env::temp_dir().join(format!("tableshift-{}-{name}", std::process::id()));
        command
            .env("TABLESHIFT_FAULTS", fault)
            .env("TABLESHIFT_FAULTS_HITS", &hits);
        let writer = tokio::spawn(write_for_ever(server.conn(Some(&name)).await));
        run(command).await;
        // Under the lock there may be nothing left to refresh.
        let rare =
            fault.ends_with("s@locker:kill-after") || fault.starts_with("put values aside@l");
        assert!(
            hits.exists() || rare && !fault.starts_with("rename"),
            "{fault} was not hit"
        );
        let _ = std::fs::remove_file(&hits);
        writer.abort();
        let _ = writer.await;
        if tables(&mut conn).await.contains(&"_t_del".to_owned()) {
            let output = reverted(&server, &name, &[]).await;
            assert_done(&output);
        }
        let wrong = rows(
            &mut conn,
            "SELECT CONCAT_WS(',', id, v, gone) FROM t WHERE gone <> id OR id < 2000 AND v <> -id",
        )
        .await;
        assert!(wrong.is_empty(), "{fault}: {wrong:?}");
        let all = rows(&mut conn, "SELECT CONCAT(COUNT(*)) FROM t").await;
        assert_eq!(all, ["3000"], "{fault}");
    }
}

/// Changes a row again and again, so that the last refresh is under the lock.
async fn write_for_ever(mut conn: Conn) {
    for value in 0_u32.. {
        let update = format!("UPDATE t SET v = {value} WHERE id IN (2500, 2501)");
        if conn.query_drop(update).await.is_err() {
            return;
        }
    }
}

// --- under live writers --------------------------------------------------------------------------

const WRITES_PER_PHASE: u64 = 60;

async fn there_and_back_under_writers(kind: &TableKind) {
    let server = Server::start(&[]);
    let mut conn = server.conn(None).await;
    execute(&mut conn, &["CREATE DATABASE live", "USE live"]).await;
    let seed = std::env::var("TABLESHIFT_SEED").ok();
    let seed = seed.map_or(7, |seed| seed.parse().expect("a number"));
    println!("table {}: TABLESHIFT_SEED={seed}", kind.name);
    let writers = Writers::start(&server.opts(Some("live")), kind, seed).await;
    writers.wait_for_each(WRITES_PER_PHASE).await;
    let alter = "--alter=ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT '', MODIFY amount DECIMAL(20,3) NOT NULL";
    let output = run(command(&server, "live", kind.name, &["--execute", alter])).await;
    assert_done(&output);
    writers.wait_for_each(WRITES_PER_PHASE).await;
    let old = format!("--old-table=_{}_del", kind.name);
    let output = run(command(
        &server,
        "live",
        kind.name,
        &["--execute", "--revert", &old],
    ))
    .await;
    if output.status.success() {
        writers.wait_for_each(WRITES_PER_PHASE).await;
    }
    let truth = writers.stop().await;
    assert_done(&output);
    assert!(truth.acknowledged.iter().all(|count| *count > 0));
    assert!(
        truth.errors.is_empty(),
        "the writers saw {:?}",
        truth.errors
    );
    let found = read_table(&mut conn, kind.name).await;
    let differences = compare(&truth.rows, &found, kind.key_len());
    assert!(
        differences.is_empty(),
        "{}",
        report(&differences, &kind.columns())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unique_values_move_while_the_table_goes_there_and_back() {
    there_and_back_under_writers(&kinds::second_unique()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_keys_go_there_and_back() {
    there_and_back_under_writers(&kinds::generated_ids()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_keys_change_their_spelling_there_and_back() {
    there_and_back_under_writers(&kinds::case_insensitive_text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn latin1_keys_go_there_and_back() {
    there_and_back_under_writers(&kinds::latin1_text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_keys_go_there_and_back() {
    there_and_back_under_writers(&kinds::binary_key()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_a_primary_key_goes_there_and_back() {
    there_and_back_under_writers(&kinds::no_primary_key()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn composite_keys_go_there_and_back() {
    there_and_back_under_writers(&kinds::composite()).await;
}

// --- the window ----------------------------------------------------------------------------------

/// A migration of `t` with a revert window, in that window.
struct InWindow {
    child: Child,
    socket: PathBuf,
}

impl InWindow {
    async fn open(server: &Server, conn: &mut Conn, schema: &str, length: &str) -> Self {
        let socket =
            std::env::temp_dir().join(format!("tableshift-{}-{schema}.sock", std::process::id()));
        let flags = [
            "--execute",
            "--alter=ADD note INT, MODIFY v BIGINT NULL",
            &format!("--revert-window={length}"),
            &format!("--serve-socket-file={}", socket.display()),
        ];
        let child = command(server, schema, "t", &flags)
            .spawn()
            .expect("the program");
        // The old table follows.
        wait_until(PATIENCE, "the swap", async || {
            tables(conn).await.contains(&"_t_del".to_owned())
        })
        .await;
        execute(conn, &["UPDATE t SET v = -1, note = 5 WHERE id = 1"]).await;
        refreshed(conn, "id = 1 AND v = -1").await;
        Self { child, socket }
    }

    fn say(&self, word: &str) -> String {
        use std::io::{Read, Write};
        let mut stream = std::os::unix::net::UnixStream::connect(&self.socket).expect("the socket");
        writeln!(stream, "{word}").expect("a line");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(sent.success());
    }

    fn end(self) -> Output {
        self.child.wait_with_output().expect("its end")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_window_a_word_swaps_back() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "asked", 500).await;
    let window = InWindow::open(&server, &mut conn, "asked", "1h").await;
    let status = window.say("status");
    assert!(status.contains("revert window"), "{status}");
    execute(&mut conn, &["INSERT INTO t VALUES (9000, 1, 1)"]).await;
    let answer = window.say("revert");
    assert!(answer.contains("Reverting"), "{answer}");
    let output = window.end();
    assert_done(&output);
    assert_eq!(tables(&mut conn).await, ["_t_rev_del", "t"]);
    let found = rows(
        &mut conn,
        "SELECT CONCAT_WS(',', id, v) FROM t WHERE id IN (1, 2, 9000)",
    )
    .await;
    assert_eq!(found, ["1,-1", "2,14", "9000,1"]);
    let kinds = rows(
        &mut conn,
        "SELECT CONCAT_WS(' ', kind, result) FROM _tableshift_history",
    )
    .await;
    assert_eq!(kinds, ["migrate completed", "revert completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_ends_the_window_leaves_the_migration_complete_and_revertable() {
    let server = Server::start(&[]);
    for (name, length) in [
        ("done", "1h"),
        ("term", "1h"),
        ("time", "3s"),
        ("killed", "1h"),
        ("ddl", "1h"),
    ] {
        let mut conn = schema(&server, name, 500).await;
        let window = InWindow::open(&server, &mut conn, name, length).await;
        match name {
            "done" => drop(window.say("done")),
            "term" => window.signal("-TERM"),
            "killed" => window.signal("-KILL"),
            "ddl" => execute(&mut conn, &["ALTER TABLE t ADD x INT"]).await,
            _ => {}
        }
        let output = window.end();
        match name {
            "killed" => assert_eq!(output.status.code(), None),
            "ddl" => assert_code(&output, 0, &["another session ran ALTER on `ddl`.`t`"]),
            _ => assert_done(&output),
        }
        let shape = rows(
            &mut conn,
            "SELECT CONCAT_WS(',', id, note) FROM t WHERE id = 1",
        )
        .await;
        assert_eq!(shape, ["1,5"]);
        execute(&mut conn, &["UPDATE t SET v = -2 WHERE id = 2"]).await;
        if name != "ddl" {
            assert_done(&reverted(&server, name, &[]).await);
            let found = rows(
                &mut conn,
                "SELECT CONCAT_WS(',', id, v) FROM t WHERE id <= 2",
            )
            .await;
            assert_eq!(found, ["1,-1", "2,-2"]);
            assert_eq!(tables(&mut conn).await, ["_t_rev_del", "t"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_in_the_window_that_can_t_be_says_why_and_changes_nothing() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "cannot", 500).await;
    let window = InWindow::open(&server, &mut conn, "cannot", "1h").await;
    execute(&mut conn, &["UPDATE t SET v = NULL WHERE id = 7"]).await;
    window.say("revert");
    let output = window.end();
    assert_code(
        &output,
        8,
        &["1 rows can't go back", "id=7: Column 'v' cannot be null"],
    );
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    let found = rows(
        &mut conn,
        "SELECT CONCAT(id) FROM t WHERE v IS NULL AND note IS NULL",
    )
    .await;
    assert_eq!(found, ["7"]);
}
