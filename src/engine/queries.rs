//! The comparer: explains the application's statements over both tables before the cut-over, on a connection of its
//! own that is there only meanwhile.
//!
//! It decides nothing about the data: whatever goes wrong here only postpones the cut-over, until an operator or the
//! next comparison says otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::clock::Clock;
use super::drive::Run;
use super::usual;
use super::workers::Done;
use crate::config::Config;
use crate::core::event::Event;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Address, Answer, Session, Setup};
use crate::plan::inspection::Server;
use crate::plan::names::Names;
use crate::plan::queries::measure::{Figures, figures};
use crate::plan::queries::rewrite::{Query, Unfit, VALUES, query};
use crate::plan::queries::{Comparison, Observation, Observed, Quoting, Worse, cause, obstacle};
use crate::plan::{Plan, Refusal};
use crate::report::Reporter;
use crate::sql::queries;

/// What keeps the server from telling which statements there are; looked at before the first write.
pub(super) async fn speaks_against(
    session: &mut Session,
    config: &Config,
) -> Result<Vec<Refusal>, Fault> {
    if config.cut_over.plans.is_none() {
        return Ok(Vec::new());
    }
    let answer = match session.run(&queries::observation()).await {
        // The check of privileges says what is missing.
        Err(fault) if matches!(fault.code, Some(1142)) => return Ok(Vec::new()),
        answer => answer?,
    };
    let number = |column| answer.number(0, column).unwrap_or_default();
    let observation = Observation {
        digests: number(0),
        consumers: number(1),
        instruments_off: number(2),
        sample_chars: number(3),
    };
    Ok(observation.speaks_against())
}

/// Compares plans when it is told to.
pub(super) struct Comparer {
    address: Address,
    plan: Arc<Plan>,
    server: Server,
    reporter: Reporter,
    clock: Clock,
    session: Option<Session>,
    /// What was told already, so that a repeated comparison says only what is new.
    told: BTreeSet<String>,
    /// What was worse the last time.
    worse: Vec<Worse>,
}

/// Both tables' answers to one statement.
enum Explained {
    Compared(Option<String>),
    LeftOut(String),
}

impl Comparer {
    fn of(run: &Run<'_>, address: &Address) -> Option<Self> {
        run.config.cut_over.plans.as_ref()?;
        Some(Self {
            address: address.clone(),
            plan: Arc::clone(&run.plan),
            server: run.server.clone(),
            reporter: run.reporter.clone(),
            clock: run.clock,
            session: None,
            told: BTreeSet::new(),
            worse: Vec::new(),
        })
    }

    /// Sets one to work for this run, if plans are to be compared.
    pub(super) fn hire(
        run: &Run<'_>,
        address: &Address,
        tasks: &mut JoinSet<()>,
        done: &mpsc::Sender<Done>,
    ) -> Option<mpsc::Sender<()>> {
        let comparer = Self::of(run, address)?;
        let (orders, queue) = mpsc::channel(1);
        tasks.spawn(comparer.run(queue, done.clone()));
        Some(orders)
    }

    /// Compares when it is told to, until nobody is there to tell it; then what it is at is given up.
    async fn run(mut self, mut orders: mpsc::Receiver<()>, done: mpsc::Sender<Done>) {
        while orders.recv().await.is_some() {
            let objection = tokio::select! {
                objection = self.compare() => objection,
                // Nothing is ordered while it compares: this is the end.
                _ = orders.recv() => return self.give_up().await,
            };
            self.session = None;
            let event = Event::PlansCompared(objection);
            let _ = done.send((usize::MAX, event)).await;
        }
    }

    async fn give_up(&mut self) {
        if let Some(session) = &mut self.session {
            // It writes nothing, and the server ends what it is at in a few seconds.
            let _ = session.abandon().await;
        }
    }

    /// Why the cut-over had better wait, if it had.
    async fn compare(&mut self) -> Option<String> {
        let until_ms = self.clock.elapsed_ms() + millis(limits::PLANS_WAIT);
        let mut tries = 1;
        let fault = loop {
            match self.attempt(until_ms).await {
                Ok(mut found) => {
                    found.remember(std::mem::take(&mut self.worse));
                    self.worse.clone_from(&found.worse);
                    return self.tell(&found);
                }
                Err(fault)
                    if fault.kind != FaultKind::Definite
                        && tries < limits::PLAN_TRIES
                        && self.clock.elapsed_ms() < until_ms =>
                {
                    tries += 1;
                    tokio::time::sleep(limits::RECONNECT_PAUSE).await;
                }
                Err(fault) => break fault,
            }
        };
        let why = format!("the plans of statements could not be compared: {fault}");
        if self.told.insert(why.clone()) {
            self.reporter.warn(why.clone());
        }
        Some(why)
    }

    fn tell(&mut self, found: &Comparison) -> Option<String> {
        let line = found.line();
        if self.told.insert(line.clone()) {
            self.reporter.info(line);
        }
        for worse in found.worse.iter().take(limits::PLANS_SHOWN_MAX) {
            // Estimates change a little from time to time; the statement is named once.
            if self.told.insert(worse.statement.clone()) {
                self.reporter.warn(worse.line());
            }
        }
        found.objection()
    }

    async fn attempt(&mut self, until_ms: u64) -> Result<Comparison, Fault> {
        let setup = Setup {
            lock_wait_seconds: limits::PLAN_LOCK_SECONDS,
            ..usual("comparer", String::new())
        };
        self.session = None;
        let session = Session::open(&self.address, setup).await?;
        let session = self.session.insert(session);
        let looked = looked(session, &self.plan.names).await?;
        prepare(session, &self.server.sql_mode).await?;
        let mut found = looked.beyond;
        let quoting = Quoting::of(&self.server.sql_mode);
        for observed in &looked.statements {
            let told = (&self.plan.names, self.server.table_names);
            let schema = observed.schema.as_deref();
            match query(&observed.sample, schema, told, quoting) {
                Ok(None) => {}
                Ok(Some(query)) if query.calls => found.unfit(Unfit::Calls),
                Ok(Some(query)) if query.names_any(&looked.views) => found.unfit(Unfit::View),
                Ok(Some(query)) => {
                    let bounds = (looked.growth, until_ms);
                    self.judge((observed, &query), bounds, &mut found).await?;
                }
                Err(unfit) => found.unfit(unfit),
            }
        }
        Ok(found)
    }

    /// One statement, over both tables.
    async fn judge(
        &mut self,
        (observed, query): (&Observed, &Query),
        (growth, until_ms): (f64, u64),
        found: &mut Comparison,
    ) -> Result<(), Fault> {
        if self.clock.elapsed_ms() >= until_ms {
            found.leave_out("there was no time left", 1);
            return Ok(());
        }
        let names = &self.plan.names;
        let session = self.session.as_mut().ok_or_else(|| Fault::lost(NAME))?;
        let explained = match explained(
            session,
            (observed, query),
            (&names.original, &names.ghost),
            growth,
        )
        .await
        {
            // The connection is gone, and the statement with it; the others have a new one.
            Err(fault) if fault.kind == FaultKind::TimedOut => {
                session.reopen_once().await?;
                prepare(session, &self.server.sql_mode).await?;
                Explained::LeftOut("EXPLAIN took too long".into())
            }
            explained => explained?,
        };
        match explained {
            Explained::Compared(why) => found.judged(observed, why),
            Explained::LeftOut(why) => found.leave_out(why, 1),
        }
        Ok(())
    }
}

const NAME: &str = "compare plans";

/// What there is to be compared.
struct Looked {
    statements: Vec<Observed>,
    /// Views that aren't the server's own, in small letters.
    views: BTreeSet<String>,
    /// How many times more rows the statistics of the ghost count.
    growth: f64,
    /// Statements that are not among these.
    beyond: Comparison,
}

/// Looks for the application's statements, once the ghost has fresh statistics. The original's are left alone: a
/// run never decides about the plans of the table that is in use.
async fn looked(session: &mut Session, names: &Names) -> Result<Looked, Fault> {
    session.run(&queries::analyze(names)).await?;
    let observed = session.run(&queries::observed(names)).await?;
    let unobserved = session.run(&queries::unobserved()).await?;
    let views = session.run(&queries::views()).await?;
    let sizes = session.run(&queries::sizes(names)).await?;
    let mut beyond = Comparison::default();
    let all = usize::try_from(observed.number(0, 4).unwrap_or_default()).unwrap_or_default();
    let left = all.saturating_sub(observed.rows.len());
    beyond.leave_out("only the most expensive ones are compared", left);
    if unobserved.number(0, 0) > Some(0) {
        let why = "or more: the server had no room for them (performance_schema_digests_size)";
        beyond.leave_out(why, 1);
    }
    Ok(Looked {
        statements: (0..observed.rows.len())
            .map(|row| seen(&observed, row))
            .collect(),
        views: (0..views.rows.len())
            .filter_map(|row| views.text(row, 0))
            .map(|name| name.to_lowercase())
            .collect(),
        growth: growth(&sizes),
        beyond,
    })
}

/// The session plans as the application's do.
async fn prepare(session: &mut Session, sql_mode: &str) -> Result<(), Fault> {
    session.run(&queries::prepare(sql_mode)).await?;
    match session.run(&queries::plain_format()).await {
        // Servers before 8.3 have no other form.
        Err(fault) if fault.code == Some(1193) => Ok(()),
        answer => answer.map(drop),
    }
}

async fn explained(
    session: &mut Session,
    (observed, query): (&Observed, &Query),
    (original, ghost): (&str, &str),
    growth: f64,
) -> Result<Explained, Fault> {
    if let Some(schema) = &observed.schema
        && let Err(fault) = session.run(&queries::enter(schema)).await
    {
        return left_out(fault);
    }
    let mut values = VALUES
        .iter()
        .take(if query.prepared { VALUES.len() } else { 1 });
    let mut value = *values.next().ok_or_else(|| Fault::lost(NAME))?;
    let before = loop {
        match figures_of(session, &query.over(original, value), query.writes).await? {
            Ok(figures) => break figures,
            Err(fault) => match values.next() {
                Some(next) => value = next,
                None => return left_out(fault),
            },
        }
    };
    let after = match figures_of(session, &query.over(ghost, value), query.writes).await? {
        Ok(figures) => figures,
        // The row or the table is somebody else's at the moment.
        Err(fault) if fault.kind != FaultKind::Definite => return left_out(fault),
        Err(fault) => {
            let why = format!("it would fail: {}", cause(fault.code, &fault.message));
            return Ok(Explained::Compared(Some(why)));
        }
    };
    Ok(match (before, after) {
        (Some(before), Some(after)) => match after.worse_than(&before, growth) {
            None if before.no_row || after.no_row => {
                Explained::LeftOut("its sample finds no row".into())
            }
            why => Explained::Compared(why),
        },
        _ => Explained::LeftOut("its plan has no form that is understood".into()),
    })
}

/// A plan, or the server's refusal to tell it.
async fn figures_of(
    session: &mut Session,
    text: &str,
    writes: bool,
) -> Result<Result<Option<Figures>, Fault>, Fault> {
    session.run(&queries::begin(writes)).await?;
    let mut answer = Err(Fault::lost(NAME));
    for statement in [
        queries::hand_over(text),
        queries::prepare_explain(),
        queries::explain(),
    ] {
        answer = match session.run_for(&statement, limits::PLAN_STATEMENT).await {
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                return Err(fault);
            }
            answer => answer,
        };
        if answer.is_err() {
            break;
        }
    }
    session.run(&queries::end()).await?;
    Ok(answer.map(|answer| figures(&answer.text(0, 0).unwrap_or_default())))
}

/// What the server says is no reason to end the comparison unless the connection is gone.
fn left_out(fault: Fault) -> Result<Explained, Fault> {
    match fault.kind {
        FaultKind::Lost | FaultKind::TimedOut => Err(fault),
        FaultKind::Held | FaultKind::Conflict => {
            Ok(Explained::LeftOut("its rows are locked by others".into()))
        }
        FaultKind::TooLarge | FaultKind::Definite => {
            let why = obstacle(fault.code, &fault.message);
            Ok(Explained::LeftOut(format!("it can't be explained: {why}")))
        }
    }
}

fn seen(answer: &Answer, row: usize) -> Observed {
    Observed {
        digest_text: answer.text(row, 0).unwrap_or_default(),
        sample: answer.text(row, 1).unwrap_or_default(),
        schema: answer.text(row, 2),
        executions: answer.number(row, 3).unwrap_or_default(),
        digest: answer.text(row, 5).unwrap_or_default(),
    }
}

/// How many times more rows the statistics of the ghost count than those of the original.
fn growth(sizes: &Answer) -> f64 {
    let rows: BTreeMap<bool, f64> = (0..sizes.rows.len())
        .filter_map(|row| {
            let number: f64 = sizes.text(row, 1)?.parse().ok()?;
            Some((sizes.number(row, 0)? == 1, number))
        })
        .collect();
    match (rows.get(&true), rows.get(&false)) {
        (Some(ghost), Some(original)) => ghost / original.max(1.0),
        _ => 1.0,
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
