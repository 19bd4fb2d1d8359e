//! The cut-over's look for those in its way, and what an operator allows against them.

use std::collections::BTreeSet;

use super::locker::Locker;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Answer;
use crate::plan::blockers::{Blocker, Obstacle, Vain, Verdict, kind_of_statement};
use crate::sql::cutover::{blockers, weights};

/// What is remembered from one attempt to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Whom the log has named already, so that it does so once.
    told: BTreeSet<(Obstacle, u64)>,
    /// Whom it has called spared.
    spared: BTreeSet<u64>,
    /// Whose statements were ended.
    asked: BTreeSet<u64>,
    /// How long attempts have been in vain.
    pub(super) vain: Vain,
}

impl Locker {
    /// Names sessions that have held a metadata lock for longer than the lock may wait, backups and
    /// prepared XA transactions: LOCK TABLES would wait for them in vain, and everybody for it. Ends
    /// those that the operator wants ended, in time. Returns whether anybody is left.
    pub(super) async fn blocked_for_long(&mut self, wait_ms: u64) -> Result<bool, Fault> {
        let found = self.in_the_way(wait_ms).await?;
        let now: BTreeSet<_> = found.iter().map(|one| (one.obstacle, one.id)).collect();
        for one in &found {
            if !self.memory.told.contains(&(one.obstacle, one.id)) {
                let sentence = one.sentence(&self.plan.names.original);
                self.reporter.warn(sentence);
            }
        }
        self.memory.told = now;
        if found.is_empty() {
            return Ok(false);
        }
        let Some(after) = self.force_after else {
            return Ok(true);
        };
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        if !self.memory.vain.round(self.clock.elapsed_ms(), after_ms) {
            return Ok(true);
        }
        self.end_blockers(found, wait_ms).await
    }

    async fn in_the_way(&mut self, wait_ms: u64) -> Result<Vec<Blocker>, Fault> {
        let statement = blockers(&self.plan.names, &self.plan.foreign_keys);
        let answer = self.looked(&statement).await?;
        let found = (0..answer.rows.len()).map(|row| blocker(&answer, row));
        Ok(found
            .filter(|one| one.obstacle != Obstacle::Table || one.seconds * 1_000 > wait_ms + 1_000)
            .collect())
    }

    /// One round. Returns whether anybody is left when those who were ended have gone, or should have.
    async fn end_blockers(&mut self, found: Vec<Blocker>, wait_ms: u64) -> Result<bool, Fault> {
        let mut ended = false;
        for mut one in found {
            if one.obstacle == Obstacle::Table {
                one.rows_changed = self.rows_changed(one.id).await?;
            }
            let verdict = one.verdict(self.kill, self.memory.asked.contains(&one.id));
            let kill = match verdict {
                Verdict::Stays(why) => {
                    if self.memory.spared.insert(one.id) {
                        let who = one.who();
                        self.reporter.info(format!("{who} is not ended: {why}"));
                    }
                    continue;
                }
                Verdict::EndQuery => "KILL QUERY",
                Verdict::End => "KILL",
            };
            self.reporter.warn(format!(
                "--force-cut-over-after: {kill} of {}, {} s old: {}",
                one.who(),
                one.seconds,
                one.doing()
            ));
            ended |= self.end_blocker(kill, one.id).await?;
            self.memory.asked.insert(one.id);
        }
        if self.memory.vain.was_last() {
            self.reporter
                .warn("--force-cut-over-after: that was the last round; blockers are waited for");
        }
        let polls = limits::KILL_WAIT.as_millis() / limits::LOCK_RETRY_PAUSE.as_millis();
        for _ in 0..if ended { polls } else { 0 } {
            if self.in_the_way(wait_ms).await?.is_empty() {
                return Ok(false);
            }
            tokio::time::sleep(limits::LOCK_RETRY_PAUSE).await;
        }
        Ok(true)
    }

    /// Looked at just before the decision. A session without a transaction in InnoDB has changed nothing.
    async fn rows_changed(&mut self, id: u64) -> Result<Option<u64>, Fault> {
        match self.looked(&weights(id)).await {
            Ok(answer) => Ok(answer.number(0, 0)),
            Err(fault) if fault.kind == FaultKind::Definite => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Whether it was ended; it may have gone by itself, or be beyond the account's power.
    async fn end_blocker(&mut self, kill: &str, id: u64) -> Result<bool, Fault> {
        let name = "end a blocker";
        match self.control.say(name, &format!("{kill} {id}")).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.code == Some(1094) => Ok(true),
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                self.control.reopen().await?;
                Ok(true)
            }
            Err(fault) => {
                self.reporter
                    .warn(format!("connection {id} is not ended: {fault}"));
                Ok(false)
            }
        }
    }
}

/// A row of the look for blockers.
pub(super) fn blocker(answer: &Answer, row: usize) -> Blocker {
    let text = |column| answer.text(row, column).unwrap_or_default();
    let is = |column| answer.number(row, column).is_some_and(|number| number > 0);
    let id = answer.number(row, 0);
    let obstacle = match (id, is(6), is(7)) {
        (_, true, _) => Obstacle::Backup,
        (_, _, true) => Obstacle::ReadLock,
        (None, ..) => Obstacle::Prepared,
        (Some(_), ..) => Obstacle::Table,
    };
    let statement = kind_of_statement(&text(4)).or_else(|| match text(5).as_str() {
        "" | "Sleep" => None,
        command => Some(command.to_owned()),
    });
    Blocker {
        obstacle,
        id: id.unwrap_or_default(),
        user: text(1),
        host: text(2),
        program: text(10),
        seconds: answer.number(row, 3).unwrap_or_default(),
        statement,
        client: is(9) && !is(11),
        explicit: is(12),
        xa: answer.text(row, 8),
        rows_changed: None,
    }
}
