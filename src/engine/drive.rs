//! The loop: one event after another into the core, its commands out to those who carry them out.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::behind::Behind;
use super::blockers::Memory;
use super::clerk::{self, Clerk};
use super::clock::{Clock, unlike_others};
use super::console::{Console, Parts};
use super::count::Counting;
use super::locker::{Locker, Timeline};
use super::rehearsal::Rehearsal;
use super::throttle::Collectors;
use super::topology::{self, Route};
use super::workers::{Done, Worker};
use super::{barrier, keeper, open, prepare, step, usual, verification};
use crate::config::{Config, RowCount, Throttle};
use crate::control::Wish;
use crate::control::desk::{Desk, Facts};
use crate::control::hooks::Runner;
use crate::control::socket::Sockets;
use crate::core::event::{Command, Event, Failure, Marker, Outcome};
use crate::core::rules::Rules;
use crate::core::{Core, Counters, Settings, Stage};
use crate::limits;
use crate::mysql::binlog::{self, Anchor, Delivery, ReplicaLog, Source};
use crate::mysql::classify::Fault;
use crate::mysql::inspect::{self, Counted};
use crate::mysql::place::Position;
use crate::mysql::session::{Address, Session, Setup};
use crate::plan::Plan;
use crate::plan::inspection::Server;
use crate::report::{Reporter, Snapshot};
use crate::sql::Sql;

type Wishes = (mpsc::Sender<Wish>, mpsc::Receiver<Wish>);

/// Everything the loop talks to.
struct Crew {
    workers: Vec<mpsc::Sender<Command>>,
    idle: Vec<usize>,
    /// Jobs for which no worker is free; as many as the core's own limits allow.
    waiting: VecDeque<Command>,
    scout: mpsc::Sender<Command>,
    locker: mpsc::Sender<Command>,
    markers: mpsc::Sender<Marker>,
    barrier: Option<Session>,
    /// Whether heartbeats rest.
    silent: watch::Sender<bool>,
    done: mpsc::Sender<Done>,
    tasks: JoinSet<()>,
}

/// Number of the scout among the reporters of results: it isn't one of the interchangeable ones.
const SCOUT: usize = usize::MAX - 1;

/// What a run works with.
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

/// Runs the migration from the position before the copy to its outcome.
pub(super) async fn drive(
    run: Run<'_>,
    surface: Surface,
    (wishes, mut wish_queue): Wishes,
) -> Result<Outcome, Fault> {
    let (done, mut results) = mpsc::channel(64);
    let begun = tokio::select! {
        begun = begin(&run, (done, wishes.clone()), surface.hooks.clone()) => begun?,
        // A replica may have to be waited for; nothing was copied yet.
        () = stopped(&mut wish_queue, run.reporter) => return Ok(Outcome::Stopped),
    };
    let (mut crew, mut deliveries, position) = begun;
    let plan = Arc::clone(&run.plan);
    let Run {
        config,
        route,
        clock,
        reporter,
        ..
    } = run;
    let settings = settings(config, &plan);
    verification::announce(&settings, route, reporter);
    let parts = parts(&run, surface, &crew, settings.chunk_rows_max);
    let (mut console, already) =
        Console::open(parts, config, wishes.clone(), &mut crew.tasks, reporter);
    crew.collect(&run, console.throttle(), wishes);
    let mut core = Core::new(settings);
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
            result = results.recv() => match result.map(|(who, event)| crew.freed(who, event)) {
                // A postpone or throttle file may have appeared while the lock was waited for.
                Some(Event::Locked) => console.look().into_iter().chain([Event::Locked]).collect(),
                event => event.into_iter().collect(),
            },
            delivery = deliveries.recv(), if core.wants_changes() => {
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
            _ = ticks.tick() => console.tick(clock.elapsed_ms()),
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
    drop((deliveries, results, wish_queue));
    crew.disband(console, reporter).await;
    Ok(outcome)
}

fn parts(run: &Run<'_>, surface: Surface, crew: &Crew, chunk_rows_max: u64) -> Parts {
    Parts {
        desk: Desk::new(run.config, surface.facts, chunk_rows_max),
        sockets: surface.sockets,
        hooks: surface.hooks,
        progress: surface.progress,
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
    let position = position(run, &mut barrier, &crew.markers).await?;
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
            Some(Wish::Throttle(..) | Wish::Files(_) | Wish::CopyRetried(_)) => {}
            None => return std::future::pending().await,
        }
    }
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
        dirty_bytes_max: limits::DIRTY_BYTES_MAX,
        byte_comparable: plan.key.byte_comparable,
        same_order: plan.key.same_order,
        other_unique_keys: plan.other_unique_keys,
        introduced_keys: !plan.introduced_keys.is_empty(),
        lag_max_ms: millis(config.throttle.lag_max),
        lock_held_max_ms: millis(config.cut_over.lock_held_max),
        pause_max_ms: millis(config.cut_over.pause_max),
        verify: verification::seeded(config.verify),
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
        key: plan.key.columns.clone(),
        columns: plan.original.columns.len(),
        reached_from_elsewhere: plan.reached_from_elsewhere,
    }
}

async fn assemble(
    run: &Run<'_>,
    address: &Address,
    (done, news): (mpsc::Sender<Done>, mpsc::Sender<Wish>),
    hooks: Option<Runner>,
) -> Result<Crew, Fault> {
    let Run {
        config,
        plan,
        clock,
        ..
    } = run;
    let sql = Arc::new(Sql::new(plan));
    let mut tasks = JoinSet::new();
    let mut workers = Vec::new();
    let count = config.copy_workers + config.refresh_workers;
    for number in (0..count).chain([SCOUT]) {
        let session = open(address, "worker", plan).await?;
        let worker = Worker::new(number, session, Arc::clone(&sql), *clock, news.clone());
        let (jobs, job_queue) = mpsc::channel(1);
        tasks.spawn(worker.run(job_queue, done.clone()));
        workers.push(jobs);
    }
    let scout = workers
        .pop()
        .ok_or_else(|| Fault::lost("start the workers"))?;
    let keeper = open(address, "keeper", plan).await?;
    tasks.spawn(keeper::run(
        keeper,
        plan.names.clone(),
        run.main_id,
        done.clone(),
    ));
    let (markers, marker_queue) = mpsc::channel(16);
    let (silent, resting) = watch::channel(false);
    let clerk = Clerk {
        session: open(address, "clerk", plan).await?,
        sql: Arc::clone(&sql),
        token: address.token.clone(),
        interval: config.heartbeat,
        silent: resting,
    };
    tasks.spawn(clerk.run(marker_queue, done.clone()));
    let locker = locker(run, address, sql, hooks).await?;
    let (locks, lock_queue) = mpsc::channel(4);
    tasks.spawn(locker.run(lock_queue, done.clone()));
    let idle = (0..count).collect();
    let waiting = VecDeque::new();
    Ok(Crew {
        workers,
        idle,
        waiting,
        scout,
        locker: locks,
        markers,
        barrier: None,
        silent,
        done,
        tasks,
    })
}

async fn locker(
    run: &Run<'_>,
    address: &Address,
    sql: Arc<Sql>,
    hooks: Option<Runner>,
) -> Result<Locker, Fault> {
    let mode = run.plan.conversion.sql_mode();
    let lock_held_max = run.config.cut_over.lock_held_max.as_secs();
    // It looks at the lock at every attempt; and what became of a RENAME must be found out even if
    // the lock is gone, as it is after a restart of the server.
    let unlocked = Address {
        lock: None,
        ..address.clone()
    };
    Ok(Locker {
        address: address.clone(),
        main_id: run.main_id,
        setup: Setup {
            role: "locker",
            sql_mode: mode.clone(),
            zone: run.plan.zone,
            // The watchdog ends the wait earlier; this is for when it can't.
            lock_wait_seconds: u32::try_from(lock_held_max).unwrap_or(3),
            // A frozen tool must not keep the tables locked for longer than was agreed to.
            idle_seconds: u32::try_from(lock_held_max).unwrap_or(3) + 1,
        },
        control: Session::open(
            &unlocked,
            Setup {
                zone: run.plan.zone,
                ..usual("control", mode)
            },
        )
        .await?,
        sql,
        plan: Arc::clone(&run.plan),
        reporter: run.reporter.clone(),
        holder: None,
        analyzed: false,
        clock: run.clock,
        timeline: Timeline::default(),
        rehearsal: Rehearsal::new(run.config, &unlocked, hooks, run.reporter),
        force_after: run.config.cut_over.force_after,
        kill: run.config.cut_over.kill,
        pause_max: run.config.cut_over.pause_max,
        memory: Memory::default(),
        triggers_made: false,
        broken: None,
    })
}

impl Crew {
    /// Starts the collectors of what pauses the run.
    fn collect(
        &mut self,
        run: &Run<'_>,
        settings: watch::Receiver<Throttle>,
        wishes: mpsc::Sender<Wish>,
    ) {
        let collectors = Collectors {
            settings,
            silent: self.silent.subscribe(),
            address: Address {
                server_uuid: Some(run.server.uuid.clone()),
                ..run.route.written.clone()
            },
            names: run.plan.names.clone(),
            heartbeat: run.config.heartbeat,
            wishes,
            clock: run.clock,
            reporter: run.reporter.clone(),
        };
        collectors.spawn(&mut self.tasks);
    }

    async fn carry_out(
        &mut self,
        command: Command,
        plan: &Arc<Plan>,
        clock: Clock,
        reporter: &Reporter,
    ) {
        match command {
            Command::WaitForBarrier => self.start_barrier(plan, clock, reporter),
            // A send fails only when the task is gone, and then its panic ends the run below.
            Command::FindChunkEnd { .. } => drop(self.scout.send(command).await),
            Command::Copy(_) | Command::Refresh(_) | Command::Compare(..) | Command::Check(..) => {
                self.waiting.push_back(command);
                self.hand_out().await;
            }
            Command::WriteMarker(marker) => drop(self.markers.send(marker).await),
            Command::Lock { .. }
            | Command::RefreshLocked { .. }
            | Command::Rename
            | Command::Unlock
            | Command::ReadOwnership => drop(self.locker.send(command).await),
        }
    }

    fn start_barrier(&mut self, plan: &Arc<Plan>, clock: Clock, reporter: &Reporter) {
        let Some(mut session) = self.barrier.take() else {
            return;
        };
        let (plan, reporter, done) = (Arc::clone(plan), reporter.clone(), self.done.clone());
        self.tasks.spawn(async move {
            let passed = async {
                barrier::wait(&mut session, &plan.names, clock, &reporter).await?;
                // A NULL that is there now has no event; one that comes later has.
                prepare::null_in_key(&mut session, &plan).await
            };
            let event = match passed.await {
                Ok(None) => Event::BarrierPassed,
                Ok(Some(refusal)) => Event::Broken(Failure::new(refusal.what, refusal.next)),
                Err(fault) => Event::Broken(fault.failure()),
            };
            let _ = done.send((usize::MAX, event)).await;
        });
    }

    async fn hand_out(&mut self) {
        while let Some(number) = self.idle.pop() {
            let Some(job) = self.waiting.pop_front() else {
                self.idle.push(number);
                return;
            };
            if let Some(worker) = self.workers.get(number) {
                drop(worker.send(job).await);
            }
        }
    }

    /// A result came in: its worker is free for the next waiting job.
    fn freed(&mut self, who: usize, event: Event) -> Event {
        if who < self.workers.len() {
            match self.waiting.pop_front() {
                // Its queue of one is empty: it has just reported.
                Some(job) => {
                    if let Some(worker) = self.workers.get(who) {
                        let _ = worker.try_send(job);
                    }
                }
                None => self.idle.push(who),
            }
        }
        event
    }

    /// Lets everybody finish the statement they are at, and end.
    async fn disband(self, console: Console, reporter: &Reporter) {
        console.finish().await;
        let Self {
            workers,
            scout,
            locker,
            markers,
            done,
            mut tasks,
            ..
        } = self;
        drop((workers, scout, locker, markers, done));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(limits::STOP_WAIT, all).await.is_err() {
            reporter.warn("a statement is still running; its connection is given up");
        }
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

/// What people see of a run; decides nothing.
struct Watch {
    counting_rows: bool,
    clock: Clock,
    rows_estimate: u64,
    position: Position,
    stage: Stage,
    stage_since_ms: u64,
    copy_ms: u64,
    copy_done: bool,
    cut_over_ms: u64,
    shown_ms: u64,
    next_hint_ms: u64,
    /// The replica that is followed, if it is one.
    behind: Option<Behind>,
    repairs: verification::Repaired,
    compared: verification::Compared,
}

/// Time between two hint blocks, gh-ost's.
const HINT_EVERY_MS: u64 = 600_000;

impl Watch {
    fn new(run: &Run<'_>, position: Position) -> Self {
        let clock = run.clock;
        let lag_max = run.config.throttle.lag_max;
        Self {
            counting_rows: run.config.row_count == RowCount::Before,
            clock,
            rows_estimate: run.plan.original.rows_estimate,
            position,
            stage: Stage::Barrier,
            stage_since_ms: clock.elapsed_ms(),
            copy_ms: 0,
            copy_done: false,
            cut_over_ms: 0,
            shown_ms: 0,
            next_hint_ms: 0,
            behind: run.route.followed.as_ref().map(|_| Behind::new(lag_max)),
            repairs: verification::Repaired::of(&run.plan),
            compared: verification::Compared::default(),
        }
    }

    /// Progress by the count; without one the estimate has to do.
    fn counted(&mut self, counted: Result<u64, Fault>, reporter: &Reporter) {
        self.counting_rows = false;
        match counted {
            Ok(rows) => {
                reporter.info(format!("counted rows={rows}"));
                self.rows_estimate = rows;
            }
            Err(fault) => reporter.warn(format!("progress goes by the estimate: {fault}")),
        }
    }

    /// Turns a delivery into the core's event.
    fn delivered(&mut self, delivery: Option<Delivery>, token: &str) -> Option<Event> {
        match delivery {
            Some(Delivery::Keys(keys)) => Some(Event::Changed(keys)),
            Some(Delivery::Changelog(clerk::MARKER_ROW, text)) => {
                clerk::marker_of(token, &text).map(Event::MarkerSeen)
            }
            Some(Delivery::Changelog(clerk::HEARTBEAT_ROW, text)) => {
                super::clock::age_ms(&text).map(Event::HeartbeatSeen)
            }
            Some(Delivery::Changelog(..)) => None,
            Some(Delivery::Position(position)) => {
                self.position = position;
                None
            }
            Some(Delivery::Alive) => Some(Event::StreamAlive),
            Some(Delivery::Broken(failure)) => Some(Event::Broken(failure)),
            None => Some(Event::Broken(Failure::new(
                "the stream of changes ended",
                "run the command again; if it happens again, report it",
            ))),
        }
    }

    /// Tells about a new stage, and shows a snapshot a few times a second.
    fn look(&mut self, core: &Core, console: &mut Console, reporter: &Reporter) {
        let view = core.view();
        let now = self.clock.elapsed_ms();
        self.repairs.look(core.repairs(), reporter);
        if let Some(line) = self.compared.look(core.extent(), &view) {
            reporter.info(line);
        }
        if view.stage != self.stage {
            self.tell_stage(view.stage, view.counters, now, reporter);
        }
        if self.stage == Stage::Copying {
            self.copy_ms = now - self.stage_since_ms;
        }
        if now >= self.shown_ms + 100 {
            self.shown_ms = now;
            // While a pause was asked for, no heartbeat may be written.
            if let (Some(behind), None) = (&mut self.behind, view.throttled) {
                behind.tell(view.lag_ms, reporter);
            }
            let snapshot = self.snapshot(core, console, now);
            console.progressed(view.stage, &snapshot);
            if now >= self.next_hint_ms {
                self.next_hint_ms = now + HINT_EVERY_MS;
                reporter.hint(console.hint());
            }
            reporter.snapshot(snapshot);
        }
    }

    fn tell_stage(&mut self, stage: Stage, counters: Counters, now: u64, reporter: &Reporter) {
        let seconds = seconds(now - self.stage_since_ms);
        match self.stage {
            // Neither came to its end.
            Stage::Copying | Stage::Verifying if stage == Stage::Ended => {}
            Stage::Copying => {
                self.copy_done = true;
                reporter.info(format!(
                    "copy complete rows={} chunks={} seconds={seconds}",
                    counters.rows_copied, counters.chunks
                ));
            }
            Stage::Verifying => reporter.info(self.compared.line(counters, &seconds)),
            Stage::CutOver => self.cut_over_ms = now - self.stage_since_ms,
            Stage::Barrier | Stage::Postponed | Stage::Waiting | Stage::Ended => {}
        }
        self.stage = stage;
        self.stage_since_ms = now;
    }

    fn finish(&mut self, core: &Core, console: &Console, outcome: &Outcome, reporter: &Reporter) {
        let now = self.clock.elapsed_ms();
        if *outcome == Outcome::Completed {
            let counters = core.counters();
            reporter.info(format!(
                "cut over attempts={} cut_over_ms={} rows={} changes_refreshed={} total_seconds={}",
                counters.attempts,
                self.cut_over_ms,
                counters.rows_copied,
                counters.keys_refreshed,
                seconds(now),
            ));
        }
        reporter.snapshot(self.snapshot(core, console, now));
    }

    fn snapshot(&self, core: &Core, console: &Console, now: u64) -> Snapshot {
        let view = core.view();
        let copied = view.counters.rows_copied;
        let total = if self.copy_done {
            copied
        } else {
            self.rows_estimate.max(copied).max(1)
        };
        let rate = copied.saturating_mul(1_000) / self.copy_ms.max(1);
        let eta_ms = (rate > 0 && copied.saturating_mul(1_000) >= total)
            .then(|| (total - copied).saturating_mul(1_000) / rate);
        let state = match (view.throttled, view.stage) {
            (Some(reason), _) => format!("throttled, {reason}"),
            (None, _) if self.counting_rows => "counting rows".into(),
            (None, stage) if console.is_postponing(stage) => "postponing cut-over".into(),
            (None, stage) => self
                .behind
                .as_ref()
                .and_then(|behind| behind.waited_for(stage, view.lag_ms))
                .unwrap_or_else(|| "migrating".into()),
        };
        Snapshot {
            rows_copied: copied,
            rows_total: total,
            copy_done: self.copy_done,
            applied: view.counters.keys_refreshed,
            backlog: view.dirty,
            held: view.held,
            backlog_capacity: limits::DIRTY_BYTES_MAX / (limits::DIRTY_KEY_OVERHEAD + 8),
            elapsed_ms: now,
            copy_ms: self.copy_ms,
            position: self.position.to_string(),
            lag_ms: view.lag_ms,
            state,
            throttled_ms: console.throttled_ms(),
            stage: match view.stage {
                Stage::Barrier => "preparing",
                Stage::Copying => "copying",
                Stage::Verifying => "verifying",
                Stage::Postponed => "postponed",
                Stage::Waiting => "ready",
                Stage::CutOver => "swapping",
                Stage::Ended => "done",
            },
            rows_verified: view.counters.rows_verified,
            suspects: view.suspects,
            rows_per_second: rate,
            eta_ms,
        }
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}
