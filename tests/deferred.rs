//! Non-unique indexes that are taken off the empty ghost and built after the copy.

#[cfg(test)]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use support::running::{PATIENCE, assert_code, assert_done, execute, schema, tables};
use support::server::Server;
use support::{tableshift_command, wait_until};

const ALTER: &str = "ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT '', ADD KEY note (note)";
const DEFERRED: &str = "secondary indexes are built after the copy, in one statement:";

/// The program on `t`, with orders for its fault points.
fn command(server: &Server, schema: &str, orders: &str) -> Command {
    let mut command = tableshift_command(server, schema, "t", ALTER);
    command
        .arg("--execute")
        .env("TABLESHIFT_FAULTS", orders)
        .env("TABLESHIFT_CHECKPOINT_MS", "20")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end")
}

async fn end(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().expect("the program's end"))
        .await
        .expect("a thread")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn file(name: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("tableshift-{}-{name}.hold", std::process::id()));
    let _ = std::fs::remove_file(&file);
    file
}

async fn definition(conn: &mut Conn, table: &str) -> String {
    let row: Option<(String, String)> = conn
        .query_first(format!("SHOW CREATE TABLE `{table}`"))
        .await
        .expect("a definition");
    let (_, text) = row.expect("one row");
    let (_, body) = text.split_once('\n').expect("several lines");
    body.to_owned()
}

/// The indexes of a table that aren't unique, in the order in which they are shown.
async fn plain_indexes(conn: &mut Conn, table: &str) -> Vec<String> {
    let definition = definition(conn, table).await;
    let lines = definition
        .lines()
        .map(|line| line.trim().trim_end_matches(','));
    lines
        .filter(|line| line.starts_with("KEY "))
        .map(str::to_owned)
        .collect()
}

/// A table `t` with two plain indexes, and its twin, which gets the same change by a plain ALTER.
async fn indexed(server: &Server, name: &str, rows: u32) -> Conn {
    let mut conn = schema(server, name, rows).await;
    let altered = format!("ALTER TABLE twin {ALTER}");
    execute(
        &mut conn,
        &[
            "ALTER TABLE t ADD COLUMN w INT, ADD KEY v (v), ADD KEY wv (w, v)",
            "UPDATE t SET w = id % 100",
            "CREATE TABLE twin LIKE t",
            &altered,
        ],
    )
    .await;
    conn
}

/// `t` has the definition that a plain ALTER makes, and every index has every row.
async fn assert_whole(conn: &mut Conn) {
    let expected = definition(conn, "twin").await;
    assert_eq!(definition(conn, "t").await, expected);
    let sums = async |conn: &mut Conn, index: &str| {
        let query = format!(
            "SELECT COUNT(*), COALESCE(SUM(v), 0) FROM t FORCE INDEX ({index}) WHERE v >= -1000000"
        );
        let found: Option<(u64, i64)> = conn.query_first(query).await.expect("sums");
        found.expect("one row")
    };
    let expected = sums(conn, "PRIMARY").await;
    for index in ["v", "wv"] {
        assert_eq!(sums(conn, index).await, expected, "{index}");
    }
    let checked: Vec<(String, String, String, String)> =
        conn.query("CHECK TABLE t EXTENDED").await.expect("a check");
    assert!(
        checked
            .iter()
            .all(|(_, _, kind, said)| kind == "status" && said == "OK"),
        "{checked:?}"
    );
}

async fn held(hold: &Path) {
    wait_until(PATIENCE, "it is held", async || hold.exists()).await;
}

/// The connection that builds, once the server works on that or waits with it.
async fn building(conn: &mut Conn) -> u64 {
    let mut found = None;
    wait_until(PATIENCE, "the indexes are being built", async || {
        found = conn
            .query_first(
                "SELECT id FROM information_schema.processlist WHERE info LIKE 'ALTER /* tableshift */ \
                 TABLE%ADD KEY%' AND state LIKE 'Waiting for table metadata lock%'",
            )
            .await
            .expect("the list of threads");
        found.is_some()
    })
    .await;
    found.expect("it was seen")
}

async fn gone(conn: &mut Conn, id: u64) {
    wait_until(PATIENCE, "the connection that builds is gone", async || {
        let query = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
        let count: Option<u64> = conn.query_first(query).await.expect("a count");
        count == Some(0)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_of_every_kind_come_back_as_they_were() {
    let server = Server::start(&[]);
    let mut conn = server.conn(None).await;
    execute(
        &mut conn,
        &[
            "CREATE DATABASE kinds",
            "USE kinds",
            "CREATE TABLE t (id INT AUTO_INCREMENT, a INT, b VARCHAR(100), c VARCHAR(30) NOT NULL, g \
             GEOMETRY NOT NULL SRID 0, txt TEXT, d JSON, vi INT AS (a + 1) VIRTUAL, st INT AS (a * 2) \
             STORED, PRIMARY KEY (c), KEY counts (id, a), UNIQUE KEY u1 (a, c), KEY before_g (b), SPATIAL \
             KEY sp (g), KEY k1 (a) COMMENT 'it''s a `quoted` \\\\ back, comma\\nline', KEY `we``ird, (x` \
             (b(10) DESC, a), KEY inv (a, b) INVISIBLE, KEY f ((a + 1)), UNIQUE KEY u2 (st), FULLTEXT KEY ft \
             (txt), KEY kb USING BTREE (b) KEY_BLOCK_SIZE=4, KEY `größe` (st), KEY vi (vi), KEY mv ((CAST(d->'$.x' AS \
             UNSIGNED ARRAY))))",
            "INSERT INTO t (a, b, c, g, txt, d) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 \
             FROM n WHERE i < 500) SELECT i, CONCAT('b', i % 7), i, ST_GeomFromText('POINT(1 1)'), 'words', \
             JSON_OBJECT('x', JSON_ARRAY(i)) FROM n",
            "CREATE TABLE twin LIKE t",
        ],
    )
    .await;
    let altered = format!("ALTER TABLE twin {ALTER}, DROP KEY k1, ADD KEY k1 (b, a)");
    execute(&mut conn, &[&altered]).await;
    let hold = file("kinds");
    let orders = format!("copy chunk@worker:hold={}", hold.display());
    let mut command = command(&server, "kinds", &orders);
    command.args([
        "--alter",
        &format!("{ALTER}, DROP KEY k1, ADD KEY k1 (b, a)"),
    ]);
    let child = command.spawn().expect("the program");
    held(&hold).await;
    // What stands before the spatial index would come back behind it.
    let kept = plain_indexes(&mut conn, "_t_gho").await;
    let names: Vec<&str> = kept
        .iter()
        .filter_map(|line| line.split('`').nth(1))
        .collect();
    assert_eq!(names, ["counts", "before_g", "f", "vi", "mv"]);
    std::fs::remove_file(&hold).expect("the run is held");
    let output = end(child).await;
    assert_done(&output);
    let told = text(&output);
    let list = "`we``ird, (x`, `inv`, `kb`, `größe`, `note`, `k1`";
    assert!(told.contains(&format!("{DEFERRED} {list}")), "{told}");
    let without_counter = |text: String| -> String {
        let digits = text.split_once(" AUTO_INCREMENT=").map(|(before, rest)| {
            format!(
                "{before}{}",
                rest.trim_start_matches(|c: char| c.is_ascii_digit())
            )
        });
        digits.unwrap_or(text)
    };
    let [found, expected] = [
        definition(&mut conn, "t").await,
        definition(&mut conn, "twin").await,
    ];
    assert_eq!(without_counter(found), without_counter(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_change_while_indexes_are_built() {
    let server = Server::start(&[]);
    let mut conn = indexed(&server, "busy", 100_000).await;
    let hold = file("busy");
    let orders = format!("build the indexes@builder:hold={}", hold.display());
    let child = command(&server, "busy", &orders)
        .spawn()
        .expect("the program");
    held(&hold).await;
    assert_eq!(
        plain_indexes(&mut conn, "_t_gho").await,
        Vec::<String>::new()
    );
    assert_eq!(plain_indexes(&mut conn, "twin").await.len(), 3);
    std::fs::remove_file(&hold).expect("the run is held");
    // As long as the old table isn't there: before, during and behind the building.
    let mut round = 0;
    while !tables(&mut conn).await.contains(&"_t_del".to_owned()) {
        round += 1;
        let first = round * 977 % 99_000;
        for change in [
            format!("UPDATE t SET v = v + 1, w = w + 1 WHERE id BETWEEN {first} AND {first} + 500"),
            format!("DELETE FROM t WHERE id BETWEEN {first} AND {first} + 20"),
            format!(
                "INSERT IGNORE INTO t (id, v, w) VALUES ({first}, {round}, 5), ({first} + 200000, 1, 1)"
            ),
        ] {
            conn.query_drop(change).await.expect("a write");
        }
    }
    assert_done(&end(child).await);
    assert!(round > 2, "only {round} rounds of writes");
    assert_whole(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_killed_around_the_building_goes_on() {
    let server = Server::start(&[]);
    for (name, moment) in [("killed_before", "hold"), ("killed_behind", "hold-after")] {
        let mut conn = indexed(&server, name, 5_000).await;
        let hold = file(name);
        let orders = format!("build the indexes@builder:{moment}={}", hold.display());
        let mut child = command(&server, name, &orders)
            .spawn()
            .expect("the program");
        held(&hold).await;
        let saved = "SELECT copied_all FROM _t_ghk WHERE id = 2";
        wait_until(PATIENCE, "a checkpoint", async || {
            let saved: Result<Option<u64>, _> = conn.query_first(saved).await;
            matches!(saved, Ok(Some(1)))
        })
        .await;
        let there = plain_indexes(&mut conn, "_t_gho").await.len();
        assert_eq!(there, if moment == "hold" { 0 } else { 3 });
        child.kill().expect("a signal");
        child.wait().expect("its end");
        execute(&mut conn, &["UPDATE t SET v = -v WHERE id < 100"]).await;
        // Whatever is said now: the ghost is as it is.
        let mut command = command(&server, name, "");
        command.arg("--defer-secondary-indexes=off");
        let output = run(command).await;
        assert_done(&output);
        assert!(
            text(&output).contains("going on from checkpoint"),
            "{}",
            text(&output)
        );
        assert_eq!(text(&output).contains("indexes built"), moment == "hold");
        assert_eq!(text(&output).contains(DEFERRED), moment == "hold");
        assert_whole(&mut conn).await;
    }
}

/// A reader of the ghost keeps the server from beginning, so the statement is under way for as long as
/// the test wants.
#[tokio::test(flavor = "multi_thread")]
async fn a_tool_killed_or_stopped_while_it_builds_goes_on() {
    let server = Server::start(&[]);
    for name in ["killed", "stopped"] {
        let mut conn = indexed(&server, name, 5_000).await;
        let mut reader = server.conn(Some(name)).await;
        let hold = file(name);
        let orders = format!("build the indexes@builder:hold={}", hold.display());
        let mut child = command(&server, name, &orders)
            .spawn()
            .expect("the program");
        held(&hold).await;
        let read = "SELECT COUNT(*) FROM _t_gho WHERE id < 5";
        execute(&mut reader, &["START TRANSACTION", read]).await;
        std::fs::remove_file(&hold).expect("the run is held");
        let id = building(&mut conn).await;
        if name == "killed" {
            child.kill().expect("a signal");
            child.wait().expect("its end");
        } else {
            let sent = Command::new("kill")
                .args(["-TERM", &child.id().to_string()])
                .status();
            assert!(sent.expect("kill").success());
            assert_code(&end(child).await, 8, &[]);
            gone(&mut conn, id).await;
        }
        execute(&mut reader, &["COMMIT"]).await;
        let output = run(command(&server, name, "")).await;
        assert_done(&output);
        assert!(text(&output).contains("indexes built"), "{}", text(&output));
        assert_whole(&mut conn).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_ghost_is_named_and_waited_for() {
    let server = Server::start(&[]);
    let mut conn = indexed(&server, "reader", 5_000).await;
    let mut reader = server.conn(Some("reader")).await;
    let hold = file("reader");
    let looked = file("reader-looked");
    let orders = format!(
        "build the indexes@builder:hold={};look for blockers@builder:hold-after={}:2",
        hold.display(),
        looked.display()
    );
    let child = command(&server, "reader", &orders)
        .spawn()
        .expect("the program");
    held(&hold).await;
    let read = "SELECT COUNT(*) FROM _t_gho WHERE id < 5";
    execute(&mut reader, &["START TRANSACTION", read]).await;
    std::fs::remove_file(&hold).expect("the run is held");
    // The server has waited for its time, and the next look has seen who it was.
    held(&looked).await;
    std::fs::remove_file(&looked).expect("the run is held");
    execute(&mut reader, &["COMMIT"]).await;
    let output = end(child).await;
    assert_done(&output);
    assert!(text(&output).contains("trying again"), "{}", text(&output));
    let named = format!("the building of indexes waits: connection {}", reader.id());
    assert!(text(&output).contains(&named), "{}", text(&output));
    assert_whole(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_of_somebody_else_ends_the_run_as_ever() {
    let server = Server::start(&[]);
    for (name, change) in [
        ("stranger", "ALTER TABLE _t_gho ADD KEY v (v)"),
        ("stranger_too", "ALTER TABLE _t_gho ADD COLUMN x INT"),
    ] {
        let mut conn = indexed(&server, name, 5_000).await;
        let hold = file(name);
        let orders = format!("build the indexes@builder:hold={}", hold.display());
        let child = command(&server, name, &orders)
            .spawn()
            .expect("the program");
        held(&hold).await;
        execute(&mut conn, &[change]).await;
        let output = end(child).await;
        assert_code(&output, 5, &["another session ran ALTER on"]);
        assert_eq!(tables(&mut conn).await, ["t", "twin"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_changes_let_refreshes_rest_and_then_end_the_run() {
    let server = Server::start(&[]);
    let mut conn = indexed(&server, "full", 5_000).await;
    let output = run(command(
        &server,
        "full",
        "build the indexes@builder:error=1799",
    ))
    .await;
    assert_done(&output);
    assert!(
        text(&output).contains("while changed rows wait"),
        "{}",
        text(&output)
    );
    assert_whole(&mut conn).await;
    let mut conn = indexed(&server, "overfull", 5_000).await;
    let held = file("overfull");
    // There has to be a checkpoint to go on from before the building fails.
    let orders = format!(
        "copy chunk:hold={}:2;build the indexes@builder:error=1799:1+",
        held.display()
    );
    let child = command(&server, "overfull", &orders).spawn();
    let child = child.expect("the program");
    let saved = "SELECT COUNT(*) FROM _t_ghk WHERE id = 2";
    wait_until(PATIENCE, "the first checkpoint", async || {
        let written: Result<Option<u64>, _> = conn.query_first(saved).await;
        held.exists() && matches!(written, Ok(Some(1)))
    })
    .await;
    std::fs::remove_file(&held).expect("the hold is over");
    let output = end(child).await;
    assert_code(&output, 8, &["innodb_online_alter_log_max_size to more"]);
    let output = run(command(
        &server,
        "overfull",
        "build the indexes@builder:error=1114",
    ))
    .await;
    assert_code(
        &output,
        8,
        &[
            "free disk space",
            "--no-resume --defer-secondary-indexes=off",
        ],
    );
    assert_done(&run(command(&server, "overfull", "")).await);
}

/// Refreshes rest while the server builds: it has nothing to note, however many rows wait for theirs.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_s_own_log_stays_empty() {
    // It counts in blocks of the sort buffer's size.
    let server = Server::start(&[
        "--innodb-online-alter-log-max-size=65536",
        "--innodb-sort-buffer-size=65536",
    ]);
    let mut conn = indexed(&server, "hot", 300_000).await;
    let hold = file("hot");
    let orders = format!("build the indexes@builder:hold={}", hold.display());
    let child = command(&server, "hot", &orders)
        .spawn()
        .expect("the program");
    held(&hold).await;
    execute(
        &mut conn,
        &["UPDATE t SET v = v + 1, w = w + 1 WHERE id % 2 = 0"],
    )
    .await;
    std::fs::remove_file(&hold).expect("the run is held");
    let output = end(child).await;
    assert_done(&output);
    // Else it would be full, and everything built once more.
    let told = text(&output);
    assert_eq!(told.matches("building indexes of").count(), 1, "{told}");
    assert!(!told.contains("1799"), "{told}");
    assert_whole(&mut conn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_replica_nothing_is_deferred_unless_asked_for() {
    let server = Server::start(&[]);
    let replica = Server::start_replica_of(&server);
    let mut conn = indexed(&server, "followed", 5_000).await;
    let output = run(command(&server, "followed", "")).await;
    assert_done(&output);
    let told = text(&output);
    assert!(
        told.contains(
            "secondary indexes are kept while rows are copied: the binary log has readers"
        ),
        "{told}"
    );
    assert_whole(&mut conn).await;
    let mut conn = indexed(&server, "forced", 5_000).await;
    let mut command = command(&server, "forced", "");
    command.arg("--defer-secondary-indexes=on");
    let output = run(command).await;
    assert_done(&output);
    let told = text(&output);
    assert!(
        told.contains(DEFERRED) && told.contains("=on, although"),
        "{told}"
    );
    assert_whole(&mut conn).await;
    let expected = definition(&mut conn, "t").await;
    let mut conn = replica.conn(None).await;
    wait_until(PATIENCE, "the replica has the new table", async || {
        let found = conn
            .query_first::<(String, String), _>("SHOW CREATE TABLE forced.t")
            .await;
        matches!(found, Ok(Some((_, text))) if text.ends_with(&expected))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn off_means_off_and_a_trial_says_what_would_be_done() {
    let server = Server::start(&[]);
    let mut conn = indexed(&server, "off", 500).await;
    let mut trial = tableshift_command(&server, "off", "t", ALTER);
    trial.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = run(trial).await;
    assert_done(&output);
    assert!(text(&output).contains(&format!("{DEFERRED} `v`, `wv`, `note`")));
    assert_eq!(tables(&mut conn).await, ["t", "twin"]);
    let mut command = command(&server, "off", "");
    command.arg("--defer-secondary-indexes=off");
    let output = run(command).await;
    assert_done(&output);
    let told = text(&output);
    assert!(
        told.contains("kept while rows are copied: --defer-secondary-indexes=off"),
        "{told}"
    );
    assert!(!told.contains("indexes built"), "{told}");
    assert_whole(&mut conn).await;
}
