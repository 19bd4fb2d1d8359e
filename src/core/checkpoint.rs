//! Checkpoints: what another run has to know to go on where this one was.
//!
//! A checkpoint says only what is true when it is taken, and stays true: the log from its position on has
//! the first event of every key that isn't refreshed; the copy is done up to its watermark, but for
//! the keys that it names. Everything else a run knows (suspects, markers, chunk sizes) it finds out anew;
//! above all nothing is verified for having been verified by an earlier run.
//!
//! A resumed run needs no start barrier: what was logged before the position was either visible when its
//! key was refreshed, or its key is still dirty and the position not past it. That holds only if the first
//! run had passed its barrier.
//!
//! It proves itself: its own row stands in the log behind its position. A log that has a marker of the
//! resumed run but not that row before it is another history (`RESET BINARY LOGS`, another server), in
//! which changes may be missing.

use std::collections::{BTreeSet, VecDeque};

use super::cutover::Attempt;
use super::dirty::Spot;
use super::event::{Command, Failure, Marker, Outcome};
use super::rules::Rule;
use super::{Core, Phase, Settings};
use crate::limits;
use crate::plan::key::Key;

/// How far the copy is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Copied {
    /// Up to and including this key; `None` when nothing is copied yet.
    UpTo(Option<Key>),
    /// To the end.
    Everything,
}

/// A state that another run can begin with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Its number; a migration's checkpoints count up, over all its runs.
    pub number: u64,
    /// From where the log has to be read.
    pub spot: Spot,
    /// How far the copy is.
    pub copied: Copied,
    /// Dirty keys up to there, of which no event tells.
    pub passed_over: Vec<Key>,
    /// Rows copied so far, for people.
    pub rows_copied: u64,
}

/// When the last checkpoint was taken, and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Keeping {
    next_number: u64,
    taken_ms: u64,
    /// It isn't written yet.
    under_way: bool,
    last: Option<(Spot, Copied, Vec<Key>)>,
    /// The checkpoint this run began with, until its row has come through the stream.
    unproved: Option<u64>,
}

impl Core {
    /// A migration that goes on from a checkpoint; its position has the spot 0.
    #[must_use]
    pub fn resume(settings: Settings, from: Checkpoint) -> Self {
        let mut core = Self::new(settings);
        core.chunker.resume(from.copied);
        // What was copied before has no chunks; it is compared with the rest, in a walk of its own.
        core.follows &= core.chunker.untouched();
        for key in from.passed_over {
            core.dirty.mark_passed_over(key);
        }
        core.counters.rows_copied = from.rows_copied;
        core.keeping.next_number = from.number + 1;
        core.keeping.unproved = Some(from.number);
        core
    }

    /// It goes on from a checkpoint and needs no start barrier.
    pub(super) fn goes_on(&self) -> bool {
        self.keeping.unproved.is_some()
    }

    /// The first commands of a resumed run: a marker, behind which the checkpoint can't be any more.
    pub(super) fn go_on(&mut self) -> Vec<Command> {
        self.phase = Phase::Copying;
        self.lag_seen_ms = self.now_ms;
        let mut commands = VecDeque::from([Command::WriteMarker(Marker(self.next_marker))]);
        self.next_marker += 1;
        self.advance(&mut commands);
        self.dispatch(&mut commands);
        commands.into()
    }

    /// Takes a checkpoint when it is time for one and it would say something new.
    pub(super) fn keep(&mut self, commands: &mut VecDeque<Command>) {
        let Some(every_ms) = self.settings.checkpoint_ms else {
            return;
        };
        let due = self.now_ms.saturating_sub(self.keeping.taken_ms) >= every_ms;
        if self.keeping.under_way || !due || self.silent || !self.may_be_kept() {
            return;
        }
        let (spot, passed_over) = self.dirty.outstanding();
        let bytes: usize = passed_over.iter().map(Key::size).sum();
        if bytes > limits::CHECKPOINT_KEYS_BYTES_MAX {
            // The one before stays true meanwhile.
            return;
        }
        let copied = self.chunker.copied(self.rules());
        let said = Some((spot, copied.clone(), passed_over.clone()));
        if self.keeping.last == said {
            return;
        }
        self.keeping.last = said;
        self.keeping.taken_ms = self.now_ms;
        self.keeping.under_way = true;
        let checkpoint = Checkpoint {
            number: self.keeping.next_number,
            spot,
            copied,
            passed_over,
            rows_copied: self.counters.rows_copied,
        };
        self.keeping.next_number += 1;
        commands.push_back(Command::WriteCheckpoint(checkpoint));
    }

    fn may_be_kept(&self) -> bool {
        match self.phase {
            Phase::Copying | Phase::Verifying | Phase::Gate => true,
            Phase::Barrier => !self.rules().has(Rule::NoCheckpointBeforeBarrier),
            Phase::CutOver(_) => !self.rules().has(Rule::NoCheckpointUnderLock),
            Phase::Ended(_) => false,
        }
    }

    pub(super) fn checkpoint_written(&mut self) {
        self.keeping.under_way = false;
    }

    /// A checkpoint's row came through the stream.
    pub(super) fn checkpoint_seen(&mut self, number: u64) {
        self.liveness.delivered += 1;
        if self.keeping.unproved == Some(number) {
            self.keeping.unproved = None;
        }
    }

    /// A marker of this run came: whatever was written before it came before.
    pub(super) fn proved(&mut self, commands: &mut VecDeque<Command>) {
        if self.keeping.unproved.take().is_some() && self.rules().has(Rule::CheckpointProvesItself)
        {
            let failure = Failure::new(
                "the binary log from the checkpoint's position on doesn't have the checkpoint's own row: it \
                 is another log than the one that was followed (RESET BINARY LOGS, or another server)",
                "start the migration anew",
            )
            .for_good();
            self.stop(Outcome::Failed(failure), commands);
        }
    }

    /// Spots that a later checkpoint may still begin at.
    #[must_use]
    pub fn spots(&self) -> BTreeSet<Spot> {
        let mut spots = self.dirty.spots();
        // If the lock is lost they are dirty again.
        if let Phase::CutOver(Attempt::Refreshing(dirty)) = &self.phase {
            spots.extend(dirty.iter().map(|(_, since)| since.spot));
            spots.remove(&Spot::MAX);
        }
        spots
    }

    /// See [`Core::canonical`]: spots count from this one on, and the next checkpoint has this number.
    #[cfg(test)]
    pub(crate) fn rebase(&mut self, base: Spot, number: u64, unproved: Option<u64>) {
        self.dirty.rebase(base);
        if let Phase::CutOver(Attempt::Refreshing(dirty)) = &mut self.phase {
            dirty
                .iter_mut()
                .for_each(|(_, since)| *since = since.rebased(base));
        }
        if let Some((spot, ..)) = &mut self.keeping.last {
            *spot = spot.wrapping_sub(base);
        }
        self.keeping.next_number = number;
        self.keeping.unproved = unproved;
    }

    /// The number of the checkpoint that has to prove itself.
    #[cfg(test)]
    pub(crate) fn unproved(&self) -> Option<u64> {
        self.keeping.unproved
    }
}
