//! The table as a file says that it is to be: what differs is found, proved on an empty copy, and applied.

#[cfg(test)]
mod support;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::chance::Chance;
use support::running::{assert_code, assert_done, execute, tables};
use support::server::{PASSWORD, Server, USER};

const SAME: i32 = 0;
const DIFFERS: i32 = 1;
const TROUBLE: i32 = 2;
const NOTHING_TO_DO: i32 = 11;

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// A file that goes away with its test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("tableshift-{}-{name}.sql", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(words: &[&str], schema: &str, file: &File) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tableshift"));
    command
        .args(words)
        .args([
            "--host",
            &shared().host,
            "--port",
            &shared().port.to_string(),
        ])
        .args(["--user", USER, "--password", PASSWORD, "--database", schema])
        .arg("--schema")
        .arg(&file.0);
    command.output().expect("the program")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn with_table(schema: &str, create: &str) -> Conn {
    let mut conn = shared().conn(None).await;
    let statements = [
        &format!("CREATE DATABASE {schema}"),
        &format!("USE {schema}"),
        create,
    ];
    execute(&mut conn, &statements).await;
    conn
}

/// The helpers' names leave room for those of constraints, which the server and we make from them.
#[tokio::test(flavor = "multi_thread")]
async fn tables_with_long_names_and_checks_are_compared() {
    let table = "l".repeat(58);
    let body = "id INT PRIMARY KEY, v INT, CONSTRAINT c CHECK (v > 0)";
    let mut conn = with_table("lengthy", &format!("CREATE TABLE {table} ({body})")).await;
    let add = |what: &str| format!("CREATE TABLE {table} ({body}, {what})");
    let file = File::new("lengthy", &add("w INT, CONSTRAINT d CHECK (w > 0)"));
    let output = run(&["diff", "--table", &table], "lengthy", &file);
    assert_eq!(output.status.code(), Some(DIFFERS), "{output:?}");
    assert!(out(&output).contains("CONSTRAINT `d` CHECK"), "{output:?}");
    let words = ["migrate", "--execute", "--table", &table];
    assert_code(&run(&words, "lengthy", &file), 3, &["--force-table-names"]);
    assert_eq!(tables(&mut conn).await, [table]);
}

async fn definition(conn: &mut Conn, table: &str) -> String {
    let shown: Option<(String, String)> = conn
        .query_first(format!("SHOW CREATE TABLE {table}"))
        .await
        .expect("it");
    shown.expect("a definition").1
}

const LIVE: &str = "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(10) COLLATE utf8mb4_bin, b INT \
                    DEFAULT 5, c DATETIME, KEY by_a (a), KEY by_b (b), CONSTRAINT positive CHECK (b > 0))";

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_says_is_found_applied_and_then_nothing_to_do() {
    let mut conn = with_table("applied", LIVE).await;
    execute(
        &mut conn,
        &["INSERT INTO t (a, b) VALUES ('x', 1), ('y', 2)"],
    )
    .await;
    let file = File::new(
        "applied",
        "-- orders\nDROP TABLE IF EXISTS t;\nCREATE TABLE other (id INT);\nCREATE TABLE t (id BIGINT UNSIGNED NOT \
         NULL AUTO_INCREMENT, c DATETIME(3) NULL COMMENT 'it''s /* new */', b INT NOT NULL DEFAULT '7', a \
         VARCHAR(20) COLLATE utf8mb4_bin, d JSON DEFAULT (JSON_ARRAY()) INVISIBLE, e INT GENERATED ALWAYS AS (b + 1) \
         STORED, PRIMARY KEY (id), UNIQUE KEY pair (a, b DESC), KEY renamed (b), KEY f ((b + 2)), CONSTRAINT \
         positive CHECK (b >= 0), CHECK (b < 100)) COMMENT='orders' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;",
    );
    let told = run(&["diff", "--table=t"], "applied", &file);
    assert_code(&told, DIFFERS, &[]);
    let alter = out(&told);
    for fragment in [
        "ALTER TABLE `applied`.`t`\n  ",
        "DROP INDEX `by_a`",
        "RENAME INDEX `by_b` TO `renamed`",
        "MODIFY COLUMN `id` bigint unsigned NOT NULL AUTO_INCREMENT",
        "ADD COLUMN `e` int GENERATED",
        "ADD CONSTRAINT `positive` CHECK ((`b` >= 0))",
        "ADD CONSTRAINT `t_chk_1` CHECK ((`b` < 100))",
        "COMMENT='orders'",
    ] {
        assert!(alter.contains(fragment), "{fragment} in {alter}");
    }
    assert_eq!(tables(&mut conn).await, ["t"]);
    let migrate = ["migrate", "--table=t", "--execute", "--ok-to-drop-table"];
    assert_done(&run(&migrate, "applied", &file));
    assert_eq!(tables(&mut conn).await, ["t"]);
    assert_code(&run(&["diff", "--table=t"], "applied", &file), SAME, &[]);
    assert_code(&run(&migrate, "applied", &file), NOTHING_TO_DO, &[]);
    let rows: Vec<(u64, String, i32)> = conn.query("SELECT id, a, b FROM t").await.expect("rows");
    assert_eq!(rows, [(1, "x".into(), 1), (2, "y".into(), 2)]);
    // Without --schema the printed ALTER does the same.
    execute(&mut conn, &["DROP TABLE t", LIVE, &alter]).await;
    assert_code(&run(&["diff", "--table=t"], "applied", &file), SAME, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_is_never_taken_for_a_renamed_one_nor_dropped_without_a_word() {
    let mut conn = with_table("lost", LIVE).await;
    let before = definition(&mut conn, "t").await;
    let file = File::new("lost", &LIVE.replace(" c DATETIME,", " z DATETIME,"));
    let told = run(&["diff"], "lost", &file);
    assert_code(
        &told,
        DIFFERS,
        &["column `c` is dropped with its values", "RENAME COLUMN"],
    );
    assert!(
        out(&told).contains("DROP COLUMN `c`,\n  ADD COLUMN `z` datetime DEFAULT NULL"),
        "{}",
        out(&told)
    );
    let refused = run(&["migrate", "--execute"], "lost", &file);
    assert_code(
        &refused,
        3,
        &["column `c` is dropped", "--allow-drop-columns"],
    );
    assert_eq!(definition(&mut conn, "t").await, before);
    let allowed = ["--execute", "--allow-drop-columns", "--ok-to-drop-table"];
    assert_done(&run(&allowed, "lost", &file));
    assert!(definition(&mut conn, "t").await.contains("`z` datetime"));
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_leaves_nothing_behind() {
    let mut conn = with_table("trouble", LIVE).await;
    execute(&mut conn, &["CREATE TABLE parent (id INT PRIMARY KEY)"]).await;
    for (text, code, words) in [
        (
            "CREATE TABLE t (id INT PRIMARY KEY, id INT)",
            TROUBLE,
            "Duplicate column name",
        ),
        (
            "CREATE TABLE t (id NOTYPE)",
            TROUBLE,
            "the CREATE TABLE in the file",
        ),
        (
            "CREATE TABLE gone (id INT)",
            TROUBLE,
            "`trouble`.`gone` doesn't exist",
        ),
        (
            &LIVE.replace(
                "KEY by_a (a)",
                "CONSTRAINT fk FOREIGN KEY by_a (b) REFERENCES parent (id)",
            ),
            DIFFERS,
            "the foreign keys differ",
        ),
    ] {
        let file = File::new("trouble", text);
        assert_code(&run(&["diff"], "trouble", &file), code, &[words]);
        assert_code(
            &run(&["migrate", "--execute"], "trouble", &file),
            3,
            &[words],
        );
        assert_eq!(tables(&mut conn).await, ["parent", "t"], "{text}");
    }
    // What bears the name and isn't ours is left alone.
    execute(&mut conn, &["CREATE TABLE _t_want_gho (id INT)"]).await;
    let file = File::new("foreign", "CREATE TABLE t (id INT)");
    assert_code(
        &run(&["diff"], "trouble", &file),
        TROUBLE,
        &["`_t_want_gho` is not one of ours"],
    );
    assert_eq!(tables(&mut conn).await, ["_t_want_gho", "parent", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_was_killed_is_cleaned_up_by_the_next_one() {
    let mut conn = with_table("killed", LIVE).await;
    let file = File::new("killed", "CREATE TABLE t (id INT PRIMARY KEY)");
    for point in [
        "create the wanted table@main:kill-after",
        "create the ghost table@main:kill-after",
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tableshift"))
            .args([
                "diff",
                "--host",
                &shared().host,
                "--port",
                &shared().port.to_string(),
            ])
            .args([
                "--user",
                USER,
                "--password",
                PASSWORD,
                "--database=killed",
                "--schema",
            ])
            .arg(&file.0)
            .env("TABLESHIFT_FAULTS", format!("{point}:1"))
            .output()
            .expect("the program");
        assert!(![Some(SAME), Some(DIFFERS)].contains(&output.status.code()));
        assert_eq!(tables(&mut conn).await.len(), 3, "{point}");
        assert_code(&run(&["diff"], "killed", &file), DIFFERS, &[]);
        assert_eq!(tables(&mut conn).await, ["t"]);
    }
}

fn below(chance: &mut Chance, bound: usize) -> usize {
    let number = chance.below(u64::try_from(bound).expect("a small number"));
    usize::try_from(number).expect("a small number")
}

/// A table of chance: columns `a` to `h` in some order, each of some type, with indexes over them.
fn random_table(chance: &mut Chance) -> String {
    const TYPES: [&str; 14] = [
        "INT",
        "BIGINT UNSIGNED NOT NULL DEFAULT 3",
        "VARCHAR(20) NOT NULL",
        "VARCHAR(300) CHARACTER SET latin1 DEFAULT 'it''s'",
        "VARCHAR(20) COLLATE utf8mb4_bin COMMENT 'a, `b` (c) /*!80000 d */'",
        "DECIMAL(12,3) DEFAULT 1.5",
        "DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)",
        "TIMESTAMP NULL",
        "ENUM('x','y,z','''') NOT NULL DEFAULT 'x'",
        "INT INVISIBLE DEFAULT (1 + 2)",
        "CHAR(5) CHARACTER SET ascii NOT NULL",
        "DOUBLE NOT NULL",
        "INT GENERATED ALWAYS AS (id + 1) VIRTUAL",
        "BINARY(8)",
    ];
    const OPTIONS: [&str; 7] = [
        "",
        "COMMENT='one; two'",
        "DEFAULT CHARSET=latin1",
        "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='x'",
        "ROW_FORMAT=COMPACT STATS_PERSISTENT=1",
        "STATS_SAMPLE_PAGES=30 STATS_AUTO_RECALC=0",
        "PARTITION BY HASH (id) PARTITIONS 3",
    ];
    let mut columns: Vec<char> = ('a'..='h').collect();
    let mut lines = vec!["id INT NOT NULL".to_owned()];
    let mut there = Vec::new();
    while lines.len() < 7 {
        let column = columns.remove(below(chance, columns.len()));
        let kind = TYPES[below(chance, TYPES.len())];
        let place = below(chance, lines.len() + 1);
        lines.insert(place, format!("`{column}` {kind}"));
        there.push(column);
    }
    lines.push("PRIMARY KEY (id)".into());
    for name in ["i", "j", "k"] {
        let one = there[below(chance, 6)];
        let kind = ["KEY", "KEY", "UNIQUE KEY"][below(chance, 3)];
        let tail = ["", " COMMENT 'c'", " INVISIBLE"][below(chance, 3)];
        let order = ["", " DESC"][below(chance, 2)];
        match chance.below(4) {
            0 => {}
            // A partitioned table wants its key in each unique one.
            1 => lines.push(format!("{kind} `{name}{one}` (`{one}`{order}, id){tail}")),
            _ => lines.push(format!("{kind} `{name}` (id, `{one}`{order}){tail}")),
        }
    }
    if chance.below(2) == 0 {
        let bound = chance.below(3);
        let tail = ["", " NOT ENFORCED"][below(chance, 2)];
        lines.push(format!("CONSTRAINT c CHECK (id <> {bound}){tail}"));
    }
    let options = OPTIONS[below(chance, OPTIONS.len())];
    format!("CREATE TABLE t ({}) {options}", lines.join(", "))
}

#[tokio::test(flavor = "multi_thread")]
async fn any_two_tables_are_led_from_one_to_the_other() {
    let mut chance = Chance::new();
    let mut conn = with_table("random", "SET @one = 1").await;
    let mut wrong = String::new();
    for round in 0..60 {
        let (from, to) = (random_table(&mut chance), random_table(&mut chance));
        execute(&mut conn, &["DROP TABLE IF EXISTS t", &from]).await;
        let file = File::new("random", &to);
        let told = run(&["diff"], "random", &file);
        let applied = match told.status.code() {
            Some(SAME) => Ok(()),
            Some(DIFFERS) => conn.query_drop(out(&told)).await,
            _ => {
                let said = String::from_utf8_lossy(&told.stderr).into_owned();
                writeln!(wrong, "{round}: {from}\n{to}\n{said}").expect("a string");
                continue;
            }
        };
        let same = run(&["diff"], "random", &file);
        if applied.is_err() || same.status.code() != Some(SAME) {
            writeln!(
                wrong,
                "{round}: {from}\n{to}\n{}\n{applied:?}\n{}",
                out(&told),
                out(&same)
            )
            .expect("a string");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_the_file_adds_can_be_filled() {
    let mut conn = with_table(
        "filled",
        "CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL)",
    )
    .await;
    execute(&mut conn, &["INSERT INTO t VALUES (1, 10), (2, 20)"]).await;
    let file = File::new(
        "filled",
        "CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL, x BIGINT NOT NULL);",
    );
    let words = ["migrate", "--execute", "--backfill", "x = a * 3"];
    assert_done(&run(&words, "filled", &file));
    let rows: Vec<(i32, i32, i32)> = conn
        .query("SELECT * FROM t ORDER BY id")
        .await
        .expect("rows");
    assert_eq!(rows, [(1, 10, 30), (2, 20, 60)]);
    // Nothing is added any more, so nothing would be filled: that isn't what was asked for.
    assert_code(
        &run(&words, "filled", &file),
        3,
        &["none would be filled", "  next:  leave --backfill out"],
    );
    assert_code(
        &run(&["migrate", "--execute"], "filled", &file),
        NOTHING_TO_DO,
        &[],
    );
}
