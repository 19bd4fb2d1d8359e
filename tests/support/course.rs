//! One run of the tool with a fault in it, from fresh tables to the clean run that follows.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tableshift::mysql::session::mark_of_table;
use tableshift::plan::names::Names;

use super::support::server::Server;
use super::support::tableshift_command;

/// Far more than any course takes: what passes it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(3);
const ALTER: &str = "ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT 'new'";
const ALTER_WITH_KEY: &str =
    "ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT 'new', ADD UNIQUE KEY v (v)";
/// For the run after one that has swapped the tables.
const SECOND_ALTER: &str = "ADD COLUMN again INT";
const ROWS: u32 = 300;
/// A course takes a second or so; it must come by many checkpoints.
const CHECKPOINT_MS: &str = "10";
/// Stays locked from the first chunk to the cut-over.
const HELD_ROW: u32 = 50;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Exit code 0.
    Done,
    /// Exit code 1.
    Internal,
    /// Exit code 3.
    Refused,
    /// Exit code 5.
    Failed,
    /// Exit code 6.
    Unknown,
    /// Exit code 7.
    Leftovers,
    /// Exit code 8: given up, with a checkpoint to go on from.
    Resumable,
    /// No exit code; the original is as it was.
    Killed,
    /// No exit code; the tables are swapped.
    KilledAfterSwap,
}

/// What is special about a run.
#[derive(Debug, Default)]
pub struct Course {
    /// A schema of its own.
    pub schema: String,
    /// The order under test.
    pub fault: String,
    /// Orders that lead to it.
    pub way: String,
    /// The ALTER adds a unique key.
    pub introduces_key: bool,
    /// The row is given free at the first comparison already.
    pub commits_early: bool,
    /// A transaction that has read the table is open when LOCK TABLES is sent, until the fault.
    pub reader_in_the_way: bool,
    /// Not every run comes by the point that often.
    pub may_be_passed_by: bool,
    /// A connection of an earlier run is still there.
    pub remnant: bool,
}

/// One server for all courses; what it costs to be safe against a crash of the machine is left out.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start(&[
            "--innodb-flush-log-at-trx-commit=0",
            "--sync-binlog=0",
            "--innodb-doublewrite=OFF",
        ])
    })
}

/// The application and the operator around a run.
struct Stage {
    folder: PathBuf,
    writer: Conn,
    holder: Conn,
    reader: Conn,
    /// Idle, with the mark of a run on this table that is over.
    remnant: Option<Conn>,
    round: u32,
    definition: String,
}

async fn fresh(course: &Course) -> Stage {
    let schema = &course.schema;
    let mut writer = server().conn(None).await;
    for statement in [
        format!("CREATE DATABASE {schema}"),
        format!("USE {schema}"),
        "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, u INT NOT NULL, v INT NOT NULL, UNIQUE \
         KEY u (u), KEY vu (v, u))"
            .into(),
        "CREATE TABLE twin LIKE t".into(),
        format!(
            "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \
             {ROWS}) SELECT i, i, i * 7 FROM n"
        ),
        "INSERT INTO twin SELECT * FROM t".into(),
    ] {
        writer.query_drop(statement).await.expect("a fresh schema");
    }
    let folder = std::env::temp_dir().join(format!("tableshift-{}-{schema}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the run's files");
    let mut stage = Stage {
        folder,
        holder: server().conn(Some(schema)).await,
        reader: server().conn(Some(schema)).await,
        remnant: if course.remnant {
            Some(remnant(schema).await)
        } else {
            None
        },
        writer,
        round: 0,
        definition: String::new(),
    };
    // A counter beyond the last row.
    stage.counter_ahead(500).await;
    stage.definition = stage.definition_of("t").await;
    stage
}

/// A connection such as a killed run leaves, kept by the server for whatever reason.
async fn remnant(schema: &str) -> Conn {
    let lock = Names::new(schema, "t", None, None).advisory_lock();
    let opts = OptsBuilder::from_opts(server().opts(None))
        .connect_attribute("tableshift_run", mark_of_table(&lock) + "dead");
    Conn::new(opts).await.expect("a connection")
}

impl Stage {
    async fn definition_of(&mut self, table: &str) -> String {
        let row: Option<(String, String)> = self
            .reader
            .query_first(format!("SHOW CREATE TABLE {table}"))
            .await
            .expect("a definition");
        row.expect("one row").1
    }

    async fn counter_ahead(&mut self, id: u32) {
        for table in ["t", "twin"] {
            for statement in [
                format!("INSERT INTO {table} (id, u, v) VALUES ({id}, {id}, 0)"),
                format!("DELETE FROM {table} WHERE id = {id}"),
            ] {
                self.writer.query_drop(statement).await.expect("a write");
            }
        }
    }

    /// The application's writes of one moment: every kind of change, on both tables.
    async fn write(&mut self) {
        self.round += 1;
        let round = self.round;
        let (one, other) = (10 + 2 * round, 11 + 2 * round);
        let changes = [
            format!(
                "INSERT INTO @ (id, u, v) VALUES ({0}, {0}, {round})",
                1_000 + round
            ),
            format!("UPDATE @ SET v = v + 1 WHERE id % 7 = {round} AND id <> {HELD_ROW}"),
            format!(
                "DELETE FROM @ WHERE id IN ({}, {})",
                100 + round,
                200 + round
            ),
            format!("UPDATE @ SET id = id + 2000 WHERE id = {}", 120 + round),
            // A unique value goes from row to row.
            format!("UPDATE @ SET u = -1 WHERE id = {one}"),
            format!("UPDATE @ SET u = {one} WHERE id = {other}"),
            format!("UPDATE @ SET u = {other} WHERE id = {one}"),
        ];
        // LOCK TABLES may make a deadlock of metadata locks out of two tables in one transaction, so
        // the tables are written one after the other.
        for table in ["t", "twin"] {
            for change in &changes {
                let change = change.replace('@', table);
                self.writer.query_drop(change).await.expect("a write");
            }
        }
        self.counter_ahead(5_000 + round).await;
    }

    async fn hold_row(&mut self) {
        for statement in [
            "START TRANSACTION".to_owned(),
            format!("UPDATE t SET v = v + 1 WHERE id = {HELD_ROW}"),
            format!("UPDATE twin SET v = v + 1 WHERE id = {HELD_ROW}"),
        ] {
            self.holder.query_drop(statement).await.expect("a held row");
        }
    }

    async fn let_row_go(&mut self) {
        self.holder.query_drop("COMMIT").await.expect("a commit");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn hits(&self) -> String {
        std::fs::read_to_string(self.file("hits")).unwrap_or_default()
    }

    fn start(&self, course: &Course, alter: &str) -> Child {
        let hold = |point: &str, name: &str| format!("{point}:hold={}", self.file(name).display());
        let comparison = if course.commits_early {
            "find rows too many@worker"
        } else {
            "compare chunk@worker"
        };
        let orders = [
            hold("copy chunk@worker", "copy"),
            hold(comparison, "compare"),
            // Before the tool looks how long the held row's transaction has been open already.
            hold("look for blockers@control", "begin"),
            hold("lock tables@locker", "lock"),
            course.way.clone(),
            course.fault.replace(
                ":hold:",
                &format!(":hold={}:", self.file("fault").display()),
            ),
        ];
        let mut command = tableshift_command(server(), &course.schema, "t", alter);
        if course.commits_early {
            // The suspects are looked at again before the cut-over, not under its lock.
            command
                .arg("--postpone-cut-over-flag-file")
                .arg(self.file("postpone"));
        }
        command
            .args(["--execute", "--chunk-size=100", "--copy-workers=1"])
            .env("TABLESHIFT_FAULTS", orders.join(";"))
            .env("TABLESHIFT_FAULTS_HITS", self.file("hits"))
            .env("TABLESHIFT_CHECKPOINT_MS", CHECKPOINT_MS)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program")
    }

    /// Plays the application's part until the tool has ended.
    async fn play(&mut self, course: &Course, mut child: Child) -> Result<Output, String> {
        let started = Instant::now();
        let mut open = false;
        let mut reading = false;
        let mut changed = false;
        loop {
            let ended = child.try_wait().expect("the child's state").is_some();
            if self.held("postpone") && (ended || self.hits().contains(&self.fault_name(course))) {
                self.go_on("postpone");
            }
            if self.held("copy") {
                self.write_beside_the_tool().await;
                self.hold_row().await;
                open = true;
                self.go_on("copy");
            }
            if self.held("compare") {
                if !std::mem::replace(&mut changed, true) {
                    self.write_beside_the_tool().await;
                    if course.commits_early {
                        self.let_row_go().await;
                        open = false;
                    }
                }
                let reached = self.hits().contains(&self.fault_name(course));
                if reached || ended || self.refreshed(open).await {
                    self.go_on("compare");
                }
            }
            if self.held("begin") {
                self.write_beside_the_tool().await;
                if std::mem::take(&mut open) {
                    self.let_row_go().await;
                }
                self.go_on("begin");
            }
            if self.held("lock") {
                self.write_beside_the_tool().await;
                if course.reader_in_the_way {
                    self.read("START TRANSACTION").await;
                    self.read("SELECT COUNT(*) FROM t").await;
                    reading = true;
                }
                self.go_on("lock");
            }
            self.at_fault().await;
            if reading && self.hits().contains(&self.fault_name(course)) {
                self.read("COMMIT").await;
                reading = false;
            }
            if ended {
                break;
            }
            if started.elapsed() > PATIENCE {
                let _ = child.kill();
                let output = child.wait_with_output().expect("the program's end");
                return Err(format!("it hangs\n{}", told(&output)));
            }
            tokio::time::sleep(LOOK).await;
        }
        if open {
            self.let_row_go().await;
        }
        if reading {
            self.read("COMMIT").await;
        }
        Ok(child.wait_with_output().expect("the program's end"))
    }

    /// Writes while the tool is held at the point under test.
    async fn at_fault(&mut self) {
        if self.held("fault") {
            self.write_beside_the_tool().await;
        }
        if self.held("fault") {
            self.go_on("fault");
        }
    }

    /// Whether the ghost has what was written before the comparison, and the row that was held.
    async fn refreshed(&mut self, open: bool) -> bool {
        let round = self.round;
        let query = format!(
            "SELECT (SELECT COUNT(*) FROM _t_gho WHERE id = {changed} AND v = {changed} * 7 + 1) + \
             (SELECT COUNT(*) = 0 FROM _t_gho WHERE id = {gone}) + (SELECT COUNT(*) FROM _t_gho WHERE \
             id = {HELD_ROW})",
            changed = round + 7 * 35,
            gone = 100 + round,
        );
        let count: Result<Option<u64>, _> = self.reader.query_first(query).await;
        matches!(count, Ok(Some(count)) if count >= if open { 2 } else { 3 })
    }

    fn fault_name(&self, course: &Course) -> String {
        course.fault.replace(
            ":hold:",
            &format!(":hold={}:", self.file("fault").display()),
        )
    }

    fn held(&self, name: &str) -> bool {
        self.file(name).exists()
    }

    fn go_on(&self, name: &str) {
        std::fs::remove_file(self.file(name)).expect("the file of a held point");
    }

    async fn read(&mut self, statement: &str) {
        self.reader.query_drop(statement).await.expect("a read");
    }

    /// Writes while the tool may be held at any point. Where it holds locks, the writer waits for it,
    /// so the tool goes on once the writer is seen waiting.
    async fn write_beside_the_tool(&mut self) {
        let mut looker = server().conn(None).await;
        let waiting = format!(
            "SELECT (SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_ID = {id} AND \
             PROCESSLIST_STATE LIKE '%metadata lock%') + (SELECT COUNT(*) FROM \
             performance_schema.data_lock_waits AS w JOIN performance_schema.threads AS h ON \
             h.THREAD_ID = w.REQUESTING_THREAD_ID WHERE h.PROCESSLIST_ID = {id})",
            id = self.writer.id()
        );
        let file = self.file("fault");
        let tool_goes_on = async {
            loop {
                let count: Option<u64> = looker.query_first(&waiting).await.expect("its state");
                if count >= Some(1) && file.exists() {
                    std::fs::remove_file(&file).expect("the file of a held point");
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = self.write() => {}
            () = tool_goes_on => {}
        }
    }

    /// A run has left something to go on from.
    async fn has_checkpoint(&mut self) -> bool {
        let query = "SELECT COUNT(*) FROM _t_ghk WHERE id = 2 AND NOT swapped";
        let count: Result<Option<u64>, _> = self.reader.query_first(query).await;
        matches!(count, Ok(Some(1)))
    }

    async fn rows(&mut self, table: &str) -> Vec<(i32, i32, i32)> {
        let query = format!("SELECT id, u, v FROM {table} ORDER BY id");
        self.reader.query(query).await.expect("the table's rows")
    }

    async fn tables(&mut self) -> Vec<String> {
        self.reader.query("SHOW TABLES").await.expect("tables")
    }

    /// The original as it was, or the new table, with exactly the rows of the twin. Tells which.
    async fn look(&mut self) -> Result<bool, String> {
        let tables = self.tables().await;
        if !tables.iter().any(|table| table == "t") {
            return Err(format!("the original is missing: {tables:?}"));
        }
        let definition = self.definition_of("t").await;
        let swapped = definition.contains("`note`");
        if swapped && !definition.contains("KEY `vu` (`v`,`u`)") {
            return Err(format!("an index is lost:\n{definition}"));
        }
        if !swapped && without_counter(&definition) != without_counter(&self.definition) {
            return Err(format!("the original was altered:\n{definition}"));
        }
        let (ours, truth) = (self.rows("t").await, self.rows("twin").await);
        if ours != truth {
            let lost: Vec<_> = truth.iter().filter(|row| !ours.contains(row)).collect();
            let wrong: Vec<_> = ours.iter().filter(|row| !truth.contains(row)).collect();
            return Err(format!("rows are wrong: lost {lost:?}, wrong {wrong:?}"));
        }
        let wanted = counter(&self.definition_of("twin").await);
        if counter(&definition) < wanted {
            return Err(format!(
                "AUTO_INCREMENT fell behind {wanted}:\n{definition}"
            ));
        }
        Ok(swapped)
    }
}

fn without_counter(definition: &str) -> String {
    let counted = format!(" AUTO_INCREMENT={}", counter(definition));
    definition.replace(&counted, "")
}

fn counter(definition: &str) -> u64 {
    definition
        .split(" AUTO_INCREMENT=")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn told(output: &Output) -> String {
    let mut text = format!("{}", output.status);
    write!(text, "\n{}", String::from_utf8_lossy(&output.stderr)).expect("a string takes any text");
    text
}

fn end_of(output: &Output) -> Result<End, String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let end = match output.status.code() {
        Some(0) => End::Done,
        Some(1) => End::Internal,
        Some(3) => End::Refused,
        Some(5) => End::Failed,
        Some(6) => End::Unknown,
        Some(7) => End::Leftovers,
        Some(8) => End::Resumable,
        None if output.status.signal() == Some(6) => return Ok(End::Killed),
        _ => return Err("an exit code that means nothing here".into()),
    };
    if end != End::Done && !(text.contains("\n  data:  ") && text.contains("\n  next:  ")) {
        return Err("no data: and next: in the message".into());
    }
    Ok(end)
}

/// What must be so after every run, by how it ended; and whether the tables are swapped.
async fn check(stage: &mut Stage, end: &mut End, text: &str) -> Result<bool, String> {
    let swapped = stage.look().await?;
    if *end == End::Killed && swapped {
        *end = End::KilledAfterSwap;
    }
    let end = *end;
    match (end, swapped) {
        (End::Done | End::Leftovers, true)
        | (End::Refused | End::Failed | End::Internal | End::Resumable, false)
        | (End::Killed, false)
        | (End::KilledAfterSwap, true)
        | (End::Unknown, _) => {}
        _ => return Err(format!("{end:?}, but swapped: {swapped}")),
    }
    let tables = stage.tables().await;
    let helpers = tables
        .iter()
        .any(|table| table == "_t_gho" || table == "_t_ghc");
    let told = ["left over", "helper tables", "is kept"]
        .iter()
        .any(|words| text.contains(words));
    if helpers && !told && !matches!(end, End::Killed | End::KilledAfterSwap | End::Unknown) {
        return Err(format!("helper tables stay and nobody says so: {tables:?}"));
    }
    Ok(swapped)
}

/// Runs a course: the run with its fault, what it left behind, and a clean run after it.
pub async fn run(course: &Course) -> Result<End, String> {
    let mut stage = fresh(course).await;
    let alter = if course.introduces_key {
        ALTER_WITH_KEY
    } else {
        ALTER
    };
    let child = stage.start(course, alter);
    let output = stage.play(course, child).await?;
    let text = told(&output);
    let with_log = |why: String| format!("{why}\n{text}");
    let mut end = end_of(&output).map_err(with_log)?;
    if !course.may_be_passed_by && !stage.hits().contains(&stage.fault_name(course)) {
        return Err(with_log("the point was not reached".into()));
    }
    let swapped = check(&mut stage, &mut end, &text).await.map_err(with_log)?;
    if end != End::Done {
        again(&mut stage, course, alter, swapped)
            .await
            .map_err(|why| format!("the run after {end:?}: {why}\n{text}"))?;
    }
    if let Some(mut remnant) = stage.remnant.take()
        && remnant.ping().await.is_ok()
    {
        return Err("the connection of the earlier run is still there".into());
    }
    std::fs::remove_dir_all(&stage.folder).expect("the run's folder");
    Ok(end)
}

/// The clean run after a fault.
async fn again(
    stage: &mut Stage,
    course: &Course,
    alter: &str,
    swapped: bool,
) -> Result<(), String> {
    let alter = if swapped { SECOND_ALTER } else { alter };
    let mut command = tableshift_command(server(), &course.schema, "t", alter);
    command.arg("--execute");
    let goes_on = !swapped && stage.has_checkpoint().await;
    if goes_on {
        command.arg("--resume");
    } else {
        command.arg("--initially-drop-ghost-table");
    }
    if stage.tables().await.iter().any(|table| table == "_t_del") {
        command.arg("--initially-drop-old-table");
    }
    let output = tokio::task::spawn_blocking(move || command.output().expect("the program"))
        .await
        .expect("its end");
    if output.status.code() != Some(0) {
        return Err(told(&output));
    }
    if !check(stage, &mut End::Done, "").await? {
        return Err("nothing was swapped".into());
    }
    Ok(())
}
