//! Everything that is decided before the copy begins. Pure: no I/O, no clock.
//!
//! `engine` calls [`check`] with what the server said before anything is written, lets the server
//! apply the ALTER to an empty ghost, and then calls [`make`] with the ghost's catalogue. A
//! [`Plan`] can't be made any other way and never changes afterwards.

pub mod alter;
mod checks;
pub mod columns;
pub mod constraints;
pub mod inspection;
pub mod key;
pub mod names;
pub mod shown;
pub mod statement;
mod time_zone;
pub mod unique_key;

use alter::Alter;
use columns::{ColumnMap, SharedColumn};
use constraints::CheckNames;
use inspection::{Inspection, Table, Version};
use names::Names;
use unique_key::{IntroducedKey, SharedKey};

/// One reason not to start; nothing stays written when the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was found.
    pub what: String,
    /// The exact step that helps.
    pub next: String,
}

impl Refusal {
    /// A refusal with its remedy.
    pub fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            next: next.into(),
        }
    }
}

/// The operator's wishes that the checks ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// `--initially-drop-ghost-table`.
    pub drop_ghost_first: bool,
    /// `--initially-drop-old-table`.
    pub drop_old_first: bool,
}

/// The time zone of the sessions that read and write rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// The server's, as the operator's ALTER has it.
    #[default]
    Server,
    /// UTC, in which text names every moment: a TIMESTAMP in the key can be walked.
    Utc,
}

/// A migration that passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// All table names.
    pub names: Names,
    /// The original as it was inspected.
    pub original: Table,
    /// The ghost after the ALTER.
    pub ghost: Table,
    /// Copied columns.
    pub columns: ColumnMap,
    /// The shared unique key.
    pub key: SharedKey,
    /// Unique keys that only the ghost enforces.
    pub introduced_keys: Vec<IntroducedKey>,
    /// The ghost has unique keys beside the shared one, so the copy of a row may lose against
    /// another row.
    pub other_unique_keys: bool,
    /// Zero and partial dates pass: no temporal column is made or changed by the ALTER.
    pub legacy_dates_pass: bool,
    /// The time zone of the sessions that read and write rows.
    pub zone: Zone,
    /// The ALTER sets AUTO_INCREMENT itself.
    pub auto_increment_given: bool,
    /// CHECK constraints that get another name than a plain ALTER would leave, with that name.
    pub renamed_checks: Vec<(String, String)>,
    /// Programs of other schemas reach the table, so any change logged as a statement may concern it.
    pub reached_from_elsewhere: bool,
    /// The server can be trusted with an instant change of the ghost, which keeps old snapshots
    /// from reading it.
    pub guards_snapshots: bool,
}

/// From here on instant ADD and DROP COLUMN are relied on; releases between 8.0.29, which brought
/// them, and this one are left out as a precaution; no older server was there to be tried.
const INSTANT_TRUSTED: Version = Version {
    major: 8,
    minor: 0,
    patch: 33,
};

/// Checks what can be checked before anything is written.
///
/// # Errors
/// All refusals at once.
pub fn check(
    facts: &Inspection,
    alter: &Alter,
    names: &Names,
    wishes: &Wishes,
) -> Result<Table, Vec<Refusal>> {
    let refusals = checks::run(facts, alter, names, wishes);
    match &facts.original {
        Some(original) if refusals.is_empty() => Ok(original.clone()),
        Some(_) | None => Err(refusals),
    }
}

/// Makes the plan from both tables' catalogues. `now` is the moment that stands for the
/// migration's time in defaults, in UTC.
///
/// # Errors
/// All refusals at once; the caller drops the empty ghost again.
pub fn make(
    facts: &Inspection,
    original: Table,
    ghost: Table,
    alter: &Alter,
    names: Names,
    checks: &CheckNames,
    now: &str,
) -> Result<Plan, Vec<Refusal>> {
    let columns = columns::map_columns(&original, &ghost, alter, now)?;
    let mut refusals = Vec::new();
    if !ghost.engine.eq_ignore_ascii_case("InnoDB") {
        refusals.push(Refusal::new(
            format!("the ALTER changes the engine to {}", ghost.engine),
            "only InnoDB tables can take part in the atomic cut-over; use a plain ALTER",
        ));
    }
    let key = match unique_key::choose(&original, &ghost, &columns) {
        Ok(key) => key,
        Err(reasons) => {
            refusals.push(Refusal::new(
                format!("no unique key can pair the rows: {}", reasons.join("; ")),
                "keep a NOT NULL unique key through the ALTER, or change the key in a step of its \
                 own",
            ));
            return Err(refusals);
        }
    };
    let zone = match time_zone::zone(facts, &original, &ghost, &columns, &key) {
        Ok(zone) => zone,
        Err(refusal) => {
            refusals.push(refusal);
            Zone::Server
        }
    };
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let introduced_keys = unique_key::introduced(&original, &ghost, &columns);
    let unique = ghost.indexes.iter().filter(|index| index.unique).count();
    Ok(Plan {
        legacy_dates_pass: !columns.shared.iter().any(temporal_changed),
        zone,
        introduced_keys,
        other_unique_keys: unique > 1,
        renamed_checks: checks.changed(&ghost),
        auto_increment_given: alter.auto_increment.is_some(),
        reached_from_elsewhere: !facts.reached_from.is_empty(),
        guards_snapshots: facts.server.version >= INSTANT_TRUSTED,
        names,
        original,
        ghost,
        columns,
        key,
    })
}

fn temporal(data_type: &str) -> bool {
    matches!(
        data_type,
        "date" | "datetime" | "timestamp" | "time" | "year"
    )
}

fn temporal_changed(shared: &SharedColumn) -> bool {
    temporal(&shared.to.data_type) && shared.from.column_type != shared.to.column_type
}
