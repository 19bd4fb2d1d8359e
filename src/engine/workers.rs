//! The workers: one connection each, a job in, an event out.
//!
//! A worker decides nothing about the migration. It runs the statements that the job asks for
//! ([`CopyJob`] and [`RefreshJob`] decide which), tries again what may be tried again, and reports.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::clock::Clock;
use crate::core::chunk::Chunk;
use crate::core::copy::{CopyAnswer, CopyJob, CopyStep, Locking};
use crate::core::event::{Command, Event, Scan, Side};
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
}

impl Worker {
    /// A worker with its connection.
    #[must_use]
    pub fn new(number: usize, session: Session, sql: Arc<Sql>, clock: Clock) -> Self {
        Self {
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

    async fn work(&mut self, job: Command) -> Result<Event, Fault> {
        let started = self.clock.elapsed_ms();
        match job {
            Command::Copy(job) => {
                let job = self.copy(job).await?;
                Ok(Event::Copied(
                    job.outcome(),
                    self.clock.elapsed_ms() - started,
                ))
            }
            Command::Refresh(job) => Ok(Event::Refreshed(self.refresh(job).await?.outcome())),
            Command::Compare(pass, chunk) => {
                let (rows, differing) = self.compare(pass, &chunk).await?;
                Ok(Event::Compared(
                    chunk.id,
                    rows,
                    differing,
                    self.clock.elapsed_ms() - started,
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
            } => self.find_chunk_end(scan, side, after.as_ref(), rows).await,
            Command::WaitForBarrier
            | Command::WriteMarker(_)
            | Command::Lock { .. }
            | Command::RefreshLocked { .. }
            | Command::Rename
            | Command::Unlock
            | Command::ReadOwnership => {
                Err(Fault::unexpected("dispatch", "a job that isn't a worker's"))
            }
        }
    }

    /// Runs a statement that may be repeated at will: after a conflict, and after a lost
    /// connection on a new one. Held rows and definite errors go to the caller.
    async fn again(&mut self, statement: &Statement) -> Result<Answer, Fault> {
        let mut tries = 0;
        loop {
            match self.session.run(statement).await {
                Err(fault) => {
                    tries += 1;
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
        match fault.kind {
            FaultKind::Held | FaultKind::Definite => Err(fault.clone()),
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
                CopyStep::Copy(locking) => self.copy_step(&job.chunk, locking).await?,
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

    async fn refresh(&mut self, mut job: RefreshJob) -> Result<RefreshJob, Fault> {
        let mut tries = 0;
        loop {
            let step = job.next().clone();
            if step == RefreshStep::Done {
                return Ok(job);
            }
            match self.refresh_step(&step).await {
                Ok(answer) => job.answer(answer),
                Err(fault) if fault.kind == FaultKind::Held => job.answer(RefreshAnswer::Held),
                Err(fault) if fault.code == Some(1062) && self.sql.introduces_keys() => {
                    job.answer(RefreshAnswer::Conflict);
                }
                // With its connection the transaction is gone: that is a rollback as well.
                Err(fault) if step == RefreshStep::RollBack && lost(&fault) => {
                    self.session.reopen().await?;
                    job.answer(RefreshAnswer::Ok);
                }
                Err(fault) => {
                    tries += 1;
                    self.recover(&fault, tries).await?;
                    // Whatever the transaction had done or proved is void.
                    if fault.kind == FaultKind::Conflict {
                        match self.session.say("roll back", "ROLLBACK").await {
                            Err(fault) if lost(&fault) => self.session.reopen().await?,
                            Err(fault) => return Err(fault),
                            Ok(_) => {}
                        }
                    }
                    job.restart();
                }
            }
        }
    }

    async fn refresh_step(&mut self, step: &RefreshStep) -> Result<RefreshAnswer, Fault> {
        match step {
            RefreshStep::ReplaceAll(keys) | RefreshStep::Replace(keys) => {
                if self.sql.introduces_keys() {
                    let stale = self.sql.delete(keys).map_err(bad_key)?;
                    let present = self.sql.delete_present(keys).map_err(bad_key)?;
                    self.session.run(&stale).await?;
                    self.session.run(&present).await?;
                }
                let statement = self.sql.replace(keys).map_err(bad_key)?;
                let answer = self.session.run(&statement).await;
                let answer = answer
                    .map_err(|fault| fault.among(|| shown::list(self.sql.original(), keys)))?;
                answer.records.map(RefreshAnswer::Replaced).ok_or_else(|| {
                    Fault::unexpected(
                        statement.name,
                        "the server doesn't say how many rows it read",
                    )
                })
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

    async fn find_chunk_end(
        &mut self,
        scan: Scan,
        side: Side,
        after: Option<&Key>,
        rows: u64,
    ) -> Result<Event, Fault> {
        let sql = Arc::clone(&self.sql);
        let walk = match side {
            Side::Original => sql.original(),
            Side::Ghost => sql.ghost(),
        };
        for probe in Sql::boundary(walk, after, rows).map_err(bad_key)? {
            let answer = self.again(&probe.statement).await?;
            if let Some(key) = keys(walk, &answer)?.pop() {
                return Ok(Event::ChunkEndFound(
                    scan,
                    Some((key, probe.common_columns)),
                ));
            }
        }
        Ok(Event::ChunkEndFound(scan, None))
    }
}

fn lost(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut)
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
