//! `--backfill`: columns that are filled from expressions over the original's row.

#[cfg(test)]
mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::server::Server;
use support::{tableshift_command, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

async fn execute(conn: &mut Conn, statements: &[&str]) {
    for statement in statements {
        conn.query_drop(*statement).await.expect(statement);
    }
}

async fn number(conn: &mut Conn, question: &str) -> u64 {
    let answer: Option<u64> = conn.query_first(question).await.expect(question);
    answer.expect("a row")
}

async fn schema(server: &Server, name: &str, table: &str) -> Conn {
    let mut conn = server.conn(None).await;
    let (create, used) = (format!("CREATE DATABASE {name}"), format!("USE {name}"));
    execute(&mut conn, &[&create, &used, table]).await;
    conn
}

fn migrate(server: &Server, schema: &str, alter: &str, flags: &[&str]) -> Output {
    tableshift_command(server, schema, "t", alter)
        .args(["--execute", "--initially-drop-ghost-table", "--no-resume"])
        .args(flags)
        .output()
        .expect("running tableshift")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder for one test's files, and a run in the background with a flag file that postpones its cut-over.
struct Run {
    child: Child,
    postpone: PathBuf,
    log: PathBuf,
}

impl Run {
    fn start(server: &Server, schema: &str, alter: &str, flags: &[&str], faults: &str) -> Self {
        let file = |what: &str| {
            let name = format!("tableshift-backfill-{}-{schema}-{what}", std::process::id());
            std::env::temp_dir().join(name)
        };
        let (postpone, log) = (file("postpone"), file("log"));
        std::fs::write(&postpone, "").expect("the postpone file");
        let written = std::fs::File::create(&log).expect("the log");
        let child = tableshift_command(server, schema, "t", alter)
            .arg("--execute")
            .arg("--postpone-cut-over-flag-file")
            .arg(&postpone)
            .args(flags)
            .env("TABLESHIFT_FAULTS", faults)
            .env("TABLESHIFT_CHECKPOINT_MS", "20")
            .stdout(Stdio::null())
            .stderr(written)
            .spawn()
            .expect("starting tableshift");
        Self {
            child,
            postpone,
            log,
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log")
    }

    async fn says(&self, words: &str) {
        wait_until(PATIENCE, words, async || self.said().contains(words)).await;
    }

    fn cut_over(&self) {
        std::fs::remove_file(&self.postpone).expect("the postpone file");
    }

    async fn ends(mut self, code: i32) -> String {
        let mut status = None;
        wait_until(PATIENCE, "it ends", async || {
            status = self.child.try_wait().expect("its status");
            status.is_some()
        })
        .await;
        let text = self.said();
        assert_eq!(
            status.and_then(|status| status.code()),
            Some(code),
            "{text}"
        );
        text
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Both fail when it has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.postpone);
        let _ = std::fs::remove_file(&self.log);
    }
}

// --- the truth test ------------------------------------------------------------------------------

/// Rows that each writer has for itself.
const OWN: i64 = 1_000;
const WRITERS: i64 = 4;
/// What every writer gets acknowledged before the copy's end is looked for, and again while postponed.
const WRITES: u64 = 300;

/// One writer's acknowledged rows: number to inputs. Every statement names the column `guard`, which the ALTER
/// drops: the first one behind the swap fails, so the log ends with the swap.
async fn write(
    server_conn: Conn,
    writer: i64,
    acknowledged: Arc<AtomicU64>,
) -> BTreeMap<i64, (i64, String)> {
    let mut conn = server_conn;
    let first = writer * OWN * 10;
    let mut rows: BTreeMap<i64, (i64, String)> = (first..first + OWN)
        .map(|id| (id, (id, "x".to_owned())))
        .collect();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(writer.cast_unsigned() + 1);
    let mut below = |limit: i64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        i64::try_from(random % limit.cast_unsigned()).expect("small")
    };
    loop {
        let id = first + below(2 * OWN);
        let (a, b) = (below(1_000), format!("é{}", below(100)));
        let (statement, after) = match (rows.contains_key(&id), below(4)) {
            (false, _) => (
                format!("INSERT INTO t (id, a, b, price, guard) VALUES ({id}, {a}, '{b}', {a}, 0)"),
                Some((id, a, b)),
            ),
            (true, 0) => (format!("DELETE FROM t WHERE id = {id} AND guard = 0"), None),
            (true, 1) => {
                let other = first + 2 * OWN + below(2 * OWN);
                if rows.contains_key(&other) {
                    continue;
                }
                let set = format!("id = {other}, a = {a}, b = '{b}', price = {a}");
                (
                    format!("UPDATE t SET {set} WHERE id = {id} AND guard = 0"),
                    Some((other, a, b)),
                )
            }
            (true, _) => (
                format!(
                    "UPDATE t SET a = {a}, b = '{b}', price = {a} WHERE id = {id} AND guard = 0"
                ),
                Some((id, a, b)),
            ),
        };
        match conn.query_drop(&statement).await {
            Ok(()) => {
                rows.remove(&id);
                rows.extend(after.map(|(id, a, b)| (id, (a, b))));
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Err(mysql_async::Error::Server(error)) if error.code == 1054 => return rows,
            Err(error) => panic!("{statement}: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_those_of_the_inputs_at_the_swap_whatever_writers_do() {
    let server = Server::start(&[]);
    let mut conn = schema(
        &server,
        "truth",
        "CREATE TABLE t (id BIGINT PRIMARY KEY, a INT NOT NULL, b VARCHAR(20) NOT NULL, price DECIMAL(10,2) NOT \
         NULL, guard INT NOT NULL)",
    )
    .await;
    for writer in 0..WRITERS {
        let first = writer * OWN * 10;
        let rows: Vec<String> = (first..first + OWN)
            .map(|id| format!("({id}, {id}, 'x', {id}, 0)"))
            .collect();
        execute(
            &mut conn,
            &[&format!("INSERT INTO t VALUES {}", rows.join(", "))],
        )
        .await;
    }
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let own = server.conn(Some("truth")).await;
        let task = tokio::spawn(write(own, writer, Arc::clone(&acknowledged)));
        writers.push((acknowledged, task));
    }
    let run = Run::start(
        &server,
        "truth",
        "ADD COLUMN label VARCHAR(60) NOT NULL, MODIFY price BIGINT NOT NULL, DROP COLUMN guard",
        &[
            "--backfill=label = CONCAT(b, '/', a, '/', id)",
            "--backfill=price = CAST(price * 100 AS SIGNED) + id",
            "--chunk-size=100",
        ],
        "",
    );
    for words in ["copy complete", "postponed"] {
        run.says(words).await;
        for (acknowledged, _) in &writers {
            let enough = acknowledged.load(Ordering::SeqCst) + WRITES;
            wait_until(PATIENCE, "writers write", async || {
                acknowledged.load(Ordering::SeqCst) >= enough
            })
            .await;
        }
    }
    run.cut_over();
    run.ends(0).await;
    let mut truth = BTreeMap::new();
    for (_, task) in writers {
        truth.extend(task.await.expect("a writer without errors"));
    }
    let found: Vec<(i64, i64, String)> = conn
        .query("SELECT id, a, b FROM t ORDER BY id")
        .await
        .expect("the rows");
    let expected: Vec<_> = truth.into_iter().map(|(id, (a, b))| (id, a, b)).collect();
    assert_eq!(found, expected);
    let wrong = "SELECT COUNT(*) FROM t LEFT JOIN _t_del AS o USING (id) WHERE o.id IS NULL OR NOT t.label <=> \
                 CONCAT(o.b, '/', o.a, '/', o.id) OR NOT t.price <=> CAST(o.price * 100 AS SIGNED) + o.id";
    assert_eq!(number(&mut conn, wrong).await, 0);
    let rows = number(&mut conn, "SELECT COUNT(*) FROM _t_del").await;
    assert_eq!(rows, u64::try_from(found.len()).expect("small"));
}

// --- what is refused -----------------------------------------------------------------------------

const INPUTS: &str = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20), d DATE, tm TIME, \
                      `day` INT, u INT NOT NULL UNIQUE, g INT AS (a + 1) STORED)";

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_depend_on_the_row_alone_is_refused_before_anything_is_written() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "refused", INPUTS).await;
    execute(
        &mut conn,
        &["CREATE FUNCTION f(a INT) RETURNS INT DETERMINISTIC RETURN a"],
    )
    .await;
    let add = "ADD COLUMN x INT NOT NULL, ADD COLUMN y INT";
    for (alter, backfill, words) in [
        (add, "x = SYSDATE()", "function SYSDATE"),
        (add, "x = RANDOM_BYTES(4)", "function RANDOM_BYTES"),
        (add, "x = f(a)", "function F"),
        (add, "x = `f`(a)", "function `f`"),
        (add, "x = refused.f(a)", "has another one in front"),
        (add, "x = CURRENT_DATE", "use curdate"),
        (add, "x = CURRENT_USER", "use current_user"),
        (add, "x = UTC_TIME", "use utc_time"),
        (add, "x = (SELECT 1)", "SELECT isn't allowed"),
        (add, "x = COUNT(a)", "function COUNT"),
        (add, "x = YEAR(tm)", "today's date"),
        (add, "x = a + no_column", "Unknown column 'no_column'"),
        (add, "x = day + 1", "put it in back-quotes"),
        // Not built in on 9.7.4, so the server looks for a stored function.
        (add, "x = CONV(MD5(b), 16, 10)", ": CONV, MD5 (1046)"),
        (add, "x = b * 1.5", "the expression gives double"),
        (add, "z = a", "has no column `z`"),
        (add, "a = b", "neither adds nor changes column `a`"),
        (add, "g = a", "column `g` is generated"),
        (
            "MODIFY id BIGINT AUTO_INCREMENT",
            "id = u",
            "is AUTO_INCREMENT",
        ),
        (
            "MODIFY u BIGINT NOT NULL, DROP PRIMARY KEY, DROP COLUMN id",
            "u = a",
            "`u` is part of the key",
        ),
    ] {
        let flag = format!("--backfill={backfill}");
        let output = migrate(&server, "refused", alter, &[&flag]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(3), "{backfill}\n{text}");
        assert!(text.contains(words), "{backfill}: no {words:?} in\n{text}");
    }
    let both = migrate(
        &server,
        "refused",
        add,
        &["--backfill=x = NOW()", "--backfill=y = nosuch"],
    );
    assert!(
        said(&both).contains("refused for 2 reasons"),
        "{}",
        said(&both)
    );
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'refused'";
    assert_eq!(number(&mut conn, tables).await, 1);
}

#[test]
fn what_could_end_an_expression_early_is_no_flag() {
    for (backfill, words) in [
        ("x", "column = expression"),
        ("x = a; DROP TABLE t", "a ; isn't allowed"),
        ("x = a -- b", "-- isn't allowed"),
        ("x = a # b", "comments"),
        ("x = a /* b */", "comments"),
        ("x = a) + (b", "no matching ("),
        ("x = (a", "no matching )"),
        ("x = 'a", "no closing '"),
        ("x = @a", "variables"),
        ("x = ?", "parameters"),
    ] {
        let wrong = tableshift::plan::backfill::parse(backfill).expect_err(backfill);
        assert!(wrong.contains(words), "{backfill}: {wrong}");
    }
}

// --- values that fail, and values that are wrong -------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_fails_ends_the_run_and_is_never_cut() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "failing", INPUTS).await;
    execute(
        &mut conn,
        &["INSERT INTO t (id, a, b, u) VALUES (1, 1, 'secret', 1), (2, 2, 'secret', 2)"],
    )
    .await;
    for (column, expression, code) in [
        ("INT NOT NULL", "NULLIF(a, 2)", "1048"),
        ("DECIMAL(10,4)", "a / (a - 2)", "1365"),
        ("BIGINT", "CAST(b AS SIGNED)", "1292"),
        ("TINYINT", "a * 100", "1264"),
        ("VARCHAR(3)", "b", "1265"),
        ("DATE", "STR_TO_DATE(b, '%Y-%m-%d')", "1411"),
        // Strict mode lets this one pass, as NULL.
        ("LONGTEXT", "REPEAT(b, 100000000)", "1301"),
    ] {
        let (alter, flag) = (
            format!("ADD COLUMN x {column}"),
            format!("--backfill=x = {expression}"),
        );
        let output = migrate(&server, "failing", &alter, &[&flag]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(5), "{expression}\n{text}");
        assert!(
            text.contains(&format!("({code})")),
            "{expression}: no {code} in\n{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
    let columns = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'failing' AND table_name = \
                   't'";
    assert_eq!(number(&mut conn, columns).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoilt_value_is_found() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "spoilt", INPUTS).await;
    execute(
        &mut conn,
        &[
            "INSERT INTO t (a, u) VALUES (1, 1), (2, 2), (3, 3)",
            "SET SESSION sql_log_bin=0",
        ],
    )
    .await;
    for flags in [
        &["--backfill=x = a * 10 + u"][..],
        &["--backfill=x = a * 10 + u", "--verify-repair"],
    ] {
        let hold =
            std::env::temp_dir().join(format!("tableshift-backfill-hold-{}", std::process::id()));
        let order = format!("compare chunk@worker:hold={}", hold.display());
        let flags = [flags, &["--no-resume", "--initially-drop-ghost-table"]].concat();
        let run = Run::start(
            &server,
            "spoilt",
            "ADD COLUMN x BIGINT NOT NULL",
            &flags,
            &order,
        );
        wait_until(PATIENCE, "it is about to compare", async || hold.exists()).await;
        execute(&mut conn, &["UPDATE _t_gho SET x = 0 WHERE id = 2"]).await;
        std::fs::remove_file(&hold).expect("the hold");
        run.cut_over();
        if flags.contains(&"--verify-repair") {
            run.ends(0).await;
            let wrong = "SELECT COUNT(*) FROM t WHERE x <> a * 10 + u";
            assert_eq!(number(&mut conn, wrong).await, 0);
        } else {
            let text = run.ends(5).await;
            assert!(text.contains("id=2 (differs in `x`)"), "{text}");
        }
    }
}

// --- going on ------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_with_the_same_backfills_only() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "again", INPUTS).await;
    execute(
        &mut conn,
        &["INSERT INTO t (a, u) VALUES (1, 1), (2, 2), (3, 3)"],
    )
    .await;
    let alter = "ADD COLUMN x BIGINT NOT NULL";
    let mut run = Run::start(&server, "again", alter, &["--backfill=x = a * 10"], "");
    run.says("copy complete").await;
    // What the migration is, and how far it is.
    wait_until(PATIENCE, "it has made a checkpoint", async || {
        number(&mut conn, "SELECT COUNT(*) FROM _t_ghk").await == 2
    })
    .await;
    run.child.kill().expect("killing it");
    run.child.wait().expect("its end");
    for other in [&["--backfill=x = a * 11"][..], &[]] {
        let output = tableshift_command(&server, "again", "t", alter)
            .args(["--execute", "--resume"])
            .args(other)
            .output()
            .expect("running tableshift");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains("--backfill"), "{text}");
    }
    let run = Run::start(
        &server,
        "again",
        alter,
        &["--resume", "--backfill=x = a * 10"],
        "",
    );
    run.says("going on from checkpoint").await;
    run.says("postponed").await;
    run.cut_over();
    run.ends(0).await;
    assert_eq!(
        number(&mut conn, "SELECT COUNT(*) FROM t WHERE x = a * 10").await,
        3
    );
}

// --- beside other things -------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn indexes_built_later_checks_triggers_and_a_new_unique_key_hold_for_filled_columns() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "beside", INPUTS).await;
    execute(
        &mut conn,
        &[
            "INSERT INTO t (a, b, u) VALUES (1, 'x', 11), (2, 'y', 12), (3, 'z', 13)",
            "CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW SET NEW.b = 'triggered'",
        ],
    )
    .await;
    let output = migrate(
        &server,
        "beside",
        "ADD COLUMN x BIGINT NOT NULL, ADD COLUMN w VARCHAR(9) NOT NULL, ADD KEY w (w), ADD UNIQUE KEY x (x), ADD \
         CONSTRAINT positive CHECK (x > 0), ADD COLUMN y BIGINT AS (x * 2) STORED",
        &[
            "--backfill=x = a * 100 + u",
            "--backfill=w = UPPER(b)",
            "--include-triggers",
            "--trigger-suffix=_2",
            "--defer-secondary-indexes=on",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let right = "SELECT COUNT(*) FROM t WHERE x = a * 100 + u AND w = UPPER(b) AND y = x * 2";
    assert_eq!(number(&mut conn, right).await, 3);
    execute(&mut conn, &["UPDATE t SET x = 7 WHERE id = 1"]).await;
    let after =
        "SELECT COUNT(*) FROM t FORCE INDEX (w) WHERE w = 'X' AND x = 7 AND b = 'triggered'";
    assert_eq!(number(&mut conn, after).await, 1);
    let output = migrate(
        &server,
        "beside",
        "ADD COLUMN z BIGINT NOT NULL, ADD CHECK (z < 3)",
        &[
            "--backfill=z = a",
            "--include-triggers",
            "--trigger-suffix=_3",
            "--initially-drop-old-table",
        ],
    );
    let text = said(&output);
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(text.contains("(3819)"), "{text}");
}

// --- the way back --------------------------------------------------------------------------------

fn reverted(server: &Server, schema: &str) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(["--host", &server.host, "--port", &server.port.to_string()])
        .args(["--user", support::server::USER])
        .args(["--password", support::server::PASSWORD])
        .args(["--database", schema, "--table", "t", "--revert"])
        .args(["--old-table", "_t_del", "--execute"]);
    command.output().expect("running tableshift")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_column_can_be_taken_back_and_replaced_values_can_not() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "back", INPUTS).await;
    execute(&mut conn, &["INSERT INTO t (a, u) VALUES (1, 1), (2, 2)"]).await;
    let replaced = (
        "ADD COLUMN x INT, MODIFY a BIGINT",
        &["--backfill=a = a * 100", "--backfill=x = u"],
    );
    let (alter, flags) = replaced;
    let window = migrate(
        &server,
        "back",
        alter,
        &[&flags[..], &["--revert-window=60s"]].concat(),
    );
    let text = said(&window);
    assert_eq!(window.status.code(), Some(3), "{text}");
    assert!(text.contains("other values to `a`"), "{text}");
    let output = migrate(&server, "back", alter, flags);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = reverted(&server, "back");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("other values to columns") && text.contains("): a;"),
        "{text}"
    );
    let shown = "SELECT COUNT(*) FROM t WHERE a = u * 100 AND x = u";
    assert_eq!(number(&mut conn, shown).await, 2);

    let new = ["--backfill=y = u", "--initially-drop-old-table"];
    let output = migrate(&server, "back", "ADD COLUMN y BIGINT NOT NULL", &new);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    execute(
        &mut conn,
        &[
            "UPDATE t SET a = 7 WHERE u = 1",
            "INSERT INTO t (a, u, y) VALUES (3, 3, 33)",
        ],
    )
    .await;
    let output = reverted(&server, "back");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let rows: Vec<(i64, i64)> = conn
        .query("SELECT a, u FROM t ORDER BY u")
        .await
        .expect("rows");
    assert_eq!(rows, [(7, 1), (200, 2), (3, 3)]);
}

// --- what a server may be like -------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_make_temporary_tables_is_told_the_grant() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "poor", INPUTS).await;
    execute(
        &mut conn,
        &[
            "INSERT INTO t (a, u) VALUES (1, 1)",
            "CREATE USER poor",
            "GRANT PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO poor",
            "GRANT SELECT ON performance_schema.* TO poor",
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, LOCK TABLES, SELECT, TRIGGER, UPDATE ON poor.* TO poor",
        ],
    )
    .await;
    let as_poor = ["--backfill=x = a", "--user=poor", "--password="];
    let alter = "ADD COLUMN x INT";
    let output = migrate(&server, "poor", alter, &as_poor);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("GRANT CREATE TEMPORARY TABLES ON `poor`.*"),
        "{text}"
    );
    execute(
        &mut conn,
        &["GRANT CREATE TEMPORARY TABLES ON poor.* TO poor"],
    )
    .await;
    let output = migrate(&server, "poor", alter, &as_poor);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_those_of_the_run_s_begin_on_every_connection() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "pinned", INPUTS).await;
    execute(
        &mut conn,
        &[
            "INSERT INTO t (a, d, u) VALUES (1, '2024-01-07', 1), (2, '2024-03-03', 7)",
            "SET GLOBAL time_zone = '+02:00'",
        ],
    )
    .await;
    let hold = std::env::temp_dir().join(format!("tableshift-pinned-{}", std::process::id()));
    let run = Run::start(
        &server,
        "pinned",
        "ADD COLUMN x DECIMAL(20,10), ADD COLUMN w INT, ADD COLUMN m VARCHAR(20), ADD COLUMN z DATETIME",
        &[
            "--backfill=x = a / 7",
            "--backfill=w = WEEK(d)",
            "--backfill=m = MONTHNAME(d)",
            "--backfill=z = FROM_UNIXTIME(u * 3600)",
        ],
        &format!("create the changelog table@main:hold={}", hold.display()),
    );
    wait_until(PATIENCE, "it knows the settings", async || hold.exists()).await;
    // The connections that copy, refresh and compare are made after this.
    execute(
        &mut conn,
        &[
            "SET GLOBAL div_precision_increment = 9",
            "SET GLOBAL default_week_format = 3",
            "SET GLOBAL lc_time_names = 'de_DE'",
            "SET GLOBAL time_zone = '+09:00'",
        ],
    )
    .await;
    std::fs::remove_file(&hold).expect("the hold");
    run.says("postponed").await;
    execute(&mut conn, &["UPDATE t SET a = 3 WHERE u = 7"]).await;
    run.cut_over();
    run.ends(0).await;
    let rows: Vec<(String, i32, String, String)> = conn
        .query("SELECT CAST(x AS CHAR), w, m, CAST(z AS CHAR) FROM t ORDER BY u")
        .await
        .expect("rows");
    let expected = [
        ("0.1429000000", 1, "January", "1970-01-01 03:00:00"),
        ("0.4286000000", 9, "March", "1970-01-01 09:00:00"),
    ];
    let expected = expected.map(|(x, w, m, z)| (x.to_owned(), w, m.to_owned(), z.to_owned()));
    assert_eq!(rows, expected);
}

/// A date that isn't in the calendar, and a time that would become one of today.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_date_is_none_though_no_date_is_filled() {
    let server = Server::start(&[]);
    let mut conn = schema(
        &server,
        "nodate",
        "CREATE TABLE t (id INT PRIMARY KEY, b VARCHAR(20) NOT NULL)",
    )
    .await;
    execute(&mut conn, &["INSERT INTO t VALUES (1, '2026-02-31')"]).await;
    let filled = |expression: &str| {
        let backfill = format!("--backfill=x = {expression}");
        migrate(&server, "nodate", "ADD COLUMN x INT", &[&backfill])
    };
    for (expression, code) in [
        ("DATEDIFF(b, '2026-01-01')", 5),
        ("CAST(b AS DATE) + 0", 5),
        ("QUARTER(b)", 5),
        ("TO_DAYS(STR_TO_DATE(b, CONCAT('%H:', '%i')))", 3),
        ("TO_DAYS(STR_TO_DATE(b, x'25483A2569'))", 3),
        ("TO_DAYS(STR_TO_DATE(b, '%' 'H:%i'))", 3),
        ("LENGTH(b)", 0),
    ] {
        let output = filled(expression);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{expression}: {}",
            said(&output)
        );
    }
    assert_eq!(number(&mut conn, "SELECT x FROM t").await, 10);
}

/// By cron, or after a kill behind the swap: the definition doesn't tell that it was done.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_filled_is_not_filled_again() {
    let server = Server::start(&[]);
    let mut conn = schema(
        &server,
        "again",
        "CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)",
    )
    .await;
    execute(&mut conn, &["INSERT INTO t VALUES (1, 7)"]).await;
    let filled = |flags: &[&str], faults: &str| {
        tableshift_command(&server, "again", "t", "MODIFY v BIGINT NOT NULL")
            .args([
                "--execute",
                "--backfill=v = v * 10",
                "--initially-drop-old-table",
            ])
            .args(flags)
            .env("TABLESHIFT_FAULTS", faults)
            .output()
            .expect("running tableshift")
    };
    let killed = filled(&[], "rename tables@locker:kill-after");
    assert_eq!(killed.status.code(), None, "{}", said(&killed));
    wait_until(PATIENCE, "the swap", async || {
        let mut conn = server.conn(Some("again")).await;
        number(&mut conn, "SELECT v FROM t").await == 70
    })
    .await;
    for _ in 0..2 {
        let output = filled(&[], "");
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains("--no-history"), "{}", said(&output));
    }
    assert_eq!(number(&mut conn, "SELECT v FROM t").await, 70);
    assert_eq!(number(&mut conn, "SELECT v FROM _t_del").await, 7);
    let output = filled(&["--no-history"], "");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(number(&mut conn, "SELECT v FROM t").await, 700);
}

// --- inputs that change --------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_changes_before_its_refresh_gets_the_value_of_its_last_inputs() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "twice", INPUTS).await;
    execute(
        &mut conn,
        &["INSERT INTO t (id, a, b, u) VALUES (1, 1, 'x', 1), (2, 2, 'y', 2), (3, 3, 'z', 3)"],
    )
    .await;
    let hold = std::env::temp_dir().join(format!("tableshift-twice-{}", std::process::id()));
    let run = Run::start(
        &server,
        "twice",
        "ADD COLUMN x INT, ADD COLUMN y VARCHAR(40) NOT NULL",
        &["--backfill=x = a * 10", "--backfill=y = CONCAT(b, id)"],
        &format!("refresh rows@worker:hold={}", hold.display()),
    );
    run.says("postponed").await;
    let change = "UPDATE t SET a = 20, b = 'once', id = id + 10 WHERE id IN (1, 2)";
    execute(&mut conn, &[change]).await;
    wait_until(PATIENCE, "it is about to refresh", async || hold.exists()).await;
    // Its row is locked by the refresh: this waits for it, and is logged behind it.
    let mut other = server.conn(Some("twice")).await;
    let again = tokio::spawn(async move {
        execute(
            &mut other,
            &[
                "UPDATE t SET a = NULL, b = 'twice' WHERE id = 11",
                "UPDATE t SET id = 1, a = 7 WHERE id = 12",
            ],
        )
        .await;
    });
    std::fs::remove_file(&hold).expect("the hold");
    again.await.expect("the change");
    run.cut_over();
    run.ends(0).await;
    let rows: Vec<(i32, Option<i32>, Option<i32>, String)> = conn
        .query("SELECT id, a, x, y FROM t ORDER BY id")
        .await
        .expect("rows");
    let expected = [
        (1, Some(7), Some(70), "once1".to_owned()),
        (3, Some(3), Some(30), "z3".to_owned()),
        (11, None, None, "twice11".to_owned()),
    ];
    // `id` is an input as well: a row that got another key has the value of the new one.
    assert_eq!(rows, expected);
}

// --- no shortcut -----------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_could_do_by_itself_is_copied_all_the_same() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "short", INPUTS).await;
    execute(&mut conn, &["INSERT INTO t (a, u) VALUES (1, 1), (2, 2)"]).await;
    let run = |alter: &str, flags: &[&str]| {
        support::with_shortcuts(&server, "short", "t", alter)
            .args(["--execute", "--initially-drop-old-table"])
            .args(flags)
            .output()
            .expect("running tableshift")
    };
    for (alter, flags, right) in [
        (
            "ADD COLUMN x INT",
            &["--backfill=x = a + u", "--attempt-instant-ddl"][..],
            "x = a + u",
        ),
        // Neither changes the definition.
        ("MODIFY a INT", &["--backfill=a = u * 100"], "a = u * 100"),
        ("CHANGE a a INT", &["--backfill=a = u * 5"], "a = u * 5"),
    ] {
        let output = run(alter, flags);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let right = format!("SELECT COUNT(*) FROM t WHERE {right}");
        assert_eq!(number(&mut conn, &right).await, 2, "{alter}");
    }
    let output = run("ADD COLUMN x INT", &["--backfill=x = u * 3"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("(1060)"), "{text}");
    // Nothing else would have to be done.
    let output = run("ADD COLUMN x INT", &[]);
    assert_eq!(output.status.code(), Some(11), "{}", said(&output));
}
