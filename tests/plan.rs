//! `tableshift plan`: what it tells is so, its exit code says it, and nothing stays on the server.

#[cfg(test)]
mod support;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use support::running::{PATIENCE, content, execute, schema, tables};
use support::server::Server;
use support::{wait_until, with_shortcuts};

const GO: i32 = 0;
const REFUSED: i32 = 3;
const STOPPED: i32 = 4;
const NOTHING_TO_DO: i32 = 11;
const WARNINGS: i32 = 15;

fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// The same command with `plan` in front.
fn planning(name: &str, alter: &str, flags: &[&str]) -> Command {
    let run = with_shortcuts(shared(), name, "t", alter);
    let mut command = Command::new(run.get_program());
    command.arg("plan").args(run.get_args()).args(flags);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn planned(name: &str, alter: &str, flags: &[&str], code: i32) -> String {
    let output = planning(name, alter, flags).output().expect("the program");
    told(&output, code)
}

#[track_caller]
fn told(output: &Output, code: i32) -> String {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    out
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} isn't in {text}");
    }
}

/// How the table looks, and what is in it.
async fn whole(conn: &mut Conn) -> (String, Vec<(i32, i32)>, Vec<String>) {
    let shown: Option<(String, String)> = conn
        .query_first("SHOW CREATE TABLE t")
        .await
        .expect("a table");
    let rows = content(conn, "id, v").await;
    (shown.expect("a definition").1, rows, tables(conn).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_by_itself_is_a_go_and_isn_t_done() {
    let mut conn = schema(shared(), "direct", 50).await;
    execute(&mut conn, &["ALTER TABLE t ADD KEY by_v (v)"]).await;
    let before = whole(&mut conn).await;
    let instant = planned("direct", "ADD COLUMN note INT", &["--execute"], GO);
    assert_says(&instant, &["verdict   go", "altered directly, instantly"]);
    let in_place = planned("direct", "DROP KEY by_v", &[], GO);
    assert_says(&in_place, &["altered directly, in place", "LOCK=NONE"]);
    let there = "ADD COLUMN v INT NOT NULL";
    let nothing = planned("direct", there, &[], NOTHING_TO_DO);
    assert_says(
        &nothing,
        &["nothing to do: the table has this shape already"],
    );
    assert_eq!(whole(&mut conn).await, before);
}

/// Only a copy needs other names beside the original's.
#[tokio::test(flavor = "multi_thread")]
async fn constraints_keep_their_names_in_what_the_server_does_by_itself() {
    let mut conn = schema(shared(), "constrained", 50).await;
    let add =
        "ALTER TABLE t ADD CONSTRAINT ck CHECK (v >= 0), ADD CONSTRAINT t_chk_1 CHECK (v > -1)";
    execute(&mut conn, &[add]).await;
    planned("constrained", "ADD COLUMN note INT", &[], GO);
    let copied = planned("constrained", "ENGINE=InnoDB", &[], WARNINGS);
    assert_says(&copied, &["`ck` is called `_ck`"]);
    for (alter, flags, code) in [
        ("ADD COLUMN note INT", &[][..], GO),
        (
            "ENGINE=InnoDB, ADD CHECK (v < 9999)",
            &["--ok-to-drop-table"],
            WARNINGS,
        ),
    ] {
        let json = ["--format=json", "--sample-seconds=0"];
        let (fields, _) = read_json(&planned("constrained", alter, &json, code));
        let mut run = with_shortcuts(shared(), "constrained", "t", alter);
        let output = run.arg("--execute").args(flags).output();
        told(&output.expect("the program"), GO);
        assert_eq!(fields["definition"], whole(&mut conn).await.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_predicted_from_rows_that_were_copied() {
    let mut conn = schema(shared(), "copied", 3_000).await;
    let before = whole(&mut conn).await;
    let text = planned("copied", "ENGINE=InnoDB", &[], GO);
    assert_says(
        &text,
        &[
            "copied to a ghost table: not possible instantly: ",
            "sample: 3000 rows in ",
            "spread over the key",
            " in 95 of 100 samples",
        ],
    );
    let without = planned("copied", "ENGINE=InnoDB", &["--sample-seconds=0"], GO);
    assert_says(&without, &["time      unknown: no sample was asked for"]);
    assert_eq!(whole(&mut conn).await, before);
    // Keys that are no numbers are sampled from their beginning.
    execute(
        &mut conn,
        &["ALTER TABLE t MODIFY id VARCHAR(10) COLLATE utf8mb4_bin NOT NULL"],
    )
    .await;
    let text = planned("copied", "ENGINE=InnoDB", &[], GO);
    assert_says(
        &text,
        &["sample: 3000 rows in ", "from the beginning of the key"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_held_are_not_waited_for() {
    let mut conn = schema(shared(), "held", 100).await;
    execute(&mut conn, &["BEGIN", "UPDATE t SET v = 0 WHERE id = 50"]).await;
    let text = planned("held", "ENGINE=InnoDB", &[], GO);
    assert_says(&text, &["sample: 99 rows in "]);
    execute(&mut conn, &["ROLLBACK"]).await;
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_refusals_come_at_once_and_leave_nothing() {
    let mut conn = schema(shared(), "refused", 10).await;
    let more = [
        "CREATE TABLE child (id INT PRIMARY KEY, t INT, CONSTRAINT of_t FOREIGN KEY (t) REFERENCES t (id))",
        "CREATE TRIGGER noted BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 1",
    ];
    execute(&mut conn, &more).await;
    let before = whole(&mut conn).await;
    let alter = "ADD COLUMN note INT, RENAME TO other";
    let text = planned("refused", alter, &[], REFUSED);
    let parts = [
        "verdict   refuse (refusals: 3,",
        "refusal: the table has triggers: noted [refused]",
        "refusal: refused.child refers to this table by foreign key `of_t` [refused]",
        "refusal: the ALTER renames the table to `other` [refused]",
        "[not-looked-at]",
    ];
    assert_says(&text, &parts);
    assert_eq!(whole(&mut conn).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_speak_against_it_are_refusals() {
    let mut conn = schema(shared(), "misfits", 50).await;
    execute(
        &mut conn,
        &[
            "ALTER TABLE t ADD n INT, ADD m INT",
            "UPDATE t SET n = id DIV 2",
        ],
    )
    .await;
    let before = whole(&mut conn).await;
    let alter = "ADD UNIQUE KEY once (n), MODIFY id INT AUTO_INCREMENT";
    execute(&mut conn, &["UPDATE t SET id = 0 WHERE id = 1"]).await;
    let text = planned("misfits", alter, &[], REFUSED);
    assert_says(
        &text,
        &[
            "unique key `once` (n) has duplicates",
            "the ALTER adds AUTO_INCREMENT",
        ],
    );
    execute(&mut conn, &["UPDATE t SET id = 1 WHERE id = 0"]).await;
    // 49 * 7 doesn't fit.
    let misfit = planned("misfits", "MODIFY v TINYINT NOT NULL", &[], REFUSED);
    assert_says(
        &misfit,
        &[
            "[sample-refused]",
            "'v'",
            "warning: column `v` changes from int to tinyint",
        ],
    );
    assert_eq!(whole(&mut conn).await, before);
}

/// A table with something of everything.
async fn furnished(name: &str) -> Conn {
    let mut conn = schema(shared(), name, 200).await;
    let statements = [
        "ALTER TABLE t ADD note VARCHAR(20) NOT NULL DEFAULT 'x', ADD name VARCHAR(20) COLLATE utf8mb4_bin, ADD \
         KEY by_name (name)",
        "CREATE VIEW notes AS SELECT id, note FROM t",
        "CREATE PROCEDURE sum_up() SELECT SUM(v) FROM t",
        "CREATE PROCEDURE other() SELECT 1 AS tt",
    ];
    execute(&mut conn, &statements).await;
    conn
}

const MUCH: &str = "DROP COLUMN note, MODIFY name VARCHAR(10), ADD UNIQUE KEY once (v), ADD KEY more (name, v), \
                    ADD COLUMN must INT NOT NULL";

#[tokio::test(flavor = "multi_thread")]
async fn warnings_are_told_with_an_exit_code_of_their_own() {
    let mut conn = furnished("warned").await;
    let before = whole(&mut conn).await;
    let text = planned("warned", MUCH, &[], WARNINGS);
    let parts = [
        "warning: column `name` changes from varchar(20) (utf8mb4) to varchar(10) (utf8mb4)",
        "warning: column `name` changes its collation from utf8mb4_bin to ",
        "warning: unique key `once` is new",
        "warning: index `by_name` is redundant: `more` begins with the same columns",
        "warning: column `must` is added NOT NULL and without a default",
        "warning: view warned.notes mentions the table, and mentions `note`",
        "info: routine warned.sum_up mentions the table",
        "info: the new table lacks `note`",
    ];
    assert_says(&text, &parts);
    assert!(!text.contains("warned.other"), "{text}");
    assert_eq!(whole(&mut conn).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn instant_changes_of_before_are_counted() {
    let mut conn = schema(shared(), "versions", 10).await;
    execute(
        &mut conn,
        &[
            "ALTER TABLE t ADD a INT, ALGORITHM=INSTANT",
            "ALTER TABLE t ADD b INT, ALGORITHM=INSTANT",
        ],
    )
    .await;
    let text = planned("versions", "ADD c INT", &[], GO);
    assert_says(&text, &["versions  2 of the rows", "2 of 255 row versions"]);
}

/// The values of a JSON object that are texts or numbers, and its findings; all that there is of JSON here.
fn read_json(text: &str) -> (BTreeMap<String, String>, Vec<BTreeMap<String, String>>) {
    let mut reader = Reader {
        rest: text.trim_end(),
    };
    let mut findings = Vec::new();
    let fields = reader.object(&mut findings);
    assert!(reader.rest.is_empty(), "behind the object: {}", reader.rest);
    (fields, findings)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn eat(&mut self, sign: char) -> bool {
        let eaten = self.rest.strip_prefix(sign);
        self.rest = eaten.unwrap_or(self.rest);
        eaten.is_some()
    }

    #[track_caller]
    fn must(&mut self, sign: char) {
        assert!(self.eat(sign), "{sign} expected: {}", self.rest);
    }

    fn text(&mut self) -> String {
        self.must('"');
        let mut text = String::new();
        loop {
            let letter = self.rest.chars().next().expect("the text's end");
            self.rest = &self.rest[letter.len_utf8()..];
            match letter {
                '"' => return text,
                '\\' if self.eat('n') => text.push('\n'),
                '\\' if self.eat('"') => text.push('"'),
                '\\' => self.must('\\'),
                other => {
                    assert!(!other.is_control());
                    text.push(other);
                }
            }
        }
    }

    fn value(&mut self, objects: &mut Vec<BTreeMap<String, String>>) -> String {
        if self.rest.starts_with('"') {
            return self.text();
        }
        if self.rest.starts_with('{') {
            let object = self.object(&mut Vec::new());
            objects.push(object);
            return String::new();
        }
        if self.eat('[') {
            while !self.eat(']') {
                self.value(objects);
                self.eat(',');
            }
            return String::new();
        }
        let length = self.rest.find([',', '}', ']']).expect("an end");
        let (value, rest) = self.rest.split_at(length);
        assert!(value == "null" || value.parse::<f64>().is_ok(), "{value}");
        self.rest = rest;
        value.to_owned()
    }

    fn object(&mut self, objects: &mut Vec<BTreeMap<String, String>>) -> BTreeMap<String, String> {
        self.must('{');
        let mut fields = BTreeMap::new();
        while !self.eat('}') {
            let name = self.text();
            self.must(':');
            let value = self.value(objects);
            assert_eq!(fields.insert(name, value), None);
            self.eat(',');
        }
        fields
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_says_the_same_as_the_text() {
    let mut conn = furnished("json").await;
    let flags = ["--sample-seconds=0"];
    let text = planned("json", MUCH, &flags, WARNINGS);
    let json = planned(
        "json",
        MUCH,
        &["--format=json", "--sample-seconds=0"],
        WARNINGS,
    );
    let (fields, findings) = read_json(&json);
    for (name, value) in [
        ("verdict", "warnings"),
        ("way", "ghost"),
        ("table", "t"),
        ("alter", MUCH),
    ] {
        assert_eq!(fields[name], value);
    }
    assert_eq!(fields["copy"], "null");
    assert!(
        fields["definition"].starts_with("CREATE TABLE `t` (\n"),
        "{fields:?}"
    );
    let told: Vec<String> = findings
        .iter()
        .map(|one| format!("{}: {} [{}]", one["severity"], one["what"], one["code"]))
        .collect();
    let shown: Vec<&str> = text.lines().filter(|line| line.ends_with(']')).collect();
    assert_eq!(told, shown);
    assert!(told.len() >= 8, "{told:?}");
    let sampled = planned("json", "ENGINE=InnoDB", &["--format=json"], GO);
    let (_, objects) = read_json(&sampled);
    assert_eq!(objects[0]["sample_rows"], "200");
    let refused = planned("json", "RENAME TO other", &["--format=json"], REFUSED);
    assert_eq!(read_json(&refused).0["verdict"], "refuse");
    assert_eq!(tables(&mut conn).await, ["notes", "t"]);
}

#[cfg(feature = "faults")]
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_sample_leaves_nothing() {
    let mut conn = schema(shared(), "stopped", 5_000).await;
    let before = whole(&mut conn).await;
    let hold = std::env::temp_dir().join(format!("tableshift-{}-plan", std::process::id()));
    let order = format!("copy chunk@sampler:hold-after={}:2", hold.display());
    let mut command = planning("stopped", "ENGINE=InnoDB", &["--sample-seconds=60"]);
    let child = command
        .env("TABLESHIFT_FAULTS", order)
        .spawn()
        .expect("the program");
    wait_until(PATIENCE, "two chunks are copied", async || hold.exists()).await;
    let copied: Option<u64> = conn
        .query_first("SELECT COUNT(*) FROM _t_gho")
        .await
        .expect("a ghost");
    assert!(copied > Some(0));
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(sent.expect("kill").success());
    std::fs::remove_file(&hold).expect("the file");
    let output = child.wait_with_output().expect("its end");
    assert_eq!(told(&output, STOPPED), "");
    assert_says(
        &String::from_utf8_lossy(&output.stderr),
        &["stopped as asked", "untouched"],
    );
    assert_eq!(whole(&mut conn).await, before);
}

#[cfg(feature = "faults")]
#[tokio::test(flavor = "multi_thread")]
async fn without_a_sample_or_surroundings_the_rest_is_told() {
    let mut conn = schema(shared(), "faulty", 100).await;
    let before = whole(&mut conn).await;
    for (order, part) in [
        (
            "copy chunk@sampler:lost-after:1",
            "the sample came to nothing",
        ),
        (
            "copy chunk@sampler:error=1213:1",
            "the sample came to nothing",
        ),
        (
            "look for views@surroundings:lost-before:1",
            "could not be asked about it",
        ),
        (
            "look for programs@surroundings:error=1142:1",
            "routines can't be looked up",
        ),
    ] {
        let mut command = planning("faulty", "ENGINE=InnoDB", &[]);
        let output = command.env("TABLESHIFT_FAULTS", order).output();
        let text = told(&output.expect("the program"), GO);
        assert_says(&text, &[part, "copied to a ghost table"]);
        assert_eq!(whole(&mut conn).await, before, "{order}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_run_finds_nothing_in_its_way() {
    let mut conn = schema(shared(), "later", 300).await;
    planned("later", "ENGINE=InnoDB", &[], GO);
    let mut run = with_shortcuts(shared(), "later", "t", "ENGINE=InnoDB");
    let output = run.args(["--execute", "--ok-to-drop-table"]).output();
    told(&output.expect("the program"), GO);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_is_planned_as_well_and_nothing_of_it_is_touched() {
    let mut conn = schema(shared(), "back", 50).await;
    let alter = "ADD COLUMN note INT";
    let mut run = with_shortcuts(shared(), "back", "t", alter);
    let output = run.args(["--execute", "--no-shortcuts"]).output();
    told(&output.expect("the program"), GO);
    let before = whole(&mut conn).await;
    assert_eq!(before.2, ["_t_del", "_t_ghk", "t"]);
    let flags = ["--revert", "--old-table=_t_del"];
    let text = planned("back", alter, &flags, GO);
    assert_says(
        &text,
        &["reverted to the old table", "a revert copies nothing"],
    );
    assert_eq!(whole(&mut conn).await, before);
}

/// A back-quote in a name is doubled where the name is quoted.
#[tokio::test(flavor = "multi_thread")]
async fn what_mentions_a_table_with_a_quote_in_its_name_is_found() {
    let mut conn = schema(shared(), "quoted", 5).await;
    let statements = [
        "RENAME TABLE t TO `or``d`",
        "CREATE TABLE other (id INT PRIMARY KEY)",
        "CREATE PROCEDURE sum_up() SELECT SUM(v) FROM `or``d`",
        "CREATE EVENT later ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM `OR``D` WHERE id = 0",
        "CREATE TRIGGER noted BEFORE INSERT ON other FOR EACH ROW UPDATE `or``d` SET v = 0 WHERE id = 0",
    ];
    execute(&mut conn, &statements).await;
    let run = with_shortcuts(shared(), "quoted", "or`d", "ENGINE=InnoDB");
    let mut plan = Command::new(run.get_program());
    let output = plan.arg("plan").args(run.get_args()).output();
    let text = told(&output.expect("the program"), GO);
    let parts = [
        "[routine-mentions]",
        "[event-mentions]",
        "[trigger-mentions]",
    ];
    assert_says(&text, &parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_of_connections_are_shown_nowhere() {
    let mut conn = schema(shared(), "secretive", 5).await;
    let before = whole(&mut conn).await;
    let good = "ADD COLUMN w INT, CONNECTION='mysql://u:hidden@h/d'";
    let bad = "CONNECTION 'mysql://u:hidden@h/d' FOO";
    let json = ["--format=json"];
    for (alter, flags, code) in [
        (good, &[][..], GO),
        (good, &json, GO),
        (bad, &[], REFUSED),
        (bad, &json, REFUSED),
    ] {
        let text = planned("secretive", alter, flags, code);
        assert_says(&text, &["CONNECTION"]);
        assert!(!text.contains("hidden"), "{text}");
        let trial = with_shortcuts(shared(), "secretive", "t", alter).output();
        let trial = trial.expect("the program");
        let (out, err) = (&trial.stdout, &trial.stderr);
        for text in [out, err].map(|text| String::from_utf8_lossy(text)) {
            assert!(!text.contains("hidden"), "{text}");
        }
    }
    assert_eq!(whole(&mut conn).await, before);
}

/// LIKE would fail on names that the server makes from the ghost's.
#[tokio::test(flavor = "multi_thread")]
async fn long_table_names_with_checks_are_refused_with_a_way_out() {
    let mut conn = schema(shared(), "lengthy", 5).await;
    let (fits, long) = ("ä".repeat(53), "ä".repeat(54));
    let (fits, long) = (fits.as_str(), long.as_str());
    for name in [fits, long] {
        let add = "ADD CONSTRAINT";
        let statements = [
            &format!("CREATE TABLE `{name}` LIKE t"),
            &format!("ALTER TABLE `{name}` {add} c{} CHECK (v >= 0)", name.len()),
        ];
        execute(&mut conn, &statements.map(String::as_str)).await;
    }
    let before = tables(&mut conn).await;
    let plan = |table: &str, alter: &str, flags: &[&str], code| {
        let run = with_shortcuts(shared(), "lengthy", table, alter);
        let mut command = Command::new(run.get_program());
        let command = command.arg("plan").args(run.get_args()).args(flags);
        told(&command.output().expect("the program"), code)
    };
    let run = |flags: &[&str], code| {
        let mut run = with_shortcuts(shared(), "lengthy", long, "ENGINE=InnoDB");
        let output = run.args(flags).arg("--execute").output();
        let output = output.expect("the program");
        told(&output, code);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    plan(fits, "ADD COLUMN note INT", &[], GO);
    let parts = [
        "check constraints of the ghost table",
        "at most 53 characters",
    ];
    for alter in ["ADD COLUMN note INT", "ENGINE=InnoDB"] {
        assert_says(&plan(long, alter, &[], REFUSED), &parts);
    }
    assert_says(&run(&[], REFUSED), &parts);
    let short = &["--force-table-names=short"][..];
    let longer = "t".repeat(59);
    execute(&mut conn, &[&format!("CREATE TABLE {longer} LIKE t")]).await;
    let unnamed = plan(&longer, "ADD CHECK (v > -1)", short, REFUSED);
    assert_says(&unnamed, &["after the rename"]);
    execute(&mut conn, &[&format!("DROP TABLE {longer}")]).await;
    plan(long, "ADD COLUMN note INT", short, GO);
    assert_eq!(tables(&mut conn).await, before);
    run(&[short, &["--ok-to-drop-table"]].concat(), GO);
    assert_eq!(tables(&mut conn).await, before);
}

/// The run drops it and goes on; the plan says so, and has no advice that can't work.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_drops_first_is_no_refusal_of_it() {
    let mut conn = schema(shared(), "ghosts", 50).await;
    execute(&mut conn, &["CREATE TABLE _t_gho LIKE t"]).await;
    let before = whole(&mut conn).await;
    planned("ghosts", "ENGINE=InnoDB", &[], REFUSED);
    let flags = ["--initially-drop-ghost-table", "--execute"];
    let text = planned("ghosts", "ENGINE=InnoDB", &flags, WARNINGS);
    assert_says(
        &text,
        &[
            "how       not known: see the leftover",
            "`_t_gho` already exists: a run drops it first [leftover-dropped]",
            "[not-looked-at]",
        ],
    );
    assert!(!text.contains("--execute"), "{text}");
    let flagged = [&flags[..], &["--format=json"]].concat();
    let (fields, _) = read_json(&planned("ghosts", "ENGINE=InnoDB", &flagged, WARNINGS));
    assert_eq!(fields["way"], "unknown");
    let refused = "ENGINE=InnoDB, RENAME TO other";
    planned("ghosts", refused, &flags, REFUSED);
    assert_eq!(whole(&mut conn).await, before);
    let mut run = with_shortcuts(shared(), "ghosts", "t", "ENGINE=InnoDB");
    let output = run.args(flags).arg("--ok-to-drop-table").output();
    told(&output.expect("the program"), GO);
    assert_eq!(tables(&mut conn).await, ["t"]);
}

/// Beside the old table there is what leads back to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_leaves_the_way_back_of_the_last_migration() {
    let mut conn = schema(shared(), "way_back", 50).await;
    let mut run = with_shortcuts(shared(), "way_back", "t", "ENGINE=InnoDB");
    told(&run.arg("--execute").output().expect("the program"), GO);
    let before = whole(&mut conn).await;
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
    let flags = ["--initially-drop-old-table", "--execute"];
    planned("way_back", "ENGINE=InnoDB", &flags, GO);
    assert_eq!(whole(&mut conn).await, before);
    let mut trial = with_shortcuts(shared(), "way_back", "t", "ENGINE=InnoDB");
    let output = trial.arg("--initially-drop-old-table").output();
    told(&output.expect("the program"), GO);
    assert_eq!(whole(&mut conn).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_execute_tells_the_same_but_copies_nothing() {
    let mut conn = furnished("trial").await;
    let output = with_shortcuts(shared(), "trial", "t", MUCH).output();
    let trial = told(&output.expect("the program"), GO);
    let text = planned("trial", MUCH, &["--sample-seconds=0"], WARNINGS);
    let findings = |text: &str| {
        let lines = text.lines().filter(|line| line.ends_with(']'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(!findings(&text).is_empty());
    assert_eq!(findings(&trial), findings(&text));
    assert_says(
        &trial,
        &["unknown: tableshift plan copies a sample", "\n# Done\n"],
    );
    assert_eq!(tables(&mut conn).await, ["notes", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filled_columns_are_told_and_the_sample_is_copied_with_them() {
    let mut conn = schema(shared(), "filled", 50).await;
    let text = planned(
        "filled",
        "ADD COLUMN x BIGINT NOT NULL",
        &["--backfill=x = v * 2"],
        WARNINGS,
    );
    assert_says(
        &text,
        &[
            "how       copied to a ghost table: the table isn't altered directly: --backfill fills columns",
            "sample: 50 rows in ",
            "info: --backfill fills `x` [backfilled-columns]",
            "column `x` is added NOT NULL and without a default",
        ],
    );
    assert!(!text.contains("zero or empty value"), "{text}");
    // It changes no definition, but values.
    let text = planned(
        "filled",
        "MODIFY v INT NOT NULL",
        &["--backfill=v = v * 2"],
        WARNINGS,
    );
    assert_says(
        &text,
        &[
            "warning: --backfill fills `v` [backfilled-columns]",
            "earlier values of `v` stay in the old table only",
        ],
    );
    // The sample meets the row whose value fails.
    let text = planned(
        "filled",
        "ADD COLUMN x BIGINT NOT NULL",
        &["--backfill=x = NULLIF(v, 21)"],
        REFUSED,
    );
    assert_says(&text, &["[sample-refused]", "(1048)"]);
    let text = planned(
        "filled",
        "ADD COLUMN x BIGINT",
        &["--backfill=x = NOW()"],
        REFUSED,
    );
    assert_says(
        &text,
        &["function NOW isn't among those that may be used [refused]"],
    );
    assert_eq!(tables(&mut conn).await, ["t"]);
}
