//! The dirty keys: rows of the original that changed and whose ghost rows have to be refreshed.
//!
//! A key is in one of three places: ready to be refreshed, held (somebody had its row locked; it
//! is tried again after a pause), or in a worker's hands. An event for a key in a worker's hands
//! marks it ready again, but it isn't handed out before the worker has given it back.
//!
//! Each outstanding key knows since when it is ([`Since`]): a checkpoint must not claim to be past it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::rules::{Rule, Rules};
use crate::limits;
use crate::plan::key::Key;

/// A place in the log that the stream had reached, as the engine numbers them: they only grow.
pub type Spot = u32;

/// Since when a key is dirty, over all that has made it so and isn't refreshed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Since {
    /// Its first event comes behind this spot; [`Spot::MAX`] when it has none.
    pub spot: Spot,
    /// The copy passed over its row, of which no event tells.
    pub passed_over: bool,
    /// Its row came, went, or got another key since: what the ghost alone has under the key is another row's.
    pub renewed: bool,
}

impl Since {
    fn event(spot: Spot) -> Self {
        Self {
            spot,
            passed_over: false,
            renewed: false,
        }
    }

    const PASSED_OVER: Self = Self {
        spot: Spot::MAX,
        passed_over: true,
        renewed: false,
    };

    /// See [`DirtySet::rebase`].
    #[cfg(test)]
    pub(super) fn rebased(self, base: Spot) -> Self {
        let spot = if self.spot == Spot::MAX {
            self.spot
        } else {
            self.spot - base
        };
        Self { spot, ..self }
    }

    fn and(self, other: Self) -> Self {
        Self {
            spot: self.spot.min(other.spot),
            passed_over: self.passed_over || other.passed_over,
            renewed: self.renewed || other.renewed,
        }
    }
}

/// [`Since`] as the set keeps it, without room for alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Packed {
    spot: [u8; 4],
    passed_over: bool,
    renewed: bool,
}

impl From<Since> for Packed {
    fn from(since: Since) -> Self {
        Self {
            spot: since.spot.to_ne_bytes(),
            passed_over: since.passed_over,
            renewed: since.renewed,
        }
    }
}

impl From<Packed> for Since {
    fn from(packed: Packed) -> Self {
        Self {
            spot: Spot::from_ne_bytes(packed.spot),
            passed_over: packed.passed_over,
            renewed: packed.renewed,
        }
    }
}

/// The set of dirty keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirtySet {
    ready: BTreeMap<Key, Packed>,
    held: BTreeMap<Key, Packed>,
    in_hand: BTreeMap<u64, Vec<(Key, Since)>>,
    keys_in_hand: BTreeMap<Key, u32>,
    /// Where the last batch ended: batches go round, so that low keys can't starve high ones.
    cursor: Option<Key>,
    bytes: usize,
    next_job: u64,
    /// Where the stream is.
    spot: Spot,
    /// Equal keys may have different bytes: one refresh at a time.
    serial: bool,
    rules: Rules,
}

/// The memory that a key takes here while nobody has it in hand.
fn cost(key: &Key) -> usize {
    limits::DIRTY_KEY_BYTES + key.heap_size()
}

impl DirtySet {
    /// An empty set; `serial` when equal keys may have different bytes.
    #[must_use]
    pub fn new(serial: bool, rules: Rules) -> Self {
        Self {
            ready: BTreeMap::new(),
            held: BTreeMap::new(),
            in_hand: BTreeMap::new(),
            keys_in_hand: BTreeMap::new(),
            cursor: None,
            bytes: 0,
            next_job: 0,
            spot: 0,
            serial,
            rules,
        }
    }

    /// The stream has delivered everything up to this spot.
    pub fn reached(&mut self, spot: Spot) {
        self.spot = spot;
    }

    /// An event marks a key dirty.
    pub fn mark(&mut self, key: Key) {
        let since = Since::event(self.spot);
        self.add(key, since);
    }

    /// An event brings a row, takes one away, or gives one this key.
    pub fn mark_renewed(&mut self, key: Key) {
        let since = Since {
            renewed: true,
            ..Since::event(self.spot)
        };
        self.add(key, since);
    }

    /// Which keys of a job were renewed since they were refreshed last.
    #[must_use]
    pub fn renewed_of(&self, job: u64) -> Vec<Key> {
        let taken = self.in_hand.get(&job).into_iter().flatten();
        let renewed = taken.filter(|(_, since)| since.renewed);
        renewed.map(|(key, _)| key.clone()).collect()
    }

    /// The copy passed over this key's row.
    pub fn mark_passed_over(&mut self, key: Key) {
        self.add(key, Since::PASSED_OVER);
    }

    /// Marks keys again that were taken out by [`DirtySet::clear`].
    pub fn restore(&mut self, keys: Vec<(Key, Since)>) {
        for (key, since) in keys {
            let since = if self.rules.has(Rule::DirtyAgainKeepsItsAge) {
                since
            } else {
                Since::event(self.spot)
            };
            self.add(key, since);
        }
    }

    fn add(&mut self, key: Key, since: Since) {
        if !self.rules.has(Rule::EventDuringRefreshMarksAgain)
            && self.keys_in_hand.contains_key(&key)
        {
            return;
        }
        let cost = cost(&key);
        let held = self.held.remove(&key).map(Since::from);
        if held.is_some() {
            self.bytes -= cost;
        }
        let since = held.map_or(since, |before| before.and(since));
        match self.ready.entry(key) {
            Entry::Vacant(free) => {
                free.insert(since.into());
                self.bytes += cost;
            }
            Entry::Occupied(mut there) => {
                let both = Since::from(*there.get()).and(since);
                there.insert(both.into());
            }
        }
    }

    /// Whether a refresh of this key is outstanding.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.ready.contains_key(key)
            || self.held.contains_key(key)
            || self.keys_in_hand.contains_key(key)
    }

    /// Takes up to `most` keys for one refresh; they are in the worker's hands until
    /// [`DirtySet::give_back`].
    pub fn take(&mut self, most: usize) -> Option<(u64, Vec<Key>)> {
        if self.serial && !self.in_hand.is_empty() && self.rules.has(Rule::EqualKeysOneWorker) {
            return None;
        }
        let keys = self.next_keys(most);
        self.cursor = keys.last().cloned();
        if keys.is_empty() {
            return None;
        }
        let mut taken = Vec::with_capacity(keys.len());
        for key in &keys {
            if let Some(since) = self.ready.remove(key) {
                self.bytes -= cost(key);
                taken.push((key.clone(), since.into()));
            }
            *self.keys_in_hand.entry(key.clone()).or_default() += 1;
        }
        let job = self.next_job;
        self.next_job += 1;
        self.in_hand.insert(job, taken);
        Some((job, keys))
    }

    /// The keys behind the cursor and then those before it, as many as one refresh may have and nobody has
    /// in hand.
    fn next_keys(&self, most: usize) -> Vec<Key> {
        let one_worker = self.rules.has(Rule::OneWorkerPerKey);
        let (behind, before) = match &self.cursor {
            Some(key) => (
                self.ready.range((Bound::Excluded(key), Bound::Unbounded)),
                Some(self.ready.range(..=key)),
            ),
            None => (self.ready.range::<Key, _>(..), None),
        };
        let keys = behind
            .chain(before.into_iter().flatten())
            .map(|(key, _)| key);
        let free = keys.filter(|key| !one_worker || !self.keys_in_hand.contains_key(*key));
        let mut room = limits::REFRESH_KEY_BYTES_MAX;
        let fitting = free.take_while(|key| {
            let fits = room > 0;
            room = room.saturating_sub(key.size());
            fits
        });
        fitting.take(most).cloned().collect()
    }

    /// A refresh is over; `stayed` are those of its keys that are still dirty. Never overwrites
    /// a newer mark. Returns the keys the job had.
    pub fn give_back(&mut self, job: u64, stayed: Vec<Key>) -> Vec<Key> {
        let taken = self.in_hand.remove(&job).unwrap_or_default();
        for (key, _) in &taken {
            if let Some(count) = self.keys_in_hand.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.keys_in_hand.remove(key);
                }
            }
        }
        if self.rules.has(Rule::HeldStaysDirty) && !stayed.is_empty() {
            let ages: BTreeMap<&Key, Since> = taken.iter().map(|(key, age)| (key, *age)).collect();
            for key in stayed {
                // A key that the job didn't have would be one that nobody knows anything of.
                let since = ages.get(&key).copied().unwrap_or(Since::PASSED_OVER);
                self.hold(key, since);
            }
        }
        taken.into_iter().map(|(key, _)| key).collect()
    }

    /// A key of a job stays dirty: since it was, and not since now.
    fn hold(&mut self, key: Key, mut since: Since) {
        if !self.rules.has(Rule::DirtyAgainKeepsItsAge) {
            since = Since::event(self.spot);
        }
        if let Some(newer) = self.ready.get_mut(&key) {
            *newer = Since::from(*newer).and(since).into();
            return;
        }
        let cost = cost(&key);
        match self.held.entry(key) {
            Entry::Vacant(free) => {
                free.insert(since.into());
                self.bytes += cost;
            }
            Entry::Occupied(mut there) => {
                let both = Since::from(*there.get()).and(since);
                there.insert(both.into());
            }
        }
    }

    /// Lets the held keys be tried again.
    pub fn release_held(&mut self) {
        self.ready.append(&mut self.held);
    }

    /// Every key that nobody has in hand.
    fn waiting(&self) -> impl Iterator<Item = (&Key, Since)> {
        let waiting = self.ready.iter().chain(&self.held);
        waiting.map(|(key, since)| (key, Since::from(*since)))
    }

    /// Where the log has to be read from again so that no outstanding key is missed, and the keys of
    /// which it doesn't tell.
    #[must_use]
    pub fn outstanding(&self) -> (Spot, Vec<Key>) {
        let waiting = self.waiting();
        let in_hand = self.in_hand.values().flatten();
        let in_hand = in_hand.map(|(key, since)| (key, *since));
        let in_hand = in_hand.filter(|_| self.rules.has(Rule::CheckpointCountsKeysInHand));
        let mut first = self.spot;
        let mut passed_over = Vec::new();
        // With more than a checkpoint may have none is taken, so the rest needn't be told. A key that was
        // marked again in a worker's hands is here twice.
        let enough = 2 * limits::CHECKPOINT_KEYS_BYTES_MAX;
        let mut bytes = 0;
        for (key, since) in waiting.chain(in_hand) {
            if self.rules.has(Rule::CheckpointIsNotPastDirtyKeys) {
                first = first.min(since.spot);
            }
            let named = since.passed_over && bytes <= enough;
            if named && self.rules.has(Rule::CheckpointNamesKeysPassedOver) {
                bytes += key.size();
                passed_over.push(key.clone());
            }
        }
        passed_over.sort_unstable();
        passed_over.dedup();
        (first, passed_over)
    }

    /// The spots behind which outstanding keys have their first events, and where the stream is.
    #[must_use]
    pub fn spots(&self) -> BTreeSet<Spot> {
        let waiting = self.waiting().map(|(_, since)| since);
        let in_hand = self.in_hand.values().flatten().map(|(_, since)| *since);
        let spots = waiting.chain(in_hand).map(|since| since.spot);
        spots
            .filter(|spot| *spot != Spot::MAX)
            .chain([self.spot])
            .collect()
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

    /// Numbers spots from here on; see [`super::Core::canonical`].
    #[cfg(test)]
    pub(super) fn rebase(&mut self, base: Spot) {
        self.spot -= base;
        for since in self.ready.values_mut().chain(self.held.values_mut()) {
            *since = Since::from(*since).rebased(base).into();
        }
        for (_, since) in self.in_hand.values_mut().flatten() {
            *since = since.rebased(base);
        }
    }

    /// Every dirty key, for the refresh under the lock; none may be in a worker's hands.
    #[must_use]
    pub fn all(&self) -> Vec<(Key, Since)> {
        let all = self.waiting();
        let mut all: Vec<(Key, Since)> = all.map(|(key, since)| (key.clone(), since)).collect();
        all.sort_unstable();
        all
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
    fn a_renewed_key_is_so_until_it_is_refreshed() {
        let mut set = set(&[1, 2]);
        set.mark_renewed(key(1));
        set.mark(key(1));
        let (job, keys) = set.take(10).expect("both");
        assert_eq!(set.renewed_of(job), vec![key(1)]);
        set.give_back(job, keys);
        set.release_held();
        let (job, _) = set.take(10).expect("held before");
        assert_eq!(set.renewed_of(job), vec![key(1)]);
        set.give_back(job, vec![]);
        set.mark(key(1));
        let (job, _) = set.take(10).expect("changed again");
        assert!(set.renewed_of(job).is_empty());
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
