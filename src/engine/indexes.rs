//! Indexes that the ghost does without while it is copied: taken off when it is made, built when the copy is
//! done, on a connection of its own.
//!
//! DDL is atomic: after a lost connection the ghost has either all of the indexes or none, and its definition tells
//! which. So every try begins with a look.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::blockers::blocker;
use super::drive::Run;
use super::prepare::PLAIN_MODE;
use super::topology::Route;
use super::workers::Done;
use super::{Early, usual};
use crate::config::{Config, OnReplica};
use crate::core::event::{Event, Failure};
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::inspect;
use crate::mysql::session::{Address, Session, Setup};
use crate::plan::Plan;
use crate::plan::blockers::{Blocker, Obstacle};
use crate::plan::indexes::{Audience, Deferral, Deferred, has_plain_ones, speaks_against, warning};
use crate::plan::inspection::Version;
use crate::plan::names::Names;
use crate::report::Reporter;
use crate::sql::cutover::{blockers, without_counter};
use crate::sql::indexes::{audience, build, put_off};

/// What became of taking indexes off.
pub(super) enum PutOff {
    /// They are off.
    Done(Deferred),
    /// The ghost is as it was.
    Kept,
    /// They came back otherwise than they were: the ghost has to be made anew.
    Spoilt,
}

/// Whether indexes are to be deferred, and what is told of it.
pub(super) struct Chooser<'a> {
    pub config: &'a Config,
    pub route: &'a Route,
    pub version: Version,
    pub reporter: &'a Reporter,
}

impl Chooser<'_> {
    /// Takes off the empty ghost what can be spared, once it is clear that it comes back letter for letter.
    pub(super) async fn put_off(
        &self,
        session: &mut Session,
        plan: &Plan,
    ) -> Result<PutOff, Early> {
        let whole = without_counter(&plan.ghost.definition);
        if !has_plain_ones(&plan.ghost) {
            return Ok(PutOff::Kept);
        }
        let audience = self.audience(session).await?;
        let wish = self.config.defer_indexes;
        if let Some(why) = speaks_against(wish, self.version, audience) {
            return Ok(self.kept(&why));
        }
        let Some(deferred) = Deferred::of(&plan.ghost, &whole) else {
            return Ok(self.kept("none of them can be spared and come back as it was"));
        };
        let found = tried(session, plan, &deferred, &whole).await?;
        if !matches!(found, PutOff::Done(_)) {
            self.kept("the server doesn't make them again as they were");
            return Ok(found);
        }
        if let (Deferral::On, Some(warning)) = (wish, warning(self.version, audience)) {
            self.reporter.warn(warning);
        }
        Ok(found)
    }

    fn kept(&self, why: &str) -> PutOff {
        self.reporter.info(format!(
            "secondary indexes are kept while rows are copied: {why}"
        ));
        PutOff::Kept
    }

    async fn audience(&self, session: &mut Session) -> Result<Audience, Fault> {
        let alone = self.config.topology.on_replica == OnReplica::Follow;
        let asked = self.config.defer_indexes != Deferral::Off && alone;
        let readers = if asked {
            match session.run(&audience()).await {
                Ok(answer) => answer.number(0, 0),
                // It may not look there.
                Err(fault) if matches!(fault.code, Some(1142 | 1227)) => None,
                Err(fault) => return Err(fault),
            }
        } else {
            None
        };
        Ok(Audience {
            site: self.route.setting.site,
            follows_replica: self.route.followed.is_some(),
            readers,
        })
    }
}

/// Tells what will be built.
pub(super) fn announce(plan: &Plan, reporter: &Reporter) {
    if let Some(deferred) = &plan.deferred {
        reporter.info(format!(
            "secondary indexes are built after the copy, in one statement: {}",
            deferred.names()
        ));
    }
}

/// Takes them off, on again, and off, on a table without rows.
async fn tried(
    session: &mut Session,
    plan: &Plan,
    deferred: &Deferred,
    whole: &str,
) -> Result<PutOff, Fault> {
    let names = &plan.names;
    let mark = session.mark().to_owned();
    let off = put_off(names, deferred);
    let steps = [
        (off.clone(), deferred.without.as_str()),
        (build(names, deferred, &mark), whole),
        (off, deferred.without.as_str()),
    ];
    for (statement, expected) in steps {
        match session
            .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
            .await
        {
            // Not without a lock, or not in place (1845, 1846).
            Err(fault) if matches!(fault.code, Some(1845 | 1846)) => return Ok(PutOff::Spoilt),
            answer => answer?,
        };
        let found = inspect::definition(session, &names.schema, &names.ghost).await?;
        if without_counter(&found) != expected {
            return Ok(PutOff::Spoilt);
        }
    }
    Ok(PutOff::Done(deferred.clone()))
}

/// Builds the indexes.
pub(super) struct Builder {
    address: Address,
    plan: Arc<Plan>,
    deferred: Deferred,
    reporter: Reporter,
    clock: super::clock::Clock,
    session: Option<Session>,
    /// What changed meanwhile was too much once.
    overflowed: bool,
    /// Who was named already.
    told: BTreeSet<(Obstacle, u64)>,
}

impl Builder {
    /// One for this run, if there is something to build.
    pub(super) fn of(run: &Run<'_>, address: &Address) -> Option<Self> {
        Some(Self {
            address: address.clone(),
            plan: Arc::clone(&run.plan),
            deferred: run.plan.deferred.clone()?,
            reporter: run.reporter.clone(),
            clock: run.clock,
            session: None,
            overflowed: false,
            told: BTreeSet::new(),
        })
    }

    /// Builds when it is told to, until nobody is there to tell it; then what it is at is given up.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<()>, done: mpsc::Sender<Done>) {
        while orders.recv().await.is_some() {
            let event = tokio::select! {
                event = self.build() => event,
                // Nothing is ordered while it builds: this is the end.
                _ = orders.recv() => return self.give_up().await,
            };
            let _ = done.send((usize::MAX, event)).await;
        }
    }

    async fn give_up(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        let id = session.id();
        if let Err(fault) = session.abandon().await {
            self.reporter.warn(format!(
                "connection {id}, which builds indexes of `{}`, could not be ended: {fault}; KILL it before the \
                 table is dropped",
                self.plan.names.ghost
            ));
        }
    }

    async fn build(&mut self) -> Event {
        let begun = self.clock.elapsed_ms();
        self.reporter.info(format!(
            "building indexes of `{}`: {}",
            self.plan.names.ghost,
            self.deferred.names()
        ));
        let (mut losses, mut waits) = (0, 0);
        loop {
            let fault = match self.attempt().await {
                Ok(Attempt::Built) => break,
                Ok(Attempt::InTheWay) => {
                    waits += 1;
                    if waits >= limits::INDEX_WAITS {
                        return Event::Broken(failure(&Fault::timed_out(
                            NAME,
                            limits::LONG_STATEMENT_TIMEOUT.as_secs(),
                        )));
                    }
                    tokio::time::sleep(limits::INDEX_PAUSE).await;
                    continue;
                }
                Err(fault) => fault,
            };
            if fault.code == Some(LOG_FULL) && !std::mem::replace(&mut self.overflowed, true) {
                self.reporter.warn(format!(
                    "{fault}; building them again, while changed rows wait (innodb_online_alter_log_max_size)"
                ));
                return Event::IndexLogFull;
            }
            let again = match fault.kind {
                FaultKind::Conflict => {
                    waits += 1;
                    waits < limits::INDEX_WAITS
                }
                FaultKind::Lost => {
                    losses += 1;
                    losses < limits::INDEX_LOSSES
                }
                FaultKind::Held
                | FaultKind::TimedOut
                | FaultKind::TooLarge
                | FaultKind::Definite => false,
            };
            if !again {
                return Event::Broken(failure(&fault));
            }
            self.reporter.warn(format!("{fault}; trying again"));
            tokio::time::sleep(limits::INDEX_PAUSE).await;
        }
        self.session = None;
        let took = self.clock.elapsed_ms() - begun;
        let (seconds, rest) = (took / 1_000, took % 1_000);
        self.reporter
            .info(format!("indexes built seconds={seconds}.{rest:03}"));
        Event::IndexesBuilt
    }

    /// Looks what the ghost has, and builds what it hasn't.
    async fn attempt(&mut self) -> Result<Attempt, Fault> {
        let (plan, deferred) = (Arc::clone(&self.plan), self.deferred.clone());
        let names = &plan.names;
        let session = self.connected().await?;
        let whole = without_counter(&plan.ghost.definition);
        let found = inspect::definition(session, &names.schema, &names.ghost).await?;
        let found = without_counter(&found);
        if found == whole {
            return Ok(Attempt::Built);
        }
        if found != deferred.without {
            return Err(altered());
        }
        if self.others_in_the_way().await? {
            return Ok(Attempt::InTheWay);
        }
        let session = self.session.as_mut().ok_or_else(|| Fault::lost(NAME))?;
        let statement = build(names, &deferred, session.mark());
        session
            .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
            .await?;
        let found = inspect::definition(session, &names.schema, &names.ghost).await?;
        if without_counter(&found) == whole {
            Ok(Attempt::Built)
        } else {
            Err(altered())
        }
    }

    async fn connected(&mut self) -> Result<&mut Session, Fault> {
        let session = match self.session.take() {
            // Whatever the earlier connection was at is over when this returns.
            Some(mut session) => {
                let again = session.reopen().await;
                let session = self.session.insert(session);
                again?;
                session
            }
            None => {
                let setup = Setup {
                    lock_wait_seconds: limits::INDEX_LOCK_SECONDS,
                    ..usual("builder", PLAIN_MODE.into())
                };
                let session = Session::open(&self.address, setup).await?;
                self.session.insert(session)
            }
        };
        Ok(session)
    }

    /// Whoever reads the ghost or holds DDL up; each is named once. With the statement waiting for them, our
    /// workers would wait behind it.
    async fn others_in_the_way(&mut self) -> Result<bool, Fault> {
        let ghost = &self.plan.names.ghost;
        let only_ghost = Names {
            original: ghost.clone(),
            ..self.plan.names.clone()
        };
        let session = self.session.as_mut().ok_or_else(|| Fault::lost(NAME))?;
        let answer = session.run(&blockers(&only_ghost, &[])).await?;
        let rows = (0..answer.rows.len()).map(|row| blocker(&answer, row));
        let found: Vec<Blocker> = rows
            .filter(|one| one.obstacle != Obstacle::Table || one.client && one.seconds >= 1)
            .collect();
        let now: BTreeSet<_> = found.iter().map(|one| (one.obstacle, one.id)).collect();
        for one in &found {
            if !self.told.contains(&(one.obstacle, one.id)) {
                self.reporter.warn(format!(
                    "the building of indexes waits: {}",
                    one.clause(ghost)
                ));
            }
        }
        self.told = now;
        Ok(!found.is_empty())
    }
}

/// What came of a try.
enum Attempt {
    /// The ghost has its indexes.
    Built,
    /// Others have to end first.
    InTheWay,
}

const NAME: &str = "build the indexes";
/// `innodb_online_alter_log_max_size` was exceeded (MySQL error reference).
const LOG_FULL: u16 = 1799;

fn altered() -> Fault {
    Fault::unexpected(
        NAME,
        "the ghost table no longer has the shape that the run gave it",
    )
}

/// What an operator is told. The run can be continued; the table is as it was.
fn failure(fault: &Fault) -> Failure {
    let next = match fault.code {
        Some(LOG_FULL) => {
            "SET GLOBAL innodb_online_alter_log_max_size to more, then run the command again; or start over with \
             --no-resume --defer-secondary-indexes=off"
        }
        // Disk full, table full, file not writable, key file, out of sort memory, error of the engine.
        Some(3 | 1021 | 1026 | 1030 | 1034 | 1038 | 1041 | 1114) => {
            "free disk space where the server sorts (innodb_tmpdir, or else tmpdir) and where the table is, then \
             run the command again; or start over with --no-resume --defer-secondary-indexes=off"
        }
        Some(1205) => {
            "let whoever uses the ghost table end (a dump, perhaps), then run the command again"
        }
        _ => return fault.failure(),
    };
    Failure::new(fault.to_string(), next)
}
