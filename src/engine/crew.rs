//! Everybody the loop talks to: who they are, how they are hired, and how commands reach them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::blockers::Memory;
use super::clerk::Clerk;
use super::clock::Clock;
use super::console::Console;
use super::drive::Run;
use super::indexes::Builder;
use super::locker::{Locker, Timeline};
use super::places::Places;
use super::queries::Comparer;
use super::rehearsal::Rehearsal;
use super::scribe::Scribe;
use super::throttle::Collectors;
use super::workers::{Done, Worker};
use super::{barrier, keeper, open, prepare, revert, usual};
use crate::config::{Config, OnReplica, Throttle};
use crate::control::Wish;
use crate::control::hooks::Runner;
use crate::core::checkpoint::Checkpoint;
use crate::core::event::{Command, Event, Failure, Marker, Outcome};
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::session::{Address, Session, Setup};
use crate::plan::Plan;
use crate::plan::saved::Progress;
use crate::report::Reporter;
use crate::sql::Sql;

/// Everything the loop talks to.
pub(super) struct Crew {
    pub(super) workers: Vec<mpsc::Sender<Command>>,
    pub(super) idle: Vec<usize>,
    /// Jobs for which no worker is free; as many as the core's own limits allow.
    pub(super) waiting: VecDeque<Command>,
    pub(super) scout: mpsc::Sender<Command>,
    pub(super) locker: mpsc::Sender<Command>,
    pub(super) markers: mpsc::Sender<Marker>,
    /// Writes checkpoints, if there are any.
    pub(super) scribe: Option<mpsc::Sender<Progress>>,
    /// Builds the ghost's deferred indexes, if there are any.
    pub(super) builder: Option<mpsc::Sender<()>>,
    /// Compares the plans of statements, if that is wanted.
    pub(super) comparer: Option<mpsc::Sender<()>>,
    pub(super) places: Places,
    pub(super) barrier: Option<Session>,
    /// Whether heartbeats rest.
    pub(super) silent: watch::Sender<bool>,
    pub(super) done: mpsc::Sender<Done>,
    pub(super) tasks: JoinSet<()>,
}

/// Number of the scout among the reporters of results: it isn't one of the interchangeable ones.
const SCOUT: usize = usize::MAX - 1;

/// Opens the connections of all of them.
pub(super) async fn assemble(
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
    let (places, scribe) = keep(run, address, &mut tasks, &done).await?;
    let builder = Builder::of(run, address).map(|builder| {
        let (orders, queue) = mpsc::channel(1);
        tasks.spawn(builder.run(queue, done.clone()));
        orders
    });
    let comparer = Comparer::hire(run, address, &mut tasks, &done);
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
        scribe,
        builder,
        comparer,
        places,
        barrier: None,
        silent,
        done,
        tasks,
    })
}

/// What checkpoints need: a connection of their own, and places to begin at.
async fn keep(
    run: &Run<'_>,
    address: &Address,
    tasks: &mut JoinSet<()>,
    done: &mpsc::Sender<Done>,
) -> Result<(Places, Option<mpsc::Sender<Progress>>), Fault> {
    let every = run.config.checkpoint;
    let log = run.route.followed.as_ref().map(|followed| &followed.server);
    let servers = (&run.server, log.unwrap_or(&run.server));
    let number = run.resumed.as_ref().map(|from| from.checkpoint.number);
    let ways = revert::ways(&run.plan.names, run.resumed.as_ref());
    let places = Places::new(every, servers, number.unwrap_or_default(), ways);
    if every.is_none() {
        return Ok((places, None));
    }
    let scribe = Scribe {
        session: open(address, "scribe", &run.plan).await?,
        names: run.plan.names.clone(),
        kept: run.kept.clone(),
        reporter: run.reporter.clone(),
    };
    // The core takes no checkpoint before the last one is written; the swap may follow on one.
    let (entries, queue) = mpsc::channel(2);
    tasks.spawn(scribe.run(queue, done.clone()));
    Ok((places, Some(entries)))
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
            pinned: run.plan.pinned.clone(),
            server_zone: run.plan.server_zone.clone(),
        },
        control: Session::open(
            &unlocked,
            Setup {
                zone: run.plan.zone,
                pinned: run.plan.pinned.clone(),
                server_zone: run.plan.server_zone.clone(),
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
    pub(super) fn collect(
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

    pub(super) async fn carry_out(
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
            Command::WriteCheckpoint(checkpoint) => self.write_down(checkpoint).await,
            Command::BuildIndexes => {
                if let Some(builder) = &self.builder {
                    let _ = builder.send(()).await;
                }
            }
            Command::ComparePlans => {
                if let Some(comparer) = &self.comparer {
                    let _ = comparer.send(()).await;
                }
            }
            Command::WriteMarker(marker) => drop(self.markers.send(marker).await),
            Command::Lock { .. }
            | Command::RefreshLocked { .. }
            | Command::Rename
            | Command::Unlock
            | Command::ReadOwnership => drop(self.locker.send(command).await),
        }
    }

    async fn write_down(&mut self, checkpoint: Checkpoint) {
        if let (Some(scribe), Some(progress)) = (&self.scribe, self.places.write_down(checkpoint)) {
            drop(scribe.send(progress).await);
        }
    }

    /// After a swap, writes down from where a revert has to read the log.
    pub(super) async fn note_end(&mut self, config: &Config, outcome: &Outcome) {
        let rehearsed = matches!(config.topology.on_replica, OnReplica::Test { .. });
        let kept = !rehearsed && !config.drop_old && config.revert.is_none();
        let swapped = *outcome == Outcome::Completed && kept;
        if let (Some(scribe), true) = (&self.scribe, swapped) {
            drop(scribe.send(self.places.swapped()).await);
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
    pub(super) fn freed(&mut self, who: usize, event: Event) -> Event {
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
    pub(super) async fn disband(self, console: Console, reporter: &Reporter) {
        console.finish().await;
        let Self {
            workers,
            scout,
            locker,
            markers,
            scribe,
            builder,
            comparer,
            done,
            mut tasks,
            ..
        } = self;
        drop((
            workers, scout, locker, markers, scribe, builder, comparer, done,
        ));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(limits::STOP_WAIT, all).await.is_err() {
            reporter.warn("a statement is still running; its connection is given up");
        }
    }
}
