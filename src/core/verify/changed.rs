//! Rows that changed, and were refreshed, since everything was compared: while the cut-over is
//! postponed they are compared again.
//!
//! Bounded: when the set is full, keys are left out until there is room. Each round looks at so many
//! keys and goes on where the one before ended, so that low keys can't starve high ones.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::limits;
use crate::plan::key::Key;

/// Keys to be compared again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Changed {
    keys: BTreeSet<Key>,
    cursor: Option<Key>,
}

impl Changed {
    pub(super) fn add(&mut self, key: Key) {
        if self.keys.len() < limits::CHANGED_KEYS_MAX {
            self.keys.insert(key);
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes keys out of the next `most`; those of which `busy` is true stay for another round.
    pub(super) fn take(&mut self, most: usize, busy: impl Fn(&Key) -> bool) -> Vec<Key> {
        let after = match self.cursor.take() {
            Some(key) => Bound::Excluded(key),
            None => Bound::Unbounded,
        };
        let looked_at = self.keys.range((after, Bound::Unbounded)).take(most);
        let looked_at: Vec<Key> = looked_at.cloned().collect();
        if looked_at.len() == most {
            self.cursor = looked_at.last().cloned();
        }
        let mut taken = looked_at;
        taken.retain(|key| !busy(key));
        for key in &taken {
            self.keys.remove(key);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::copy::CopyOutcome;
    use crate::core::event::{Command, Event, Marker, Outcome, Scan};
    use crate::core::refresh::RefreshOutcome;
    use crate::core::rules::{Rule, Rules};
    use crate::core::{Core, Settings, Stage};

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte])
    }

    #[test]
    fn rounds_go_on_where_the_one_before_ended() {
        let mut changed = Changed::default();
        (1..=5).for_each(|byte| changed.add(key(byte)));
        let hot = |one: &Key| *one == key(1);
        assert_eq!(changed.take(2, hot), [key(2)]);
        assert_eq!(changed.take(2, hot), [key(3), key(4)]);
        assert_eq!(changed.take(2, hot), [key(5)]);
        assert_eq!(changed.take(2, |_| false), [key(1)]);
        assert!(changed.keys.is_empty());
    }

    #[test]
    fn the_set_is_bounded() {
        let mut changed = Changed::default();
        for number in 0..limits::CHANGED_KEYS_MAX + 10 {
            changed.add(Key::from_bytes(&number.to_be_bytes()));
        }
        assert_eq!(changed.keys.len(), limits::CHANGED_KEYS_MAX);
        changed.clear();
        assert!(changed.take(10, |_| false).is_empty());
    }

    /// A core whose verification is over, waiting for the operator; heartbeats come.
    fn postponed(rules: Rules) -> Core {
        let mut core = Core::new(Settings {
            rules,
            ..Settings::of_tests()
        });
        core.start();
        let copied = CopyOutcome {
            chunk: 0,
            read: 5,
            placed: 5,
            missing: Vec::new(),
            rows_max: None,
        };
        for event in [
            Event::BarrierPassed,
            Event::HeartbeatSeen(0),
            Event::Postponed(true),
            Event::ChunkEndFound(Scan::Copy, None),
            Event::Copied(copied, 1),
            Event::ChunkEndFound(Scan::Verify, None),
            Event::Compared(0, 5, Vec::new(), 1),
        ] {
            core.step(event);
        }
        assert_eq!(core.view().stage, Stage::Postponed);
        core
    }

    /// The row of this key changes and is refreshed; what the next tick brings.
    fn change(core: &mut Core, byte: u8) -> Vec<Command> {
        let mut commands = core.step(Event::Changed(vec![key(byte)]));
        commands.extend(core.step(Event::Tick(0)));
        refreshed(core, &commands);
        core.step(Event::Tick(0))
    }

    /// The refreshes among these have gone well.
    fn refreshed(core: &mut Core, commands: &[Command]) {
        for command in commands {
            let Command::Refresh(job) = command else {
                continue;
            };
            let id = job.clone().outcome().id;
            core.step(Event::Refreshed(
                RefreshOutcome {
                    id,
                    stayed: Vec::new(),
                    replaced: 1,
                    deleted: 0,
                    detour: false,
                    conflicts: Vec::new(),
                    misfits: Vec::new(),
                    keys_max: None,
                },
                0,
            ));
        }
    }

    fn checked(commands: &[Command]) -> Option<(u64, Vec<Key>)> {
        commands.iter().find_map(|command| {
            let Command::Check(check, keys) = command else {
                return None;
            };
            Some((*check, keys.clone()))
        })
    }

    #[test]
    fn a_row_that_changes_while_postponed_is_compared_again() {
        let mut core = postponed(Rules::default());
        let (check, keys) = checked(&change(&mut core, 1)).expect("a check");
        assert_eq!(keys, [key(1)]);
        core.step(Event::Checked(check, Vec::new()));
        assert!(checked(&core.step(Event::Tick(0))).is_none(), "once");

        let mut core = postponed(Rules::without(Rule::ChangedRowsComparedAgain));
        assert!(checked(&change(&mut core, 1)).is_none());
    }

    #[test]
    fn a_refresh_that_went_wrong_while_postponed_ends_the_run() {
        let mut core = postponed(Rules::default());
        let mut commands = change(&mut core, 1);
        for marker in 1..=2 {
            let (check, keys) = checked(&commands).expect("a check");
            core.step(Event::Checked(check, keys));
            core.step(Event::MarkerSeen(Marker(marker)));
            commands = core.step(Event::Tick(0));
        }
        assert_eq!(core.outcome(), Some(&Outcome::Mismatch(vec![key(1)])));
    }

    #[test]
    fn a_row_that_changes_all_the_time_is_never_under_suspicion() {
        let mut core = postponed(Rules::default());
        let mut commands = change(&mut core, 1);
        for _ in 0..5 {
            let (check, keys) = checked(&commands).expect("a check");
            core.step(Event::Changed(vec![key(1)]));
            core.step(Event::Checked(check, keys));
            assert_eq!(core.view().suspects, 0);
            commands = change(&mut core, 1);
        }
        assert!(core.outcome().is_none());
    }

    #[test]
    fn nothing_is_compared_again_while_throttled_or_when_the_wait_is_over() {
        let mut core = postponed(Rules::default());
        core.step(Event::Changed(vec![key(1)]));
        core.step(Event::Throttled(Some("busy".into())));
        assert!(checked(&change(&mut core, 1)).is_none());
        let commands = core.step(Event::Throttled(None));
        refreshed(&mut core, &commands);
        assert!(checked(&core.step(Event::Tick(0))).is_some());

        let mut core = postponed(Rules::default());
        let mut commands = core.step(Event::Changed(vec![key(1)]));
        commands.extend(core.step(Event::Tick(0)));
        refreshed(&mut core, &commands);
        // The gate stays shut, and there is no time to compare anything.
        core.step(Event::HeartbeatSeen(60_000));
        core.step(Event::Postponed(false));
        assert!(checked(&core.step(Event::Tick(0))).is_none());
    }
}
