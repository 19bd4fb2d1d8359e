//! The refresh of a batch of keys as a sequence of statements, decided without I/O.
//!
//! Two ways lead to the same end. The short one is a single statement that replaces all rows of
//! the batch under locks that may not be waited for; it suffices when nobody holds one of the
//! rows and every key has a row. The careful one is the full argument: lock what can be locked,
//! replace it, *prove* the absence of the rest by a read that fails if anybody holds a row there,
//! delete what is proved absent, and leave everything else dirty.

use std::collections::{BTreeSet, VecDeque};

use super::rules::{Rule, Rules};
use crate::limits;
use crate::plan::key::Key;

/// The next statement of a refresh.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RefreshStep {
    /// Replace all these rows in a transaction of its own, failing if one is held.
    ReplaceAll(Vec<Key>),
    /// Begin a transaction, lock the rows nobody holds, and tell which keys have one.
    LockPresent(Vec<Key>),
    /// Replace these rows; they are locked.
    Replace(Vec<Key>),
    /// Read these keys, failing if anybody holds one: the proof that no row is there.
    ProveAbsent(Vec<Key>),
    /// Delete these keys from the ghost.
    Delete(Vec<Key>),
    /// Commit.
    Commit,
    /// Roll back: a row can't be placed yet.
    RollBack,
    /// Nothing is left to do.
    Done,
}

/// The answer to a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RefreshAnswer {
    /// So many of the keys had a row, and it was written to the ghost.
    Replaced(u64),
    /// Which of the asked keys have a row that is now locked, by position in the question.
    Present(Vec<usize>),
    /// No row and nobody holds one.
    Absent,
    /// Somebody holds one of the rows, or one is there after all.
    Held,
    /// The batch is too much for one transaction of the server.
    TooLarge,
    /// Another row of the ghost holds a value of a unique key that only the ghost enforces.
    Conflict,
    /// One of the rows doesn't fit the ghost, which nothing but a change of the row can mend.
    Misfit,
    /// Done.
    Ok,
}

/// A batch being refreshed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RefreshJob {
    /// The job's number in the dirty set.
    pub id: u64,
    /// The group of keys in the present transaction: all of them, or one by one after a conflict.
    keys: Vec<Key>,
    /// Groups still to come.
    groups: VecDeque<Vec<Key>>,
    step: RefreshStep,
    /// Keys of the group whose absence is still to be proved, and those proved absent.
    unproved: Vec<Vec<Key>>,
    absent: Vec<Key>,
    /// Keys of the group that stay dirty, and rows replaced.
    stayed: Vec<Key>,
    replaced: u64,
    proofs: u32,
    outcome: RefreshOutcome,
    /// Keys whose rows are others than before.
    renewed: Box<Renewed>,
    rules: Rules,
}

/// Keys in a box: jobs are handed around, and most have none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Renewed(Vec<Key>);

/// What came of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RefreshOutcome {
    /// The job's number.
    pub id: u64,
    /// Ghost rows replaced.
    pub replaced: u64,
    /// Keys whose absence was proved, and whose ghost rows are gone.
    pub deleted: u64,
    /// Keys that stay dirty because somebody holds their rows, or because of a conflict.
    pub stayed: Vec<Key>,
    /// Those of them that stay because of a conflict under a unique key that the ALTER introduces.
    pub conflicts: Vec<Key>,
    /// Those that stay because the row doesn't fit the ghost.
    pub misfits: Vec<Key>,
    /// The short way was tried in vain.
    pub detour: bool,
    /// The batch was too much for one transaction of the server; so many keys may not be.
    pub keys_max: Option<usize>,
}

/// Proofs tried in one job; what is unproved then waits for the next round.
const PROOFS_MAX: u32 = 64;

/// Keys between the places where one job and the next begin their proofs; a prime, so that every
/// place has its turn.
const PROOFS_STRIDE: u64 = 61;

impl RefreshJob {
    /// A job for a batch of dirty keys.
    #[must_use]
    pub fn new(id: u64, keys: Vec<Key>, short_way: bool, rules: Rules) -> Self {
        debug_assert!(
            keys.len() <= limits::REFRESH_KEYS_MAX.max(limits::CUT_OVER_DIRTY_LOCKED_MAX)
        );
        let step = if short_way {
            RefreshStep::ReplaceAll(keys.clone())
        } else {
            RefreshStep::LockPresent(keys.clone())
        };
        Self {
            id,
            keys,
            groups: VecDeque::new(),
            step,
            unproved: Vec::new(),
            absent: Vec::new(),
            stayed: Vec::new(),
            replaced: 0,
            proofs: 0,
            outcome: RefreshOutcome {
                id,
                ..RefreshOutcome::default()
            },
            renewed: Box::default(),
            rules,
        }
    }

    /// The same job, with those of its keys whose rows are others than before.
    #[must_use]
    pub fn with_renewed(self, renewed: Vec<Key>) -> Self {
        Self {
            renewed: Box::new(Renewed(renewed)),
            ..self
        }
    }

    /// The keys whose rows in the ghost are those of before: what these alone have is kept.
    #[must_use]
    pub fn kept(&self, keys: &[Key]) -> Vec<Key> {
        let renewed: BTreeSet<&Key> = self.renewed.0.iter().collect();
        let kept = keys.iter().filter(|key| !renewed.contains(key));
        kept.cloned().collect()
    }

    /// The statement to run now.
    #[must_use]
    pub fn next(&self) -> &RefreshStep {
        &self.step
    }

    /// Takes a statement's answer.
    pub fn answer(&mut self, answer: RefreshAnswer) {
        let step = std::mem::replace(&mut self.step, RefreshStep::Done);
        self.step = match (step, answer) {
            (RefreshStep::ReplaceAll(keys), RefreshAnswer::Replaced(rows))
                if usize::try_from(rows).is_ok_and(|rows| rows == keys.len()) =>
            {
                self.outcome.replaced = rows;
                RefreshStep::Done
            }
            // Some rows are gone or held. Which ones must come from one locking read.
            (
                RefreshStep::ReplaceAll(keys),
                RefreshAnswer::Replaced(_) | RefreshAnswer::Held | RefreshAnswer::Misfit,
            ) => {
                self.outcome.detour = true;
                RefreshStep::LockPresent(keys)
            }
            (RefreshStep::LockPresent(keys), RefreshAnswer::Present(found)) => {
                self.split(keys, &found)
            }
            (RefreshStep::Replace(_), RefreshAnswer::Replaced(rows)) => {
                self.replaced = rows;
                self.next_proof()
            }
            (RefreshStep::ProveAbsent(keys), RefreshAnswer::Absent) => {
                self.absent.extend(keys);
                self.next_proof()
            }
            (RefreshStep::ProveAbsent(keys), RefreshAnswer::Held) => {
                self.halve(keys);
                self.next_proof()
            }
            (RefreshStep::Delete(_), RefreshAnswer::Ok) => RefreshStep::Commit,
            (RefreshStep::Commit, RefreshAnswer::Ok) => {
                self.outcome.replaced += self.replaced;
                self.outcome.deleted += self.absent.len() as u64;
                self.outcome.stayed.append(&mut self.stayed);
                self.next_group()
            }
            (RefreshStep::Replace(_), RefreshAnswer::Conflict) => {
                if let [alone] = self.keys.as_slice() {
                    self.outcome.conflicts.push(alone.clone());
                }
                self.one_by_one()
            }
            (RefreshStep::Replace(_), RefreshAnswer::Misfit) => {
                if let [alone] = self.keys.as_slice() {
                    self.outcome.misfits.push(alone.clone());
                }
                self.one_by_one()
            }
            (RefreshStep::RollBack, RefreshAnswer::Ok) => self.next_group(),
            (_, RefreshAnswer::TooLarge) => self.two_groups(),
            (step, answer) => {
                debug_assert!(false, "answer {answer:?} to step {step:?}");
                // Nothing is known for certain, so everything stays dirty.
                let keys = std::mem::take(&mut self.keys);
                self.outcome.stayed.extend(keys);
                self.outcome.stayed.extend(self.groups.drain(..).flatten());
                RefreshStep::RollBack
            }
        };
    }

    /// Whether the group can be made smaller.
    #[must_use]
    pub fn divisible(&self) -> bool {
        self.keys.len() > 1
    }

    /// The transaction was rolled back (a deadlock among our own workers): the group begins again.
    pub fn restart(&mut self) {
        self.forget();
        self.step = RefreshStep::LockPresent(self.keys.clone());
    }

    /// What came of it, once the job is done.
    #[must_use]
    pub fn outcome(self) -> RefreshOutcome {
        self.outcome
    }

    fn forget(&mut self) {
        self.unproved.clear();
        self.absent.clear();
        self.stayed.clear();
        self.replaced = 0;
        self.proofs = 0;
    }

    fn next_group(&mut self) -> RefreshStep {
        self.forget();
        match self.groups.pop_front() {
            Some(keys) => {
                self.keys.clone_from(&keys);
                RefreshStep::LockPresent(keys)
            }
            None => RefreshStep::Done,
        }
    }

    /// One key of the group is in conflict with another ghost row, which may be stale and dirty
    /// itself: each key gets a transaction of its own, and one that is alone stays dirty. Under
    /// the cut-over's lock, where every stale row is deleted first, a conflict is a real one. A row that
    /// doesn't fit mustn't keep the others either.
    fn one_by_one(&mut self) -> RefreshStep {
        let keys = std::mem::take(&mut self.keys);
        if keys.len() == 1 {
            self.outcome.stayed.extend(keys);
        } else {
            self.groups.extend(keys.into_iter().map(|key| vec![key]));
        }
        RefreshStep::RollBack
    }

    /// The group is done in two transactions instead of one; a single key stays dirty.
    fn two_groups(&mut self) -> RefreshStep {
        let mut keys = std::mem::take(&mut self.keys);
        let other = keys.split_off(keys.len() / 2);
        if keys.is_empty() {
            self.outcome.stayed.extend(other);
            return RefreshStep::RollBack;
        }
        self.outcome.keys_max = Some(self.outcome.keys_max.unwrap_or(usize::MAX).min(keys.len()));
        self.groups.push_front(other);
        self.groups.push_front(keys);
        RefreshStep::RollBack
    }

    fn split(&mut self, keys: Vec<Key>, found: &[usize]) -> RefreshStep {
        let mut present = Vec::new();
        let mut rest = Vec::new();
        let found: BTreeSet<usize> = found.iter().copied().collect();
        for (position, key) in keys.into_iter().enumerate() {
            if found.contains(&position) {
                present.push(key)
            } else {
                rest.push(key)
            }
        }
        if !rest.is_empty() {
            // Each job begins its proofs at another place: rows that others hold for long would use
            // up the proofs of every job, and the keys behind them would never have their turn.
            let first = self.id.wrapping_mul(PROOFS_STRIDE) % rest.len() as u64;
            rest.rotate_left(usize::try_from(first).unwrap_or(0));
            self.unproved.push(rest);
        }
        if present.is_empty() {
            self.next_proof()
        } else {
            RefreshStep::Replace(present)
        }
    }

    fn next_proof(&mut self) -> RefreshStep {
        if !self.rules.has(Rule::AbsenceIsProved) {
            self.absent
                .extend(std::mem::take(&mut self.unproved).into_iter().flatten());
        }
        while let Some(keys) = self.unproved.pop() {
            if self.proofs < PROOFS_MAX {
                self.proofs += 1;
                return RefreshStep::ProveAbsent(keys);
            }
            self.stayed.extend(keys);
        }
        if self.absent.is_empty() {
            RefreshStep::Commit
        } else {
            // Sorted as the batch was: workers that go the same way are in each other's way less.
            self.absent.sort_unstable();
            RefreshStep::Delete(self.absent.clone())
        }
    }

    /// One of these keys is held: halve the group until it stands alone, so that it doesn't keep
    /// the others.
    fn halve(&mut self, mut keys: Vec<Key>) {
        if keys.len() == 1 {
            self.stayed.extend(keys);
            return;
        }
        let other = keys.split_off(keys.len() / 2);
        self.unproved.push(keys);
        self.unproved.push(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        bytes.iter().map(|byte| Key::from_bytes(&[*byte])).collect()
    }

    fn job(bytes: &[u8], short_way: bool) -> RefreshJob {
        RefreshJob::new(1, keys(bytes), short_way, Rules::default())
    }

    #[test]
    fn a_batch_of_present_rows_is_one_statement() {
        let mut job = job(&[1, 2], true);
        job.answer(RefreshAnswer::Replaced(2));
        assert_eq!(job.next(), &RefreshStep::Done);
        assert_eq!(job.outcome().replaced, 2);
    }

    #[test]
    fn one_row_fewer_than_keys_takes_the_careful_way() {
        let mut job = job(&[1, 2], true);
        job.answer(RefreshAnswer::Replaced(1));
        assert_eq!(job.next(), &RefreshStep::LockPresent(keys(&[1, 2])));
        job.answer(RefreshAnswer::Present(vec![1]));
        assert_eq!(job.next(), &RefreshStep::Replace(keys(&[2])));
        job.answer(RefreshAnswer::Replaced(1));
        assert_eq!(job.next(), &RefreshStep::ProveAbsent(keys(&[1])));
        job.answer(RefreshAnswer::Absent);
        assert_eq!(job.next(), &RefreshStep::Delete(keys(&[1])));
        job.answer(RefreshAnswer::Ok);
        assert_eq!(job.next(), &RefreshStep::Commit);
        job.answer(RefreshAnswer::Ok);
        let outcome = job.outcome();
        assert_eq!(
            (outcome.replaced, outcome.deleted, outcome.stayed),
            (1, 1, vec![])
        );
    }

    #[test]
    fn a_held_row_stays_dirty_and_does_not_keep_the_others() {
        let mut job = job(&[1, 2, 3], false);
        job.answer(RefreshAnswer::Present(vec![]));
        let mut asked = 0;
        while let RefreshStep::ProveAbsent(group) = job.next().clone() {
            asked += 1;
            let held = group.contains(&Key::from_bytes(&[2]));
            job.answer(if held {
                RefreshAnswer::Held
            } else {
                RefreshAnswer::Absent
            });
        }
        assert!(asked <= 5, "{asked} proofs for three keys");
        job.answer(RefreshAnswer::Ok);
        job.answer(RefreshAnswer::Ok);
        let outcome = job.outcome();
        assert_eq!((outcome.deleted, outcome.stayed), (2, keys(&[2])));
    }

    #[test]
    fn a_rolled_back_job_forgets_what_it_had_proved() {
        let mut job = job(&[1], false);
        job.answer(RefreshAnswer::Present(vec![]));
        job.answer(RefreshAnswer::Absent);
        job.restart();
        assert_eq!(job.next(), &RefreshStep::LockPresent(keys(&[1])));
        job.answer(RefreshAnswer::Present(vec![0]));
        job.answer(RefreshAnswer::Replaced(1));
        job.answer(RefreshAnswer::Ok);
        assert_eq!(job.outcome().deleted, 0);
    }

    #[test]
    fn a_batch_that_is_too_large_is_done_in_halves() {
        let mut job = job(&[1, 2, 3], true);
        job.answer(RefreshAnswer::TooLarge);
        assert_eq!(job.next(), &RefreshStep::RollBack);
        job.answer(RefreshAnswer::Ok);
        assert_eq!(job.next(), &RefreshStep::LockPresent(keys(&[1])));
        assert!(!job.divisible());
        job.answer(RefreshAnswer::Present(vec![0]));
        job.answer(RefreshAnswer::Replaced(1));
        job.answer(RefreshAnswer::Ok);
        assert_eq!(job.next(), &RefreshStep::LockPresent(keys(&[2, 3])));
        assert!(job.divisible());
        job.answer(RefreshAnswer::Present(vec![0, 1]));
        job.answer(RefreshAnswer::TooLarge);
        job.answer(RefreshAnswer::Ok);
        for _ in 0..2 {
            job.answer(RefreshAnswer::Present(vec![0]));
            job.answer(RefreshAnswer::Replaced(1));
            job.answer(RefreshAnswer::Ok);
        }
        assert_eq!(job.next(), &RefreshStep::Done);
        let outcome = job.outcome();
        assert_eq!((outcome.replaced, outcome.keys_max), (3, Some(1)));
        assert!(outcome.stayed.is_empty());
    }

    #[test]
    fn a_conflict_is_narrowed_to_its_key_which_stays_dirty() {
        let mut job = job(&[1, 2], false);
        job.answer(RefreshAnswer::Present(vec![0, 1]));
        job.answer(RefreshAnswer::Conflict);
        assert_eq!(job.next(), &RefreshStep::RollBack);
        job.answer(RefreshAnswer::Ok);
        assert_eq!(job.next(), &RefreshStep::LockPresent(keys(&[1])));
        job.answer(RefreshAnswer::Present(vec![0]));
        job.answer(RefreshAnswer::Replaced(1));
        job.answer(RefreshAnswer::Ok);
        job.answer(RefreshAnswer::Present(vec![0]));
        job.answer(RefreshAnswer::Conflict);
        job.answer(RefreshAnswer::Ok);
        assert_eq!(job.next(), &RefreshStep::Done);
        let outcome = job.outcome();
        assert_eq!((outcome.replaced, outcome.conflicts), (1, keys(&[2])));
        assert_eq!(outcome.stayed, keys(&[2]));
    }

    #[test]
    fn a_row_that_does_not_fit_is_found_among_the_others_and_stays_dirty() {
        let mut job = job(&[1, 2], true);
        job.answer(RefreshAnswer::Misfit);
        assert_eq!(job.next(), &RefreshStep::LockPresent(keys(&[1, 2])));
        job.answer(RefreshAnswer::Present(vec![0, 1]));
        job.answer(RefreshAnswer::Misfit);
        assert_eq!(job.next(), &RefreshStep::RollBack);
        job.answer(RefreshAnswer::Ok);
        job.answer(RefreshAnswer::Present(vec![0]));
        job.answer(RefreshAnswer::Misfit);
        assert_eq!(job.next(), &RefreshStep::RollBack);
        job.answer(RefreshAnswer::Ok);
        job.answer(RefreshAnswer::Present(vec![0]));
        job.answer(RefreshAnswer::Replaced(1));
        job.answer(RefreshAnswer::Ok);
        let outcome = job.outcome();
        assert_eq!((outcome.replaced, outcome.misfits), (1, keys(&[1])));
        assert_eq!((outcome.stayed, outcome.conflicts), (keys(&[1]), vec![]));
    }

    #[test]
    fn rows_that_others_hold_for_long_do_not_keep_the_rest_dirty() {
        // A prepared transaction deleted the upper rows; the lower ones are just gone.
        let held = |key: &Key| *key >= Key::from_bytes(&[120]);
        let mut dirty: Vec<Key> = keys(&(0..240).collect::<Vec<u8>>());
        for id in 0..40 {
            let mut job = RefreshJob::new(id, dirty.clone(), false, Rules::default());
            while *job.next() != RefreshStep::Done {
                let answer = match job.next() {
                    RefreshStep::LockPresent(_) => RefreshAnswer::Present(Vec::new()),
                    RefreshStep::ProveAbsent(group) if group.iter().any(held) => {
                        RefreshAnswer::Held
                    }
                    RefreshStep::ProveAbsent(_) => RefreshAnswer::Absent,
                    RefreshStep::ReplaceAll(_)
                    | RefreshStep::Replace(_)
                    | RefreshStep::Delete(_)
                    | RefreshStep::Commit
                    | RefreshStep::RollBack
                    | RefreshStep::Done => RefreshAnswer::Ok,
                };
                job.answer(answer);
            }
            dirty = job.outcome().stayed;
            dirty.sort_unstable();
        }
        assert!(dirty.iter().all(held), "{} keys are left", dirty.len());
    }
}
