//! The plans of the application's statements, compared before the cut-over: what got worse postpones it, and nothing
//! that goes wrong in the comparison matters to the data.

#[cfg(test)]
mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use support::running::{PATIENCE, assert_code, assert_done, execute, schema, tables};
use support::server::Server;
use support::{tableshift_command, wait_until, with_shortcuts};

const ROWS: u32 = 5_000;
const DROP: &str = "DROP KEY v";

/// A table with an index, and somebody who works with it. Digests are the whole server's, so each test has its own.
async fn worked_on(name: &str) -> (Server, Conn) {
    let server = Server::start(&[]);
    let mut conn = schema(&server, name, ROWS).await;
    execute(
        &mut conn,
        &[
            "ALTER TABLE t ADD COLUMN w INT, ADD KEY v (v)",
            "UPDATE t SET w = id % 10",
            "CREATE TABLE other (id INT PRIMARY KEY, v INT)",
            "INSERT INTO other SELECT id, v FROM t WHERE id <= 10",
            "ANALYZE TABLE t",
            "TRUNCATE performance_schema.events_statements_summary_by_digest",
        ],
    )
    .await;
    (server, conn)
}

fn socket(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("tableshift-{}-{name}.plans", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn start(server: &Server, name: &str, alter: &str, flags: &[&str], faults: &str) -> Child {
    tableshift_command(server, name, "t", alter)
        .args(["--execute", "--compare-plans", "--serve-socket-file"])
        .arg(socket(name))
        .args(flags)
        .env("TABLESHIFT_FAULTS", faults)
        .env("TABLESHIFT_PLANS_AGAIN_MS", "100")
        .env("TABLESHIFT_CHECKPOINT_MS", "20")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program")
}

async fn end(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().expect("the program's end"))
        .await
        .expect("a thread")
}

async fn run(server: &Server, name: &str, alter: &str, flags: &[&str], faults: &str) -> Output {
    end(start(server, name, alter, flags, faults)).await
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn asked(path: &Path, line: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

async fn postponed(path: &Path) {
    wait_until(PATIENCE, "the cut-over is postponed", async || {
        asked(path, "sup").is_ok_and(|status| status.contains("State: postponing cut-over"))
    })
    .await;
}

async fn swapped(conn: &mut Conn) -> bool {
    tables(conn).await.contains(&"_t_del".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_loses_its_index_postpones_the_cut_over_until_somebody_allows_it() {
    let name = "loses";
    let (server, mut conn) = worked_on(name).await;
    execute(
        &mut conn,
        &[
            "SELECT id FROM t WHERE v = 4949",
            "SELECT id FROM t WHERE id = 4949",
            "UPDATE t SET w = 1 WHERE v IN (7, 14)",
            "DELETE a FROM t a JOIN other b ON b.v = a.v WHERE b.id = 3",
        ],
    )
    .await;
    let folder =
        std::env::temp_dir().join(format!("tableshift-{}-plans-hooks", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let told = folder.join("told");
    let _ = std::fs::remove_file(&told);
    let hook = folder.join("gh-ost-on-begin-postponed");
    std::fs::write(
        &hook,
        format!("#!/bin/sh\necho postponed >> {}\n", told.display()),
    )
    .expect("a hook");
    Command::new("chmod")
        .arg("755")
        .arg(&hook)
        .status()
        .expect("chmod");
    let hooks = format!("--hooks-path={}", folder.display());
    let running = start(&server, name, DROP, &[&hooks], "");
    let path = socket(name);
    postponed(&path).await;
    wait_until(PATIENCE, "the hook was told", async || told.exists()).await;
    assert!(!swapped(&mut conn).await);
    let answer = asked(&path, "cut-over").expect("an answer");
    assert!(answer.starts_with("Unpostponed"), "{answer}");
    let output = end(running).await;
    assert_done(&output);
    assert_code(
        &output,
        0,
        &[
            "plans compared statements=3 worse=2 not_compared=1 (1: it updates or deletes with a join or a subquery, \
             and EXPLAIN of it takes row locks)",
            "its plan gets worse: SELECT `id` FROM `t` WHERE `v` = ? (run 1 times): it would read ",
            " (`t`: a full table scan instead of a lookup in index `v`)",
            "its plan gets worse: UPDATE `t` SET `w` = ? WHERE `v` IN (...) (run 1 times)",
            "the cut-over waits: the new table would answer a statement worse",
            "cut-over allowed",
        ],
    );
    assert!(
        !text(&output).contains("4949"),
        "no values: {}",
        text(&output)
    );
    assert!(swapped(&mut conn).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_are_compared_as_well() {
    let name = "prepared";
    let (server, mut conn) = worked_on(name).await;
    execute(
        &mut conn,
        &["ALTER TABLE t ADD COLUMN day DATE, ADD KEY day (day)"],
    )
    .await;
    let by_number = "SELECT id FROM t WHERE v = ? AND w > ? LIMIT ?";
    conn.exec_drop(by_number, (4949, 1, 10))
        .await
        .expect("rows");
    let by_day = "UPDATE t SET w = ? WHERE day = ?";
    conn.exec_drop(by_day, (1, "2026-11-24"))
        .await
        .expect("a change");
    let alter = "DROP KEY v, ADD COLUMN note INT";
    let output = run(&server, name, alter, &["--compare-plans-wait=1"], "").await;
    assert_code(
        &output,
        8,
        &[
            "plans compared statements=2 worse=1 not_compared=0\n",
            "its plan gets worse: SELECT `id` FROM `t` WHERE `v` = ? AND `w` > ? LIMIT ? (run 1 times)",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_no_plan_minds_runs_through() {
    let name = "unminded";
    let (server, mut conn) = worked_on(name).await;
    execute(
        &mut conn,
        &[
            "SELECT id FROM t WHERE v = 7 ORDER BY w",
            "SELECT t.id, unminded.t.v FROM unminded.t JOIN other o USING (id) WHERE t.v > 3",
            "INSERT INTO other (id, v) SELECT id + 100, v FROM t WHERE v = 7 ON DUPLICATE KEY UPDATE v = t.v",
            "REPLACE INTO t (id, v) SELECT id, v FROM other WHERE id = 1",
            "UPDATE t SET w = 1 WHERE v = 7",
            "WITH x AS (SELECT * FROM t WHERE v = 7) SELECT COUNT(*) FROM x",
            "SELECT id FROM t WHERE v = 7 UNION SELECT id FROM t WHERE v = 14",
            // Of other tables, or with nothing to plan.
            "SELECT v FROM other WHERE id = 7",
            "INSERT INTO t (id, v) VALUES (999999, 1)",
        ],
    )
    .await;
    let output = run(&server, name, "ADD COLUMN note INT", &[], "").await;
    assert_done(&output);
    assert_code(
        &output,
        0,
        &["plans compared statements=6 worse=0 not_compared=1 (1: it inserts into the table)\n"],
    );
    assert!(!text(&output).contains("postponed"), "{}", text(&output));
    let logged: Option<(String, String)> = conn
        .query_first("SHOW CREATE TABLE t")
        .await
        .expect("a definition");
    assert!(logged.expect("one row").1.contains("note"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_table_alarms_nobody_and_nothing_seen_is_told() {
    let name = "small";
    let (server, mut conn) = worked_on(name).await;
    execute(
        &mut conn,
        &["DELETE FROM t WHERE id > 900", "ANALYZE TABLE t"],
    )
    .await;
    execute(
        &mut conn,
        &["TRUNCATE performance_schema.events_statements_summary_by_digest"],
    )
    .await;
    let output = run(
        &server,
        name,
        "ADD COLUMN note INT",
        &["--ok-to-drop-table"],
        "",
    )
    .await;
    assert_code(
        &output,
        0,
        &["plans compared statements=0 worse=0 not_compared=0"],
    );
    execute(&mut conn, &["SELECT id FROM t WHERE v = 7"]).await;
    let output = run(&server, name, DROP, &["--ok-to-drop-table"], "").await;
    assert_code(
        &output,
        0,
        &["plans compared statements=1 worse=0 not_compared=0"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_on_the_new_table_is_the_worst_of_all() {
    let name = "fails";
    let (server, mut conn) = worked_on(name).await;
    execute(
        &mut conn,
        &[
            "SELECT w FROM t WHERE id = 7",
            "SELECT id FROM t FORCE INDEX (v) WHERE v = 7",
        ],
    )
    .await;
    let alter = "RENAME COLUMN w TO x, RENAME KEY v TO u";
    let flags = ["--approve-renamed-columns", "--compare-plans-wait=1"];
    let output = run(&server, name, alter, &flags, "").await;
    assert_code(
        &output,
        8,
        &[
            "plans compared statements=2 worse=2",
            "SELECT `w` FROM `t` WHERE `id` = ? (run 1 times): it would fail: Unknown column 'w'",
            "it would fail: Key 'v' doesn't exist in table 't' (1176)",
            "error: for 1 s the cut-over has waited for plans of statements",
        ],
    );
    assert!(!swapped(&mut conn).await);
    // The same command goes on, and looks again.
    execute(
        &mut conn,
        &["TRUNCATE performance_schema.events_statements_summary_by_digest"],
    )
    .await;
    let output = run(&server, name, alter, &flags, "").await;
    assert_code(
        &output,
        0,
        &[
            "going on from checkpoint",
            "plans compared statements=0 worse=0",
        ],
    );
    assert!(swapped(&mut conn).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_was_worse_holds_the_cut_over_also_when_it_is_gone() {
    let name = "gone";
    let (server, mut conn) = worked_on(name).await;
    execute(&mut conn, &["SELECT id FROM t WHERE v = 7"]).await;
    let running = start(&server, name, DROP, &[], "");
    let path = socket(name);
    postponed(&path).await;
    // The schema has no digests any more, and each comparison begins with ANALYZE.
    let analyzed = "SELECT COALESCE(SUM(COUNT_STAR), 0) FROM \
                    performance_schema.events_statements_summary_by_digest WHERE DIGEST_TEXT LIKE 'ANALYZE %'";
    execute(
        &mut conn,
        &["TRUNCATE performance_schema.events_statements_summary_by_digest"],
    )
    .await;
    wait_until(PATIENCE, "plans are compared twice more", async || {
        let mut conn = server.conn(None).await;
        let times: Option<u32> = conn.query_first(analyzed).await.expect("the digests");
        times > Some(2)
    })
    .await;
    assert!(!swapped(&mut conn).await);
    assert!(asked(&path, "sup").is_ok_and(|status| status.contains("State: postponing cut-over")));
    asked(&path, "cut-over").expect("an answer");
    let output = end(running).await;
    assert_done(&output);
    assert_code(
        &output,
        0,
        &[
            "statements=1 worse=1",
            "statements=0 worse=1",
            "cut-over allowed",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_known_before_a_postponed_cut_over_is_allowed() {
    let name = "both_of_them";
    let (server, mut conn) = worked_on(name).await;
    execute(&mut conn, &["SELECT id FROM t WHERE v = 7"]).await;
    let file = std::env::temp_dir().join(format!("tableshift-{}-both.flag", std::process::id()));
    let flag = format!("--postpone-cut-over-flag-file={}", file.display());
    let running = start(&server, name, DROP, &[&flag], "");
    let path = socket(name);
    postponed(&path).await;
    std::fs::remove_file(&file).expect("the flag file");
    wait_until(PATIENCE, "the file's absence is seen", async || {
        asked(&path, "status").is_ok_and(|hint| !hint.contains("[set]"))
    })
    .await;
    postponed(&path).await;
    assert!(!swapped(&mut conn).await);
    asked(&path, "unpostpone").expect("an answer");
    let output = end(running).await;
    assert_done(&output);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_compared_is_counted_with_its_reason() {
    let name = "counted";
    let (server, mut conn) = worked_on(name).await;
    let long = format!(
        "SELECT id FROM t WHERE v = 7 AND id <> {}",
        "1 + ".repeat(400) + "1"
    );
    execute(
        &mut conn,
        &[
            "CREATE FUNCTION f() RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN REPLACE INTO other VALUES \
             (12345, 1); RETURN -1; END",
            "UPDATE t SET w = 1 WHERE id = 7 AND v = F ()",
            "DELETE FROM other WHERE id = 12345",
            "WITH t AS (SELECT 1 AS id) SELECT id FROM t",
            "SELECT id FROM t WHERE v = 7",
            &long,
        ],
    )
    .await;
    let output = run(&server, name, "ADD COLUMN note INT", &[], "").await;
    assert_done(&output);
    assert_code(
        &output,
        0,
        &[
            "plans compared statements=1 worse=0 not_compared=3 (1: it gives the table's name to a common table expression; 1: it may call a \
             function with effects, which EXPLAIN may run; 1: its text is cut off (performance_schema_max_sql_text_length))",
        ],
    );
    let called: Option<u32> = conn
        .query_first("SELECT COUNT(*) FROM other WHERE id = 12345")
        .await
        .expect("rows");
    assert_eq!(called, Some(0), "nothing was carried out");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_into_a_statement_is_not_carried_out() {
    let name = "hostile";
    let (server, mut conn) = worked_on(name).await;
    let long = format!(
        "SELECT {} FROM t WHERE v = 7",
        "v AS a_long_name_of_a_column, ".repeat(60) + "w"
    );
    execute(
        &mut conn,
        &[
            "CREATE TABLE victim (n INT PRIMARY KEY)",
            "INSERT INTO victim VALUES (1)",
            "ALTER TABLE t ADD COLUMN mail VARCHAR(99), ADD UNIQUE KEY mail (mail)",
            "CREATE FUNCTION fw() RETURNS INT DETERMINISTIC READS SQL DATA BEGIN SET @told = 1; RETURN 7; END",
            "CREATE VIEW vf AS SELECT fw() AS x",
            "SELECT id FROM t WHERE mail = '\\' /*!99999 \\\" */; ROLLBACK; DROP TABLE victim; -- \\\" -- '",
            "SELECT id FROM t WHERE v = (SELECT x FROM vf)",
            "SELECT a.id FROM t b JOIN t a ON a.v = b.v WHERE b.mail = 'nobody'",
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
            "SELECT v FROM t WHERE mail = '\\'' /*!99999 \" */; ROLLBACK; DROP TABLE victim; -- \" -- '",
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
            "SELECT \"id\" FROM \"t\" WHERE \"v\" = 7",
            &long,
        ],
    )
    .await;
    let output = run(&server, name, DROP, &[], "").await;
    assert_done(&output);
    assert_code(
        &output,
        0,
        &[
            "plans compared statements=0 worse=0 not_compared=6 (2: it has an executable comment; 1: it may read a \
             view, whose functions EXPLAIN may run; 1: it was run in another sql_mode than the server's; 1: its sample \
             finds no row; 1: its text is cut off (performance_schema_max_sql_text_length))",
        ],
    );
    assert!(tables(&mut conn).await.contains(&"victim".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_observes_nothing_and_an_account_without_update_are_told_before_the_first_write()
 {
    let name = "unobserved";
    let (server, mut conn) = worked_on(name).await;
    execute(
        &mut conn,
        &[
            "UPDATE performance_schema.setup_consumers SET ENABLED = 'NO' WHERE NAME = 'statements_digest'",
            "UPDATE performance_schema.setup_instruments SET ENABLED = 'NO' WHERE NAME = 'statement/sql/update'",
            "CREATE USER little IDENTIFIED BY 'p'",
            "GRANT ALTER, CREATE, DELETE, DROP, INSERT, SELECT, TRIGGER ON unobserved.t TO little",
            "GRANT LOCK TABLES ON unobserved.* TO little",
            "GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO little",
            "GRANT SELECT ON performance_schema.* TO little",
        ],
    )
    .await;
    for table in ["_t_gho", "_t_ghc", "_t_ghk", "_t_del"] {
        let grant = format!(
            "GRANT ALTER, CREATE, DELETE, DROP, INDEX, INSERT, SELECT, UPDATE ON unobserved.{table} TO little"
        );
        execute(&mut conn, &[&grant]).await;
    }
    let arguments = ["--host", &server.host, "--port", &server.port.to_string()].map(str::to_owned);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(arguments)
        .args([
            "--user=little",
            "--password=p",
            "--database=unobserved",
            "--table=t",
        ])
        .args([
            "--alter=ADD COLUMN note INT",
            "--execute",
            "--compare-plans",
            "--no-history",
        ]);
    let output = tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end");
    assert_code(
        &output,
        3,
        &[
            "--compare-plans: performance_schema keeps no digests of statements",
            "UPDATE performance_schema.setup_consumers SET ENABLED='YES'",
            "--compare-plans: performance_schema doesn't observe all kinds of statements",
            "GRANT UPDATE ON `unobserved`.`t` TO",
        ],
    );
    assert_eq!(tables(&mut conn).await, ["other", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_and_errors_are_tried_again_and_then_postpone() {
    let name = "lost";
    let (server, mut conn) = worked_on(name).await;
    execute(&mut conn, &["SELECT id FROM t WHERE v = 7"]).await;
    let lost = "explain a statement@comparer:lost-after:2;look for views@comparer:error=1213";
    let alter = "ADD COLUMN note INT";
    let output = run(&server, name, alter, &["--ok-to-drop-table"], lost).await;
    assert_code(&output, 0, &["plans compared statements=1 worse=0"]);
    execute(&mut conn, &["SELECT id FROM t WHERE v = 7"]).await;
    let never = "look for views@comparer:lost-before:1+";
    let running = start(
        &server,
        name,
        "ADD COLUMN more INT",
        &["--compare-plans-wait=2"],
        never,
    );
    let path = socket(name);
    postponed(&path).await;
    let output = end(running).await;
    assert_code(
        &output,
        8,
        &[
            "the cut-over waits: the plans of statements could not be compared: could not look for views",
            "--compare-plans-wait",
        ],
    );
    let running = start(&server, name, "ADD COLUMN more INT", &[], never);
    postponed(&path).await;
    asked(&path, "cut-over").expect("an answer");
    assert_done(&end(running).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_ends_nothing_and_nobody_s_locks_are_waited_for() {
    let name = "killed";
    let (server, mut conn) = worked_on(name).await;
    execute(&mut conn, &["SELECT v FROM t WHERE id = 7 FOR UPDATE"]).await;
    let (before, after) = (socket("killed-before"), socket("killed-after"));
    let orders = format!(
        "hand a statement over@comparer:hold={}:1;end an explanation@comparer:hold-after={}:1",
        before.display(),
        after.display()
    );
    let running = start(&server, name, "ADD COLUMN note INT", &[], &orders);
    wait_until(
        PATIENCE,
        "a statement is about to be explained",
        async || before.exists(),
    )
    .await;
    let id: Option<u64> = conn
        .query_first(
            "SELECT processlist_id FROM performance_schema.threads JOIN \
             performance_schema.events_statements_current USING (thread_id) WHERE sql_text = 'START TRANSACTION READ \
             ONLY'",
        )
        .await
        .expect("the threads");
    let mut writer = server.conn(Some(name)).await;
    execute(&mut writer, &["BEGIN", "UPDATE t SET w = 5 WHERE id = 7"]).await;
    let kill = format!("KILL {}", id.expect("the comparer's connection"));
    execute(&mut conn, &[&kill]).await;
    std::fs::remove_file(&before).expect("the hold");
    wait_until(PATIENCE, "a statement was explained", async || {
        after.exists()
    })
    .await;
    execute(&mut writer, &["COMMIT"]).await;
    std::fs::remove_file(&after).expect("the hold");
    let output = end(running).await;
    assert_done(&output);
    assert_code(
        &output,
        0,
        &["plans compared statements=2 worse=0 not_compared=0"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_altered_directly_when_plans_are_to_be_compared() {
    let name = "direct";
    let (server, mut conn) = worked_on(name).await;
    execute(&mut conn, &["SELECT id FROM t WHERE v = 7"]).await;
    let mut command = with_shortcuts(&server, name, "t", DROP);
    command.args([
        "--execute",
        "--compare-plans",
        "--compare-plans-wait=1",
        "--debug",
    ]);
    command.env("TABLESHIFT_CHECKPOINT_MS", "20");
    let output = tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end");
    assert_code(
        &output,
        8,
        &["--compare-plans needs two tables to compare", "worse=1"],
    );
}

/// Each statement of a comparison fails once, for a while or for good, loses its connection before or after it was
/// carried out, or is the last thing that the tool does.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_a_statement_of_a_comparison_the_table_is_whole_and_gets_its_shape() {
    let name = "walked";
    let (server, mut conn) = worked_on(name).await;
    execute(&mut conn, &["SELECT id FROM t WHERE v = 7"]).await;
    let sum = "SELECT COUNT(*), SUM(id * v + w) FROM t";
    let expected: Option<(u64, i64)> = conn.query_first(sum).await.expect("a sum");
    let roles = tableshift::faults::WHEN_ASKED_FOR.iter();
    let (role, points) = roles
        .copied()
        .find(|(role, _)| *role == "comparer")
        .expect("its points");
    let kinds = [
        "error=1205",
        "error=1105",
        "lost-before",
        "lost-after",
        "kill-after",
    ];
    for (number, (point, kind)) in points
        .iter()
        .flat_map(|point| kinds.map(|kind| (point, kind)))
        .enumerate()
    {
        let fault = format!("{point}@{role}:{kind}:1");
        let hits = socket("walked-hits");
        let alter = format!("ADD COLUMN c{number} INT");
        let command = || {
            let mut command = tableshift_command(&server, name, "t", &alter);
            command
                .args(["--execute", "--compare-plans", "--ok-to-drop-table"])
                .env("TABLESHIFT_PLANS_AGAIN_MS", "100")
                .env("TABLESHIFT_FAULTS_HITS", &hits);
            command
        };
        let mut faulty = command();
        faulty.env("TABLESHIFT_FAULTS", &fault);
        let mut output = faulty.output().expect("the program");
        assert!(
            hits.exists(),
            "{fault} was never carried out: {}",
            text(&output)
        );
        std::fs::remove_file(&hits).expect("the hits");
        if kind == "kill-after" {
            assert_eq!(output.status.code(), None, "{fault}: {}", text(&output));
            assert!(!swapped(&mut conn).await, "{fault}");
            output = command().output().expect("the program");
        }
        assert_done(&output);
        let found: Option<(u64, i64)> = conn.query_first(sum).await.expect("a sum");
        assert_eq!(found, expected, "{fault}");
        assert_eq!(tables(&mut conn).await, ["other", "t"], "{fault}");
    }
}
