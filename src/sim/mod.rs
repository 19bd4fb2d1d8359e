//! An exhaustive explorer: the real core in a fake world, through every interleaving.
//!
//! [`world`] has the rows, the application and our connections, [`server`] what each statement
//! does, [`actions`] everything that can happen next, [`explore`] the search. What is driven are
//! [`Core`](crate::core::Core), [`CopyJob`](crate::core::copy::CopyJob) and
//! [`RefreshJob`](crate::core::refresh::RefreshJob) themselves, not a model of them.
//!
//! The property is the promise: at the rename the ghost holds exactly the original's committed
//! rows and nobody is undecided; a run is `Completed` if and only if the tables are swapped, and
//! otherwise ends with the tables neither swapped nor locked; there is no `Mismatch` without
//! damage, and no `Completed` with it; every run can still end. In a *blind* world the
//! verification sees nothing, so that a loss in the protocol shows at the rename.
//!
//! [`mutants`] takes the rules out one by one, and lies about what the server does: each of these
//! must be caught. [`worlds`] has further worlds, and [`stories`] the seeded simulator: long random
//! stories with more keys, over the same actions. `make explore` (`TABLESHIFT_SIM_DEEP=1`) makes
//! everything larger; `docs/design/explorer.md` has what the model covers and what it doesn't.

mod actions;
mod explore;
mod following;
mod indexes;
mod mutants;
mod plans;
mod repairs;
mod restarts;
mod server;
mod stories;
mod world;
mod worlds;

use crate::core::chunk::Chunk;
use crate::core::event::Side;
use crate::core::rules::{self, Rule, Rules};
use crate::core::verify::extent::{Extent, Wanted};
use crate::core::{Settings, Stage as Progress};
use crate::plan::key::Key;
use actions::Action;
use explore::{Story, explore, friendly};
use server::Fate;
use world::{Broken, Layout, Op, Row, Rows, Sim, Stage, Tx, Unique, number};

/// Something that goes wrong, a bounded number of times in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The lock or the rename is refused, or the rename's answer is lost.
    Locker,
    /// The lock's time runs out before the marker is back.
    LockTime,
    /// The locking connection is lost.
    LockLost,
    /// A worker's connection is lost.
    Workers,
    /// More changes than the server can note while it builds indexes.
    IndexLog,
}

/// A server or an engine that doesn't do what the protocol relies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// Refreshes read without a lock.
    RefreshWithoutLock,
    /// The copy reads without a lock.
    CopyWithoutLock,
    /// The proof of absence is a plain read.
    ProofWithoutLock,
    /// A key change is reported by its new key only.
    OldKeyNotReported,
    /// A key change is reported by its old key only.
    NewKeyNotReported,
    /// Ghost rows are deleted by what the ghost alone takes for equal, though the original tells
    /// more keys apart.
    DeleteByGhostsCollation,
    /// Rows of both tables are paired by one table's idea of equal keys.
    PairByOneCollation,
    /// The lock is granted while an XA transaction is prepared.
    LockIgnoresXa,
    /// The start barrier doesn't wait for XA transactions that are prepared.
    BarrierIgnoresXa,
    /// A worker goes on before its lost connection is gone from the server.
    DeadClientsDelete,
    /// The catalogue is read before the renaming connection is gone from the server.
    OwnershipReadTooEarly,
    /// A resumed run begins before the statements of the earlier one are gone from the server.
    EarlierRunLingers,
    /// The log that a resumed run reads lacks what was logged before.
    AnotherLog,
    /// A revert reads the log from a place behind the first change of the new table.
    RevertBeginsTooLate,
}

/// Every lie.
const LIES: [Lie; 14] = [
    Lie::RefreshWithoutLock,
    Lie::CopyWithoutLock,
    Lie::ProofWithoutLock,
    Lie::OldKeyNotReported,
    Lie::NewKeyNotReported,
    Lie::DeleteByGhostsCollation,
    Lie::PairByOneCollation,
    Lie::LockIgnoresXa,
    Lie::BarrierIgnoresXa,
    Lie::DeadClientsDelete,
    Lie::OwnershipReadTooEarly,
    Lie::EarlierRunLingers,
    Lie::AnotherLog,
    Lie::RevertBeginsTooLate,
];

/// Where a story begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// At the very beginning.
    Beginning,
    /// When the copy is done and verification begins.
    Verification,
    /// The same, with the ghost damaged.
    Damage,
}

/// A world to explore.
#[derive(Debug, Clone)]
struct Setup<const N: usize = 2> {
    settings: Settings,
    layout: Layout,
    unique: Unique,
    blind: bool,
    start: Start,
    /// What the original may hold at first.
    contents: Vec<Rows<N>>,
    /// Transactions of a story, and what they may do.
    transactions: u8,
    ops: Vec<Op>,
    /// Transactions of two operations.
    pairs: Vec<[Op; 2]>,
    xa: bool,
    /// Stories begin also with a transaction logged before the position.
    before: bool,
    faults: u8,
    fault_kinds: &'static [Fault],
    stops: u8,
    pauses: u8,
    /// Times that the tool dies and is started again.
    crashes: u8,
    /// Checkpoints that are stored in a story, of those that are taken.
    checkpoints: u8,
    /// A finished migration may be reverted.
    reverts: u8,
    /// The copy statement reads one row after the other.
    rows_one_by_one: bool,
    /// The ends of chunks are known at once.
    lookups_at_once: bool,
    /// Others get a turn between a worker's last statement and its report.
    reports_late: bool,
    lie: Option<Lie>,
    /// Refreshes of a damaged row that leave it as it is; all of them, if it is [`FOR_EVER`].
    stubborn: u8,
    /// Time that passes between two ticks; none, where only leaps of it matter.
    tick_ms: u64,
    /// At last something that was asked for is never answered.
    vanishing: bool,
    /// States that behave alike are made alike.
    alike: bool,
    states_max: usize,
}

/// Every refresh of a damaged row leaves it as it is.
const FOR_EVER: u8 = u8::MAX;

/// A row with value 1 under its own place's key.
const fn row(key: u8) -> Option<Row> {
    Some(Row { key, value: 1 })
}

fn deep() -> bool {
    std::env::var_os("TABLESHIFT_SIM_DEEP").is_some_and(|value| value == "1")
}

fn settings() -> Settings {
    Settings {
        chunk_rows: 2,
        chunk_rows_max: 2,
        refresh_keys: 2,
        refresh_keys_max: 2,
        ..Settings::of_tests()
    }
}

/// The plain world: two rows, one transaction with every kind of change.
fn plain() -> Setup {
    Setup {
        settings: settings(),
        layout: Layout::Plain,
        unique: Unique::No,
        blind: true,
        start: Start::Beginning,
        contents: vec![
            [None, None],
            [row(0), None],
            [None, row(1)],
            [row(0), row(1)],
        ],
        transactions: 1,
        ops: vec![
            Op::Insert(0, 2),
            Op::Insert(1, 2),
            Op::Update(0),
            Op::Update(1),
            Op::Delete(0),
            Op::Delete(1),
            Op::Move(0, 1),
            Op::Move(1, 0),
        ],
        pairs: Vec::new(),
        xa: false,
        before: false,
        faults: 0,
        fault_kinds: &[],
        stops: 0,
        pauses: 0,
        crashes: 0,
        checkpoints: 0,
        reverts: 0,
        rows_one_by_one: false,
        lookups_at_once: true,
        reports_late: false,
        lie: None,
        stubborn: 0,
        tick_ms: 0,
        vanishing: false,
        alike: true,
        states_max: if deep() { 2_000_000 } else { 1_000_000 },
    }
}

/// Two spellings of one key.
fn collated() -> Setup {
    Setup {
        settings: Settings {
            byte_comparable: false,
            chunk_rows: 1,
            chunk_rows_max: 1,
            ..settings()
        },
        layout: Layout::Collated,
        contents: vec![[None, None], [row(0), None]],
        ops: vec![
            Op::Insert(0, 2),
            Op::Insert(1, 2),
            Op::Update(0),
            Op::Delete(0),
            Op::Move(0, 0),
            Op::Move(0, 1),
        ],
        ..plain()
    }
}

/// Values are unique in both tables.
fn unique() -> Setup {
    let two = Some(Row { key: 1, value: 2 });
    Setup {
        settings: Settings {
            other_unique_keys: true,
            ..settings()
        },
        unique: Unique::Both,
        contents: vec![[None, None], [row(0), None], [row(0), two]],
        ops: vec![
            Op::Insert(0, 1),
            Op::Insert(0, 2),
            Op::Insert(1, 1),
            Op::Insert(1, 2),
            Op::Update(0),
            Op::Update(1),
            Op::Delete(0),
            Op::Delete(1),
            Op::Move(0, 1),
            Op::Move(1, 0),
        ],
        ..plain()
    }
}

/// The ghost tells spellings apart that are one key in the original.
fn finer() -> Setup {
    Setup {
        layout: Layout::FinerGhost,
        ..collated()
    }
    .introducing()
}

/// Keys that are two in the original are spellings of one in the ghost; the application changes
/// keys, but never has both spellings at a time.
fn coarser() -> Setup {
    let ops = vec![
        Op::Update(0),
        Op::Update(1),
        Op::Delete(0),
        Op::Delete(1),
        Op::Move(0, 1),
        Op::Move(1, 0),
    ];
    let contents = vec![[None, None], [row(0), None]];
    Setup {
        layout: Layout::CoarserGhost,
        ops,
        contents,
        ..collated()
    }
    .introducing()
}

/// Values are unique in the ghost only, and the application doesn't know.
fn added() -> Setup {
    let mut setup = Setup {
        unique: Unique::Added,
        ..unique()
    }
    .introducing();
    setup.settings.same_order = true;
    setup
}

impl<const N: usize> Setup<N> {
    /// The ghost has a unique key that the original doesn't enforce.
    fn introducing(mut self) -> Self {
        self.settings.introduced_keys = true;
        self.settings.other_unique_keys = true;
        self.settings.same_order = false;
        self
    }

    fn workers(mut self, refresh_workers: usize, refresh_keys: usize) -> Self {
        self.settings.refresh_workers = refresh_workers;
        self.settings.refresh_keys = refresh_keys;
        self.settings.refresh_keys_max = refresh_keys;
        self
    }

    fn chunks(mut self, rows: u64) -> Self {
        self.settings.chunk_rows = rows;
        self.settings.chunk_rows_max = rows;
        self
    }

    fn without(mut self, rule: Rule) -> Self {
        self.settings.rules = Rules::without(rule);
        self
    }

    /// The verification sees what there is.
    fn seeing(self, start: Start) -> Self {
        Self {
            blind: false,
            start,
            ..self
        }
    }

    /// The place of a key's row in the original.
    fn place(&self, key: u8) -> u8 {
        match self.layout {
            Layout::Plain | Layout::CoarserGhost => key,
            Layout::Collated | Layout::FinerGhost => key & !1,
        }
    }

    /// The place of a key's row in the ghost.
    fn ghost_place(&self, key: u8) -> u8 {
        match self.layout {
            Layout::Plain | Layout::FinerGhost => key,
            Layout::Collated | Layout::CoarserGhost => key & !1,
        }
    }

    /// The places of a chunk in one of the tables: from, and up to but not including.
    fn range(&self, side: Side, chunk: &Chunk) -> (u8, u8) {
        let behind = |key: &Key| match side {
            Side::Original => self.place(number(key)) + 1,
            Side::Ghost => self.ghost_place(number(key)) + 1,
        };
        let all = u8::try_from(N).expect("few places");
        let first = chunk.after.as_ref().map_or(0, behind);
        (first, chunk.upto.as_ref().map_or(all, behind))
    }

    /// The value that an update makes of another.
    fn next_value(&self, value: u8) -> u8 {
        value % u8::try_from(N).expect("few places") + 1
    }

    /// The keys in the events of a key change.
    fn reported_keys(&self, old: u8, new: u8) -> u8 {
        match self.lie {
            Some(Lie::OldKeyNotReported) => 1 << new,
            Some(Lie::NewKeyNotReported) => 1 << old,
            _ => 1 << old | 1 << new,
        }
    }

    fn mismatch_is_due(&self) -> bool {
        // Rows that have no place in the ghost are a mismatch, too.
        let inserts = self.ops.iter().any(|op| matches!(op, Op::Insert(..)));
        self.start == Start::Damage
            || self.unique == Unique::Added
            || (self.layout == Layout::CoarserGhost && inserts)
    }

    /// The beginnings of all stories.
    fn roots(&self) -> Result<Vec<Sim<N>>, Broken> {
        let mut roots = Vec::new();
        for rows in &self.contents {
            let plain = Sim::new(self, *rows, None)?;
            if self.before {
                for stage in [Stage::Logged, Stage::Prepared] {
                    let txs = self
                        .ops
                        .iter()
                        .filter_map(|op| plain.world.begin(self, &[*op]));
                    for tx in txs.filter(|_| self.xa || stage == Stage::Logged) {
                        let tx = Tx {
                            stage,
                            before: true,
                            ..tx
                        };
                        roots.push(Sim::new(self, *rows, Some(tx))?);
                    }
                }
            }
            roots.push(plain);
        }
        if self.start == Start::Beginning {
            return Ok(roots);
        }
        for sim in &mut roots {
            // Without the verification the cut-over comes next.
            let verifying = |sim: &Sim<N>| {
                let stage = sim.core.view().stage;
                matches!(
                    stage,
                    Progress::Verifying | Progress::Indexing | Progress::CutOver
                )
            };
            friendly(sim, self, &mut Vec::new(), verifying)?;
        }
        if self.start == Start::Verification {
            return Ok(roots);
        }
        let damaged = roots.iter().flat_map(|sim| {
            server::damages(self, sim.world.ghost)
                .into_iter()
                .map(|ghost| {
                    let mut sim = sim.clone();
                    let damaged = sim.world.ghost.iter().zip(&ghost);
                    sim.world.stubborn = [0; N];
                    for (place, (before, after)) in damaged.enumerate() {
                        if before != after {
                            sim.world.stubborn[place] = self.stubborn;
                        }
                    }
                    (sim.world.ghost, sim.world.ghost_seen) = (ghost, ghost);
                    sim
                })
        });
        Ok(damaged.collect())
    }
}

/// Every story of this world ends well.
fn holds<const N: usize>(setup: &Setup<N>) {
    match explore(setup) {
        Ok(seen) => {
            let test = std::thread::current();
            println!(
                "{}: {} states, {} ended, {} swapped, depth {}, {}",
                test.name().unwrap_or("?"),
                seen.states,
                seen.ended,
                seen.swapped,
                seen.depth,
                if seen.complete {
                    "complete"
                } else {
                    "bound reached"
                }
            );
            assert!(seen.complete || deep(), "the bound was reached: {seen:?}");
            let expected = setup.start != Start::Damage || setup.transactions > 0;
            assert!(
                seen.swapped > 0 || !expected,
                "no story ends with swapped tables: {seen:?}"
            );
        }
        Err(story) => panic!("{story}"),
    }
}

/// The transactions of a story: one more where there is time for it.
fn transactions<const N: usize>(number: u8, setup: Setup<N>) -> Setup<N> {
    Setup {
        transactions: number + u8::from(deep()),
        ..setup
    }
}

const ALL_FAULTS: &[Fault] = &[
    Fault::Locker,
    Fault::LockTime,
    Fault::LockLost,
    Fault::Workers,
];

#[test]
fn one_transaction_of_any_kind() {
    holds(&transactions(
        1,
        Setup {
            before: true,
            xa: true,
            ..plain()
        },
    ));
}

#[test]
fn two_transactions() {
    holds(&transactions(
        2,
        Setup {
            contents: vec![[row(0), None]],
            ..plain()
        },
    ));
}

#[test]
fn two_transactions_one_of_them_before_the_position() {
    let contents = vec![[row(0), None]];
    let ops = vec![Op::Update(0), Op::Delete(0), Op::Insert(0, 2)];
    holds(&transactions(
        2,
        Setup {
            contents,
            ops,
            before: true,
            xa: true,
            ..plain()
        },
    ));
}

#[test]
fn two_workers_and_single_rows() {
    holds(&transactions(
        1,
        Setup {
            contents: vec![[row(0), None]],
            ..plain().workers(2, 1).chunks(1)
        },
    ));
}

#[test]
fn two_workers_on_one_key() {
    let ops = vec![Op::Insert(0, 2), Op::Delete(0)];
    let setup = Setup {
        contents: vec![[None, None]],
        ops,
        ..plain()
    };
    holds(&transactions(2, setup.workers(2, 1)));
}

#[test]
fn late_reports_and_late_lookups() {
    holds(&transactions(
        1,
        Setup {
            reports_late: true,
            lookups_at_once: false,
            ..plain()
        },
    ));
}

#[test]
fn rows_copied_one_after_the_other() {
    let setup = Setup {
        rows_one_by_one: true,
        ..plain()
    };
    holds(&transactions(1, setup.workers(2, 1)));
}

#[test]
fn a_stop_at_any_moment() {
    holds(&transactions(
        1,
        Setup {
            stops: 1,
            ..plain()
        },
    ));
    let setup = Setup {
        contents: vec![[row(0), None]],
        ..plain()
    };
    holds(&Setup {
        stops: 1,
        faults: 1,
        fault_kinds: ALL_FAULTS,
        ..setup.seeing(Start::Verification)
    });
}

#[test]
fn pauses_at_any_moment() {
    holds(&transactions(
        1,
        Setup {
            pauses: 1,
            contents: vec![[row(0), row(1)]],
            ..plain()
        },
    ));
}

#[test]
fn something_goes_wrong() {
    holds(&transactions(
        1,
        Setup {
            faults: 1,
            fault_kinds: ALL_FAULTS,
            ..plain()
        },
    ));
}

#[test]
fn two_things_go_wrong() {
    let contents = vec![[row(0), None]];
    holds(&transactions(
        1,
        Setup {
            faults: 2,
            contents,
            fault_kinds: ALL_FAULTS,
            ..plain()
        },
    ));
}

#[test]
fn little_memory_for_dirty_keys() {
    let mut setup = Setup {
        contents: vec![[row(0), None], [row(0), row(1)]],
        ..plain()
    };
    setup.settings.dirty_bytes_max = 1;
    holds(&transactions(
        1,
        Setup {
            xa: true,
            ..setup.workers(1, 1)
        },
    ));
}

#[test]
fn values_are_unique() {
    holds(&transactions(2, unique()));
    holds(&transactions(1, unique().workers(2, 1)));
    let mut mixed = unique().introducing();
    mixed.settings.same_order = true;
    holds(&transactions(1, mixed));
}

#[test]
fn two_spellings_of_a_key() {
    holds(&transactions(2, collated()));
    holds(&transactions(1, collated().workers(2, 1)));
}

#[test]
fn the_ghost_tells_more_keys_apart() {
    holds(&transactions(1, finer()));
    holds(&transactions(1, finer().seeing(Start::Verification)));
    holds(&transactions(0, finer().seeing(Start::Damage)));
}

#[test]
fn the_ghost_tells_fewer_keys_apart() {
    holds(&transactions(1, coarser()));
    holds(&transactions(1, coarser().seeing(Start::Verification)));
    holds(&transactions(0, coarser().seeing(Start::Damage)));
    let duplicates = Setup {
        ops: plain().ops,
        ..coarser()
    };
    holds(&transactions(1, duplicates.clone()));
    holds(&transactions(1, duplicates.seeing(Start::Verification)));
}

#[test]
fn the_ghost_has_a_new_unique_key() {
    holds(&transactions(1, added()));
    holds(&transactions(1, added().seeing(Start::Verification)));
}

#[test]
fn a_whole_story_with_verification() {
    holds(&transactions(1, plain().seeing(Start::Beginning)));
}

#[test]
fn verification_while_rows_change() {
    let setup = Setup {
        contents: vec![[row(0), None]],
        ..plain()
    };
    holds(&transactions(2, setup.seeing(Start::Verification)));
}

#[test]
fn verification_while_spellings_change() {
    let ops = vec![
        Op::Insert(1, 2),
        Op::Update(0),
        Op::Delete(0),
        Op::Move(0, 1),
    ];
    let setup = Setup {
        contents: vec![[row(0), None]],
        ops,
        ..collated()
    };
    holds(&transactions(2, setup.seeing(Start::Verification)));
}

#[test]
fn damage_is_always_found() {
    holds(&transactions(0, plain().seeing(Start::Damage)));
    let setup = Setup {
        contents: vec![[row(0), None]],
        ..plain()
    };
    holds(&transactions(1, setup.seeing(Start::Damage)));
}
