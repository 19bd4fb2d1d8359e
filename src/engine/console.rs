//! The operator's side of the loop: desk, flag files, socket and hooks joined to the core's events.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::clock::Clock;
use super::clock::now_seconds;
use super::count::Counting;
use crate::config::{Config, Throttle};
use crate::control::desk::{Act, Desk};
use crate::control::files::{self, Files};
use crate::control::hooks::{self, Runner};
use crate::control::socket::{Request, Sockets};
use crate::control::throttle::{Pause, nice_permille};
use crate::control::window::Window;
use crate::control::{Hold, Wish};
use crate::core::event::{Command, Event, Failure};
use crate::core::{Core, Stage};
use crate::limits;
use crate::report::Reporter;
use crate::report::hint;
use crate::report::line::Snapshot;

/// What a hook was run for, and what came of it.
type Ran = (hooks::Event, Result<(), String>);

/// Everything that operators can do to a run.
pub(super) struct Console {
    desk: Desk,
    files: watch::Sender<Files>,
    throttle: watch::Sender<Throttle>,
    /// Whether heartbeats rest.
    silent: watch::Sender<bool>,
    pause: Pause,
    clock: Clock,
    /// Most rows of a chunk by the rows' size, whatever the operator allows.
    chunk_rows_cap: u64,
    requests: mpsc::Receiver<Request>,
    hooks: Option<Runner>,
    ran: (mpsc::Sender<Ran>, mpsc::Receiver<Ran>),
    /// Hooks being run.
    running: JoinSet<()>,
    progress: watch::Sender<Snapshot>,
    measured: watch::Sender<Snapshot>,
    reporter: Reporter,
    told: Stages,
    next_status_ms: u64,
    status_every_ms: u64,
    window: Option<Window>,
    /// How long plans may hold the cut-over back, and since when they do.
    plans_wait: Option<Duration>,
    plans_since_ms: Option<u64>,
}

/// Which events have been told to hooks.
#[derive(Debug, Clone, Copy, Default)]
struct Stages {
    copied: bool,
    ready: bool,
    postponed: bool,
}

/// What a run hands to its console.
pub(super) struct Parts {
    /// Owner of the live settings.
    pub desk: Desk,
    /// The open sockets.
    pub sockets: Option<Sockets>,
    /// Runs hooks, if there are any.
    pub hooks: Option<Runner>,
    /// What hooks are told of the progress.
    pub progress: watch::Sender<Snapshot>,
    /// What machines are told of it.
    pub measured: watch::Sender<Snapshot>,
    /// Whether heartbeats rest.
    pub silent: watch::Sender<bool>,
    /// The run's clock.
    pub clock: Clock,
    /// Most rows of a chunk by the rows' size.
    pub chunk_rows_cap: u64,
}

/// Hooks and requests that wait for the loop; it never blocks, so few ever do.
const QUEUE: usize = 16;

impl Console {
    /// Starts the watchers. Returns what already holds before the first step.
    pub(super) fn open(
        parts: Parts,
        config: &Config,
        wishes: mpsc::Sender<Wish>,
        tasks: &mut JoinSet<()>,
        reporter: &Reporter,
    ) -> (Self, Vec<Event>) {
        let watched = Files {
            throttle: config.throttle.file.clone(),
            additional: config.throttle.additional_file.clone(),
            postpone: config.cut_over.postpone_file.clone(),
            panic: config.panic_file.clone(),
        };
        if let Err(error) = watched.create_postpone() {
            reporter.warn(format!(
                "the postpone flag file could not be created: {error}"
            ));
        }
        let (requests, request_queue) = mpsc::channel(QUEUE);
        let mut desk = parts.desk;
        if let Some(sockets) = parts.sockets {
            if sockets.path() != config.control.socket {
                reporter.warn(format!(
                    "{} is in use by another run; this one listens on {}",
                    config.control.socket.display(),
                    sockets.path().display()
                ));
            }
            desk = desk.serving_on(sockets.path().to_owned());
            tasks.spawn(sockets.serve(requests, parts.hooks.clone()));
        }
        let mut console = Self {
            desk,
            files: watch::channel(watched).0,
            throttle: watch::channel(config.throttle.clone()).0,
            silent: parts.silent,
            pause: Pause::default(),
            clock: parts.clock,
            chunk_rows_cap: parts.chunk_rows_cap,
            requests: request_queue,
            hooks: parts.hooks,
            ran: mpsc::channel(QUEUE),
            running: JoinSet::new(),
            progress: parts.progress,
            measured: parts.measured,
            reporter: reporter.clone(),
            told: Stages::default(),
            next_status_ms: millis(config.hooks.status_interval),
            status_every_ms: millis(config.hooks.status_interval),
            window: config.cut_over.window.clone(),
            plans_wait: config.cut_over.plans.and_then(|plans| plans.wait),
            plans_since_ms: None,
        };
        tasks.spawn(files::watch(console.files.subscribe(), wishes));
        let mut events = vec![console.tuned()];
        let unread = console.desk.reason().cloned().map(Some);
        let acts = unread.map(Act::Throttled).into_iter().collect();
        events.extend(console.carry_out(acts));
        events.extend(console.look());
        if console.waits_to_revert() {
            events.push(Event::Postponed(true));
        }
        if console.hooks.is_some() {
            let acts = console.desk.hold(Hold::Hook, true);
            events.extend(console.carry_out(acts));
        }
        (console, events)
    }

    /// The live settings of what pauses a run.
    pub(super) fn throttle(&self) -> watch::Receiver<Throttle> {
        self.throttle.subscribe()
    }

    /// How long everything has been paused, if it is.
    pub(super) fn throttled_ms(&self) -> Option<u64> {
        let now_ms = self.clock.elapsed_ms();
        self.pause
            .since_ms()
            .map(|since| now_ms.saturating_sub(since))
    }

    /// How often everything was paused, and how long those pauses took that are over.
    pub(super) fn pauses(&self) -> (u64, u64) {
        (self.pause.count(), self.pause.past_ms())
    }

    /// Hands the numbers to those who collect them; nobody is waited for.
    pub(super) fn measured(&self, snapshot: &Snapshot) {
        self.measured.send_replace(snapshot.clone());
    }

    /// The settings that the core goes by.
    fn tuned(&self) -> Event {
        let throttle = self.desk.throttle();
        Event::Tuned {
            chunk_rows_max: self.desk.chunk_rows().min(self.chunk_rows_cap),
            lag_max_ms: millis(throttle.lag_max),
            nice_permille: nice_permille(throttle.nice_ratio),
        }
    }

    /// Begins the copy, unless it waits for a count: changes are collected meanwhile, so nothing is missed.
    pub(super) async fn begin(&self, counting: &Counting, core: &mut Core) -> Vec<Command> {
        if counting.is_awaited() {
            return Vec::new();
        }
        self.before_the_copy(core).await
    }

    /// The last word of a hook before the first row is copied; then the core begins.
    pub(super) async fn before_the_copy(&self, core: &mut Core) -> Vec<Command> {
        match self.must(&hooks::Event::BeforeRowCopy).await {
            Ok(()) => core.start(),
            Err(broken) => core.step(broken),
        }
    }

    /// The rows are counted. A hook that doesn't like it ends the run if the copy waited for the count,
    /// which begins now.
    pub(super) async fn counted(
        &mut self,
        counting: &mut Counting,
        core: &mut Core,
    ) -> Vec<Command> {
        if !std::mem::take(counting).is_awaited() {
            if let Some(hooks) = self.hooks.clone() {
                self.run_hooks(hooks, vec![hooks::Event::RowcountComplete]);
            }
            return Vec::new();
        }
        match self.must(&hooks::Event::RowcountComplete).await {
            Ok(()) => self.before_the_copy(core).await,
            Err(broken) => core.step(broken),
        }
    }

    async fn must(&self, event: &hooks::Event) -> Result<(), Event> {
        let Some(hooks) = &self.hooks else {
            return Ok(());
        };
        let next = "see what the hook said, then run the command again";
        let ran = hooks.run(event).await;
        ran.map_err(|wrong| Event::Broken(Failure::new(wrong, next)))
    }

    /// The hint block as it is now, without its last line end.
    pub(super) fn hint(&self) -> String {
        hint::block(&self.desk.hint())
            .trim_end_matches('\n')
            .to_owned()
    }

    /// Only hooks hold the cut-over back, which nobody calls postponed.
    pub(super) fn is_postponing(&self, stage: Stage) -> bool {
        stage == Stage::Postponed && self.desk.held_by_operator()
    }

    /// Nobody has asked for the revert that the window is for.
    pub(super) fn waits_to_revert(&self) -> bool {
        self.desk.waits_to_revert()
    }

    /// The flag files and the window looked at here and now: before the first step, and under the cut-over's lock.
    pub(super) fn look(&mut self) -> Vec<Event> {
        let flags = self.files.borrow().look();
        let acts = self.desk.files(flags);
        let mut events = self.carry_out(acts);
        events.extend(self.clock());
        events
    }

    /// What the clock says of the cut-over's window, which may have opened or closed.
    fn clock(&mut self) -> Vec<Event> {
        let Some(window) = &self.window else {
            return Vec::new();
        };
        let (acts, opens) = self.desk.window(window.at(now_seconds()));
        if let Some(moment) = opens {
            self.reporter.info(format!(
                "no cut-over before {moment} (--cut-over-window); the command cut-over allows it earlier"
            ));
        }
        self.carry_out(acts)
    }

    /// Plans were compared. The core hears first whether the cut-over waits for them.
    pub(super) fn plans(&mut self, objection: Option<String>) -> Vec<Event> {
        let waited = self.desk.waits_for_plans();
        let acts = self.desk.plans(objection.is_some());
        let waits = self.desk.waits_for_plans();
        match &objection {
            Some(why) if waits && !waited => self.reporter.warn(format!(
                "the cut-over waits: {why}. Look at the statements named above; the command cut-over swaps the tables \
                 all the same, panic ends the run. Plans are compared again every {} s (--compare-plans)",
                limits::PLANS_AGAIN.as_secs()
            )),
            Some(_) | None => {}
        }
        let mut events = self.carry_out(acts);
        events.push(Event::PlansCompared(objection));
        events
    }

    /// Nobody has said anything about plans that hold the cut-over back for as long as they may.
    fn plans_overdue(&mut self, now_ms: u64) -> Option<Event> {
        if !self.desk.waits_for_plans() {
            self.plans_since_ms = None;
            return None;
        }
        let since_ms = *self.plans_since_ms.get_or_insert(now_ms);
        let wait = self.plans_wait?;
        (now_ms.saturating_sub(since_ms) >= millis(wait)).then(|| {
            Event::Broken(Failure::new(
                format!(
                    "for {} s the cut-over has waited for plans of statements that got worse or could not be compared \
                     (--compare-plans-wait)",
                    wait.as_secs()
                ),
                "look at the statements named above and change them or the ALTER; or run the same command again, \
                 without --compare-plans if the plans are fine",
            ))
        })
    }

    /// A moment has passed: the window comes first, so that no attempt begins outside it.
    pub(super) fn tick(&mut self, now_ms: u64) -> Vec<Event> {
        let mut events = self.clock();
        events.extend(self.plans_overdue(now_ms));
        events.push(Event::Tick(now_ms));
        events
    }

    /// The next thing that an operator or a hook has to say.
    pub(super) async fn next(&mut self) -> Said {
        tokio::select! {
            Some(request) = self.requests.recv() => Said::Line(request.line, request.reply),
            Some((event, result)) = self.ran.1.recv() => Said::Ran(event, result),
            else => std::future::pending().await,
        }
    }

    /// Takes in a wish.
    pub(super) fn wished(&mut self, wish: Wish) -> Vec<Event> {
        let acts = match wish {
            Wish::Throttle(source, reason) => self.desk.signal(source, reason),
            Wish::Files(flags) => self.desk.files(flags),
            Wish::CopyRetried(error) => {
                if let Some(hooks) = self.hooks.clone() {
                    self.run_hooks(hooks, vec![hooks::Event::BatchCopyRetry(error)]);
                }
                Vec::new()
            }
            Wish::WindowOver => self.desk.window_over(),
            Wish::Stop(why) => vec![Act::Stop(why)],
        };
        self.carry_out(acts)
    }

    /// Answers a line, or takes in what became of a hook.
    pub(super) fn said(&mut self, said: Said, snapshot: &Snapshot, stage: Stage) -> Vec<Event> {
        match said {
            Said::Line(line, reply) => {
                let postponing = self.is_postponing(stage);
                let mut answer = self.desk.command(&line, snapshot, postponing);
                let mut events = Vec::new();
                for act in std::mem::take(&mut answer.acts) {
                    match self.act(act) {
                        Ok(followed) => events.extend(followed),
                        Err(wrong) => answer.text = format!("{wrong}\n"),
                    }
                }
                // Whoever asked may have gone.
                let _ = reply.send(answer.text);
                events
            }
            Said::Ran(event, result) => self.hook_ended(event, result),
        }
    }

    fn carry_out(&mut self, acts: Vec<Act>) -> Vec<Event> {
        let mut events = Vec::new();
        for act in acts {
            match self.act(act) {
                Ok(followed) => events.extend(followed),
                Err(wrong) => self.reporter.warn(wrong),
            }
        }
        events
    }

    fn act(&mut self, act: Act) -> Result<Vec<Event>, String> {
        Ok(match act {
            Act::Throttled(reason) => {
                let now_ms = self.clock.elapsed_ms();
                if let Some(line) = self.pause.set(reason.as_deref(), now_ms) {
                    self.reporter.info(line);
                }
                let silent = self.desk.silent();
                self.silent.send_replace(silent);
                vec![Event::HeartbeatsRest(silent), Event::Throttled(reason)]
            }
            Act::Postponed(postponed) => {
                if self.desk.held_by_operator() || !postponed {
                    self.reporter.info(if postponed {
                        "cut-over postponed"
                    } else {
                        "cut-over allowed"
                    });
                }
                vec![Event::Postponed(postponed)]
            }
            Act::Tuned => {
                self.throttle.send_replace(self.desk.throttle().clone());
                vec![self.tuned()]
            }
            Act::Postpone(path) => {
                let mut watched = self.files.borrow().clone();
                watched.postpone = Some(path);
                watched.create_postpone().map_err(|error| {
                    format!("the postpone flag file could not be created: {error}")
                })?;
                self.files.send_replace(watched);
                Vec::new()
            }
            Act::Stop(why) => {
                self.reporter.info(format!("stopping: {why}"));
                vec![Event::Stop]
            }
            Act::Print(text) => {
                self.reporter.out(text);
                Vec::new()
            }
        })
    }

    /// Shows hooks how far the run is, and runs those whose moment has come.
    pub(super) fn progressed(&mut self, stage: Stage, snapshot: &Snapshot) {
        self.measured(snapshot);
        self.progress.send_replace(snapshot.clone());
        let Some(hooks) = self.hooks.clone() else {
            return;
        };
        let begun = stage != Stage::Barrier;
        let copied = begun && stage != Stage::Copying && stage != Stage::Ended;
        let ready = matches!(stage, Stage::Postponed | Stage::Waiting | Stage::CutOver);
        let told = &mut self.told;
        let mut due = Vec::new();
        if copied && !std::mem::replace(&mut told.copied, true) {
            due.push(hooks::Event::RowCopyComplete);
        }
        if ready && !std::mem::replace(&mut told.ready, true) {
            due.push(hooks::Event::BeforeCutOver);
        }
        let postponed = stage == Stage::Postponed && self.desk.held_by_operator();
        if postponed && !std::mem::replace(&mut told.postponed, true) {
            due.push(hooks::Event::BeginPostponed);
        }
        if snapshot.elapsed_ms >= self.next_status_ms {
            self.next_status_ms = snapshot.elapsed_ms + self.status_every_ms;
            due.push(hooks::Event::Status);
        }
        if due.is_empty() {
            return;
        }
        self.run_hooks(hooks, due);
    }

    fn run_hooks(&mut self, hooks: Runner, due: Vec<hooks::Event>) {
        let ran = self.ran.0.clone();
        // One after the other, in the order of what happened.
        self.running.spawn(async move {
            for event in due {
                let result = hooks.run(&event).await;
                if ran.send((event, result)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Lets hooks that are being run come to their end; each has its time limit.
    pub(super) async fn finish(mut self) {
        // Nobody asks for their results any more, and nothing follows from them.
        self.ran.1.close();
        while self.running.join_next().await.is_some() {}
    }

    fn hook_ended(&mut self, event: hooks::Event, result: Result<(), String>) -> Vec<Event> {
        let ends_the_run = matches!(
            event,
            hooks::Event::RowCopyComplete | hooks::Event::BeforeCutOver
        );
        match result {
            Ok(()) if event == hooks::Event::BeforeCutOver => {
                let acts = self.desk.hold(Hold::Hook, false);
                self.carry_out(acts)
            }
            Ok(()) => Vec::new(),
            Err(wrong) if ends_the_run => {
                let next = "see what the hook said, then run the command again";
                vec![Event::Broken(Failure::new(wrong, next))]
            }
            Err(wrong) => {
                self.reporter.warn(wrong);
                Vec::new()
            }
        }
    }
}

/// Something an operator or a hook has said.
pub(super) enum Said {
    /// A line, and where its answer goes.
    Line(String, oneshot::Sender<String>),
    /// What became of a hook.
    Ran(hooks::Event, Result<(), String>),
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
