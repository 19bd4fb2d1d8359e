//! One attempt at the cut-over, step by step.
//!
//! Workers idle → lock → marker written under the lock → marker back → everything dirty refreshed
//! on the locking connection → rename. Whatever goes wrong before the rename is sent leads to
//! unlock and back to the gate, with a growing pause. After it was sent only the server's
//! catalogue can tell what happened.

use std::collections::VecDeque;

use super::dirty::Since;
use super::event::{Command, Event, Marker, Outcome, Ownership};
use super::rules::Rule;
use super::{Core, Phase};
use crate::limits;
use crate::plan::key::Key;

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Attempt {
    /// Waiting until no worker has a job.
    Settling,
    /// LOCK TABLES is under way.
    Locking,
    /// The tables are locked; waiting for this attempt's marker.
    Marking { marker: Marker, locked_ms: u64 },
    /// These last dirty keys are being refreshed under the lock.
    Refreshing(Vec<(Key, Since)>),
    /// The rename is sent.
    Renaming,
    /// The rename's answer was lost; the catalogue is being read.
    Settlement,
    /// The lock is being given up; then back to the gate, or to the end with this outcome.
    Unlocking(Option<Outcome>),
}

impl Core {
    /// Everything that must hold before the lock is asked for.
    pub(super) fn gate_open(&self) -> bool {
        let lag_known_and_small = self
            .lag_now_ms()
            .is_some_and(|lag| lag <= self.settings.lag_max_ms);
        self.throttled.is_none()
            && !self.postponed
            && !self.stopping
            && self.now_ms >= self.next_attempt_ms
            && lag_known_and_small
            && self.dirty.len() <= limits::CUT_OVER_DIRTY_MAX
            && self.verified()
            && self.ghost_is_whole()
            && self.plans_are_known()
    }

    pub(super) fn begin_attempt(&mut self, commands: &mut VecDeque<Command>) {
        self.counters.attempts += 1;
        self.phase = Phase::CutOver(Attempt::Settling);
        self.settle(commands);
    }

    /// Asks for the lock once no worker has a job: a worker's statement would wait for the lock,
    /// or go on writing to the ghost after it.
    fn settle(&mut self, commands: &mut VecDeque<Command>) {
        if self.postponed || self.throttled.is_some() {
            self.phase = Phase::Gate;
            return;
        }
        let idle = self.dirty.jobs() == 0 && self.verification.idle();
        if idle || !self.rules().has(Rule::WorkersIdleBeforeLock) {
            self.phase = Phase::CutOver(Attempt::Locking);
            commands.push_back(Command::Lock {
                wait_ms: self.lock_wait_ms,
            });
        }
    }

    fn write_marker(&mut self, commands: &mut VecDeque<Command>) {
        commands.push_back(Command::WriteMarker(Marker(self.next_marker)));
        self.next_marker += 1;
    }

    pub(super) fn attempt_tick(&mut self, commands: &mut VecDeque<Command>) {
        let Phase::CutOver(Attempt::Marking { locked_ms, .. }) = self.phase else {
            return;
        };
        if self.now_ms.saturating_sub(locked_ms) > self.settings.lock_held_max_ms {
            self.give_up(None, commands);
        }
    }

    pub(super) fn marker_seen_in_attempt(
        &mut self,
        seen: Marker,
        commands: &mut VecDeque<Command>,
    ) {
        let Phase::CutOver(Attempt::Marking { marker, .. }) = self.phase else {
            return;
        };
        let ours = if self.rules().has(Rule::NewMarkerEachAttempt) {
            seen == marker
        } else {
            seen <= marker
        };
        if ours {
            self.refresh_under_lock(commands);
        }
    }

    fn refresh_under_lock(&mut self, commands: &mut VecDeque<Command>) {
        // Counted before they are copied: there may be hundreds of thousands.
        if self.dirty.len() > limits::CUT_OVER_DIRTY_LOCKED_MAX {
            self.give_up(None, commands);
            return;
        }
        let dirty = self.dirty.all();
        // Cleaned now and not by the answer: an event that overtakes the answer (the lock is lost
        // with its connection, and the application goes on) must mark its key again for good.
        // Until then the phase remembers the keys, should the lock be lost on the way.
        if self.rules().has(Rule::CleanedWhenIssued) {
            self.dirty.clear();
        }
        // A conflict that is left under the lock ends the run.
        self.conflicting.clear();
        self.misfits.clear();
        let renewed = dirty.iter().filter(|(_, since)| since.renewed);
        let renewed = renewed.map(|(key, _)| key.clone()).collect();
        let keys = if self.rules().has(Rule::DrainBeforeRename) {
            dirty.iter().map(|(key, _)| key.clone()).collect()
        } else {
            Vec::new()
        };
        self.phase = Phase::CutOver(Attempt::Refreshing(dirty));
        commands.push_back(Command::RefreshLocked {
            keys,
            renewed,
            suspects: if self.rules().has(Rule::SuspectsSettledUnderLock) {
                self.verification.suspects()
            } else {
                Vec::new()
            },
        });
    }

    pub(super) fn attempt_event(&mut self, event: Event, commands: &mut VecDeque<Command>) {
        let Phase::CutOver(attempt) = self.phase.clone() else {
            return;
        };
        match (attempt, event) {
            (Attempt::Locking, Event::Locked) if self.called_off() => self.give_up(None, commands),
            (Attempt::Locking, Event::Locked) => {
                let marker = Marker(self.next_marker);
                self.phase = Phase::CutOver(Attempt::Marking {
                    marker,
                    locked_ms: self.now_ms,
                });
                self.write_marker(commands);
                if !self.rules().has(Rule::MarkerAfterLock) {
                    self.refresh_under_lock(commands);
                }
            }
            (Attempt::Locking, Event::NotLocked) => {
                // Transactions that always overlap need a wait as long as the longest of them.
                self.lock_wait_ms = (self.lock_wait_ms * 2).min(self.settings.lock_held_max_ms);
                self.back_to_gate();
            }
            (Attempt::Refreshing(_), Event::LockedRefreshed(different)) => {
                if !self.rules().has(Rule::CleanedWhenIssued) {
                    self.dirty.clear();
                }
                if different.is_empty() && self.called_off() {
                    self.give_up(None, commands);
                } else if different.is_empty() {
                    self.phase = Phase::CutOver(Attempt::Renaming);
                    commands.push_back(Command::Rename);
                } else {
                    self.mismatched(different, commands);
                }
            }
            (Attempt::Refreshing(dirty), Event::LockLost) => {
                if self.rules().has(Rule::LostLockMarksAgain) {
                    self.dirty.restore(dirty);
                }
                self.back_to_gate();
            }
            (Attempt::Renaming, Event::Renamed) => self.phase = Phase::Ended(Outcome::Completed),
            (Attempt::Renaming, Event::NotRenamed(why)) => {
                self.give_up(why.map(Outcome::Failed), commands);
            }
            (Attempt::Renaming, Event::RenameLost) => {
                if self.rules().has(Rule::LostAnswerIsRead) {
                    self.phase = Phase::CutOver(Attempt::Settlement);
                    commands.push_back(Command::ReadOwnership);
                } else {
                    self.back_to_gate();
                }
            }
            (Attempt::Settlement, Event::OwnershipRead(ownership)) => self.settled(ownership),
            (Attempt::Unlocking(outcome), Event::Unlocked) => match outcome {
                Some(outcome) => self.phase = Phase::Ended(outcome),
                None => self.back_to_gate(),
            },
            // A late answer of an attempt that has been given up changes nothing: the unlock is
            // on its way on the same connection.
            (
                Attempt::Settling
                | Attempt::Locking
                | Attempt::Marking { .. }
                | Attempt::Refreshing(_)
                | Attempt::Renaming
                | Attempt::Settlement
                | Attempt::Unlocking(_),
                _,
            ) => {}
        }
    }

    /// What the catalogue said. A lost connection has no lock any more, so after "unchanged" the
    /// next attempt starts from the gate.
    fn settled(&mut self, ownership: Ownership) {
        match ownership {
            Ownership::Swapped => self.phase = Phase::Ended(Outcome::Completed),
            Ownership::Unchanged => self.back_to_gate(),
            Ownership::Unknown => self.phase = Phase::Ended(Outcome::Unknown),
        }
    }

    /// Settling goes on when a worker reports; everything else waits for its own event.
    pub(super) fn attempt_progress(&mut self, commands: &mut VecDeque<Command>) {
        if self.phase == Phase::CutOver(Attempt::Settling) {
            self.settle(commands);
        }
    }

    /// The operator was told that there is no cut-over for now, while the lock was being waited
    /// for or already held: then there is none. Only a rename that was sent can't be called back.
    fn called_off(&self) -> bool {
        self.postponed && self.rules().has(Rule::PostponedMeansNoRename)
    }

    fn give_up(&mut self, outcome: Option<Outcome>, commands: &mut VecDeque<Command>) {
        self.phase = Phase::CutOver(Attempt::Unlocking(outcome));
        commands.push_back(Command::Unlock);
    }

    /// Rows that differ are to be repaired: no rename before everything was compared again.
    pub(super) fn repair_in_attempt(&mut self, commands: &mut VecDeque<Command>) {
        match self.phase.clone() {
            Phase::CutOver(Attempt::Settling) => self.phase = Phase::Gate,
            Phase::CutOver(Attempt::Locking | Attempt::Marking { .. }) => {
                self.give_up(None, commands);
            }
            // What the answer says, if it is yet to come, nobody will hear.
            Phase::CutOver(Attempt::Refreshing(dirty)) => {
                self.dirty.restore(dirty);
                self.give_up(None, commands);
            }
            // A rename that was sent can't be called back; it came after every suspect was settled.
            Phase::CutOver(Attempt::Renaming | Attempt::Settlement | Attempt::Unlocking(_))
            | Phase::Barrier
            | Phase::Copying
            | Phase::Verifying
            | Phase::Gate
            | Phase::Ended(_) => {}
        }
    }

    fn back_to_gate(&mut self) {
        if let Some(outcome) = self.wish.take() {
            self.phase = Phase::Ended(outcome);
            return;
        }
        self.phase = Phase::Gate;
        self.next_attempt_ms = self.now_ms + self.pause_ms;
        self.pause_ms = (self.pause_ms * 2).min(self.settings.pause_max_ms);
    }

    /// Ends the run from within an attempt: give the lock up first; but once the rename is sent,
    /// its answer decides and not the wish to stop.
    pub(super) fn stop_attempt(&mut self, outcome: Outcome, commands: &mut VecDeque<Command>) {
        let Phase::CutOver(attempt) = &self.phase else {
            return;
        };
        match attempt {
            Attempt::Settling => {
                self.stopping = true;
                self.phase = Phase::Ended(outcome);
            }
            Attempt::Locking | Attempt::Marking { .. } | Attempt::Refreshing(_) => {
                self.stopping = true;
                self.give_up(Some(outcome), commands);
            }
            // What was decided first stays: a mismatch is no less one for being stopped.
            Attempt::Unlocking(Some(_)) => self.stopping = true,
            Attempt::Unlocking(None) => {
                self.stopping = true;
                self.phase = Phase::CutOver(Attempt::Unlocking(Some(outcome)));
            }
            Attempt::Renaming | Attempt::Settlement
                if !self.rules().has(Rule::StopWaitsForRename) =>
            {
                self.phase = Phase::Ended(outcome);
            }
            Attempt::Renaming | Attempt::Settlement => {
                self.stopping = true;
                self.wish = Some(outcome);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Settings;

    #[test]
    fn conflicts_that_the_lock_settled_count_no_more() {
        let mut core = Core::new(Settings {
            chunk_rows: 1,
            chunk_rows_max: 1,
            refresh_keys: 1,
            refresh_keys_max: 1,
            dirty_bytes_max: 1,
            other_unique_keys: true,
            introduced_keys: true,
            ..Settings::of_tests()
        });
        core.conflicting.insert(Key::from_bytes(&[1]));
        core.phase = Phase::CutOver(Attempt::Marking {
            marker: Marker(1),
            locked_ms: 0,
        });
        core.step(Event::MarkerSeen(Marker(1)));
        core.step(Event::LockedRefreshed(Vec::new()));
        core.step(Event::NotRenamed(None));
        core.step(Event::Unlocked);
        assert!(core.phase == Phase::Gate && core.conflicting.is_empty());
    }
}
