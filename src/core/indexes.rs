//! Indexes of the ghost that are built after the copy, in one statement for all of them.
//!
//! They are asked for once, when the copy has reached the end, and the gate stays shut until the ghost has them.
//! Meanwhile refreshes rest: dirty keys gather, and the stream waits for them as it always does. If they went on,
//! the server would note the rows that change while it builds, and apply them at the end; with a small redo log
//! that application never gave way to a checkpoint, and every write on the server stood still (measured on 9.7.4
//! with its default of 100 MB, six indexes and 250 000 rows, in four of six runs).

use std::collections::VecDeque;

use super::event::Command;
use super::rules::Rule;
use super::{Core, Phase};

/// Where the building of the ghost's deferred indexes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Indexes {
    /// The ghost has all of its indexes.
    #[default]
    There,
    /// Some are to be built once the copy is done.
    Deferred,
    /// They are being built.
    Building,
}

impl Indexes {
    pub(super) fn new(deferred: bool) -> Self {
        if deferred {
            Self::Deferred
        } else {
            Self::There
        }
    }
}

impl Core {
    /// Asks for the indexes as soon as the copy is done and no refresh is under way, unless that was done
    /// already.
    pub(super) fn build_indexes(&mut self, commands: &mut VecDeque<Command>) {
        let idle = self.dirty.jobs() == 0;
        if self.indexes == Indexes::Deferred && self.phase == Phase::Verifying && idle {
            self.indexes = Indexes::Building;
            commands.push_back(Command::BuildIndexes);
        }
    }

    /// The ghost has its indexes.
    pub(super) fn indexes_built(&mut self) {
        self.indexes = Indexes::There;
    }

    /// The server gave up, because somebody else's changes of the ghost were too many: once more.
    pub(super) fn index_log_full(&mut self) {
        if self.indexes == Indexes::Building {
            self.indexes = Indexes::Deferred;
        }
    }

    /// Nothing is written to the ghost for now.
    pub(super) fn refreshes_rest(&self) -> bool {
        match self.indexes {
            Indexes::There => false,
            Indexes::Deferred => self.phase == Phase::Verifying,
            Indexes::Building => true,
        }
    }

    /// The ghost has all that the table will have.
    pub(super) fn ghost_is_whole(&self) -> bool {
        self.indexes == Indexes::There || !self.rules().has(Rule::IndexesBeforeCutOver)
    }

    /// For people: indexes are being built.
    pub(super) fn builds_indexes(&self) -> bool {
        self.indexes == Indexes::Building && !matches!(self.phase, Phase::Ended(_))
    }
}

#[cfg(test)]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most commands are of no interest here"
)]
mod tests {
    use super::*;
    use crate::core::event::{Event, Scan};
    use crate::core::{Settings, Stage};
    use crate::plan::key::Key;

    /// Nothing to copy; the verification has nothing to compare either.
    fn copied(throttled: bool) -> (Core, Vec<Command>) {
        let mut core = Core::new(Settings {
            deferred_indexes: true,
            ..Settings::of_tests()
        });
        core.start();
        core.step(Event::HeartbeatSeen(0));
        core.step(Event::Throttled(throttled.then(|| "busy".into())));
        core.step(Event::BarrierPassed);
        if throttled {
            core.step(Event::Throttled(None));
            core.step(Event::ChunkEndFound(Scan::Copy, None));
        }
        let mut commands = core.step(Event::ChunkEndFound(Scan::Copy, None));
        let mut all = Vec::new();
        while let Some(command) = commands.pop() {
            if let Command::Copy(job) = &command {
                let mut job = job.clone();
                job.answer(crate::core::copy::CopyAnswer::Copied { read: 0, placed: 0 });
                let more = core.step(Event::Copied(job.outcome(), 1));
                commands.extend(more);
            }
            all.push(command);
        }
        (core, all)
    }

    fn builds(commands: &[Command]) -> usize {
        let asked = commands.iter();
        asked.filter(|one| **one == Command::BuildIndexes).count()
    }

    #[test]
    fn they_are_asked_for_once_and_the_gate_waits_for_them() {
        let (mut core, commands) = copied(false);
        assert_eq!(builds(&commands), 1);
        let mut commands = VecDeque::from(commands);
        commands.extend(core.step(Event::Tick(50)));
        while let Some(command) = commands.pop_front() {
            let event = match &command {
                Command::FindChunkEnd {
                    scan: Scan::Verify, ..
                } => Event::ChunkEndFound(Scan::Verify, None),
                Command::Compare(_, chunk) => Event::Compared(chunk.id, 0, Vec::new(), 1),
                _ => continue,
            };
            let more = core.step(event);
            assert_eq!(builds(&more), 0);
            commands.extend(more);
        }
        assert_eq!(core.view().stage, Stage::Indexing);
        core.step(Event::Tick(100_000));
        core.step(Event::HeartbeatSeen(0));
        assert_eq!(core.view().stage, Stage::Indexing);
        let commands = core.step(Event::IndexesBuilt);
        let locks = |one: &Command| matches!(one, Command::Lock { .. });
        assert!(commands.iter().any(locks), "{commands:?}");
    }

    #[test]
    fn refreshes_rest_while_they_are_built_also_when_that_is_tried_again() {
        let (mut core, _) = copied(false);
        core.step(Event::Changed(vec![Key::from_bytes(&[1])]));
        let refreshes = |commands: &[Command]| {
            let refresh = |one: &Command| matches!(one, Command::Refresh(_));
            commands.iter().any(refresh)
        };
        assert!(!refreshes(&core.step(Event::Tick(100))));
        assert_eq!(builds(&core.step(Event::IndexLogFull)), 1);
        assert!(!refreshes(&core.step(Event::Tick(110))));
        let commands = core.step(Event::IndexesBuilt);
        assert!(refreshes(&commands) || refreshes(&core.step(Event::Tick(150))));
        assert_ne!(core.view().stage, Stage::Copying);
    }

    #[test]
    fn they_wait_for_the_refreshes_under_way() {
        let mut core = Core::new(Settings {
            deferred_indexes: true,
            ..Settings::of_tests()
        });
        core.start();
        core.step(Event::BarrierPassed);
        core.step(Event::Changed(vec![Key::from_bytes(&[1])]));
        let commands = core.step(Event::Tick(50));
        let job = commands.into_iter().find_map(|command| match command {
            Command::Refresh(job) => Some(job),
            _ => None,
        });
        let job = job.expect("a refresh while the copy goes on");
        let commands = core.step(Event::ChunkEndFound(Scan::Copy, None));
        let copy = commands.into_iter().find_map(|command| match command {
            Command::Copy(job) => Some(job),
            _ => None,
        });
        let mut copy = copy.expect("the only chunk");
        copy.answer(crate::core::copy::CopyAnswer::Copied { read: 0, placed: 0 });
        assert_eq!(builds(&core.step(Event::Copied(copy.outcome(), 1))), 0);
        assert_eq!(builds(&core.step(Event::Refreshed(job.outcome(), 1))), 1);
    }

    #[test]
    fn nothing_is_built_while_throttled() {
        let (mut core, commands) = copied(false);
        assert_eq!(builds(&commands), 1);
        core.step(Event::Throttled(Some("busy".into())));
        assert_eq!(builds(&core.step(Event::IndexLogFull)), 0);
        assert_eq!(builds(&core.step(Event::Throttled(None))), 1);
    }
}
