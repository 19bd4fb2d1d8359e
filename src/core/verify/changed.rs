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
}
