//! One case from its creation to its verdict.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep};

use crate::Outcome;
use crate::compare::{self, Snapshot, definition_difference, row_difference, snapshot};
use crate::folder::{Case, Ignore, Refusal};
use crate::support::{server::Server, tableshift_command};

/// For the ghost table to appear, and again for the process to end.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A tableshift process with its files.
struct Migration {
    child: Child,
    status: Option<ExitStatus>,
    stdout: PathBuf,
    stderr: PathBuf,
    postpone: PathBuf,
}

pub async fn run(server: &Server, case: &Case) -> Outcome<()> {
    let mut conn = server.conn(Some("mysql")).await;
    for schema in [case.schema(), case.twin()] {
        create(server, &mut conn, case, &schema).await?;
    }
    let mut migration = Migration::start(server, case)?;
    if let Err(error) = judge(server, &mut conn, case, &mut migration).await {
        return Err(format!("{error}\n{}", migration.log()).into());
    }
    migration.remove_files();
    for schema in [case.schema(), case.twin()] {
        conn.query_drop(format!("DROP DATABASE {}", compare::quote(&schema)))
            .await?;
    }
    conn.disconnect().await?;
    Ok(())
}

async fn judge(
    server: &Server,
    conn: &mut Conn,
    case: &Case,
    migration: &mut Migration,
) -> Outcome<()> {
    let under_way = migration.wait_for_ghost(conn, case).await?;
    if under_way {
        for schema in [case.schema(), case.twin()] {
            execute(server, &schema, "during.sql", &case.during).await?;
        }
    }
    let status = migration.finish().await?;
    if !under_way && (case.refusal.is_none() || !case.during.is_empty()) {
        return Err(format!("ended before the cut-over was allowed: {status}").into());
    }
    match &case.refusal {
        Some(refusal) => check_refusal(conn, case, refusal, status, &migration.stderr_text()).await,
        None => check_success(server, conn, case, migration, status).await,
    }
}

async fn create(server: &Server, conn: &mut Conn, case: &Case, schema: &str) -> Outcome<()> {
    let name = compare::quote(schema);
    conn.query_drop(format!("DROP DATABASE IF EXISTS {name}"))
        .await?;
    conn.query_drop(format!("CREATE DATABASE {name}")).await?;
    execute(server, schema, "create.sql", &case.create).await
}

/// Runs the statements of a file in a session of their own.
async fn execute(server: &Server, schema: &str, file: &str, statements: &[String]) -> Outcome<()> {
    let mut conn = server.conn(Some(schema)).await;
    for statement in statements {
        let outcome = conn.query_drop(statement).await;
        outcome.map_err(|error| format!("{file} in {schema}: {error}\n    {statement}"))?;
    }
    conn.disconnect().await?;
    Ok(())
}

/// The original must be what it was, plus what during.sql did.
async fn check_refusal(
    conn: &mut Conn,
    case: &Case,
    refusal: &Refusal,
    status: ExitStatus,
    stderr: &str,
) -> Outcome<()> {
    let code = status.code().unwrap_or(-1);
    if !refusal.exit_codes.contains(&code) {
        return Err(format!("{status}, expected one of {:?}", refusal.exit_codes).into());
    }
    must_say(stderr, &refusal.fragments)?;
    let mut expected = compare::tables(conn, &case.twin()).await?;
    let mut found = compare::tables(conn, &case.schema()).await?;
    if code != 3 {
        // A failed run may leave what a resume or a cleanup needs, but no renamed table.
        let helpers = ["gho", "ghc", "ghk"].map(|suffix| helper(case, suffix));
        found.retain(|name| !helpers.contains(name));
    }
    expect_tables(&mut found, &mut expected)?;
    if !expected.contains(&case.table) {
        return Ok(());
    }
    let ours = snapshot(conn, &case.schema(), &case.table).await?;
    let twin = snapshot(conn, &case.twin(), &case.table).await?;
    let definition = definition_difference(&ours, &twin, &Ignore::default());
    report(
        "the original was touched",
        [definition, row_difference(&ours, &twin)],
    )
}

fn must_say(stderr: &str, fragments: &[String]) -> Outcome<()> {
    let said = stderr.to_lowercase();
    match fragments
        .iter()
        .find(|fragment| !said.contains(&fragment.to_lowercase()))
    {
        Some(fragment) => Err(format!("stderr doesn't say {fragment:?}").into()),
        None => Ok(()),
    }
}

/// The table must be what ALTER TABLE makes of the twin, the old one what the twin was before.
async fn check_success(
    server: &Server,
    conn: &mut Conn,
    case: &Case,
    migration: &Migration,
    status: ExitStatus,
) -> Outcome<()> {
    if status.code() != Some(0) {
        return Err(format!("{status}, expected success").into());
    }
    let stdout = fs::read_to_string(&migration.stdout)?;
    if stdout.trim_end().lines().next_back() != Some("# Done") {
        return Err("the last line of stdout isn't `# Done`".into());
    }
    must_say(&migration.stderr_text(), &case.says)?;
    let before = snapshot(conn, &case.twin(), &case.table).await?;
    let mut alter = case.twin_session.clone();
    alter.push(case.plain_alter());
    alter.extend(case.twin_after.iter().cloned());
    execute(server, &case.twin(), "the plain ALTER", &alter).await?;

    let mut expected = compare::tables(conn, &case.twin()).await?;
    expected.push(helper(case, "del"));
    let mut found = compare::tables(conn, &case.schema()).await?;
    found.retain(|name| *name != helper(case, "ghk"));
    expect_tables(&mut found, &mut expected)?;

    let ours = snapshot(conn, &case.schema(), &case.table).await?;
    let twin = snapshot(conn, &case.twin(), &case.table).await?;
    let definition = definition_difference(&ours, &twin, &case.ignore);
    report(
        "not what ALTER TABLE makes",
        [definition, row_difference(&ours, &twin)],
    )?;
    let old: Snapshot = snapshot(conn, &case.schema(), &helper(case, "del")).await?;
    report(
        "the old table isn't the original",
        [row_difference(&old, &before), None],
    )
}

fn helper(case: &Case, suffix: &str) -> String {
    format!("_{}_{suffix}", case.table)
}

fn expect_tables(found: &mut [String], expected: &mut [String]) -> Outcome<()> {
    found.sort();
    expected.sort();
    if found != expected {
        return Err(format!("tables {found:?}, expected {expected:?}").into());
    }
    Ok(())
}

fn report(what: &str, differences: [Option<String>; 2]) -> Outcome<()> {
    let text: String = differences.into_iter().flatten().collect();
    if text.is_empty() {
        return Ok(());
    }
    Err(format!("{what}: {text}").into())
}

impl Migration {
    fn start(server: &Server, case: &Case) -> Outcome<Migration> {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cases");
        fs::create_dir_all(&folder)?;
        let path = |suffix: &str| folder.join(format!("{}.{suffix}", case.name));
        let (stdout, stderr, postpone) = (path("stdout"), path("stderr"), path("postpone"));
        if postpone.exists() {
            fs::remove_file(&postpone)?;
        }
        let mut command = tableshift_command(server, &case.schema(), &case.table, &case.alter);
        command
            .arg("--postpone-cut-over-flag-file")
            .arg(&postpone)
            .arg("--execute")
            .args(&case.flags)
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?);
        Ok(Migration {
            child: command.spawn()?,
            status: None,
            stdout,
            stderr,
            postpone,
        })
    }

    /// True when the ghost table is there and the cut-over held back; false when the process ended.
    async fn wait_for_ghost(&mut self, conn: &mut Conn, case: &Case) -> Outcome<bool> {
        let deadline = Instant::now() + PATIENCE;
        let ghost = helper(case, "gho");
        while Instant::now() < deadline {
            self.status = self.child.try_wait()?;
            if self.status.is_some() {
                return Ok(false);
            }
            let held_back = self.postpone.exists();
            let tables = compare::tables(conn, &case.schema()).await?;
            if held_back && tables.contains(&ghost) {
                return Ok(true);
            }
            sleep(POLL).await;
        }
        Err(format!("no {ghost} and postponed cut-over after {PATIENCE:?}").into())
    }

    /// Lets the cut-over happen, and waits for the end.
    async fn finish(&mut self) -> Outcome<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        if self.postpone.exists() {
            fs::remove_file(&self.postpone)?;
        }
        while self.status.is_none() && Instant::now() < deadline {
            sleep(POLL).await;
            self.status = self.child.try_wait()?;
        }
        self.status
            .ok_or_else(|| format!("still running after {PATIENCE:?}").into())
    }

    fn stderr_text(&self) -> String {
        fs::read(&self.stderr)
            .map(|text| String::from_utf8_lossy(&text).into())
            .unwrap_or_default()
    }

    /// The end of what the process said.
    fn log(&self) -> String {
        let mut log = String::new();
        for path in [&self.stdout, &self.stderr] {
            let text = fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(15)..];
            log.extend(tail.iter().map(|line| format!("    | {line}\n")));
        }
        log
    }

    fn remove_files(&self) {
        for path in [&self.stdout, &self.stderr] {
            let _gone = fs::remove_file(path);
        }
    }
}

impl Drop for Migration {
    fn drop(&mut self) {
        // No error: it has ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
