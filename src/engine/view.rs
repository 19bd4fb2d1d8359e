//! What people see of a run: stages as they pass, and snapshots.

use super::behind::Behind;
use super::clerk;
use super::clock::Clock;
use super::console::Console;
use super::drive::Run;
use super::verification;
use crate::config::RowCount;
use crate::core::event::{Event, Failure, Outcome};
use crate::core::{Core, Counters, Stage};
use crate::limits;
use crate::mysql::binlog::Delivery;
use crate::mysql::classify::Fault;
use crate::mysql::place::Position;
use crate::plan::history::Figures;
use crate::report::{Reporter, Snapshot};
use crate::sql::helpers::MARKER_ROW;

/// What people see of a run; decides nothing.
pub(super) struct Watch {
    counting_rows: bool,
    clock: Clock,
    rows_estimate: u64,
    position: Position,
    stage: Stage,
    stage_since_ms: u64,
    copy_ms: u64,
    copy_done: bool,
    cut_over_ms: u64,
    /// Time in all attempts at the cut-over.
    attempts_ms: u64,
    /// Since when the tables are locked, and how long they were in earlier attempts.
    locked_since_ms: Option<u64>,
    locked_ms: u64,
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
    pub(super) fn new(run: &Run<'_>, position: Position) -> Self {
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
            attempts_ms: 0,
            locked_since_ms: None,
            locked_ms: 0,
            shown_ms: 0,
            next_hint_ms: 0,
            behind: run.route.followed.as_ref().map(|_| Behind::new(lag_max)),
            repairs: verification::Repaired::of(&run.plan),
            compared: verification::Compared::default(),
        }
    }

    /// Progress by the count; without one the estimate has to do.
    pub(super) fn counted(&mut self, counted: Result<u64, Fault>, reporter: &Reporter) {
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
    pub(super) fn delivered(&mut self, delivery: Option<Delivery>, token: &str) -> Option<Event> {
        match delivery {
            Some(Delivery::Keys(keys)) => Some(Event::Changed(keys)),
            Some(Delivery::Renewed(keys)) => Some(Event::Renewed(keys)),
            Some(Delivery::Changelog(MARKER_ROW, text)) => {
                clerk::marker_of(token, &text).map(Event::MarkerSeen)
            }
            Some(Delivery::Changelog(clerk::HEARTBEAT_ROW, text)) => {
                super::clock::age_ms(&text).map(Event::HeartbeatSeen)
            }
            Some(Delivery::Changelog(..)) => None,
            Some(Delivery::Checkpoint(number)) => Some(Event::CheckpointSeen(number)),
            Some(Delivery::Position { read, .. }) => {
                self.position = read;
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
    pub(super) fn look(&mut self, core: &Core, console: &mut Console, reporter: &Reporter) {
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

    pub(super) fn tell_stage(
        &mut self,
        stage: Stage,
        counters: Counters,
        now: u64,
        reporter: &Reporter,
    ) {
        let seconds = seconds(now - self.stage_since_ms);
        match self.stage {
            // Neither came to its end.
            Stage::Copying | Stage::Verifying if stage == Stage::Ended => {}
            // Rows under suspicion may bring it back.
            Stage::Indexing if stage == Stage::Verifying => {}
            Stage::Copying => {
                self.copy_done = true;
                reporter.info(format!(
                    "copy complete rows={} chunks={} seconds={seconds}",
                    counters.rows_copied, counters.chunks
                ));
            }
            Stage::Verifying => {
                if let Some(line) = self.compared.line(counters, &seconds) {
                    reporter.info(line);
                }
            }
            Stage::CutOver => {
                self.cut_over_ms = now - self.stage_since_ms;
                self.attempts_ms += self.cut_over_ms;
                self.locked_ms += self.locked_since_ms.take().map_or(0, |since| now - since);
            }
            Stage::Barrier | Stage::Indexing | Stage::Postponed | Stage::Waiting | Stage::Ended => {
            }
        }
        self.stage = stage;
        self.stage_since_ms = now;
    }

    /// The tables are locked from now on, until the stage is another one.
    pub(super) fn locked(&mut self) {
        self.locked_since_ms = Some(self.clock.elapsed_ms());
    }

    /// What the history tells of the run.
    pub(super) fn figures(&self, counters: Counters) -> Figures {
        Figures {
            rows_copied: counters.rows_copied,
            keys_refreshed: counters.keys_refreshed,
            rows_verified: counters.rows_verified,
            copy_ms: self.copy_ms,
            locked_ms: self.locked_ms,
            attempts: counters.attempts,
            position: self.position.to_string(),
        }
    }

    pub(super) fn finish(
        &mut self,
        core: &Core,
        console: &Console,
        outcome: &Outcome,
        reporter: &Reporter,
    ) {
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
        let snapshot = self.snapshot(core, console, now);
        console.measured(&snapshot);
        reporter.snapshot(snapshot);
    }

    pub(super) fn snapshot(&self, core: &Core, console: &Console, now: u64) -> Snapshot {
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
            (None, _) if console.waits_to_revert() => "revert window".into(),
            (None, stage) if console.is_postponing(stage) => "postponing cut-over".into(),
            (None, stage) => self
                .behind
                .as_ref()
                .and_then(|behind| behind.waited_for(stage, view.lag_ms))
                .unwrap_or_else(|| {
                    let building = view.builds_indexes;
                    (if building {
                        "building indexes"
                    } else if view.compares_plans {
                        "comparing plans"
                    } else {
                        "migrating"
                    })
                    .into()
                }),
        };
        let (throttles, throttled_past_ms) = console.pauses();
        Snapshot {
            rows_copied: copied,
            rows_total: total,
            copy_done: self.copy_done,
            applied: view.counters.keys_refreshed,
            backlog: view.dirty,
            held: view.held,
            backlog_capacity: limits::DIRTY_BYTES_MAX / limits::DIRTY_KEY_BYTES,
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
                Stage::Indexing => "indexing",
                Stage::Postponed => "postponed",
                Stage::Waiting => "ready",
                Stage::CutOver => "swapping",
                Stage::Ended => "done",
            },
            rows_verified: view.counters.rows_verified,
            suspects: view.suspects,
            rows_per_second: rate,
            eta_ms,
            throttles,
            throttled_past_ms,
            chunks: view.counters.chunks,
            chunk_rows: view.chunk_rows,
            keys_marked: view.counters.keys_marked,
            attempts: view.counters.attempts,
            cut_over_ms: self.attempts_ms,
            locked_ms: self.locked_ms,
        }
    }
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}
