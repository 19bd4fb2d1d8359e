//! What the statements of our connections do; each is one atomic step of the fake server.
//!
//! Their SQL is in [`crate::sql::copy`], [`crate::sql::refresh`], [`crate::sql::verify`] and
//! [`crate::sql::cutover`]. A statement that would have to wait for another of our connections
//! (an uncommitted row of the ghost, the table lock) isn't enabled until it needn't.

use super::world::{LockerJob, Look, Row, Rows, Sim, Stage, Unique, World, key, number};
use super::{FOR_EVER, Lie, Setup};
use crate::core::copy::{CopyAnswer, CopyStep, Locking};
use crate::core::event::{Event, Failure, Ownership, Side};
use crate::core::refresh::{RefreshAnswer, RefreshStep};
use crate::core::verify::Pass;
use crate::plan::key::Key;

/// The number of a copy worker, by its slot.
fn copier(slot: usize) -> u8 {
    if slot == 0 { 0 } else { 3 }
}

/// The number of a refresh worker, by its slot.
fn refresher(slot: usize) -> u8 {
    if slot == 0 { 1 } else { 2 }
}

/// All workers' numbers.
pub(super) const WORKERS: [u8; 4] = [0, 1, 2, 3];

/// How the locking connection's next job goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// As hoped.
    Well,
    /// Refused: no lock in time, rename not allowed.
    Refused,
    /// Done, but the answer is lost.
    LostDone,
    /// Not done, and the connection is lost.
    LostUndone,
}

/// How a statement of a worker ended, as far as the sim is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// It would have to wait.
    Blocked,
    /// One step was made, more are to come.
    More,
    /// The job is done.
    Done,
}

fn at(place: u8) -> usize {
    usize::from(place)
}

impl<const N: usize> World<N> {
    /// Our workers may use the tables.
    fn open_to_workers(&self) -> bool {
        !self.locked && !self.swapped && !self.rename_lingers
    }

    /// Writes a row to the ghost for this worker (none: the locking connection, which commits by
    /// itself); `false` when it would have to wait for another worker.
    fn ghost_write(&mut self, place: u8, row: Option<Row>, who: Option<u8>) -> bool {
        if self.ghost_lock[at(place)].is_some() && self.ghost_lock[at(place)] != who {
            return false;
        }
        let row = if self.stubborn[at(place)] > 0 {
            self.ghost[at(place)]
        } else {
            row
        };
        self.ghost[at(place)] = row;
        self.ghost_lock[at(place)] = who;
        if who.is_none() {
            self.ghost_seen[at(place)] = row;
        }
        true
    }

    /// The other place of the ghost that holds this row's unique value.
    fn ghost_rival(&self, setup: &Setup<N>, row: Row) -> Option<u8> {
        let own = setup.ghost_place(row.key);
        let rival = |place: &u8| {
            *place != own && self.ghost[at(*place)].is_some_and(|other| other.value == row.value)
        };
        if setup.unique == Unique::No {
            None
        } else {
            (0..).take(N).find(rival)
        }
    }

    /// REPLACE: takes the row's place and its unique value from whoever has them.
    fn ghost_replace(&mut self, setup: &Setup<N>, row: Row, who: Option<u8>) -> bool {
        if let Some(rival) = self.ghost_rival(setup, row)
            && !self.ghost_write(rival, None, who)
        {
            return false;
        }
        self.ghost_write(setup.ghost_place(row.key), Some(row), who)
    }

    /// INSERT … ON DUPLICATE KEY UPDATE nothing: whether the row was placed; none when it would
    /// have to wait for another worker.
    fn ghost_insert(&mut self, setup: &Setup<N>, row: Row, who: u8) -> Option<bool> {
        let place = setup.ghost_place(row.key);
        let rival = self.ghost_rival(setup, row);
        for touched in [Some(place), rival].into_iter().flatten() {
            if self.ghost_lock[at(touched)].is_some_and(|holder| holder != who) {
                return None;
            }
        }
        if self.ghost[at(place)].is_some() || rival.is_some() {
            return Some(false);
        }
        Some(self.ghost_write(place, Some(row), Some(who)))
    }

    /// Ends a worker's transaction.
    fn end_transaction(&mut self, who: u8, commit: bool) {
        for place in 0..N {
            self.share[place] &= !(1 << who);
            if self.ghost_lock[place] == Some(who) {
                self.ghost_lock[place] = None;
                if commit {
                    self.ghost_seen[place] = self.ghost[place];
                    self.less_stubborn(place);
                } else {
                    self.ghost[place] = self.ghost_seen[place];
                }
            }
        }
    }

    /// One more refresh of this place was in vain.
    fn less_stubborn(&mut self, place: usize) {
        if self.stubborn[place] != FOR_EVER {
            self.stubborn[place] = self.stubborn[place].saturating_sub(1);
        }
    }

    /// One step of the copy worker.
    pub(super) fn copy_step(&mut self, setup: &Setup<N>, slot: usize, answered: bool) -> Ran {
        let open = self.open_to_workers();
        let Some(mut work) = self.copy[slot].take().filter(|_| open) else {
            return Ran::Blocked;
        };
        let who = copier(slot);
        let (first, last) = setup.range(Side::Original, &work.job.chunk);
        let answer = match work.job.next() {
            CopyStep::Done => return Ran::Blocked,
            CopyStep::Copy(locking) => {
                if setup.lie == Some(Lie::CopyWithoutLock) && work.read_before.is_none() {
                    work.read_before = Some(self.original);
                    self.copy[slot] = Some(work);
                    return Ran::More;
                }
                let rows = work.read_before.take().unwrap_or(self.original);
                work.at = work.at.max(first);
                let mut held = false;
                while work.at < last && !held {
                    let place = work.at;
                    held = match self.copy_row(setup, who, (place, rows[at(place)]), locking) {
                        None => return Ran::Blocked,
                        Some(Copied::Held) => true,
                        Some(Copied::Row { read, placed }) => {
                            work.read += u64::from(read);
                            work.placed += u64::from(placed);
                            false
                        }
                    };
                    work.at += 1;
                    if setup.rows_one_by_one && work.at < last && !held {
                        self.copy[slot] = Some(work);
                        return Ran::More;
                    }
                }
                self.end_transaction(who, !held);
                let (read, placed) = (work.read, work.placed);
                (work.at, work.read, work.placed) = (0, 0, 0);
                if held {
                    CopyAnswer::Held
                } else {
                    CopyAnswer::Copied { read, placed }
                }
            }
            CopyStep::FindMissing => CopyAnswer::Missing(self.missing(setup, first, last)),
        };
        if answered {
            work.job.answer(answer);
        }
        let done = work.job.next() == CopyStep::Done;
        self.copy[slot] = Some(work);
        if done { Ran::Done } else { Ran::More }
    }

    /// Locks one row and copies it; none when it would have to wait for another worker.
    fn copy_row(
        &mut self,
        setup: &Setup<N>,
        who: u8,
        (place, row): (u8, Option<Row>),
        locking: Locking,
    ) -> Option<Copied> {
        let held = self.held(place) && setup.lie != Some(Lie::CopyWithoutLock);
        match (held, locking, row) {
            (true, Locking::NoWait, _) => Some(Copied::Held),
            (true, Locking::SkipLocked, _) | (false, _, None) => Some(Copied::Row {
                read: false,
                placed: false,
            }),
            (false, _, Some(row)) => {
                if setup.lie != Some(Lie::CopyWithoutLock) {
                    self.share[at(place)] |= 1 << who;
                }
                let placed = self.ghost_insert(setup, row, who)?;
                Some(Copied::Row { read: true, placed })
            }
        }
    }

    /// Keys that a plain read of the original shows and one of the ghost lacks.
    fn missing(&self, setup: &Setup<N>, first: u8, last: u8) -> Vec<Key> {
        let rows = (first..last).filter_map(|place| self.original[at(place)]);
        rows.filter(|row| self.partner(setup, *row).is_none())
            .map(|row| key(row.key))
            .collect()
    }

    /// The ghost's row whose key equals this row's key in the eyes of both tables.
    fn partner(&self, setup: &Setup<N>, row: Row) -> Option<Row> {
        let same = |other: &Row| setup.place(other.key) == setup.place(row.key);
        let exact = setup.lie != Some(Lie::PairByOneCollation);
        self.ghost_seen[at(setup.ghost_place(row.key))].filter(|other| !exact || same(other))
    }

    /// The rows of these keys that nobody holds, by position, taking share locks for `who`; none
    /// when `NOWAIT` meets a row that somebody holds.
    fn lock_rows(
        &mut self,
        setup: &Setup<N>,
        keys: &[Key],
        locking: Locking,
        who: u8,
    ) -> Option<Vec<(usize, Row)>> {
        let mut found = Vec::new();
        let plain = setup.lie == Some(Lie::RefreshWithoutLock)
            || (setup.lie == Some(Lie::ProofWithoutLock) && locking == Locking::NoWait);
        for (position, asked) in keys.iter().enumerate() {
            let place = setup.place(number(asked));
            if self.held(place) && !plain {
                match locking {
                    Locking::NoWait => return None,
                    Locking::SkipLocked => continue,
                }
            }
            if let Some(row) = self.original[at(place)] {
                found.push((position, row));
            }
        }
        for (_, row) in &found {
            if !plain {
                self.share[at(setup.place(row.key))] |= 1 << who;
            }
        }
        Some(found)
    }

    /// One statement of a refresh worker. With `answered` false the server runs it, and the
    /// connection is lost before the answer.
    pub(super) fn refresh_step(&mut self, setup: &Setup<N>, slot: usize, answered: bool) -> Ran {
        let open = self.open_to_workers();
        let Some(mut work) = self.refresh[slot].take().filter(|_| open) else {
            return Ran::Blocked;
        };
        let who = refresher(slot);
        let mut ended = None;
        let answer = match work.job.next().clone() {
            RefreshStep::Done => return Ran::Blocked,
            RefreshStep::ReplaceAll(keys) => {
                let answer = self.replace(setup, &keys, who);
                ended = Some(answer != Some(RefreshAnswer::Held));
                answer
            }
            RefreshStep::Replace(keys) => self.replace(setup, &keys, who),
            RefreshStep::LockPresent(keys) => {
                work.in_transaction = true;
                self.lock_rows(setup, &keys, Locking::SkipLocked, who)
                    .map(|rows| RefreshAnswer::Present(rows.into_iter().map(|row| row.0).collect()))
            }
            RefreshStep::ProveAbsent(keys) => {
                Some(match self.lock_rows(setup, &keys, Locking::NoWait, who) {
                    Some(rows) if rows.is_empty() => RefreshAnswer::Absent,
                    _ => RefreshAnswer::Held,
                })
            }
            RefreshStep::Delete(keys) => self
                .delete(setup, &keys, Some(who))
                .then_some(RefreshAnswer::Ok),
            step @ (RefreshStep::Commit | RefreshStep::RollBack) => {
                ended = Some(step == RefreshStep::Commit);
                work.in_transaction = false;
                Some(RefreshAnswer::Ok)
            }
        };
        let Some(answer) = answer else {
            return Ran::Blocked;
        };
        if let Some(commit) = ended {
            self.end_transaction(who, commit);
        }
        if answered {
            work.job.answer(answer);
        }
        let done = work.job.next() == &RefreshStep::Done;
        self.refresh[slot] = Some(work);
        if done { Ran::Done } else { Ran::More }
    }

    /// DELETE of these keys from the ghost; `false` when it would have to wait.
    fn delete(&mut self, setup: &Setup<N>, keys: &[Key], who: Option<u8>) -> bool {
        keys.iter().map(number).all(|asked| {
            let place = setup.ghost_place(asked);
            let other_row =
                self.ghost[at(place)].is_some_and(|row| setup.place(row.key) != setup.place(asked));
            (other_row && setup.lie != Some(Lie::DeleteByGhostsCollation))
                || self.ghost_write(place, None, who)
        })
    }

    /// Writes the rows that these keys have now; none when it would have to wait. With unique
    /// keys that only the ghost has nothing may be displaced: the keys are deleted first, as they
    /// are asked and as their rows spell them now, and a conflict is an answer.
    fn write_rows(
        &mut self,
        setup: &Setup<N>,
        keys: &[Key],
        rows: &[(usize, Row)],
        who: Option<u8>,
    ) -> Option<RefreshAnswer> {
        if !setup.settings.introduced_keys {
            let placed = rows
                .iter()
                .all(|(_, row)| self.ghost_replace(setup, *row, who));
            return placed.then_some(RefreshAnswer::Replaced(rows.len() as u64));
        }
        let present: Vec<Key> = rows.iter().map(|(_, row)| key(row.key)).collect();
        if !self.delete(setup, keys, who) || !self.delete(setup, &present, who) {
            return None;
        }
        for (_, row) in rows {
            let place = setup.ghost_place(row.key);
            if let Some(rival) = self.ghost_rival(setup, *row) {
                let waits = self.ghost_lock[at(rival)].is_some_and(|held| Some(held) != who);
                return (!waits).then_some(RefreshAnswer::Conflict);
            }
            if self.ghost[at(place)].is_some() {
                return Some(RefreshAnswer::Conflict);
            }
            if !self.ghost_write(place, Some(*row), who) {
                return None;
            }
        }
        Some(RefreshAnswer::Replaced(rows.len() as u64))
    }

    /// `REPLACE … SELECT … NOWAIT`; none when it would have to wait for another worker.
    fn replace(&mut self, setup: &Setup<N>, keys: &[Key], who: u8) -> Option<RefreshAnswer> {
        let Some(rows) = self.lock_rows(setup, keys, Locking::NoWait, who) else {
            return Some(RefreshAnswer::Held);
        };
        self.write_rows(setup, keys, &rows, Some(who))
    }

    /// A refresh worker's transaction is rolled back (its connection was lost, or the server
    /// chose it as the victim of a deadlock): it begins again.
    pub(super) fn roll_back(&mut self, setup: &Setup<N>, slot: usize) {
        let who = refresher(slot);
        if let Some(work) = &mut self.refresh[slot] {
            if let RefreshStep::Delete(keys) = work.job.next()
                && setup.lie == Some(Lie::DeadClientsDelete)
            {
                self.delete_lingers.clone_from(keys);
            }
            work.job.restart();
            work.in_transaction = false;
        }
        self.end_transaction(who, false);
    }

    /// A copy worker's statement is rolled back: it begins again.
    pub(super) fn roll_back_copy(&mut self, slot: usize) {
        if let Some(work) = &mut self.copy[slot] {
            (work.at, work.read, work.placed) = (0, 0, 0);
        }
        self.end_transaction(copier(slot), false);
    }

    /// This worker has a statement under way or to come that would have to wait.
    fn waits(&self, setup: &Setup<N>, who: u8) -> bool {
        let mut trial = self.clone();
        match who {
            1 | 2 => {
                let slot = usize::from(who - 1);
                trial.refresh[slot].is_some()
                    && trial.refresh_step(setup, slot, true) == Ran::Blocked
            }
            _ => {
                let slot = usize::from(who / 3);
                trial.copy[slot].is_some() && trial.copy_step(setup, slot, true) == Ran::Blocked
            }
        }
    }

    /// A deadlock among our own workers: this one has written and waits, and so do all others
    /// that have written.
    pub(super) fn deadlocked(&self, setup: &Setup<N>, who: u8) -> bool {
        let holds = |who: u8| self.ghost_lock.contains(&Some(who));
        let holders = || WORKERS.into_iter().filter(|who| holds(*who));
        holds(who) && holders().count() > 1 && holders().all(|who| self.waits(setup, who))
    }

    /// A DELETE whose client is dead runs at last.
    pub(super) fn dead_delete(&mut self, setup: &Setup<N>) -> bool {
        let keys = std::mem::take(&mut self.delete_lingers);
        !keys.is_empty() && self.open_to_workers() && self.delete(setup, &keys, None)
    }

    /// Both tables compared in one read view: keys that differ, then those that are too many.
    pub(super) fn look_at_chunk(&mut self, setup: &Setup<N>, slot: usize) -> bool {
        let Some(Look {
            what: (pass, chunk),
            found: None,
        }) = self.compare[slot].clone()
        else {
            return false;
        };
        let side = match pass {
            Pass::Both | Pass::Original => Side::Original,
            Pass::Ghost => Side::Ghost,
        };
        let (first, last) = setup.range(side, &chunk);
        let mut keys = Vec::new();
        if pass != Pass::Ghost {
            for row in (first..last).filter_map(|place| self.original[at(place)]) {
                if self.ghost_seen[at(setup.ghost_place(row.key))] != Some(row) {
                    keys.push(key(row.key));
                }
            }
        }
        if pass != Pass::Original {
            for row in (first..last).filter_map(|place| self.ghost_seen[at(place)]) {
                if self.is_extra(setup, row) {
                    keys.push(key(row.key));
                }
            }
        }
        self.compare[slot] = Some(Look {
            what: (pass, chunk),
            found: Some(keys),
        });
        self.open_to_workers()
    }

    /// The suspects checked in one read view.
    pub(super) fn look_at_suspects(&mut self, setup: &Setup<N>) -> bool {
        let Some(Look {
            what: (check, keys),
            found: None,
        }) = self.check.clone()
        else {
            return false;
        };
        let found = self.differing(setup, &keys);
        self.check = Some(Look {
            what: (check, keys),
            found: Some(found),
        });
        self.open_to_workers()
    }

    /// No row of the original has this ghost row's key in the eyes of both tables.
    fn is_extra(&self, setup: &Setup<N>, row: Row) -> bool {
        let found = self.original[at(setup.place(row.key))];
        let exact = setup.lie != Some(Lie::PairByOneCollation);
        found
            .is_none_or(|other| exact && setup.ghost_place(other.key) != setup.ghost_place(row.key))
    }

    /// Asked keys whose row has no equal in the ghost, or that name a ghost row too many.
    fn differing(&self, setup: &Setup<N>, keys: &[Key]) -> Vec<Key> {
        let differs = |asked: &&Key| {
            let asked = number(asked);
            let original = self.original[at(setup.place(asked))];
            let ghost = self.ghost_seen[at(setup.ghost_place(asked))];
            if setup.lie == Some(Lie::PairByOneCollation) {
                return original != ghost;
            }
            let named = ghost.filter(|row| setup.place(row.key) == setup.place(asked));
            original.is_some_and(|row| self.partner(setup, row) != Some(row))
                || named.is_some_and(|row| self.is_extra(setup, row))
        };
        keys.iter().filter(differs).cloned().collect()
    }

    fn workers_in_tables(&self) -> bool {
        self.copy.iter().flatten().any(|work| work.at > 0)
            || self
                .refresh
                .iter()
                .flatten()
                .any(|work| work.in_transaction)
    }

    fn lock_possible(&self, setup: &Setup<N>) -> bool {
        let over = |stage| stage == Stage::Prepared && setup.lie == Some(Lie::LockIgnoresXa);
        self.transactions.iter().all(|tx| over(tx.stage)) && !self.workers_in_tables()
    }

    /// Everything dirty made right on the locking connection; the suspects that differ even so,
    /// or none when a row has no place.
    fn refresh_locked(
        &mut self,
        setup: &Setup<N>,
        keys: &[Key],
        suspects: &[Key],
    ) -> Option<Vec<Key>> {
        self.delete(setup, keys, None);
        let mut rows: Vec<(usize, Row)> = keys
            .iter()
            .filter_map(|asked| self.original[at(setup.place(number(asked)))])
            .map(|row| (0, row))
            .collect();
        // Several spellings of a key are one row.
        rows.dedup();
        let written = self.write_rows(setup, keys, &rows, None);
        for asked in keys {
            self.less_stubborn(at(setup.ghost_place(number(asked))));
        }
        match written {
            Some(RefreshAnswer::Conflict) => None,
            _ => Some(self.differing(setup, suspects)),
        }
    }
}

enum Copied {
    Held,
    Row { read: bool, placed: bool },
}

impl<const N: usize> Sim<N> {
    /// The locking connection's next job; `false` when it isn't possible or this fate isn't.
    pub(super) fn locker_step(&mut self, setup: &Setup<N>, fate: Fate) -> Result<bool, String> {
        let Some(job) = self.world.locker.pop_front() else {
            return Ok(false);
        };
        let answer = match (job, fate) {
            (LockerJob::Rename, fate) => return self.rename(setup, fate),
            (LockerJob::Lock, Fate::Refused) => Event::NotLocked,
            (LockerJob::Lock, Fate::Well) => {
                if !self.world.lock_possible(setup)
                    || self.world.locked
                    || self.world.rename_lingers
                    || self.world.swapped
                {
                    return Ok(false);
                }
                self.world.locked = true;
                Event::Locked
            }
            (LockerJob::Refresh(keys, suspects), Fate::Well) => {
                if !self.world.locked {
                    Event::LockLost
                } else if let Some(different) = self.world.refresh_locked(setup, &keys, &suspects) {
                    Event::LockedRefreshed(different)
                } else {
                    Event::Broken(Failure::new("a row has no place", ""))
                }
            }
            (LockerJob::Unlock, Fate::Well) => {
                self.world.locked = false;
                Event::Unlocked
            }
            (LockerJob::ReadOwnership, Fate::Well) => {
                let swapped = self.world.swapped;
                Event::OwnershipRead(if swapped {
                    Ownership::Swapped
                } else {
                    Ownership::Unchanged
                })
            }
            (LockerJob::ReadOwnership, Fate::Refused) => {
                self.world.unknown = true;
                Event::OwnershipRead(Ownership::Unknown)
            }
            _ => return Ok(false),
        };
        self.world.answers.push_back(answer);
        Ok(true)
    }

    fn rename(&mut self, setup: &Setup<N>, fate: Fate) -> Result<bool, String> {
        let world = &mut self.world;
        let answer = match fate {
            // The lock went with its connection: nothing can be renamed on it any more.
            Fate::Well if !world.locked => Event::RenameLost,
            Fate::Well => {
                world.swap()?;
                Event::Renamed
            }
            Fate::LostDone if world.locked => {
                world.swap()?;
                Event::RenameLost
            }
            Fate::LostUndone => {
                world.rename_lingers = setup.lie == Some(Lie::OwnershipReadTooEarly);
                Event::RenameLost
            }
            Fate::Refused if world.locked => {
                world.answers.push_back(Event::NotRenamed(None));
                return Ok(true);
            }
            Fate::LostDone | Fate::Refused => return Ok(false),
        };
        world.locked = false;
        world.answers.push_back(answer);
        Ok(true)
    }

    /// The next answer of the locking connection reaches the core.
    pub(super) fn locker_answer(&mut self, setup: &Setup<N>) -> Result<bool, String> {
        let Some(event) = self.world.answers.pop_front() else {
            return Ok(false);
        };
        self.world.pause |= matches!(
            event,
            Event::NotLocked | Event::LockLost | Event::Unlocked | Event::OwnershipRead(_)
        );
        self.tell(setup, event).map(|()| true)
    }
}

/// Damage to the ghost that no statement of ours did.
pub(super) fn damages<const N: usize>(setup: &Setup<N>, ghost: Rows<N>) -> Vec<Rows<N>> {
    let mut damaged = Vec::new();
    for place in (0..)
        .take(N)
        .filter(|place| setup.ghost_place(*place) == *place)
    {
        let mut rows = ghost;
        match rows[at(place)] {
            Some(row) => {
                rows[at(place)] = None;
                damaged.push(rows);
                rows[at(place)] = Some(Row {
                    value: setup.next_value(row.value),
                    ..row
                });
            }
            None => {
                rows[at(place)] = Some(Row {
                    key: place,
                    value: 1,
                });
            }
        }
        damaged.push(rows);
    }
    damaged
}
