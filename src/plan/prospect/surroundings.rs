//! What a table has around it, and what of that a migration should know.

use super::Way;
use super::prediction::Prediction;
use crate::plan::findings::{Finding, listed};
use crate::plan::inspection::Version;

/// Changes of a table's columns that INSTANT can make before the table has to be rebuilt (manual, "Online DDL
/// Operations"): 64, and 255 since 9.1.0.
const ROW_VERSIONS: u64 = 64;
/// See [`ROW_VERSIONS`].
const ROW_VERSIONS_SINCE_9_1: u64 = 255;

/// What can mention a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A view.
    View,
    /// A procedure or function.
    Routine,
    /// An event.
    Event,
    /// A trigger of another table.
    Trigger,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Routine => "routine",
            Self::Event => "event",
            Self::Trigger => "trigger",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::View => "view-mentions",
            Self::Routine => "routine-mentions",
            Self::Event => "event-mentions",
            Self::Trigger => "trigger-mentions",
        }
    }
}

/// Something that mentions the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// What it is.
    pub kind: Kind,
    /// `schema.name`.
    pub name: String,
    /// Its text, if the account can see it.
    pub text: Option<String>,
}

impl Mention {
    /// Whether it names the table: in its own schema by the table alone, elsewhere by the schema as well.
    #[must_use]
    pub fn concerns(&self, schema: &str, table: &str) -> bool {
        if self.kind == Kind::View {
            // The catalogue says so.
            return true;
        }
        let Some(text) = &self.text else { return false };
        let at_home = self.name.starts_with(&format!("{schema}."));
        names(text, table) && (at_home || names(text, schema))
    }
}

/// How a name stands in a text: as it is, or with the quotes in it doubled.
#[must_use]
pub fn spellings(name: &str) -> Vec<String> {
    let mut spellings = vec![name.to_owned()];
    for quote in ['`', '"'].into_iter().filter(|quote| name.contains(*quote)) {
        spellings.push(name.replace(quote, &format!("{quote}{quote}")));
    }
    spellings
}

/// Whether a word of the text is this name, in any letter case.
///
/// Around a name with quotes in it the catalogue shows letters of it twice (`` `oor`dd` `` for `` `or``d` ``, as
/// observed on 9.7.4): such a name may be a part of a word.
#[must_use]
pub fn names(text: &str, name: &str) -> bool {
    let text = text.to_lowercase();
    let spellings = spellings(&name.to_lowercase());
    let found = |name: &String| match spellings.len() {
        1 => has_word(&text, name),
        _ => text.contains(name),
    };
    spellings.iter().any(found)
}

fn has_word(text: &str, name: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$');
    !name.is_empty()
        && text.match_indices(name).any(|(at, found)| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            let after = text.get(at + found.len()..);
            !part(before) && !part(after.and_then(|text| text.chars().next()))
        })
}

/// What the table has around it. What isn't known is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// What mentions the table.
    pub mentions: Vec<Mention>,
    /// What the account can't see of that, in words.
    pub unseen: Vec<String>,
    /// Versions that rows of the table may have from instant changes.
    pub row_versions: Option<u64>,
    /// Bytes of the rows.
    pub data_bytes: Option<u64>,
    /// Bytes of the secondary indexes.
    pub index_bytes: Option<u64>,
    /// Bytes of the binary logs that are there.
    pub binlog_bytes: Option<u64>,
    /// Seconds after which the server drops them; 0 for never.
    pub retention_seconds: Option<u64>,
    /// Bytes free where the tables are, if the server's files can be seen from here.
    pub free_bytes: Option<u64>,
}

impl Surroundings {
    /// Bytes of the new table, by the size of the old one.
    #[must_use]
    pub fn ghost_bytes(&self) -> Option<u64> {
        Some(self.data_bytes?.saturating_add(self.index_bytes?))
    }

    /// Bytes that the copy writes to the binary log: every row once.
    #[must_use]
    pub fn copy_log_bytes(&self) -> Option<u64> {
        self.data_bytes
    }

    /// Bytes of both.
    #[must_use]
    pub fn needed_bytes(&self) -> Option<u64> {
        Some(self.ghost_bytes()?.saturating_add(self.copy_log_bytes()?))
    }

    /// Programs that mention the table; `gone` are names of columns that it won't have any more.
    #[must_use]
    pub fn mentioned(&self, gone: &[String]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .mentions
            .iter()
            .map(|mention| about(mention, gone))
            .collect();
        findings.extend(self.unseen.iter().map(|what| {
            Finding::info(
                "unseen",
                what.clone(),
                "what else mentions the table isn't known",
                "look with an account that sees more, if that matters",
            )
        }));
        findings
    }

    /// What instant changes have left in the table.
    #[must_use]
    pub fn versions(&self, way: Way, server: Version) -> Option<Finding> {
        let most = if (server.major, server.minor) >= (9, 1) {
            ROW_VERSIONS_SINCE_9_1
        } else {
            ROW_VERSIONS
        };
        let count = self.row_versions.filter(|count| *count > 0)?;
        let what = format!("instant changes have given the table {count} of {most} row versions");
        Some(match way {
            Way::AtOnce if count >= most => Finding::warning(
                "row-versions",
                what,
                "the server refuses another one on the table itself, though not on an empty copy; the run \
                 then copies",
                "run it with --no-shortcuts to have the table copied, which takes it back to none",
            ),
            Way::AtOnce => Finding::info("row-versions", what, "this change may add one", ""),
            Way::Ghost => Finding::info("row-versions", what, "the new table begins with none", ""),
            Way::Unknown => Finding::info("row-versions", what, "a copy begins with none", ""),
            Way::InPlace | Way::Back | Way::Nothing | Way::Refused => {
                Finding::info("row-versions", what, "this change adds none", "")
            }
        })
    }

    /// Whether there is room for the copy.
    #[must_use]
    pub fn room(&self) -> Option<Finding> {
        let (needed, free) = (self.needed_bytes()?, self.free_bytes?);
        (needed > free).then(|| {
            Finding::warning(
                "disk-short",
                format!("{needed} bytes are needed on the server's disk, and {free} are free"),
                "a full disk stops every write to the server",
                "make room first; binary logs may be on another disk",
            )
        })
    }

    /// Whether the binary logs are kept as long as the copy takes.
    #[must_use]
    pub fn retention(&self, prediction: Option<&Prediction>) -> Option<Finding> {
        let kept = self.retention_seconds.filter(|seconds| *seconds > 0)?;
        let prediction = prediction?;
        let longest = prediction
            .interval
            .map_or(prediction.seconds, |(_, high)| high);
        let short = std::time::Duration::from_secs_f64(longest.min(1e9)).as_secs() >= kept;
        short.then(|| {
            Finding::warning(
                "binlog-retention",
                format!("binary logs are kept for {kept} s, which may be less than the copy takes"),
                "a run that pauses for longer than that, or is stopped and goes on later, finds its place in the \
                 log gone",
                "raise binlog_expire_logs_seconds for the time of the migration",
            )
        })
    }
}

fn about(mention: &Mention, gone: &[String]) -> Finding {
    let (kind, name) = (mention.kind, &mention.name);
    let named: Vec<String> = match &mention.text {
        Some(text) => gone
            .iter()
            .filter(|column| names(text, column))
            .cloned()
            .collect(),
        None => gone.to_vec(),
    };
    if named.is_empty() {
        let means = "it finds the table by its name, before and after";
        return Finding::info(
            kind.code(),
            format!("{} {name} mentions the table", kind.word()),
            means,
            "",
        );
    }
    let (may, columns) = (
        if mention.text.is_none() {
            "may use"
        } else {
            "mentions"
        },
        listed(&named),
    );
    Finding::warning(
        kind.code(),
        format!(
            "{} {name} mentions the table, and {may} {columns}, which it won't have any more",
            kind.word()
        ),
        "it fails from the moment of the change on",
        "change it together with the table",
    )
}
