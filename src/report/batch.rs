//! What became of a batch, as a table or as JSON. Pure.

use super::json::string;
use crate::plan::batch::schedule::Counts;

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// Its state in a word.
    pub state: &'static str,
    /// The server.
    pub server: String,
    /// Schema and table.
    pub table: String,
    /// The migration.
    pub migration: String,
    /// Exit code of its last run.
    pub exit_code: Option<u64>,
    /// Runs that were begun.
    pub attempts: u64,
    /// Who is or was at it.
    pub worker: String,
    /// Seconds since a running one was heard of.
    pub silent_s: Option<u64>,
    /// Why it isn't done, in one line.
    pub why: String,
    /// Its log.
    pub log: String,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// The batch's name.
    pub batch: String,
    /// `completed`, `failed` or `incomplete`.
    pub result: &'static str,
    /// The exit code.
    pub exit_code: u8,
    /// Numbers.
    pub counts: Counts,
    /// What concerns no job alone.
    pub notes: Vec<String>,
    /// The jobs.
    pub lines: Vec<Line>,
}

/// In one line.
#[must_use]
pub fn headline(summary: &Summary) -> String {
    let counts = &summary.counts;
    let parts: Vec<String> = named(counts)
        .iter()
        .filter(|(name, count)| *count > 0 || *name == "done")
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let (batch, result) = (&summary.batch, summary.result);
    format!(
        "batch {batch} {result}: {} of {}",
        parts.join(", "),
        counts.jobs
    )
}

fn named(counts: &Counts) -> [(&'static str, usize); 6] {
    [
        ("done", counts.done),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
        ("interrupted", counts.interrupted),
        ("running", counts.running),
        ("pending", counts.pending),
    ]
}

/// For people: a table of the jobs, then the headline.
#[must_use]
pub fn text(summary: &Summary) -> String {
    let head = ["JOB", "STATE", "SERVER", "TABLE", "MIGRATION"].map(str::to_owned);
    let row = |line: &Line| {
        [
            line.id.clone(),
            line.state.to_owned(),
            line.server.clone(),
            line.table.clone(),
            line.migration.clone(),
        ]
    };
    let rows: Vec<[String; 5]> = std::iter::once(head)
        .chain(summary.lines.iter().map(row))
        .collect();
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let whys = std::iter::once("WHY".to_owned()).chain(summary.lines.iter().map(why));
    let mut text = String::new();
    for (row, why) in rows.iter().zip(whys) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        line.push_str(&why);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for note in &summary.notes {
        text.push_str(note);
        text.push('\n');
    }
    text.push_str(&headline(summary));
    text.push('\n');
    text
}

fn why(line: &Line) -> String {
    let mut parts = Vec::new();
    if line.state == "running" {
        let silent = line.silent_s.unwrap_or_default();
        parts.push(format!("on {}, heard of {silent} s ago", line.worker));
    }
    if !line.why.is_empty() {
        parts.push(line.why.clone());
    }
    if let Some(code) = line.exit_code.filter(|code| *code != 0) {
        parts.push(format!("exit code {code}"));
    }
    if matches!(line.state, "failed" | "interrupted") && !line.log.is_empty() {
        parts.push(line.log.clone());
    }
    parts.join("; ")
}

/// For programs: one object on one line.
#[must_use]
pub fn json(summary: &Summary) -> String {
    let number = |number: Option<u64>| number.map_or("null".to_owned(), |n| n.to_string());
    let jobs: Vec<String> = summary
        .lines
        .iter()
        .map(|line| {
            format!(
                "{{\"job\":{},\"state\":{},\"server\":{},\"table\":{},\"migration\":{},\"exit_code\":{},\
                 \"attempts\":{},\"worker\":{},\"silent_seconds\":{},\"why\":{},\"log\":{}}}",
                string(&line.id),
                string(line.state),
                string(&line.server),
                string(&line.table),
                string(&line.migration),
                number(line.exit_code),
                line.attempts,
                string(&line.worker),
                number(line.silent_s.filter(|_| line.state == "running")),
                string(&line.why),
                string(&line.log),
            )
        })
        .collect();
    let counts: Vec<String> = named(&summary.counts)
        .iter()
        .map(|(name, count)| format!("\"{name}\":{count}"))
        .collect();
    let notes: Vec<String> = summary.notes.iter().map(|note| string(note)).collect();
    format!(
        "{{\"batch\":{},\"result\":{},\"exit_code\":{},\"count\":{},{},\"notes\":[{}],\"jobs\":[{}]}}\n",
        string(&summary.batch),
        string(summary.result),
        summary.exit_code,
        summary.counts.jobs,
        counts.join(","),
        notes.join(","),
        jobs.join(","),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let summary = Summary {
            batch: "notes".into(),
            result: "failed",
            exit_code: 12,
            counts: Counts {
                jobs: 2,
                done: 1,
                failed: 1,
                ..Counts::default()
            },
            notes: vec!["server b can't be reached".into()],
            lines: vec![
                Line {
                    id: "1".into(),
                    state: "done",
                    server: "a".into(),
                    table: "shop.orders".into(),
                    migration: "m".into(),
                    exit_code: Some(0),
                    attempts: 1,
                    ..Line::default()
                },
                Line {
                    id: "2".into(),
                    state: "failed",
                    server: "a".into(),
                    table: "d.t".into(),
                    migration: "m".into(),
                    exit_code: Some(5),
                    attempts: 2,
                    why: "a \"value\"".into(),
                    log: "logs/x".into(),
                    ..Line::default()
                },
            ],
        };
        assert_eq!(
            text(&summary),
            "JOB  STATE   SERVER  TABLE        MIGRATION  WHY\n\
             1    done    a       shop.orders  m\n\
             2    failed  a       d.t          m          a \"value\"; exit code 5; logs/x\n\
             server b can't be reached\n\
             batch notes failed: 1 done, 1 failed of 2\n"
        );
        let json = json(&summary);
        for part in [
            "{\"batch\":\"notes\",\"result\":\"failed\",\"exit_code\":12,\"count\":2,\"done\":1,",
            "\"why\":\"a \\\"value\\\"\",\"log\":\"logs/x\"}]}\n",
        ] {
            assert!(json.contains(part), "{json}");
        }
    }
}
