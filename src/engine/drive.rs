//! The loop: one event after another into the core, its commands out to those who carry them out.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::clock::{Clock, unlike_others};
use super::console::{Console, Parts};
use super::count::Counting;
use super::crew::{Crew, assemble};
use super::resume::Resumed;
use super::topology::{self, Route};
use super::view::Watch;
use super::workers::Done;
use super::{open, prepare, step, usual, verification};
use crate::config::Config;
use crate::control::Wish;
use crate::control::desk::{Desk, Facts};
use crate::control::hooks::Runner;
use crate::control::socket::Sockets;
use crate::core::event::{Event, Failure, Marker, Outcome};
use crate::core::rules::Rules;
use crate::core::{Core, Settings};
use crate::limits;
use crate::mysql::binlog::{self, Anchor, Delivery, ReplicaLog, Source};
use crate::mysql::classify::Fault;
use crate::mysql::inspect::{self, Counted};
use crate::mysql::place::Position;
use crate::mysql::session::{Address, Session, mark_of_table};
use crate::plan::Plan;
use crate::plan::history::Figures;
use crate::plan::inspection::Server;
use crate::plan::key::Key;
use crate::report::{Reporter, Snapshot};

type Wishes = (mpsc::Sender<Wish>, mpsc::Receiver<Wish>);

/// What a run works with.
#[derive(Clone)]
pub(super) struct Run<'a> {
    /// The operator's wishes.
    pub config: &'a Config,
    /// The plan.
    pub plan: Arc<Plan>,
    /// What the server is.
    pub server: Server,
    /// Where the run works.
    pub route: &'a Route,
    /// The connection that holds the advisory lock.
    pub main_id: u32,
    /// The run's clock.
    pub clock: Clock,
    /// Where to report.
    pub reporter: &'a Reporter,
    /// Where the run goes on, if it does.
    pub resumed: Option<Resumed>,
    /// Told when there is a checkpoint to go on from.
    pub kept: watch::Sender<bool>,
    /// What machines are told of the progress.
    pub measured: watch::Sender<Snapshot>,
}

/// What operators reach a run by.
pub(super) struct Surface {
    /// What they are told that doesn't change.
    pub facts: Facts,
    /// Runs hooks.
    pub hooks: Option<Runner>,
    /// What hooks are told of the progress.
    pub progress: watch::Sender<Snapshot>,
    /// The open sockets.
    pub sockets: Option<Sockets>,
}

/// What came of a run.
pub(super) struct Driven {
    /// In terms of the data.
    pub outcome: Outcome,
    /// In numbers.
    pub figures: Figures,
    /// Keys of rows that don't fit.
    pub misfits: Vec<Key>,
    /// Nobody has asked for the revert that the window is for.
    pub waiting: bool,
}

impl Driven {
    /// Before anything was done.
    pub(super) fn stopped() -> Self {
        Self {
            outcome: Outcome::Stopped,
            figures: Figures::default(),
            misfits: Vec::new(),
            waiting: true,
        }
    }
}

/// Runs the migration from the position before the copy to its outcome.
pub(super) async fn drive(
    run: Run<'_>,
    surface: Surface,
    (wishes, mut wish_queue): Wishes,
) -> Result<Driven, Fault> {
    let (done, mut results) = mpsc::channel(64);
    let begun = tokio::select! {
        begun = begin(&run, (done, wishes.clone()), surface.hooks.clone()) => begun?,
        // A replica may have to be waited for; nothing was copied yet.
        () = stopped(&mut wish_queue, run.reporter) => return Ok(Driven::stopped()),
    };
    let (mut crew, mut deliveries, position) = begun;
    let plan = Arc::clone(&run.plan);
    let settings = announced(&run);
    let parts = parts(&run, surface, &crew, settings.chunk_rows_max);
    let mut core = core(settings, run.resumed.as_ref());
    let Run {
        config,
        route,
        clock,
        reporter,
        ..
    } = run;
    let (mut console, already) =
        Console::open(parts, config, wishes.clone(), &mut crew.tasks, reporter);
    crew.collect(&run, console.throttle(), wishes);
    // Before the first step, so that what holds already does so from the beginning.
    for event in already {
        core.step(event);
    }
    let mut watch = Watch::new(&run, position);
    let mut ticks = ticks();
    let written = &route.written;
    let mut counting = Counting::start(config.row_count, &mut crew.tasks, written, &plan.names);
    let mut commands = console.begin(&counting, &mut core).await;
    while core.outcome().is_none() {
        for command in commands {
            crew.carry_out(command, &plan, clock, reporter).await;
        }
        let events = tokio::select! {
            result = results.recv() => {
                let event = result.map(|(who, event)| crew.freed(who, event));
                event.map(|event| heard(event, &mut watch, &mut console)).unwrap_or_default()
            }
            delivery = deliveries.recv(), if core.wants_changes() => {
                crew.places.take_in(&delivery);
                watch.delivered(delivery, &route.written.token).into_iter().collect()
            }
            wish = wish_queue.recv() => wish.map(|wish| console.wished(wish)).unwrap_or_default(),
            said = console.next() => {
                let snapshot = watch.snapshot(&core, &console, clock.elapsed_ms());
                console.said(said, &snapshot, core.view().stage)
            }
            counted = counting.counted() => {
                watch.counted(counted, reporter);
                commands = console.counted(&mut counting, &mut core).await;
                continue;
            }
            ended = crew.tasks.join_next() => died(ended).into_iter().collect(),
            _ = ticks.tick() => ticked(&mut crew, &mut console, clock.elapsed_ms()),
        };
        commands = events
            .into_iter()
            .flat_map(|event| core.step(event))
            .collect();
        watch.look(&core, &mut console, reporter);
    }
    drop(counting);
    let outcome = core.outcome().cloned().unwrap_or(Outcome::Stopped);
    watch.finish(&core, &console, &outcome, reporter);
    crew.note_end(config, &outcome).await;
    drop((deliveries, results, wish_queue));
    let driven = driven(outcome, &core, &watch, &console);
    crew.disband(console, reporter).await;
    Ok(driven)
}

fn driven(outcome: Outcome, core: &Core, watch: &Watch, console: &Console) -> Driven {
    Driven {
        outcome,
        figures: watch.figures(core.counters()),
        misfits: core.misfits().iter().cloned().collect(),
        waiting: console.waits_to_revert(),
    }
}

/// The settings; what they leave unverified is told.
fn announced(run: &Run<'_>) -> Settings {
    let settings = settings(run.config, &run.plan);
    verification::announce(&settings, run.route, run.reporter);
    settings
}

fn core(settings: Settings, resumed: Option<&Resumed>) -> Core {
    match resumed {
        Some(from) => Core::resume(settings, from.checkpoint.clone()),
        None => Core::new(settings),
    }
}

fn ticked(crew: &mut Crew, console: &mut Console, now_ms: u64) -> Vec<Event> {
    let reached = crew.places.reached(now_ms);
    reached.into_iter().chain(console.tick(now_ms)).collect()
}

/// What a result means to the core, and what it has to know before it.
fn heard(event: Event, watch: &mut Watch, console: &mut Console) -> Vec<Event> {
    match event {
        // A postpone or throttle file may have appeared while the lock was waited for.
        Event::Locked => {
            watch.locked();
            console.look().into_iter().chain([Event::Locked]).collect()
        }
        Event::PlansCompared(objection) => console.plans(objection),
        event => vec![event],
    }
}

fn parts(run: &Run<'_>, surface: Surface, crew: &Crew, chunk_rows_max: u64) -> Parts {
    Parts {
        desk: Desk::new(run.config, surface.facts, chunk_rows_max),
        sockets: surface.sockets,
        hooks: surface.hooks,
        progress: surface.progress,
        measured: run.measured.clone(),
        silent: crew.silent.clone(),
        clock: run.clock,
        chunk_rows_cap: rows_by_bytes(&run.plan),
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(limits::TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    ticks
}

/// Opens all connections, takes the position, and follows the binary log from there.
async fn begin(
    run: &Run<'_>,
    tell: (mpsc::Sender<Done>, mpsc::Sender<Wish>),
    hooks: Option<Runner>,
) -> Result<(Crew, mpsc::Receiver<Delivery>, Position), Fault> {
    let (roster, joined) = mpsc::channel(limits::ROSTER_QUEUE);
    let mut address = run.route.written.clone();
    address.server_uuid = Some(run.server.uuid.clone());
    address.lock = Some((run.plan.names.advisory_lock(), run.main_id));
    let members = Address {
        roster: Some(roster),
        ..address.clone()
    };
    let mut crew = assemble(run, &members, tell, hooks).await?;
    step("connected").await;
    let mut barrier = open(&members, "barrier", &run.plan).await?;
    let position = match &run.resumed {
        Some(from) => from.position.clone(),
        None => position(run, &mut barrier, &crew.markers).await?,
    };
    crew.places.begin(position.clone());
    run.reporter
        .info(format!("following the binary log from {position}"));
    // What is altered from here on is in the log; what was altered before must not have been.
    prepare::unchanged(&mut barrier, &run.plan).await?;
    crew.barrier = Some(barrier);
    let (stream, deliveries) = mpsc::channel(limits::STREAM_QUEUE);
    let source = source(run, &address);
    crew.tasks
        .spawn(binlog::follow(source, position.clone(), joined, stream));
    step("followed").await;
    Ok((crew, deliveries, position))
}

/// Rows of this table that a chunk may have for their size.
fn rows_by_bytes(plan: &Plan) -> u64 {
    (limits::CHUNK_BYTES_MAX / plan.original.row_bytes.max(1)).max(1)
}

/// The position from which the log is followed.
///
/// A replica's is taken before the start barrier looks at the primary's locks. What stood in the
/// replica's log then had been logged on the primary before, so its writer is either done or among those
/// that the barrier finds. The other way round, a transaction could be logged on both between the look and
/// the position, and be in neither.
async fn position(
    run: &Run<'_>,
    barrier: &mut Session,
    markers: &mpsc::Sender<Marker>,
) -> Result<Position, Fault> {
    let counted = if run.config.topology.gtid {
        Counted::ByGtids
    } else {
        Counted::InFiles
    };
    let Some(followed) = &run.route.followed else {
        return inspect::position(barrier, counted).await;
    };
    let mut replica = Session::open(&followed.address, usual("topology", String::new())).await?;
    // The clerk's end would be told by its own result.
    let _ = markers.send(topology::FIRST_MARKER).await;
    topology::arrived(
        &mut replica,
        &run.plan.names,
        &followed.address.token,
        run.clock,
        run.reporter,
    )
    .await?;
    inspect::position(&mut replica, counted).await
}

/// Returns when the operator wants to stop. Other wishes have no meaning before the loop; what files say
/// is looked at again when it begins.
async fn stopped(wishes: &mut mpsc::Receiver<Wish>, reporter: &Reporter) {
    loop {
        match wishes.recv().await {
            Some(Wish::Stop(why)) => {
                reporter.info(why);
                return;
            }
            Some(Wish::Throttle(..) | Wish::Files(_) | Wish::CopyRetried(_) | Wish::WindowOver) => {
            }
            None => return std::future::pending().await,
        }
    }
}

/// Keys that a refresh may have for the size of their rows.
fn refresh_keys_max(plan: &Plan) -> usize {
    let fitting = limits::REFRESH_ROW_BYTES_MAX / plan.original.row_bytes.max(1);
    usize::try_from(fitting).map_or(limits::REFRESH_KEYS_MAX, |keys| {
        keys.clamp(1, limits::REFRESH_KEYS_MAX)
    })
}

fn settings(config: &Config, plan: &Plan) -> Settings {
    let rows_max = config
        .chunk_rows
        .unwrap_or(limits::CHUNK_ROWS_MAX)
        .min(rows_by_bytes(plan));
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(0);
    Settings {
        copy_workers: config.copy_workers,
        refresh_workers: config.refresh_workers,
        chunk_rows: limits::CHUNK_ROWS_START.min(rows_max),
        chunk_rows_max: rows_max,
        copy_target_ms: millis(limits::COPY_CHUNK_TARGET),
        refresh_keys: limits::REFRESH_KEYS,
        refresh_keys_max: refresh_keys_max(plan),
        dirty_bytes_max: limits::DIRTY_BYTES_MAX,
        byte_comparable: plan.key.byte_comparable,
        integer_key: plan.key.is_one_integer(),
        same_order: plan.key.same_order,
        other_unique_keys: plan.other_unique_keys,
        introduced_keys: plan.makes_rows_anew(),
        lag_max_ms: millis(config.throttle.lag_max),
        lock_held_max_ms: millis(config.cut_over.lock_held_max),
        pause_max_ms: millis(config.cut_over.pause_max),
        checkpoint_ms: config.checkpoint.map(millis),
        deferred_indexes: plan.deferred.is_some(),
        compare_plans_ms: config.cut_over.plans.map(|plans| millis(plans.again)),
        verify: verification::seeded(config.verify),
        compare_behind_copy: config.compare_behind_copy,
        rules: Rules::default(),
    }
}

fn source(run: &Run<'_>, address: &Address) -> Source {
    let plan = &run.plan;
    let mut losses_max = limits::RECONNECTS;
    let (address, server, anchor) = match &run.route.followed {
        None => (address, &run.server, Anchor::Lock(run.main_id)),
        Some(followed) => {
            losses_max = limits::REPLICA_RECONNECTS;
            let log = if followed.server.flushes_log {
                ReplicaLog::Flushed
            } else {
                ReplicaLog::Unflushed
            };
            (&followed.address, &followed.server, Anchor::Replica(log))
        }
    };
    Source {
        address: address.clone(),
        server_uuid: server.uuid.clone(),
        server_started: server.started,
        anchor,
        losses_max: run.config.dump_failures_max.unwrap_or(losses_max),
        seed: unlike_others(),
        names: plan.names.clone(),
        table_names: server.table_names,
        key: plan.key.columns.clone(),
        columns: plan.original.columns.len(),
        reached_from_elsewhere: plan.reached_from_elsewhere,
        keeps_values: !plan.columns.kept.is_empty(),
        earlier: run
            .resumed
            .as_ref()
            .map(|_| mark_of_table(&plan.names.advisory_lock())),
        swap: run.resumed.as_ref().and_then(|from| from.swap),
    }
}

/// Tasks end when their work is done; one that panicked leaves a job undone.
fn died(ended: Option<Result<(), tokio::task::JoinError>>) -> Option<Event> {
    match ended {
        Some(Err(error)) if error.is_panic() => Some(Event::Broken(Failure::new(
            "a part of the program broke one of its own rules",
            "report it with the lines above",
        ))),
        Some(_) | None => None,
    }
}
