//! Changes that the server makes by itself without touching rows, and changes that are no changes.
//!
//! Whether the server can do it is tried on the empty ghost, never guessed. INSTANT is a promise by the
//! server that no row is touched. INPLACE is none: it may rebuild the table, so it is taken only for the
//! clauses listed here, and only if the ghost was the same table with the same indexes afterwards.

use super::alter::Alter;
use super::alter::clauses::{Clause, clauses};
use super::inspection::{Column, Index, Table, same_name};
use super::{Companions, INSTANT_TRUSTED, Plan, Renames, Wishes};
use crate::plan::inspection::Inspection;

/// What the operator wished about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shortcuts {
    /// `--no-shortcuts`, or `--attempt-instant-ddl=false`.
    Off,
    /// Nothing was said.
    #[default]
    Usual,
    /// `--attempt-instant-ddl`.
    Asked,
}

/// How the server makes a change by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Native {
    /// `ALGORITHM=INSTANT`.
    AtOnce,
    /// `ALGORITHM=INPLACE`, in the table's metadata alone.
    InPlace,
}

impl Native {
    /// The clauses that say so, to stand in front of the others: behind them a comment could hide them.
    #[must_use]
    pub fn clauses(self) -> &'static str {
        match self {
            Self::AtOnce => "ALGORITHM=INSTANT, LOCK=DEFAULT",
            Self::InPlace => "ALGORITHM=INPLACE, LOCK=NONE",
        }
    }

    /// As it is recorded.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AtOnce => "instant",
            Self::InPlace => "inplace",
        }
    }

    /// In a sentence.
    #[must_use]
    pub fn adverb(self) -> &'static str {
        match self {
            Self::AtOnce => "instantly",
            Self::InPlace => "in place",
        }
    }
}

/// What was found out on the ghost about a change by the server itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Direct {
    /// How the server can make it, if it can without touching rows.
    pub native: Option<Native>,
    /// What the server said when it can't instantly; empty if it wasn't asked.
    pub why_not: String,
    /// Why it wasn't asked; empty if it was.
    pub unasked: String,
}

/// What of a run has a say in whether its table may be altered directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Course {
    /// What was wished.
    pub wish: Shortcuts,
    /// Nothing is swapped: a rehearsal on a replica.
    pub rehearsal: bool,
    /// The change waits for the operator's sign.
    pub postponed: bool,
    /// The change waits for its time of day.
    pub windowed: bool,
    /// Plans of statements are compared between two tables.
    pub compared: bool,
    /// The old table is to follow for a while.
    pub revertible: bool,
    /// Columns get values that the server doesn't give them.
    pub backfilled: bool,
}

/// Why the table isn't altered directly, or `None` if it may be.
#[must_use]
pub fn speaks_against(
    course: Course,
    wishes: &Wishes,
    facts: &Inspection,
    alter: &Alter,
) -> Option<String> {
    let why = match course {
        Course {
            wish: Shortcuts::Off,
            ..
        } => "--no-shortcuts",
        Course {
            rehearsal: true, ..
        } => "a rehearsal on a replica alters nothing",
        Course {
            backfilled: true, ..
        } => "--backfill fills columns while rows are copied",
        Course { windowed: true, .. } => "--cut-over-window says when the table may change",
        Course { compared: true, .. } => "--compare-plans needs two tables to compare",
        Course {
            revertible: true, ..
        } => "--revert-window needs an old table to go back to",
        Course {
            postponed: true,
            wish: Shortcuts::Usual,
            ..
        } => "the cut-over is postponed by a flag file, and a shortcut can't be",
        _ if wishes.renames == Renames::Skipped && !alter.renamed.is_empty() => {
            "--skip-renamed-columns leaves data behind that the server would keep"
        }
        _ if wishes.foreign_keys == Companions::DealtWith && !facts.foreign_keys.is_empty() => {
            "--discard-foreign-keys takes foreign keys away that the server would keep"
        }
        _ if facts.server.version < INSTANT_TRUSTED => {
            return Some(format!(
                "instant changes of columns damaged tables before {INSTANT_TRUSTED}, and this is {}",
                facts.server.version
            ));
        }
        _ => return None,
    };
    Some(why.into())
}

/// Whether a change in place can be one of metadata alone, by its clauses and by what became of the
/// columns of the ghost.
#[must_use]
pub fn metadata_only(alter: &Alter, original: &Table, ghost: &Table) -> bool {
    let clauses = clauses(&alter.clauses);
    let allowed = |clause: &Clause| match clause {
        Clause::DropIndex(name) => plain_index(original, name),
        Clause::Modify(name) => {
            let pair = original.column(name).zip(ghost.column(name));
            pair.is_some_and(|(before, after)| at_most_longer(before, after))
        }
        Clause::RenameIndex
        | Clause::IndexVisibility
        | Clause::ColumnDefault
        | Clause::Words
        | Clause::Counter => true,
        Clause::AddColumn(_) | Clause::AddIndex(..) | Clause::Convert | Clause::Other => false,
    };
    // Of a table with a full-text or spatial index other clauses can't be done in place.
    let special = ["\n  FULLTEXT KEY ", "\n  SPATIAL KEY "]
        .iter()
        .any(|start| original.definition.contains(start));
    !clauses.is_empty() && !special && clauses.iter().all(allowed)
}

/// Not the one by which the rows are stored.
fn plain_index(original: &Table, name: &str) -> bool {
    let stores = |index: &&Index| {
        index.unique
            && !index
                .parts
                .iter()
                .any(|part| nullable(original, part.column.as_deref()))
    };
    let stored_by = original
        .indexes
        .iter()
        .find(|index| index.name == "PRIMARY");
    let stored_by = stored_by.or_else(|| original.indexes.iter().find(stores));
    stored_by.is_some_and(|index| !same_name(&index.name, name))
}

fn nullable(table: &Table, column: Option<&str>) -> bool {
    let column = column.and_then(|name| table.column(name));
    column.is_none_or(|column| column.nullable)
}

/// Bytes of the length in front of a VARCHAR: one up to 255 bytes, then two.
const SHORT_BYTES_MAX: u64 = 255;

/// It is the same column, or a VARCHAR that got longer with the same bytes for its length.
fn at_most_longer(before: &Column, after: &Column) -> bool {
    let like_before = Column {
        column_type: before.column_type.clone(),
        octet_length: before.octet_length,
        default: before.default.clone(),
        ..after.clone()
    };
    if like_before != *before {
        return false;
    }
    if before.column_type == after.column_type {
        return true;
    }
    let (Some(short), Some(long)) = (before.octet_length, after.octet_length) else {
        return false;
    };
    before.data_type == "varchar"
        && short <= long
        && (short <= SHORT_BYTES_MAX) == (long <= SHORT_BYTES_MAX)
}

/// A table's name as InnoDB's catalogue has it, if that can be told: letters, digits and `_` stand for
/// themselves, other ASCII is escaped (manual, "Mapping of Identifiers to File Names").
#[must_use]
pub fn innodb_name(schema: &str, table: &str) -> Option<String> {
    let escaped = |name: &str| {
        let mut text = String::new();
        for character in name.chars() {
            match character {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => text.push(character),
                ' '..='~' => text.push_str(&format!("@{:04x}", u32::from(character))),
                _ => return None,
            }
        }
        Some(text)
    };
    Some(format!("{}/{}", escaped(schema)?, escaped(table)?))
}

/// Tables and indexes as InnoDB numbers them; a rebuilt table or a new index has a new number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ids {
    /// The table's.
    pub table: u64,
    /// Its indexes'.
    pub indexes: Vec<u64>,
}

impl Ids {
    /// The table is the same, and it has no index that it hadn't before.
    #[must_use]
    pub fn nothing_new(&self, before: &Self) -> bool {
        self.table > 0
            && self.table == before.table
            && self.indexes.iter().all(|id| before.indexes.contains(id))
    }
}

/// What the original became while nobody knows whether the server made the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// What the change makes of it.
    Changed,
    /// Nothing: it is as it was.
    Unchanged,
    /// Something else.
    Another,
}

/// Tells it from the catalogue.
#[must_use]
pub fn became(now: &Table, plan: &Plan) -> Became {
    let plain = crate::sql::cutover::without_counter;
    if plain(&now.definition) == plain(&plan.original.definition) {
        return Became::Unchanged;
    }
    if body(&now.definition) == body(&plan.ghost.definition) {
        return Became::Changed;
    }
    Became::Another
}

/// A definition without what differs between a table and its ghost: name, counter, and the constraints, whose
/// names differ.
fn body(definition: &str) -> Vec<String> {
    let plain = crate::sql::cutover::without_counter(definition);
    let lines = plain.lines().skip(1);
    let others = lines.filter(|line| !line.starts_with("  CONSTRAINT "));
    others
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::alter::parse;
    use crate::plan::inspection::{IndexPart, Server, Version};

    fn column(name: &str, bytes: u64) -> Column {
        Column {
            name: name.into(),
            data_type: "varchar".into(),
            column_type: format!("varchar({bytes})"),
            octet_length: Some(bytes),
            ..Column::default()
        }
    }

    fn index(name: &str, column: &str, unique: bool) -> Index {
        Index {
            name: name.into(),
            unique,
            parts: vec![IndexPart {
                column: Some(column.into()),
                prefix: false,
                expression: None,
            }],
        }
    }

    fn table(bytes: u64) -> Table {
        Table {
            columns: vec![column("a", bytes), column("b", 10)],
            indexes: vec![index("u", "a", true), index("k", "b", false)],
            ..Table::default()
        }
    }

    fn in_place(text: &str, before: u64, after: u64) -> bool {
        let alter = parse(text).expect("a good ALTER");
        metadata_only(&alter, &table(before), &table(after))
    }

    #[test]
    fn only_what_is_listed_is_done_in_place() {
        for text in [
            "DROP INDEX k",
            "RENAME INDEX k TO l, ALTER INDEX l INVISIBLE",
            "COMMENT 'x', AUTO_INCREMENT=7",
            "ALTER b SET DEFAULT 'x'",
            "MODIFY b VARCHAR(10) COMMENT 'x'",
        ] {
            assert!(in_place(text, 20, 20), "{text}");
        }
        for text in [
            // The rows are stored by it.
            "DROP INDEX u",
            "DROP INDEX k, ADD INDEX k (b)",
            "DROP INDEX k, ADD COLUMN c INT",
            "DROP INDEX k, FORCE",
            "ADD INDEX l (b)",
            "ENGINE=InnoDB",
            "DROP COLUMN b",
            "CONVERT TO CHARACTER SET utf8mb4",
        ] {
            assert!(!in_place(text, 20, 20), "{text}");
        }
    }

    #[test]
    fn a_varchar_may_get_longer_while_its_length_takes_as_many_bytes() {
        let modify = "MODIFY a VARCHAR(1)";
        for (before, after, expected) in [
            (20, 255, true),
            (256, 1_000, true),
            (255, 256, false),
            (63, 64, true),
            (30, 20, false),
            (300, 200, false),
        ] {
            assert_eq!(
                in_place(modify, before, after),
                expected,
                "{before} {after}"
            );
        }
        let alter = parse(modify).expect("a good ALTER");
        let mut other = table(30);
        if let Some(column) = other.columns.first_mut() {
            column.collation = Some("utf8mb4_bin".into());
        }
        assert!(!metadata_only(&alter, &table(20), &other));
    }

    #[test]
    fn full_text_indexes_keep_a_table_from_it() {
        let alter = parse("DROP INDEX k").expect("a good ALTER");
        let special = Table {
            definition: "CREATE TABLE `t` (\n  FULLTEXT KEY `f` (`a`)\n)".into(),
            ..table(20)
        };
        assert!(!metadata_only(&alter, &special, &table(20)));
    }

    #[test]
    fn names_are_escaped_as_innodb_does() {
        assert_eq!(
            innodb_name("d", "a-b$c").as_deref(),
            Some("d/a@002db@0024c")
        );
        assert_eq!(innodb_name("d", "ü"), None);
    }

    #[test]
    fn a_rebuilt_table_and_a_new_index_are_seen() {
        let ids = |table, indexes: &[u64]| Ids {
            table,
            indexes: indexes.to_vec(),
        };
        let before = ids(7, &[1, 2]);
        assert!(ids(7, &[1]).nothing_new(&before));
        assert!(!ids(8, &[1, 2]).nothing_new(&before));
        assert!(!ids(7, &[1, 3]).nothing_new(&before));
        assert!(!Ids::default().nothing_new(&Ids::default()), "not found");
    }

    fn facts(version: Version) -> Inspection {
        Inspection {
            server: Server {
                version,
                ..Server::default()
            },
            ..Inspection::default()
        }
    }

    #[test]
    fn what_the_operator_wants_beside_it_can_speak_against_it() {
        let facts = facts(INSTANT_TRUSTED);
        let alter = parse("RENAME COLUMN a TO b").expect("a good ALTER");
        let wishes = Wishes::default();
        let against = |course| speaks_against(course, &wishes, &facts, &alter).is_some();
        let usual = Course::default();
        assert!(!against(usual));
        for course in [
            Course {
                wish: Shortcuts::Off,
                ..usual
            },
            Course {
                rehearsal: true,
                wish: Shortcuts::Asked,
                ..usual
            },
            Course {
                windowed: true,
                wish: Shortcuts::Asked,
                ..usual
            },
            Course {
                compared: true,
                wish: Shortcuts::Asked,
                ..usual
            },
            Course {
                revertible: true,
                ..usual
            },
            Course {
                backfilled: true,
                wish: Shortcuts::Asked,
                ..usual
            },
            Course {
                postponed: true,
                ..usual
            },
        ] {
            assert!(against(course), "{course:?}");
        }
        assert!(!against(Course {
            postponed: true,
            wish: Shortcuts::Asked,
            ..usual
        }));
        let skipped = Wishes {
            renames: Renames::Skipped,
            ..wishes
        };
        assert!(speaks_against(usual, &skipped, &facts, &alter).is_some());
    }

    #[test]
    fn an_old_server_speaks_against_it() {
        let old = facts(Version {
            major: 8,
            minor: 0,
            patch: 29,
        });
        let alter = parse("RENAME COLUMN a TO b").expect("a good ALTER");
        let (usual, wishes) = (Course::default(), Wishes::default());
        let why = speaks_against(usual, &wishes, &old, &alter).unwrap_or_default();
        assert!(
            why.contains("before 8.0.33") && why.contains("8.0.29"),
            "{why}"
        );
    }
}
