//! One chunk's copy as a sequence of statements, decided without I/O.
//!
//! The worker asks [`CopyJob::next`] what to run and reports the answer; the simulation does the
//! same against its fake server.

use super::chunk::Chunk;
use super::rules::{Rule, Rules};
use crate::plan::key::Key;

/// What a locking read does with rows that somebody else holds. It never waits for them: a
/// transaction of ours that waits for the application could be part of a deadlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Locking {
    /// The statement fails.
    NoWait,
    /// The rows are passed over.
    SkipLocked,
}

/// The next statement of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyStep {
    /// Copy the chunk's rows, in one transaction.
    Copy(Locking),
    /// Read the keys that the original shows and the ghost lacks.
    FindMissing,
    /// Nothing is left to do.
    Done,
}

/// The answer to a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CopyAnswer {
    /// Rows read and rows placed in the ghost.
    Copied {
        /// Rows that the locking read returned.
        read: u64,
        /// Rows that were new in the ghost.
        placed: u64,
    },
    /// Somebody holds a row; nothing was copied.
    Held,
    /// Keys that are missing in the ghost.
    Missing(Vec<Key>),
}

/// A chunk being copied.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CopyJob {
    /// The range.
    pub chunk: Chunk,
    /// Rest of the connection behind it, in thousandths of the time that it took.
    pub rest_permille: u64,
    step: CopyStep,
    other_unique_keys: bool,
    read: u64,
    placed: u64,
    missing: Vec<Key>,
    rows_max: Option<u64>,
    rules: Rules,
}

/// What came of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CopyOutcome {
    /// The chunk's number.
    pub chunk: u64,
    /// Rows read under lock.
    pub read: u64,
    /// Rows new in the ghost.
    pub placed: u64,
    /// Keys that have no event of their own and must be refreshed: passed over, or losers.
    pub missing: Vec<Key>,
    /// The chunk was too much for one transaction of the server; so many rows are not.
    pub rows_max: Option<u64>,
}

impl CopyJob {
    /// A job for a chunk. With `other_unique_keys` a row may lose against another row's stale
    /// claim on a unique value.
    #[must_use]
    pub fn new(chunk: Chunk, other_unique_keys: bool, rules: Rules) -> Self {
        Self {
            chunk,
            rest_permille: 0,
            step: CopyStep::Copy(Locking::NoWait),
            other_unique_keys,
            read: 0,
            placed: 0,
            missing: Vec::new(),
            rows_max: None,
            rules,
        }
    }

    /// The same job, with a rest of the connection behind it.
    #[must_use]
    pub fn resting(self, rest_permille: u64) -> Self {
        Self {
            rest_permille,
            ..self
        }
    }

    /// The statement to run now.
    #[must_use]
    pub fn next(&self) -> CopyStep {
        self.step
    }

    /// Takes a statement's answer.
    pub fn answer(&mut self, answer: CopyAnswer) {
        self.step = match (self.step, answer) {
            (CopyStep::Copy(locking), CopyAnswer::Copied { read, placed }) => {
                self.read = read;
                self.placed = placed;
                let losers_possible = self.other_unique_keys && placed < read;
                if locking == Locking::SkipLocked || losers_possible {
                    CopyStep::FindMissing
                } else {
                    CopyStep::Done
                }
            }
            (CopyStep::Copy(_), CopyAnswer::Held) => CopyStep::Copy(Locking::SkipLocked),
            (CopyStep::FindMissing, CopyAnswer::Missing(keys)) => {
                if self.rules.has(Rule::PassedOverBecomesDirty) {
                    self.missing = keys;
                }
                CopyStep::Done
            }
            (step, answer) => {
                debug_assert!(false, "answer {answer:?} to step {step:?}");
                step
            }
        };
    }

    /// The server took the chunk only in pieces, of so many rows at most.
    pub fn taken_in_pieces(&mut self, rows: u64) {
        self.rows_max = Some(self.rows_max.map_or(rows, |before| before.min(rows)).max(1));
    }

    /// What came of it, once the job is done.
    #[must_use]
    pub fn outcome(self) -> CopyOutcome {
        CopyOutcome {
            chunk: self.chunk.id,
            read: self.read,
            placed: self.placed,
            missing: self.missing,
            rows_max: self.rows_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(other_unique_keys: bool) -> CopyJob {
        let chunk = Chunk {
            id: 7,
            after: None,
            upto: None,
            common_columns: 0,
        };
        CopyJob::new(chunk, other_unique_keys, Rules::default())
    }

    #[test]
    fn a_chunk_nobody_holds_is_one_statement() {
        let mut job = job(true);
        job.answer(CopyAnswer::Copied { read: 5, placed: 5 });
        assert_eq!(job.next(), CopyStep::Done);
    }

    #[test]
    fn a_held_chunk_is_read_past_the_locks_and_what_is_missing_becomes_dirty() {
        let mut job = job(false);
        job.answer(CopyAnswer::Held);
        assert_eq!(job.next(), CopyStep::Copy(Locking::SkipLocked));
        job.answer(CopyAnswer::Copied { read: 4, placed: 4 });
        assert_eq!(job.next(), CopyStep::FindMissing);
        let key = Key::from_bytes(b"k");
        job.answer(CopyAnswer::Missing(vec![key.clone()]));
        assert_eq!(job.outcome().missing, vec![key]);
    }

    #[test]
    fn a_chunk_taken_in_pieces_tells_how_many_rows_were_not_too_many() {
        let mut job = job(false);
        job.taken_in_pieces(40);
        job.taken_in_pieces(0);
        job.answer(CopyAnswer::Copied {
            read: 70,
            placed: 70,
        });
        assert_eq!(job.outcome().rows_max, Some(1), "never none at all");
    }

    #[test]
    fn rows_that_lost_against_another_unique_key_are_looked_for() {
        let mut one = job(true);
        one.answer(CopyAnswer::Copied { read: 5, placed: 4 });
        assert_eq!(one.next(), CopyStep::FindMissing);
        let mut other = job(false);
        other.answer(CopyAnswer::Copied { read: 5, placed: 4 });
        assert_eq!(
            other.next(),
            CopyStep::Done,
            "without one, the row was there already"
        );
    }
}
