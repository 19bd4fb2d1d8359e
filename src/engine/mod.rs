//! The shell around the core: opens connections, prepares the tables, joins workers, stream and
//! operator to [`crate::core::Core`], and cleans up. Holds no migration state of its own.

mod backfill;
pub mod barrier;
pub mod batch;
mod behind;
mod blockers;
mod clean;
pub mod cleanup;
pub mod clerk;
pub mod clock;
mod console;
mod count;
mod crew;
pub mod desired;
mod differences;
mod drive;
mod duplicates;
mod earlier;
mod fence;
mod history;
mod indexes;
mod keeper;
pub mod listing;
mod locker;
mod places;
mod prepare;
pub mod prospect;
mod queries;
mod rehearsal;
mod renewal;
mod resume;
mod revert;
mod sample;
mod scribe;
mod shortcut;
mod throttle;
mod topology;
mod triggers;
mod verification;
pub mod verify_alone;
mod view;
mod window;
pub mod workers;

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::control::Wish;
use crate::control::desk::Facts;
use crate::control::hooks::{self, Runner, Told};
use crate::control::signals::{Reactions, Signals};
use crate::control::socket::{self, Sockets};
use crate::core::event::{Failure, Outcome};
use crate::error::{
    Left, Report, Verified, ended, exit, not_started, nothing_to_do, refused, unsettled,
};
use crate::limits;
use crate::metrics::{self, families::Labels};
use crate::mysql::session::{Account, Address, Session, Setup, mark_of_table};
use crate::plan::history::Figures;
use crate::plan::history::without_passwords;
use crate::plan::inspection::Server;
use crate::plan::names::Names;
use crate::plan::shortcut::Native;
use crate::plan::{Plan, Refusal, Zone};
use crate::report::{Level, Reporter};
use crate::report::{ReportThread, Snapshot};
use clock::{Clock, stamp, unlike_others};
use history::History;
use prepare::Prepared;

/// Why a run ended before its copy began.
enum Early {
    /// There is nothing left to do: the server altered the original.
    Altered {
        /// How.
        native: Native,
        /// Helper tables could not be dropped.
        left: bool,
    },
    /// There is nothing to do: the original has the shape that is asked for.
    NothingToDo,
    Refused(Vec<Refusal>),
    Failed(Failure),
    /// Whether the server altered the original isn't known, and the helper tables are left as evidence.
    Unsettled(Failure),
}

impl From<crate::mysql::classify::Fault> for Early {
    fn from(fault: crate::mysql::classify::Fault) -> Self {
        Self::Failed(fault.failure())
    }
}

/// Runs a migration from the checked command line to the exit code.
///
/// # Errors
/// Only for what the system refuses to us (threads, signals); everything about the migration ends
/// in an exit code with its report.
pub fn run(config: Config) -> anyhow::Result<u8> {
    let (reporter, thread) =
        Reporter::start_as(config.level, config.format).context("starting the reporter")?;
    // The tool waits for the server, most of the time. With a second thread they wake each other thousands of
    // times a second, which cost a third of its CPU time (measured: 0.28 s against 0.20 s for 300,000 rows
    // beside writers, 0.27 s against 0.22 s for 2 million rows alone).
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let code = runtime.block_on(measured(config, reporter))?;
    // Whatever a task still waits for can't change the outcome any more.
    runtime.shutdown_background();
    finish(thread);
    Ok(code)
}

fn finish(thread: ReportThread) {
    thread.finish();
}

/// The run, with its numbers handed out from its beginning to its end.
async fn measured(config: Config, reporter: Reporter) -> anyhow::Result<u8> {
    let (measured, snapshots) = watch::channel(Snapshot::default());
    let labels = Labels {
        database: config.database.clone(),
        table: config.table.clone(),
    };
    match metrics::open(&config.metrics, labels, snapshots, &reporter).await {
        Ok(outlets) => {
            let code = Box::pin(whole(config, reporter, (measured, Vec::new()))).await;
            outlets.finish().await;
            code
        }
        Err(refusals) => Box::pin(whole(config, reporter, (measured, refusals))).await,
    }
}

/// Everything up to the exit code; `refusals` are known already.
async fn whole(
    config: Config,
    reporter: Reporter,
    (measured, refusals): (watch::Sender<Snapshot>, Vec<Refusal>),
) -> anyhow::Result<u8> {
    let signals = Signals::take().context("taking over the signals")?;
    for note in &config.notes {
        reporter.warn(note.clone());
    }
    #[cfg(feature = "faults")]
    let config = crate::faults::hastened(config);
    let config = match desired::resolved(config, &reporter).await {
        Ok(config) => Arc::new(config),
        Err(report) => return Ok(tell(&reporter, &report)),
    };
    let clock = Clock::start();
    let stamp = config.timestamp_old.then(stamp);
    let names = names(&config, stamp.as_deref());
    let (account, renewal) = Account::renewable(&config.user, &config.password);
    let address = address(&config, &names, account);
    let (signals_wish, signalled) = mpsc::channel(8);
    let asker = reporter.clone();
    let kept = match config.checkpoint {
        Some(_) => "what is copied up to the last checkpoint is kept",
        None => "the copy so far is given up",
    };
    let reactions = Reactions {
        terminal: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
        ask: move || {
            asker.warn(format!(
                "press Ctrl-C again within 5 s to stop; the original table stays as it is, {kept}"
            ));
        },
        renew: renewal::on_hang_up(Arc::clone(&config), renewal, reporter.clone()),
    };
    tokio::spawn(signals.watch(signals_wish, reactions));
    let mut hooks = hooks(&config, &names, &reporter, measured);
    let mut instant = false;
    let mut recorded = None;
    let begun = match refusals {
        none if none.is_empty() => {
            begin(&config, &names, (&address, clock), &mut hooks, &reporter).await
        }
        refusals => Err(Early::Refused(refusals)),
    };
    let ended = match begun {
        Ok((prepared, _)) if !config.execute => dry_run(prepared, &config, &reporter).await,
        Ok((prepared, sockets)) => {
            let run = Started {
                config: Arc::clone(&config),
                prepared,
                sockets,
                hooks: hooks.clone(),
                clock,
            };
            let end = Box::pin(migrate(run, &reporter, signalled)).await;
            recorded.insert(end).report.clone()
        }
        Err(early) => {
            instant = matches!(early, Early::Altered { .. } | Early::NothingToDo);
            early_report(&early, &names, &reporter)
        }
    };
    let code = ended.code;
    let report = with_hooks(ended, instant, hooks.runner, &reporter).await;
    if let Some(end) = recorded.as_mut().filter(|_| report.code != code) {
        end.report = report.clone();
        end.record().await;
    }
    Ok(tell(&reporter, &report))
}

/// Where to connect, with the mark of this run.
fn address(config: &Config, names: &Names, account: Account) -> Address {
    let table = mark_of_table(&names.advisory_lock());
    let token = format!("{table}{:016x}", unlike_others());
    Address {
        tls: config.tls.clone(),
        connect_timeout: config.connect_timeout.unwrap_or(limits::CONNECT_TIMEOUT),
        ..Address::new(&config.host, config.port, account, token)
    }
}

fn names(config: &Config, stamp: Option<&str>) -> Names {
    let (schema, table) = (config.database.as_str(), config.table.as_str());
    let base = config.base_name.as_deref();
    match &config.revert {
        Some(old_table) => Names::back(schema, table, base, old_table),
        None => Names::new(schema, table, base, stamp),
    }
}

/// The hooks of a run, and the progress that they are told.
#[derive(Clone)]
struct Hooked {
    runner: Option<Runner>,
    progress: watch::Sender<Snapshot>,
    told: Told,
    /// What machines are told of the progress.
    measured: watch::Sender<Snapshot>,
}

impl Hooked {
    /// What operators reach the run by.
    fn surface(self, sockets: Option<Sockets>) -> drive::Surface {
        drive::Surface {
            facts: self.told.facts,
            hooks: self.runner,
            progress: self.progress,
            sockets,
        }
    }

    /// Runs an event's hooks; one that fails ends the run.
    async fn must(&self, event: &hooks::Event) -> Result<(), Early> {
        let Some(runner) = &self.runner else {
            return Ok(());
        };
        runner.run(event).await.map_err(|wrong| {
            Early::Failed(Failure::new(
                wrong,
                "see what the hook said, then run the command again",
            ))
        })
    }
}

fn hooks(
    config: &Config,
    names: &Names,
    reporter: &Reporter,
    measured: watch::Sender<Snapshot>,
) -> Hooked {
    let told = Told {
        facts: Facts {
            schema: names.schema.clone(),
            table: names.original.clone(),
            ghost: names.ghost.clone(),
            applier: (format!("{}:{}", config.host, config.port), String::new()),
            inspector: (format!("{}:{}", config.host, config.port), String::new()),
            executing: clock::host_name(),
            started: clock::now_seconds(),
        },
        old: names.old.clone(),
        alter: config.alter.clone(),
        dry_run: !config.execute,
        reverts: names.reverts,
    };
    let (progress, shown) = watch::channel(Snapshot::default());
    Hooked {
        runner: Runner::new(&config.hooks, told.clone(), shown, reporter.clone()),
        progress,
        told,
        measured,
    }
}

/// Everything up to the first row: hooks, checks, tables, sockets. What speaks against the migration
/// leaves nothing on the server.
async fn begin(
    config: &Config,
    names: &Names,
    (address, clock): (&Address, Clock),
    hooks: &mut Hooked,
    reporter: &Reporter,
) -> Result<(Prepared, Option<Sockets>), Early> {
    hooks.must(&hooks::Event::Startup).await?;
    let route = topology::find(config, names, address, reporter).await?;
    let written = route.written.clone();
    let prepared = prepare::prepare(config, names, route, reporter).await;
    if let Err(Early::Altered { native, .. }) = &prepared {
        History::altered((config, *native), names, &written, clock, reporter).await;
    }
    let mut prepared = prepared?;
    prepare::announce(&prepared.plan, reporter);
    hooks.told.facts.applier = told_of(&prepared.server);
    hooks.told.facts.inspector = match &prepared.route.followed {
        Some(followed) => told_of(&followed.server),
        None => hooks.told.facts.applier.clone(),
    };
    let told = hooks.told.clone();
    hooks.runner = hooks.runner.take().map(|runner| runner.telling(told));
    let ready = async {
        hooks.must(&hooks::Event::Validated).await?;
        if config.execute {
            let sockets = socket::open(&config.control).await;
            sockets
                .map(Some)
                .map_err(|refusal| Early::Refused(vec![refusal]))
        } else {
            Ok(None)
        }
    };
    match ready.await {
        Ok(sockets) => Ok((prepared, sockets)),
        Err(early) => {
            if prepared.resumed.is_none() || names.reverts {
                let session = &mut prepared.session;
                clean::drop_made(session, names, config.execute, reporter).await;
            }
            Err(early)
        }
    }
}

/// A server as hooks and operators are told of it: where it is, and its version.
fn told_of(server: &Server) -> (String, String) {
    let version = server.version_text.split(' ').next().unwrap_or_default();
    (
        format!("{}:{}", server.hostname, server.port),
        version.to_owned(),
    )
}

/// The last hooks: a success that a hook doesn't take for one is told, but nothing about the tables
/// changes any more.
async fn with_hooks(
    report: Report,
    instant: bool,
    runner: Option<Runner>,
    reporter: &Reporter,
) -> Report {
    let Some(runner) = runner else { return report };
    let success = matches!(
        report.code,
        exit::COMPLETED | exit::LEFTOVERS | exit::NOTHING_TO_DO
    );
    let event = if success {
        hooks::Event::Success { instant }
    } else {
        hooks::Event::Failure
    };
    match runner.run(&event).await {
        Err(wrong) if success => crate::error::hook_failed(&wrong),
        Err(wrong) => {
            reporter.warn(wrong);
            report
        }
        Ok(()) => report,
    }
}

fn early_report(early: &Early, names: &Names, reporter: &Reporter) -> Report {
    match early {
        Early::Altered { native, left } => {
            reporter.info(format!(
                "altered {}: nothing had to be copied, and there is no `{}`",
                native.adverb(),
                names.old
            ));
            let left = if *left { Left::Tables } else { Left::Nothing };
            let verified = Verified {
                claim: "given by the server itself".into(),
                ..Verified::default()
            };
            ended(&Outcome::Completed, names, &verified, left)
        }
        Early::NothingToDo => nothing_to_do(names),
        Early::Refused(refusals) => refused(refusals),
        Early::Failed(failure) => not_started(failure),
        Early::Unsettled(failure) => unsettled(failure, names),
    }
}

fn tell(reporter: &Reporter, report: &Report) -> u8 {
    if matches!(report.code, exit::COMPLETED | exit::NOTHING_TO_DO) {
        reporter.out(report.text.clone());
    } else {
        reporter.log(Level::Error, report.text.clone());
    }
    report.code
}

/// Everything was checked on a real, empty ghost, which is dropped again.
async fn dry_run(mut prepared: Prepared, config: &Config, reporter: &Reporter) -> Report {
    reporter.out(format!(
        "-- the altered table\n{}",
        without_passwords(&prepared.plan.ghost.definition)
    ));
    let names = prepared.plan.names.clone();
    let unsaid = Verified::default();
    if prepared.resumed.is_some() {
        reporter.info(if names.reverts {
            "nothing speaks against this revert; add --execute to run it"
        } else {
            "nothing speaks against going on; add --execute to do so"
        });
        return ended(&Outcome::Completed, &names, &unsaid, Left::Nothing);
    }
    let told = prospect::of_trial(&prepared, config).await;
    reporter.out(format!("-- what a run would do\n{told}"));
    if clean::drop_made(&mut prepared.session, &names, config.execute, reporter).await {
        return ended(&Outcome::Stopped, &names, &unsaid, Left::Tables);
    }
    if let Some(native) = prepared.plan.direct.native {
        reporter.info(format!(
            "the table would be altered directly: {}",
            native.clauses()
        ));
    }
    reporter.info("nothing speaks against this migration; add --execute to run it");
    ended(&Outcome::Completed, &names, &unsaid, Left::Nothing)
}

/// A migration about to copy its first row.
struct Started {
    config: Arc<Config>,
    prepared: Prepared,
    sockets: Option<Sockets>,
    hooks: Hooked,
    clock: Clock,
}

/// How a migration ended, and where that is recorded.
struct End {
    outcome: Outcome,
    report: Report,
    figures: Figures,
    history: Option<History>,
}

impl End {
    async fn record(&mut self) {
        if let Some(history) = &mut self.history {
            history
                .end(&self.report, &self.outcome, &self.figures)
                .await;
        }
    }

    /// The clean-up may have changed what is to be said.
    async fn correct(&mut self, report: Report) {
        if report != self.report {
            self.report = report;
            self.record().await;
        }
    }
}

async fn migrate(
    started: Started,
    reporter: &Reporter,
    mut signalled: mpsc::Receiver<Wish>,
) -> End {
    let (config, clock, hooks) = (started.config, started.clock, started.hooks);
    let Prepared {
        plan,
        server,
        mut session,
        route,
        resumed,
    } = started.prepared;
    let config = verification::of_everything(config, resumed.is_some(), reporter);
    let (kept, saved) = watch::channel(resumed.is_some());
    let (names, named) = (plan.names.clone(), Arc::clone(&plan));
    let address = Address {
        server_uuid: Some(server.uuid.clone()),
        ..route.written.clone()
    };
    let times = (clock, session.id());
    let history = History::begin(&config, &names, &address, times, reporter).await;
    step("prepared").await;
    let run = drive::Run {
        config: &config,
        plan,
        server,
        route: &route,
        main_id: session.id(),
        clock,
        reporter,
        resumed,
        kept,
        measured: hooks.measured.clone(),
    };
    let (run_again, facts) = (run.clone(), hooks.told.facts.clone());
    let mut driven = window::steer(run, hooks.surface(started.sockets), &mut signalled, None).await;
    step("decided").await;
    let verified = explained(
        &mut driven,
        &mut session,
        (&address, &named, &config),
        reporter,
    )
    .await;
    let drive::Driven {
        outcome, figures, ..
    } = driven;
    let told = |left| ended(&outcome, &names, &verified, left);
    let kept = *saved.borrow();
    let mut end = End {
        report: told(clean::expected(&outcome, kept)),
        outcome: outcome.clone(),
        figures,
        history,
    };
    // While the advisory lock is held: the next run on this table must find the end recorded. And before
    // anything is dropped, which can take long.
    end.record().await;
    if let (Some(length), Outcome::Completed) = (config.revert_window, &outcome) {
        let (run, session) = (run_again, &mut session);
        let swapped = window::Swapped {
            run,
            session,
            facts,
            end,
        };
        return Box::pin(window::wait(swapped, length, &mut signalled)).await;
    }
    let left = clean::clean(&mut session, &config, &names, (&outcome, kept), reporter).await;
    end.correct(told(left)).await;
    if outcome == Outcome::Completed {
        rehearsal::tell(&config, &names, reporter);
    }
    end
}

/// Finds out for people which rows an ending is about, and how much was verified.
async fn explained(
    driven: &mut drive::Driven,
    session: &mut Session,
    (address, plan, config): (&Address, &Arc<Plan>, &Config),
    reporter: &Reporter,
) -> Verified {
    if let Outcome::Failed(failure) = &mut driven.outcome {
        duplicates::name_rows(session, plan, failure, reporter).await;
        revert::name_misfits(address, plan, failure, &driven.misfits).await;
    }
    let locked = Address {
        lock: Some((plan.names.advisory_lock(), session.id())),
        ..address.clone()
    };
    verification::about(&driven.outcome, config.verify, &locked, plan, reporter).await
}

/// Settings of sessions that may idle for as long as a run takes; one of them holds the advisory lock.
fn usual(role: &'static str, sql_mode: String) -> Setup {
    Setup {
        role,
        sql_mode,
        zone: Zone::Server,
        lock_wait_seconds: 30,
        idle_seconds: limits::IDLE_SECONDS,
        pinned: String::new(),
        server_zone: String::new(),
    }
}

/// A session with a job: the server ends it soon when the tool is frozen, so that record locks of a
/// job half done don't outlive it; one that idled for too long is simply opened again.
async fn open(
    address: &Address,
    role: &'static str,
    plan: &Plan,
) -> Result<Session, crate::mysql::classify::Fault> {
    let setup = usual(role, plan.conversion.sql_mode());
    let idle_seconds = limits::LOCKER_IDLE_SECONDS;
    Session::open(
        address,
        Setup {
            idle_seconds,
            zone: plan.zone,
            pinned: plan.pinned.clone(),
            server_zone: plan.server_zone.clone(),
            ..setup
        },
    )
    .await
}

/// A step that is no statement: where fault tests can hold or kill a run.
#[cfg(feature = "faults")]
async fn step(name: &'static str) {
    // What isn't a statement can't fail, so there is nothing to tell anybody.
    let _ = crate::faults::at("engine", name).await;
}

/// Nothing, in a normal build.
#[cfg(not(feature = "faults"))]
async fn step(_: &'static str) {}
