//! Who works at what: the free connections are filled with refreshes, comparisons and copies.

use std::collections::VecDeque;

use super::copy::CopyJob;
use super::event::{Command, Scan, Side};
use super::refresh::RefreshJob;
use super::rules::Rule;
use super::verify::Pass;
use super::{Core, Phase};
use crate::limits;
use crate::plan::key::Key;

impl Core {
    /// Fills the free connections: nothing while throttled or cutting over, never everything to
    /// one kind of work.
    pub(super) fn dispatch(&mut self, commands: &mut VecDeque<Command>) {
        let throttled = self.throttled.is_some() && self.rules().has(Rule::ThrottledMeansNoLoad);
        if throttled || self.stopping {
            return;
        }
        let working = match self.phase {
            Phase::Copying | Phase::Verifying | Phase::Gate => true,
            Phase::Barrier | Phase::CutOver(_) | Phase::Ended(_) => false,
        };
        if !working {
            return;
        }
        self.build_indexes(commands);
        self.compare_plans(commands);
        let behind = self.behind();
        if !self.refreshes_rest() {
            self.dispatch_refreshes(behind, commands);
        }
        let scanners = if behind {
            1
        } else {
            self.hands.may_copy(self.activity.busy())
        };
        let scanners = scanners.saturating_sub(self.pace.resting());
        if self.phase == Phase::Verifying || self.follows {
            self.dispatch_comparisons(scanners, commands);
        }
        if self.phase == Phase::Copying {
            self.dispatch_copies(scanners, commands);
        } else if self.phase == Phase::Verifying {
            self.look_up_comparisons(scanners, commands);
        }
        if self.phase != Phase::Copying || self.follows {
            let (dirty, exact) = (&self.dirty, self.settings.byte_comparable);
            // A dirty key may be another spelling of the suspect.
            let looked_at = self.settings.rules.has(Rule::DirtyIsNotQuiet);
            let due = |key: &Key| {
                if !looked_at {
                    false
                } else if exact {
                    dirty.contains(key)
                } else {
                    !dirty.is_empty()
                }
            };
            if self.small_batch_due
                && let Some((check, keys)) = self.verification.take_suspects(due)
            {
                commands.push_back(Command::Check(check, keys));
            }
        }
        self.small_batch_due = false;
    }

    fn dispatch_refreshes(&mut self, behind: bool, commands: &mut VecDeque<Command>) {
        // With nothing left to copy and compare everybody helps to get below what a cut-over may find.
        let all = !self.scans_left() && self.dirty.ready() > limits::CUT_OVER_DIRTY_MAX;
        let workers = if all {
            self.settings.refresh_workers + self.settings.copy_workers
        } else if behind {
            // Never the last connection of those that copy and compare.
            self.settings.refresh_workers + self.settings.copy_workers - 1
        } else {
            self.settings.refresh_workers
        };
        while self.dirty.jobs() < workers {
            let full_batch = self.dirty.ready() >= limits::REFRESH_KEYS_EAGER;
            if !full_batch && !self.small_batch_due {
                return;
            }
            let Some((job, keys)) = self.dirty.take(self.batch.keys()) else {
                return;
            };
            let short_way = self.careful_jobs == 0 && !self.settings.introduced_keys;
            let renewed = self.dirty.renewed_of(job);
            let job = RefreshJob::new(job, keys, short_way, self.rules());
            commands.push_back(Command::Refresh(job.with_renewed(renewed)));
        }
    }

    /// Chunks are left to be copied or compared.
    fn scans_left(&self) -> bool {
        match self.phase {
            Phase::Copying => true,
            Phase::Verifying => !self.verification.chunks_done(),
            Phase::Barrier | Phase::Gate | Phase::CutOver(_) | Phase::Ended(_) => false,
        }
    }

    /// Connections that copy or compare at present.
    fn scanning(&self) -> usize {
        self.chunker.in_flight() + self.verification.chunker.in_flight()
    }

    fn dispatch_copies(&mut self, workers: usize, commands: &mut VecDeque<Command>) {
        // The copy never runs far ahead of a verification that follows it.
        let far_ahead = self.verification.chunker.waiting() >= limits::CHUNKS_TO_COMPARE_MAX;
        while self.scanning() < workers && !far_ahead {
            let Some(chunk) = self.chunker.take() else {
                break;
            };
            if self.follows && !self.rules().has(Rule::ComparedWhenCopied) {
                self.verification.chunker.follow(chunk.clone());
            }
            let job = CopyJob::new(chunk, self.settings.other_unique_keys, self.rules());
            commands.push_back(Command::Copy(job.resting(self.activity.rest_permille())));
        }
        let ahead = workers * limits::CHUNKS_AHEAD_PER_WORKER;
        if let Some(lookup) = self.chunker.start_lookup(ahead) {
            commands.push_back(Command::FindChunkEnd {
                scan: Scan::Copy,
                side: Side::Original,
                after: lookup.after,
                rows: lookup.rows,
                dense: lookup.dense,
            });
        }
    }

    fn dispatch_comparisons(&mut self, workers: usize, commands: &mut VecDeque<Command>) {
        while self.scanning() < workers {
            let Some((pass, chunk)) = self.verification.take_chunk() else {
                break;
            };
            commands.push_back(Command::Compare(pass, chunk));
        }
    }

    fn look_up_comparisons(&mut self, workers: usize, commands: &mut VecDeque<Command>) {
        let ahead = workers * limits::CHUNKS_AHEAD_PER_WORKER;
        if let Some(lookup) = self.verification.chunker.start_lookup(ahead) {
            let side = match self.verification.pass {
                Pass::Both | Pass::Original => Side::Original,
                Pass::Ghost => Side::Ghost,
            };
            commands.push_back(Command::FindChunkEnd {
                scan: Scan::Verify,
                side,
                after: lookup.after,
                rows: lookup.rows,
                dense: lookup.dense,
            });
        }
    }

    /// More keys wait than the refresh's own connections should have to work off.
    pub(super) fn behind(&self) -> bool {
        self.dirty.ready() > limits::BACKLOG_KEYS_HIGH
    }
}
