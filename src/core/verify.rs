//! The verification before the cut-over: every chunk compared, every difference explained.
//!
//! Chunks are compared while both tables change, so a difference is at first only a *suspect*
//! key. A suspect is checked again and dropped as soon as it is seen equal once: from then on its
//! changes are followed like everybody's. It becomes a **definite** mismatch only when it differs
//! although nothing changed it: it was clean when the check began, a marker written after the
//! check has come back through the stream, and no event for the key came before it. Two such
//! rounds are asked for. Keys that never stand still are settled under the cut-over's lock.
//!
//! [`extent`] says which chunks are compared, [`repair`] what becomes of mismatches that the operator
//! wants to be repaired, `changed` keeps the rows that are compared again while the cut-over is
//! postponed.

mod changed;
pub mod extent;
pub mod repair;

use std::collections::{BTreeMap, VecDeque};

use super::chunk::{Chunk, Chunker};
use super::event::Marker;
use super::rules::{Rule, Rules};
use crate::limits;
use crate::plan::key::Key;
use changed::Changed;
use extent::{Choice, Extent, Wanted};
use repair::Repairs;

/// Which way a pass walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Ranges mean the same in both tables: counts and hashes of both.
    Both,
    /// The original's rows, each beside its ghost row.
    Original,
    /// The ghost's rows that the original lacks.
    Ghost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Waiting,
    InCheck,
    Awaiting(Marker),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Suspect {
    state: State,
    /// Changed, or due to be refreshed, since the check began.
    touched: bool,
    confirmations: u8,
    /// Times that it had changed by the end of its check, in a pass that repaired.
    unsettled: u8,
    /// It was seen equal before, and is compared again because it changed.
    again: bool,
    /// A chunk's comparison found it while its check was under way; which of the two read first nobody
    /// knows.
    found_meanwhile: bool,
}

/// The state of the verification.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Verification {
    /// The pass under way.
    pub pass: Pass,
    /// Its chunks.
    pub chunker: Chunker,
    passes_left: VecDeque<(Pass, Chunker)>,
    again: VecDeque<u64>,
    suspects: BTreeMap<Key, Suspect>,
    checks: BTreeMap<u64, Vec<Key>>,
    next_check: u64,
    definite: Vec<Key>,
    rows: u64,
    choice: Choice,
    repairs: Repairs,
    changed: Changed,
    /// Changed rows in the check under way, which are no suspects.
    compared_again: usize,
    /// Keys can be told apart by their bytes; otherwise an event for any key may be one for any
    /// suspect, under another spelling.
    byte_comparable: bool,
    /// Every suspect is marked as touched already.
    all_touched: bool,
    rules: Rules,
}

impl Verification {
    /// A verification whose chunks start with `rows` rows.
    #[must_use]
    pub fn new(
        same_order: bool,
        byte_comparable: bool,
        rows: u64,
        rows_max: u64,
        rules: Rules,
    ) -> Self {
        let target = u64::try_from(limits::VERIFY_CHUNK_TARGET.as_millis()).unwrap_or(u64::MAX);
        let chunker = || Chunker::new(rows, rows_max, target);
        let (pass, passes_left) = if same_order {
            (Pass::Both, VecDeque::new())
        } else {
            (Pass::Original, VecDeque::from([(Pass::Ghost, chunker())]))
        };
        Self {
            pass,
            chunker: chunker(),
            passes_left,
            again: VecDeque::new(),
            suspects: BTreeMap::new(),
            checks: BTreeMap::new(),
            next_check: 0,
            definite: Vec::new(),
            rows: 0,
            choice: Choice::new(Extent::Full),
            repairs: Repairs::default(),
            changed: Changed::default(),
            compared_again: 0,
            byte_comparable,
            all_touched: false,
            rules,
        }
    }

    /// The same, comparing as much as is wanted. A unique key that the ALTER introduces needs
    /// everything to be compared, whatever was wanted.
    #[must_use]
    pub fn wanting(self, wanted: Wanted, introduced_keys: bool) -> Self {
        let needed = introduced_keys && self.rules.has(Rule::IntroducedKeysVerified);
        let extent = if needed { Extent::Full } else { wanted.extent };
        Self {
            choice: Choice::new(extent),
            ..self
        }
    }

    /// How much is compared.
    #[must_use]
    pub fn extent(&self) -> Extent {
        self.choice.extent()
    }

    /// The next chunk to compare, unless too many suspects wait. Chunks outside the sample are done
    /// without having been compared.
    pub fn take_chunk(&mut self) -> Option<(Pass, Chunk)> {
        if self.suspects.len() >= limits::SUSPECT_KEYS_MAX {
            return None;
        }
        while let Some(chunk) = self.chunker.take() {
            if self.choice.takes(self.pass, &chunk) {
                return Some((self.pass, chunk));
            }
            self.chunker.done(chunk.id, 0, 0);
            self.next_pass();
        }
        None
    }

    /// Goes over to the next pass when the present one has come to its end.
    fn next_pass(&mut self) {
        if self.chunker.finished()
            && let Some((pass, chunker)) = self.passes_left.pop_front()
        {
            self.pass = pass;
            self.chunker = chunker;
            self.choice = Choice::new(self.extent());
        }
    }

    /// Everything is compared again, from the first chunk to the last: a pass that repaired is no
    /// pass. Only while nothing is under way.
    pub fn begin_again(&mut self) {
        debug_assert!(self.idle(), "a comparison is under way");
        let chunker = self.chunker.restarted();
        if self.pass != Pass::Both {
            self.pass = Pass::Original;
            self.passes_left = VecDeque::from([(Pass::Ghost, chunker.clone())]);
        }
        self.chunker = chunker;
        // A sample that found something is not trusted any more.
        self.choice = Choice::new(Extent::Full);
        self.rows = 0;
        self.suspects.clear();
        self.changed.clear();
        self.repairs.new_pass();
    }

    /// Takes note that these rows differed and are being refreshed; `false` when there have been too
    /// many passes that repaired.
    pub fn repair(&mut self, keys: &[Key]) -> bool {
        let possible = self.repairs.possible();
        if possible {
            self.repairs.made(keys);
        }
        possible
    }

    /// What was repaired.
    #[must_use]
    pub fn repairs(&self) -> &Repairs {
        &self.repairs
    }

    /// The pass under way has repaired, so it counts for nothing.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.repairs.in_this_pass() && self.rules.has(Rule::RepairedPassIsNoPass)
    }

    /// Nothing more is to be found in a pass that repaired: rows that are still under suspicion change all
    /// the time. What the pass doesn't find the next one has to, and the number of passes is bounded.
    #[must_use]
    pub fn settled(&self) -> bool {
        let mut suspects = self.suspects.values();
        suspects.all(|suspect| suspect.unsettled >= limits::SETTLING_CHECKS)
    }

    /// This row was changed and refreshed since everything was compared.
    pub fn changed(&mut self, key: Key) {
        if self.extent() != Extent::Off && self.rules.has(Rule::ChangedRowsComparedAgain) {
            self.changed.add(key);
        }
    }

    /// There is no more time to compare changed rows again.
    pub fn forget_changed(&mut self) {
        self.changed.clear();
    }

    /// A chunk was compared.
    pub fn compared(&mut self, chunk: u64, rows: u64, suspects: Vec<Key>, took_ms: u64) {
        let overflow = suspects.len() >= limits::VERIFY_DIFFERENCES_MAX;
        self.all_touched = false;
        for key in suspects {
            let known = self.suspects.entry(key).and_modify(|suspect| {
                suspect.found_meanwhile = suspect.state == State::InCheck;
            });
            known.or_insert(Suspect {
                state: State::Waiting,
                touched: false,
                confirmations: 0,
                unsettled: 0,
                again: false,
                found_meanwhile: false,
            });
        }
        if overflow {
            self.again.push_back(chunk);
        } else {
            self.chunker.done(chunk, rows, took_ms);
            self.rows += rows;
        }
        self.next_pass();
    }

    /// A pause is over: chunks that differed widely are looked at again.
    pub fn release(&mut self) {
        for chunk in std::mem::take(&mut self.again) {
            self.chunker.put_back(chunk);
        }
    }

    /// An event marked this key dirty.
    pub fn touch(&mut self, key: &Key) {
        if !self.byte_comparable && self.rules.has(Rule::AnyEventTouchesSpellings) {
            // Once is enough until the next check begins.
            if !self.all_touched {
                self.suspects
                    .values_mut()
                    .for_each(|suspect| suspect.touched = true);
                self.all_touched = true;
            }
        } else if let Some(suspect) = self.suspects.get_mut(key) {
            suspect.touched = true;
        }
    }

    /// The next batch of suspects to check, filled up with changed rows; at most one check runs at a
    /// time.
    pub fn take_suspects(&mut self, dirty: impl Fn(&Key) -> bool) -> Option<(u64, Vec<Key>)> {
        if !self.checks.is_empty() {
            return None;
        }
        let mut keys: Vec<Key> = self
            .suspects
            .iter()
            .filter(|(_, suspect)| suspect.state == State::Waiting)
            .map(|(key, _)| key.clone())
            .take(limits::RECHECK_KEYS)
            .collect();
        self.add_changed(&mut keys, &dirty);
        if keys.is_empty() {
            return None;
        }
        self.all_touched = false;
        for key in &keys {
            if let Some(suspect) = self.suspects.get_mut(key) {
                suspect.state = State::InCheck;
                suspect.touched = dirty(key);
            }
        }
        let check = self.next_check;
        self.next_check += 1;
        self.checks.insert(check, keys.clone());
        Some((check, keys))
    }

    /// Fills a check up with changed rows. One that waits for its refresh is compared after that; where
    /// keys have several spellings that can't be told, and only "equal" counts.
    fn add_changed(&mut self, keys: &mut Vec<Key>, dirty: impl Fn(&Key) -> bool) {
        let room = limits::RECHECK_KEYS.saturating_sub(keys.len());
        let exact = self.byte_comparable;
        for key in self.changed.take(room, |key| exact && dirty(key)) {
            if self.suspects.contains_key(&key) {
                continue;
            }
            let suspect = Suspect {
                state: State::Waiting,
                touched: false,
                confirmations: 0,
                unsettled: 0,
                again: true,
                found_meanwhile: false,
            };
            self.suspects.insert(key.clone(), suspect);
            self.compared_again += 1;
            keys.push(key);
        }
    }

    /// A check came back. Returns whether `marker` is to be written now: there are keys that
    /// differ although nothing seems to have changed them.
    pub fn checked(&mut self, check: u64, different: &[Key], marker: Marker) -> bool {
        let mut wanted = false;
        self.compared_again = 0;
        for key in self.checks.remove(&check).unwrap_or_default() {
            let found = self.suspects.get_mut(&key);
            let found = found.is_some_and(|suspect| std::mem::take(&mut suspect.found_meanwhile));
            let equal = !different.contains(&key);
            if equal && !found {
                self.suspects.remove(&key);
            } else if let Some(suspect) = self.suspects.get_mut(&key) {
                suspect.again &= !found;
                let quiet = !suspect.touched && !equal;
                let touched = !quiet && self.rules.has(Rule::MismatchNeedsQuiet);
                if touched && suspect.again {
                    // No suspect, or rows that change all the time would shut the gate.
                    self.suspects.remove(&key);
                    self.changed.add(key);
                } else if touched {
                    suspect.state = State::Waiting;
                    suspect.confirmations = 0;
                    if self.repairs.in_this_pass() {
                        suspect.unsettled = (suspect.unsettled + 1).min(limits::SETTLING_CHECKS);
                    }
                } else if !self.rules.has(Rule::MismatchWaitsForMarker) {
                    self.definite.push(key);
                } else {
                    suspect.state = State::Awaiting(marker);
                    suspect.again = false;
                    wanted = true;
                }
            }
        }
        wanted
    }

    /// A marker came back: suspects that waited for it and were not touched are confirmed.
    pub fn marker_seen(&mut self, marker: Marker) {
        let mut definite = Vec::new();
        for (key, suspect) in &mut self.suspects {
            if suspect.state != State::Awaiting(marker) {
                continue;
            }
            suspect.state = State::Waiting;
            if suspect.touched && self.rules.has(Rule::MismatchNeedsQuiet) {
                suspect.confirmations = 0;
                continue;
            }
            suspect.confirmations += 1;
            if suspect.confirmations >= limits::MISMATCH_CONFIRMATIONS {
                definite.push(key.clone());
            }
        }
        for key in definite {
            self.suspects.remove(&key);
            self.definite.push(key);
        }
    }

    /// See [`super::Core::canonical`].
    #[cfg(test)]
    pub(super) fn canonical(&mut self) {
        self.rows = 0;
        if self.checks.is_empty() {
            self.next_check = 0;
        }
    }

    /// Every chunk has been compared that is to be.
    #[must_use]
    pub fn chunks_done(&self) -> bool {
        self.extent() == Extent::Off
            || self.chunker.finished() && self.passes_left.is_empty() && self.again.is_empty()
    }

    /// Keys whose difference is not explained yet.
    #[must_use]
    pub fn suspects(&self) -> Vec<Key> {
        self.suspects.keys().cloned().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn suspect_count(&self) -> usize {
        self.suspects.len() - self.compared_again
    }

    /// The number of the comparison that has been under way longest; a chunk that waits for its
    /// repetition isn't under way.
    #[must_use]
    pub fn oldest_comparison(&self) -> Option<u64> {
        self.chunker
            .in_flight_ids()
            .find(|chunk| !self.again.contains(chunk))
    }

    /// The number of the check that has been under way longest.
    #[must_use]
    pub fn oldest_check(&self) -> Option<u64> {
        self.checks.keys().next().copied()
    }

    /// Checks under way.
    #[must_use]
    pub fn checks_under_way(&self) -> usize {
        self.checks.len()
    }

    /// Checks begun so far.
    #[must_use]
    pub fn checks_begun(&self) -> u64 {
        self.next_check
    }

    /// The oldest marker that a suspect waits for.
    #[must_use]
    pub fn oldest_marker(&self) -> Option<Marker> {
        self.suspects
            .values()
            .filter_map(|suspect| match suspect.state {
                State::Awaiting(marker) => Some(marker),
                State::Waiting | State::InCheck => None,
            })
            .min()
    }

    /// No check and no chunk is under way.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.checks.is_empty() && self.chunker.in_flight() == 0
    }

    /// Keys that differ for certain; what is to be done about them is the caller's affair.
    pub fn take_definite(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.definite)
    }

    /// Rows compared so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte])
    }

    fn with_suspect() -> Verification {
        let mut verification = Verification::new(true, true, 10, 100, Rules::default());
        verification.chunker.start_lookup(1);
        verification.chunker.lookup_done(None);
        let (_, chunk) = verification.take_chunk().expect("the only chunk");
        verification.compared(chunk.id, 5, vec![key(1)], 1);
        verification
    }

    fn round(verification: &mut Verification, marker: u64, touched: bool) {
        let (check, keys) = verification.take_suspects(|_| false).expect("a suspect");
        let wanted = verification.checked(check, &keys, Marker(marker));
        assert!(wanted);
        if touched {
            verification.touch(&key(1));
        }
        verification.marker_seen(Marker(marker));
    }

    #[test]
    fn a_key_that_differs_twice_untouched_is_a_mismatch() {
        let mut verification = with_suspect();
        round(&mut verification, 1, false);
        assert!(verification.definite.is_empty());
        round(&mut verification, 2, false);
        assert_eq!(verification.definite, [key(1)]);
    }

    #[test]
    fn a_key_that_keeps_changing_is_never_a_mismatch() {
        let mut verification = with_suspect();
        for marker in 0..10 {
            round(&mut verification, marker, true);
        }
        assert!(verification.definite.is_empty());
        assert_eq!(verification.suspect_count(), 1);
    }

    #[test]
    fn a_key_seen_equal_once_is_no_suspect_any_more() {
        let mut verification = with_suspect();
        let (check, _) = verification.take_suspects(|_| true).expect("a suspect");
        assert!(!verification.checked(check, &[], Marker(1)));
        assert_eq!(verification.suspect_count(), 0);
        assert!(verification.chunks_done());
    }

    #[test]
    fn a_dirty_suspect_is_not_held_against_the_ghost() {
        let mut verification = with_suspect();
        let (check, keys) = verification.take_suspects(|_| true).expect("a suspect");
        assert!(
            !verification.checked(check, &keys, Marker(1)),
            "no marker for a dirty key"
        );
        assert_eq!(verification.suspect_count(), 1);
    }

    #[test]
    fn a_chunk_that_differs_widely_is_compared_again() {
        let mut verification = Verification::new(true, true, 10, 100, Rules::default());
        verification.chunker.start_lookup(1);
        verification.chunker.lookup_done(None);
        let (_, chunk) = verification.take_chunk().expect("the only chunk");
        let many: Vec<Key> = (0..limits::VERIFY_DIFFERENCES_MAX)
            .map(|number| Key::from_bytes(&number.to_be_bytes()))
            .collect();
        verification.compared(chunk.id, 5, many, 1);
        assert!(!verification.chunks_done());
        verification.release();
        assert_eq!(verification.take_chunk().expect("again").1, chunk);
    }

    /// Two rounds in which another spelling's event comes before the marker.
    fn rounds_with_another_spelling(rules: Rules) -> Verification {
        let mut verification = Verification::new(true, false, 10, 100, rules);
        verification.chunker.start_lookup(1);
        verification.chunker.lookup_done(None);
        let (_, chunk) = verification.take_chunk().expect("the only chunk");
        verification.compared(chunk.id, 5, vec![key(1)], 1);
        for marker in 1..=2 {
            let (check, keys) = verification.take_suspects(|_| false).expect("a suspect");
            verification.checked(check, &keys, Marker(marker));
            verification.touch(&key(2));
            verification.marker_seen(Marker(marker));
        }
        verification
    }

    #[test]
    fn an_event_for_another_spelling_touches_a_suspect() {
        let verification = rounds_with_another_spelling(Rules::default());
        assert!(verification.definite.is_empty());
        let mutant = Rules::without(Rule::AnyEventTouchesSpellings);
        assert_eq!(rounds_with_another_spelling(mutant).definite, [key(1)]);
    }

    #[test]
    fn a_row_that_a_chunk_finds_during_its_check_is_checked_once_more() {
        let mut verification = with_suspect();
        let (check, _) = verification.take_suspects(|_| false).expect("a suspect");
        // Of the ghost's walk, or of rows that are compared again.
        verification.compared(7, 1, vec![key(1)], 1);
        assert!(!verification.checked(check, &[], Marker(1)));
        assert_eq!(verification.suspect_count(), 1, "who read last?");
        let (check, keys) = verification.take_suspects(|_| false).expect("once more");
        assert_eq!(keys, [key(1)]);
        assert!(!verification.checked(check, &[], Marker(1)));
        assert_eq!(verification.suspect_count(), 0);
    }
}
