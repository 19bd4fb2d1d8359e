//! The workers: one connection each, a job in, an event out.
//!
//! A worker decides nothing about the migration. It runs the statements that the job asks for
//! ([`CopyJob`] and [`RefreshJob`] decide which), tries again what may be tried again, and reports.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock::Clock;
use crate::control::Wish;
use crate::core::chunk::{COMMON_UNKNOWN, Chunk, ChunkEnd};
use crate::core::copy::{CopyAnswer, CopyJob, CopyStep, Locking};
use crate::core::event::{Command, Event, Side};
use crate::core::refresh::{RefreshAnswer, RefreshJob, RefreshStep};
use crate::core::verify::Pass;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Answer, Session};
use crate::plan::key::{Key, KeyError};
use crate::sql::values::key_of;
use crate::sql::{Sql, Statement, Walk, shown};

/// A worker's report: who it is, and what happened.
pub type Done = (usize, Event);

/// One worker.
pub struct Worker {
    number: usize,
    session: Session,
    sql: Arc<Sql>,
    clock: Clock,
    news: mpsc::Sender<Wish>,
}

impl Worker {
    /// A worker with its connection.
    #[must_use]
    pub fn new(
        number: usize,
        session: Session,
        sql: Arc<Sql>,
        clock: Clock,
        news: mpsc::Sender<Wish>,
    ) -> Self {
        Self {
            news,
            number,
            session,
            sql,
            clock,
        }
    }

    /// Does jobs until there are no more to come.
    pub async fn run(mut self, mut jobs: mpsc::Receiver<Command>, done: mpsc::Sender<Done>) {
        while let Some(job) = jobs.recv().await {
            let event = match self.work(job).await {
                Ok(event) => event,
                Err(fault) => Event::Broken(fault.failure()),
            };
            if done.send((self.number, event)).await.is_err() {
                return;
            }
        }
    }

    /// Does one job.
    pub(super) async fn work(&mut self, job: Command) -> Result<Event, Fault> {
        let started = self.clock.elapsed_ms();
        match job {
            Command::Copy(job) => {
                let rest_permille = job.rest_permille;
                let job = self.copy(job).await?;
                let took_ms = self.took_ms(started);
                // As it counts as copying until it reports, nothing else begins on its behalf.
                tokio::time::sleep(Duration::from_micros(took_ms * rest_permille)).await;
                Ok(Event::Copied(job.outcome(), took_ms))
            }
            Command::Refresh(job) => {
                let job = self.refresh(job).await?;
                Ok(Event::Refreshed(job.outcome(), self.took_ms(started)))
            }
            Command::Compare(pass, chunk) => {
                let (rows, differing) = self.compare(pass, &chunk).await?;
                Ok(Event::Compared(
                    chunk.id,
                    rows,
                    differing,
                    self.took_ms(started),
                ))
            }
            Command::Check(check, keys) => {
                let differing = self.sql.differing_keys(&keys).map_err(bad_key)?;
                let extra = self.sql.extra_keys(&keys).map_err(bad_key)?;
                let mut different = pick(&keys, &self.again(&differing).await?);
                different.extend(pick(&keys, &self.again(&extra).await?));
                Ok(Event::Checked(check, different))
            }
            Command::FindChunkEnd {
                scan,
                side,
                after,
                rows,
                dense,
            } => {
                let sql = Arc::clone(&self.sql);
                let walk = match side {
                    Side::Original => sql.original(),
                    Side::Ghost => sql.ghost(),
                };
                let end = match &after {
                    Some(after) if dense => self.end_by_number(walk, after, rows).await?,
                    after => self.end_after(walk, after.as_ref(), rows).await?,
                };
                Ok(Event::ChunkEndFound(scan, end))
            }
            Command::WaitForBarrier
            | Command::WriteMarker(_)
            | Command::BuildIndexes
            | Command::ComparePlans
            | Command::WriteCheckpoint(_)
            | Command::Lock { .. }
            | Command::RefreshLocked { .. }
            | Command::Rename
            | Command::Unlock
            | Command::ReadOwnership => {
                Err(Fault::unexpected("dispatch", "a job that isn't a worker's"))
            }
        }
    }

    /// Milliseconds that the server was busy with a job: the way there and back is not among them, because
    /// a smaller job would not make it shorter.
    fn took_ms(&self, started: u64) -> u64 {
        let way = u64::try_from(self.session.round_trip().as_millis()).unwrap_or(0);
        (self.clock.elapsed_ms() - started).saturating_sub(way)
    }

    /// Runs a statement that may be repeated at will: after a conflict, and after a lost
    /// connection on a new one. Held rows and definite errors go to the caller.
    async fn again(&mut self, statement: &Statement) -> Result<Answer, Fault> {
        let mut tries = 0;
        loop {
            match self.session.run(statement).await {
                Err(fault) => {
                    tries += cost(&fault);
                    self.recover(&fault, tries).await?;
                }
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// Makes the connection ready for another try, or gives the fault back.
    async fn recover(&mut self, fault: &Fault, tries: u32) -> Result<(), Fault> {
        if tries > limits::LOCK_RETRIES {
            return Err(fault.clone());
        }
        if fault.statement == "copy chunk" {
            // Hooks may be told; when the loop is busy they needn't.
            let _ = self.news.try_send(Wish::CopyRetried(fault.to_string()));
        }
        match fault.kind {
            FaultKind::Held | FaultKind::TooLarge | FaultKind::Definite => Err(fault.clone()),
            FaultKind::Conflict => {
                tokio::time::sleep(limits::LOCK_RETRY_PAUSE).await;
                Ok(())
            }
            FaultKind::Lost | FaultKind::TimedOut => self.session.reopen().await,
        }
    }

    async fn copy(&mut self, mut job: CopyJob) -> Result<CopyJob, Fault> {
        loop {
            let answer = match job.next() {
                CopyStep::Done => return Ok(job),
                CopyStep::Copy(locking) => match self.copy_step(&job.chunk, locking).await {
                    Err(fault) if fault.kind == FaultKind::TooLarge => {
                        self.copy_in_pieces(&mut job, locking, fault).await?
                    }
                    answer => answer?,
                },
                CopyStep::FindMissing => {
                    let statement = self.sql.missing_in_chunk(&job.chunk).map_err(bad_key)?;
                    let answer = self.again(&statement).await?;
                    CopyAnswer::Missing(keys(self.sql.original(), &answer)?)
                }
            };
            job.answer(answer);
        }
    }

    async fn copy_step(&mut self, chunk: &Chunk, locking: Locking) -> Result<CopyAnswer, Fault> {
        let statement = self.sql.copy_chunk(chunk, locking).map_err(bad_key)?;
        match self.again(&statement).await {
            Ok(answer) => {
                let read = answer.records.ok_or_else(|| {
                    Fault::unexpected(
                        statement.name,
                        "the server doesn't say how many rows it read",
                    )
                })?;
                Ok(CopyAnswer::Copied {
                    read,
                    placed: answer.affected,
                })
            }
            Err(fault) if fault.kind == FaultKind::Held => Ok(CopyAnswer::Held),
            Err(fault) => Err(fault.among(|| shown::range(self.sql.original(), chunk))),
        }
    }

    /// Copies a chunk that is too much for one transaction: halves it until each piece passes. A
    /// piece may reach beyond the chunk when rows go meanwhile; copying a row twice is harmless.
    async fn copy_in_pieces(
        &mut self,
        job: &mut CopyJob,
        locking: Locking,
        fault: Fault,
    ) -> Result<CopyAnswer, Fault> {
        let (mut read, mut placed, mut largest) = (0, 0, 0);
        let mut pieces = self.halves(&job.chunk, 0, fault).await?;
        while let Some((piece, depth)) = pieces.pop() {
            match self.copy_step(&piece, locking).await {
                Ok(CopyAnswer::Copied { read: r, placed: p }) => {
                    largest = r.max(largest);
                    (read, placed) = (read + r, placed + p);
                }
                Ok(other) => return Ok(other),
                Err(fault) if fault.kind == FaultKind::TooLarge => {
                    pieces.extend(self.halves(&piece, depth, fault).await?);
                }
                Err(fault) => return Err(fault),
            }
        }
        job.taken_in_pieces(largest);
        Ok(CopyAnswer::Copied { read, placed })
    }

    /// Both halves of a range, the first one last; or the fault, when it has only one row.
    async fn halves(
        &mut self,
        chunk: &Chunk,
        depth: u32,
        fault: Fault,
    ) -> Result<Vec<(Chunk, u32)>, Fault> {
        let sql = Arc::clone(&self.sql);
        let rows = self.count(sql.original(), chunk).await?;
        if rows <= 1 || depth >= limits::HALVINGS {
            return Err(fault);
        }
        let middle = self.end_after(sql.original(), chunk.after.as_ref(), rows / 2);
        let Some((middle, common_columns)) = middle.await? else {
            // Most of its rows are gone: it may pass as it is.
            return Ok(vec![(chunk.clone(), depth + 1)]);
        };
        let first = Chunk {
            upto: Some(middle.clone()),
            common_columns,
            ..chunk.clone()
        };
        let second = Chunk {
            after: Some(middle),
            common_columns: COMMON_UNKNOWN,
            ..chunk.clone()
        };
        Ok(vec![(second, depth + 1), (first, depth + 1)])
    }

    async fn refresh(&mut self, mut job: RefreshJob) -> Result<RefreshJob, Fault> {
        let mut tries = 0;
        loop {
            let step = job.next().clone();
            if step == RefreshStep::Done {
                return Ok(job);
            }
            match self.refresh_step(&job, &step).await {
                Ok(answer) => job.answer(answer),
                Err(fault) if fault.kind == FaultKind::Held => job.answer(RefreshAnswer::Held),
                Err(fault) if fault.kind == FaultKind::TooLarge && job.divisible() => {
                    job.answer(RefreshAnswer::TooLarge);
                }
                Err(fault) if fault.code == Some(1062) && self.sql.introduces_keys() => {
                    job.answer(RefreshAnswer::Conflict);
                }
                Err(fault) if self.sql.reverts() && fault.is_misfit() => {
                    job.answer(RefreshAnswer::Misfit);
                }
                // With its connection the transaction is gone: that is a rollback as well.
                Err(_) if step == RefreshStep::RollBack => {
                    self.session.reopen().await?;
                    job.answer(RefreshAnswer::Ok);
                }
                Err(fault) => {
                    tries += cost(&fault);
                    self.recover(&fault, tries).await?;
                    // Whatever the transaction had done or proved is void.
                    if fault.kind == FaultKind::Conflict
                        && self.session.say("roll back", "ROLLBACK").await.is_err()
                    {
                        self.session.reopen().await?;
                    }
                    job.restart();
                }
            }
        }
    }

    /// Where no row of the ghost may displace another, those of these keys go first.
    async fn make_way(&mut self, job: &RefreshJob, keys: &[Key]) -> Result<(), Fault> {
        if !self.sql.introduces_keys() {
            return Ok(());
        }
        let sql = Arc::clone(&self.sql);
        let room = sql.make_room();
        let statements = room
            .into_iter()
            .chain(sql.put_aside(&job.kept(keys)).map_err(bad_key)?)
            .chain([
                sql.delete(keys).map_err(bad_key)?,
                sql.delete_present(keys).map_err(bad_key)?,
            ]);
        for statement in statements {
            self.session.run(&statement).await?;
        }
        Ok(())
    }

    async fn refresh_step(
        &mut self,
        job: &RefreshJob,
        step: &RefreshStep,
    ) -> Result<RefreshAnswer, Fault> {
        match step {
            RefreshStep::ReplaceAll(keys) | RefreshStep::Replace(keys) => {
                self.make_way(job, keys).await?;
                let mut rows = 0;
                for statement in self.sql.replace(keys).map_err(bad_key)? {
                    if rows == keys.len() as u64 {
                        break;
                    }
                    let answer = self.session.run(&statement).await;
                    let answer = answer
                        .map_err(|fault| fault.among(|| shown::list(self.sql.original(), keys)))?;
                    rows += answer.records.ok_or_else(|| {
                        Fault::unexpected(
                            statement.name,
                            "the server doesn't say how many rows it read",
                        )
                    })?;
                }
                Ok(RefreshAnswer::Replaced(rows))
            }
            RefreshStep::LockPresent(keys) => {
                self.session.say("begin", "START TRANSACTION").await?;
                let statement = self
                    .sql
                    .lock_present(keys, Locking::SkipLocked)
                    .map_err(bad_key)?;
                let answer = self.session.run(&statement).await?;
                Ok(RefreshAnswer::Present(ordinals(&answer)))
            }
            RefreshStep::ProveAbsent(keys) => {
                let statement = self
                    .sql
                    .lock_present(keys, Locking::NoWait)
                    .map_err(bad_key)?;
                let answer = self.session.run(&statement).await?;
                if answer.rows.is_empty() {
                    Ok(RefreshAnswer::Absent)
                } else {
                    Ok(RefreshAnswer::Held)
                }
            }
            RefreshStep::Delete(keys) => {
                let statement = self.sql.delete(keys).map_err(bad_key)?;
                self.session
                    .run(&statement)
                    .await
                    .map(|_| RefreshAnswer::Ok)
            }
            RefreshStep::Commit => self
                .session
                .say("commit", "COMMIT")
                .await
                .map(|_| RefreshAnswer::Ok),
            RefreshStep::RollBack => self
                .session
                .say("roll back", "ROLLBACK")
                .await
                .map(|_| RefreshAnswer::Ok),
            RefreshStep::Done => Ok(RefreshAnswer::Ok),
        }
    }

    /// Rows compared and the keys that differ.
    async fn compare(&mut self, pass: Pass, chunk: &Chunk) -> Result<(u64, Vec<Key>), Fault> {
        let most = limits::VERIFY_DIFFERENCES_MAX;
        let sql = Arc::clone(&self.sql);
        let differing = || sql.differing_in_chunk(chunk, most).map_err(bad_key);
        let extra = |walk: &Walk| sql.extra_in_chunk(walk, chunk, most).map_err(bad_key);
        let (rows, statements) = match pass {
            Pass::Both => {
                let statement = sql.compare_chunk(chunk).map_err(bad_key)?;
                let answer = self.again(&statement).await?;
                let rows = answer.number(0, 0).unwrap_or_default();
                if answer.number(0, 1) == Some(1) {
                    return Ok((rows, Vec::new()));
                }
                (
                    rows,
                    vec![differing()?, extra(&sql.ghost_in_original_order())?],
                )
            }
            Pass::Original => (self.count(sql.original(), chunk).await?, vec![differing()?]),
            Pass::Ghost => (
                self.count(sql.ghost(), chunk).await?,
                vec![extra(sql.ghost())?],
            ),
        };
        let mut found = Vec::new();
        for statement in statements {
            let answer = self.again(&statement).await?;
            found.extend(keys(sql.original(), &answer)?);
        }
        Ok((rows, found))
    }

    async fn count(&mut self, walk: &Walk, chunk: &Chunk) -> Result<u64, Fault> {
        let statement = Sql::count_chunk(walk, chunk).map_err(bad_key)?;
        Ok(self
            .again(&statement)
            .await?
            .number(0, 0)
            .unwrap_or_default())
    }

    /// The first key whose number is so much larger than another one's: at most so many rows after it.
    async fn end_by_number(
        &mut self,
        walk: &Walk,
        after: &Key,
        rows: u64,
    ) -> Result<ChunkEnd, Fault> {
        let Some(statement) = Sql::boundary_by_number(walk, after, rows).map_err(bad_key)? else {
            return self.end_after(walk, Some(after), rows).await;
        };
        let answer = self.again(&statement).await?;
        Ok(keys(walk, &answer)?.pop().map(|key| (key, 0)))
    }

    /// The key that is so many rows after another one.
    async fn end_after(
        &mut self,
        walk: &Walk,
        after: Option<&Key>,
        rows: u64,
    ) -> Result<ChunkEnd, Fault> {
        for probe in Sql::boundary(walk, after, rows).map_err(bad_key)? {
            let answer = self.again(&probe.statement).await?;
            if let Some(key) = keys(walk, &answer)?.pop() {
                return Ok(Some((key, probe.common_columns)));
            }
        }
        Ok(None)
    }
}

/// How many of the tries that a job has a fault takes: a server that doesn't answer for minutes (its
/// binary log waits for disk space, say) is not asked sixty times.
fn cost(fault: &Fault) -> u32 {
    match fault.kind {
        FaultKind::TimedOut => limits::LOCK_RETRIES / limits::TIMEOUT_RETRIES,
        FaultKind::Held
        | FaultKind::Conflict
        | FaultKind::Lost
        | FaultKind::TooLarge
        | FaultKind::Definite => 1,
    }
}

pub(super) fn bad_key(error: KeyError) -> Fault {
    Fault::unexpected("write a key", error.to_string())
}

/// The keys in a result whose rows are keys of this walk.
pub(super) fn keys(walk: &Walk, answer: &Answer) -> Result<Vec<Key>, Fault> {
    answer
        .rows
        .iter()
        .map(|row| key_of(&walk.columns, row))
        .collect::<Result<Vec<Key>, KeyError>>()
        .map_err(|error| Fault::unexpected("read a key", error.to_string()))
}

/// The ordinals in a result's first column.
fn ordinals(answer: &Answer) -> Vec<usize> {
    (0..answer.rows.len())
        .filter_map(|row| answer.number(row, 0))
        .filter_map(|ordinal| usize::try_from(ordinal).ok())
        .collect()
}

/// The asked keys whose ordinals a result names.
pub(super) fn pick(keys: &[Key], answer: &Answer) -> Vec<Key> {
    ordinals(answer)
        .into_iter()
        .filter_map(|ordinal| keys.get(ordinal).cloned())
        .collect()
}
