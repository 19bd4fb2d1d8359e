//! The revert window: for a while after the swap the old table goes on following the new one, so that
//! swapping back takes a second.
//!
//! It is the way back of the migration (`revert`), whose swap is held back until somebody asks for it. The
//! migration is complete all the while: whatever ends the window but a revert leaves it so, and its old table
//! revertable from the last position.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::drive::{Driven, Run, Surface, drive};
use super::history::History;
use super::topology::Route;
use super::{Early, End, clean, early_report, explained, revert};
use crate::config::{Config, CutOver, RowCount};
use crate::control::desk::Facts;
use crate::control::{Wish, socket};
use crate::core::event::{Failure, Outcome};
use crate::core::verify::extent::{Extent, Wanted};
use crate::error::{Left, Verified, ended};
use crate::mysql::inspect;
use crate::mysql::session::{Address, Session};
use crate::plan::alter::Alter;
use crate::plan::conversion::Misfits;
use crate::plan::inspection::Needs;
use crate::plan::names::Names;
use crate::plan::{self, Companions, Plan, Wishes};
use crate::report::{Reporter, Snapshot};

/// A migration that has just swapped its tables.
pub(super) struct Swapped<'a> {
    /// What it worked with.
    pub run: Run<'a>,
    /// Holds the advisory lock.
    pub session: &'a mut Session,
    /// What operators are told of it.
    pub facts: Facts,
    /// How it ended.
    pub end: End,
}

/// Hands on what the signals wish, until a window is over that ends after so long. The window's end is no
/// reason to stop a revert that has begun.
async fn hand_on(
    signalled: &mut mpsc::Receiver<Wish>,
    wishes: mpsc::Sender<Wish>,
    ends_after: Option<Duration>,
) -> Infallible {
    let ends = async {
        match ends_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(ends);
    let mut over = false;
    loop {
        let wish = tokio::select! {
            Some(wish) = signalled.recv() => wish,
            () = &mut ends, if !over => {
                over = true;
                Wish::WindowOver
            }
            else => std::future::pending().await,
        };
        if wishes.send(wish).await.is_err() {
            // The run is ending.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for a revert as long as the operator has asked for, and carries it out if one is asked for.
pub(super) async fn wait(
    swapped: Swapped<'_>,
    length: Duration,
    signalled: &mut mpsc::Receiver<Wish>,
) -> End {
    let (config, names) = way_back(swapped.run.config, &swapped.run.plan.names);
    let (reporter, session) = (swapped.run.reporter, &mut *swapped.session);
    let (plan, resumed) = match prepare(session, &config, &names, swapped.run.route).await {
        Ok(prepared) => prepared,
        Err(early) => {
            let report = early_report(&early, &names, reporter);
            reporter.warn(format!("there is no revert window: {}", report.text));
            return over(swapped, &names).await;
        }
    };
    let plan = Arc::new(plan);
    reporter.info(format!(
        "revert window: `{}` follows for {} s; the command revert swaps it back, done ends the window",
        names.ghost,
        length.as_secs()
    ));
    let run = Run {
        config: &config,
        plan: Arc::clone(&plan),
        resumed: Some(resumed),
        kept: watch::channel(true).0,
        ..swapped.run.clone()
    };
    let surface = surface(&config, &names, swapped.facts.clone(), reporter).await;
    let mut driven = steer(run, surface, signalled, Some(length)).await;
    let address = Address {
        server_uuid: Some(swapped.run.server.uuid.clone()),
        ..swapped.run.route.written.clone()
    };
    let told = (&address, &plan, &config);
    let told = explained(&mut driven, swapped.session, told, reporter).await;
    match driven.outcome {
        Outcome::Stopped if driven.waiting => over(swapped, &names).await,
        Outcome::Failed(_) | Outcome::Mismatch(_) if driven.waiting => {
            let report = ended(&driven.outcome, &names, &told, Left::Nothing);
            reporter.warn(format!("the revert window is over: {}", report.text));
            over(swapped, &names).await
        }
        Outcome::Completed
        | Outcome::Stopped
        | Outcome::Failed(_)
        | Outcome::Mismatch(_)
        | Outcome::Unknown => reverted(swapped, (&config, &names), driven, &told).await,
    }
}

/// Runs to the outcome, and hands on what the signals wish meanwhile.
pub(super) async fn steer(
    run: Run<'_>,
    surface: Surface,
    signalled: &mut mpsc::Receiver<Wish>,
    ends_after: Option<Duration>,
) -> Driven {
    let (wishes, wish_queue) = mpsc::channel(8);
    let driven = tokio::select! {
        driven = Box::pin(drive(run, surface, (wishes.clone(), wish_queue))) => driven,
        never = hand_on(signalled, wishes, ends_after) => match never {},
    };
    driven.unwrap_or_else(Driven::failed)
}

/// What operators reach the window by. Hooks are not told of it: for them the migration is complete.
async fn surface(config: &Config, names: &Names, facts: Facts, reporter: &Reporter) -> Surface {
    let sockets = socket::open(&config.control).await;
    if let Err(refusal) = &sockets {
        reporter.warn(format!("{}; {}", refusal.what, refusal.next));
    }
    Surface {
        facts: Facts {
            ghost: names.ghost.clone(),
            ..facts
        },
        hooks: None,
        progress: watch::channel(Snapshot::default()).0,
        sockets: sockets.ok(),
    }
}

/// The migration's way back, as if it had been asked for by `--revert`.
fn way_back(config: &Config, names: &Names) -> (Config, Names) {
    let base = config.base_name.as_deref();
    let back = Names::back(&names.schema, &names.original, base, &names.old);
    let config = Config {
        revert: Some(names.old.clone()),
        triggers: None,
        row_count: RowCount::Estimate,
        verify: Wanted {
            extent: Extent::Full,
            ..config.verify
        },
        cut_over: CutOver {
            postpone_file: None,
            window: None,
            plans: None,
            ..config.cut_over.clone()
        },
        wishes: Wishes {
            triggers: Companions::Refused,
            foreign_keys: Companions::Refused,
            misfits: Misfits::Refused,
            ..config.wishes
        },
        ..config.clone()
    };
    (config, back)
}

async fn prepare(
    session: &mut Session,
    config: &Config,
    names: &Names,
    route: &Route,
) -> Result<(Plan, super::resume::Resumed), Early> {
    let needs = Needs {
        kills: config.cut_over.force_after.is_some(),
        triggers: false,
        plans: false,
        keeps_values: false,
        checkpoints: config.checkpoint.is_some(),
    };
    let facts = inspect::inspect(session, names, (route.setting, needs)).await?;
    let mut refusals = revert::speaks_against(session, (config, names, route), &facts).await?;
    match plan::check(&facts, &Alter::default(), names, &config.wishes) {
        Ok(table) if refusals.is_empty() => {
            revert::plan(session, config, &facts, (table, names)).await
        }
        Ok(_) => Err(Early::Refused(refusals)),
        Err(more) => {
            refusals.extend(more);
            Err(Early::Refused(refusals))
        }
    }
}

/// The window is over without a revert: the migration is complete, as it was all the time.
async fn over(swapped: Swapped<'_>, names: &Names) -> End {
    let Swapped {
        run,
        session,
        mut end,
        ..
    } = swapped;
    let reporter = run.reporter;
    reporter.info(format!(
        "the migration is complete; to revert it later: --revert --old-table={}",
        names.ghost
    ));
    if clean::drop_helpers(session, names, reporter).await {
        let unsaid = Verified::default();
        let report = ended(&Outcome::Completed, &run.plan.names, &unsaid, Left::Tables);
        end.correct(report).await;
    }
    end
}

/// A revert was asked for: from here on it is the run.
async fn reverted(
    swapped: Swapped<'_>,
    (config, names): (&Config, &Names),
    driven: Driven,
    verified: &Verified,
) -> End {
    let Swapped { run, session, .. } = swapped;
    let (reporter, route, clock) = (run.reporter, run.route, run.clock);
    let times = (clock, session.id());
    let outcome = driven.outcome;
    let mut end = End {
        report: ended(&outcome, names, verified, clean::expected(&outcome, true)),
        outcome: outcome.clone(),
        figures: driven.figures,
        history: History::begin(config, names, &route.written, times, reporter).await,
    };
    end.record().await;
    let left = clean::clean(session, config, names, (&outcome, true), reporter).await;
    end.correct(ended(&outcome, names, verified, left)).await;
    end
}

impl Driven {
    /// It could not even begin, or a part of it gave up.
    pub(super) fn failed(fault: crate::mysql::classify::Fault) -> Self {
        let failure: Failure = fault.failure();
        Self {
            outcome: Outcome::Failed(failure),
            ..Self::stopped()
        }
    }
}
