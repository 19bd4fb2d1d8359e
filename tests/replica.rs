//! Runs between several servers: a replica's log followed while the primary is written to, rehearsals and
//! migrations on a replica alone. All of them while an application writes to the primary, to `t` and to
//! `twin`, which must have the same rows at the end.

#[cfg(test)]
mod support;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::proxy::Proxy;
use support::running::{
    ALTER, PATIENCE, Running, assert_code, assert_done, assert_same, content, execute, schema,
    tables,
};
use support::server::Server;
use support::{tableshift_command, wait_until};
use tableshift::faults::POINTS;

/// An application at work until it is told to stop.
struct Application {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u32>,
}

impl Application {
    async fn start(server: &Server, schema: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut conn = server.conn(Some(schema)).await;
        execute(
            &mut conn,
            &[
                "CREATE TABLE twin LIKE t",
                "INSERT INTO twin SELECT * FROM t",
            ],
        )
        .await;
        let task = tokio::spawn(write(conn, Arc::clone(&stop)));
        Self { stop, task }
    }

    /// Ends it; it must have done something.
    async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        let done = self.task.await.expect("no statement fails");
        assert!(done > 10, "{done} transactions");
    }
}

async fn write(mut conn: Conn, stop: Arc<AtomicBool>) -> u32 {
    let mut done = 0;
    // A pace that the replica can keep up with on a busy machine.
    let mut pace = tokio::time::interval(std::time::Duration::from_millis(10));
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !stop.load(Ordering::SeqCst) {
        pace.tick().await;
        done += 1;
        let (row, new) = (1 + done * 7 % 300, 10_000 + done);
        let mut statements = vec!["BEGIN".to_owned()];
        for table in ["t", "twin"] {
            statements.push(format!("UPDATE {table} SET v = v + 1 WHERE id = {row}"));
            statements.push(format!(
                "INSERT INTO {table} (id, v) VALUES ({new}, {done})"
            ));
            let gone = new - 20;
            statements.push(format!(
                "DELETE FROM {table} WHERE id = {gone} AND id % 3 = 0"
            ));
        }
        statements.push(if done % 5 == 0 { "ROLLBACK" } else { "COMMIT" }.into());
        for statement in statements {
            conn.query_drop(&statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
    done
}

/// `t` and its twin have the same rows on this connection's server.
async fn assert_twins(conn: &mut Conn) {
    let twin: Vec<(i32, i32)> = conn
        .query("SELECT id, v FROM twin ORDER BY 1")
        .await
        .expect("the twin");
    assert_same(&content(conn, "id, v").await, &twin);
}

/// The replica has what the primary has committed by now.
async fn caught_up(primary: &mut Conn, replica: &mut Conn) {
    let done: String = one(primary, "SELECT @@gtid_executed").await;
    let wait = format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{done}', 60)");
    assert_eq!(one::<u32>(replica, &wait).await, 0, "the replica lags");
}

async fn one<T: mysql_async::prelude::FromRow + Send + 'static>(conn: &mut Conn, query: &str) -> T {
    let row: Option<T> = conn.query_first(query).await.expect(query);
    row.expect("one row")
}

async fn has_note(conn: &mut Conn) -> bool {
    let query = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND \
                 TABLE_NAME = 't' AND COLUMN_NAME = 'note'";
    one::<u32>(conn, query).await == 1
}

/// The flag for a socket that no other run has.
fn socket(schema: &str) -> String {
    format!("--serve-socket-file={}", socket_path(schema).display())
}

fn socket_path(schema: &str) -> PathBuf {
    std::env::temp_dir().join(format!("tableshift-{}-{schema}.sock", std::process::id()))
}

/// What a run says to `status` on its socket.
fn status(schema: &str) -> String {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(socket_path(schema))?;
        stream.write_all(b"status\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    ask().unwrap_or_default()
}

async fn says(schema: &str, words: &str) {
    let mut last = String::new();
    wait_until(PATIENCE, words, async || {
        let now = status(schema);
        if now != last {
            println!("{now}");
            last.clone_from(&now);
        }
        now.contains(words)
    })
    .await;
}

/// Two servers with a schema of 300 rows, and connections to it on both.
async fn pair(name: &str) -> (Server, Server, Conn, Conn) {
    let primary = Server::start(&[]);
    let replica = Server::start_replica_of(&primary);
    let mut conn = schema(&primary, name, 300).await;
    let mut on_replica = replica.conn(None).await;
    caught_up(&mut conn, &mut on_replica).await;
    execute(&mut on_replica, &[&format!("USE {name}")]).await;
    (primary, replica, conn, on_replica)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_followed_and_its_primary_found() {
    let (primary, replica, mut conn, mut on_replica) = pair("found").await;
    let application = Application::start(&primary, "found").await;
    let running = Running::start(&replica, "found", &[&socket("found")]);
    running.under_way().await;
    says("found", "postponing cut-over").await;
    running.release();
    let output = running.end();
    application.end().await;
    assert_done(&output);
    assert_code(
        &output,
        0,
        &[&format!(
            "writing to the primary 127.0.0.1:{}",
            primary.port
        )],
    );
    assert_twins(&mut conn).await;
    assert!(has_note(&mut conn).await);
    caught_up(&mut conn, &mut on_replica).await;
    assert_twins(&mut on_replica).await;
    assert!(has_note(&mut on_replica).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_primary_with_another_account_is_written_to() {
    let (primary, replica, mut conn, mut on_replica) = pair("named").await;
    execute(
        &mut conn,
        &[
            "CREATE USER writer IDENTIFIED BY 'w'",
            "GRANT ALL ON named.* TO writer",
            "GRANT REPLICATION CLIENT ON *.* TO writer",
            "GRANT SELECT ON performance_schema.* TO writer",
        ],
    )
    .await;
    caught_up(&mut conn, &mut on_replica).await;
    let application = Application::start(&primary, "named").await;
    let master = format!("--assume-master-host=127.0.0.1:{}", primary.port);
    let flags = [&master, "--master-user=writer", "--master-password=w"];
    let running = Running::start(&replica, "named", &flags);
    running.under_way().await;
    running.release();
    let output = running.end();
    application.end().await;
    assert_done(&output);
    assert_twins(&mut conn).await;
    assert!(has_note(&mut conn).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_stands_still_or_is_restarted_is_waited_for() {
    let (primary, replica, mut conn, mut on_replica) = pair("slow").await;
    let application = Application::start(&primary, "slow").await;
    // It doesn't even know the helper tables when the run begins.
    execute(&mut on_replica, &["STOP REPLICA SQL_THREAD"]).await;
    let running = Running::start(&replica, "slow", &["--chunk-size=50", &socket("slow")]);
    wait_until(PATIENCE, "the ghost is there", async || {
        tables(&mut conn).await.contains(&"_t_gho".to_owned())
    })
    .await;
    assert!(!running.hold.exists(), "it waits for the replica");
    execute(&mut on_replica, &["START REPLICA SQL_THREAD"]).await;
    running.under_way().await;
    says("slow", "postponing cut-over").await;

    execute(&mut on_replica, &["STOP REPLICA SQL_THREAD"]).await;
    running.release();
    says("slow", "waiting for the replica").await;
    assert!(!has_note(&mut conn).await);
    replica.kill_and_restart();
    let output = running.end();
    application.end().await;
    assert_done(&output);
    assert_twins(&mut conn).await;
    assert!(has_note(&mut conn).await);
    let mut on_replica = replica.conn(Some("slow")).await;
    caught_up(&mut conn, &mut on_replica).await;
    assert_twins(&mut on_replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_its_replica_can_be_stopped() {
    let (_primary, replica, mut conn, mut on_replica) = pair("given_up").await;
    execute(&mut on_replica, &["STOP REPLICA"]).await;
    let running = Running::start(&replica, "given_up", &[]);
    wait_until(PATIENCE, "the ghost is there", async || {
        tables(&mut conn).await.contains(&"_t_gho".to_owned())
    })
    .await;
    running.terminate();
    assert_code(&running.end(), 4, &["  data:  "]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_a_replica_that_may_lose_its_log_ends_the_run() {
    let (_primary, replica, mut conn, mut on_replica) = pair("unsafe_log").await;
    execute(&mut on_replica, &["SET GLOBAL sync_binlog = 0"]).await;
    let running = Running::start(&replica, "unsafe_log", &[]);
    running.copied(&mut conn, 300).await;
    // Starts less than two seconds apart count as one.
    wait_until(PATIENCE, "the replica is old enough", async || {
        let row: Option<(String, String)> = on_replica
            .query_first("SHOW GLOBAL STATUS LIKE 'Uptime'")
            .await
            .expect("its age");
        row.is_some_and(|(_, age)| age.parse().unwrap_or(0) >= 3)
    })
    .await;
    replica.kill_and_restart();
    let output = running.end();
    assert_code(&output, 5, &["the replica was restarted", "  data:  "]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_primary_ends_the_run_on_its_replica() {
    let (primary, replica, mut conn, _on_replica) = pair("above").await;
    let before = content(&mut conn, "id, v").await;
    let running = Running::start(&replica, "above", &[]);
    running.copied(&mut conn, 300).await;
    primary.kill_and_restart();
    let output = running.end();
    assert_code(&output, 5, &["keeps other runs away", "  data:  "]);
    let mut conn = primary.conn(Some("above")).await;
    assert_same(&content(&mut conn, "id, v").await, &before);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_on_the_replica_before_the_copy_leaves_nothing() {
    let (_primary, replica, mut conn, _on_replica) = pair("spoilt").await;
    let (_, points) = POINTS
        .iter()
        .find(|(role, _)| *role == "topology")
        .expect("its points");
    let replication = ["stop replication", "start replication"];
    for point in points.iter().filter(|point| !replication.contains(*point)) {
        for kind in ["error=1105", "lost-before", "lost-after"] {
            let output = tableshift_command(&replica, "spoilt", "t", "FORCE")
                .arg("--execute")
                .env("TABLESHIFT_FAULTS", format!("{point}@topology:{kind}:1"))
                .output()
                .expect("the program");
            let text = String::from_utf8_lossy(&output.stderr);
            let code = output.status.code();
            assert!(
                matches!(code, Some(3 | 5)) && text.contains("  data:  "),
                "{point} {kind}: {code:?}: {text}"
            );
            assert_eq!(tables(&mut conn).await, ["t"], "{point} {kind}");
        }
    }
}

/// Ends the dumps of a server: the tool's, and those of its replicas, which come back.
async fn kill_dumps(conn: &mut Conn) {
    let query = "SELECT PROCESSLIST_ID FROM performance_schema.threads WHERE PROCESSLIST_COMMAND LIKE \
                 'Binlog Dump%'";
    let dumps: Vec<u64> = conn.query(query).await.expect("threads");
    for id in dumps {
        // It may have ended meanwhile.
        let _ = conn.query_drop(format!("KILL {id}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_gtids_a_chain_is_followed_over_rotations_and_restarts() {
    let (primary, between, mut conn, mut on_between) = pair("chain").await;
    let last = Server::start_replica_of(&between);
    let mut on_last = last.conn(None).await;
    caught_up(&mut conn, &mut on_last).await;
    let application = Application::start(&primary, "chain").await;
    let running = Running::start(
        &last,
        "chain",
        &["--gtid", "--chunk-size=50", &socket("chain")],
    );
    running.under_way().await;
    let mut tagged = primary.conn(Some("chain")).await;
    execute(&mut tagged, &["SET GTID_NEXT = 'AUTOMATIC:night'"]).await;
    for round in 0..4 {
        // In one transaction: a row that the application inserts in between would be changed in one only.
        let change = |table| format!("UPDATE {table} SET v = v - 1 WHERE id % 4 = {round}");
        let changes = ["BEGIN", &change("t"), &change("twin"), "COMMIT"];
        execute(&mut tagged, &changes).await;
        execute(
            &mut conn,
            &[&format!("CREATE TABLE other_{round} (id INT)")],
        )
        .await;
        execute(&mut on_last, &["FLUSH BINARY LOGS"]).await;
        kill_dumps(&mut on_last).await;
        execute(&mut on_between, &["FLUSH BINARY LOGS"]).await;
    }
    last.kill_and_restart();
    says("chain", "postponing cut-over").await;
    says("chain", ":night:").await;
    running.release();
    let output = running.end();
    application.end().await;
    assert_done(&output);
    let port = primary.port;
    assert_code(
        &output,
        0,
        &[&format!("writing to the primary 127.0.0.1:{port}")],
    );
    assert_twins(&mut conn).await;
    assert!(has_note(&mut conn).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_gtids_a_primary_s_log_is_followed_if_it_has_them() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "by_gtid", 300).await;
    let application = Application::start(&server, "by_gtid").await;
    let running = Running::start(&server, "by_gtid", &["--gtid", &socket("by_gtid")]);
    running.under_way().await;
    for _ in 0..4 {
        execute(&mut conn, &["FLUSH BINARY LOGS"]).await;
        kill_dumps(&mut conn).await;
    }
    says("by_gtid", "postponing cut-over").await;
    running.release();
    let output = running.end();
    application.end().await;
    assert_done(&output);
    assert_twins(&mut conn).await;

    execute(&mut conn, &["SET GLOBAL gtid_mode = ON_PERMISSIVE"]).await;
    let output = tableshift_command(&server, "by_gtid", "t", "ADD COLUMN more INT")
        .args(["--gtid", "--initially-drop-old-table"])
        .output()
        .expect("the program");
    assert_code(&output, 3, &["gtid_mode=ON"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_gtids_a_log_purged_before_it_was_read_ends_the_run() {
    let server = Server::start(&[]);
    let mut conn = schema(&server, "purged_gtids", 100).await;
    let proxy = Proxy::start(&server).await;
    let running = Running::start_through(&server, proxy.port, "purged_gtids", &["--gtid"]);
    running.copied(&mut conn, 100).await;
    proxy.deny_dumps(true);
    kill_dumps(&mut conn).await;
    execute(&mut conn, &["UPDATE t SET v = 1", "FLUSH BINARY LOGS"]).await;
    wait_until(PATIENCE, "the log is gone", async || {
        let now: mysql_async::Row = one(&mut conn, "SHOW BINARY LOG STATUS").await;
        let file: String = now.get(0).expect("its name");
        execute(&mut conn, &[&format!("PURGE BINARY LOGS TO '{file}'")]).await;
        let files: Vec<mysql_async::Row> = conn.query("SHOW BINARY LOGS").await.expect("logs");
        files.len() == 1
    })
    .await;
    proxy.deny_dumps(false);
    let output = running.end();
    assert_code(&output, 5, &["can't be read from", "purged", "  next:  "]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

/// A rehearsal of `t` on the replica.
fn rehearsal(replica: &Server, name: &str, flags: &[&str]) -> std::process::Output {
    tableshift_command(replica, name, "t", ALTER)
        .args(["--execute", "--test-on-replica"])
        .args(flags)
        .output()
        .expect("the program")
}

async fn replicates(conn: &mut Conn) -> bool {
    let query = "SELECT SERVICE_STATE FROM performance_schema.replication_applier_status";
    one::<String>(conn, query).await == "ON"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_leaves_both_tables_alike_and_replication_stopped() {
    let (primary, replica, _conn, mut on_replica) = pair("rehearsed").await;
    let refused = rehearsal(&replica, "rehearsed", &[]);
    assert_code(&refused, 3, &["super_read_only", "  next:  "]);
    // The application stays away by read_only.
    execute(
        &mut on_replica,
        &[
            "SET GLOBAL super_read_only = OFF",
            "SET GLOBAL read_only = ON",
        ],
    )
    .await;
    let application = Application::start(&primary, "rehearsed").await;
    let output = rehearsal(&replica, "rehearsed", &[]);
    application.end().await;
    assert_done(&output);
    assert_code(&output, 0, &["nothing was swapped", "START REPLICA"]);
    assert!(!replicates(&mut on_replica).await);
    let mut found = tables(&mut on_replica).await;
    found.retain(|table| table != "twin");
    assert_eq!(found, ["_t_gho", "t"]);
    let ghost: Vec<(i32, i32)> = on_replica
        .query("SELECT id, v FROM _t_gho WHERE note = '' ORDER BY 1")
        .await
        .expect("the ghost");
    assert_same(&ghost, &content(&mut on_replica, "id, v").await);
    assert!(!has_note(&mut on_replica).await);
    assert_twins(&mut on_replica).await;
}

/// A folder with hooks that leave their names in a file and run SQL on the replica.
fn hooks(replica: &Server, name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("tableshift-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let client = format!(
        "{}/scripts/mysql client {}",
        env!("CARGO_MANIFEST_DIR"),
        replica.socket.parent().expect("its folder").display()
    );
    for (hook, statement) in [("stop", "STOP REPLICA"), ("start", "START REPLICA")] {
        let file = folder.join(format!("gh-ost-on-{hook}-replication"));
        let text = format!(
            "#!/bin/bash\necho {hook} >>{}/ran\n{client} -e '{statement}'\n",
            folder.display()
        );
        std::fs::write(&file, text).expect("a hook");
        let runs = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&file, runs).expect("a program");
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_stop_replication_and_an_attempt_in_vain_starts_it_again() {
    let (primary, replica, _conn, mut on_replica) = pair("hooked").await;
    execute(&mut on_replica, &["SET GLOBAL super_read_only = OFF"]).await;
    let folder = hooks(&replica, "hooked");
    let application = Application::start(&primary, "hooked").await;
    // A reader that begins when replication is stopped makes the first attempt fail.
    let mut reader = replica.conn(Some("hooked")).await;
    let output = tableshift_command(&replica, "hooked", "t", ALTER)
        .args(["--execute", "--test-on-replica"])
        .args(["--test-on-replica-skip-replica-stop", "--hooks-path"])
        .arg(&folder)
        .env("TABLESHIFT_FAULTS", "lock tables@locker:error=1205:1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("the program");
    application.end().await;
    assert_done(&output);
    let ran = std::fs::read_to_string(folder.join("ran")).expect("the hooks ran");
    assert_eq!(ran, "stop\nstart\nstop\n");
    assert!(!replicates(&mut on_replica).await);
    let ghost: Vec<(i32, i32)> = reader
        .query("SELECT id, v FROM _t_gho ORDER BY 1")
        .await
        .expect("the ghost");
    assert_same(&ghost, &content(&mut reader, "id, v").await);
    std::fs::remove_dir_all(&folder).expect("the folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_alone_is_migrated() {
    let (primary, replica, mut conn, mut on_replica) = pair("alone").await;
    execute(
        &mut on_replica,
        &[
            "SET GLOBAL super_read_only = OFF",
            "SET GLOBAL read_only = ON",
        ],
    )
    .await;
    let application = Application::start(&primary, "alone").await;
    let running = Running::start(&replica, "alone", &["--migrate-on-replica"]);
    running.under_way().await;
    running.release();
    let output = running.end();
    application.end().await;
    assert_done(&output);
    caught_up(&mut conn, &mut on_replica).await;
    assert_twins(&mut on_replica).await;
    assert!(has_note(&mut on_replica).await);
    assert!(!has_note(&mut conn).await);
    assert!(replicates(&mut on_replica).await);
}

/// A run that only looks.
fn looks(server: &Server, name: &str, flags: &[&str]) -> std::process::Output {
    tableshift_command(server, name, "t", ALTER)
        .args(flags)
        .output()
        .expect("the program")
}

#[tokio::test(flavor = "multi_thread")]
async fn topologies_that_would_lose_changes_are_refused() {
    let (primary, replica, mut conn, mut on_replica) = pair("refused").await;
    let stranger = Server::start(&[]);
    for flag in ["--test-on-replica", "--migrate-on-replica"] {
        assert_code(&looks(&primary, "refused", &[flag]), 3, &["is no replica"]);
    }
    let elsewhere = format!("--assume-master-host=127.0.0.1:{}", stranger.port);
    assert_code(
        &looks(&primary, "refused", &[&elsewhere]),
        3,
        &["doesn't replicate from"],
    );
    for (spoil, repair, said) in [
        (
            "SET GLOBAL replica_preserve_commit_order = OFF",
            "SET GLOBAL replica_preserve_commit_order = ON",
            "commit in another order",
        ),
        (
            "CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE = ('%.\\_t%')",
            "CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE = ()",
            "Replicate_Wild_Ignore_Table",
        ),
        (
            "SET GLOBAL binlog_format = 'STATEMENT'",
            "SET GLOBAL binlog_format = 'ROW'",
            "binlog_format is STATEMENT",
        ),
    ] {
        execute(&mut on_replica, &["STOP REPLICA SQL_THREAD", spoil]).await;
        execute(&mut on_replica, &["START REPLICA SQL_THREAD"]).await;
        assert_code(
            &looks(&replica, "refused", &[]),
            3,
            &[said, &format!("{}", replica.port), "  next:  "],
        );
        execute(&mut on_replica, &["STOP REPLICA SQL_THREAD", repair]).await;
        execute(&mut on_replica, &["START REPLICA SQL_THREAD"]).await;
    }
    assert_code(&looks(&replica, "refused", &[]), 0, &[]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_replicate_from_each_other_the_writable_one_is_the_primary() {
    let (primary, replica, mut conn, mut on_replica) = pair("ring").await;
    let back = format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_USER = \
         'replication', SOURCE_PASSWORD = 'replication', SOURCE_AUTO_POSITION = 1, \
         GET_SOURCE_PUBLIC_KEY = 1",
        replica.port
    );
    execute(&mut conn, &[&back, "START REPLICA"]).await;
    for server in [&primary, &replica] {
        let output = looks(server, "ring", &[]);
        assert_code(&output, 3, &["replicate from each other"]);
    }
    let application = Application::start(&primary, "ring").await;
    let running = Running::start(&replica, "ring", &["--allow-master-master"]);
    running.under_way().await;
    running.release();
    let output = running.end();
    application.end().await;
    assert_done(&output);
    assert_twins(&mut conn).await;
    caught_up(&mut conn, &mut on_replica).await;
    assert_twins(&mut on_replica).await;
    // And on the primary itself.
    let flags = ["--allow-master-master", "--initially-drop-old-table"];
    let output = tableshift_command(&primary, "ring", "t", "ADD COLUMN more INT")
        .args(flags)
        .output()
        .expect("the program");
    assert_code(&output, 0, &[]);
}

const FILL: &str = "--backfill=note = CONCAT(v, '/', id)";

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_filled_while_a_replica_is_followed() {
    let (primary, replica, mut conn, mut on_replica) = pair("filled").await;
    let application = Application::start(&primary, "filled").await;
    let running = Running::start(&replica, "filled", &[&socket("filled"), FILL]);
    running.under_way().await;
    says("filled", "postponing cut-over").await;
    // Rows that come after the swap would have the column's default.
    application.end().await;
    running.release();
    assert_done(&running.end());
    let wrong = "SELECT COUNT(*) FROM t WHERE note <> CONCAT(v, '/', id)";
    assert_eq!(one::<u32>(&mut conn, wrong).await, 0);
    assert_twins(&mut conn).await;
    caught_up(&mut conn, &mut on_replica).await;
    assert_eq!(one::<u32>(&mut on_replica, wrong).await, 0);
    assert_twins(&mut on_replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_fills_columns() {
    let (primary, replica, _conn, mut on_replica) = pair("tried").await;
    let open = [
        "SET GLOBAL super_read_only = OFF",
        "SET GLOBAL read_only = ON",
    ];
    execute(&mut on_replica, &open).await;
    let application = Application::start(&primary, "tried").await;
    let output = rehearsal(&replica, "tried", &[FILL]);
    application.end().await;
    assert_done(&output);
    let ghost: Vec<(i32, i32)> = on_replica
        .query("SELECT id, v FROM _t_gho WHERE note = CONCAT(v, '/', id) ORDER BY 1")
        .await
        .expect("the ghost");
    assert_same(&ghost, &content(&mut on_replica, "id, v").await);
    // It may be rehearsed again: nothing was filled but the ghost.
    for _ in 0..2 {
        execute(&mut on_replica, &["START REPLICA"]).await;
        let output = tableshift_command(&replica, "tried", "t", "MODIFY v BIGINT NOT NULL")
            .args([
                "--execute",
                "--test-on-replica",
                "--initially-drop-ghost-table",
            ])
            .arg("--backfill=v = v * 10")
            .output()
            .expect("the program");
        assert_done(&output);
    }
}
