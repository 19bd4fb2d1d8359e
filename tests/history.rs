//! The history: what a run leaves in it however it ends, and that nothing about it ever matters to a run.

#[cfg(test)]
mod support;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::OnceLock;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use support::running::{
    ALTER, Running, assert_code, assert_done, content, execute, schema, tables,
};
use support::server::{PASSWORD, Server, USER};
use support::{tableshift_command, with_shortcuts};
use tableshift::faults::POINTS;

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&["--sql-require-primary-key=ON"]))
}

fn migration(server: &Server, schema: &str, alter: &str, flags: &[&str]) -> Command {
    let mut command = tableshift_command(server, schema, "t", alter);
    command.arg("--execute").args(flags);
    command
}

/// The same as an account that may do all but what is said about the history.
fn as_user(command: &Command, user: &str) -> Command {
    let mut other = Command::new(command.get_program());
    let mut arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let at = arguments.iter().position(|argument| argument == "--user");
    arguments[at.expect("the flag") + 1] = user.into();
    other.args(arguments);
    other
}

fn run(mut command: Command) -> Output {
    command.output().expect("the program")
}

/// `tableshift history`.
fn history(server: &Server, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(["history", "--host", &server.host])
        .args(["--port", &server.port.to_string()])
        .args(["--user", USER, "--password", PASSWORD])
        .args(flags);
    run(command)
}

fn listed(server: &Server, flags: &[&str]) -> String {
    let output = history(server, flags);
    assert_code(&output, 0, &[]);
    String::from_utf8(output.stdout).expect("text")
}

/// The only row of the history of the connection's schema.
async fn only(conn: &mut Conn, columns: &str) -> Row {
    let query = format!("SELECT {columns} FROM _tableshift_history");
    let rows: Vec<Row> = conn.query(query).await.expect("the history");
    assert_eq!(rows.len(), 1);
    rows.into_iter().next().expect("one row")
}

async fn has_history(conn: &mut Conn) -> bool {
    let tables: Vec<String> = conn.query("SHOW TABLES").await.expect("tables");
    tables.iter().any(|table| table == "_tableshift_history")
}

fn warnings(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().filter(|line| line.contains("history"));
    lines.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_run_leaves_who_where_when_and_what_it_did() {
    let server = shared();
    let mut conn = schema(server, "completed", 100).await;
    let output = run(migration(server, "completed", ALTER, &[]));
    assert_done(&output);
    assert_eq!(warnings(&output), [""; 0]);
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    let what: (String, String, String, String, String, u8, String) = mysql_async::from_row(
        only(
            &mut conn,
            "kind, table_schema, table_name, alter_text, result, exit_code, reason",
        )
        .await,
    );
    let strings = [&what.0, &what.1, &what.2, &what.3, &what.4].map(String::as_str);
    assert_eq!(strings, ["migrate", "completed", "t", ALTER, "completed"]);
    assert_eq!((what.5, what.6.as_str()), (0, ""));
    let right = only(
        &mut conn,
        "mysql_account = CURRENT_USER(), server_uuid = @@server_uuid, server_port = @@port, \
         server_host = @@hostname, server_version = VERSION(), os_user <> '', tool_host <> '', \
         tool_pid > 0, ended >= started, started > UTC_TIMESTAMP() - INTERVAL 1 HOUR, \
         LENGTH(run_id) = 16, log_position LIKE '%.0%:%', tool_version LIKE '0.%'",
    )
    .await;
    let right: Vec<bool> = right
        .unwrap()
        .into_iter()
        .map(mysql_async::from_value)
        .collect();
    assert_eq!(right, [true; 13]);
    let figures: (u64, u64, u64, u32, bool) = mysql_async::from_row(
        only(
            &mut conn,
            "rows_copied, keys_refreshed, rows_verified, cut_over_attempts, locked_ms IS NOT NULL",
        )
        .await,
    );
    assert_eq!(figures, (100, 0, 100, 1, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_leave_nothing_are_not_recorded() {
    let server = shared();
    let mut conn = schema(server, "nothing", 10).await;
    let trial = tableshift_command(server, "nothing", "t", ALTER);
    assert_code(&run(trial), 0, &[]);
    let refused = migration(server, "nothing", "DROP PRIMARY KEY", &[]);
    assert_code(&run(refused), 3, &[]);
    assert_done(&run(migration(server, "nothing", ALTER, &["--no-history"])));
    assert!(!has_history(&mut conn).await);
    let shown = listed(server, &["--database=nothing"]);
    assert_eq!(shown, "no runs are recorded\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_is_running_until_it_is_stopped() {
    let server = shared();
    let mut conn = schema(server, "stopped", 50).await;
    let running = Running::start(server, "stopped", &[]);
    running.copied(&mut conn, 50).await;
    let shown = listed(server, &["--database=stopped", "--format=json"]);
    assert!(shown.contains("\"result\":\"running\""), "{shown}");
    assert!(shown.contains("\"rows_copied\":null"), "{shown}");
    running.terminate();
    assert_code(&running.end(), 4, &[]);
    let end: (String, u8, String, bool) =
        mysql_async::from_row(only(&mut conn, "result, exit_code, reason, ended > started").await);
    assert_eq!(end, ("stopped".into(), 4, "stopped as asked".into(), true));
    let shown = listed(server, &["--database=stopped"]);
    assert!(shown.contains("  stopped  "), "{shown}");
    assert!(
        shown.contains("\n                  stopped as asked\n"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_says_why_in_one_line() {
    let server = shared();
    let mut conn = schema(server, "failed", 50).await;
    execute(&mut conn, &["UPDATE t SET v = 300 WHERE id = 7"]).await;
    let output = run(migration(
        server,
        "failed",
        "MODIFY v TINYINT NOT NULL",
        &[],
    ));
    assert_code(&output, 5, &[]);
    let (result, code, reason): (String, u8, String) =
        mysql_async::from_row(only(&mut conn, "result, exit_code, reason").await);
    assert_eq!((result.as_str(), code), ("failed", 5));
    assert!(reason.contains("Out of range"), "{reason}");
    assert!(!reason.contains('\n'), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_shown_as_interrupted_and_the_next_one_marks_it_so() {
    let server = shared();
    let mut conn = schema(server, "killed", 50).await;
    let mut running = Running::start(server, "killed", &[]);
    running.copied(&mut conn, 50).await;
    running.child.kill().expect("a kill");
    assert_eq!(running.end().status.signal(), Some(9));
    support::wait_until(support::running::PATIENCE, "its lock is free", async || {
        let holder: Option<Option<u64>> = conn
            .query_first("SELECT IS_USED_LOCK('gh-ost::killed.t')")
            .await
            .expect("the lock");
        holder == Some(None)
    })
    .await;
    let row: (String, Option<u8>) =
        mysql_async::from_row(only(&mut conn, "result, exit_code").await);
    assert_eq!(row, ("running".into(), None));
    let shown = listed(server, &["--database=killed"]);
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert!(
        words.windows(2).any(|pair| pair == ["-", "interrupted"]),
        "{shown}"
    );
    let again = migration(server, "killed", ALTER, &["--initially-drop-ghost-table"]);
    assert_done(&run(again));
    let rows: Vec<(String, String)> = conn
        .query("SELECT result, reason FROM _tableshift_history ORDER BY started")
        .await
        .expect("the history");
    let results: Vec<&str> = rows.iter().map(|(result, _)| result.as_str()).collect();
    assert_eq!(results, ["interrupted", "completed"]);
    assert!(rows[0].1.contains("without recording how"), "{}", rows[0].1);
    // On another server nobody can tell.
    execute(
        &mut conn,
        &["UPDATE _tableshift_history SET result = 'running', server_uuid = 'other'"],
    )
    .await;
    let shown = listed(server, &["--database=killed"]);
    assert!(shown.contains("running?: on another server"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_change_is_recorded_as_one() {
    let server = shared();
    let mut conn = schema(server, "instant", 10).await;
    let mut command = with_shortcuts(server, "instant", "t", "ADD COLUMN a INT");
    command.arg("--execute");
    assert_done(&run(command));
    let row: (String, String, bool) =
        mysql_async::from_row(only(&mut conn, "kind, result, ended >= started").await);
    assert_eq!(row, ("instant".into(), "completed".into(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_the_swap_is_recorded_too() {
    let server = shared();
    let mut conn = schema(server, "leftover", 10).await;
    let mut command = migration(server, "leftover", ALTER, &[]);
    command.env(
        "TABLESHIFT_FAULTS",
        "drop a helper table@main:error=1205:1+",
    );
    assert_code(&run(command), 7, &[]);
    let row: (String, u8, String) =
        mysql_async::from_row(only(&mut conn, "result, exit_code, reason").await);
    let reason = "the helper tables could not all be dropped";
    assert_eq!(row, ("completed".into(), 7, reason.into()));

    let mut conn = schema(server, "hook", 10).await;
    let folder = std::env::temp_dir().join(format!("tableshift-{}-hooks", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let hook = folder.join("gh-ost-on-success");
    std::fs::write(&hook, "#!/bin/sh\nexit 3\n").expect("a hook");
    let mode = Command::new("chmod").arg("+x").arg(&hook).status();
    assert!(mode.expect("chmod").success());
    let flag = format!("--hooks-path={}", folder.display());
    assert_code(&run(migration(server, "hook", ALTER, &[&flag])), 7, &[]);
    let row: (String, u8, bool) =
        mysql_async::from_row(only(&mut conn, "result, exit_code, reason LIKE '%hook%'").await);
    assert_eq!(row, ("completed".into(), 7, true));
    std::fs::remove_dir_all(&folder).expect("the folder");
}

/// The table is made and written to in the very schema whose changes are followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_passes_over_what_others_record_meanwhile() {
    let server = shared();
    let mut conn = schema(server, "meanwhile", 50).await;
    execute(
        &mut conn,
        &["CREATE TABLE u LIKE t", "CREATE DATABASE elsewhere"],
    )
    .await;
    let running = Running::start(server, "meanwhile", &["--history-schema=elsewhere"]);
    running.copied(&mut conn, 50).await;
    assert!(!has_history(&mut conn).await);
    let mut other = tableshift_command(server, "meanwhile", "u", ALTER);
    other.arg("--execute");
    assert_done(&run(other));
    assert!(has_history(&mut conn).await);
    execute(&mut conn, &["DELETE FROM _tableshift_history"]).await;
    running.release();
    assert_done(&running.end());
    let shown = listed(server, &["--history-schema=elsewhere"]);
    assert!(shown.contains("meanwhile.t"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_newest_first_and_can_be_narrowed() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "one", 10).await;
    schema(&server, "two", 10).await;
    execute(
        &mut conn,
        &["CREATE DATABASE `o``ps`", "CREATE TABLE one.u LIKE one.t"],
    )
    .await;
    let flags = ["--ok-to-drop-table", "--history-schema=o`ps"];
    assert_done(&run(migration(&server, "one", "ADD COLUMN a INT", &flags)));
    assert_done(&run(migration(
        &server,
        "two",
        "ADD COLUMN b INT",
        &flags[..1],
    )));
    let mut third = tableshift_command(&server, "one", "u", "ADD COLUMN c INT");
    third.arg("--execute").args(flags);
    assert_done(&run(third));
    assert!(!has_history(&mut conn).await);
    let changes = |flags: &[&str]| -> Vec<String> {
        let text = listed(&server, flags);
        let lines = text.lines().skip(1);
        lines
            .filter_map(|line| line.rsplit(' ').nth(1).map(str::to_owned))
            .collect()
    };
    assert_eq!(changes(&[]), ["c", "b", "a"]);
    assert_eq!(changes(&["--limit=2"]), ["c", "b"]);
    assert_eq!(changes(&["--limit=0", "--history-schema=two"]), ["b"]);
    assert_eq!(changes(&["--database=one"]), ["c", "a"]);
    assert_eq!(changes(&["--database=one", "--table=t"]), ["a"]);
    let json = listed(&server, &["--format=json", "--database=one", "--table=u"]);
    assert!(
        json.starts_with("{\"history_schema\":\"o`ps\",\"run_id\":\"") && json.ends_with("}\n"),
        "{json}"
    );
    assert!(
        json.contains("\"table_name\":\"u\",\"alter_text\":\"ADD COLUMN c INT\""),
        "{json}"
    );
    assert!(json.contains("\"rows_copied\":0"), "{json}");
    // Clean-up is about helper tables.
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(["cleanup", "--yes", "--old-tables", "--host", &server.host])
        .args(["--port", &server.port.to_string()])
        .args(["--user", USER, "--password", PASSWORD]);
    assert_code(&run(command), 0, &[]);
    assert_eq!(changes(&[]), ["c", "b", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_privileges_are_told_as_a_grant_and_cost_nothing_else() {
    let server = shared();
    let mut conn = schema(server, "poor", 30).await;
    execute(
        &mut conn,
        &[
            &format!("CREATE USER poor IDENTIFIED BY '{PASSWORD}'"),
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO poor",
            "GRANT SELECT ON performance_schema.* TO poor",
            "GRANT ALL ON poor.* TO poor",
            "CREATE DATABASE poor_ops",
        ],
    )
    .await;
    let flags = ["--history-schema=poor_ops", "--ok-to-drop-table"];
    let poor = || as_user(&migration(server, "poor", "FORCE", &flags), "poor");
    let output = run(poor());
    assert_done(&output);
    let grant = "CREATE, INSERT, SELECT, UPDATE ON `poor_ops`.`_tableshift_history`";
    let told = warnings(&output);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains(&format!("GRANT {grant} TO 'poor'@'%'"))
            && told[0].contains("--no-history"),
        "{told:?}"
    );
    execute(&mut conn, &[&format!("GRANT {grant} TO poor")]).await;
    let output = run(poor());
    assert_done(&output);
    assert_eq!(warnings(&output), [""; 0]);
    // The table needn't be made again.
    let revoked = "REVOKE CREATE, UPDATE ON poor_ops._tableshift_history FROM poor";
    execute(&mut conn, &[revoked]).await;
    let told = warnings(&run(poor()));
    assert!(told[0].contains("GRANT UPDATE ON `poor_ops`"), "{told:?}");
    let rows: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM poor_ops._tableshift_history")
        .await
        .expect("the history");
    assert_eq!(rows, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_our_table_is_left_alone() {
    let server = shared();
    for (name, made, words) in [
        (
            "later",
            "CREATE TABLE _tableshift_history (id INT PRIMARY KEY) COMMENT='tableshift history, format 2'",
            "has format 2",
        ),
        (
            "foreign_one",
            "CREATE TABLE _tableshift_history (id INT PRIMARY KEY)",
            "was not made by this program",
        ),
    ] {
        let mut conn = schema(server, name, 20).await;
        execute(&mut conn, &[made]).await;
        let output = run(migration(server, name, ALTER, &[]));
        assert_done(&output);
        let told = warnings(&output);
        assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
        let count: Option<u64> = conn
            .query_first("SELECT COUNT(*) FROM _tableshift_history")
            .await
            .expect("the table");
        assert_eq!(count, Some(0));
        let output = history(server, &[&format!("--history-schema={name}")]);
        assert_code(&output, 0, &["passed over: ", words]);
    }
    let mut conn = schema(server, "nowhere", 20).await;
    let output = run(migration(
        server,
        "nowhere",
        ALTER,
        &["--history-schema=missing"],
    ));
    assert_done(&output);
    let told = warnings(&output);
    assert!(told[0].contains("no schema `missing`"), "{told:?}");
    assert!(!has_history(&mut conn).await);
    let ours = tableshift_command(server, "nowhere", "_tableshift_history", ALTER);
    execute(
        &mut conn,
        &["CREATE TABLE _tableshift_history (id INT PRIMARY KEY)"],
    )
    .await;
    assert_code(&run(ours), 3, &["where tableshift records its own runs"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_alter_is_not_recorded() {
    let server = shared();
    let mut conn = schema(server, "secret", 20).await;
    let alter = "CONNECTION='mysql://u:hush@h/d/t', COMMENT='plain'";
    assert_done(&run(migration(server, "secret", alter, &[])));
    let text: String = mysql_async::from_row(only(&mut conn, "alter_text").await);
    assert_eq!(text, "CONNECTION='***', COMMENT='plain'");
}

/// Whatever happens to whatever statement, however often, the run ends as it would have.
#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_the_history_ever_matters() {
    let server = Server::start(&[]);
    let points = POINTS.iter().find(|(role, _)| *role == "history");
    let names = points.expect("its points").1;
    for (number, name) in names.iter().enumerate() {
        for kind in ["error=1105", "error=1213", "lost-before", "lost-after"] {
            for times in ["1", "1+"] {
                let name_of_schema = format!(
                    "f{number}_{}_{}",
                    kind.replace(['-', '='], "_"),
                    times.len()
                );
                let mut conn = schema(&server, &name_of_schema, 20).await;
                let mut command = migration(&server, &name_of_schema, ALTER, &[]);
                command.env(
                    "TABLESHIFT_FAULTS",
                    format!("{name}@history:{kind}:{times}"),
                );
                let output = run(command);
                assert_done(&output);
                let told = warnings(&output);
                assert!(told.len() <= 1, "{name} {kind}: {told:?}");
                let recovers = times == "1" && kind != "error=1105";
                assert!(told.is_empty() || !recovers, "{name} {kind}: {told:?}");
                // The table is made once, whether the answer arrives or not.
                let made = *name == "create the history" && kind == "lost-after";
                assert!(made || !told.is_empty() || times == "1", "{name} {kind}");
                assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
                if recovers {
                    let result: String = mysql_async::from_row(only(&mut conn, "result").await);
                    assert_eq!(result, "completed", "{name} {kind}");
                }
            }
        }
    }
}

/// A statement that never comes back is cut off, at the start and at the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_hangs_is_cut_off() {
    let server = shared();
    let names = ["connect", "record the run", "record the end of the run"];
    let mut held = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let schema_name = format!("hangs_{number}");
        let conn = schema(server, &schema_name, 20).await;
        let file = std::env::temp_dir().join(format!(
            "tableshift-{}-{schema_name}.hold",
            std::process::id()
        ));
        let mut command = migration(server, &schema_name, ALTER, &[]);
        let order = format!("{name}@history:hold={}:1+", file.display());
        command.env("TABLESHIFT_FAULTS", order);
        let output = tokio::task::spawn_blocking(move || run(command));
        held.push((conn, file, output));
    }
    for (mut conn, file, output) in held {
        let output = output.await.expect("its end");
        let _ = std::fs::remove_file(file);
        assert_done(&output);
        let told = warnings(&output);
        assert!(
            told.len() == 1 && told[0].contains("no answer within"),
            "{told:?}"
        );
        assert_eq!(content(&mut conn, "id, v").await.len(), 20);
    }
}

/// The table that somebody has locked costs a few seconds, not more.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_history_is_waited_for_for_a_moment_only() {
    let server = shared();
    let mut conn = schema(server, "locked", 20).await;
    assert_done(&run(migration(
        server,
        "locked",
        ALTER,
        &["--ok-to-drop-table"],
    )));
    let mut other = server.conn(Some("locked")).await;
    execute(&mut other, &["LOCK TABLES _tableshift_history WRITE"]).await;
    let output = run(migration(
        server,
        "locked",
        "DROP COLUMN note",
        &["--ok-to-drop-table"],
    ));
    assert_done(&output);
    assert_eq!(warnings(&output).len(), 1);
    execute(&mut other, &["UNLOCK TABLES"]).await;
    let rows: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM _tableshift_history")
        .await
        .expect("the history");
    assert_eq!(rows, Some(1));
}

/// A replica gets the history with everything else, and a run on the replica alone is recorded there.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_go_on_replicating() {
    let primary = Server::start(&[]);
    let replica = Server::start_replica_of(&primary);
    let mut conn = schema(&primary, "twice", 20).await;
    let mut on_replica = replica.conn(None).await;
    let caught_up = async |conn: &mut Conn, on_replica: &mut Conn| {
        let done: Option<String> = conn
            .query_first("SELECT @@gtid_executed")
            .await
            .expect("the set");
        let wait = format!(
            "SELECT WAIT_FOR_EXECUTED_GTID_SET('{}', 60)",
            done.expect("the set")
        );
        let timed_out: Option<u8> = on_replica.query_first(wait).await.expect("the wait");
        assert_eq!(timed_out, Some(0));
    };
    caught_up(&mut conn, &mut on_replica).await;
    execute(&mut on_replica, &["SET GLOBAL super_read_only = OFF"]).await;
    let flags = ["--migrate-on-replica", "--ok-to-drop-table"];
    assert_done(&run(migration(&replica, "twice", "FORCE", &flags)));
    let there = "SELECT kind, result FROM twice._tableshift_history ORDER BY started";
    let alone: Vec<(String, String)> = on_replica.query(there).await.expect("the history");
    assert_eq!(alone, [("migrate".into(), "completed".into())]);
    // Through the replica: written to the primary, and replicated into the table that is there already.
    assert_done(&run(migration(&replica, "twice", "FORCE", &flags[1..])));
    let only_one: Vec<(String, String)> = conn.query(there).await.expect("the history");
    assert_eq!(only_one.len(), 1);
    caught_up(&mut conn, &mut on_replica).await;
    let both: Vec<(String, String)> = on_replica.query(there).await.expect("the history");
    assert_eq!(both, [alone, only_one].concat());
    assert_done(&run(migration(
        &replica,
        "twice",
        "FORCE",
        &["--test-on-replica"],
    )));
    let last = format!("{there} DESC LIMIT 1");
    let rehearsed: Vec<(String, String)> = on_replica.query(last).await.expect("the history");
    assert_eq!(rehearsed, [("test".into(), "completed".into())]);
}
