//! The dirty keys: rows of the original that changed and whose ghost rows have to be refreshed.
//!
//! A key is in one of three places: ready to be refreshed, held (somebody had its row locked; it
//! is tried again after a pause), or in a worker's hands. An event for a key in a worker's hands
//! marks it ready again, but it isn't handed out before the worker has given it back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::rules::{Rule, Rules};
use crate::limits;
use crate::plan::key::Key;

/// The set of dirty keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirtySet {
    ready: BTreeSet<Key>,
    held: BTreeSet<Key>,
    in_hand: BTreeMap<u64, Vec<Key>>,
    keys_in_hand: BTreeMap<Key, u32>,
    /// Where the last batch ended: batches go round, so that low keys can't starve high ones.
    cursor: Option<Key>,
    bytes: usize,
    next_job: u64,
    /// Equal keys may have different bytes: one refresh at a time.
    serial: bool,
    rules: Rules,
}

fn cost(key: &Key) -> usize {
    key.size() + limits::DIRTY_KEY_OVERHEAD
}

impl DirtySet {
    /// An empty set; `serial` when equal keys may have different bytes.
    #[must_use]
    pub fn new(serial: bool, rules: Rules) -> Self {
        Self {
            ready: BTreeSet::new(),
            held: BTreeSet::new(),
            in_hand: BTreeMap::new(),
            keys_in_hand: BTreeMap::new(),
            cursor: None,
            bytes: 0,
            next_job: 0,
            serial,
            rules,
        }
    }

    /// Marks a key dirty.
    pub fn mark(&mut self, key: Key) {
        if !self.rules.has(Rule::EventDuringRefreshMarksAgain)
            && self.keys_in_hand.contains_key(&key)
        {
            return;
        }
        if self.held.remove(&key) {
            self.bytes -= cost(&key);
        }
        let cost = cost(&key);
        if self.ready.insert(key) {
            self.bytes += cost;
        }
    }

    /// Whether a refresh of this key is outstanding.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.ready.contains(key) || self.held.contains(key) || self.keys_in_hand.contains_key(key)
    }

    /// Takes up to `most` keys for one refresh; they are in the worker's hands until
    /// [`DirtySet::give_back`].
    pub fn take(&mut self, most: usize) -> Option<(u64, Vec<Key>)> {
        if self.serial && !self.in_hand.is_empty() && self.rules.has(Rule::EqualKeysOneWorker) {
            return None;
        }
        let after = match &self.cursor {
            Some(key) => (Bound::Excluded(key.clone()), Bound::Unbounded),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let one_worker = self.rules.has(Rule::OneWorkerPerKey);
        let free = |key: &&Key| !one_worker || !self.keys_in_hand.contains_key(*key);
        let mut keys: Vec<Key> = self
            .ready
            .range::<Key, _>(after)
            .filter(free)
            .take(most)
            .cloned()
            .collect();
        if keys.len() < most {
            let upto = match &self.cursor {
                Some(key) => (Bound::Unbounded, Bound::Included(key.clone())),
                None => (Bound::Unbounded, Bound::Unbounded),
            };
            if self.cursor.is_some() {
                let more = most - keys.len();
                keys.extend(
                    self.ready
                        .range::<Key, _>(upto)
                        .filter(free)
                        .take(more)
                        .cloned(),
                );
            }
        }
        self.cursor = keys.last().cloned();
        if keys.is_empty() {
            return None;
        }
        for key in &keys {
            if self.ready.remove(key) {
                self.bytes -= cost(key);
            }
            *self.keys_in_hand.entry(key.clone()).or_default() += 1;
        }
        let job = self.next_job;
        self.next_job += 1;
        self.in_hand.insert(job, keys.clone());
        Some((job, keys))
    }

    /// A refresh is over; `stayed` are those of its keys that are still dirty. Never overwrites
    /// a newer mark. Returns the keys the job had.
    pub fn give_back(&mut self, job: u64, stayed: Vec<Key>) -> Vec<Key> {
        let keys = self.in_hand.remove(&job).unwrap_or_default();
        for key in &keys {
            if let Some(count) = self.keys_in_hand.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.keys_in_hand.remove(key);
                }
            }
        }
        if !self.rules.has(Rule::HeldStaysDirty) {
            return keys;
        }
        for key in stayed {
            let cost = cost(&key);
            if !self.ready.contains(&key) && self.held.insert(key) {
                self.bytes += cost;
            }
        }
        keys
    }

    /// Lets the held keys be tried again.
    pub fn release_held(&mut self) {
        self.ready.append(&mut self.held);
    }

    /// See [`super::Core::canonical`]: job numbers begin at the lowest free one, and where the
    /// last batch ended doesn't matter when every key fits into one.
    #[cfg(test)]
    pub(super) fn canonical(&mut self, most: usize) {
        self.next_job = (0..)
            .find(|job| !self.in_hand.contains_key(job))
            .unwrap_or_default();
        if most > 1 {
            self.cursor = None;
        }
    }

    /// Every dirty key, for the refresh under the lock; none may be in a worker's hands.
    #[must_use]
    pub fn all(&self) -> Vec<Key> {
        self.ready.union(&self.held).cloned().collect()
    }

    /// Forgets every key: they were refreshed under the lock.
    pub fn clear(&mut self) {
        self.ready.clear();
        self.held.clear();
        self.bytes = 0;
    }

    /// Keys ready to be taken.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Keys whose rows somebody holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// All outstanding keys, those in workers' hands included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ready.len() + self.held.len() + self.in_hand.values().map(Vec::len).sum::<usize>()
    }

    /// Nothing is outstanding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refreshes under way.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.in_hand.len()
    }

    /// The number of the refresh that has been under way longest.
    #[must_use]
    pub fn oldest_job(&self) -> Option<u64> {
        self.in_hand.keys().next().copied()
    }

    /// The set takes as much memory as it may; the stream has to wait.
    #[must_use]
    pub fn is_full(&self, bytes_max: usize) -> bool {
        self.bytes >= bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte])
    }

    fn set(keys: &[u8]) -> DirtySet {
        let mut set = DirtySet::new(false, Rules::default());
        keys.iter().for_each(|byte| set.mark(key(*byte)));
        set
    }

    #[test]
    fn an_event_during_a_refresh_keeps_the_key_dirty_but_out_of_other_hands() {
        let mut set = set(&[1]);
        let (job, _) = set.take(10).expect("one key");
        set.mark(key(1));
        assert!(set.take(10).is_none(), "one worker per key");
        set.give_back(job, vec![]);
        assert_eq!(set.take(10).expect("marked again").1, vec![key(1)]);
    }

    #[test]
    fn a_held_key_pauses_and_a_new_event_ends_the_pause() {
        let mut set = set(&[1, 2]);
        let (job, keys) = set.take(10).expect("two keys");
        set.give_back(job, keys);
        assert!(set.take(10).is_none());
        set.mark(key(2));
        assert_eq!(set.take(10).expect("the new event").1, vec![key(2)]);
        set.release_held();
        assert_eq!(set.take(10).expect("after the pause").1, vec![key(1)]);
    }

    #[test]
    fn batches_go_round_so_that_hot_low_keys_do_not_starve_high_ones() {
        let mut set = set(&[1, 2, 3]);
        let (one, keys) = set.take(2).expect("first");
        assert_eq!(keys, vec![key(1), key(2)]);
        set.give_back(one, vec![]);
        set.mark(key(1));
        assert_eq!(set.take(2).expect("second").1, vec![key(3), key(1)]);
    }

    #[test]
    fn equal_keys_of_different_bytes_go_through_one_worker() {
        let mut set = DirtySet::new(true, Rules::default());
        set.mark(key(1));
        set.mark(key(2));
        let (job, _) = set.take(1).expect("one");
        assert!(set.take(1).is_none());
        set.give_back(job, vec![]);
        assert!(set.take(1).is_some());
    }

    #[test]
    fn bytes_are_counted_once_and_come_back_to_zero() {
        let mut set = set(&[1, 1, 2]);
        let full = set.bytes;
        assert!(set.is_full(full) && !set.is_full(full + 1));
        let (job, keys) = set.take(10).expect("both");
        set.give_back(job, keys);
        assert_eq!(set.bytes, full);
        set.release_held();
        let (job, _) = set.take(10).expect("both again");
        set.give_back(job, vec![]);
        assert_eq!((set.bytes, set.len()), (0, 0));
    }
}
