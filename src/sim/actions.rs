//! Everything that can happen next.

use super::server::{Fate, Ran, WORKERS};
use super::world::{Broken, Item, LockerJob, OPS_MAX, Op, PlansOf, SLOTS, Sim, Stage, Tx};
use super::{Fault, Lie, Setup};
use crate::core::copy::CopyStep;
use crate::core::event::{Event, Failure};
use crate::core::refresh::RefreshStep;

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The application begins a transaction and writes.
    Begin(Op),
    /// The same, with several operations.
    BeginSeveral([Option<Op>; OPS_MAX]),
    /// A transaction's commit is logged.
    Log(u8),
    /// An XA transaction is prepared, which logs it.
    Prepare(u8),
    /// A logged or decided transaction becomes visible and lets its locks go.
    Visible(u8),
    /// A transaction that isn't logged, or an XA one that is prepared, is rolled back.
    RollBack(u8),
    /// The start barrier is passed.
    Barrier,
    Lookup,
    /// The stream delivers its next item.
    Deliver,
    CopyStep(u8),
    ReportCopied(u8),
    RefreshStep(u8),
    ReportRefreshed(u8),
    Compare(u8),
    ReportCompared(u8),
    Check,
    ReportChecked,
    WriteMarker,
    Locker(Fate),
    LockerAnswer,
    Tick,
    /// A tick after so long a time that every pause and the lock's time are over.
    Leap,
    Stop,
    Break,
    /// Throttled or postponed, or not any more.
    Throttle,
    Postpone,
    /// A worker is the victim of a deadlock among our own.
    Victim(u8),
    /// A worker's connection is lost and made anew, its statement done or not.
    RefreshLost(u8, bool),
    CopyLost(u8),
    /// The locking connection is lost, and the lock with it.
    LockLost,
    /// What goes on in the server for a client that is gone.
    DeadDelete,
    DeadRename,
    /// Work that was asked for, or its answer, is never heard of again.
    Vanish(u8),
    /// A checkpoint is stored, or comes to nothing.
    Store(bool),
    /// The tool dies and is started again.
    Crash,
    /// A finished migration is reverted.
    Revert,
    /// The ghost's indexes are built, or the server's log for that is full.
    BuildIndexes(bool),
    /// The plans are compared; or found worse, which postpones the cut-over.
    ComparePlans(bool),
}

/// Kinds of work that can vanish.
pub(super) const VANISHING: usize = 9;

/// What a leap of time adds: more than every pause and the lock's time.
const LEAP_MS: u64 = 60_000;

impl<const N: usize> Sim<N> {
    /// Everything that may be possible now; [`Sim::apply`] says what is.
    pub(super) fn actions(&self, setup: &Setup<N>) -> Vec<Action> {
        let world = &self.world;
        let mut actions = Vec::with_capacity(24);
        self.server_actions(&mut actions);
        let open = !world.locked && (!world.swapped || self.revertable());
        if world.transactions_left > 0 && open {
            actions.extend(setup.ops.iter().map(|op| Action::Begin(*op)));
            let several = setup.pairs.iter();
            actions.extend(
                several.map(|[one, other]| Action::BeginSeveral([Some(*one), Some(*other), None])),
            );
        }
        for (number, tx) in (0..).zip(&world.transactions) {
            if tx.stage == Stage::Open {
                actions.push(Action::Log(number));
                if setup.xa {
                    actions.push(Action::Prepare(number));
                }
            } else {
                actions.push(Action::Visible(number));
            }
            if tx.stage != Stage::Logged {
                actions.push(Action::RollBack(number));
            }
        }
        if world.stops_left > 0 {
            actions.extend([Action::Stop, Action::Break]);
        }
        if world.pauses_left > 0 || world.paused {
            actions.extend([Action::Throttle, Action::Postpone]);
        }
        actions.extend([Action::Tick, Action::Leap]);
        if world.crashes_left > 0 {
            actions.push(Action::Crash);
        }
        if self.revertable() {
            actions.push(Action::Revert);
        }
        if world.faults_left > 0 {
            self.fault_actions(setup, &mut actions);
        }
        actions
    }

    /// What the server and our own connections can do without anything going wrong.
    fn server_actions(&self, actions: &mut Vec<Action>) {
        let world = &self.world;
        let mut when = |possible: bool, action: Action| {
            if possible {
                actions.push(action);
            }
        };
        when(world.barrier_asked, Action::Barrier);
        when(!world.lookups.is_empty(), Action::Lookup);
        when(
            // What comes behind the rename is for a revert.
            !world.stream.is_empty()
                && self.core.wants_changes()
                && !(world.swapped && world.reverts_left > 0),
            Action::Deliver,
        );
        for slot in 0..SLOTS {
            let number = if slot == 0 { 0 } else { 1 };
            when(world.copy[slot].is_some(), Action::CopyStep(number));
            when(world.copy[slot].is_some(), Action::ReportCopied(number));
            when(world.refresh[slot].is_some(), Action::RefreshStep(number));
            when(
                world.refresh[slot].is_some(),
                Action::ReportRefreshed(number),
            );
            let compare = world.compare[slot]
                .as_ref()
                .map(|look| look.found.is_some());
            when(compare == Some(false), Action::Compare(number));
            when(compare == Some(true), Action::ReportCompared(number));
        }
        if world.ghost_lock.iter().flatten().count() > 1 {
            WORKERS
                .into_iter()
                .for_each(|who| when(true, Action::Victim(who)));
        }
        let check = world.check.as_ref().map(|look| look.found.is_some());
        when(check == Some(false), Action::Check);
        when(check == Some(true), Action::ReportChecked);
        when(!world.to_write.is_empty(), Action::WriteMarker);
        when(world.indexing, Action::BuildIndexes(true));
        when(world.plans.asked, Action::ComparePlans(true));
        let worse = world.plans.asked && !world.paused && world.pauses_left > 0;
        when(worse, Action::ComparePlans(false));
        when(world.to_store.is_some(), Action::Store(true));
        when(world.to_store.is_some(), Action::Store(false));
        when(!world.locker.is_empty(), Action::Locker(Fate::Well));
        when(!world.answers.is_empty(), Action::LockerAnswer);
        when(!world.delete_lingers.is_empty(), Action::DeadDelete);
        when(world.rename_lingers, Action::DeadRename);
        // A lock that isn't wanted any more is called off.
        let off = world.locker.len() > 1 && world.locker[0] == LockerJob::Lock;
        when(off, Action::Locker(Fate::Refused));
    }

    fn fault_actions(&self, setup: &Setup<N>, actions: &mut Vec<Action>) {
        for fault in setup.fault_kinds {
            match fault {
                Fault::Locker => {
                    let fates = [Fate::Refused, Fate::LostDone, Fate::LostUndone];
                    actions.extend(fates.map(Action::Locker));
                }
                Fault::LockLost if self.world.locked => actions.push(Action::LockLost),
                Fault::Workers => {
                    for slot in [0, 1] {
                        let lost = [true, false].map(|done| Action::RefreshLost(slot, done));
                        actions.extend(lost);
                        actions.push(Action::CopyLost(slot));
                    }
                }
                Fault::IndexLog if self.world.indexing => {
                    actions.push(Action::BuildIndexes(false));
                }
                Fault::LockLost | Fault::LockTime | Fault::IndexLog => {}
            }
        }
    }

    /// Makes it happen; `false` when it isn't possible now.
    ///
    /// # Errors
    /// When a property is broken.
    pub(super) fn apply(&mut self, setup: &Setup<N>, action: Action) -> Result<bool, Broken> {
        match action {
            Action::Begin(op) => Ok(self.begin(setup, &[op])),
            Action::BeginSeveral(ops) => {
                let ops: Vec<Op> = ops.into_iter().flatten().collect();
                Ok(self.begin(setup, &ops))
            }
            Action::Log(tx) => Ok(self.log(tx, Stage::Logged)),
            Action::Prepare(tx) => Ok(self.log(tx, Stage::Prepared)),
            Action::Visible(tx) => Ok(self.end(tx, true)),
            Action::RollBack(tx) => Ok(self.end(tx, false)),
            Action::Barrier => self.barrier(setup),
            Action::Lookup => self.lookup(setup),
            Action::Deliver => self.deliver(setup),
            Action::CopyStep(_)
            | Action::ReportCopied(_)
            | Action::RefreshStep(_)
            | Action::ReportRefreshed(_) => self.worker(setup, action),
            Action::Compare(slot) => Ok(self.world.look_at_chunk(setup, usize::from(slot))),
            Action::ReportCompared(slot) => self.report_compared(setup, usize::from(slot)),
            Action::Check => Ok(self.world.look_at_suspects(setup)),
            Action::ReportChecked => self.report_checked(setup),
            Action::WriteMarker => Ok(self.write_marker()),
            Action::Locker(fate) => self.locker(setup, fate),
            Action::LockerAnswer => self.locker_answer(setup),
            Action::Tick => self.tick(setup),
            Action::Leap => self.leap(setup),
            Action::Stop | Action::Break | Action::Throttle | Action::Postpone => {
                self.operator(setup, action)
            }
            Action::Victim(_)
            | Action::RefreshLost(..)
            | Action::CopyLost(_)
            | Action::LockLost
            | Action::DeadDelete
            | Action::DeadRename => Ok(self.mishap(setup, action)),
            Action::Vanish(what) => Ok(self.world.vanish(what)),
            Action::Store(done) => self.store(setup, done),
            Action::Crash => self.crash(setup),
            Action::Revert => self.revert(setup),
            Action::BuildIndexes(done) => self.indexes(setup, done),
            Action::ComparePlans(well) => self.plans(setup, well),
        }
    }

    fn worker(&mut self, setup: &Setup<N>, action: Action) -> Result<bool, Broken> {
        match action {
            Action::CopyStep(slot) => match self.world.copy_step(setup, usize::from(slot), true) {
                Ran::Blocked => Ok(false),
                Ran::Done if !setup.reports_late => self.report_copied(setup, usize::from(slot)),
                Ran::More | Ran::Done => Ok(true),
            },
            Action::ReportCopied(slot) => {
                let work = self.world.copy[usize::from(slot)].as_ref();
                if work.is_some_and(|work| work.job.next() == CopyStep::Done) {
                    self.report_copied(setup, usize::from(slot))
                } else {
                    Ok(false)
                }
            }
            Action::RefreshStep(slot) => {
                match self.world.refresh_step(setup, usize::from(slot), true) {
                    Ran::Blocked => Ok(false),
                    Ran::Done if !setup.reports_late => {
                        self.report_refreshed(setup, usize::from(slot))
                    }
                    Ran::More | Ran::Done => Ok(true),
                }
            }
            Action::ReportRefreshed(slot) => {
                let work = self.world.refresh[usize::from(slot)].as_ref();
                if work.is_some_and(|work| *work.job.next() == RefreshStep::Done) {
                    self.report_refreshed(setup, usize::from(slot))
                } else {
                    Ok(false)
                }
            }
            _ => Ok(false),
        }
    }

    /// Where time passes, it passes between ticks, and each tick's heartbeat goes into the stream.
    fn tick(&mut self, setup: &Setup<N>) -> Result<bool, Broken> {
        let world = &mut self.world;
        world.now_ms += setup.tick_ms;
        if setup.tick_ms > 0 && !matches!(world.stream.back(), Some(Item::Heartbeat(_))) {
            world.stream.push_back(Item::Heartbeat(world.now_ms));
        }
        self.tell(setup, Event::Tick(self.world.now_ms))
            .map(|()| true)
    }

    fn begin(&mut self, setup: &Setup<N>, ops: &[Op]) -> bool {
        let Some(tx) = self.world.begin(setup, ops) else {
            return false;
        };
        self.world.transactions.push(tx);
        self.world.transactions.sort_unstable();
        self.world.transactions_left -= 1;
        true
    }

    fn log(&mut self, tx: u8, stage: Stage) -> bool {
        let world = &mut self.world;
        let tx = &mut world.transactions[usize::from(tx)];
        tx.stage = stage;
        let pieces = tx.keys.into_iter().filter(|keys| *keys != 0);
        world.stream.extend(pieces.map(Item::Keys));
        world.transactions.sort_unstable();
        true
    }

    fn end(&mut self, tx: u8, commit: bool) -> bool {
        let tx = self.world.transactions.remove(usize::from(tx));
        for (place, new) in tx.writes.into_iter().enumerate() {
            if let Some(row) = new.filter(|_| commit) {
                self.world.original[place] = row;
            }
        }
        true
    }

    fn barrier(&mut self, setup: &Setup<N>) -> Result<bool, Broken> {
        let asked = std::mem::take(&mut self.world.barrier_asked);
        let overlooked =
            |tx: &Tx<N>| tx.stage == Stage::Prepared && setup.lie == Some(Lie::BarrierIgnoresXa);
        let mut others = self.world.transactions.iter().filter(|tx| !overlooked(tx));
        if !asked || others.any(|tx| tx.before) {
            return Ok(false);
        }
        self.tell(setup, Event::BarrierPassed).map(|()| true)
    }

    fn lookup(&mut self, setup: &Setup<N>) -> Result<bool, Broken> {
        let Some((scan, side, after, rows)) = self.world.lookups.pop_front() else {
            return Ok(false);
        };
        let end = self.world.chunk_end(setup, side, after.as_ref(), rows);
        self.tell(setup, Event::ChunkEndFound(scan, end))
            .map(|()| true)
    }

    fn deliver(&mut self, setup: &Setup<N>) -> Result<bool, Broken> {
        let Some(item) = self.world.stream.pop_front() else {
            return Ok(false);
        };
        let event = match item {
            Item::Marker(marker) => Event::MarkerSeen(marker),
            Item::Checkpoint(number) => Event::CheckpointSeen(number),
            Item::Heartbeat(written_ms) => Event::HeartbeatSeen(self.world.now_ms - written_ms),
            Item::Keys(bits) => Event::Changed(
                (0..super::world::KEYS_MAX)
                    .filter(|number| bits & (1 << number) != 0)
                    .map(super::world::key)
                    .collect(),
            ),
        };
        self.tell(setup, event)?;
        self.delivered(setup, item).map(|()| true)
    }

    fn plans(&mut self, setup: &Setup<N>, well: bool) -> Result<bool, Broken> {
        let world = &mut self.world;
        if !world.plans.asked || !well && (world.paused || world.pauses_left == 0) {
            return Ok(false);
        }
        world.plans = PlansOf {
            unknown: false,
            asked: false,
        };
        if !well {
            self.operator(setup, Action::Postpone)?;
        }
        let why = (!well).then(String::new);
        self.tell(setup, Event::PlansCompared(why)).map(|()| true)
    }

    fn indexes(&mut self, setup: &Setup<N>, done: bool) -> Result<bool, Broken> {
        let world = &mut self.world;
        if !std::mem::take(&mut world.indexing) {
            return Ok(false);
        }
        if !done {
            world.faults_left -= 1;
            return self.tell(setup, Event::IndexLogFull).map(|()| true);
        }
        world.indexed = true;
        self.tell(setup, Event::IndexesBuilt).map(|()| true)
    }

    fn write_marker(&mut self) -> bool {
        let Some(marker) = self.world.to_write.pop_front() else {
            return false;
        };
        self.world.stream.push_back(Item::Marker(marker));
        true
    }

    fn locker(&mut self, setup: &Setup<N>, fate: Fate) -> Result<bool, Broken> {
        let called_off = self.world.locker.len() > 1 && self.world.locker[0] == LockerJob::Lock;
        if fate != Fate::Well && !called_off {
            if self.world.faults_left == 0 {
                return Ok(false);
            }
            self.world.faults_left -= 1;
        }
        self.locker_step(setup, fate)
    }

    /// A leap of time is of use after a failed attempt, or as the lock's time running out.
    fn leap(&mut self, setup: &Setup<N>) -> Result<bool, Broken> {
        let world = &mut self.world;
        if !std::mem::take(&mut world.pause) {
            if !world.locked
                || world.faults_left == 0
                || !setup.fault_kinds.contains(&Fault::LockTime)
            {
                return Ok(false);
            }
            world.faults_left -= 1;
        }
        world.now_ms += LEAP_MS;
        let now_ms = world.now_ms;
        self.tell(setup, Event::Tick(now_ms))?;
        // Heartbeats go on all the time; without them the gate stays closed.
        self.tell(setup, Event::HeartbeatSeen(0)).map(|()| true)
    }

    fn operator(&mut self, setup: &Setup<N>, action: Action) -> Result<bool, Broken> {
        let event = match action {
            Action::Stop => Event::Stop,
            Action::Break => Event::Broken(Failure::new("broken", "")),
            Action::Throttle | Action::Postpone => {
                self.world.paused ^= true;
                if self.world.paused {
                    self.world.pauses_left -= 1;
                }
                self.world.throttled = self.world.paused && action == Action::Throttle;
                self.world.postponed = self.world.paused && action == Action::Postpone;
                match (action, self.world.paused) {
                    (_, false) => {
                        self.tell(setup, Event::Postponed(false))?;
                        Event::Throttled(None)
                    }
                    (Action::Throttle, true) => Event::Throttled(Some("busy".into())),
                    (_, true) => Event::Postponed(true),
                }
            }
            _ => return Ok(false),
        };
        if matches!(action, Action::Stop | Action::Break) {
            self.world.stops_left -= 1;
        }
        self.tell(setup, event).map(|()| true)
    }

    fn mishap(&mut self, setup: &Setup<N>, action: Action) -> bool {
        let world = &mut self.world;
        match action {
            Action::Victim(who) => {
                let deadlocked = world.deadlocked(setup, who);
                if deadlocked {
                    match who {
                        1 | 2 => world.roll_back(setup, usize::from(who - 1)),
                        _ => world.roll_back_copy(usize::from(who / 3)),
                    }
                }
                return deadlocked;
            }
            Action::DeadDelete => return world.dead_delete(setup),
            Action::DeadRename => {
                world.swapped |= world.rename_lingers;
                return std::mem::take(&mut world.rename_lingers);
            }
            Action::RefreshLost(slot, done) => {
                let slot = usize::from(slot);
                let work = world.refresh[slot].as_ref();
                let under_way = work.is_some_and(|work| *work.job.next() != RefreshStep::Done);
                if !under_way || (done && world.refresh_step(setup, slot, false) == Ran::Blocked) {
                    return false;
                }
                world.roll_back(setup, slot);
            }
            Action::CopyLost(slot) => {
                if world.copy_step(setup, usize::from(slot), false) == Ran::Blocked {
                    return false;
                }
            }
            Action::LockLost => {
                world.locked = false;
            }
            _ => return false,
        }
        world.faults_left -= 1;
        true
    }
}
