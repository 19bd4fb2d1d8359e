//! What a run would do, as `tableshift plan` tells it: the way, what it takes, how long, and every finding.

pub mod prediction;
pub mod surroundings;

use super::findings::{Finding, Severity, indexes, names_gone, of_plan};
use super::history::without_passwords;
use super::inspection::{Table, Version};
use super::names::Names;
use super::shortcut::Native;
use super::{Plan, Refusal};
use prediction::Prediction;
use surroundings::Surroundings;

use crate::sql::quoted;

/// How the change is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the server, instantly.
    AtOnce,
    /// By the server, in the table's metadata.
    InPlace,
    /// By a copy.
    Ghost,
    /// By the old table, on the way back of a migration.
    Back,
    /// Not at all: the table has this shape.
    Nothing,
    /// Not at all: it is refused.
    Refused,
    /// Not known: a leftover is in the way of a plan, though not of a run.
    Unknown,
}

impl Way {
    /// As it is shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AtOnce => "instant",
            Self::InPlace => "inplace",
            Self::Ghost => "ghost",
            Self::Back => "revert",
            Self::Nothing => "nothing",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against a run.
    Go,
    /// Somebody should look first.
    Warnings,
    /// A run would be refused.
    Refuse,
    /// There is nothing to do.
    NothingToDo,
}

impl Verdict {
    /// As it is shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Warnings => "warnings",
            Self::Refuse => "refuse",
            Self::NothingToDo => "nothing to do",
        }
    }
}

/// What came of the sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Sampled {
    /// The time that the copy takes.
    Predicted(Prediction),
    /// None, for this reason.
    Not(String),
    /// The server refused a chunk: a run would end with this.
    Refused(String),
}

/// Everything that is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Prospect {
    /// Schema and table.
    pub table: (String, String),
    /// The ALTER, without passwords as the definition.
    pub alter: String,
    /// The server's version.
    pub server: String,
    /// How the change is made.
    pub way: Way,
    /// Why so.
    pub why: String,
    /// The table's definition after the change, if it is known.
    pub definition: Option<String>,
    /// Rows by the engine's estimate.
    pub rows: u64,
    /// What the table has around it.
    pub surroundings: Surroundings,
    /// The copy's time, or why it isn't known.
    pub copy: Result<Prediction, String>,
    /// Everything to know, the gravest first.
    pub findings: Vec<Finding>,
}

/// What is told of every table, whatever is planned.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The table.
    pub names: &'a Names,
    /// The ALTER.
    pub alter: &'a str,
    /// The server's version, as it tells it.
    pub server: &'a str,
    /// The same as numbers.
    pub version: Version,
}

impl Prospect {
    /// Of a migration that was planned.
    #[must_use]
    pub fn of_plan(
        subject: Subject<'_>,
        plan: &Plan,
        surroundings: Surroundings,
        sampled: Sampled,
    ) -> Self {
        let way = match plan.direct.native {
            Some(Native::AtOnce) => Way::AtOnce,
            Some(Native::InPlace) => Way::InPlace,
            None if plan.names.reverts => Way::Back,
            None => Way::Ghost,
        };
        let mut findings = of_plan(plan);
        findings.extend(surroundings.mentioned(&names_gone(plan)));
        findings.extend(surroundings.versions(way, subject.version));
        let copy = match sampled {
            Sampled::Predicted(prediction) => Ok(prediction),
            Sampled::Not(why) => Err(why),
            Sampled::Refused(what) => {
                findings.push(Finding {
                    severity: Severity::Refusal,
                    code: "sample-refused",
                    what: format!("a row of the sample can't be copied: {what}"),
                    means: "a run ends when it comes to this row, and the original stays as it is"
                        .into(),
                    next: "change the row or the ALTER".into(),
                });
                Err("the server refused a chunk of the sample".into())
            }
        };
        if way == Way::Ghost {
            findings.extend(surroundings.room());
            findings.extend(surroundings.retention(copy.as_ref().ok()));
        }
        Self {
            way,
            why: why(plan, way),
            definition: Some(without_passwords(&definition(plan))),
            rows: plan.original.rows_estimate,
            surroundings,
            copy,
            findings: sorted(findings),
            ..Self::bare(subject)
        }
    }

    /// Of one that is refused, or that a leftover keeps from being tried: what can be told all the same.
    #[must_use]
    pub fn refused(
        subject: Subject<'_>,
        refusals: &[Refusal],
        original: Option<&Table>,
        surroundings: Surroundings,
    ) -> Self {
        let mut findings: Vec<Finding> = refusals.iter().map(Finding::refusal).collect();
        if let Some(table) = original {
            findings.extend(indexes::of_table(&table.definition));
        }
        let (way, why, once) = if refusals.iter().all(|refusal| refusal.of_trial) {
            let once = "columns, keys and time are told once nothing is in the way any more";
            (Way::Unknown, "see the leftover", once)
        } else {
            let once = "columns, keys and time are told once nothing speaks against the migration any more";
            (Way::Refused, "see the refusals", once)
        };
        findings.extend(surroundings.mentioned(&[]));
        findings.extend(surroundings.versions(way, subject.version));
        findings.push(Finding::info(
            "not-looked-at",
            "what else the ALTER would bring isn't known",
            once,
            "",
        ));
        Self {
            way,
            why: why.into(),
            rows: original.map_or(0, |table| table.rows_estimate),
            surroundings,
            findings: sorted(findings),
            ..Self::bare(subject)
        }
    }

    /// Of one that leaves the table as it is.
    #[must_use]
    pub fn nothing(subject: Subject<'_>) -> Self {
        Self {
            way: Way::Nothing,
            why: "the table has this shape already".into(),
            ..Self::bare(subject)
        }
    }

    fn bare(subject: Subject<'_>) -> Self {
        Self {
            table: (subject.names.schema.clone(), subject.names.original.clone()),
            alter: without_passwords(subject.alter),
            server: subject.server.to_owned(),
            way: Way::Nothing,
            why: String::new(),
            definition: None,
            rows: 0,
            surroundings: Surroundings::default(),
            copy: Err("nothing would be copied".into()),
            findings: Vec::new(),
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let gravest = self.findings.iter().map(|finding| finding.severity).max();
        match (self.way, gravest) {
            (Way::Nothing, _) => Verdict::NothingToDo,
            (_, Some(Severity::Refusal)) => Verdict::Refuse,
            (_, Some(Severity::Warning)) => Verdict::Warnings,
            (_, Some(Severity::Info) | None) => Verdict::Go,
        }
    }
}

/// Under the names after the change: the table's own, and those that its constraints have then.
fn definition(plan: &Plan) -> String {
    let (ghost, own) = (quoted(&plan.names.ghost), quoted(&plan.names.original));
    let begin = format!("CREATE TABLE {ghost}");
    let directly = plan.direct.native.is_some();
    let of_ghost = plan
        .checks
        .shown_in_the_end(&plan.ghost.definition, directly);
    of_ghost.replacen(&begin, &format!("CREATE TABLE {own}"), 1)
}

fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn why(plan: &Plan, way: Way) -> String {
    let direct = &plan.direct;
    match way {
        Way::AtOnce => {
            "the server changes the table's metadata only (ALGORITHM=INSTANT), as tried on an \
                         empty copy"
                .into()
        }
        Way::InPlace => format!(
            "the server changes the table's metadata only (ALGORITHM=INPLACE, LOCK=NONE): an empty copy kept its \
             table and indexes; not instantly: {}",
            direct.why_not
        ),
        Way::Ghost if !direct.unasked.is_empty() => {
            format!("the table isn't altered directly: {}", direct.unasked)
        }
        Way::Ghost if direct.why_not.is_empty() => {
            "an earlier run of this migration is continued".into()
        }
        Way::Ghost => format!("not possible instantly: {}", direct.why_not),
        Way::Back => {
            "what was changed since the migration is taken over, and the tables are swapped".into()
        }
        Way::Nothing | Way::Refused | Way::Unknown => String::new(),
    }
}

#[cfg(test)]
mod tests;
