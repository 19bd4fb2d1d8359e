//! The world around the core: a fake server with two rows, the application, and our connections.
//!
//! What the world does, and where it is from:
//! - A transaction of the application takes its row locks when it writes, is LOGGED (its event is
//!   in the stream) and only later VISIBLE, when its locks go (`docs/design/protocol.md`; the gap
//!   is real and semi-sync stretches it). XA is logged at PREPARE and decided later. A transaction
//!   that isn't logged yet may roll back.
//! - `NOWAIT` fails on a row that a transaction holds, `SKIP LOCKED` passes it over, READ COMMITTED
//!   locks no gaps: an absent row is locked by nobody but the transaction that inserts it (probed
//!   on 9.7: 3572 on uncommitted and prepared inserts and deletes, empty without error otherwise).
//! - A row that we hold FOR SHARE can't be written by the application until we let go.
//! - `LOCK TABLES` is granted when no transaction (a prepared XA counts) and none of our workers
//!   has used the tables; after it nobody else reads or writes them.
//! - The tool never writes to the original: there is no action that could, so a crash at any
//!   moment before the rename leaves it as it was.
//! - When the tool dies, its transactions are rolled back and its locks go; what it has stored stays, and
//!   the next run reads the log again from the checkpoint's position ([`super::restarts`]).

use std::collections::VecDeque;

use super::Setup;
use crate::core::Core;
use crate::core::checkpoint::Checkpoint;
use crate::core::chunk::Chunk;
use crate::core::copy::CopyJob;
use crate::core::event::{Command, Event, Marker, Outcome, Scan, Side};
use crate::core::refresh::RefreshJob;
use crate::core::verify::Pass;
use crate::plan::key::Key;

/// Most keys that a world can have: sets of them are bits of a byte.
pub(super) const KEYS_MAX: u8 = 7;
/// Most operations of one transaction.
pub(super) const OPS_MAX: usize = 3;
/// Copy workers and refresh workers there can be.
pub(super) const SLOTS: usize = 2;

/// A key by its number; the bytes sort like the numbers.
pub(super) fn key(number: u8) -> Key {
    Key::from_bytes(&[number])
}

/// The number of a key.
pub(super) fn number(of: &Key) -> u8 {
    (0..KEYS_MAX)
        .find(|number| key(*number) == *of)
        .expect("a key of this world")
}

/// How keys relate to rows; where two keys are spellings of one row, they are an even one and the
/// next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Each key is a row of its own.
    Plain,
    /// Two keys are spellings of one row.
    Collated,
    /// Two keys are spellings of one row of the original, but two rows of the ghost.
    FinerGhost,
    /// Two rows of the original, but spellings of one row of the ghost.
    CoarserGhost,
}

/// Where values are unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unique {
    /// Nowhere.
    No,
    /// In both tables.
    Both,
    /// In the ghost only: the ALTER adds the unique key.
    Added,
}

/// A row: the spelling of its key, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Row {
    pub(super) key: u8,
    pub(super) value: u8,
}

/// The places where rows can be; the explorer's worlds have two, or three.
pub(super) type Rows<const N: usize = 2> = [Option<Row>; N];

/// What a transaction writes to each place: nothing, or what will be there.
type Writes<const N: usize> = [Option<Option<Row>>; N];

/// How far a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// It has written and holds its locks.
    Open,
    /// It is in the binlog, not visible, and holds its locks.
    Logged,
    /// XA, in the binlog, and undecided.
    Prepared,
}

/// A transaction of the application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tx<const N: usize = 2> {
    pub(super) stage: Stage,
    /// Logged before the position: no event, and the start barrier has to wait for it.
    pub(super) before: bool,
    /// What each place will hold.
    pub(super) writes: Writes<N>,
    /// Values that nobody else may take meanwhile.
    pub(super) values: u8,
    /// Keys of each operation's events, as bits; they come through the stream one by one.
    pub(super) keys: [u8; OPS_MAX],
}

/// What a transaction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Insert(u8, u8),
    Update(u8),
    Delete(u8),
    /// The row of this place gets another key.
    Move(u8, u8),
    /// The rows of two places exchange their values.
    Swap(u8, u8),
}

/// What the stream carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Keys(u8),
    Marker(Marker),
    /// When it was written.
    Heartbeat(u64),
    /// The row of the checkpoint with this number.
    Checkpoint(u64),
}

/// A copy worker's job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct CopyWork<const N: usize> {
    pub(super) job: CopyJob,
    /// The place that a statement under way reads next; 0 before it begins.
    pub(super) at: u8,
    pub(super) read: u64,
    pub(super) placed: u64,
    /// What a read without locks saw before the statement writes (only if the setup lies so).
    pub(super) read_before: Option<Rows<N>>,
}

impl<const N: usize> CopyWork<N> {
    fn new(job: CopyJob) -> Self {
        Self {
            job,
            at: 0,
            read: 0,
            placed: 0,
            read_before: None,
        }
    }
}

/// A refresh worker's job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RefreshWork {
    pub(super) job: RefreshJob,
    pub(super) in_transaction: bool,
}

/// A comparison or check, and its answer once it was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Look<T> {
    pub(super) what: T,
    pub(super) found: Option<Vec<Key>>,
}

/// What the locking connection has to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum LockerJob {
    Lock,
    Refresh(Vec<Key>, Vec<Key>),
    Rename,
    Unlock,
    ReadOwnership,
}

/// The server, the application and our connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World<const N: usize = 2> {
    /// What a plain read of the original sees.
    pub(super) original: Rows<N>,
    /// The ghost with what our workers have not committed.
    pub(super) ghost: Rows<N>,
    /// What others see of the ghost.
    pub(super) ghost_seen: Rows<N>,
    /// The worker that has written to a place of the ghost and not committed.
    pub(super) ghost_lock: [Option<u8>; N],
    /// Our share locks on places of the original, a bit for each worker.
    pub(super) share: [u8; N],
    pub(super) transactions: Vec<Tx<N>>,
    pub(super) transactions_left: u8,
    pub(super) stream: VecDeque<Item>,
    pub(super) to_write: VecDeque<Marker>,
    /// What was delivered since the first place that somebody may go back to.
    pub(super) past: VecDeque<Item>,
    pub(super) stored: Option<Checkpoint>,
    pub(super) to_store: Option<Checkpoint>,
    pub(super) checkpoints_left: u8,
    pub(super) crashes_left: u8,
    pub(super) reverts_left: u8,
    pub(super) barrier_asked: bool,
    pub(super) lookups: VecDeque<(Scan, Side, Option<Key>, u64)>,
    pub(super) copy: [Option<CopyWork<N>>; SLOTS],
    pub(super) refresh: [Option<RefreshWork>; SLOTS],
    pub(super) compare: [Option<Look<(Pass, Chunk)>>; SLOTS],
    pub(super) check: Option<Look<(u64, Vec<Key>)>>,
    pub(super) locker: VecDeque<LockerJob>,
    pub(super) answers: VecDeque<Event>,
    /// The tables are locked by the locking connection.
    pub(super) locked: bool,
    /// A rename whose connection is lost goes on in the server (only if the setup lies so).
    pub(super) rename_lingers: bool,
    /// A DELETE whose connection is lost goes on in the server (only if the setup lies so).
    pub(super) delete_lingers: Vec<Key>,
    /// Refreshes of each place that are yet to be in vain.
    pub(super) stubborn: [u8; N],
    /// The ghost has all of its indexes.
    pub(super) indexed: bool,
    /// They are being built.
    pub(super) indexing: bool,
    pub(super) indexed_twice: bool,
    /// The plans of the application's statements are wanted, being compared, and were.
    pub(super) plans: PlansOf,
    pub(super) swapped: bool,
    pub(super) unknown: bool,
    /// An attempt has failed since time last leapt.
    pub(super) pause: bool,
    pub(super) now_ms: u64,
    pub(super) faults_left: u8,
    pub(super) stops_left: u8,
    pub(super) pauses_left: u8,
    pub(super) paused: bool,
    /// The operator was told that there will be no cut-over for now.
    pub(super) postponed: bool,
    /// And the rename was sent even so.
    pub(super) renamed_though_postponed: bool,
    /// The tool was told to pause, and asked for work even so.
    pub(super) throttled: bool,
    pub(super) worked_though_throttled: bool,
    /// An answer will never come.
    pub(super) vanished: bool,
}

/// The core in its world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sim<const N: usize = 2> {
    pub(super) core: Core,
    pub(super) world: World<N>,
}

/// Why a story is a bad one.
pub(super) type Broken = String;

/// The time a chunk takes: the target, so that chunks keep their size.
const CHUNK_MS: u64 = 50;
const COMPARE_MS: u64 = 150;

impl<const N: usize> Sim<N> {
    /// A migration at its beginning with these rows in the original.
    pub(super) fn new(
        setup: &Setup<N>,
        original: Rows<N>,
        before: Option<Tx<N>>,
    ) -> Result<Self, Broken> {
        let world = World {
            original,
            ghost: [None; N],
            ghost_seen: [None; N],
            ghost_lock: [None; N],
            share: [0; N],
            transactions_left: setup.transactions - u8::from(before.is_some()),
            transactions: before.into_iter().collect(),
            stream: VecDeque::new(),
            to_write: VecDeque::new(),
            past: VecDeque::new(),
            stored: None,
            to_store: None,
            checkpoints_left: setup.checkpoints,
            crashes_left: setup.crashes,
            reverts_left: setup.reverts,
            barrier_asked: false,
            lookups: VecDeque::new(),
            copy: [None, None],
            refresh: [None, None],
            compare: [None, None],
            check: None,
            locker: VecDeque::new(),
            answers: VecDeque::new(),
            locked: false,
            rename_lingers: false,
            delete_lingers: Vec::new(),
            stubborn: [0; N],
            indexed: !setup.settings.deferred_indexes,
            indexing: false,
            indexed_twice: false,
            plans: PlansOf::new(setup.settings.compare_plans_ms.is_some()),
            swapped: false,
            unknown: false,
            pause: false,
            now_ms: 0,
            faults_left: setup.faults,
            stops_left: setup.stops,
            pauses_left: setup.pauses,
            paused: false,
            postponed: false,
            renamed_though_postponed: false,
            throttled: false,
            worked_though_throttled: false,
            vanished: false,
        };
        let mut sim = Self {
            core: Core::new(setup.settings.clone()),
            world,
        };
        sim.start(setup)?;
        Ok(sim)
    }

    /// The core's first commands.
    pub(super) fn start(&mut self, setup: &Setup<N>) -> Result<(), Broken> {
        let commands = self.core.start();
        let mut more = self.carry_out(setup, commands);
        more.push_back(Event::HeartbeatSeen(0));
        more.into_iter()
            .try_for_each(|event| self.tell(setup, event))
    }

    /// Nothing that matters can happen any more.
    pub(super) fn is_over(&self) -> bool {
        self.core.outcome().is_some() && !self.revertable()
    }

    /// The tables are swapped, and nothing of that run is left.
    pub(super) fn revertable(&self) -> bool {
        self.world.reverts_left > 0 && self.core.outcome() == Some(&Outcome::Completed)
    }

    /// Tells the core something, carries out what follows, and looks at how it ended.
    pub(super) fn tell(&mut self, setup: &Setup<N>, event: Event) -> Result<(), Broken> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let ended = self.core.outcome().is_some();
            let commands = self.core.step(event.clone());
            if ended && !commands.is_empty() {
                return Err(format!("ended, but {event:?} made it ask for {commands:?}"));
            }
            events.extend(self.carry_out(setup, commands));
        }
        let world = &self.world;
        let in_stream = world
            .stream
            .iter()
            .any(|item| matches!(item, Item::Marker(_)));
        if setup.alike {
            self.core.canonical(in_stream || !world.to_write.is_empty());
            self.renumber();
        }
        self.check_end(setup)
    }

    /// Puts commands where they belong; what is answered at once comes back as events.
    fn carry_out(&mut self, setup: &Setup<N>, commands: Vec<Command>) -> VecDeque<Event> {
        let mut events = VecDeque::new();
        let world = &mut self.world;
        for command in commands {
            world.worked_though_throttled |= world.throttled && is_load(&command);
            match command {
                Command::WaitForBarrier => world.barrier_asked = true,
                Command::FindChunkEnd {
                    scan,
                    side,
                    after,
                    rows,
                    ..
                } => {
                    if setup.lookups_at_once || (setup.blind && scan == Scan::Verify) {
                        let end = world.chunk_end(setup, side, after.as_ref(), rows);
                        events.push_back(Event::ChunkEndFound(scan, end));
                    } else {
                        world.lookups.push_back((scan, side, after, rows));
                    }
                }
                Command::Copy(job) => {
                    let free = world.copy.iter_mut().find(|work| work.is_none());
                    *free.expect("a free copy worker") = Some(CopyWork::new(job));
                }
                Command::Refresh(job) => world.begin_to_refresh(job),
                Command::Compare(_, chunk) if setup.blind => {
                    events.push_back(Event::Compared(chunk.id, 0, Vec::new(), COMPARE_MS));
                }
                Command::Compare(pass, chunk) => {
                    let free = world.compare.iter_mut().find(|look| look.is_none());
                    *free.expect("a free worker to compare") = Some(Look {
                        what: (pass, chunk),
                        found: None,
                    });
                }
                Command::Check(check, keys) => {
                    world.check = Some(Look {
                        what: (check, keys),
                        found: None,
                    });
                }
                Command::WriteCheckpoint(_) if world.checkpoints_left == 0 => {
                    events.push_back(Event::CheckpointWritten);
                }
                Command::WriteCheckpoint(checkpoint) => world.to_store = Some(checkpoint),
                Command::BuildIndexes => world.begin_to_build(),
                Command::ComparePlans => world.plans.asked = true,
                Command::WriteMarker(marker) => world.to_write.push_back(marker),
                Command::Lock { .. } => world.locker.push_back(LockerJob::Lock),
                Command::RefreshLocked { keys, suspects, .. } => {
                    world.locker.push_back(LockerJob::Refresh(keys, suspects));
                }
                Command::Rename => {
                    world.renamed_though_postponed |= world.postponed;
                    world.locker.push_back(LockerJob::Rename);
                }
                Command::Unlock => world.locker.push_back(LockerJob::Unlock),
                Command::ReadOwnership => world.locker.push_back(LockerJob::ReadOwnership),
            }
        }
        events
    }

    /// Gives the answers of finished statements to the core.
    pub(super) fn report_compared(
        &mut self,
        setup: &Setup<N>,
        slot: usize,
    ) -> Result<bool, Broken> {
        match self.world.compare[slot].take() {
            Some(Look {
                what: (_, chunk),
                found: Some(keys),
            }) => {
                let rows = self.world.original.iter().flatten().count() as u64;
                self.tell(setup, Event::Compared(chunk.id, rows, keys, COMPARE_MS))
                    .map(|()| true)
            }
            _ => Ok(false),
        }
    }

    pub(super) fn report_checked(&mut self, setup: &Setup<N>) -> Result<bool, Broken> {
        match self.world.check.take() {
            Some(Look {
                what: (check, _),
                found: Some(keys),
            }) => self.tell(setup, Event::Checked(check, keys)).map(|()| true),
            _ => Ok(false),
        }
    }

    pub(super) fn report_copied(&mut self, setup: &Setup<N>, slot: usize) -> Result<bool, Broken> {
        let Some(work) = self.world.copy[slot].take() else {
            return Ok(false);
        };
        self.tell(setup, Event::Copied(work.job.outcome(), CHUNK_MS))
            .map(|()| true)
    }

    pub(super) fn report_refreshed(
        &mut self,
        setup: &Setup<N>,
        who: usize,
    ) -> Result<bool, Broken> {
        let Some(work) = self.world.refresh[who].take() else {
            return Ok(false);
        };
        self.tell(setup, Event::Refreshed(work.job.outcome(), 0))
            .map(|()| true)
    }

    /// What the end must be like.
    fn check_end(&self, setup: &Setup<N>) -> Result<(), Broken> {
        let world = &self.world;
        if world.renamed_though_postponed {
            return Err("a rename was sent while the cut-over was postponed".into());
        }
        if world.worked_though_throttled {
            return Err("a job was handed out while throttled".into());
        }
        if world.indexed_twice {
            return Err("indexes were asked for that are there or being built".into());
        }
        if self.core.repairs().passes > 0 && !setup.mismatch_is_due() {
            return Err("a repair, though nothing was damaged".into());
        }
        match self.core.outcome() {
            None => Ok(()),
            Some(Outcome::Completed) if world.swapped => Ok(()),
            Some(Outcome::Completed) => Err("completed, but the tables are not swapped".into()),
            Some(Outcome::Unknown) if world.unknown || world.vanished => Ok(()),
            Some(Outcome::Unknown) => Err("unknown, though the catalogue could be read".into()),
            Some(outcome) if world.swapped => {
                Err(format!("{outcome:?}, but the tables are swapped"))
            }
            Some(outcome) if world.locked && !world.vanished => {
                Err(format!("{outcome:?}, but the tables are locked"))
            }
            Some(Outcome::Mismatch(_)) if !setup.mismatch_is_due() => {
                Err("a mismatch, though nothing was damaged".into())
            }
            Some(Outcome::Mismatch(_) | Outcome::Stopped | Outcome::Failed(_)) => Ok(()),
        }
    }
}

impl<const N: usize> World<N> {
    fn begin_to_refresh(&mut self, job: RefreshJob) {
        let free = self.refresh.iter_mut().find(|work| work.is_none());
        *free.expect("a free refresh worker") = Some(RefreshWork {
            job,
            in_transaction: false,
        });
    }

    fn begin_to_build(&mut self) {
        self.indexed_twice |= self.indexing || self.indexed;
        self.indexing = true;
    }

    /// The promise: at the rename the ghost holds exactly what the original holds.
    pub(super) fn swap(&mut self) -> Result<(), Broken> {
        if !self.transactions.is_empty() {
            return Err("renamed while a transaction is undecided or not visible".into());
        }
        let sorted = |rows: Rows<N>| {
            let mut rows: Vec<Row> = rows.into_iter().flatten().collect();
            rows.sort_unstable();
            rows
        };
        let (original, ghost) = (sorted(self.original), sorted(self.ghost));
        if original != ghost {
            return Err(format!(
                "swapped with original {original:?} and ghost {ghost:?}"
            ));
        }
        if !self.indexed {
            return Err("swapped without its indexes".into());
        }
        if self.plans.unknown {
            return Err("swapped before its plans were compared".into());
        }
        self.swapped = true;
        self.log_the_swap();
        Ok(())
    }

    /// Work that was asked for, or its answer, vanishes; `false` when there is none of this kind.
    pub(super) fn vanish(&mut self, what: u8) -> bool {
        let vanished = match what {
            0 | 1 => self.copy[usize::from(what)].take().is_some(),
            2 | 3 => self.refresh[usize::from(what - 2)].take().is_some(),
            4 => self.compare[0].take().is_some(),
            5 => self.check.take().is_some(),
            6 => self.lookups.pop_front().is_some(),
            7 => self.locker.pop_front().is_some(),
            _ => self.answers.pop_front().is_some(),
        };
        self.vanished |= vanished;
        vanished
    }

    /// A transaction of the application holds this place.
    pub(super) fn held(&self, place: u8) -> bool {
        self.transactions
            .iter()
            .any(|tx| tx.holds(usize::from(place)))
    }

    /// The transaction that these operations make, if the server lets it write now.
    pub(super) fn begin(&self, setup: &Setup<N>, change: &[Op]) -> Option<Tx<N>> {
        let mut view = self.original;
        let mut touched = [false; N];
        let mut keys = [0; OPS_MAX];
        for (op, keys) in change.iter().zip(&mut keys) {
            *keys = write(setup, *op, &mut view, &mut touched)?;
        }
        let mut writes = [None; N];
        for place in 0..N {
            if touched[place] {
                if self.share[place] != 0 || self.transactions.iter().any(|tx| tx.holds(place)) {
                    return None;
                }
                writes[place] = Some(view[place]);
            }
        }
        let values = self.values_of(setup, &writes)?;
        Some(Tx {
            stage: Stage::Open,
            before: false,
            writes,
            values,
            keys,
        })
    }

    /// The unique values that a transaction holds, if nobody else has those it wants.
    fn values_of(&self, setup: &Setup<N>, writes: &Writes<N>) -> Option<u8> {
        if setup.unique != Unique::Both {
            return Some(0);
        }
        let (mut old_values, mut new_values) = (0, 0);
        for (new, old) in writes.iter().zip(&self.original) {
            let Some(new) = new else { continue };
            old_values |= old.map_or(0, |row| 1 << row.value);
            let value = new.map_or(0, |row| 1 << row.value);
            if new_values & value != 0 {
                return None;
            }
            new_values |= value;
        }
        let values = old_values | new_values;
        let others = (0..N)
            .filter(|place| writes[*place].is_none())
            .filter_map(|place| self.original[place])
            .fold(0, |bits, row| bits | 1 << row.value);
        let held = self
            .transactions
            .iter()
            .fold(0, |bits, tx| bits | tx.values);
        (values & (others | held) == 0).then_some(values)
    }

    /// The end of the chunk that begins after this key.
    pub(super) fn chunk_end(
        &self,
        setup: &Setup<N>,
        side: Side,
        after: Option<&Key>,
        rows: u64,
    ) -> Option<(Key, usize)> {
        let (table, place): (&Rows<N>, fn(&Setup<N>, u8) -> u8) = match side {
            Side::Original => (&self.original, Setup::<N>::place),
            Side::Ghost => (&self.ghost_seen, Setup::<N>::ghost_place),
        };
        let first = after.map_or(0, |key| place(setup, number(key)) + 1);
        let found = table[usize::from(first)..]
            .iter()
            .flatten()
            .nth(usize::try_from(rows).ok()? - 1);
        found.map(|row| (key(row.key), 0))
    }
}

impl<const N: usize> Tx<N> {
    /// It has written to this place.
    fn holds(&self, place: usize) -> bool {
        self.writes[place].is_some()
    }
}

/// What is known of the plans of the application's statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PlansOf {
    /// They have to be compared before the swap, and were not.
    pub(super) unknown: bool,
    /// They are being compared.
    pub(super) asked: bool,
}

impl PlansOf {
    fn new(wanted: bool) -> Self {
        Self {
            unknown: wanted,
            asked: false,
        }
    }
}

/// A job that puts load on the server.
fn is_load(command: &Command) -> bool {
    matches!(
        command,
        Command::Copy(_)
            | Command::Refresh(_)
            | Command::Compare(..)
            | Command::Check(..)
            | Command::BuildIndexes
            | Command::ComparePlans
    )
}

/// What one operation does to what its transaction sees, and the keys of its events; none where it
/// isn't possible.
fn write<const N: usize>(
    setup: &Setup<N>,
    op: Op,
    view: &mut Rows<N>,
    touched: &mut [bool; N],
) -> Option<u8> {
    let at = usize::from;
    match op {
        Op::Insert(key, value) => {
            let place = at(setup.place(key));
            if view[place].is_some() {
                return None;
            }
            view[place] = Some(Row { key, value });
            touched[place] = true;
            Some(1 << key)
        }
        Op::Update(place) => {
            let row = view[at(place)]?;
            let value = setup.next_value(row.value);
            view[at(place)] = Some(Row { value, ..row });
            touched[at(place)] = true;
            Some(1 << row.key)
        }
        Op::Delete(place) => {
            let row = view[at(place)].take()?;
            touched[at(place)] = true;
            Some(1 << row.key)
        }
        Op::Move(place, key) => {
            let row = view[at(place)]?;
            let target = at(setup.place(key));
            if row.key == key || (target != at(place) && view[target].is_some()) {
                return None;
            }
            view[at(place)] = None;
            view[target] = Some(Row { key, ..row });
            (touched[at(place)], touched[target]) = (true, true);
            Some(setup.reported_keys(row.key, key))
        }
        Op::Swap(one, other) => {
            let (first, second) = (view[at(one)]?, view[at(other)]?);
            view[at(one)] = Some(Row {
                value: second.value,
                ..first
            });
            view[at(other)] = Some(Row {
                value: first.value,
                ..second
            });
            (touched[at(one)], touched[at(other)]) = (true, true);
            Some(1 << first.key | 1 << second.key)
        }
    }
}
