//! The writer of the history: one row for a run, when everything was checked and when all is over.
//!
//! It never matters to the migration. It has a connection of its own, which is closed while rows are copied
//! and tables are swapped; it takes a bounded time; and what goes wrong with it is a warning.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::clock::{Clock, host_name};
use super::usual;
use crate::cli::VERSION;
use crate::config::{Config, OnReplica};
use crate::core::event::Outcome;
use crate::error::Report;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::inspect;
use crate::mysql::session::{Address, Answer, Session, Setup};
use crate::plan::history::{
    Ending, FORMAT, Figures, Found, Kind, Run, TABLE, found, reason, recorded,
};
use crate::plan::names::Names;
use crate::plan::privileges::missing_for_history;
use crate::plan::shortcut::Native;
use crate::report::Reporter;
use crate::sql::{Statement, history, qualified};

/// Records one run.
pub(super) struct History {
    address: Address,
    schema: String,
    run: Run,
    reporter: Reporter,
    /// Somebody was told already that the run isn't recorded.
    told: bool,
}

/// Why a run isn't recorded.
enum Obstacle {
    /// The server's settings, privileges or tables: another try would say the same.
    Lasting(String),
    /// Trouble on the way.
    Fault(Fault),
}

impl From<Fault> for Obstacle {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl History {
    /// Records that a run has begun, if runs are recorded. `holder` is the connection with the advisory lock.
    pub(super) async fn begin(
        config: &Config,
        names: &Names,
        address: &Address,
        (clock, holder): (Clock, u32),
        reporter: &Reporter,
    ) -> Option<Self> {
        let kind = match config.topology.on_replica {
            OnReplica::Test { .. } => Kind::Test,
            OnReplica::Follow | OnReplica::Migrate if names.reverts => Kind::Revert,
            OnReplica::Follow | OnReplica::Migrate => Kind::Migrate,
        };
        let mut history = Self {
            address: address.clone(),
            schema: config.history.clone()?,
            run: run(config, names, &address.token, kind, (clock, holder)),
            reporter: reporter.clone(),
            told: false,
        };
        match history.tries(None).await {
            Ok(()) => Some(history),
            Err(Obstacle::Lasting(why)) => {
                history.warn(&why);
                None
            }
            // The end may be recorded all the same, and then the row is complete.
            Err(Obstacle::Fault(fault)) => {
                history.warn(&fault.to_string());
                Some(history)
            }
        }
    }

    /// Records how the run ended. May be told twice: the last word counts.
    pub(super) async fn end(&mut self, report: &Report, outcome: &Outcome, figures: &Figures) {
        let ending = Ending {
            result: result(outcome),
            exit_code: report.code,
            reason: reason(&report.text),
            figures: figures.clone(),
        };
        let Err(obstacle) = self.tries(Some(&ending)).await else {
            return;
        };
        if !self.told {
            self.told = true;
            self.reporter.warn(format!(
                "how this run ended could not be recorded in {}, where it will be shown as interrupted: {}; \
                 the migration isn't affected",
                qualified(&self.schema, TABLE),
                obstacle.text(),
            ));
        }
    }

    /// Records a table that the server altered by itself: its run begins and ends at once.
    pub(super) async fn altered(
        (config, native): (&Config, Native),
        names: &Names,
        address: &Address,
        clock: Clock,
        reporter: &Reporter,
    ) {
        let Some(schema) = config.history.clone() else {
            return;
        };
        let mut history = Self {
            address: address.clone(),
            schema,
            run: run(
                config,
                names,
                &address.token,
                Kind::Altered(native),
                (clock, 0),
            ),
            reporter: reporter.clone(),
            told: false,
        };
        let ending = Ending {
            result: result(&Outcome::Completed),
            exit_code: 0,
            reason: String::new(),
            figures: Figures::default(),
        };
        if let Err(obstacle) = history.tries(Some(&ending)).await {
            history.warn(&obstacle.text());
        }
    }

    fn warn(&mut self, why: &str) {
        self.told = true;
        self.reporter.warn(format!(
            "this run is not recorded in the history: {why}; the migration isn't affected (--no-history \
             keeps none)"
        ));
    }

    /// Tries a few times, for a bounded time. Whatever is cut off goes with its connection.
    async fn tries(&self, ending: Option<&Ending>) -> Result<(), Obstacle> {
        let tries = async {
            let mut tries = 1;
            loop {
                match self.attempt(ending).await {
                    Err(Obstacle::Fault(fault))
                        if fault.kind != FaultKind::Definite && tries < limits::HISTORY_TRIES =>
                    {
                        tries += 1;
                    }
                    other => return other,
                }
            }
        };
        let limit = limits::HISTORY_WAIT;
        let cut_off = || Fault::timed_out("record the run", limit.as_secs());
        let in_time = tokio::time::timeout(limit, tries).await;
        in_time.unwrap_or_else(|_| Err(cut_off().into()))
    }

    async fn attempt(&self, ending: Option<&Ending>) -> Result<(), Obstacle> {
        let setup = Setup {
            lock_wait_seconds: limits::HISTORY_LOCK_SECONDS,
            ..usual("history", String::new())
        };
        let mut session = Session::open(&self.address, setup).await?;
        let prepared = ending.is_some() && !self.told && !matches!(self.run.kind, Kind::Altered(_));
        if !prepared {
            self.prepare(&mut session).await?;
        }
        let mark = history::mark_interrupted(&self.schema, &self.run);
        if ending.is_none() {
            run_briefly(&mut session, &mark).await?;
        }
        let record = history::record(&self.schema, &self.run, ending);
        run_briefly(&mut session, &record).await?;
        Ok(())
    }

    /// Sees to it that there is a table to write to, and that it may be written to.
    async fn prepare(&self, session: &mut Session) -> Result<(), Obstacle> {
        let schema = self.schema.as_str();
        let exists = self.exists(session).await?;
        let (account, grants, _) = inspect::grants(session, &[schema]).await?;
        if let Some(missing) = missing_for_history(&grants, schema, exists) {
            return Err(Obstacle::Lasting(format!(
                "the account lacks privileges, GRANT {missing} TO {account}"
            )));
        }
        match run_briefly(session, &history::enter(schema)).await {
            Err(fault) if fault.code == Some(1_049) => {
                return Err(Obstacle::Lasting(format!(
                    "there is no schema `{schema}`, CREATE DATABASE it or name another with --history-schema"
                )));
            }
            entered => entered?,
        };
        if !exists {
            run_briefly(session, &history::create(schema)).await?;
        }
        Ok(())
    }

    /// Whether the table is there, and ours.
    async fn exists(&self, session: &mut Session) -> Result<bool, Obstacle> {
        let look = history::tables(Some(&self.schema));
        let answer = run_briefly(session, &look).await?;
        if answer.rows.is_empty() {
            return Ok(false);
        }
        let table = qualified(&self.schema, TABLE);
        match found(&answer.text(0, 1).unwrap_or_default()) {
            Found::Ours => Ok(true),
            Found::OtherFormat(other) => Err(Obstacle::Lasting(format!(
                "{table} has format {other}, this version writes format {FORMAT} (name another schema with \
                 --history-schema)"
            ))),
            Found::Foreign => Err(Obstacle::Lasting(format!(
                "{table} was not made by this program (name another schema with --history-schema)"
            ))),
        }
    }
}

impl Obstacle {
    fn text(&self) -> String {
        match self {
            Self::Lasting(why) => why.clone(),
            Self::Fault(fault) => fault.to_string(),
        }
    }
}

async fn run_briefly(session: &mut Session, statement: &Statement) -> Result<Answer, Fault> {
    const LIMIT: Duration = limits::HISTORY_STATEMENT;
    session.run_for(statement, LIMIT).await
}

fn run(
    config: &Config,
    names: &Names,
    token: &str,
    kind: Kind,
    (clock, holder): (Clock, u32),
) -> Run {
    let id = token.rsplit_once('-').map_or(token, |(_, id)| id);
    // A revert in the window of its migration is a run of its own, on the same connections.
    let again = if config.revert.is_some() && config.revert_window.is_some() {
        "r"
    } else {
        ""
    };
    Run {
        id: format!("{id}{again}"),
        kind,
        schema: names.schema.clone(),
        table: names.original.clone(),
        alter: recorded(
            &config.alter,
            config.backfills.iter().map(|one| one.text.as_str()),
        ),
        age_ms: clock.elapsed_ms(),
        lock: (names.advisory_lock(), holder),
        os_user: os_user(),
        host: host_name(),
        pid: std::process::id(),
        version: VERSION.into(),
    }
}

fn result(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Stopped => "stopped",
        Outcome::Failed(_) => "failed",
        Outcome::Mismatch(_) => "mismatch",
        Outcome::Unknown => "unknown",
    }
}

/// The name of the user that runs the program; their number, if nobody knows a name for it.
fn os_user() -> String {
    let Ok(process) = std::fs::metadata("/proc/self") else {
        return "unknown".into();
    };
    let number = process.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(number.as_str())).then(|| name.to_owned())
    });
    name.or_else(|| std::env::var("USER").ok())
        .filter(|name| !name.is_empty())
        .unwrap_or(number)
}
