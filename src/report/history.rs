//! The history as a table for people, and as JSON. Pure.

use super::json::string;
use super::time::clock;
use crate::plan::history::{COLUMNS, Entry, RUNNING, RUNNING_ELSEWHERE};

/// Characters of an ALTER that the table shows; the JSON has all of it.
const CHANGE_CHARS_MAX: usize = 60;
/// Spaces between two columns.
const GAP: &str = "  ";

const TITLES: [&str; 8] = [
    "RUN",
    "STARTED (UTC)",
    "TOOK",
    "RESULT",
    "TABLE",
    "ROWS",
    "BY",
    "CHANGE",
];

/// A table with one line for each run, and a second one where there is a reason to tell.
#[must_use]
pub fn table(entries: &[Entry]) -> String {
    let rows: Vec<[String; 8]> = entries.iter().map(cells).collect();
    let mut widths = TITLES.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = line(&TITLES.map(str::to_owned), &widths);
    for (row, entry) in rows.iter().zip(entries) {
        text.push_str(&line(row, &widths));
        let reason = printable(entry.get("reason"));
        if !reason.is_empty() {
            let indent = widths.first().copied().unwrap_or_default();
            text.push_str(&format!("{:indent$}{GAP}{reason}\n", ""));
        }
    }
    if entries
        .iter()
        .any(|entry| entry.result() == RUNNING_ELSEWHERE)
    {
        text.push_str("running?: on another server, which alone knows whether it still is\n");
    }
    text
}

fn cells(entry: &Entry) -> [String; 8] {
    let or_dash = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            printable(text)
        }
    };
    let took = entry.get("took_ms").parse::<u64>().ok();
    // How long one took that was interrupted nobody knows.
    let known = entry.get("result") != RUNNING || entry.result() == RUNNING;
    let took = took.filter(|_| known).map(|took| clock(took / 1_000));
    let change = printable(entry.get("alter_text"));
    let shown = match change.char_indices().nth(CHANGE_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", change.get(..cut).unwrap_or_default()),
        None => change,
    };
    let result = match (entry.result(), entry.get("kind")) {
        (result, "migrate") => printable(result),
        (result, kind) => printable(&format!("{result} ({kind})")),
    };
    [
        or_dash(entry.get("run_id")),
        or_dash(entry.get("started").get(..19).unwrap_or_default()),
        or_dash(&took.unwrap_or_default()),
        result,
        printable(&format!(
            "{}.{}",
            entry.get("table_schema"),
            entry.get("table_name")
        )),
        or_dash(entry.get("rows_copied")),
        printable(&format!(
            "{}@{}",
            entry.get("os_user"),
            entry.get("tool_host")
        )),
        shown,
    ]
}

fn line(cells: &[String; 8], widths: &[usize; 8]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"))
        .collect();
    format!("{}\n", padded.join(GAP).trim_end())
}

/// One line, and nothing that a terminal would take for a command: anybody may have written to the table.
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// One object on one line: the columns under their names, and the schema of the history.
#[must_use]
pub fn object(entry: &Entry) -> String {
    let mut fields = vec![format!(
        "\"history_schema\":{}",
        string(&entry.history_schema)
    )];
    for ((name, number), value) in COLUMNS.iter().zip(&entry.values) {
        let shown = match (*name, value) {
            ("result", _) => string(entry.result()),
            (_, None) => "null".to_owned(),
            // The table is only as clean as those who write to it.
            (_, Some(text)) if *number && text.parse::<u64>().is_ok() => text.clone(),
            (_, Some(text)) => string(text),
        };
        fields.push(format!("{}:{shown}", string(name)));
    }
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(facts: &[(&str, &str)]) -> Entry {
        let value = |(name, _): &(&str, bool)| {
            let fact = facts.iter().find(|(column, _)| column == name);
            fact.map(|(_, value)| (*value).to_owned())
        };
        Entry {
            history_schema: "h".into(),
            values: COLUMNS.iter().map(value).collect(),
            here: true,
            alive: false,
        }
    }

    fn failed() -> Entry {
        entry(&[
            ("run_id", "0123456789abcdef"),
            ("kind", "migrate"),
            ("table_schema", "shop"),
            ("table_name", "orders"),
            ("alter_text", "ADD COLUMN a INT,\n ADD COLUMN b INT"),
            ("started", "2026-11-24 06:00:00.123456"),
            ("result", "failed"),
            ("exit_code", "5"),
            ("reason", "a \u{1b}[2J value"),
            ("os_user", "ann"),
            ("tool_host", "db1"),
            ("rows_copied", "12"),
            ("took_ms", "65000"),
        ])
    }

    #[test]
    fn a_table_is_aligned_and_safe_to_look_at() {
        let expected = "\
RUN               STARTED (UTC)        TOOK      RESULT  TABLE        ROWS  BY       CHANGE
0123456789abcdef  2026-11-24 06:00:00  00:01:05  failed  shop.orders  12    ann@db1  ADD COLUMN a INT,  ADD COLUMN b INT
                  a  [2J value
";
        assert_eq!(table(&[failed()]), expected);
    }

    #[test]
    fn nobody_knows_how_long_an_interrupted_run_took() {
        let left = entry(&[("result", "running"), ("kind", "test"), ("took_ms", "5000")]);
        let text = table(&[left]);
        assert!(text.contains(" -     interrupted (test) "), "{text}");
        assert!(!text.contains("00:00:05"), "{text}");
    }

    #[test]
    fn json_has_numbers_and_nulls() {
        let text = object(&failed());
        for part in [
            "{\"history_schema\":\"h\",\"run_id\":\"0123456789abcdef\"",
            "\"exit_code\":5",
            "\"ended\":null",
            "\"reason\":\"a \\u001b[2J value\"",
            "\"took_ms\":65000}",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
