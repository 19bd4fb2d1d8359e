//! Whether a run still gets anywhere: no answer and no progress for a long time ends it with a
//! diagnosis instead of a hang.
//!
//! [`Core::watch_liveness`] runs at every tick. Two things are looked at. Each answer that is owed
//! (a worker's, the stream's, the locking connection's) has to come within [`limits::LIVENESS`],
//! whatever else goes on meanwhile: a lost worker isn't hidden by the others. And if nothing at
//! all moves for as long, although there is no reason to wait (throttled, postponed, a rest after a
//! chunk, rows held by somebody else, a stream that is behind), something is wrong that nobody foresaw.
//!
//! Time counts here only as the loop lives through it, in ticks of a second at most: after the
//! process was frozen, the answers that came meanwhile are still to be taken in.

use std::collections::VecDeque;

use super::cutover::Attempt;
use super::event::{Command, Failure, Outcome};
use super::rules::Rule;
use super::{Core, Phase, millis};
use crate::limits;

/// Something the run can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owed {
    /// The start barrier.
    Barrier,
    /// The end of a chunk to copy.
    CopyLookup,
    /// A chunk being copied.
    Copy,
    /// Keys being refreshed.
    Refresh,
    /// The end of a chunk to compare.
    CompareLookup,
    /// A chunk being compared.
    Compare,
    /// Suspects being checked.
    Check,
    /// Plans being compared.
    Plans,
    /// A step of the cut-over.
    CutOver,
    /// Anything from the stream.
    Stream,
    /// A marker of the verification.
    Marker,
    /// Any progress.
    Progress,
}

const OWED: [Owed; 12] = [
    Owed::Barrier,
    Owed::CopyLookup,
    Owed::Copy,
    Owed::Refresh,
    Owed::CompareLookup,
    Owed::Compare,
    Owed::Check,
    Owed::Plans,
    Owed::CutOver,
    Owed::Stream,
    Owed::Marker,
    Owed::Progress,
];

impl Owed {
    fn name(self) -> &'static str {
        match self {
            Self::Barrier => "the transactions that were open at the start",
            Self::CopyLookup => "the end of the next chunk to copy",
            Self::Copy => "a chunk that is being copied",
            Self::Refresh => "rows that are being refreshed",
            Self::CompareLookup => "the end of the next chunk to compare",
            Self::Compare => "a chunk that is being compared",
            Self::Check => "a check of differing rows",
            Self::Plans => "the comparison of plans",
            Self::CutOver => "an answer from the locking connection",
            Self::Stream => {
                "the binary log's stream, which has delivered nothing, not even a \
                             heartbeat"
            }
            Self::Marker => "a marker to come back through the stream",
            Self::Progress => "any progress at all",
        }
    }

    /// How long it may take. The barrier waits for other people's transactions, and the engine
    /// ends that wait by itself.
    fn limit_ms(self) -> u64 {
        let more = match self {
            Self::Barrier => millis(limits::BARRIER_WAIT),
            Self::CopyLookup
            | Self::Copy
            | Self::Refresh
            | Self::CompareLookup
            | Self::Compare
            | Self::Check
            | Self::Plans
            | Self::CutOver
            | Self::Stream
            | Self::Marker
            | Self::Progress => 0,
        };
        millis(limits::LIVENESS) + more
    }
}

/// What was owed when it was last looked at, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Liveness {
    /// Things the stream has delivered.
    pub(super) delivered: u64,
    /// Heartbeats among them.
    pub(super) heartbeats: u64,
    last_tick_ms: u64,
    /// For each thing that can be owed: which one, and how long it has been that one.
    owed: [Option<(u64, u64)>; OWED.len()],
}

impl Core {
    /// Ends the run when an answer or any progress is overdue.
    pub(super) fn watch_liveness(&mut self, commands: &mut VecDeque<Command>) {
        let passed = self.now_ms.saturating_sub(self.liveness.last_tick_ms);
        let passed = passed.min(millis(limits::LIVENESS_TICK));
        self.liveness.last_tick_ms = self.now_ms;
        let mut overdue = None;
        for (slot, what) in OWED.into_iter().enumerate() {
            let present = self.owed(what);
            let Some(watched) = self.liveness.owed.get_mut(slot) else {
                continue;
            };
            *watched = match (present, *watched) {
                (None, _) => None,
                (Some(one), Some((same, waited))) if one == same => Some((one, waited + passed)),
                (Some(one), _) => Some((one, 0)),
            };
            if watched.is_some_and(|(_, waited)| waited >= what.limit_ms()) {
                overdue = overdue.or(Some(what));
            }
        }
        if let Some(what) = overdue
            && self.rules().has(Rule::AnswersAreWatched)
        {
            self.liveness.owed = Default::default();
            let failure = self.diagnosis(what);
            self.give_in(failure, commands);
        }
    }

    /// Which one of a kind is waited for at present: it has to become another one, or none.
    fn owed(&self, what: Owed) -> Option<u64> {
        match what {
            Owed::Barrier => (self.phase == Phase::Barrier).then_some(0),
            Owed::CopyLookup => self.chunker.lookup_under_way(),
            Owed::Copy => self.chunker.in_flight_ids().next(),
            Owed::Refresh => self.dirty.oldest_job(),
            Owed::CompareLookup => self.verification.chunker.lookup_under_way(),
            Owed::Compare => self.verification.oldest_comparison(),
            Owed::Check => self.verification.oldest_check(),
            Owed::Plans => self.compares_plans().then_some(0),
            Owed::CutOver => self.attempt_step(),
            // A full set keeps the stream waiting; then refreshes are what has to move. Without
            // heartbeats a quiet server delivers nothing at all.
            Owed::Stream => {
                let flows = self.wants_changes() && !self.silent;
                flows.then_some(self.liveness.delivered)
            }
            // Behind a long backlog a marker takes its time.
            Owed::Marker => self
                .verification
                .oldest_marker()
                .filter(|_| self.stream_is_near())
                .map(|marker| marker.0),
            Owed::Progress => self.progress(),
        }
    }

    /// A number that changes with everything that moves; none while there is a reason to wait.
    fn progress(&self) -> Option<u64> {
        let postponed = self.postponed && self.phase == Phase::Gate;
        let held = self.dirty.held() > 0;
        let resting = self.pace.resting() > 0;
        // A statement that takes as long as the table is large; the engine has its bound.
        let building = self.builds_indexes();
        let reason = self.throttled.is_some()
            || postponed
            || held
            || resting
            || building
            || self.compares_plans()
            || !self.stream_is_near();
        if reason || self.phase == Phase::Barrier {
            return None;
        }
        let counted = self.counters;
        // Each of these only grows, so their sum stands still only if all of them do.
        let stage = match self.phase {
            Phase::Barrier | Phase::Copying => 0,
            Phase::Verifying => 1,
            Phase::Gate => 2,
            Phase::CutOver(_) | Phase::Ended(_) => 3,
        };
        let moved = [
            counted.chunks,
            counted.keys_refreshed,
            counted.keys_marked,
            counted.chunks_verified,
            self.verification.checks_begun(),
            u64::from(counted.attempts),
            self.next_marker,
        ];
        Some(moved.iter().sum::<u64>() * 4 + stage)
    }

    fn stream_is_near(&self) -> bool {
        self.lag_now_ms()
            .is_some_and(|lag| lag <= self.settings.lag_max_ms)
    }

    /// The step of the cut-over that somebody else has to answer.
    fn attempt_step(&self) -> Option<u64> {
        let Phase::CutOver(attempt) = &self.phase else {
            return None;
        };
        let step = match attempt {
            // Its workers are watched one by one.
            Attempt::Settling => return None,
            Attempt::Locking => 0,
            Attempt::Marking { .. } => 1,
            Attempt::Refreshing(_) => 2,
            Attempt::Renaming => 3,
            Attempt::Settlement => 4,
            Attempt::Unlocking(_) => 5,
        };
        Some(u64::from(self.counters.attempts) * 8 + step)
    }

    /// Stops for want of an answer. Where the answer to the rename itself is what is missing, or
    /// the lock can't be given up in order, the end can't wait for it: the connection's end frees
    /// the tables, and whether they are swapped is not known.
    fn give_in(&mut self, failure: Failure, commands: &mut VecDeque<Command>) {
        if let Phase::CutOver(attempt) = &self.phase {
            match attempt {
                Attempt::Renaming | Attempt::Settlement => {
                    self.phase = Phase::Ended(Outcome::Unknown);
                    return;
                }
                Attempt::Unlocking(decided) => {
                    let outcome = decided.clone().unwrap_or(Outcome::Failed(failure));
                    self.phase = Phase::Ended(outcome);
                    return;
                }
                Attempt::Settling
                | Attempt::Locking
                | Attempt::Marking { .. }
                | Attempt::Refreshing(_) => {}
            }
        }
        self.stop(Outcome::Failed(failure), commands);
    }

    fn diagnosis(&self, what: Owed) -> Failure {
        let jobs = [
            ("copies", self.chunker.in_flight()),
            ("refreshes", self.dirty.jobs()),
            ("comparisons", self.verification.chunker.in_flight()),
            ("checks", self.verification.checks_under_way()),
        ];
        let jobs: Vec<String> = jobs
            .iter()
            .map(|(kind, number)| format!("{number} {kind}"))
            .collect();
        let stream = match self.lag_ms {
            None => "no heartbeat has ever come through the stream".to_owned(),
            Some(age) => format!(
                "the last of {} heartbeats came {} s ago and was {age} ms old",
                self.liveness.heartbeats,
                self.now_ms.saturating_sub(self.lag_seen_ms) / 1_000,
            ),
        };
        Failure::new(
            format!(
                "the run hangs: for {} minutes it has been waiting for {}; stage {:?}, under way: \
                 {}; {} dirty keys, {} of them held by others, {} rows under suspicion; {stream}",
                what.limit_ms() / 60_000,
                what.name(),
                self.view().stage,
                jobs.join(", "),
                self.dirty.len(),
                self.dirty.held(),
                self.verification.suspect_count(),
            ),
            "look at what the server is doing (SHOW PROCESSLIST, its error log), then run the \
             command again; if it happens again, report it with this text",
        )
    }
}

#[cfg(test)]
#[path = "liveness_tests.rs"]
mod tests;
