//! How hard the copy may work: shorter chunks and refreshes while applications write, a short rest behind each
//! chunk, and pauses for `--nice-ratio`: rests of the copy's connections, counted in ticks.

use crate::limits;

/// Whether applications write to the table at present.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Activity {
    changes: u64,
    since_ms: u64,
    busy: bool,
}

impl Activity {
    /// So many changes were delivered.
    pub(super) fn changed(&mut self, changes: usize) {
        self.changes = self.changes.saturating_add(changes as u64);
        self.busy |= self.changes >= limits::BUSY_CHANGES;
    }

    /// Looks back at the last stretch when it is over.
    pub(super) fn tick(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.since_ms) >= super::millis(limits::BUSY_STRETCH) {
            self.busy = self.changes >= limits::BUSY_CHANGES;
            self.changes = 0;
            self.since_ms = now_ms;
        }
    }

    /// Somebody writes to the table.
    pub(super) fn busy(&self) -> bool {
        self.busy
    }

    /// Time that a chunk may take, given what it should take when nobody writes.
    pub(super) fn chunk_target_ms(&self, idle_ms: u64) -> u64 {
        if self.busy {
            idle_ms.min(super::millis(limits::COPY_CHUNK_TARGET_BUSY))
        } else {
            idle_ms
        }
    }

    /// Time that a refresh may take; a large backlog needs large ones, whoever writes.
    pub(super) fn refresh_target_ms(&self, behind: bool) -> u64 {
        super::millis(if self.busy && !behind {
            limits::REFRESH_TARGET_BUSY
        } else {
            limits::REFRESH_TARGET
        })
    }

    /// Rest behind a chunk, in thousandths of the time that it takes.
    pub(super) fn rest_permille(&self) -> u64 {
        if self.busy {
            limits::COPY_REST_BUSY_PERMILLE
        } else {
            0
        }
    }
}

/// Who rests until when.
///
/// Rests shorter than a tick are saved up until they are worth one, so that the copy's share of the
/// time comes out right whatever a chunk takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Pace {
    /// Rest per time of work, in thousandths.
    permille: u64,
    /// Rest that is owed, in microseconds.
    owed_us: u64,
    /// Ends of the rests under way, in milliseconds since the start.
    rests: Vec<u64>,
}

impl Pace {
    /// Sets the ratio. What is owed by an earlier one is forgotten, and rests end.
    pub(super) fn tune(&mut self, permille: u64) {
        if permille != self.permille {
            *self = Self {
                permille,
                ..Self::default()
            };
        }
    }

    /// A chunk took so long: its connection may have to rest.
    pub(super) fn worked(&mut self, took_ms: u64, now_ms: u64) {
        // Times are cut to whole milliseconds; a chunk that took less took something nevertheless.
        let rest_us = took_ms.max(1).saturating_mul(self.permille);
        self.owed_us = self.owed_us.saturating_add(rest_us);
        let owed_ms = self.owed_us / 1_000;
        if owed_ms >= super::millis(limits::TICK) {
            self.owed_us -= owed_ms * 1_000;
            self.rests.push(now_ms.saturating_add(owed_ms));
        }
    }

    /// Ends the rests whose time has come.
    pub(super) fn tick(&mut self, now_ms: u64) {
        self.rests.retain(|end| *end > now_ms);
    }

    /// Connections that rest.
    pub(super) fn resting(&self) -> usize {
        self.rests.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn chunks_are_short_while_applications_write() {
        let mut activity = Activity::default();
        assert_eq!(activity.chunk_target_ms(50), 50);
        activity.changed(usize::try_from(limits::BUSY_CHANGES).expect("few"));
        let short = super::super::millis(limits::COPY_CHUNK_TARGET_BUSY);
        assert_eq!(activity.chunk_target_ms(50), short, "at once");
        let millis = super::super::millis;
        assert_eq!(
            (activity.refresh_target_ms(false), activity.rest_permille()),
            (
                millis(limits::REFRESH_TARGET_BUSY),
                limits::COPY_REST_BUSY_PERMILLE
            )
        );
        assert_eq!(
            activity.refresh_target_ms(true),
            millis(limits::REFRESH_TARGET),
            "a backlog has to go"
        );
        let stretch = super::super::millis(limits::BUSY_STRETCH);
        activity.tick(stretch);
        assert_eq!(activity.chunk_target_ms(50), short, "they wrote until now");
        activity.tick(stretch + 1);
        assert_eq!(activity.chunk_target_ms(50), short, "that says nothing yet");
        activity.tick(2 * stretch);
        assert_eq!(activity.chunk_target_ms(50), 50);
        assert_eq!(activity.chunk_target_ms(1), 1);
        assert_eq!(
            (activity.refresh_target_ms(false), activity.rest_permille()),
            (millis(limits::REFRESH_TARGET), 0)
        );
    }

    use crate::core::copy::CopyOutcome;
    use crate::core::event::{Command, Event, Scan};
    use crate::core::{Core, Settings};
    use crate::plan::key::Key;

    #[test]
    fn a_rest_is_the_ratio_times_the_work() {
        let mut pace = Pace::default();
        pace.worked(1_000, 0);
        assert_eq!(pace.resting(), 0, "no ratio, no rest");
        pace.tune(2_000);
        pace.worked(60, 1_000);
        pace.worked(50, 1_010);
        assert_eq!(pace.resting(), 2, "each connection rests for its own chunk");
        pace.tick(1_109);
        assert_eq!(pace.resting(), 2);
        pace.tick(1_110);
        assert_eq!(pace.resting(), 1);
        pace.tick(1_120);
        assert_eq!(pace.resting(), 0);
    }

    #[test]
    fn short_rests_are_saved_up_and_none_is_lost() {
        let mut pace = Pace::default();
        pace.tune(100);
        let mut rested_ms = 0;
        for _ in 0..100 {
            pace.worked(55, 0);
            rested_ms += pace.rests.drain(..).sum::<u64>();
        }
        assert!((500..=550).contains(&rested_ms), "{rested_ms}");
    }

    #[test]
    fn a_new_ratio_counts_at_once() {
        let mut pace = Pace::default();
        pace.tune(100_000);
        pace.worked(1_000, 0);
        assert_eq!(pace.resting(), 1);
        pace.tune(100_000);
        assert_eq!(pace.resting(), 1, "the same ratio changes nothing");
        pace.tune(0);
        assert_eq!(pace.resting(), 0);
    }

    fn core() -> Core {
        Core::new(Settings::of_tests())
    }

    /// Answers every lookup, and counts the copies handed out.
    fn copies(core: &mut Core, event: Event, end: &mut u8) -> usize {
        let mut commands: VecDeque<Command> = core.step(event).into();
        let mut copies = 0;
        while let Some(command) = commands.pop_front() {
            if let Command::FindChunkEnd { .. } = command {
                *end += 1;
                let found = Some((Key::from_bytes(&[*end]), 0));
                commands.extend(core.step(Event::ChunkEndFound(Scan::Copy, found)));
            } else {
                copies += 1;
            }
        }
        copies
    }

    fn copied(chunk: u64, took_ms: u64) -> Event {
        let outcome = CopyOutcome {
            chunk,
            read: 10,
            placed: 10,
            missing: Vec::new(),
            rows_max: None,
        };
        Event::Copied(outcome, took_ms)
    }

    #[test]
    fn behind_a_chunk_the_copy_rests_while_somebody_writes() {
        let rest_of = |commands: Vec<Command>| {
            commands.into_iter().find_map(|command| {
                let Command::Copy(job) = command else {
                    return None;
                };
                Some(job.rest_permille)
            })
        };
        for (changes, rest) in [(0, 0), (20, limits::COPY_REST_BUSY_PERMILLE)] {
            let mut core = core();
            core.step(Event::BarrierPassed);
            core.step(Event::Changed(
                (0..changes).map(|key| Key::from_bytes(&[key])).collect(),
            ));
            let found = Some((Key::from_bytes(&[100]), 0));
            let commands = core.step(Event::ChunkEndFound(Scan::Copy, found));
            assert_eq!(rest_of(commands), Some(rest), "{changes} changes");
        }
    }

    fn tuned(nice_permille: u64) -> Event {
        Event::Tuned {
            chunk_rows_max: 7,
            lag_max_ms: 1_000,
            nice_permille,
        }
    }

    #[test]
    fn the_next_chunk_waits_for_the_end_of_the_rest() {
        let (mut core, mut end) = (core(), 0);
        assert_eq!(copies(&mut core, Event::BarrierPassed, &mut end), 1);
        assert_eq!(copies(&mut core, copied(0, 100), &mut end), 1);
        copies(&mut core, tuned(1_000), &mut end);
        assert_eq!(copies(&mut core, copied(1, 100), &mut end), 0);
        assert_eq!(copies(&mut core, Event::Tick(99), &mut end), 0);
        assert_eq!(copies(&mut core, Event::Tick(100), &mut end), 1);
        assert_eq!(copies(&mut core, copied(2, 100), &mut end), 0);
        assert_eq!(
            copies(&mut core, tuned(0), &mut end),
            1,
            "a rest ends when no rest is wanted any more"
        );
        assert!(core.view().chunk_rows <= 7);
    }
}
