//! Indexes of the ghost that are built after the copy, in one statement for all of them.
//!
//! They are asked for once, when the copy has reached the end; refreshes and the verification go on
//! meanwhile, and the gate stays shut until the ghost has them. The server notes what changes while it builds,
//! in a log of a bounded size. When that is full it gives up, and they are built again while refreshes rest:
//! then nothing changes, dirty keys gather, and the stream waits for them as it always does.

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
    Deferred(Refreshes),
    /// They are being built.
    Building(Refreshes),
}

/// What refreshes do while indexes are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Refreshes {
    /// They go on.
    GoOn,
    /// They rest, so that the server has nothing to note.
    Rest,
}

impl Indexes {
    pub(super) fn new(deferred: bool) -> Self {
        if deferred {
            Self::Deferred(Refreshes::GoOn)
        } else {
            Self::There
        }
    }
}

impl Core {
    /// Asks for the indexes as soon as the copy is done, unless that was done already.
    pub(super) fn build_indexes(&mut self, commands: &mut VecDeque<Command>) {
        if let (Indexes::Deferred(refreshes), Phase::Verifying) = (self.indexes, &self.phase) {
            self.indexes = Indexes::Building(refreshes);
            commands.push_back(Command::BuildIndexes);
        }
    }

    /// The ghost has its indexes.
    pub(super) fn indexes_built(&mut self) {
        self.indexes = Indexes::There;
    }

    /// What changed meanwhile was too much for the server: once more, while nothing changes.
    pub(super) fn index_log_full(&mut self) {
        if matches!(self.indexes, Indexes::Building(_)) {
            self.indexes = Indexes::Deferred(Refreshes::Rest);
        }
    }

    /// Nothing is written to the ghost for now.
    pub(super) fn refreshes_rest(&self) -> bool {
        matches!(
            self.indexes,
            Indexes::Deferred(Refreshes::Rest) | Indexes::Building(Refreshes::Rest)
        ) && !self.stopping
    }

    /// The ghost has all that the table will have.
    pub(super) fn ghost_is_whole(&self) -> bool {
        self.indexes == Indexes::There || !self.rules().has(Rule::IndexesBeforeCutOver)
    }

    /// For people: indexes are being built.
    pub(super) fn builds_indexes(&self) -> bool {
        matches!(self.indexes, Indexes::Building(_)) && !matches!(self.phase, Phase::Ended(_))
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
    fn when_the_log_was_full_refreshes_rest_and_it_is_tried_again() {
        let (mut core, _) = copied(false);
        let commands = core.step(Event::IndexLogFull);
        assert_eq!(builds(&commands), 1);
        core.step(Event::Changed(vec![Key::from_bytes(&[1])]));
        let refreshes = |commands: &[Command]| {
            let refresh = |one: &Command| matches!(one, Command::Refresh(_));
            commands.iter().any(refresh)
        };
        assert!(!refreshes(&core.step(Event::Tick(100))));
        let commands = core.step(Event::IndexesBuilt);
        assert!(refreshes(&commands) || refreshes(&core.step(Event::Tick(150))));
        assert_ne!(core.view().stage, Stage::Copying);
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
