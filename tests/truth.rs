//! The writers' truth test: applications write at full speed and with open transactions, remember
//! every acknowledged write, and go on before, during and after a migration. Then the table must hold
//! exactly what they remember, and no application may have seen an error.
//!
//! Each test is one kind of table. `TABLESHIFT_SEED=n` repeats the writers' choices of an earlier run.

#[cfg(test)]
mod support;
#[cfg(test)]
#[path = "support/writers/mod.rs"]
mod writers;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    time::{Duration, Instant, SystemTime},
};

use mysql_async::{Conn, Opts, Value, prelude::Queryable};

use support::{server::Server, tableshift_command};
use writers::{
    Truth, Writers,
    compare::{Difference, compare, read_table, report},
    tables::{self, Cell, Row, TableKind},
};

const DATABASE: &str = "truth";
/// The change; every row gets an empty note.
const ALTER: &str = "ADD COLUMN note VARCHAR(100) NOT NULL DEFAULT ''";
/// Transactions that every writer gets acknowledged before, during and after the migration.
const WRITES_PER_PHASE: u64 = 60;
/// How long the tool may take from one step to the next; it needs a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

// --- the tables ----------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_second_unique_column_move_between_rows() {
    migrate_under_writers(&tables::second_unique()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_generates_the_keys() {
    migrate_under_writers(&tables::generated_ids()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_key_changes_its_spelling() {
    migrate_under_writers(&tables::case_insensitive_text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latin1_key_is_beyond_ascii() {
    migrate_under_writers(&tables::latin1_text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binary_key_ends_in_zero_bytes() {
    migrate_under_writers(&tables::binary_key()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_composite_key_starts_with_few_values() {
    migrate_under_writers(&tables::composite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_key_serves_where_there_is_no_primary_key() {
    migrate_under_writers(&tables::no_primary_key()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_tool_goes_on_while_unique_values_move() {
    migrate_with_kills(&tables::second_unique()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_tool_goes_on_while_text_keys_change_their_spelling() {
    migrate_with_kills(&tables::case_insensitive_text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_tool_goes_on_with_a_composite_key() {
    migrate_with_kills(&tables::composite()).await;
}

/// The tool is killed again and again, slow enough to be in the middle, and started again.
async fn migrate_with_kills(kind: &TableKind) {
    let server = Server::start(&[]);
    let (opts, mut conn) = create_database(&server).await;
    let seed = seed(kind);
    let writers = Writers::start(&opts, kind, seed).await;
    writers.wait_for_each(WRITES_PER_PHASE / 3).await;
    let mut went_on = 0;
    for kill in 1..=KILLS {
        let tool = Tool::start_with(&server, kind, &SLOWLY);
        let moment = seed.wrapping_mul(kill).rotate_left(17) % 800;
        // The first one has to wait for transactions that are held open for half a second.
        tokio::time::sleep(Duration::from_millis(600 + moment)).await;
        went_on += u64::from(tool.output().contains("going on from checkpoint"));
        drop(tool);
    }
    assert!(went_on > 0, "no run found a checkpoint");
    let mut tool = Tool::start(&server, kind);
    tool.wait_for_flag_file().await;
    writers.wait_for_each(WRITES_PER_PHASE / 3).await;
    tool.allow_cut_over();
    let status = tool.wait_for_end().await;
    let truth = writers.stop().await;
    tool.assert_success(status);
    assert_no_errors(kind, &truth);
    assert_exact(&mut conn, kind, truth.rows).await;
    assert_old_table_is_kept(&mut conn, kind).await;
}

async fn migrate_under_writers(kind: &TableKind) {
    let server = Server::start(&[]);
    let (opts, mut conn) = create_database(&server).await;
    let writers = Writers::start(&opts, kind, seed(kind)).await;
    writers.wait_for_each(WRITES_PER_PHASE).await;

    let before = writers.acknowledged();
    let mut tool = Tool::start(&server, kind);
    // The tool makes the file when it starts, and copies at once; only its cut-over waits. So all
    // writers get to write during the migration, however fast it is.
    tool.wait_for_flag_file().await;
    writers.wait_for_each(WRITES_PER_PHASE).await;
    let during = writers.acknowledged();
    tool.allow_cut_over();
    let status = tool.wait_for_end().await;
    let after = writers.acknowledged();
    if status.success() {
        writers.wait_for_each(WRITES_PER_PHASE).await;
    }
    let truth = writers.stop().await;

    tool.assert_success(status);
    assert_no_errors(kind, &truth);
    for writer in 0..before.len() {
        assert!(
            before[writer] > 0,
            "writer {writer} wrote nothing before the migration"
        );
        assert!(
            during[writer] > before[writer],
            "writer {writer} wrote nothing during it"
        );
        assert!(
            truth.acknowledged[writer] > after[writer],
            "writer {writer} wrote nothing after it"
        );
    }
    assert_exact(&mut conn, kind, truth.rows).await;
    assert_old_table_is_kept(&mut conn, kind).await;
}

// --- the test of the test ------------------------------------------------------------------------

/// Without a migration, and under an ALTER that the server does at once, the writers must be exact
/// and must not see an error; and damage of every sort must be found.
#[tokio::test(flavor = "multi_thread")]
async fn the_writers_alone_are_exact_and_damage_is_seen() {
    let server = Server::start(&[]);
    let (opts, mut conn) = create_database(&server).await;
    let kinds = [
        tables::second_unique(),
        tables::generated_ids(),
        tables::case_insensitive_text(),
        tables::latin1_text(),
        tables::binary_key(),
        tables::composite(),
        tables::no_primary_key(),
    ];
    for kind in kinds {
        let writers = Writers::start(&opts, &kind, seed(&kind)).await;
        writers.wait_for_each(WRITES_PER_PHASE / 3).await;
        let alter = format!("ALTER TABLE `{}` {ALTER}, ALGORITHM=INSTANT", kind.name);
        conn.query_drop(alter)
            .await
            .expect("the server's own ALTER");
        writers.wait_for_each(WRITES_PER_PHASE / 3).await;
        let truth = writers.stop().await;
        assert_no_errors(&kind, &truth);
        assert_exact(&mut conn, &kind, truth.rows.clone()).await;
        if kind.name == "case_insensitive_text" {
            damage_and_compare(&mut conn, &kind, truth.rows).await;
        }
    }
}

/// Loses a row, adds one, changes one value and one key's spelling, behind the writers' back.
async fn damage_and_compare(conn: &mut Conn, kind: &TableKind, rows: Vec<Row>) {
    let keys: Vec<String> = rows.iter().map(|row| text(&row[0])).collect();
    let mut small_keys = keys.iter().filter(|key| key.starts_with("abc-"));
    let [lost, wrong, respelled] = [(); 3].map(|()| small_keys.next().expect("there are many"));
    let other_spelling = respelled.to_uppercase();
    let table = kind.name;
    let damage = [
        (
            format!("DELETE FROM `{table}` WHERE word = ?"),
            vec![lost.as_str()],
        ),
        (
            format!("UPDATE `{table}` SET bin = 'wrong' WHERE word = ?"),
            vec![wrong.as_str()],
        ),
        (
            format!("UPDATE `{table}` SET word = ? WHERE word = ?"),
            vec![other_spelling.as_str(), respelled.as_str()],
        ),
        (
            format!(
                "INSERT INTO `{table}` (word, v, txt, bin, amount, moment)
                 SELECT ?, v, txt, bin, amount, moment FROM `{table}` WHERE word = ?"
            ),
            vec!["extra", wrong.as_str()],
        ),
    ];
    for (sql, parameters) in damage {
        let parameters: Vec<Value> = parameters.into_iter().map(Value::from).collect();
        conn.exec_drop(sql, parameters)
            .await
            .expect("damaging the table");
        assert_eq!(conn.affected_rows(), 1, "the damage was not done");
    }
    let differences = compare(
        &with_note(rows),
        &read_table(conn, table).await,
        kind.key_len(),
    );
    let mut seen: Vec<(&str, String)> = differences
        .iter()
        .map(|difference| match difference {
            Difference::Lost { key } => ("lost", text(&key[0])),
            Difference::Extra { key } => ("extra", text(&key[0])),
            Difference::Wrong { key, .. } => ("wrong", text(&key[0])),
        })
        .collect();
    seen.sort();
    let mut done = vec![
        ("lost", lost.clone()),
        ("lost", respelled.clone()),
        ("extra", other_spelling.clone()),
        ("extra", "extra".to_string()),
        ("wrong", wrong.clone()),
    ];
    done.sort();
    assert_eq!(seen, done, "{}", report(&differences, &kind.columns()));
}

fn text(cell: &Cell) -> String {
    String::from_utf8(cell.clone().expect("not null")).expect("UTF-8")
}

#[test]
fn the_comparison_finds_lost_extra_and_wrong_rows() {
    let row = |key: &str, value: Option<&str>| -> Row {
        vec![
            Some(key.into()),
            value.map(|value| value.as_bytes().to_vec()),
        ]
    };
    let expected = [
        row("1", Some("a")),
        row("2", None),
        row("3", Some("c")),
        row("abc", None),
    ];
    assert_eq!(compare(&expected, &expected, 1), []);

    // NULL is not the empty string, 'ABC' is not 'abc', and a key found twice is one too many.
    let found = [
        row("2", Some("")),
        row("3", Some("c")),
        row("3", Some("c")),
        row("ABC", None),
    ];
    let differences = compare(&expected, &found, 1);
    let key = |key: &str| vec![Some(key.as_bytes().to_vec())];
    assert_eq!(
        differences,
        [
            Difference::Wrong {
                key: key("2"),
                column: 1,
                expected: None,
                found: Some(vec![])
            },
            Difference::Extra { key: key("3") },
            Difference::Extra { key: key("ABC") },
            Difference::Lost { key: key("1") },
            Difference::Lost { key: key("abc") },
        ]
    );
    let report = report(&differences, &tables::binary_key().columns());
    assert_eq!(
        report,
        "5 keys differ from what was acknowledged\n\
         \x20 wrong: ('2') column v: '' instead of NULL\n\
         \x20 extra: ('3')\n\
         \x20 extra: ('ABC')\n\
         \x20 lost:  ('1')\n\
         \x20 lost:  ('abc')"
    );
}

// --- the tool ------------------------------------------------------------------------------------

/// The tool under test while it runs; killed when the test gives up.
struct Tool {
    child: Child,
    folder: PathBuf,
}

/// Times that a tool is killed.
const KILLS: u64 = 6;
/// Small chunks, with pauses between them.
const SLOWLY: [&str; 3] = ["--chunk-size=100", "--copy-workers=1", "--nice-ratio=3"];

impl Tool {
    fn start(server: &Server, kind: &TableKind) -> Self {
        Self::start_with(server, kind, &[])
    }

    fn start_with(server: &Server, kind: &TableKind, flags: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!(
            "tableshift-truth-{}-{}",
            std::process::id(),
            kind.name
        ));
        fs::create_dir_all(&folder).expect("making a folder for the tool's output");
        let output = |name| File::create(folder.join(name)).expect("making an output file");
        let child = tableshift_command(server, DATABASE, kind.name, ALTER)
            .arg("--execute")
            .arg("--postpone-cut-over-flag-file")
            .arg(flag_file(&folder))
            .args(flags)
            .env("TABLESHIFT_CHECKPOINT_MS", "20")
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .expect("starting tableshift");
        Self { child, folder }
    }

    async fn wait_for_flag_file(&mut self) {
        let flag_file = flag_file(&self.folder);
        self.wait("to make the flag file", |child| {
            let ended = child
                .try_wait()
                .expect("asking for the tool's status")
                .is_some();
            (ended || flag_file.exists()).then_some(())
        })
        .await;
    }

    fn allow_cut_over(&self) {
        // It isn't there if the tool ended early, which the test reports with the tool's output.
        let _ = fs::remove_file(flag_file(&self.folder));
    }

    async fn wait_for_end(&mut self) -> ExitStatus {
        self.wait("to end", |child| {
            child.try_wait().expect("asking for the tool's status")
        })
        .await
    }

    async fn wait<T>(&mut self, what: &str, mut look: impl FnMut(&mut Child) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut interval = tokio::time::interval(Duration::from_millis(10));
        loop {
            interval.tick().await;
            if let Some(result) = look(&mut self.child) {
                return result;
            }
            assert!(
                Instant::now() < deadline,
                "waited too long for the tool {what}\n{}",
                self.output()
            );
        }
    }

    fn output(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        format!(
            "--- stdout\n{}\n--- stderr\n{}",
            read("stdout"),
            read("stderr")
        )
    }

    fn assert_success(&self, status: ExitStatus) {
        assert!(
            status.success(),
            "the tool failed: {status}\n{}",
            self.output()
        );
        let stdout = fs::read_to_string(self.folder.join("stdout")).expect("reading its output");
        assert_eq!(stdout.lines().last(), Some("# Done"), "{}", self.output());
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        // Both fail when the tool has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn flag_file(folder: &Path) -> PathBuf {
    folder.join("postpone")
}

// --- what must be true ---------------------------------------------------------------------------

/// Prints the seed, so that a failing run can be repeated.
fn seed(kind: &TableKind) -> u64 {
    let seed = if let Ok(seed) = std::env::var("TABLESHIFT_SEED") {
        seed.parse().expect("TABLESHIFT_SEED is a number")
    } else {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970");
        u64::from(now.subsec_nanos())
    };
    println!("table {}: TABLESHIFT_SEED={seed}", kind.name);
    seed
}

async fn create_database(server: &Server) -> (Opts, Conn) {
    let mut conn = server.conn(None).await;
    conn.query_drop(format!("CREATE DATABASE {DATABASE}"))
        .await
        .expect("creating the database");
    conn.query_drop(format!("USE {DATABASE}"))
        .await
        .expect("USE");
    (server.opts(Some(DATABASE)), conn)
}

fn assert_no_errors(kind: &TableKind, truth: &Truth) {
    let first: Vec<&String> = truth.errors.iter().take(10).collect();
    assert!(
        truth.errors.is_empty(),
        "table {}: the writers saw {} errors: {first:#?}",
        kind.name,
        truth.errors.len()
    );
}

/// The rows as they are once the new column is there.
fn with_note(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        row.push(Some(Vec::new()));
    }
    rows
}

async fn assert_exact(conn: &mut Conn, kind: &TableKind, rows: Vec<Row>) {
    let found = read_table(conn, kind.name).await;
    let differences = compare(&with_note(rows), &found, kind.key_len());
    assert!(
        differences.is_empty(),
        "table {}: {}",
        kind.name,
        report(&differences, &kind.columns())
    );
}

/// The old table is there under its new name, and the change is not in it.
async fn assert_old_table_is_kept(conn: &mut Conn, kind: &TableKind) {
    let columns: Vec<String> = conn
        .exec(
            "SELECT column_name FROM information_schema.columns
             WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
            (DATABASE, format!("_{}_del", kind.name)),
        )
        .await
        .expect("reading the catalogue");
    let expected: Vec<&str> = kind.columns().iter().map(|column| column.name).collect();
    assert_eq!(columns, expected, "the old table of {}", kind.name);
}
