//! What an operator should know of a migration before it begins: one function for each kind of finding.

pub mod indexes;
pub mod text;

use super::columns::SharedColumn;
use super::conversion::{Misfits, keeps_every_value};
use super::inspection::Column;
use super::{Plan, Refusal};
use crate::sql::quoted;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look before the migration is run.
    Warning,
    /// A run would end with this.
    Refusal,
}

impl Severity {
    /// As it is shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Refusal => "refusal",
        }
    }
}

/// One thing to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// Its kind, for programs.
    pub code: &'static str,
    /// What was found.
    pub what: String,
    /// What it means for the table and those who use it.
    pub means: String,
    /// What to do; empty when nothing has to be done.
    pub next: String,
}

impl Finding {
    fn new(severity: Severity, code: &'static str, what: String, means: &str, next: &str) -> Self {
        Self {
            severity,
            code,
            what,
            means: means.into(),
            next: next.into(),
        }
    }

    /// Good to know.
    #[must_use]
    pub fn info(code: &'static str, what: impl Into<String>, means: &str, next: &str) -> Self {
        Self::new(Severity::Info, code, what.into(), means, next)
    }

    /// To be looked at.
    #[must_use]
    pub fn warning(code: &'static str, what: impl Into<String>, means: &str, next: &str) -> Self {
        Self::new(Severity::Warning, code, what.into(), means, next)
    }

    /// What a run would end with; or what ends a plan alone, which drops nothing.
    #[must_use]
    pub fn refusal(refusal: &Refusal) -> Self {
        if refusal.of_trial {
            return Self::warning(
                "leftover-dropped",
                format!("{}: a run drops it first", refusal.what),
                "a plan drops nothing, and can't make its own while this one is there",
                "if nobody needs it, drop it yourself and plan again",
            );
        }
        let means = "a run ends with this before it writes anything to the table";
        Self::new(
            Severity::Refusal,
            "refused",
            refusal.what.clone(),
            means,
            &refusal.next,
        )
    }
}

/// Everything that both definitions tell.
#[must_use]
pub fn of_plan(plan: &Plan) -> Vec<Finding> {
    let mut findings = wished(plan);
    if plan.direct.native.is_none() {
        for shared in &plan.columns.shared {
            findings.extend(null_becomes_not_null(shared));
            findings.extend(lossy(shared, plan.conversion.misfits));
        }
    }
    findings.extend(backfilled(plan));
    findings.extend(without_default(plan));
    findings.extend(dropped(plan));
    findings.extend(plan.introduced_keys.iter().map(|key| {
        Finding::warning(
            "unique-key-added",
            format!(
                "unique key {} is new, or stricter than before",
                quoted(&key.name)
            ),
            "the rows that are there now have no duplicates as far as one statement can tell; one that comes \
             while the run goes on ends it, and after the swap the application's duplicates are refused",
            "make sure that the application doesn't write duplicates",
        )
    }));
    findings.extend(indexes::redundant(
        &plan.original.definition,
        &plan.ghost.definition,
    ));
    findings.extend(text::surprises(plan));
    if !plan.triggers.is_empty() {
        let names: Vec<String> = plan.triggers.iter().map(|one| quoted(&one.name)).collect();
        findings.push(Finding::info(
            "triggers",
            format!("triggers of the new table: {}", names.join(", ")),
            "the old table keeps its own; the new ones are made under the lock, just before the swap",
            "",
        ));
    }
    if let Some(deferred) = plan
        .deferred
        .as_ref()
        .filter(|_| plan.direct.native.is_none())
    {
        findings.push(Finding::info(
            "deferred-indexes",
            format!(
                "built after the copy, in one statement: {}",
                deferred.names()
            ),
            "the predicted time doesn't include them",
            "",
        ));
    }
    findings
}

/// What the operator's own flags bring about; told in the log of a run as well.
#[must_use]
pub fn wished(plan: &Plan) -> Vec<Finding> {
    let mut findings = wished_of_columns(plan);
    findings.extend(wished_of_constraints(plan));
    findings
}

fn wished_of_columns(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |code, what: String, means: &str, next: &str| {
        findings.push(Finding::warning(code, what, means, next));
    };
    let skipped: Vec<String> = plan.columns.skipped.iter().map(renamed).collect();
    if !skipped.is_empty() {
        warn(
            "renamed-columns-skipped",
            format!(
                "--skip-renamed-columns: the data is left behind of {}; the new columns get their defaults",
                skipped.join(", ")
            ),
            "these values stay in the old table only",
            "leave the flag out, and the data moves along",
        );
    }
    if !plan.columns.kept.is_empty() {
        warn(
            "values-of-the-old-table",
            format!(
                "`{}` alone has {}: rows that were there at the swap keep their values, later ones get the \
                 default",
                plan.names.ghost,
                listed(&plan.columns.kept)
            ),
            "so it is on the way back of a migration that dropped columns",
            "",
        );
    }
    if !plan.unverified.is_empty() {
        warn(
            "unverified-columns",
            format!(
                "--skip-strict-mode: values may be cut or adjusted, and are left out of the verification, \
                 in {}",
                listed(&plan.unverified)
            ),
            "the new table is verified in all other columns",
            "leave the flag out to have a value that doesn't fit end the run",
        );
    }
    findings
}

fn wished_of_constraints(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut warn = |code, what: String, means: &str, next: &str| {
        findings.push(Finding::warning(code, what, means, next));
    };
    if !plan.foreign_keys.is_empty() {
        let keys: Vec<String> = plan
            .foreign_keys
            .iter()
            .map(|key| format!("{} (to {})", quoted(&key.name), key.parent))
            .collect();
        warn(
            "foreign-keys-discarded",
            format!(
                "--discard-foreign-keys: the new table won't have {}; the old table keeps them until it is \
                 dropped, and rows that it refers to can't be deleted so long",
                keys.join(", ")
            ),
            "nothing checks these references after the swap",
            "add the keys again by a plain ALTER if they are needed",
        );
    }
    // What the server alters by itself keeps the names.
    if !plan.renamed_checks.is_empty() && plan.direct.native.is_none() {
        let renamed: Vec<String> = plan
            .renamed_checks
            .iter()
            .map(|(before, after)| format!("`{before}` is called `{after}`"))
            .collect();
        warn(
            "checks-renamed",
            format!(
                "check constraints have other names in the new table, because the old one keeps them: {}",
                renamed.join(", ")
            ),
            "names are unique in a schema; the conditions are the same",
            "",
        );
    }
    findings
}

fn renamed((old, new): &(String, String)) -> String {
    format!("{} (renamed to {})", quoted(old), quoted(new))
}

/// Names in back-quotes, with commas.
#[must_use]
pub fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

fn null_becomes_not_null(shared: &SharedColumn) -> Option<Finding> {
    (shared.from.nullable && !shared.to.nullable).then(|| {
        Finding::warning(
            "null-to-not-null",
            format!("column {} becomes NOT NULL", quoted(&shared.to.name)),
            "a row with NULL there ends the run in strict mode, and the original stays as it is; an INSERT that \
             leaves the column out gets no NULL any more",
            &format!("look for rows WHERE {} IS NULL first", quoted(&shared.from.name)),
        )
    })
}

fn lossy(shared: &SharedColumn, misfits: Misfits) -> Option<Finding> {
    // NULL has a finding of its own.
    let without_null = SharedColumn {
        from: Column {
            nullable: shared.to.nullable,
            ..shared.from.clone()
        },
        to: shared.to.clone(),
    };
    if keeps_every_value(&without_null) || members_appended(&shared.from, &shared.to) {
        return None;
    }
    let means = match misfits {
        Misfits::Refused => {
            "a value that doesn't fit ends the run, and the original stays as it is; a number may be rounded \
             as a plain ALTER rounds it"
        }
        Misfits::Adjusted => {
            "--skip-strict-mode: values that don't fit are cut or adjusted, as a plain ALTER does without \
             strict mode"
        }
    };
    Some(Finding::warning(
        "lossy-conversion",
        format!(
            "column {} changes from {} to {}, which may not hold every value",
            quoted(&shared.from.name),
            described(&shared.from),
            described(&shared.to)
        ),
        means,
        "look for values that don't fit first",
    ))
}

fn described(column: &Column) -> String {
    match &column.charset {
        Some(charset) => format!("{} ({charset})", column.column_type),
        None => column.column_type.clone(),
    }
}

/// An ENUM or SET with more members behind the old ones.
fn members_appended(from: &Column, to: &Column) -> bool {
    let list = matches!(from.data_type.as_str(), "enum" | "set") && from.data_type == to.data_type;
    let old = from.column_type.trim_end_matches(')');
    list && from.charset == to.charset && to.column_type.starts_with(&format!("{old},"))
}

/// What expressions of the operator fill.
fn backfilled(plan: &Plan) -> Option<Finding> {
    let columns = &plan.columns;
    if columns.backfilled.is_empty() {
        return None;
    }
    let what = format!("--backfill fills {}", columns.filled());
    let replaced = columns.backfilled.iter().filter(|one| one.replaces);
    let replaced: Vec<String> = replaced.map(|one| one.types.to.name.clone()).collect();
    let next = "make sure that the application gives these columns their values from the swap on";
    if replaced.is_empty() {
        let means = "every row has the value of its expression at the swap; rows that come or change later keep what \
                     the application gives them";
        return Some(Finding::info("backfilled-columns", what, means, next));
    }
    let means = format!(
        "earlier values of {} stay in the old table only, and no revert brings them back; rows that come or change \
         after the swap keep what the application gives them",
        listed(&replaced)
    );
    Some(Finding::warning("backfilled-columns", what, &means, next))
}

fn no_default(column: &Column) -> bool {
    !column.nullable && column.default.is_none() && !column.auto_increment() && !column.generated()
}

fn without_default(plan: &Plan) -> Vec<Finding> {
    let columns = plan
        .ghost
        .columns
        .iter()
        .filter(|column| no_default(column));
    columns
        .filter_map(|column| match plan.columns.original_of(&column.name) {
            None if plan.columns.replaces(&column.name) => None,
            None => Some(Finding::warning(
                "not-null-without-default",
                format!(
                    "column {} is added NOT NULL and without a default",
                    quoted(&column.name)
                ),
                match plan.columns.fills(&column.name) {
                    true => "an INSERT that leaves it out is refused in strict mode after the change",
                    false => {
                        "rows that are there get the type's own zero or empty value; an INSERT that leaves it \
                         out is refused in strict mode after the change"
                    }
                },
                "give it a DEFAULT, or make sure that the application knows it",
            )),
            Some(shared) if shared.from.default.is_some() => Some(Finding::warning(
                "default-lost",
                format!("column {} loses its default", quoted(&column.name)),
                "an INSERT that leaves it out is refused in strict mode after the change",
                "repeat the DEFAULT in the ALTER: MODIFY and CHANGE keep nothing that they don't name",
            )),
            Some(_) => None,
        })
        .collect()
}

/// Columns of the original whose name the new table hasn't.
#[must_use]
pub fn names_gone(plan: &Plan) -> Vec<String> {
    let original = plan.original.columns.iter();
    original
        .filter(|column| plan.ghost.column(&column.name).is_none())
        .map(|column| column.name.clone())
        .collect()
}

fn dropped(plan: &Plan) -> Option<Finding> {
    let skipped = |name: &String| plan.columns.skipped.iter().any(|(old, _)| old == name);
    let copied = |name: &String| plan.columns.find(name).is_some();
    let mut gone = names_gone(plan);
    gone.retain(|name| !copied(name) && !skipped(name));
    if gone.is_empty() {
        return None;
    }
    let means = if plan.direct.native.is_some() {
        "their values go at once: there is no old table that keeps them"
    } else {
        "their values stay in the old table as long as that is kept"
    };
    let what = format!("the new table lacks {}", listed(&gone));
    Some(Finding::info("columns-dropped", what, means, ""))
}

#[cfg(test)]
pub(in crate::plan) mod tests;
