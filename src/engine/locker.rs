//! The cut-over's hands: one connection that locks, refreshes, renames and unlocks, and one
//! beside it that looks, limits the wait and reads the catalogue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::blockers::Memory;
use super::clock::Clock;
use super::rehearsal::Rehearsal;
use super::triggers;
use super::workers::{Done, bad_key, pick};
use crate::core::event::{Command, Event, Failure, Ownership};
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Address, Answer, Session, Setup, fence};
use crate::plan::blockers::KillPolicy;
use crate::plan::key::Key;
use crate::plan::{Plan, Zone};
use crate::report::Reporter;
use crate::sql::cutover::{counter, ownership, readers, used_lock, without_counter};
use crate::sql::{Sql, Statement, shown};

/// Keys refreshed by one statement under the lock.
const LOCKED_BATCH: usize = 2_000;

/// The cut-over's worker.
pub(super) struct Locker {
    /// The server.
    pub(super) address: Address,
    /// The connection that holds the advisory lock.
    pub(super) main_id: u32,
    /// Settings of the locking connection.
    pub(super) setup: Setup,
    /// Looks and limits; never holds a lock.
    pub(super) control: Session,
    /// The statements.
    pub(super) sql: Arc<Sql>,
    /// The migration.
    pub(super) plan: Arc<Plan>,
    /// Where to report.
    pub(super) reporter: Reporter,
    /// The connection that holds the lock, while there is one.
    pub(super) holder: Option<Session>,
    /// The ghost's statistics are fresh.
    pub(super) analyzed: bool,
    /// The run's clock.
    pub(super) clock: Clock,
    /// When the steps of the present attempt were done.
    pub(super) timeline: Timeline,
    /// Nothing is swapped, but replication is stopped before the last refresh.
    pub(super) rehearsal: Option<Rehearsal>,
    /// Time of attempts in vain after which blockers are ended.
    pub(super) force_after: Option<Duration>,
    /// Which blockers.
    pub(super) kill: KillPolicy,
    /// Longest pause between attempts.
    pub(super) pause_max: Duration,
    /// What is known of blockers.
    pub(super) memory: Memory,
    /// The ghost may have triggers: no row of it may be written until they are gone.
    pub(super) triggers_made: bool,
    /// Why the run can't go on.
    pub(super) broken: Option<Failure>,
}

/// Moments of one attempt, in milliseconds since the start of the run; told at its end, because the
/// time that writers wait is what operators ask about first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timeline {
    asked: u64,
    locked: u64,
    marked: u64,
    refreshed: u64,
    keys: usize,
}

impl Locker {
    /// Carries out the cut-over's commands until there are no more to come.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Command>, done: mpsc::Sender<Done>) {
        while let Some(job) = jobs.recv().await {
            let event = self.work(job).await;
            if let Some(broken) = self.broken.take() {
                // Before the event by which the run would go on.
                let _ = done.send((usize::MAX, Event::Broken(broken))).await;
            }
            if done.send((usize::MAX, event)).await.is_err() {
                break;
            }
        }
        // The lock goes with its connection, whatever happened before.
        self.release().await;
        self.resume_replication().await;
    }

    async fn work(&mut self, job: Command) -> Event {
        match job {
            Command::Lock { wait_ms } => match self.lock(wait_ms).await {
                Ok(true) => Event::Locked,
                Ok(false) => {
                    let now = self.clock.elapsed_ms();
                    self.memory.vain.again(now, self.pause_max);
                    self.release().await;
                    self.resume_replication().await;
                    Event::NotLocked
                }
                Err(fault) => {
                    self.release().await;
                    self.resume_replication().await;
                    self.not_locked(&fault)
                }
            },
            Command::RefreshLocked {
                keys,
                renewed,
                suspects,
            } => {
                self.timeline.marked = self.clock.elapsed_ms();
                self.timeline.keys = keys.len();
                match self.refresh_locked((&keys, &renewed), &suspects).await {
                    Ok(different) => {
                        self.timeline.refreshed = self.clock.elapsed_ms();
                        Event::LockedRefreshed(different)
                    }
                    Err(fault) => {
                        self.release().await;
                        self.resume_replication().await;
                        match fault.kind {
                            FaultKind::Lost | FaultKind::TimedOut | FaultKind::Conflict => {
                                self.reporter
                                    .warn(format!("cut-over attempt given up: {fault}"));
                                Event::LockLost
                            }
                            // The workers find all such rows, and name them.
                            _ if self.sql.reverts() && fault.is_misfit() => Event::LockLost,
                            FaultKind::Held | FaultKind::TooLarge | FaultKind::Definite => {
                                Event::Broken(fault.failure())
                            }
                        }
                    }
                }
            }
            Command::Rename if self.rehearsal.is_some() => self.leave_both().await,
            Command::Rename => self.rename().await,
            Command::Unlock => {
                self.release().await;
                self.resume_replication().await;
                Event::Unlocked
            }
            Command::ReadOwnership => Event::OwnershipRead(self.read_ownership().await),
            Command::WaitForBarrier
            | Command::FindChunkEnd { .. }
            | Command::Copy(_)
            | Command::Refresh(_)
            | Command::Compare(..)
            | Command::Check(..)
            | Command::WriteCheckpoint(_)
            | Command::BuildIndexes
            | Command::ComparePlans
            | Command::WriteMarker(_) => {
                let fault = Fault::unexpected("dispatch", "a job that isn't the locker's");
                Event::Broken(fault.failure())
            }
        }
    }

    /// Transient trouble leads to another attempt; definite trouble ends the run.
    fn not_locked(&self, fault: &Fault) -> Event {
        match fault.kind {
            FaultKind::TooLarge | FaultKind::Definite => Event::Broken(fault.failure()),
            FaultKind::Held | FaultKind::Conflict | FaultKind::Lost | FaultKind::TimedOut => {
                self.reporter
                    .warn(format!("cut-over attempt given up: {fault}"));
                Event::NotLocked
            }
        }
    }

    /// Asks for the lock; `false` when somebody is in the way.
    async fn lock(&mut self, wait_ms: u64) -> Result<bool, Fault> {
        self.still_alone().await?;
        if self.blocked_for_long(wait_ms).await? {
            return Ok(false);
        }
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.stop_replication().await?;
        }
        self.analyze_once().await?;
        self.carry_auto_increment_early().await?;
        let mut holder = Session::open(&self.address, self.setup.clone()).await?;
        let (granted, cancelled) = oneshot::channel();
        let watchdog = tokio::spawn(watch(self.address.clone(), holder.id(), wait_ms, cancelled));
        self.wait_for_readers().await?;
        self.timeline.asked = self.clock.elapsed_ms();
        let answer = holder.run(&self.sql.lock_tables()).await;
        self.timeline.locked = self.clock.elapsed_ms();
        // The watchdog has either been told in time or its kill has been answered: it can't hit
        // a later statement.
        let _ = granted.send(());
        let _ = watchdog.await;
        // Whatever came of it: the server may have granted the lock, or go on waiting for it before
        // everybody else, on a connection that only we believe to be gone.
        let holder = self.holder.insert(holder);
        match answer {
            Ok(_) => {
                holder.say("begin", "SET autocommit=0").await?;
                Ok(true)
            }
            Err(fault) if fault.kind == FaultKind::Conflict => {
                self.blocked_for_long(0).await?;
                self.reporter.warn(format!(
                    "the tables could not be locked within {wait_ms} ms; trying again with more time"
                ));
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Without the advisory lock a second run may have begun on the same tables.
    async fn still_alone(&mut self) -> Result<(), Fault> {
        let answer = self.looked(&used_lock(&self.plan.names)).await?;
        if answer.number(0, 0) == Some(u64::from(self.main_id)) {
            return Ok(());
        }
        Err(Fault::unexpected(
            "lock the tables",
            "the advisory lock that keeps other runs away was lost",
        ))
    }

    /// Runs a statement that only looks; a lost connection is made anew for the next attempt.
    pub(super) async fn looked(&mut self, statement: &Statement) -> Result<Answer, Fault> {
        let answer = self.control.run(statement).await;
        if let Err(fault) = &answer
            && matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut)
        {
            self.control.reopen().await?;
        }
        answer
    }

    /// A transaction that has only read the table and goes on to write to it while our LOCK is pending
    /// is rolled back by the server (1213, a deadlock of metadata locks). So the lock is asked for at
    /// a moment without such readers, if there is one soon; it can't be ruled out altogether.
    async fn wait_for_readers(&mut self) -> Result<(), Fault> {
        for _ in 0..limits::READER_LOOKS {
            let answer = self.control.run(&readers(&self.plan.names)).await?;
            if answer.number(0, 0) == Some(0) {
                break;
            }
            tokio::time::sleep(limits::BARRIER_PAUSE).await;
        }
        Ok(())
    }

    /// Before the first attempt; without fresh statistics the swap is no less right, so trouble here
    /// only makes for a warning.
    async fn analyze_once(&mut self) -> Result<(), Fault> {
        if std::mem::replace(&mut self.analyzed, true) {
            return Ok(());
        }
        match self.control.run(&self.sql.analyze_ghost()).await {
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => Err(fault),
            Err(fault) => {
                self.reporter.warn(fault.to_string());
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Brings the ghost's counter up before the lock, so that it seldom has to be done under it.
    async fn carry_auto_increment_early(&mut self) -> Result<(), Fault> {
        let original = self.control.run(&self.sql.show_original()).await?;
        let ghost = self.control.run(&self.sql.show_ghost()).await?;
        if let Some(next) = self.wanted_counter(&original.text(0, 1), &ghost.text(0, 1)) {
            let statement = self.marked(self.sql.set_auto_increment(next));
            self.control.run(&statement).await?;
        }
        Ok(())
    }

    /// The counter to set on the ghost, if it is behind.
    fn wanted_counter(&self, original: &Option<String>, ghost: &Option<String>) -> Option<u64> {
        if self.plan.auto_increment_given
            || !self
                .plan
                .ghost
                .columns
                .iter()
                .any(|column| column.auto_increment())
        {
            return None;
        }
        let original = counter(original.as_deref()?)?;
        let ghost = counter(ghost.as_deref()?).unwrap_or(1);
        (original > ghost).then_some(original)
    }

    /// Our own DDL is told from others' by this run's mark.
    fn marked(&self, statement: Statement) -> Statement {
        Statement {
            text: format!("{} /* {} */", statement.text, self.address.token),
            ..statement
        }
    }

    /// Everything dirty, then the suspects that never stood still. Nobody else can read or write
    /// either table now, so deleting and inserting needs no locks and no order.
    async fn refresh_locked(
        &mut self,
        (keys, renewed): (&[Key], &[Key]),
        suspects: &[Key],
    ) -> Result<Vec<Key>, Fault> {
        let sql = Arc::clone(&self.sql);
        let mut different = Vec::new();
        self.refresh_keys_locked(keys, renewed).await?;
        let holder = self.holder()?;
        for batch in suspects.chunks(limits::RECHECK_KEYS) {
            let differing = holder
                .run(&sql.differing_keys(batch).map_err(bad_key)?)
                .await?;
            different.extend(pick(batch, &differing));
            let extra = holder.run(&sql.extra_keys(batch).map_err(bad_key)?).await?;
            different.extend(pick(batch, &extra));
        }
        if let Some(statement) = sql.zeros_in_the_ghost(&self.plan)
            && !self.holder()?.run(&statement).await?.rows.is_empty()
        {
            return Err(Fault::unexpected(
                "cut over",
                "a row has 0 in the column that gets AUTO_INCREMENT, which a plain ALTER would replace",
            ));
        }
        let holder = self.holder()?;
        let original = holder.run(&sql.show_original()).await?;
        let definition = original.text(0, 1).unwrap_or_default();
        if without_counter(&definition) != without_counter(&self.plan.original.definition) {
            return Err(Fault::unexpected(
                "cut over",
                "somebody altered the table without logging it",
            ));
        }
        let holder = self.holder()?;
        let ghost = holder.run(&sql.show_ghost()).await?;
        if let Some(next) = self.wanted_counter(&original.text(0, 1), &ghost.text(0, 1)) {
            let statement = self.marked(sql.set_auto_increment(next));
            self.holder()?.run(&statement).await?;
        }
        if self.plan.guards_snapshots && different.is_empty() {
            self.guard_snapshots().await?;
        }
        let ghost = self.holder()?.run(&sql.show_ghost()).await?;
        let definition = ghost.text(0, 1).unwrap_or_default();
        if without_counter(&definition) != without_counter(&self.plan.ghost.definition) {
            return Err(Fault::unexpected(
                "cut over",
                "the ghost table no longer has the shape that the ALTER gave it",
            ));
        }
        Ok(different)
    }

    /// Refreshes in one transaction, or in as many as the server's limits ask for: what is committed
    /// early is right, because nobody else can write to either table.
    async fn refresh_keys_locked(&mut self, keys: &[Key], renewed: &[Key]) -> Result<(), Fault> {
        let mut size = LOCKED_BATCH.min(keys.len().max(1));
        let mut commits_each = false;
        loop {
            match self
                .refresh_in_batches((keys, renewed), (size, commits_each))
                .await
            {
                // What is kept for a row must not outlive the transaction that deleted it.
                Err(fault)
                    if fault.kind == FaultKind::TooLarge
                        && (size > 1 || !commits_each)
                        && self.plan.columns.kept.is_empty() =>
                {
                    self.holder()?.say("roll back", "ROLLBACK").await?;
                    size = (size / 2).max(1);
                    commits_each = true;
                }
                ended => return ended,
            }
        }
    }

    async fn refresh_in_batches(
        &mut self,
        (keys, renewed): (&[Key], &[Key]),
        (size, commits_each): (usize, bool),
    ) -> Result<(), Fault> {
        let sql = Arc::clone(&self.sql);
        let holder = self.holder()?;
        // All stale rows go before the first row comes: a unique value may have moved from a row
        // of a later batch to one of an earlier.
        let mut aside = sql.make_room();
        let renewed: BTreeSet<&Key> = renewed.iter().collect();
        let of_before = keys.iter().filter(|key| !renewed.contains(key));
        let of_before: Vec<Key> = of_before.cloned().collect();
        for batch in of_before.chunks(size) {
            aside.extend(sql.put_aside(batch).map_err(bad_key)?);
        }
        for statement in aside {
            holder.run(&statement).await?;
        }
        for batch in keys.chunks(size) {
            holder.run(&sql.delete(batch).map_err(bad_key)?).await?;
            if sql.introduces_keys() {
                holder
                    .run(&sql.delete_present(batch).map_err(bad_key)?)
                    .await?;
            }
            if commits_each {
                holder.say("commit", "COMMIT").await?;
            }
        }
        for batch in keys.chunks(size) {
            let rows = holder
                .run(&sql.one_key_per_row(batch).map_err(bad_key)?)
                .await?;
            let present = pick(batch, &rows);
            if present.is_empty() {
                continue;
            }
            let mut rows = 0;
            for statement in sql.replace_locked(&present).map_err(bad_key)? {
                if rows == present.len() as u64 {
                    break;
                }
                let answer = holder.run(&statement).await;
                let answer = answer
                    .map_err(|fault| fault.among(|| shown::list(sql.original(), &present)))?;
                rows += answer.records.unwrap_or_default();
            }
            if commits_each {
                holder.say("commit", "COMMIT").await?;
            }
        }
        holder.say("commit", "COMMIT").await?;
        Ok(())
    }

    /// Not every table can be changed instantly (full-text indexes, compression); then old snapshots
    /// read what they read. Once the column is there it has to go again, come what may.
    async fn guard_snapshots(&mut self) -> Result<(), Fault> {
        let [add, drop] = self
            .sql
            .guard_snapshots(&self.address.token)
            .map(|half| self.marked(half));
        let holder = self.holder()?;
        match holder.run(&add).await {
            Ok(_) => {}
            // Left by an attempt whose connection was lost half-way.
            Err(fault) if fault.code == Some(1060) => {}
            Err(fault) if fault.kind == FaultKind::Definite => {
                self.reporter.warn(format!(
                    "transactions older than the swap may read the new table as it was at their \
                     start: {fault}"
                ));
                return Ok(());
            }
            Err(fault) => return Err(fault),
        }
        holder
            .run(&drop)
            .await
            .map(|_| ())
            .map_err(|fault| match fault.kind {
                FaultKind::Lost | FaultKind::TimedOut => fault,
                FaultKind::Held
                | FaultKind::Conflict
                | FaultKind::TooLarge
                | FaultKind::Definite => Fault {
                    kind: FaultKind::Definite,
                    ..fault
                },
            })
    }

    fn holder(&mut self) -> Result<&mut Session, Fault> {
        self.holder
            .as_mut()
            .ok_or_else(|| Fault::lost("use the locking connection"))
    }

    /// The end of a rehearsal: everything is refreshed, nothing changes any more, and both tables stay.
    async fn leave_both(&mut self) -> Event {
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.complete();
        }
        self.release().await;
        Event::Renamed
    }

    /// After an attempt in vain the replica goes on until the next one.
    async fn resume_replication(&mut self) {
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.start_replication().await;
        }
    }

    /// Sends the rename; its answer, or the lack of one, decides.
    async fn rename(&mut self) -> Event {
        let statement = self.marked(self.sql.rename());
        if let Err(fault) = self.make_triggers().await {
            return self.not_renamed(&fault);
        }
        let Ok(holder) = self.holder() else {
            return Event::RenameLost;
        };
        let answer = holder.run(&statement).await;
        // Unless the server says that there was no rename, they may be the new table's by now.
        let unknown = |fault: &Fault| matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut);
        self.triggers_made &= answer.as_ref().is_err_and(|fault| !unknown(fault));
        match answer {
            Ok(_) => {
                // The writers wait for this one.
                let unlock = self.sql.unlock();
                if let Ok(holder) = self.holder()
                    && holder.run(&unlock).await.is_err()
                {
                    self.release().await;
                }
                self.holder = None;
                let (line, now) = (self.timeline, self.clock.elapsed_ms());
                self.reporter.info(format!(
                    "swapped locked_ms={} (marker {}, refresh of {} keys {}, rename {}) \
                     lock_wait_ms={}",
                    now - line.locked,
                    line.marked - line.locked,
                    line.keys,
                    line.refreshed - line.marked,
                    now - line.refreshed,
                    line.locked - line.asked,
                ));
                Event::Renamed
            }
            Err(fault) if unknown(&fault) => {
                self.reporter
                    .warn(format!("{fault}; looking what became of it"));
                Event::RenameLost
            }
            Err(fault) => self.not_renamed(&fault),
        }
    }

    /// Nothing was renamed for certain. Somebody may hold what is needed, or the connection was lost
    /// before; anything else would be the same next time.
    fn not_renamed(&self, fault: &Fault) -> Event {
        match fault.kind {
            FaultKind::Conflict | FaultKind::Lost | FaultKind::TimedOut => {
                self.reporter
                    .warn(format!("cut-over attempt given up: {fault}"));
                Event::NotRenamed(None)
            }
            FaultKind::Held | FaultKind::TooLarge | FaultKind::Definite => {
                Event::NotRenamed(Some(fault.failure()))
            }
        }
    }

    /// The last thing before the rename: nothing is left to refresh, so they fire for nobody but the
    /// application after the swap.
    async fn make_triggers(&mut self) -> Result<(), Fault> {
        if self.plan.triggers.is_empty() {
            return Ok(());
        }
        self.triggers_made = true;
        let (plan, mark) = (Arc::clone(&self.plan), self.address.token.clone());
        triggers::make(self.holder()?, &plan, &mark).await
    }

    /// There was no rename: the ghost's triggers go before anybody writes a row to it.
    async fn drop_triggers(&mut self) {
        if !std::mem::take(&mut self.triggers_made) {
            return;
        }
        let mark = self.address.token.clone();
        let dropped = triggers::drop_surely(&mut self.control, &self.plan, &mark).await;
        self.broken = dropped.err().map(|fault| {
            Failure::new(
                format!("the ghost table's triggers could not be dropped: {fault}"),
                "run the command again; the ghost table is dropped with them",
            )
        });
    }

    /// Ends the locking connection and waits until the server has ended it too.
    async fn release(&mut self) {
        let Some(mut holder) = self.holder.take() else {
            return self.drop_triggers().await;
        };
        if self.triggers_made {
            // Under the lock, if it is still there; otherwise below.
            let (plan, mark) = (Arc::clone(&self.plan), self.address.token.clone());
            let dropped = triggers::drop_all(&mut holder, &plan, &mark).await;
            self.triggers_made = dropped.is_err();
        }
        // UNLOCK TABLES commits, and what is kept for a row must not outlive the row that is deleted. With
        // the connection the transaction is rolled back as well.
        let keeps = !self.plan.columns.kept.is_empty();
        let undone = !keeps || holder.say("roll back", "ROLLBACK").await.is_ok();
        if undone && holder.run(&self.sql.unlock()).await.is_ok() {
            return self.drop_triggers().await;
        }
        let id = holder.id();
        drop(holder);
        let fenced = fence(&self.address, id).await;
        self.drop_triggers().await;
        if let Err(fault) = fenced {
            self.reporter.warn(format!(
                "the locking connection {id} could not be ended ({fault}); the server ends it \
                 within {} s",
                limits::LOCKER_IDLE_SECONDS
            ));
        }
    }

    /// What the catalogue says once the renaming connection is gone for certain.
    async fn read_ownership(&mut self) -> Ownership {
        let id = self.holder.take().map(|holder| holder.id());
        for attempt in 0..limits::RECONNECTS {
            if attempt > 0 {
                tokio::time::sleep(limits::RECONNECT_PAUSE).await;
            }
            if self.control.reopen().await.is_err() {
                continue;
            }
            if let Some(id) = id
                && fence(&self.address, id).await.is_err()
            {
                continue;
            }
            if let Ok(answer) = self.control.run(&ownership(&self.plan.names)).await {
                let found: Vec<String> = (0..answer.rows.len())
                    .filter_map(|row| answer.text(row, 0))
                    .collect();
                let owner = owner(&found, &self.plan);
                if owner == Ownership::Unchanged {
                    self.triggers_made = !self.plan.triggers.is_empty();
                    self.drop_triggers().await;
                }
                return owner;
            }
        }
        Ownership::Unknown
    }
}

fn owner(found: &[String], plan: &Plan) -> Ownership {
    let has = |name: &str| {
        found
            .iter()
            .any(|found| crate::plan::inspection::same_name(found, name))
    };
    let names = &plan.names;
    match (has(&names.original), has(&names.ghost), has(&names.old)) {
        (true, false, true) => Ownership::Swapped,
        (true, true, false) => Ownership::Unchanged,
        _ => Ownership::Unknown,
    }
}

/// Ends the wait for the lock after its time; `KILL QUERY` leaves the connection usable and does
/// nothing when the lock has been granted meanwhile (measured on 9.7.4).
async fn watch(address: Address, id: u32, wait_ms: u64, cancelled: oneshot::Receiver<()>) {
    let setup = Setup {
        role: "watchdog",
        sql_mode: String::new(),
        zone: Zone::Server,
        lock_wait_seconds: 1,
        idle_seconds: limits::LOCKER_IDLE_SECONDS,
        pinned: String::new(),
        server_zone: String::new(),
    };
    let Ok(mut session) = Session::open(&address, setup).await else {
        return;
    };
    tokio::select! {
        _ = cancelled => return,
        () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
    }
    // A failure leaves the server's own lock_wait_timeout as the limit.
    let _ = session
        .say("limit the wait", &format!("KILL QUERY {id}"))
        .await;
}
