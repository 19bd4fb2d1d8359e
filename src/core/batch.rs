//! How many keys a refresh has: as many as fit into the time that their rows may be locked.

use crate::limits;

/// The size of refreshes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Batch {
    keys: usize,
    keys_max: usize,
    target_ms: u64,
}

impl Batch {
    /// Batches that start with `keys` keys and never exceed `keys_max`.
    pub(super) fn new(keys: usize, keys_max: usize) -> Self {
        let keys_max = keys_max.max(1);
        Self {
            keys: keys.clamp(1, keys_max),
            keys_max,
            target_ms: super::millis(limits::REFRESH_TARGET),
        }
    }

    /// Keys that the next refresh may have.
    pub(super) fn keys(&self) -> usize {
        self.keys
    }

    /// Sets the time that one should take, while running.
    pub(super) fn aim_at(&mut self, target_ms: u64) {
        self.target_ms = target_ms;
    }

    /// One was too much for the server; so many keys may not be.
    pub(super) fn limit(&mut self, keys_max: usize) {
        self.keys_max = self.keys_max.min(keys_max).max(1);
        self.keys = self.keys.min(self.keys_max);
    }

    /// A refresh of so many keys took so long.
    pub(super) fn done(&mut self, keys: usize, took_ms: u64) {
        let floor = limits::REFRESH_KEYS_MIN.min(self.keys);
        if took_ms > self.target_ms {
            // In proportion, but never by more than half for one that had to wait for the disk.
            let fitting = scaled(keys, self.target_ms, took_ms);
            self.keys = self.keys.min(fitting.max(self.keys / 2)).max(floor);
        } else if keys >= self.keys && took_ms.saturating_mul(2) < self.target_ms {
            // One that isn't full says nothing about a larger one.
            let grown = self.keys.saturating_add(self.keys / 2).max(self.keys + 1);
            self.keys = grown.min(self.keys_max);
        }
    }
}

fn scaled(keys: usize, target_ms: u64, took_ms: u64) -> usize {
    let keys = u64::try_from(keys).unwrap_or(u64::MAX);
    usize::try_from(keys.saturating_mul(target_ms) / took_ms.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> u64 {
        super::super::millis(limits::REFRESH_TARGET)
    }

    #[test]
    fn full_batches_that_are_quick_grow_up_to_the_most() {
        let mut batch = Batch::new(500, 1_000);
        batch.done(500, 1);
        assert_eq!(batch.keys(), 750);
        batch.done(100, 1);
        assert_eq!(batch.keys(), 750, "a small one says nothing");
        batch.done(750, 1);
        batch.done(1_000, 1);
        assert_eq!(batch.keys(), 1_000);
    }

    #[test]
    fn slow_ones_shrink_but_not_below_what_a_statement_is_worth() {
        let mut batch = Batch::new(1_000, 1_000);
        batch.done(1_000, target() + target() / 4);
        assert!((800..=850).contains(&batch.keys()), "{}", batch.keys());
        for _ in 0..20 {
            batch.done(batch.keys(), target() * 100);
        }
        assert_eq!(batch.keys(), limits::REFRESH_KEYS_MIN);
    }

    #[test]
    fn what_was_too_much_for_the_server_is_not_tried_again() {
        let mut batch = Batch::new(500, 1_000);
        batch.limit(20);
        batch.done(20, 1);
        assert_eq!(batch.keys(), 20);
        batch.limit(0);
        assert_eq!(batch.keys(), 1);
    }
}
