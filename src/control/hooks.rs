//! Hooks: programs in a folder that are run at events, with gh-ost's names and variables.
//!
//! All files whose name begins with the event's are run, in the order of their names; the first that
//! fails ends the event. Each has a time limit: a hook that hangs must not hang the migration.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;
use tokio::sync::watch;

use super::desk::Facts;
use crate::config;
use crate::report::Reporter;
use crate::report::line::{self, Snapshot};

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The very beginning.
    Startup,
    /// The ghost is there, keys and columns are checked.
    Validated,
    /// The rows are counted.
    RowcountComplete,
    /// The copy is about to begin.
    BeforeRowCopy,
    /// A chunk failed with this error and is tried again.
    BatchCopyRetry(String),
    /// From time to time, with the status line.
    Status,
    /// An operator typed this command.
    InteractiveCommand(String),
    /// The copy has reached the end.
    RowCopyComplete,
    /// Everything is ready.
    BeforeCutOver,
    /// The cut-over is being held back.
    BeginPostponed,
    /// Replication is about to be stopped.
    StopReplication,
    /// Replication goes on after a cut-over that failed.
    StartReplication,
    /// The migration is complete.
    Success {
        /// By `--attempt-instant-ddl` alone.
        instant: bool,
    },
    /// The migration has ended without success.
    Failure,
}

impl Event {
    /// What the names of its programs begin with.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Startup => "gh-ost-on-startup",
            Self::Validated => "gh-ost-on-validated",
            Self::RowcountComplete => "gh-ost-on-rowcount-complete",
            Self::BeforeRowCopy => "gh-ost-on-before-row-copy",
            Self::BatchCopyRetry(_) => "gh-ost-on-batch-copy-retry",
            Self::Status => "gh-ost-on-status",
            Self::InteractiveCommand(_) => "gh-ost-on-interactive-command",
            Self::RowCopyComplete => "gh-ost-on-row-copy-complete",
            Self::BeforeCutOver => "gh-ost-on-before-cut-over",
            Self::BeginPostponed => "gh-ost-on-begin-postponed",
            Self::StopReplication => "gh-ost-on-stop-replication",
            Self::StartReplication => "gh-ost-on-start-replication",
            Self::Success { .. } => "gh-ost-on-success",
            Self::Failure => "gh-ost-on-failure",
        }
    }

    fn variables(&self, snapshot: &Snapshot) -> Vec<(&'static str, String)> {
        match self {
            Self::BatchCopyRetry(error) => vec![("GH_OST_LAST_BATCH_COPY_ERROR", error.clone())],
            Self::InteractiveCommand(name) => vec![("GH_OST_COMMAND", format!("'{name}'"))],
            Self::Status => vec![("GH_OST_STATUS", format!("'{}'", line::status(snapshot)))],
            Self::Success { instant } => vec![("GH_OST_INSTANT_DDL", instant.to_string())],
            Self::Startup
            | Self::Validated
            | Self::RowcountComplete
            | Self::BeforeRowCopy
            | Self::RowCopyComplete
            | Self::BeforeCutOver
            | Self::BeginPostponed
            | Self::StopReplication
            | Self::StartReplication
            | Self::Failure => Vec::new(),
        }
    }
}

/// What every hook is told beside the progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Hosts and tables.
    pub facts: Facts,
    /// The old table's name.
    pub old: String,
    /// The ALTER as given.
    pub alter: String,
    /// Nothing is written in earnest.
    pub dry_run: bool,
    /// It is the way back of a migration.
    pub reverts: bool,
}

/// Runs hooks. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    settings: Arc<config::Hooks>,
    folder: Arc<PathBuf>,
    told: Arc<Told>,
    progress: watch::Receiver<Snapshot>,
    reporter: Reporter,
}

impl Runner {
    /// A runner, if there is a folder of hooks.
    #[must_use]
    pub fn new(
        settings: &config::Hooks,
        told: Told,
        progress: watch::Receiver<Snapshot>,
        reporter: Reporter,
    ) -> Option<Self> {
        Some(Self {
            folder: Arc::new(settings.path.clone()?),
            settings: Arc::new(settings.clone()),
            told: Arc::new(told),
            progress,
            reporter,
        })
    }

    /// The same with more that is known by now.
    #[must_use]
    pub fn telling(self, told: Told) -> Self {
        Self {
            told: Arc::new(told),
            ..self
        }
    }

    /// Runs all programs of an event.
    ///
    /// # Errors
    /// Why the first of them that failed did.
    pub async fn run(&self, event: &Event) -> Result<(), String> {
        let programs = programs(&self.folder, event.name())
            .map_err(|error| format!("{}: {error}", self.folder.display()))?;
        for program in programs {
            self.one(&program, event).await?;
        }
        Ok(())
    }

    async fn one(&self, program: &Path, event: &Event) -> Result<(), String> {
        let name = program.display();
        let snapshot = self.progress.borrow().clone();
        let mut command = Command::new(program);
        command
            .envs(variables(&self.told, &self.settings, &snapshot))
            .envs(event.variables(&snapshot))
            // They have no business with the server's password.
            .env_remove(crate::config::PASSWORD_VARIABLE)
            .env_remove(crate::config::PARENT_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // At the time limit the future is dropped, and the program with it.
            .kill_on_drop(true);
        let child = command
            .spawn()
            .map_err(|error| format!("hook {name} can't be run: {error}"))?;
        let limit = self.settings.timeout;
        let output = tokio::time::timeout(limit, child.wait_with_output())
            .await
            .map_err(|_| format!("hook {name} took longer than {} s", limit.as_secs()))?
            .map_err(|error| format!("hook {name}: {error}"))?;
        for text in [&output.stdout, &output.stderr] {
            for line in String::from_utf8_lossy(text).lines() {
                self.reporter.info(format!("hook {name}: {line}"));
            }
        }
        if output.status.success() {
            return Ok(());
        }
        Err(format!("hook {name}: {}", output.status))
    }
}

/// The files whose names begin with the event's, sorted.
fn programs(folder: &Path, name: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(name) && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The variables of all hooks.
fn variables(
    told: &Told,
    settings: &config::Hooks,
    snapshot: &Snapshot,
) -> Vec<(&'static str, String)> {
    let facts = &told.facts;
    let seconds = |milliseconds: u64| {
        format!(
            "{}.{:06}",
            milliseconds / 1_000,
            milliseconds % 1_000 * 1_000
        )
    };
    let lag = seconds(snapshot.lag_ms.unwrap_or_default());
    // Go's smallest number stands for what isn't known.
    let eta = match (snapshot.copy_done, snapshot.eta_ms) {
        (true, _) => "0".to_owned(),
        (false, Some(milliseconds)) => (milliseconds / 1_000).to_string(),
        (false, None) => i64::MIN.to_string(),
    };
    vec![
        ("GH_OST_DATABASE_NAME", facts.schema.clone()),
        ("GH_OST_TABLE_NAME", facts.table.clone()),
        ("GH_OST_GHOST_TABLE_NAME", facts.ghost.clone()),
        ("GH_OST_OLD_TABLE_NAME", told.old.clone()),
        ("GH_OST_DDL", told.alter.clone()),
        ("GH_OST_ELAPSED_SECONDS", seconds(snapshot.elapsed_ms)),
        ("GH_OST_ELAPSED_COPY_SECONDS", seconds(snapshot.copy_ms)),
        ("GH_OST_ESTIMATED_ROWS", snapshot.rows_total.to_string()),
        ("GH_OST_COPIED_ROWS", snapshot.rows_copied.to_string()),
        ("GH_OST_MIGRATED_HOST", facts.applier.0.clone()),
        ("GH_OST_INSPECTED_HOST", facts.inspector.0.clone()),
        ("GH_OST_EXECUTING_HOST", facts.executing.clone()),
        ("GH_OST_INSPECTED_LAG", lag.clone()),
        ("GH_OST_HEARTBEAT_LAG", lag),
        ("GH_OST_PROGRESS", format!("{:.6}", snapshot.percent())),
        ("GH_OST_ETA_SECONDS", eta),
        ("GH_OST_HOOKS_HINT", settings.hint.clone()),
        ("GH_OST_HOOKS_HINT_OWNER", settings.hint_owner.clone()),
        ("GH_OST_HOOKS_HINT_TOKEN", settings.hint_token.clone()),
        ("GH_OST_DRY_RUN", told.dry_run.to_string()),
        ("GH_OST_REVERT", told.reverts.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_is_told_everything() {
        let told = Told {
            facts: Facts {
                schema: "shop".into(),
                table: "orders".into(),
                ..Facts::default()
            },
            old: "_orders_del".into(),
            alter: "FORCE".into(),
            dry_run: false,
            reverts: true,
        };
        let snapshot = Snapshot {
            elapsed_ms: 61_500,
            rows_copied: 50,
            rows_total: 200,
            lag_ms: Some(20),
            ..Snapshot::default()
        };
        let variables = variables(&told, &config::Hooks::default(), &snapshot);
        assert_eq!(variables.len(), 21);
        for (name, value) in [
            ("GH_OST_ELAPSED_SECONDS", "61.500000"),
            ("GH_OST_PROGRESS", "25.000000"),
            ("GH_OST_ETA_SECONDS", "-9223372036854775808"),
            ("GH_OST_INSPECTED_LAG", "0.020000"),
            ("GH_OST_DRY_RUN", "false"),
            ("GH_OST_REVERT", "true"),
        ] {
            assert!(variables.contains(&(name, value.to_owned())), "{name}");
        }
    }
}
