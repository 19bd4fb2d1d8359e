//! Fault points, for tests only: where a run can be told to fail, to lose its connection, to wait
//! or to die. None of this is in a normal build (cargo feature `faults`).
//!
//! `TABLESHIFT_FAULTS` holds orders, parted by `;`, each `point:kind:nth`. The point is a name of
//! [`POINTS`], or `name@role` where the name alone stands in several places. `nth` counts the times
//! that the process comes by, from 1 (the default); `3+` means the third time and every one after.
//! Kinds:
//!
//! - `error=1213`: the server answers with this error, without having done anything.
//! - `lost-before`, `lost-after`: the connection is gone before the statement is sent, or after the
//!   server carried it out and before its answer is known.
//! - `hold=PATH`, `hold-after=PATH`: makes the file and waits until somebody removes it.
//! - `kill-before`, `kill-after`: the process is gone at once, as after `kill -9`.
//!
//! Every order that is carried out leaves a line in the file `TABLESHIFT_FAULTS_HITS`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::{Error, IoError, ServerError};

use crate::config::{ComparePlans, Config, CutOver};

/// Every point, by the role of the connection it stands on. A statement that isn't here is a panic,
/// so none can be forgotten; the test walks the whole list.
pub const POINTS: [(&str, &[&str]); 18] = [
    (
        "main",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "take the advisory lock",
            "look for earlier runs",
            "end an earlier run's connection",
            "read the server's settings",
            "read the server's instruments",
            "read a status variable",
            "read the replication settings",
            "read the replication status",
            "read the binary log's position",
            "read the table's catalogue",
            "read the table's definition",
            "read the table's columns",
            "read the table's indexes",
            "look for triggers",
            "read a trigger",
            "look for foreign keys",
            "look for relatives",
            "look for check constraints",
            "look for programs of other schemas",
            "look for leftovers",
            "read the account",
            "read the account's privileges",
            "read the time",
            "create the changelog table",
            "sign the changelog",
            "create the checkpoint table",
            "describe the migration",
            "create the wanted table",
            "alter the table instantly",
            "alter the table in place",
            "try what the server can",
            "read the ghost's numbers",
            "look for blockers",
            "create a trigger",
            "drop a trigger",
            "create the ghost table",
            "alter the ghost table",
            "look for duplicates",
            "look for NULL in the key",
            "look for replicas",
            "put indexes off",
            "build the indexes",
            "drop a helper table",
        ],
    ),
    (
        "worker",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "find chunk end",
            "copy chunk",
            "find rows passed over",
            "begin",
            "lock rows",
            "refresh rows",
            "delete rows",
            "commit",
            "roll back",
            "count rows",
            "compare chunk",
            "find rows that differ",
            "find rows too many",
            "check rows again",
        ],
    ),
    (
        "keeper",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "look at the advisory lock",
        ],
    ),
    (
        "clerk",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "write the changelog",
        ],
    ),
    (
        "scribe",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "write the checkpoint",
        ],
    ),
    (
        "builder",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "read the table's definition",
            "look for blockers",
            "build the indexes",
        ],
    ),
    (
        "barrier",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "read the binary log's position",
            "read the table's catalogue",
            "read the table's definition",
            "read the table's columns",
            "read the table's indexes",
            "look for triggers",
            "read a trigger",
            "look for foreign keys",
            "look for open transactions",
        ],
    ),
    (
        "control",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "look for blockers",
            "weigh a transaction",
            "end a blocker",
            "drop a trigger",
            "look at the advisory lock",
            "analyze the ghost table",
            "read the definition",
            "carry AUTO_INCREMENT over",
            "look for readers",
            "read who owns the names",
        ],
    ),
    (
        "locker",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "lock tables",
            "create a trigger",
            "drop a trigger",
            "begin",
            "delete rows",
            "look up rows",
            "refresh rows",
            "commit",
            "roll back",
            "check rows again",
            "read the definition",
            "carry AUTO_INCREMENT over",
            "shut old snapshots out",
            "rename tables",
            "unlock tables",
        ],
    ),
    (
        "watchdog",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "limit the wait",
        ],
    ),
    (
        "fence",
        &[
            "connect",
            "look for an earlier connection",
            "end a connection",
        ],
    ),
    // A replica that is followed, servers above it, and replication itself (tests/replica.rs).
    (
        "topology",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "read the server's settings",
            "read the server's instruments",
            "read a status variable",
            "read the replication settings",
            "read the replication status",
            "read the binary log's position",
            "read the account",
            "read the account's privileges",
            "look for the first marker",
            "stop replication",
            "start replication",
        ],
    ),
    ("stream", &["connect", "event"]),
    // Steps of the engine that are no statements; they can be held and killed.
    ("engine", &["prepared", "connected", "followed", "decided"]),
    (
        "cleanup",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "look for helper tables",
            "look whose helper tables they are",
            "look for runs",
            "take the advisory lock",
            "give the advisory lock back",
            "drop a helper table",
        ],
    ),
    (
        "history",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "read the account",
            "read the account's privileges",
            "look for the history",
            "enter the history's schema",
            "create the history",
            "mark interrupted runs",
            "record the run",
            "record the end of the run",
        ],
    ),
    (
        "listing",
        &[
            "connect",
            "set the session up",
            "look for the history",
            "read the history",
        ],
    ),
    // Sessions that a test opens by itself.
    ("test", &[]),
];

/// The same run with checkpoints as often as `TABLESHIFT_CHECKPOINT_MS` says, for tests that can't wait for
/// seconds; and with nothing compared before everything is copied if there is a
/// `TABLESHIFT_COMPARE_AFTER_COPY`, for tests that spoil rows between the two; and plans compared again as often as
/// `TABLESHIFT_PLANS_AGAIN_MS` says.
#[must_use]
pub fn hastened(config: Config) -> Config {
    let milliseconds = |variable: &str| {
        let text = std::env::var(variable).ok()?;
        text.parse().ok().map(Duration::from_millis)
    };
    let interval = milliseconds("TABLESHIFT_CHECKPOINT_MS");
    Config {
        checkpoint: config.checkpoint.map(|usual| interval.unwrap_or(usual)),
        compare_behind_copy: std::env::var_os("TABLESHIFT_COMPARE_AFTER_COPY").is_none(),
        cut_over: CutOver {
            plans: config.cut_over.plans.map(|plans| ComparePlans {
                again: milliseconds("TABLESHIFT_PLANS_AGAIN_MS").unwrap_or(plans.again),
                ..plans
            }),
            ..config.cut_over
        },
        ..config
    }
}

/// Points of connections that are there only when flags ask for them, by role.
pub const WHEN_ASKED_FOR: [(&str, &[&str]); 16] = [
    (
        "main",
        &[
            "switch the metadata lock instrument on",
            "look for zeros",
            "look for rows in the ghost",
            "read the history",
            "read when the table was made",
            "try a backfill",
            "read the checkpoint",
            "compare the GTIDs",
            "tidy the ghost table up",
            "look how statements are observed",
            "make room for kept values",
            "list the binary logs",
        ],
    ),
    ("worker", &["make room for kept values", "put values aside"]),
    (
        "locker",
        &[
            "look for zeros",
            "make room for kept values",
            "put values aside",
            "roll back",
        ],
    ),
    ("barrier", &["look for NULL in the key"]),
    (
        "load",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "read the load",
        ],
    ),
    (
        "throttle query",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "run the throttle query",
        ],
    ),
    (
        "replica",
        &["connect", "set the session up", "read the heartbeat"],
    ),
    (
        "replicas",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "look for replicas",
        ],
    ),
    (
        "count",
        &["connect", "set the session up", "count the rows"],
    ),
    (
        "surroundings",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "read the account",
            "read the account's privileges",
            "read the table's catalogue",
            "read the table's definition",
            "read the table's columns",
            "read the table's indexes",
            "read the table's size",
            "read the row versions",
            "list the binary logs",
            "read how long logs are kept",
            "look for views",
            "look for programs",
            "read where the files are",
            "read the server's version",
        ],
    ),
    (
        "sampler",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "find chunk end",
            "copy chunk",
        ],
    ),
    // Of `--compare-plans` (tests/compare_plans.rs).
    (
        "comparer",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "analyze the ghost for its plans",
            "look for the application's statements",
            "look for statements without a digest",
            "look for views",
            "read both tables' sizes",
            "prepare to explain",
            "enter a schema",
            "begin to explain",
            "hand a statement over",
            "prepare an explanation",
            "explain a statement",
            "end an explanation",
        ],
    ),
    // Of a run that goes on in a replica's log (tests/resume.rs).
    ("topology", &["list the binary logs", "compare the GTIDs"]),
    // Of `tableshift batch` (tests/batch.rs).
    (
        "batch",
        &[
            "connect",
            "set the session up",
            "look for the batch's state",
            "create the batch's state",
            "take the batch's lock",
            "write the batch's jobs",
            "write what was said of the batch's jobs",
            "read the batch's state",
            "begin",
            "wait for other claims",
            "lock the batch's jobs",
            "claim the batch's jobs",
            "commit",
            "roll back",
            "say that the batch is alive",
            "note the table's definition",
            "record the end of a job",
            "write what was looked at",
            "read what was looked at",
        ],
    ),
    (
        "batch server",
        &[
            "connect",
            "set the session up",
            "list the server's tables",
            "ask which server it follows",
            "look for a run on the table",
            "read when the table was made",
            "read the table's definition",
            "read the history",
        ],
    ),
    // Only rows that differ bring it about.
    (
        "differences",
        &[
            "connect",
            "set the session up",
            "ask which server this is",
            "find columns that differ",
            "check rows again",
        ],
    ),
];

/// How often a held point looks whether it may go on.
const LOOK: Duration = Duration::from_millis(2);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Error(u16),
    Lost,
    Hold(PathBuf),
    Kill,
}

#[derive(Debug)]
struct Order {
    text: String,
    name: String,
    role: Option<String>,
    kind: Kind,
    /// Instead of sending the statement, or in place of its answer.
    after: bool,
    nth: u64,
    repeats: bool,
    seen: AtomicU64,
}

impl Order {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (point, kind) = (parts.next()?, parts.next()?);
        let count = parts.next().unwrap_or("1");
        let (name, role) = match point.split_once('@') {
            Some((name, role)) => (name, Some(role.to_owned())),
            None => (point, None),
        };
        let (kind, value) = kind.split_once('=').unwrap_or((kind, ""));
        let (kind, after) = match kind {
            "error" => (Kind::Error(value.parse().ok()?), false),
            "lost-before" => (Kind::Lost, false),
            "lost-after" => (Kind::Lost, true),
            "hold" => (Kind::Hold(value.into()), false),
            "hold-after" => (Kind::Hold(value.into()), true),
            "kill-before" => (Kind::Kill, false),
            "kill-after" => (Kind::Kill, true),
            _ => return None,
        };
        Some(Self {
            text: text.to_owned(),
            name: name.to_owned(),
            role,
            kind,
            after,
            nth: count.trim_end_matches('+').parse().ok()?,
            repeats: count.ends_with('+'),
            seen: AtomicU64::new(0),
        })
    }

    /// Counts a pass; tells whether it is the one.
    fn due(&self, role: &str, name: &str) -> bool {
        if self.name != name || self.role.as_deref().is_some_and(|wanted| wanted != role) {
            return false;
        }
        let seen = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        seen == self.nth || self.repeats && seen > self.nth
    }

    async fn carry_out(&self, name: &str) -> Result<(), Error> {
        self.tell();
        match &self.kind {
            Kind::Error(code) => Err(Error::Server(ServerError {
                code: *code,
                message: format!("a fault at {name}"),
                state: "HY000".into(),
            })),
            Kind::Lost => Err(Error::Io(IoError::Io(std::io::Error::new(
                std::io::ErrorKind::ConnectionReset,
                "the connection was cut",
            )))),
            Kind::Hold(file) => {
                std::fs::write(file, "").expect("the file of a held point");
                while file.exists() {
                    tokio::time::sleep(LOOK).await;
                }
                Ok(())
            }
            Kind::Kill => std::process::abort(),
        }
    }

    fn tell(&self) {
        let Ok(hits) = std::env::var("TABLESHIFT_FAULTS_HITS") else {
            return;
        };
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(hits);
        let line = format!("{}\n", self.text);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the file of the orders carried out");
    }
}

fn orders() -> &'static [Order] {
    static ORDERS: OnceLock<Vec<Order>> = OnceLock::new();
    ORDERS.get_or_init(|| {
        let orders = std::env::var("TABLESHIFT_FAULTS").unwrap_or_default();
        let read = |text| Order::read(text).expect("an order: point:kind:nth");
        let orders = orders.split(';').filter(|text| !text.is_empty()).map(read);
        orders.collect()
    })
}

/// What is still to happen once a statement has been answered.
#[must_use]
pub struct Due(Vec<&'static Order>, String);

impl Due {
    /// Behind the statement.
    ///
    /// # Errors
    /// The lost answer, if one was ordered.
    pub async fn after(self) -> Result<(), Error> {
        for order in self.0 {
            order.carry_out(&self.1).await?;
        }
        Ok(())
    }
}

/// In front of a statement.
///
/// # Errors
/// The error that was ordered.
///
/// # Panics
/// When the point is neither in [`POINTS`] nor in [`WHEN_ASKED_FOR`].
pub async fn before(role: &str, name: &str) -> Result<Due, Error> {
    let listed = POINTS
        .iter()
        .chain(&WHEN_ASKED_FOR)
        .any(|(of, names)| *of == role && (names.contains(&name) || role == "test"));
    assert!(listed, "the fault point {name:?} of {role:?} is not listed");
    let mut due = Vec::new();
    for order in orders().iter().filter(|order| order.due(role, name)) {
        if order.after {
            due.push(order);
        } else {
            order.carry_out(name).await?;
        }
    }
    Ok(Due(due, name.to_owned()))
}

/// At a step that is no statement.
///
/// # Errors
/// The error that was ordered.
pub async fn at(role: &str, name: &str) -> Result<(), Error> {
    before(role, name).await?.after().await
}
