//! The history of migrations: what is recorded of a run, and what a record means. Pure.
//!
//! One row per run that began to copy, in an ordinary table. A run that is killed can't say so: its row
//! stays `running`, and the advisory lock that it held tells the truth. The table's comment has the number
//! of its format; later formats only append columns, so that a replica with the newer one can still apply
//! the rows of the older.

use super::shortcut::Native;

/// Name of the table.
pub const TABLE: &str = "_tableshift_history";
/// The format that this version reads and writes.
pub const FORMAT: u32 = 1;
/// What the comment of every format begins with.
const COMMENT: &str = "tableshift history, format ";

/// Result of a run whose end wasn't recorded yet.
pub const RUNNING: &str = "running";
/// Result of a run that is over and could not say how.
pub const INTERRUPTED: &str = "interrupted";
/// A run on another server than the one asked, which alone knows whether it is still going on.
pub const RUNNING_ELSEWHERE: &str = "running?";

/// The comment of the table.
#[must_use]
pub fn comment() -> String {
    format!("{COMMENT}{FORMAT}")
}

/// A table that has the history's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It can be read and written.
    Ours,
    /// Of another version of this program.
    OtherFormat(u32),
    /// Somebody else's.
    Foreign,
}

/// What a table with the history's name is, by its comment.
#[must_use]
pub fn found(comment: &str) -> Found {
    match comment.strip_prefix(COMMENT).map(str::parse) {
        Some(Ok(FORMAT)) => Found::Ours,
        Some(Ok(other)) => Found::OtherFormat(other),
        Some(Err(_)) | None => Found::Foreign,
    }
}

/// What kind of run it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Copied and swapped.
    Migrate,
    /// The server altered the original by itself.
    Altered(Native),
    /// `--test-on-replica`: copied, not swapped.
    Test,
    /// `--revert`: swapped back.
    Revert,
}

impl Kind {
    /// As it is recorded.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Migrate => "migrate",
            Self::Altered(native) => native.word(),
            Self::Test => "test",
            Self::Revert => "revert",
        }
    }
}

/// What is known of a run when it begins; the server adds what it knows itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The last part of the mark of its connections.
    pub id: String,
    /// What kind it is.
    pub kind: Kind,
    /// Schema of the table.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The ALTER as given, without passwords.
    pub alter: String,
    /// Milliseconds since the program was started.
    pub age_ms: u64,
    /// Name of the advisory lock, and the connection that holds it.
    pub lock: (String, u32),
    /// Who runs the program.
    pub os_user: String,
    /// On which host.
    pub host: String,
    /// As which process.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
}

/// What a run did, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Rows read by the copy.
    pub rows_copied: u64,
    /// Rows of the ghost replaced or deleted because their originals changed.
    pub keys_refreshed: u64,
    /// Rows compared.
    pub rows_verified: u64,
    /// Time spent copying.
    pub copy_ms: u64,
    /// Time that the tables were locked, all attempts together.
    pub locked_ms: u64,
    /// Cut-over attempts begun.
    pub attempts: u32,
    /// Where the stream was at the end; empty when none was followed.
    pub position: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// In one word.
    pub result: &'static str,
    /// The process's exit code.
    pub exit_code: u8,
    /// Why, in one line; empty when all went well.
    pub reason: String,
    /// What was done until then.
    pub figures: Figures,
}

/// Characters of a reason that are kept; the log has the rest.
const REASON_CHARS_MAX: usize = 2_000;

/// The one line of a report that says what happened.
#[must_use]
pub fn reason(report: &str) -> String {
    let told = report.strip_prefix("error: ").unwrap_or_default();
    let line = told.lines().next().unwrap_or_default();
    line.chars().take(REASON_CHARS_MAX).collect()
}

/// What was done, as it is recorded: the ALTER without passwords, and what fills its columns.
#[must_use]
pub fn recorded<'a>(alter: &str, backfills: impl Iterator<Item = &'a str>) -> String {
    let filled = backfills.map(|backfill| format!("\n--backfill {backfill}"));
    without_passwords(alter) + &filled.collect::<String>()
}

/// The ALTER without what `CONNECTION='…'` holds: a URL with a password.
#[must_use]
pub fn without_passwords(alter: &str) -> String {
    const OPTION: &str = "connection";
    let mut kept = String::with_capacity(alter.len());
    let mut rest = alter;
    // Letters outside ASCII keep their places and lengths here.
    while let Some(position) = rest.to_ascii_lowercase().find(OPTION) {
        let (before, after) = rest.split_at(position + OPTION.len());
        kept.push_str(before);
        rest = after;
        let value = behind_equals(after);
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
            continue;
        };
        kept.push_str(after.get(..after.len() - value.len()).unwrap_or_default());
        kept.push_str("'***'");
        rest = behind_literal(value, quote);
    }
    kept.push_str(rest);
    kept
}

/// What stands behind an equals sign, white space and comments.
fn behind_equals(text: &str) -> &str {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '=');
        let Some(comment) = rest.strip_prefix("/*") else {
            return rest;
        };
        let Some((_, behind)) = comment.split_once("*/") else {
            return rest;
        };
        rest = behind;
    }
}

/// What stands behind a string literal.
fn behind_literal(text: &str, quote: char) -> &str {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((position, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return text.get(position + 1..).unwrap_or_default();
            }
        }
    }
    ""
}

/// One row of the table, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The schema whose history it comes from.
    pub history_schema: String,
    /// The columns, named and ordered as [`COLUMNS`].
    pub values: Vec<Option<String>>,
    /// It happened on the server that was asked.
    pub here: bool,
    /// The connection that held its advisory lock holds it now.
    pub alive: bool,
}

/// The columns that are listed, and whether they are numbers.
pub const COLUMNS: [(&str, bool); 27] = [
    ("run_id", false),
    ("kind", false),
    ("table_schema", false),
    ("table_name", false),
    ("alter_text", false),
    ("started", false),
    ("ended", false),
    ("result", false),
    ("exit_code", true),
    ("reason", false),
    ("mysql_account", false),
    ("os_user", false),
    ("tool_host", false),
    ("tool_pid", true),
    ("tool_version", false),
    ("server_host", false),
    ("server_port", true),
    ("server_uuid", false),
    ("server_version", false),
    ("rows_copied", true),
    ("keys_refreshed", true),
    ("rows_verified", true),
    ("copy_ms", true),
    ("locked_ms", true),
    ("cut_over_attempts", true),
    ("log_position", false),
    ("took_ms", true),
];

impl Entry {
    /// A column's value; empty when it has none.
    #[must_use]
    pub fn get(&self, column: &str) -> &str {
        let position = COLUMNS.iter().position(|(name, _)| *name == column);
        let value = position.and_then(|position| self.values.get(position)?.as_deref());
        value.unwrap_or_default()
    }

    /// The result, with what the lock says of a run whose end isn't recorded.
    #[must_use]
    pub fn result(&self) -> &str {
        match self.get("result") {
            RUNNING if !self.here => RUNNING_ELSEWHERE,
            RUNNING if self.alive => RUNNING,
            RUNNING => INTERRUPTED,
            result => result,
        }
    }
}

/// Newest first, and no more than these; 0 is no limit.
#[must_use]
pub fn newest(mut entries: Vec<Entry>, limit: usize) -> Vec<Entry> {
    entries.sort_by(|one, other| {
        let age = |entry: &Entry| {
            (
                entry.get("started").to_owned(),
                entry.get("run_id").to_owned(),
            )
        };
        age(other).cmp(&age(one))
    });
    if limit > 0 {
        entries.truncate(limit);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(started: &str, result: &str) -> Entry {
        let value = |(name, _): &(&str, bool)| match *name {
            "started" => Some(started.to_owned()),
            "result" => Some(result.to_owned()),
            _ => None,
        };
        Entry {
            values: COLUMNS.iter().map(value).collect(),
            here: true,
            ..Entry::default()
        }
    }

    #[test]
    fn only_our_own_format_is_written_to() {
        assert_eq!(found(&comment()), Found::Ours);
        assert_eq!(found("tableshift history, format 2"), Found::OtherFormat(2));
        assert_eq!(found(""), Found::Foreign);
        assert_eq!(
            found("tableshift history, format 1 of mine"),
            Found::Foreign
        );
    }

    #[test]
    fn a_run_without_its_lock_is_interrupted_where_that_can_be_known() {
        let mut running = entry("2026-11-24 06:00:00", RUNNING);
        assert_eq!(running.result(), INTERRUPTED);
        running.alive = true;
        assert_eq!(running.result(), RUNNING);
        running.here = false;
        assert_eq!(running.result(), RUNNING_ELSEWHERE);
        assert_eq!(entry("2026-11-24 06:00:00", "failed").result(), "failed");
    }

    #[test]
    fn the_newest_come_first() {
        let days = ["2026-11-23", "2026-11-25", "2026-11-24"];
        let entries: Vec<Entry> = days.iter().map(|day| entry(day, "completed")).collect();
        let shown = newest(entries.clone(), 2);
        let shown: Vec<&str> = shown.iter().map(|entry| entry.get("started")).collect();
        assert_eq!(shown, ["2026-11-25", "2026-11-24"]);
        assert_eq!(newest(entries, 0).len(), 3);
    }

    #[test]
    fn a_reason_is_one_line_and_a_success_has_none() {
        assert_eq!(reason("# Done"), "");
        assert_eq!(
            reason("error: stopped as asked\n  data:  d\n  next:  n"),
            "stopped as asked"
        );
    }

    #[test]
    fn passwords_of_connections_are_left_out() {
        for (given, kept) in [
            ("ADD COLUMN ü INT DEFAULT 1", "ADD COLUMN ü INT DEFAULT 1"),
            (
                "CONNECTION = 'mysql://u:p''w@h/d', COMMENT='c'",
                "CONNECTION = '***', COMMENT='c'",
            ),
            ("connection \"u:p\\\"w\"", "connection '***'"),
            (
                "CONNECTION /* x */ = /**/'u:p'",
                "CONNECTION /* x */ = /**/'***'",
            ),
            ("ADD connection INT", "ADD connection INT"),
            ("CONNECTION='u:p", "CONNECTION='***'"),
        ] {
            assert_eq!(without_passwords(given), kept, "{given}");
        }
    }
}
