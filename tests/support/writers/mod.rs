//! Writers that remember every acknowledged write.
//!
//! Each writer has a connection and a set of rows of its own, spread over the whole table, and plans
//! its work against its memory of them: a plan is a list of statements *and* what they make of the
//! rows. Once the server has acknowledged the transaction the memory is the truth, so when all writers
//! have stopped, the union of their memories is what the table must hold, row by row.
//!
//! Whatever the server answers that is not the expected success, a deadlock or an unexpected number
//! of affected rows included, is kept as an error. The writers alone never have one (a test shows it),
//! so an error under a migration is the migration's doing. To make that so:
//!
//! - values of the second unique column come from a range per writer, with two rows that nobody
//!   touches between the ranges, since InnoDB locks the gap after a value that is looked for;
//! - only READ COMMITTED writers use REPLACE and ON DUPLICATE KEY UPDATE inside longer transactions,
//!   since under REPEATABLE READ those lock gaps, and two such transactions can wait for each other.

pub mod compare;
mod memory;
mod planner;
pub mod tables;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mysql_async::{Conn, Opts, prelude::Queryable};
use tokio::task::JoinHandle;

use memory::Memory;
use planner::{End, Planner, Random, STYLES, Work, digits, payload, unique_base, writers};
use tables::{Row, TableKind};

/// Rows in a table before the first write.
const PRELOADED_ROWS: u64 = 4000;
/// The numbers that rows may have; half of them are free at the start.
const NUMBERS: u64 = 2 * PRELOADED_ROWS;
/// Rows that no writer owns have numbers from here on.
const GUARD_NUMBERS: u64 = 10_000_000;
/// The distance between the ranges of two writers.
const UNIQUE_STRIDE: u64 = 1_000_000;
/// How long a transaction is held open by the writers that do so.
const HELD: Duration = Duration::from_millis(500);
/// A writer that gets nothing acknowledged for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the writers of one table share with the test.
struct Shared {
    acknowledged: Vec<AtomicU64>,
    errors: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// The running writers of one table.
pub struct Writers {
    kind: TableKind,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<BTreeMap<u64, Row>>>,
    /// Rows that were loaded at the start and that no writer touches.
    guards: BTreeMap<u64, Row>,
}

/// What is true when the writers have stopped.
pub struct Truth {
    /// All rows that the table must hold.
    pub rows: Vec<Row>,
    /// What each writer got acknowledged, in transactions.
    pub acknowledged: Vec<u64>,
    /// Every answer that was not the expected success.
    pub errors: Vec<String>,
}

impl Writers {
    /// Makes the table, fills it, and starts writing. `opts` must name the database.
    pub async fn start(opts: &Opts, kind: &TableKind, seed: u64) -> Self {
        let mut planners: Vec<Planner> = (0..writers())
            .map(|number| Planner::new(kind, number, seed))
            .collect();
        let mut conn = connect(opts, "READ COMMITTED").await;
        let guards = preload(&mut conn, kind, &mut planners).await;
        conn.disconnect().await.expect("disconnecting");

        let shared = Arc::new(Shared {
            acknowledged: planners.iter().map(|_| AtomicU64::new(0)).collect(),
            errors: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let tasks = planners
            .into_iter()
            .map(|planner| tokio::spawn(write(opts.clone(), planner, shared.clone())))
            .collect();
        Self {
            kind: kind.clone(),
            shared,
            tasks,
            guards,
        }
    }

    /// What each writer got acknowledged so far.
    pub fn acknowledged(&self) -> Vec<u64> {
        self.shared
            .acknowledged
            .iter()
            .map(|count| count.load(Ordering::SeqCst))
            .collect()
    }

    /// Waits until every writer got that many more transactions acknowledged, the writers that hold
    /// theirs open a twentieth of it. Returns at the first error, which the test finds at the end.
    pub async fn wait_for_each(&self, more: u64) {
        let start = self.acknowledged();
        let wanted: Vec<u64> = start
            .iter()
            .zip(STYLES)
            .map(|(count, style)| count + if style.holds { more.div_ceil(20) } else { more })
            .collect();
        let deadline = Instant::now() + PATIENCE;
        let mut interval = tokio::time::interval(Duration::from_millis(10));
        while self
            .acknowledged()
            .iter()
            .zip(&wanted)
            .any(|(count, wanted)| count < wanted)
        {
            interval.tick().await;
            if self.has_errors() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "table {}: the writers are stuck: they wrote {:?}, {wanted:?} was waited for",
                self.kind.name,
                self.acknowledged()
            );
        }
    }

    pub fn has_errors(&self) -> bool {
        !self
            .shared
            .errors
            .lock()
            .expect("no writer panicked")
            .is_empty()
    }

    /// Lets every writer finish its transaction, and collects what they remember.
    pub async fn stop(self) -> Truth {
        self.shared.stop.store(true, Ordering::SeqCst);
        let mut rows: Vec<Row> = self.guards.into_values().collect();
        for task in self.tasks {
            rows.extend(task.await.expect("the writer's plans hold").into_values());
        }
        Truth {
            rows,
            acknowledged: self
                .shared
                .acknowledged
                .iter()
                .map(|count| count.load(Ordering::SeqCst))
                .collect(),
            errors: self
                .shared
                .errors
                .lock()
                .expect("no writer panicked")
                .clone(),
        }
    }
}

async fn connect(opts: &Opts, isolation: &str) -> Conn {
    let mut conn = Conn::new(opts.clone()).await.expect("connecting a writer");
    conn.query_drop(format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"
    ))
    .await
    .expect("setting the isolation level");
    conn
}

/// Creates the table and fills every other number; returns the rows that belong to no writer.
async fn preload(
    conn: &mut Conn,
    kind: &TableKind,
    planners: &mut [Planner],
) -> BTreeMap<u64, Row> {
    let mut rows = Vec::new();
    for number in (0..NUMBERS).step_by(2) {
        // Number 0 can't be an AUTO_INCREMENT value: the server would hand out another one.
        if kind.generated && number == 0 {
            continue;
        }
        let owner = usize::try_from(number % writers()).expect("a handful");
        let planner = &mut planners[owner];
        let row = planner.new_row(number);
        planner.memory.put(number, Some(row.clone()));
        rows.push(row);
    }
    let mut guards = BTreeMap::new();
    if kind.second_unique {
        let mut random = Random::new(0);
        let values =
            (0..=writers()).flat_map(|writer| [unique_base(writer) - 2, unique_base(writer) - 1]);
        for (index, value) in (0..).zip(values) {
            let number = GUARD_NUMBERS + index;
            let mut row = kind.key_cells(number, 0);
            row.push(Some(digits(value)));
            row.extend(payload(&mut random));
            guards.insert(number, row);
        }
        rows.extend(guards.values().cloned());
    }
    conn.query_drop(kind.create())
        .await
        .expect("creating the table");
    for chunk in rows.chunks(500) {
        let sql = planners[0].insert_sql("INSERT", &kind.columns(), chunk);
        conn.query_drop(sql).await.expect("filling the table");
    }
    guards
}

/// The life of one writer; returns its rows.
async fn write(opts: Opts, mut planner: Planner, shared: Arc<Shared>) -> BTreeMap<u64, Row> {
    let index = usize::try_from(planner.number).expect("a handful");
    let mut conn = connect(&opts, planner.style.isolation).await;
    while !shared.stop.load(Ordering::SeqCst) {
        let work = planner.work();
        match execute(&mut conn, &mut planner.memory, &work).await {
            Ok(()) => {
                planner.memory.commit();
                shared.acknowledged[index].fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                planner.memory.roll_back();
                let error = format!("writer {index} ({}): {error}", planner.style.name);
                shared
                    .errors
                    .lock()
                    .expect("no writer panicked")
                    .push(error);
                // The transaction is gone or stays undone; a broken connection ends the writer.
                if conn.query_drop("ROLLBACK").await.is_err() {
                    break;
                }
            }
        }
    }
    planner.memory.rows
}

/// Sends a work, and checks each answer. The memory follows; the caller commits it.
async fn execute(conn: &mut Conn, memory: &mut Memory, work: &Work) -> Result<(), String> {
    if work.end != End::Autocommit {
        conn.query_drop("BEGIN")
            .await
            .map_err(|error| format!("BEGIN: {error}"))?;
    }
    for (index, statement) in (1..).zip(&work.statements) {
        let sql = &statement.sql;
        conn.query_drop(sql)
            .await
            .map_err(|error| format!("{error} answered to {sql}"))?;
        if conn.affected_rows() != statement.affected {
            let (affected, expected) = (conn.affected_rows(), statement.affected);
            return Err(format!(
                "{affected} rows instead of {expected} affected by {sql}"
            ));
        }
        if !statement.generated.is_empty() {
            let first = conn
                .last_insert_id()
                .ok_or_else(|| format!("no id generated by {sql}"))?;
            // The ids of one INSERT … VALUES are consecutive; the answer names the first.
            for (id, row) in (first..).zip(&statement.generated) {
                let row = std::iter::once(Some(digits(id)))
                    .chain(row.iter().cloned())
                    .collect();
                memory.set(id, Some(row));
            }
        }
        if work.held_after == Some(index) {
            tokio::time::sleep(HELD).await;
        }
    }
    match work.end {
        End::Autocommit => {}
        End::Commit => {
            conn.query_drop("COMMIT")
                .await
                .map_err(|error| format!("COMMIT: {error}"))?;
        }
        End::Rollback => {
            conn.query_drop("ROLLBACK")
                .await
                .map_err(|error| format!("ROLLBACK: {error}"))?;
            memory.roll_back();
        }
    }
    Ok(())
}
