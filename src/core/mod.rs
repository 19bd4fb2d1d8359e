//! The protocol: the one owner of a migration's state. Pure: no clock, no I/O, no async.
//!
//! [`Core::step`] takes one event and returns the commands that follow from it. `engine` carries
//! the commands out and reports what came of them as further events; the simulation does the same
//! against a fake server, through every interleaving. The same events in the same order always
//! give the same commands.
//!
//! Why nothing is lost (`docs/design/protocol.md` has the long form): every row of the original is
//! either unchanged since its chunk read it under a lock, or an event made its key dirty after the
//! position was taken, or the copy itself made it dirty because it could not read it. A dirty key
//! is cleaned only by a read of the present under a lock, or by the proof that no row is there.
//! Under the cut-over's lock nothing can change any more, and everything dirty up to a marker
//! written under that lock is refreshed before the rename.

#![deny(
    clippy::wildcard_enum_match_arm,
    clippy::match_wildcard_for_single_variants
)]

mod batch;
pub mod checkpoint;
pub mod chunk;
pub mod copy;
mod cutover;
pub mod dirty;
mod dispatch;
pub mod event;
mod hands;
mod indexes;
mod liveness;
mod pace;
mod plans;
pub mod refresh;
pub mod rules;
pub mod verify;

use std::collections::{BTreeSet, VecDeque};

use crate::limits;
use crate::plan::key::Key;
use batch::Batch;
use checkpoint::Keeping;
use chunk::Chunker;
use copy::CopyOutcome;
use cutover::Attempt;
use dirty::DirtySet;
use event::{About, Command, Event, Failure, Marker, Outcome, Scan};
use hands::Hands;
use indexes::Indexes;
use liveness::Liveness;
use pace::{Activity, Pace};
use plans::Plans;
use refresh::RefreshOutcome;
use rules::{Rule, Rules};
use verify::Verification;
use verify::extent::{Extent, Wanted};
use verify::repair::Repairs;

/// What the core needs to know about a migration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Connections that may copy at a time.
    pub copy_workers: usize,
    /// Connections that may refresh at a time while the backlog is small.
    pub refresh_workers: usize,
    /// Rows of the first chunk.
    pub chunk_rows: u64,
    /// Most rows of a chunk.
    pub chunk_rows_max: u64,
    /// Time a copy chunk should take, in milliseconds.
    pub copy_target_ms: u64,
    /// Keys of the first refreshes.
    pub refresh_keys: usize,
    /// Most keys of a refresh.
    pub refresh_keys_max: usize,
    /// Bytes of dirty keys at which the stream has to wait.
    pub dirty_bytes_max: usize,
    /// The shared unique key can be told apart by its bytes.
    pub byte_comparable: bool,
    /// The shared unique key is one integer column.
    pub integer_key: bool,
    /// A range of keys means the same rows in both tables.
    pub same_order: bool,
    /// The ghost has unique keys beside the shared one.
    pub other_unique_keys: bool,
    /// Some of them are not enforced by the original, so a row may have no place in the ghost.
    pub introduced_keys: bool,
    /// Lag of the stream above which no cut-over is tried, in milliseconds.
    pub lag_max_ms: u64,
    /// Longest time the tables may stay locked, in milliseconds.
    pub lock_held_max_ms: u64,
    /// Longest pause between cut-over attempts, in milliseconds.
    pub pause_max_ms: u64,
    /// Time between two checkpoints, in milliseconds, if there are any.
    pub checkpoint_ms: Option<u64>,
    /// Indexes of the ghost are still to be built, once the copy is done.
    pub deferred_indexes: bool,
    /// Plans of the application's statements are compared before the cut-over, and so many milliseconds later
    /// again while it is postponed.
    pub compare_plans_ms: Option<u64>,
    /// What the operator wants of the verification.
    pub verify: Wanted,
    /// Chunks are compared as soon as they are copied, while their pages are still in memory.
    pub compare_behind_copy: bool,
    /// The rules in force.
    pub rules: Rules,
}

#[cfg(test)]
impl Settings {
    /// Small and plain: one worker for each kind of work, nothing special about the keys.
    pub(crate) fn of_tests() -> Self {
        Self {
            copy_workers: 1,
            refresh_workers: 1,
            chunk_rows: 10,
            chunk_rows_max: 10,
            copy_target_ms: 50,
            refresh_keys: 10,
            refresh_keys_max: 10,
            dirty_bytes_max: 1 << 20,
            byte_comparable: true,
            integer_key: false,
            same_order: true,
            other_unique_keys: false,
            introduced_keys: false,
            lag_max_ms: 1_000,
            lock_held_max_ms: 1_000,
            pause_max_ms: 30_000,
            checkpoint_ms: None,
            deferred_indexes: false,
            compare_plans_ms: None,
            verify: Wanted::default(),
            compare_behind_copy: false,
            rules: Rules::default(),
        }
    }
}

/// Where a migration stands; each phase owns what is left to do in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Waiting for the start barrier.
    Barrier,
    /// Copying; the chunks live in the core because the last ones overlap the next phase.
    Copying,
    /// Comparing.
    Verifying,
    /// Waiting for the moment of the cut-over.
    Gate,
    /// One attempt at the cut-over.
    CutOver(Attempt),
    /// Over.
    Ended(Outcome),
}

/// Numbers for people; never used in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counters {
    /// Rows read by the copy.
    pub rows_copied: u64,
    /// Chunks copied.
    pub chunks: u64,
    /// Keys that events marked.
    pub keys_marked: u64,
    /// Ghost rows replaced or deleted by refreshes.
    pub keys_refreshed: u64,
    /// Rows compared.
    pub rows_verified: u64,
    /// Chunks compared.
    pub chunks_verified: u64,
    /// Cut-over attempts begun.
    pub attempts: u32,
}

/// The owner of a migration's state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Core {
    settings: Settings,
    phase: Phase,
    chunker: Chunker,
    dirty: DirtySet,
    batch: Batch,
    verification: Verification,
    next_marker: u64,
    throttled: Option<String>,
    /// No heartbeats are written at present.
    silent: bool,
    postponed: bool,
    stopping: bool,
    /// How to end if the rename under way turns out not to have happened.
    wish: Option<Outcome>,
    /// Keys that have no place in the ghost as long as another row has their unique value.
    conflicting: BTreeSet<Key>,
    /// Keys whose rows don't fit the ghost as they are.
    misfits: BTreeSet<Key>,
    /// Age of the last heartbeat when it was seen, and when that was.
    lag_ms: Option<u64>,
    lag_seen_ms: u64,
    now_ms: u64,
    /// A tick has passed since the last small batch, so a small batch may go.
    small_batch_due: bool,
    /// Refreshes to go the careful way, because the short one failed lately.
    careful_jobs: u8,
    /// No attempt before this moment.
    next_attempt_ms: u64,
    pause_ms: u64,
    /// Longest wait of the next attempt's LOCK TABLES.
    lock_wait_ms: u64,
    /// Rests after chunks.
    pace: Pace,
    activity: Activity,
    hands: Hands,
    counters: Counters,
    keeping: Keeping,
    /// The verification takes its chunks from the copy.
    follows: bool,
    indexes: Indexes,
    plans: Plans,
    /// What answers are owed, and since when.
    liveness: Liveness,
}

/// Refreshes that go the careful way after a short one has failed.
const CAREFUL_JOBS: u8 = 8;

impl Core {
    /// A migration at its beginning: tables made, stream followed, nothing copied.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let rules = settings.rules;
        Self {
            phase: Phase::Barrier,
            chunker: chunker(&settings),
            dirty: DirtySet::new(!settings.byte_comparable, rules),
            batch: Batch::new(settings.refresh_keys, settings.refresh_keys_max),
            verification: Verification::new(
                settings.same_order,
                settings.byte_comparable,
                settings.chunk_rows,
                settings.chunk_rows_max,
                rules,
            )
            .wanting(settings.verify, settings.introduced_keys),
            next_marker: 1,
            throttled: None,
            silent: false,
            postponed: false,
            stopping: false,
            wish: None,
            conflicting: BTreeSet::new(),
            misfits: BTreeSet::new(),
            lag_ms: None,
            lag_seen_ms: 0,
            now_ms: 0,
            small_batch_due: true,
            careful_jobs: 0,
            next_attempt_ms: 0,
            pause_ms: millis(limits::CUT_OVER_PAUSE_FIRST),
            lock_wait_ms: millis(limits::LOCK_WAIT_FIRST).min(settings.lock_held_max_ms),
            pace: Pace::default(),
            activity: Activity::default(),
            hands: Hands::new(settings.copy_workers),
            counters: Counters::default(),
            keeping: Keeping::default(),
            follows: settings.compare_behind_copy
                && settings.same_order
                && settings.verify.extent != Extent::Off,
            indexes: Indexes::new(settings.deferred_indexes),
            plans: Plans::new(settings.compare_plans_ms.is_some()),
            liveness: Liveness::default(),
            settings,
        }
    }

    /// What has to be done at the very beginning.
    pub fn start(&mut self) -> Vec<Command> {
        if self.goes_on() {
            return self.go_on();
        }
        if self.rules().has(Rule::StartBarrier) {
            return vec![Command::WaitForBarrier];
        }
        self.step(Event::BarrierPassed)
    }

    /// Takes an event and tells what follows from it.
    pub fn step(&mut self, event: Event) -> Vec<Command> {
        let mut commands = VecDeque::new();
        self.take_in(event, &mut commands);
        self.advance(&mut commands);
        self.dispatch(&mut commands);
        // A late report (a check that came back) must not start anything after the end.
        if matches!(self.phase, Phase::Ended(_)) && self.rules().has(Rule::NothingAfterTheEnd) {
            commands.clear();
        }
        commands.into()
    }

    fn take_in(&mut self, event: Event, commands: &mut VecDeque<Command>) {
        match event {
            Event::BarrierPassed => {
                if self.phase == Phase::Barrier {
                    self.phase = Phase::Copying;
                    self.lag_seen_ms = self.now_ms;
                }
            }
            Event::ChunkEndFound(Scan::Copy, end) => self.chunker.lookup_done(end),
            Event::ChunkEndFound(Scan::Verify, end) => self.verification.chunker.lookup_done(end),
            Event::Copied(outcome, took_ms) => self.copied(outcome, took_ms),
            Event::Changed(keys) => self.changed(keys),
            Event::Renewed(keys) => keys
                .into_iter()
                .for_each(|key| self.dirty.mark_renewed(key)),
            Event::MarkerSeen(marker) => {
                self.liveness.delivered += 1;
                self.proved(commands);
                self.verification.marker_seen(marker);
                self.marker_seen_in_attempt(marker, commands);
            }
            Event::Reached(spot) => self.dirty.reached(spot),
            Event::CheckpointSeen(number) => self.checkpoint_seen(number),
            Event::CheckpointWritten => self.checkpoint_written(),
            Event::IndexesBuilt => self.indexes_built(),
            Event::IndexLogFull => self.index_log_full(),
            // Whether the cut-over waits is decided where everything is that it may wait for.
            Event::PlansCompared(_) => self.plans_compared(),
            Event::StreamAlive => self.liveness.delivered += 1,
            Event::HeartbeatSeen(age_ms) => {
                self.liveness.delivered += 1;
                self.liveness.heartbeats += 1;
                self.lag_ms = Some(age_ms);
                self.lag_seen_ms = self.now_ms;
            }
            Event::Refreshed(outcome, took_ms) => self.refreshed(outcome, took_ms, commands),
            Event::Compared(chunk, rows, suspects, took_ms) => {
                self.counters.chunks_verified += 1;
                self.verification.compared(chunk, rows, suspects, took_ms);
                self.pace.worked(took_ms, self.now_ms);
                self.counters.rows_verified = self.verification.rows();
            }
            Event::Checked(check, different) => self.checked(check, &different, commands),
            Event::Tick(now_ms) => self.tick(now_ms, commands),
            Event::Throttled(reason) => self.throttled = reason,
            Event::HeartbeatsRest(silent) => self.silent = silent,
            Event::Tuned {
                chunk_rows_max,
                lag_max_ms,
                nice_permille,
            } => self.tune(chunk_rows_max, lag_max_ms, nice_permille),
            Event::Postponed(postponed) => {
                self.postponed = postponed;
                if !postponed {
                    self.verification.forget_changed();
                }
            }
            Event::Stop => self.stop(Outcome::Stopped, commands),
            Event::Broken(failure) => self.stop(Outcome::Failed(failure), commands),
            event @ (Event::Locked
            | Event::LockLost
            | Event::NotLocked
            | Event::LockedRefreshed(_)
            | Event::Renamed
            | Event::NotRenamed(_)
            | Event::RenameLost
            | Event::OwnershipRead(_)
            | Event::Unlocked) => self.attempt_event(event, commands),
        }
    }

    fn checked(&mut self, check: u64, different: &[Key], commands: &mut VecDeque<Command>) {
        let marker = Marker(self.next_marker);
        if self.verification.checked(check, different, marker) {
            self.next_marker += 1;
            commands.push_back(Command::WriteMarker(marker));
        }
    }

    fn changed(&mut self, keys: Vec<Key>) {
        self.liveness.delivered += 1;
        self.counters.keys_marked += keys.len() as u64;
        self.activity.changed(keys.len());
        self.aim();
        for key in keys {
            self.verification.touch(&key);
            self.dirty.mark(key);
        }
    }

    fn aim(&mut self) {
        let target_ms = self.settings.copy_target_ms;
        let target_ms = self.activity.chunk_target_ms(target_ms);
        self.chunker.aim_at(target_ms);
        let target_ms = self.activity.refresh_target_ms(self.behind());
        self.batch.aim_at(target_ms);
    }

    fn copied(&mut self, outcome: CopyOutcome, took_ms: u64) {
        self.counters.rows_copied += outcome.read;
        self.counters.chunks += 1;
        if let Some(rows) = outcome.rows_max {
            self.chunker.limit_rows(rows);
        }
        let chunk = self.chunker.done(outcome.chunk, outcome.read, took_ms);
        self.pace.worked(took_ms, self.now_ms);
        for key in outcome.missing {
            self.dirty.mark_passed_over(key);
        }
        if self.follows && self.rules().has(Rule::ComparedWhenCopied) {
            // Behind the marks: what was passed over must not look like a mismatch.
            chunk
                .into_iter()
                .for_each(|chunk| self.verification.chunker.follow(chunk));
        }
    }

    fn refreshed(
        &mut self,
        outcome: RefreshOutcome,
        took_ms: u64,
        commands: &mut VecDeque<Command>,
    ) {
        self.counters.keys_refreshed += outcome.replaced + outcome.deleted;
        self.careful_jobs = if outcome.detour {
            CAREFUL_JOBS
        } else {
            self.careful_jobs.saturating_sub(1)
        };
        if let Some(keys) = outcome.keys_max {
            self.batch.limit(keys);
        }
        let waiting = self.postponed && matches!(self.phase, Phase::Verifying | Phase::Gate);
        let done = self.dirty.give_back(outcome.id, outcome.stayed);
        self.batch.done(done.len(), took_ms);
        for key in done {
            self.conflicting.remove(&key);
            self.misfits.remove(&key);
            if waiting {
                self.verification.changed(key);
            }
        }
        self.conflicting.extend(outcome.conflicts);
        self.misfits.extend(outcome.misfits);
        if self.misfits.len() > limits::MISFITS_MAX {
            self.stop_for_misfits(commands);
        }
        if self.conflicting.len() > limits::CUT_OVER_DIRTY_MAX {
            let what = "more rows than a cut-over can settle have the same value in a unique key \
                        that the ALTER introduces";
            let next = "remove the duplicates that the application writes, or leave the key out";
            let failure = Failure::new(what, next).about(About::Duplicates);
            self.stop(Outcome::Failed(failure), commands);
        }
    }

    /// Whoever asked for this wants to know of all such rows, not of the first: so they are told when
    /// everything else is done, or when there are too many.
    fn stop_for_misfits(&mut self, commands: &mut VecDeque<Command>) {
        let failure = Failure::new(
            "rows don't fit the table",
            "change these rows, or let them go",
        );
        self.stop(Outcome::Failed(failure.about(About::Misfits)), commands);
    }

    /// Keys whose rows don't fit the ghost.
    #[must_use]
    pub fn misfits(&self) -> &BTreeSet<Key> {
        &self.misfits
    }

    fn tune(&mut self, chunk_rows_max: u64, lag_max_ms: u64, nice_permille: u64) {
        self.chunker.limit_rows(chunk_rows_max);
        self.verification.chunker.limit_rows(chunk_rows_max);
        self.settings.lag_max_ms = lag_max_ms;
        self.pace.tune(nice_permille);
    }

    fn tick(&mut self, now_ms: u64, commands: &mut VecDeque<Command>) {
        self.now_ms = now_ms;
        self.small_batch_due = true;
        // Before the held keys are let go: they are a reason to wait.
        self.watch_liveness(commands);
        self.pace.tick(now_ms);
        self.activity.tick(now_ms);
        self.aim();
        if self.activity.busy() && self.phase == Phase::Copying && self.throttled.is_none() {
            self.hands.tick(self.counters.rows_copied, now_ms);
        } else {
            self.hands.rest(self.counters.rows_copied, now_ms);
        }
        self.dirty.release_held();
        self.verification.release();
        self.plans_tick();
        self.attempt_tick(commands);
        self.keep(commands);
    }

    /// Moves on to the next phase when everything the present one owes is done.
    fn advance(&mut self, commands: &mut VecDeque<Command>) {
        let found = self.verification.take_definite();
        if !found.is_empty() {
            self.mismatched(found, commands);
        }
        if self.phase == Phase::Copying && self.copy_finished() {
            self.phase = Phase::Verifying;
        }
        if self.phase == Phase::Gate && self.verification.is_void() {
            self.phase = Phase::Verifying;
        }
        if self.phase == Phase::Verifying && self.verified() {
            if !self.verification.is_void() {
                if self.ghost_is_whole() {
                    self.phase = Phase::Gate;
                }
            } else if self.verification.settled() {
                self.verification.begin_again();
            }
        }
        self.attempt_progress(commands);
        if self.phase == Phase::Gate && self.gate_open() {
            if self.misfits.is_empty() {
                self.begin_attempt(commands);
            } else {
                self.stop_for_misfits(commands);
            }
        }
    }

    /// These rows differ for certain: the end, unless they are to be repaired and may be.
    fn mismatched(&mut self, found: Vec<Key>, commands: &mut VecDeque<Command>) {
        if !self.settings.verify.repair || !self.verification.repair(&found) {
            self.stop(Outcome::Mismatch(found), commands);
            return;
        }
        for key in found {
            // No event tells of it.
            self.dirty.mark_passed_over(key);
        }
        self.repair_in_attempt(commands);
    }

    fn copy_finished(&self) -> bool {
        self.chunker.finished() || !self.rules().has(Rule::CopyReachesEnd)
    }

    fn verified(&self) -> bool {
        if !self.rules().has(Rule::VerifiedBeforeCutOver) {
            return true;
        }
        self.verification.chunks_done()
            && self.verification.idle()
            && self.verification.suspect_count() <= limits::RECHECK_KEYS
    }

    fn rules(&self) -> Rules {
        self.settings.rules
    }

    /// Whether the stream may deliver more: there is memory for its keys.
    #[must_use]
    pub fn wants_changes(&self) -> bool {
        // Under the lock nothing is added but what is still on its way, and the marker behind it
        // is what everybody waits for.
        let marking = matches!(self.phase, Phase::CutOver(Attempt::Marking { .. }))
            && self.rules().has(Rule::StreamReadUnderLock);
        marking || !self.dirty.is_full(self.settings.dirty_bytes_max)
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.phase {
            Phase::Ended(outcome) => Some(outcome),
            Phase::Barrier
            | Phase::Copying
            | Phase::Verifying
            | Phase::Gate
            | Phase::CutOver(_) => None,
        }
    }

    /// How far the stream is behind: the last heartbeat's age, which grows while none comes.
    fn lag_now_ms(&self) -> Option<u64> {
        let since = self.now_ms.saturating_sub(self.lag_seen_ms);
        self.lag_ms.map(|age| age.saturating_add(since))
    }

    /// The same for people: a stream from which nothing ever came falls behind since the start barrier.
    fn lag_shown_ms(&self) -> Option<u64> {
        let waited = self.now_ms.saturating_sub(self.lag_seen_ms);
        let silent = (self.phase != Phase::Barrier).then_some(waited);
        self.lag_now_ms().or(silent)
    }

    /// Numbers for people.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How much the verification compares at present.
    #[must_use]
    pub fn extent(&self) -> Extent {
        self.verification.extent()
    }

    /// What the verification has repaired.
    #[must_use]
    pub fn repairs(&self) -> &Repairs {
        self.verification.repairs()
    }

    /// The state for people.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            stage: match &self.phase {
                Phase::Barrier => Stage::Barrier,
                Phase::Copying => Stage::Copying,
                Phase::Verifying if self.verified() && self.builds_indexes() => Stage::Indexing,
                Phase::Verifying => Stage::Verifying,
                Phase::Gate if self.postponed => Stage::Postponed,
                Phase::Gate => Stage::Waiting,
                Phase::CutOver(_) => Stage::CutOver,
                Phase::Ended(_) => Stage::Ended,
            },
            throttled: self.throttled.as_deref(),
            counters: self.counters,
            dirty: self.dirty.len(),
            held: self.dirty.held(),
            suspects: self.verification.suspect_count(),
            builds_indexes: self.builds_indexes(),
            compares_plans: self.compares_plans(),
            lag_ms: self.lag_shown_ms(),
            chunk_rows: self.chunker.rows(),
        }
    }

    /// For the explorer: forgets what only grows and decides nothing, so that states that behave
    /// alike are alike. With no marker on its way their numbers begin again.
    #[cfg(test)]
    pub(crate) fn canonical(&mut self, markers_out: bool) {
        self.counters = Counters::default();
        self.liveness = Liveness::default();
        self.activity = Activity::default();
        self.hands = Hands::new(self.settings.copy_workers);
        self.aim();
        self.careful_jobs = self.careful_jobs.min(1);
        self.dirty.canonical(self.batch.keys());
        self.verification.canonical();
        if !markers_out {
            self.next_marker = 1;
        }
    }

    fn stop(&mut self, outcome: Outcome, commands: &mut VecDeque<Command>) {
        match &self.phase {
            Phase::Ended(_) => {}
            Phase::CutOver(_) => self.stop_attempt(outcome, commands),
            Phase::Barrier | Phase::Copying | Phase::Verifying | Phase::Gate => {
                self.stopping = true;
                self.phase = Phase::Ended(outcome);
            }
        }
    }
}

fn chunker(settings: &Settings) -> Chunker {
    let chunker = Chunker::new(
        settings.chunk_rows,
        settings.chunk_rows_max,
        settings.copy_target_ms,
    );
    if settings.integer_key {
        chunker.of_integers()
    } else {
        chunker
    }
}

/// Where a migration stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for transactions that were open at the start.
    Barrier,
    /// Copying.
    Copying,
    /// Comparing.
    Verifying,
    /// Everything is compared; the ghost's indexes are still being built.
    Indexing,
    /// Everything is ready, but the operator wants the cut-over later.
    Postponed,
    /// Everything is ready; waiting for a good moment.
    Waiting,
    /// Cutting over.
    CutOver,
    /// Over.
    Ended,
}

/// The core's state as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// Where it stands.
    pub stage: Stage,
    /// Why it pauses.
    pub throttled: Option<&'a str>,
    /// Numbers.
    pub counters: Counters,
    /// Dirty keys outstanding.
    pub dirty: usize,
    /// Of these, keys whose rows somebody holds.
    pub held: usize,
    /// Keys under suspicion.
    pub suspects: usize,
    /// Indexes of the ghost are being built.
    pub builds_indexes: bool,
    /// Plans of statements are being compared.
    pub compares_plans: bool,
    /// Lag of the stream.
    pub lag_ms: Option<u64>,
    /// Present chunk size.
    pub chunk_rows: u64,
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod following_tests;
