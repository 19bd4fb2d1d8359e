//! Changes that take no copy: what the server makes by itself is made on the table itself, what is there
//! already is told by an exit code of its own, and everything else is copied.

#[cfg(test)]
mod support;

use std::process::Output;
use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{ALTER, assert_code, assert_done, content, execute, schema, tables};
use support::server::Server;
use support::with_shortcuts;

const NOTHING_TO_DO: i32 = 11;

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

fn run(name: &str, alter: &str, flags: &[&str]) -> Output {
    let mut command = with_shortcuts(shared(), name, "t", alter);
    command.arg("--execute").args(flags);
    command.output().expect("the program")
}

fn log(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The number of `t` in InnoDB, which a new or rebuilt table doesn't share.
async fn id(conn: &mut Conn) -> u64 {
    let query = "SELECT TABLE_ID FROM information_schema.INNODB_TABLES WHERE NAME = CONCAT(DATABASE(), '/t')";
    conn.query_first(query)
        .await
        .expect("a query")
        .expect("an id")
}

async fn definition(conn: &mut Conn) -> String {
    let shown: Option<(String, String)> =
        conn.query_first("SHOW CREATE TABLE t").await.expect("it");
    shown.expect("a definition").1
}

/// A table with a few things to change.
async fn furnished(name: &str) -> Conn {
    let mut conn = schema(shared(), name, 50).await;
    let more = "ALTER TABLE t ADD COLUMN name VARCHAR(20) NOT NULL DEFAULT 'x' COLLATE utf8mb4_bin, ADD \
                COLUMN wide VARCHAR(63), ADD KEY by_v (v), ADD KEY by_name (name)";
    execute(&mut conn, &[more]).await;
    conn
}

#[tokio::test(flavor = "multi_thread")]
async fn what_touches_no_rows_is_done_to_the_table_itself() {
    let mut conn = furnished("direct").await;
    let before = id(&mut conn).await;
    for (alter, way) in [
        (ALTER, "altered instantly"),
        ("DROP COLUMN note -- no longer needed", "altered instantly"),
        ("ALTER v SET DEFAULT 7", "altered instantly"),
        ("DROP INDEX by_v", "altered in place"),
        (
            "RENAME INDEX by_name TO names, COMMENT='shop''s'",
            "altered in place",
        ),
        (
            "MODIFY name VARCHAR(40) COLLATE utf8mb4_bin NOT NULL DEFAULT 'x' # longer",
            "altered in place",
        ),
    ] {
        let output = run("direct", alter, &[]);
        assert_done(&output);
        assert!(log(&output).contains(way), "{alter}: {}", log(&output));
        assert_eq!(id(&mut conn).await, before, "{alter}");
        assert_eq!(tables(&mut conn).await, ["t"], "{alter}");
    }
    let after = definition(&mut conn).await;
    for fragment in [
        "KEY `names` (`name`)",
        "`name` varchar(40)",
        "DEFAULT '7'",
        "COMMENT='shop''s'",
    ] {
        assert!(after.contains(fragment), "{after}");
    }
    assert!(
        !after.contains("by_v") && !after.contains("note"),
        "{after}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_read_or_rebuild_the_table_is_copied() {
    let mut conn = furnished("copied").await;
    for alter in [
        "ADD INDEX another (v, name)",
        "DROP INDEX by_v, ADD COLUMN more INT",
        // The comment must not hide what comes behind it from the server.
        "MODIFY v BIGINT NOT NULL -- wider",
        // From one byte of length to two.
        "MODIFY wide VARCHAR(64)",
        "MODIFY name VARCHAR(40) NOT NULL DEFAULT 'x' COLLATE utf8mb4_general_ci",
        "ENGINE=InnoDB",
    ] {
        let before = id(&mut conn).await;
        let output = run("copied", alter, &["--ok-to-drop-table"]);
        assert_done(&output);
        let log = log(&output);
        assert!(
            !log.contains("altered in") && log.contains("copied_columns"),
            "{log}"
        );
        assert_ne!(id(&mut conn).await, before, "{alter}");
    }
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_nothing_to_do() {
    let mut conn = furnished("again").await;
    let index = "ADD UNIQUE KEY one (v, name(3))";
    execute(
        &mut conn,
        &["ALTER TABLE t ADD UNIQUE KEY one (v, name(3)), ADD KEY last (v)"],
    )
    .await;
    assert_done(&run(
        "again",
        "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT '' AFTER v",
        &[],
    ));
    let before = definition(&mut conn).await;
    let same = id(&mut conn).await;
    for alter in [
        // The same once more, and with the words that the server leaves out or adds.
        "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT '' AFTER v",
        "ADD note CHARACTER VARYING(100) DEFAULT '' NOT NULL",
        index,
        "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT '', ADD UNIQUE KEY one (v, name(3))",
        "MODIFY v INT NOT NULL",
        "MODIFY name VARCHAR(20) COLLATE utf8mb4_bin DEFAULT 'x' NOT NULL",
        "ALTER name SET DEFAULT 'x'",
        "COMMENT=''",
    ] {
        for flags in [&[][..], &["--no-shortcuts"]] {
            let output = run("again", alter, flags);
            assert_code(&output, NOTHING_TO_DO, &[]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("# Nothing to do: `again`.`t`"), "{said}");
        }
    }
    for alter in [
        "ADD COLUMN note VARCHAR(99) NOT NULL DEFAULT ''",
        "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT '' FIRST",
        "ADD UNIQUE KEY one (name(3), v)",
        "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT '', ADD COLUMN other INT",
        "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT '', DROP COLUMN wide",
    ] {
        assert_code(&run("again", alter, &[]), 3, &["uplicate"]);
    }
    assert_eq!(definition(&mut conn).await, before);
    assert_eq!(id(&mut conn).await, same);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_dropped_and_added_again_loses_its_values() {
    let mut conn = schema(shared(), "dropped", 3).await;
    let alter = "DROP COLUMN v, ADD COLUMN v INT NOT NULL";
    for flags in [&["--no-shortcuts", "--ok-to-drop-table"][..], &[]] {
        execute(&mut conn, &["UPDATE t SET v = 9"]).await;
        assert_done(&run("dropped", alter, flags));
        assert_eq!(content(&mut conn, "id, v").await, [(1, 0), (2, 0), (3, 0)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_change_in_place_is_settled_by_the_definition() {
    for (name, kind, code) in [
        ("place_done", "lost-after", 0),
        ("place_not", "lost-before", 5),
    ] {
        let mut conn = furnished(name).await;
        let output = with_shortcuts(shared(), name, "t", "DROP INDEX by_v")
            .arg("--execute")
            .env(
                "TABLESHIFT_FAULTS",
                format!("alter the table in place@main:{kind}:1"),
            )
            .output()
            .expect("the program");
        assert_code(&output, code, &[]);
        assert_eq!(!definition(&mut conn).await.contains("by_v"), code == 0);
        assert_eq!(tables(&mut conn).await, ["t"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_the_table_itself_leads_to_a_copy() {
    for code in [1845, 1846, 4092] {
        let name = format!("unlike_{code}");
        let mut conn = schema(shared(), &name, 20).await;
        let output = with_shortcuts(shared(), &name, "t", ALTER)
            .arg("--execute")
            .env(
                "TABLESHIFT_FAULTS",
                format!("alter the table instantly@main:error={code}:1"),
            )
            .output()
            .expect("the program");
        assert_done(&output);
        let said = log(&output);
        assert!(
            said.contains("not possible instantly, so it is migrated"),
            "{said}"
        );
        assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_in_the_way_is_not_queued_behind_for_long() {
    let mut conn = schema(shared(), "blocked", 20).await;
    let output = with_shortcuts(shared(), "blocked", "t", ALTER)
        .arg("--execute")
        .env(
            "TABLESHIFT_FAULTS",
            "alter the table instantly@main:error=1205:1+",
        )
        .output()
        .expect("the program");
    assert_done(&output);
    assert!(log(&output).contains("others use the table all the time"));
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_behind_the_change_is_harmless_when_it_is_repeated() {
    let mut conn = schema(shared(), "killed", 20).await;
    let output = with_shortcuts(shared(), "killed", "t", ALTER)
        .arg("--execute")
        .env(
            "TABLESHIFT_FAULTS",
            "alter the table instantly@main:kill-after:1",
        )
        .output()
        .expect("the program");
    assert_ne!(output.status.code(), Some(0));
    assert!(definition(&mut conn).await.contains("`note`"));
    assert!(tables(&mut conn).await.len() > 1);
    assert_code(&run("killed", ALTER, &[]), NOTHING_TO_DO, &[]);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_see_a_rebuild_gets_a_copy() {
    let mut conn = furnished("unseen").await;
    execute(
        &mut conn,
        &[
            "CREATE USER narrow@'%' IDENTIFIED BY 'narrow'",
            "GRANT ALL ON unseen.* TO narrow@'%'",
            "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO narrow@'%'",
            "GRANT SELECT ON performance_schema.* TO narrow@'%'",
        ],
    )
    .await;
    let command = |alter: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tableshift"));
        command
            .args([
                "--host",
                &shared().host,
                "--port",
                &shared().port.to_string(),
            ])
            .args([
                "--user=narrow",
                "--password=narrow",
                "--execute",
                "--ok-to-drop-table",
            ])
            .args(["--database=unseen", "--table=t", "--alter", alter]);
        command.output().expect("the program")
    };
    let before = id(&mut conn).await;
    let output = command("DROP INDEX by_v");
    assert_done(&output);
    assert_ne!(id(&mut conn).await, before);
    let before = id(&mut conn).await;
    assert_done(&command(ALTER));
    assert_eq!(
        id(&mut conn).await,
        before,
        "instant changes need no such look"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_about_the_swap_keep_the_table_from_being_altered_directly() {
    let mut conn = schema(shared(), "wishes", 20).await;
    execute(&mut conn, &["CREATE TABLE other (id INT PRIMARY KEY)"]).await;
    for flags in [
        &["--no-shortcuts"][..],
        &["--attempt-instant-ddl=false"],
        &["--cut-over-window=00:00-24:00 UTC"],
    ] {
        let before = id(&mut conn).await;
        let flags = [flags, &["--ok-to-drop-table"]].concat();
        let name = format!("c{before}");
        let output = run("wishes", &format!("ADD COLUMN {name} INT"), &flags);
        assert_done(&output);
        assert_ne!(id(&mut conn).await, before, "{flags:?}");
    }
    let mut command = with_shortcuts(shared(), "wishes", "t", ALTER);
    let output = command.output().expect("the program");
    assert_done(&output);
    let said = log(&output);
    assert!(
        said.contains("would be altered directly: ALGORITHM=INSTANT, LOCK=DEFAULT"),
        "{said}"
    );
    assert!(!definition(&mut conn).await.contains("`note`"));
    assert_eq!(tables(&mut conn).await, ["other", "t"]);
}
