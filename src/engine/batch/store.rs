//! The state of a batch on its server: read, claimed and written through one session.

use crate::limits;
use crate::mysql::address::Address;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Answer, Session};
use crate::plan::batch::schedule::State;
use crate::plan::batch::{FORMAT, TABLE, comment};
use crate::sql::batch::{self as sql, Claimant, Ended, New, Word};
use crate::sql::{Statement, qualified};

/// A row of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) migration: String,
    pub(super) server: String,
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) state: State,
    pub(super) exit_code: Option<u64>,
    pub(super) reason: String,
    pub(super) attempts: u64,
    pub(super) worker: String,
    pub(super) claim: String,
    /// What the table was before a run whose end isn't known.
    pub(super) before: Option<String>,
    /// Seconds since its claimant was heard of.
    pub(super) silent_s: Option<u64>,
}

impl Row {
    /// A row that isn't written yet.
    pub(super) fn new(state: State) -> Self {
        Self {
            id: String::new(),
            migration: String::new(),
            server: String::new(),
            schema: String::new(),
            table: String::new(),
            state,
            exit_code: None,
            reason: String::new(),
            attempts: 0,
            worker: String::new(),
            claim: String::new(),
            before: None,
            silent_s: None,
        }
    }
}

/// The state, seen by one worker.
pub(super) struct Store {
    session: Session,
    schema: String,
    batch: String,
    pub(super) me: Claimant,
    /// Works on the jobs, so it holds the lock of its name.
    works: bool,
}

/// What there is of a state.
pub(super) enum Found {
    /// A table of ours.
    Ours,
    /// None.
    Nothing,
    /// A table that this version can't use.
    Foreign(String),
}

impl Store {
    pub(super) async fn open(
        address: &Address,
        schema: &str,
        batch: &str,
        me: Claimant,
    ) -> Result<Self, Fault> {
        let setup = super::super::usual("batch", String::new());
        Ok(Self {
            session: Session::open(address, setup).await?,
            schema: schema.to_owned(),
            batch: batch.to_owned(),
            me,
            works: false,
        })
    }

    pub(super) async fn found(&mut self) -> Result<Found, Fault> {
        let answer = self.session.run(&sql::look(&self.schema)).await?;
        Ok(match answer.text(0, 0) {
            None => Found::Nothing,
            Some(text) if text == comment() => Found::Ours,
            Some(_) => Found::Foreign(format!(
                "{} isn't a batch's state of format {FORMAT}",
                qualified(&self.schema, TABLE)
            )),
        })
    }

    /// Makes the table, if it isn't there.
    pub(super) async fn create(&mut self) -> Result<(), Fault> {
        self.session.run(&sql::create(&self.schema)).await?;
        Ok(())
    }

    /// Becomes the only worker of its name; false if another process is that.
    pub(super) async fn work(&mut self) -> Result<bool, Fault> {
        let answer = self.session.run(&sql::take_lock(&self.me.lock)).await?;
        self.works = answer.number(0, 0) == Some(1);
        Ok(self.works)
    }

    /// Runs a statement; a connection that was lost is opened again before, with the lock.
    async fn run(&mut self, statement: &Statement) -> Result<Answer, Fault> {
        match self
            .session
            .run_for(statement, limits::BATCH_STATEMENT)
            .await
        {
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                self.session.close();
                self.again().await?;
                Err(fault)
            }
            other => other,
        }
    }

    async fn again(&mut self) -> Result<(), Fault> {
        self.session.reopen_once().await?;
        if self.works && !self.work().await? {
            self.session.close();
            self.works = true;
            return Err(Fault::unexpected(
                "take the batch's lock",
                "another process has it",
            ));
        }
        Ok(())
    }

    pub(super) async fn seed(&mut self, jobs: &[New<'_>]) -> Result<(), Fault> {
        if jobs.is_empty() {
            let statement = sql::seed(&self.schema, &self.batch, &[]);
            self.session.run(&statement).await?;
        }
        for some in jobs.chunks(sql::JOBS_AT_ONCE) {
            let statement = sql::seed(&self.schema, &self.batch, some);
            self.session.run(&statement).await?;
        }
        Ok(())
    }

    pub(super) async fn rows(&mut self) -> Result<Vec<Row>, Fault> {
        // Who only looks has no lock, and takes nothing over: a job is somebody's while the lock is held.
        let mut me = self.me.clone();
        let mut lease = limits::BATCH_LEASE.as_secs();
        if !self.works {
            me.lock.clear();
            lease = 0;
        }
        let statement = sql::read(&self.schema, &self.batch, &me, lease);
        let answer = self.run(&statement).await?;
        (0..answer.rows.len())
            .map(|index| row(&answer, index))
            .collect()
    }

    /// Claims the jobs that `choose` picks of the rows, as nobody else can at that moment.
    pub(super) async fn claim(
        &mut self,
        choose: impl Fn(&[Row]) -> Vec<String>,
    ) -> Result<(), Fault> {
        self.run(&plain("begin", "START TRANSACTION")).await?;
        let claimed = self.claim_inside(choose).await;
        // What was not to be is undone; after a loss the server does it.
        let end = match &claimed {
            Ok(()) => self.run(&plain("commit", "COMMIT")).await,
            Err(_) => self.run(&plain("roll back", "ROLLBACK")).await,
        };
        claimed.and(end.map(drop))
    }

    async fn claim_inside(&mut self, choose: impl Fn(&[Row]) -> Vec<String>) -> Result<(), Fault> {
        // A connection that was opened again in between has no transaction: `run` tells of the loss.
        self.run(&sql::gate(&self.schema, &self.batch)).await?;
        let chosen = choose(&self.rows().await?);
        if chosen.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = chosen.iter().map(String::as_str).collect();
        let lock = sql::lock(&self.schema, &self.batch, &ids);
        let answer = self.run(&lock).await?;
        let free: Vec<String> = (0..answer.rows.len())
            .filter_map(|index| answer.text(index, 0))
            .collect();
        let ids: Vec<&str> = free.iter().map(String::as_str).collect();
        if !ids.is_empty() {
            let claim = sql::claim(&self.schema, &self.batch, &ids, &self.me);
            self.run(&claim).await?;
        }
        Ok(())
    }

    pub(super) async fn beat(&mut self) -> Result<(), Fault> {
        let statement = sql::beat(&self.schema, &self.batch, &self.me.claim);
        self.run(&statement).await.map(drop)
    }

    /// Notes what a table is; false if the job isn't this worker's any more.
    pub(super) async fn note(&mut self, id: &str, identity: &str) -> Result<bool, Fault> {
        let statement = sql::note(&self.schema, &self.batch, id, &self.me.claim, identity);
        self.run(&statement).await?;
        let rows = self.rows().await?;
        Ok(rows.iter().any(|row| {
            row.id == id && row.claim == self.me.claim && row.before.as_deref() == Some(identity)
        }))
    }

    pub(super) async fn finish(&mut self, ended: &Ended<'_>) -> Result<(), Fault> {
        let statement = sql::finish(&self.schema, &self.batch, &self.me.claim, ended);
        self.run(&statement).await.map(drop)
    }

    pub(super) async fn say(&mut self, ids: &[&str], word: Word) -> Result<u64, Fault> {
        if ids.is_empty() {
            return Ok(0);
        }
        let statement = sql::say(&self.schema, &self.batch, ids, word);
        Ok(self.run(&statement).await?.affected)
    }
}

fn plain(name: &'static str, text: &str) -> Statement {
    Statement::new(name, text.to_owned())
}

fn row(answer: &Answer, index: usize) -> Result<Row, Fault> {
    let text = |column| answer.text(index, column).unwrap_or_default();
    let number = |column| answer.number(index, column);
    let gone = number(sql::COLUMNS.len() + 1) == Some(1);
    let state = State::read(&text(5), gone).ok_or_else(|| {
        Fault::unexpected(
            "read the batch's state",
            "a state that this version doesn't know",
        )
    })?;
    Ok(Row {
        id: text(0),
        migration: text(1),
        server: text(2),
        schema: text(3),
        table: text(4),
        state,
        exit_code: number(6),
        reason: text(7),
        attempts: number(8).unwrap_or_default(),
        worker: text(9),
        claim: text(11),
        before: answer.text(index, 12),
        silent_s: number(sql::COLUMNS.len()),
    })
}
