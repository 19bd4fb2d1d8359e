//! Everything that is decided before the copy begins. Pure: no I/O, no clock.
//!
//! `engine` calls [`check`] with what the server said before anything is written, lets the server
//! apply the ALTER to an empty ghost, and then calls [`make`] with the ghost's catalogue. A
//! [`Plan`] can't be made any other way and never changes afterwards.

pub mod alter;
pub mod backfill;
pub mod batch;
pub mod blockers;
mod checks;
pub mod columns;
pub mod constraints;
pub mod conversion;
pub mod desired;
pub mod findings;
pub mod gtid;
pub mod history;
pub mod indexes;
pub mod inspection;
pub mod key;
pub mod leftovers;
pub mod names;
pub mod pair;
pub mod privileges;
pub mod prospect;
pub mod queries;
pub mod revert;
pub mod saved;
pub mod shortcut;
pub mod shown;
pub mod statement;
mod time_zone;
pub mod topology;
pub mod triggers;
pub mod unique_key;

use alter::Alter;
use columns::{ColumnMap, SharedColumn};
use constraints::CheckNames;
use conversion::{Conversion, Misfits};
use history::without_passwords;
use indexes::Deferred;
use inspection::{Column, ForeignKey, Inspection, Table, Version};
use names::Names;
use shortcut::Direct;
use triggers::{NewTrigger, Trigger};
use unique_key::{IntroducedKey, SharedKey};

/// One reason not to start; nothing stays written when the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was found.
    pub what: String,
    /// The exact step that helps.
    pub next: String,
    /// Only a trial ends with it: a run drops what is in its way.
    pub of_trial: bool,
}

impl Refusal {
    /// A refusal with its remedy. What it cites of the ALTER, or the server of it, is shown without passwords.
    pub fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            what: without_passwords(&what.into()),
            next: next.into(),
            of_trial: false,
        }
    }

    /// The refusal of a trial, which drops nothing, where a run would go on.
    pub fn of_trial(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            of_trial: true,
            ..Self::new(what, next)
        }
    }
}

/// The operator's wishes that the checks ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wishes {
    /// `--execute`: without it nothing is dropped.
    pub execute: bool,
    /// `--initially-drop-ghost-table`.
    pub drop_ghost_first: bool,
    /// `--initially-drop-old-table`.
    pub drop_old_first: bool,
    /// What is done about an earlier run that can be continued.
    pub earlier: Earlier,
    /// `--skip-strict-mode`.
    pub misfits: Misfits,
    /// `--allow-zero-in-date`.
    pub zero_dates: bool,
    /// `--skip-renamed-columns`.
    pub renames: Renames,
    /// `--allow-nullable-unique-key`.
    pub null_in_key: NullInKey,
    /// `--include-triggers`: what becomes of the table's triggers.
    pub triggers: Companions,
    /// `--discard-foreign-keys`: what becomes of its own foreign keys.
    pub foreign_keys: Companions,
}

/// What is done about an earlier run that can be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Earlier {
    /// It is continued, if there is one.
    #[default]
    Continued,
    /// `--resume`: it is continued, and there has to be one.
    Required,
    /// `--no-resume`: what it has left is dropped.
    Dropped,
}

/// What becomes of things that hang on the table and don't move by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Companions {
    /// With them there is no migration.
    #[default]
    Refused,
    /// They are dealt with as the flag says.
    DealtWith,
}

/// What becomes of the data of a renamed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Renames {
    /// It moves along, as in a plain ALTER.
    #[default]
    Followed,
    /// Old and new column have nothing to do with each other.
    Skipped,
}

/// Whether a unique key may pair the rows whose columns accept NULL, but hold none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NullInKey {
    /// No.
    #[default]
    Refused,
    /// Yes; a NULL that is found or that arrives ends the run.
    Watched,
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
    /// How values are converted.
    pub conversion: Conversion,
    /// Columns of the ghost that the verification leaves out, because without strict mode what is
    /// stored there can't be told from the old value.
    pub unverified: Vec<String>,
    /// The time zone of the sessions that read and write rows.
    pub zone: Zone,
    /// The ALTER sets AUTO_INCREMENT itself.
    pub auto_increment_given: bool,
    /// What CHECK constraints are called, in the ghost and in the end.
    pub checks: CheckNames,
    /// CHECK constraints that get another name than a plain ALTER would leave, with that name.
    pub renamed_checks: Vec<(String, String)>,
    /// Programs of other schemas reach the table, so any change logged as a statement may concern it.
    pub reached_from_elsewhere: bool,
    /// Triggers of the original, as they were inspected.
    pub original_triggers: Vec<Trigger>,
    /// Triggers that the ghost gets just before the rename.
    pub triggers: Vec<NewTrigger>,
    /// The original's foreign keys, which stay with the old table.
    pub foreign_keys: Vec<ForeignKey>,
    /// The server can be trusted with an instant change of the ghost, which keeps old snapshots
    /// from reading it.
    pub guards_snapshots: bool,
    /// Indexes that the ghost gets after the copy; its definition here has them.
    pub deferred: Option<Deferred>,
    /// Settings that backfilled values depend on, as every session that computes them keeps them: assignments of
    /// SET SESSION. Empty without a backfill.
    pub pinned: String,
    /// The server's time zone when the run began: a session that is opened later keeps it, whatever
    /// `SET GLOBAL` has made of it meanwhile.
    pub server_zone: String,
    /// Whether the server can make the change by itself.
    pub direct: Direct,
}

impl Plan {
    /// Rows of the ghost are deleted before they are written, and a conflict is an error: a row must not
    /// displace another one.
    #[must_use]
    pub fn makes_rows_anew(&self) -> bool {
        !self.introduced_keys.is_empty() || !self.columns.kept.is_empty()
    }
}

/// From here on instant ADD and DROP COLUMN are relied on; releases between 8.0.29, which brought
/// them, and this one are left out as a precaution; no older server was there to be tried.
pub const INSTANT_TRUSTED: Version = Version {
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

/// What a plan takes into account beside the catalogues.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The operator's wishes.
    pub wishes: &'a Wishes,
    /// Names of the CHECK constraints.
    pub checks: &'a CheckNames,
    /// The moment that stands for the migration's time in defaults, in the server's zone.
    pub now: &'a str,
    /// The same moment in UTC.
    pub now_utc: &'a str,
}

fn other_engine(ghost: &Table) -> Option<Refusal> {
    (!ghost.engine.eq_ignore_ascii_case("InnoDB")).then(|| {
        Refusal::new(
            format!("the ALTER changes the engine to {}", ghost.engine),
            "only InnoDB tables can take part in the atomic cut-over; use a plain ALTER",
        )
    })
}

/// How values of these columns are converted, by what the operator wished and the server's mode.
fn conversion_for(
    wishes: &Wishes,
    facts: &Inspection,
    columns: &ColumnMap,
    (original, ghost): (&Table, &Table),
) -> Conversion {
    let mode = &facts.server.sql_mode;
    let division = wishes.misfits == Misfits::Refused
        && mode.contains("ERROR_FOR_DIVISION_BY_ZERO")
        && conversion::computes_anew(original, ghost)
        || !columns.backfilled.is_empty();
    Conversion {
        truncates_fractions: mode.contains("TIME_TRUNCATE_FRACTIONAL"),
        ..Conversion::new(wishes, columns, division)
    }
}

/// How the columns of both tables belong together, on the way that is asked for.
fn pair_columns(
    facts: &Inspection,
    (original, ghost): (&Table, &Table),
    alter: &Alter,
    (names, wishes, now): (&Names, &Wishes, &str),
) -> Result<ColumnMap, Vec<Refusal>> {
    if names.reverts {
        return columns::map_back(original, ghost, alter, wishes.renames);
    }
    let backfills = &facts.backfills;
    let fillings = columns::Fillings { now, backfills };
    columns::map_columns(original, ghost, alter, (wishes.renames, fillings))
}

/// The settings that sessions keep, if anything depends on them.
fn pinned(facts: &Inspection, columns: &ColumnMap) -> String {
    if columns.backfilled.is_empty() {
        return String::new();
    }
    facts.server.pinned_settings.clone()
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
    given: Given<'_>,
) -> Result<Plan, Vec<Refusal>> {
    let Given {
        wishes,
        checks,
        now,
        now_utc,
    } = given;
    let tables = (&original, &ghost);
    let mut columns = pair_columns(facts, tables, alter, (&names, wishes, now))?;
    let mut refusals: Vec<Refusal> = other_engine(&ghost).into_iter().collect();
    let key = match unique_key::choose(&original, &ghost, &columns, wishes.null_in_key) {
        Ok(key) => key,
        Err(reasons) => {
            refusals.extend(backfill::key_columns(&original, &columns));
            refusals.push(Refusal::new(
                format!("no unique key can pair the rows: {}", reasons.join("; ")),
                "keep a NOT NULL unique key through the ALTER, or change the key in a step of its \
                 own",
            ));
            return Err(refusals);
        }
    };
    let zone = time_zone::zone(facts, &original, &ghost, &columns, &key);
    let zone = zone.unwrap_or_else(|refusal| {
        refusals.push(refusal);
        Zone::Server
    });
    if zone == Zone::Utc {
        columns::moments_in_utc(&mut columns, &ghost, now_utc);
    }
    let conversion = conversion_for(wishes, facts, &columns, (&original, &ghost));
    if !names.reverts {
        // The old table is there, whatever its defaults are.
        let mode = &facts.server.sql_mode;
        refusals.extend(zero_defaults(conversion, mode, &columns, &ghost));
    }
    let unverified = match conversion.misfits {
        Misfits::Refused => Vec::new(),
        Misfits::Adjusted => may_be_adjusted(&columns),
    };
    refusals.extend(adjusted_key(&original, &key, &unverified));
    refusals.extend(null_into_timestamp(conversion, &columns));
    refusals.extend(checks.too_long_in_the_end(&ghost));
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut introduced_keys = unique_key::introduced(&original, &ghost, &columns);
    add_adjusted_keys(&mut introduced_keys, &ghost, &unverified);
    Ok(Plan {
        conversion,
        unverified,
        zone,
        introduced_keys,
        other_unique_keys: unique_keys(&ghost) > 1,
        checks: checks.clone(),
        renamed_checks: checks.changed(&ghost),
        auto_increment_given: alter.auto_increment.is_some(),
        reached_from_elsewhere: !facts.reached_from.is_empty(),
        guards_snapshots: facts.server.version >= INSTANT_TRUSTED,
        deferred: None,
        pinned: pinned(facts, &columns),
        server_zone: facts.server.time_zone.clone(),
        direct: Direct::default(),
        original_triggers: vec![],
        triggers: vec![],
        foreign_keys: facts.foreign_keys.clone(),
        names,
        original,
        ghost,
        columns,
        key,
    })
}

fn unique_keys(table: &Table) -> usize {
    table.indexes.iter().filter(|index| index.unique).count()
}

/// Columns of the ghost in which a value may be another than it was.
fn may_be_adjusted(columns: &ColumnMap) -> Vec<String> {
    columns
        .shared
        .iter()
        .filter(|shared| !conversion::keeps_every_value(shared))
        .map(|shared| shared.to.name.clone())
        .collect()
}

/// Unique keys over columns in which two values may become one, or over what is computed of them: the
/// original doesn't enforce them as the ghost does.
fn add_adjusted_keys(introduced: &mut Vec<IntroducedKey>, ghost: &Table, unverified: &[String]) {
    if unverified.is_empty() {
        return;
    }
    for index in ghost.indexes.iter().filter(|index| index.unique) {
        let columns: Vec<String> = index
            .parts
            .iter()
            .filter_map(|part| part.column.clone())
            .collect();
        let computed = |name: &String| ghost.column(name).is_some_and(Column::generated);
        let adjusted = columns.len() < index.parts.len()
            || columns
                .iter()
                .any(|name| unverified.contains(name) || computed(name));
        if adjusted && !introduced.iter().any(|key| key.name == index.name) {
            introduced.push(IntroducedKey {
                name: index.name.clone(),
                columns,
            });
        }
    }
}

/// A key that the server may adjust, or compute of what it adjusted, would no longer find its row.
fn adjusted_key(original: &Table, key: &SharedKey, unverified: &[String]) -> Vec<Refusal> {
    let computed = |name: &str| {
        let column = original.column(name);
        !unverified.is_empty() && column.is_some_and(Column::generated)
    };
    key.columns
        .iter()
        .filter(|column| unverified.contains(&column.ghost_name) || computed(&column.name))
        .map(|column| {
            Refusal::new(
                format!(
                    "without strict mode a value of key column `{}` may be cut, and its row could no \
                     longer be found",
                    column.name
                ),
                "leave --skip-strict-mode out, or change this column in a step of its own",
            )
        })
        .collect()
}

/// Where ALTER meets a NULL it stores its own time, INSERT without strict mode the zero date (MySQL
/// 9.7.4, case `refused_null_into_timestamp`).
fn null_into_timestamp(conversion: Conversion, columns: &ColumnMap) -> Vec<Refusal> {
    if conversion.misfits == Misfits::Refused {
        return vec![];
    }
    columns
        .shared
        .iter()
        .filter(|shared| shared.from.nullable && !shared.to.nullable)
        .filter(|shared| shared.to.data_type == "timestamp")
        .map(|shared| {
            Refusal::new(
                format!(
                    "column `{}` becomes TIMESTAMP NOT NULL; a plain ALTER stores its own time for \
                     NULL, a copy can't",
                    shared.from.name
                ),
                "leave --skip-strict-mode out, or give rows with NULL a time first",
            )
        })
        .collect()
}

/// Defaults that a plain ALTER refuses in the server's mode: the ghost gets its shape in one that lets the
/// original's own through.
fn zero_defaults(
    conversion: Conversion,
    server_mode: &str,
    columns: &ColumnMap,
    ghost: &Table,
) -> Vec<Refusal> {
    let refused = server_mode.contains("NO_ZERO_DATE") || server_mode.contains("NO_ZERO_IN_DATE");
    if !refused || conversion.zero_dates_allowed {
        return Vec::new();
    }
    let unchanged = |column: &Column| {
        columns.original_of(&column.name).is_some_and(|shared| {
            shared.from.default == column.default && shared.from.column_type == column.column_type
        })
    };
    let zero = |column: &&Column| {
        let default = column.default.as_deref().unwrap_or_default();
        let date = default.split(' ').next().unwrap_or_default();
        temporal(&column.data_type) && (date.contains("-00") || date.starts_with("0000-"))
    };
    ghost
        .columns
        .iter()
        .filter(zero)
        .filter(|column| !unchanged(column))
        .map(|column| {
            Refusal::new(
                format!(
                    "the default of column `{}` is a zero date, which the server's sql_mode refuses",
                    column.name
                ),
                "give it another default, or --allow-zero-in-date",
            )
        })
        .collect()
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
