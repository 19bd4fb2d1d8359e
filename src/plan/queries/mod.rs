//! The application's statements, and whether their plans would get worse by the swap. Pure.
//!
//! The server's digests say which statements touch the table; each is explained as it is and over the ghost
//! (`rewrite`), and the two plans are measured (`measure`). Texts that people see are digests, which have no values.

mod calls;
mod json;
pub mod measure;
pub mod rewrite;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use super::Refusal;
use crate::limits;
use rewrite::Unfit;
pub use tokens::Quoting;

/// What the server observes of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observation {
    /// Digests that it has room for.
    pub digests: u64,
    /// Consumers that have to be on and are: of three.
    pub consumers: u64,
    /// Instruments of the statements' kinds that are off.
    pub instruments_off: u64,
    /// Characters of a sample that are kept.
    pub sample_chars: u64,
}

/// Consumers without which no digests are kept.
const CONSUMERS: u64 = 3;

impl Observation {
    /// What keeps statements from being observed.
    #[must_use]
    pub fn speaks_against(self) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if self.digests == 0 || self.sample_chars == 0 {
            refusals.push(Refusal::new(
                "--compare-plans: the server keeps no statements (performance_schema, performance_schema_digests_size \
                 or performance_schema_max_sql_text_length is 0)",
                "set them to their defaults and restart the server, or leave --compare-plans out",
            ));
        }
        if self.consumers < CONSUMERS {
            refusals.push(Refusal::new(
                "--compare-plans: performance_schema keeps no digests of statements",
                "UPDATE performance_schema.setup_consumers SET ENABLED='YES' WHERE NAME IN ('global_instrumentation', \
                 'thread_instrumentation', 'statements_digest'); then let the application work for a day",
            ));
        }
        if self.instruments_off > 0 {
            refusals.push(Refusal::new(
                "--compare-plans: performance_schema doesn't observe all kinds of statements",
                "UPDATE performance_schema.setup_instruments SET ENABLED='YES' WHERE NAME LIKE 'statement/sql/%'; then \
                 let the application work for a day",
            ));
        }
        refusals
    }
}

/// A digest that the server has seen lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its text with `?` for every value.
    pub digest_text: String,
    /// One statement of it; never shown.
    pub sample: String,
    /// Default schema of those who ran it.
    pub schema: Option<String>,
    /// How often it was run.
    pub executions: u64,
    /// The server's name for it.
    pub digest: String,
}

impl Observed {
    /// By which it is known again: the same text in another schema is another statement.
    #[must_use]
    pub fn key(&self) -> String {
        format!(
            "{}.{}",
            self.digest,
            self.schema.as_deref().unwrap_or_default()
        )
    }

    /// As messages name it.
    #[must_use]
    pub fn shown(&self) -> String {
        // So newer servers mark what was prepared.
        let text = self.digest_text.strip_prefix("EXECUTE ");
        let text = text.unwrap_or(&self.digest_text);
        let mut shown: String = text.chars().take(limits::DIGEST_CHARS_MAX).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        shown
    }
}

/// A statement that is better not run on the new table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worse {
    /// As messages name it.
    pub statement: String,
    /// How often it was run.
    pub executions: u64,
    /// What would become of it.
    pub why: String,
    /// By which it is known again.
    pub key: String,
}

impl Worse {
    /// For a log line.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "its plan gets worse: {} (run {} times): {}",
            self.statement, self.executions, self.why
        )
    }
}

/// What became of all statements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Statements whose two plans were compared.
    pub compared: usize,
    /// Those that are worse.
    pub worse: Vec<Worse>,
    /// Those that aren't, by their keys.
    fine: BTreeSet<String>,
    /// Those that weren't compared, by reason.
    left_out: BTreeMap<String, usize>,
}

impl Comparison {
    /// A statement isn't compared.
    pub fn leave_out(&mut self, why: impl Into<String>, statements: usize) {
        if statements > 0 {
            *self.left_out.entry(why.into()).or_default() += statements;
        }
    }

    /// Both plans of a statement are known.
    pub fn judged(&mut self, observed: &Observed, why: Option<String>) {
        self.compared += 1;
        match why {
            Some(why) => self.worse.push(Worse {
                statement: observed.shown(),
                executions: observed.executions,
                why,
                key: observed.key(),
            }),
            None => drop(self.fine.insert(observed.key())),
        }
    }

    /// What was worse before stays so until it was compared again and is fine: a statement that nobody has run lately,
    /// or that could not be explained this time, is no better than it was.
    pub fn remember(&mut self, before: Vec<Worse>) {
        for worse in before {
            let known =
                self.fine.contains(&worse.key) || self.worse.iter().any(|now| now.key == worse.key);
            if !known {
                self.worse.push(worse);
            }
        }
    }

    /// The same for what its text is like.
    pub fn unfit(&mut self, unfit: Unfit) {
        self.leave_out(unfit.words(), 1);
    }

    /// The result in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let left_out: usize = self.left_out.values().sum();
        let mut line = format!(
            "plans compared statements={} worse={} not_compared={left_out}",
            self.compared,
            self.worse.len()
        );
        let reasons = self.left_out.iter();
        let reasons: Vec<String> = reasons.map(|(why, n)| format!("{n}: {why}")).collect();
        if !reasons.is_empty() {
            line.push_str(&format!(" ({})", reasons.join("; ")));
        }
        line
    }

    /// Why the cut-over has to wait, if it has.
    #[must_use]
    pub fn objection(&self) -> Option<String> {
        let first = self.worse.first()?;
        let more = match self.worse.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!(
            "the new table would answer a statement worse: {}: {}{more}",
            first.statement, first.why
        ))
    }
}

/// Why the ghost can't answer what the original can, in the server's words unless they may show values.
#[must_use]
pub fn cause(code: Option<u16>, message: &str) -> String {
    match code {
        // No such column, key or partition, no partitions, an ambiguous column: the original has what is named.
        Some(code @ (1052 | 1054 | 1176 | 1735 | 1747)) => format!("{message} ({code})"),
        Some(code) => format!("error {code}"),
        None => "no answer".into(),
    }
}

/// Why a statement can't be explained at all. In another mode than that of who ran it a string may pass for a column,
/// so the server's words are repeated only about tables, schemas and routines.
#[must_use]
pub fn obstacle(code: Option<u16>, message: &str) -> String {
    match code {
        // Access denied to a schema, table or routine; no such schema or table.
        Some(code @ (1044 | 1049 | 1142 | 1146 | 1370)) => format!("{message} ({code})"),
        Some(code) => format!("error {code}"),
        None => "no answer".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(digest_text: &str) -> Observed {
        Observed {
            digest_text: digest_text.into(),
            sample: String::new(),
            schema: None,
            executions: 1,
            digest: digest_text.into(),
        }
    }

    #[test]
    fn a_server_that_observes_nothing_is_told_what_to_change() {
        let well = Observation {
            digests: 10_000,
            consumers: 3,
            instruments_off: 0,
            sample_chars: 1_024,
        };
        assert_eq!(well.speaks_against(), []);
        let nothing = Observation {
            instruments_off: 1,
            ..Observation::default()
        };
        let texts: Vec<String> = nothing
            .speaks_against()
            .iter()
            .map(|refusal| refusal.next.clone())
            .collect();
        assert_eq!(texts.len(), 3);
        assert!(texts.iter().any(|text| text.contains("setup_consumers")));
        assert!(texts.iter().any(|text| text.contains("setup_instruments")));
    }

    #[test]
    fn what_is_not_compared_is_counted_by_reason() {
        let mut found = Comparison {
            compared: 3,
            ..Comparison::default()
        };
        assert_eq!(
            found.line(),
            "plans compared statements=3 worse=0 not_compared=0"
        );
        assert_eq!(found.objection(), None);
        found.unfit(Unfit::CutOff);
        found.unfit(Unfit::CutOff);
        found.leave_out("more than 100", 0);
        found.leave_out("error 1064", 1);
        assert_eq!(
            found.line(),
            "plans compared statements=3 worse=0 not_compared=3 (1: error 1064; 2: its text is cut off \
             (performance_schema_max_sql_text_length))"
        );
        let worse = |statement: &str| Worse {
            statement: statement.into(),
            executions: 7,
            why: "it would fail".into(),
            key: statement.into(),
        };
        found.worse = vec![worse("SELECT ?"), worse("DELETE")];
        assert_eq!(
            found.objection().as_deref(),
            Some(
                "the new table would answer a statement worse: SELECT ?: it would fail (and 1 more)"
            )
        );
        assert_eq!(
            worse("DELETE").line(),
            "its plan gets worse: DELETE (run 7 times): it would fail"
        );
    }

    #[test]
    fn what_was_worse_stays_so_until_it_is_found_fine() {
        let (a, b) = (observed("SELECT a"), observed("SELECT b"));
        let why = || Some("it would fail".to_owned());
        let mut first = Comparison::default();
        first.judged(&a, why());
        first.judged(&b, why());
        // One isn't found, the other can't be explained.
        let mut second = Comparison::default();
        second.leave_out("its rows are locked by others", 1);
        second.remember(first.worse);
        assert_eq!(second.worse.len(), 2);
        assert!(second.objection().is_some());
        // One is fine, the other worse in another way: each counts once.
        let mut third = Comparison::default();
        third.judged(&a, None);
        third.judged(&b, Some("it would read more".into()));
        third.remember(second.worse);
        let left: Vec<&str> = third.worse.iter().map(|worse| worse.why.as_str()).collect();
        assert_eq!(left, ["it would read more"]);
        let mut last = Comparison::default();
        last.judged(&b, None);
        last.remember(third.worse);
        assert_eq!((last.objection(), last.compared), (None, 1));
        // In another schema it is another statement.
        let elsewhere = Observed {
            schema: Some("c".into()),
            ..observed("SELECT a")
        };
        assert_ne!(elsewhere.key(), a.key());
    }

    #[test]
    fn only_words_without_values_are_repeated() {
        let text = "Incorrect DATE value: 'secret'";
        assert_eq!(cause(Some(1525), text), "error 1525");
        assert_eq!(cause(None, text), "no answer");
        let text = "Unknown column 'a' in 'where clause'";
        assert_eq!(cause(Some(1054), text), format!("{text} (1054)"));
        assert_eq!(obstacle(Some(1054), text), "error 1054");
        let text = "SELECT command denied to user 'a'@'b' for table 'c'";
        assert_eq!(obstacle(Some(1142), text), format!("{text} (1142)"));
        let long = observed(&"é".repeat(1_000)).shown();
        assert_eq!(long.chars().count(), limits::DIGEST_CHARS_MAX + 1);
        assert_eq!(observed("SELECT ?").shown(), "SELECT ?");
        assert_eq!(observed("EXECUTE SELECT ?").shown(), "SELECT ?");
    }
}
