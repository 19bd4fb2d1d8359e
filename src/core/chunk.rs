//! Chunks: the ranges in which a table is walked, looked up ahead of the workers.

use std::collections::{BTreeMap, VecDeque};

use super::checkpoint::Copied;
use super::rules::{Rule, Rules};
use crate::limits;
use crate::plan::key::Key;

/// A range of keys: after `after`, up to and including `upto`; an absent end is open.
///
/// Chunks are issued in key order without gap or overlap, and the last one has no upper end, so
/// that rows behind the last key seen can't be missed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chunk {
    /// Number in the order of issue.
    pub id: u64,
    /// Lower end, not included.
    pub after: Option<Key>,
    /// Upper end, included.
    pub upto: Option<Key>,
    /// Leading key columns in which both ends are equal, or [`COMMON_UNKNOWN`].
    pub common_columns: usize,
}

/// For a range cut out of a chunk, of which nobody knows how many columns its ends have in common.
pub const COMMON_UNKNOWN: usize = usize::MAX;

/// What the lookup of a chunk's end found: the key and how many leading columns it has in common
/// with the lower end, or `None` when fewer rows are left.
pub type ChunkEnd = Option<(Key, usize)>;

/// Cuts a table into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chunker {
    next_id: u64,
    after: Option<Key>,
    looking: bool,
    end_reached: bool,
    ready: VecDeque<Chunk>,
    in_flight: BTreeMap<u64, Chunk>,
    rows: u64,
    rows_max: u64,
    target_ms: u64,
    /// The key is one integer, and the last chunk had a row for at least every other number.
    numbers: Option<Density>,
}

/// How the numbers of an integer key are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Density {
    Unknown,
    Dense,
    Sparse,
}

/// A lookup to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Lower end of the chunk.
    pub after: Option<Key>,
    /// Wished number of rows.
    pub rows: u64,
    /// The end may be looked up by its number, see [`Chunker::of_integers`].
    pub dense: bool,
}

impl Chunker {
    /// A chunker that starts with chunks of `rows` rows and never exceeds `rows_max`; each chunk
    /// should take `target_ms`.
    #[must_use]
    pub fn new(rows: u64, rows_max: u64, target_ms: u64) -> Self {
        let rows_max = rows_max.max(1);
        Self {
            next_id: 0,
            after: None,
            looking: false,
            end_reached: false,
            ready: VecDeque::new(),
            in_flight: BTreeMap::new(),
            rows: rows.clamp(1, rows_max),
            rows_max,
            target_ms,
            numbers: None,
        }
    }

    /// The same, for a key that is one integer column. Where its numbers are dense, a chunk may end at the
    /// first row whose number is so much larger: it has no more rows than wished, and the server finds it
    /// without passing all of them. Where they aren't, such chunks would be small, and rows are counted.
    #[must_use]
    pub fn of_integers(self) -> Self {
        Self {
            numbers: Some(Density::Unknown),
            ..self
        }
    }

    /// The same walk from its beginning: chunks of the size that was found to be right, and numbers
    /// that go on.
    #[must_use]
    pub fn restarted(&self) -> Self {
        Self {
            after: None,
            looking: false,
            end_reached: false,
            ready: VecDeque::new(),
            in_flight: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// The lookup to start now, if any. At most one runs at a time, because the next one begins where it
    /// ends.
    pub fn start_lookup(&mut self, ahead: usize) -> Option<Lookup> {
        if self.looking || self.end_reached || self.ready.len() >= ahead {
            return None;
        }
        self.looking = true;
        Some(Lookup {
            after: self.after.clone(),
            rows: self.rows,
            dense: self.after.is_some() && self.numbers == Some(Density::Dense),
        })
    }

    /// The answer to the lookup under way.
    pub fn lookup_done(&mut self, end: ChunkEnd) {
        debug_assert!(self.looking, "an answer without a question");
        self.looking = false;
        let after = self.after.clone();
        let (upto, common_columns) = match end {
            Some((key, common)) => {
                self.after = Some(key.clone());
                (Some(key), common)
            }
            None => {
                self.end_reached = true;
                (None, 0)
            }
        };
        self.ready.push_back(Chunk {
            id: self.next_id,
            after,
            upto,
            common_columns,
        });
        self.next_id += 1;
    }

    /// Hands out the next chunk.
    pub fn take(&mut self) -> Option<Chunk> {
        let chunk = self.ready.pop_front()?;
        self.in_flight.insert(chunk.id, chunk.clone());
        Some(chunk)
    }

    /// Takes a chunk of another walk in: both walk the same ranges, and this one never looks up an end.
    pub fn follow(&mut self, chunk: Chunk) {
        self.next_id = self.next_id.max(chunk.id + 1);
        self.end_reached |= chunk.upto.is_none();
        self.ready.push_back(chunk);
    }

    /// Takes a chunk back: it has to be done again later.
    pub fn put_back(&mut self, id: u64) {
        if let Some(chunk) = self.in_flight.remove(&id) {
            self.ready.push_back(chunk);
        }
    }

    /// A chunk is done; its rows and time set the size of the next ones.
    pub fn done(&mut self, id: u64, rows: u64, took_ms: u64) -> Option<Chunk> {
        let chunk = self.in_flight.remove(&id);
        if let (Some(_), Some(chunk)) = (self.numbers, &chunk) {
            self.numbers = Some(density(chunk, rows));
        }
        self.rows = next_size(self.rows, rows, took_ms, self.target_ms).min(self.rows_max);
        chunk
    }

    /// Chunks that wait to be handed out.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ready.len()
    }

    /// How far everything is done, without a gap.
    #[must_use]
    pub(super) fn copied(&self, rules: Rules) -> Copied {
        let open = self.ready.iter().chain(self.in_flight.values());
        match open.min_by_key(|chunk| chunk.id) {
            Some(chunk) if rules.has(Rule::CheckpointStaysBehindOpenChunks) => {
                Copied::UpTo(chunk.after.clone())
            }
            Some(_) | None if self.end_reached => Copied::Everything,
            Some(_) | None => Copied::UpTo(self.after.clone()),
        }
    }

    /// Goes on from there.
    pub(super) fn resume(&mut self, copied: Copied) {
        match copied {
            Copied::UpTo(key) => self.after = key,
            Copied::Everything => self.end_reached = true,
        }
    }

    /// Chunks handed out and not done yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether it stands at its beginning, with nothing looked up yet.
    #[must_use]
    pub fn untouched(&self) -> bool {
        self.after.is_none() && !self.looking && !self.end_reached
    }

    /// The numbers of the chunks handed out, the oldest first.
    pub fn in_flight_ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.in_flight.keys().copied()
    }

    /// The number of the chunk whose end is being looked up.
    #[must_use]
    pub fn lookup_under_way(&self) -> Option<u64> {
        self.looking.then_some(self.next_id)
    }

    /// Every chunk up to the open end is done: proved by having reached the end, not by a count.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.end_reached && self.ready.is_empty() && self.in_flight.is_empty()
    }

    /// Rows that the next chunk is meant to have.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Sets the time that chunks should take while running.
    pub fn aim_at(&mut self, target_ms: u64) {
        self.target_ms = target_ms;
    }

    /// Sets the upper bound of the size while running.
    pub fn limit_rows(&mut self, rows_max: u64) {
        self.rows_max = rows_max.max(1);
        self.rows = self.rows.min(self.rows_max);
    }
}

/// An open end says nothing about density, and a chunk that wasn't compared or is empty is not dense.
fn density(chunk: &Chunk, rows: u64) -> Density {
    let ends = chunk.after.as_ref().zip(chunk.upto.as_ref());
    match ends.and_then(|(after, upto)| upto.distance(after)) {
        Some(numbers) if rows >= numbers / 2 => Density::Dense,
        Some(_) => Density::Sparse,
        None => Density::Unknown,
    }
}

/// The next chunk size: towards the target in steps of at most one and a half, but down at once
/// when a chunk took far too long.
fn next_size(size: u64, rows: u64, took_ms: u64, target_ms: u64) -> u64 {
    if took_ms > target_ms.saturating_mul(5) {
        return (size / 4).max(limits::CHUNK_ROWS_MIN.min(size));
    }
    // A chunk much smaller than asked for (the end of the table, a piece of a composite key) says
    // nothing about the size asked for.
    if rows.saturating_mul(2) < size {
        return size;
    }
    let took_ms = took_ms.max(1);
    let wished = size.saturating_mul(target_ms) / took_ms;
    let grown = size.saturating_add(size / 2).max(size + 1);
    wished
        .clamp((size / 2).max(1), grown)
        .max(limits::CHUNK_ROWS_MIN.min(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::from_bytes(&[byte])
    }

    fn lookup(after: Option<Key>, dense: bool) -> Lookup {
        Lookup {
            after,
            rows: 10,
            dense,
        }
    }

    fn number(number: u64) -> Key {
        Key::from_bytes(&number.to_be_bytes())
    }

    #[test]
    fn ends_are_looked_up_by_number_as_long_as_chunks_come_out_full() {
        let mut chunker = Chunker::new(10, 10, 50).of_integers();
        let mut found = Vec::new();
        // The rows each chunk turns out to have, and the number at which it ends.
        for (rows, upto) in [(10, 12), (10, 22), (10, 40), (4, 50), (9, 60)] {
            let lookup = chunker.start_lookup(1).expect("one");
            found.push(lookup.dense);
            chunker.lookup_done(Some((number(upto), 0)));
            let chunk = chunker.take().expect("just looked up");
            chunker.done(chunk.id, rows, 50);
        }
        // The first chunk has no lower end; the fourth is found by number and comes out half empty.
        assert_eq!(found, [false, false, true, true, false]);
    }

    #[test]
    fn keys_that_are_no_numbers_are_counted() {
        let mut chunker = Chunker::new(10, 10, 50);
        for upto in [10, 20, 30] {
            assert!(!chunker.start_lookup(1).expect("one").dense);
            chunker.lookup_done(Some((number(upto), 0)));
            let chunk = chunker.take().expect("just looked up");
            chunker.done(chunk.id, 10, 50);
        }
    }

    #[test]
    fn chunks_follow_each_other_without_gap_and_end_open() {
        let mut chunker = Chunker::new(10, 100, 50);
        assert_eq!(chunker.start_lookup(2), Some(lookup(None, false)));
        assert_eq!(chunker.start_lookup(2), None, "one lookup at a time");
        chunker.lookup_done(Some((key(5), 0)));
        assert_eq!(chunker.start_lookup(2), Some(lookup(Some(key(5)), false)));
        chunker.lookup_done(None);
        let (one, two) = (
            chunker.take().expect("first"),
            chunker.take().expect("second"),
        );
        assert_eq!((&one.after, &one.upto), (&None, &Some(key(5))));
        assert_eq!((&two.after, &two.upto), (&Some(key(5)), &None));
        assert!(!chunker.finished());
        chunker.done(one.id, 10, 50);
        assert!(!chunker.finished(), "the last chunk is still in flight");
        chunker.done(two.id, 3, 50);
        assert!(chunker.finished());
    }

    #[test]
    fn the_size_follows_the_time_and_shrinks_at_once() {
        assert_eq!(next_size(1_000, 1_000, 10, 50), 1_500);
        assert_eq!(next_size(1_000, 1_000, 100, 50), 500);
        assert_eq!(next_size(1_000, 1_000, 260, 50), 250);
        assert_eq!(
            next_size(1_000, 10, 1, 50),
            1_000,
            "a short chunk says nothing"
        );
        assert_eq!(next_size(60, 60, 49_000, 50), limits::CHUNK_ROWS_MIN);
        assert_eq!(next_size(1, 1, 1, 50), 2, "a size of one can grow");
    }
}
