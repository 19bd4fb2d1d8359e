//! The clauses of an ALTER one by one: what kind each is, as far as a change without a copy depends on it.
//!
//! What isn't known here is [`Clause::Other`], and with one of those no decision is taken.

use super::{Cursor, Kind, Tokenizer, split_clauses};

/// One clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// `ADD [COLUMN] c …`; the column's definition, with its place.
    AddColumn(String),
    /// `ADD [UNIQUE|FULLTEXT|SPATIAL] INDEX i …`; its name, and the clause.
    AddIndex(String, String),
    /// `DROP INDEX i`, not the primary key.
    DropIndex(String),
    /// `RENAME INDEX i TO j`.
    RenameIndex,
    /// `ALTER INDEX i VISIBLE|INVISIBLE`.
    IndexVisibility,
    /// `MODIFY [COLUMN] c …`, or `CHANGE [COLUMN] c c …`.
    Modify(String),
    /// `ALTER [COLUMN] c SET|DROP DEFAULT`, or its visibility.
    ColumnDefault,
    /// `CONVERT TO CHARACTER SET …`.
    Convert,
    /// Table options that are no more than words in the definition.
    Words,
    /// `AUTO_INCREMENT=n`, perhaps with others.
    Counter,
    /// Anything else.
    Other,
}

/// Reads the clauses of an ALTER without its head, as [`super::Alter::clauses`] has them.
#[must_use]
pub fn clauses(text: &str) -> Vec<Clause> {
    let Ok(tokens) = Tokenizer::new(text).run() else {
        return vec![Clause::Other];
    };
    let cursor = Cursor {
        text,
        tokens: &tokens,
    };
    split_clauses(cursor).into_iter().map(clause).collect()
}

fn clause(cursor: Cursor<'_>) -> Clause {
    let mut behind = cursor;
    let known = if behind.eat_word("ADD") {
        added(cursor, behind)
    } else if behind.eat_word("DROP") {
        dropped(behind)
    } else if behind.eat_word("RENAME") {
        behind
            .at_any_word(&["INDEX", "KEY"])
            .then_some(Clause::RenameIndex)
    } else if behind.eat_word("MODIFY") {
        behind.skip_column_words();
        behind.column().map(Clause::Modify)
    } else if behind.eat_word("CHANGE") {
        behind.skip_column_words();
        let names = (behind.column(), behind.column());
        match names {
            (Some(old), Some(new)) if old == new => Some(Clause::Modify(old)),
            _ => None,
        }
    } else if behind.eat_word("ALTER") {
        altered(behind)
    } else if behind.eat_word("CONVERT") {
        behind.at_word("TO").then_some(Clause::Convert)
    } else {
        options(cursor)
    };
    known.unwrap_or(Clause::Other)
}

fn added(whole: Cursor<'_>, mut cursor: Cursor<'_>) -> Option<Clause> {
    let mut index = cursor;
    index.eat_any_word(&["UNIQUE", "FULLTEXT", "SPATIAL"]);
    let kind = index.tokens.len() < cursor.tokens.len();
    if index.eat_any_word(&["INDEX", "KEY"]) || kind {
        // Without a name the server makes one up, and adds another index each time.
        if index.at_word("USING") {
            return None;
        }
        let name = index.name()?;
        return Some(Clause::AddIndex(name, whole.text_left().to_owned()));
    }
    cursor.skip_column_words();
    let list = cursor
        .peek()
        .is_some_and(|token| token.kind == Kind::Punctuation('('));
    if list || cursor.at_any_word(&super::NOT_COLUMNS) {
        return None;
    }
    Some(Clause::AddColumn(cursor.text_left().to_owned()))
}

fn dropped(mut cursor: Cursor<'_>) -> Option<Clause> {
    if !cursor.eat_any_word(&["INDEX", "KEY"]) {
        return None;
    }
    let name = cursor.name()?;
    (!name.eq_ignore_ascii_case("PRIMARY")).then_some(Clause::DropIndex(name))
}

fn altered(mut cursor: Cursor<'_>) -> Option<Clause> {
    if cursor.eat_any_word(&["INDEX", "KEY"]) {
        return Some(Clause::IndexVisibility);
    }
    if cursor.at_any_word(&["CHECK", "CONSTRAINT"]) {
        return None;
    }
    cursor.eat_word("COLUMN");
    cursor.column()?;
    cursor
        .at_any_word(&["SET", "DROP"])
        .then_some(Clause::ColumnDefault)
}

/// Options whose values are one word or text each. Those that say how rows are stored aren't here: who
/// writes them may want the table rebuilt.
const WORDS: [&str; 6] = [
    "COMMENT",
    "CHARSET",
    "COLLATE",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
];

fn options(mut cursor: Cursor<'_>) -> Option<Clause> {
    let mut kind = Clause::Words;
    while !cursor.tokens.is_empty() {
        cursor.eat_word("DEFAULT");
        if cursor.eat_word("CHARACTER") {
            if !cursor.eat_word("SET") {
                return None;
            }
        } else if cursor.eat_word("AUTO_INCREMENT") {
            kind = Clause::Counter;
        } else if !cursor.eat_any_word(&WORDS) {
            return None;
        }
        cursor.eat_punctuation('=');
        cursor.peek()?;
        cursor.advance();
    }
    Some(kind)
}

/// Whether an ALTER of these clauses has done nothing at all when it leaves the definition as it was.
///
/// Rebuilds do something that no definition shows, and so does dropping a thing and adding its like.
#[must_use]
pub fn shows_in_definition(clauses: &[Clause]) -> bool {
    !clauses.is_empty()
        && clauses.iter().all(|clause| match clause {
            Clause::AddColumn(_)
            | Clause::AddIndex(..)
            | Clause::IndexVisibility
            | Clause::Modify(_)
            | Clause::ColumnDefault
            | Clause::Convert
            | Clause::Words => true,
            Clause::DropIndex(_) | Clause::RenameIndex | Clause::Counter | Clause::Other => false,
        })
}

/// The ALTER that leaves a table as it is if, and only if, it has already what these clauses would give
/// it: columns are redefined instead of added, indexes made anew. Nothing is to be added in vain, or no
/// such ALTER can be told.
#[must_use]
pub fn given_already(text: &str) -> Option<String> {
    let clauses = clauses(text);
    let adds = |clause: &Clause| matches!(clause, Clause::AddColumn(_) | Clause::AddIndex(..));
    if !shows_in_definition(&clauses) || !clauses.iter().any(adds) {
        return None;
    }
    // Each clause is cut out of the text, so no comment at its end can swallow what follows.
    let tokens = Tokenizer::new(text).run().ok()?;
    let cursor = Cursor {
        text,
        tokens: &tokens,
    };
    let pieces: Vec<String> = split_clauses(cursor)
        .into_iter()
        .zip(clauses)
        .map(|(cursor, clause)| match clause {
            Clause::AddColumn(definition) => format!("MODIFY COLUMN {definition}"),
            Clause::AddIndex(name, whole) => {
                format!("DROP INDEX `{}`, {whole}", name.replace('`', "``"))
            }
            _ => cursor.text_left().to_owned(),
        })
        .collect();
    Some(pieces.join(",\n"))
}

/// The lines of a definition in no order, without the commas between them: an index that was made anew
/// may stand elsewhere, and nothing else may have changed its place.
#[must_use]
pub fn same_lines(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let is_index = |line: &&str| {
            let words = line.trim_start();
            ["KEY ", "UNIQUE KEY ", "FULLTEXT KEY ", "SPATIAL KEY "]
                .iter()
                .any(|start| words.starts_with(start))
        };
        let lines = text.lines().map(|line| line.trim_end_matches(','));
        let (mut indexes, others): (Vec<&str>, Vec<&str>) = lines.partition(is_index);
        indexes.sort_unstable();
        (indexes.join("\n"), others.join("\n"))
    };
    sorted(one) == sorted(other)
}

#[cfg(test)]
impl Clause {
    fn named(&self) -> &'static str {
        match self {
            Self::AddColumn(_) => "add column",
            Self::AddIndex(..) => "add index",
            Self::DropIndex(_) => "drop index",
            Self::RenameIndex => "rename index",
            Self::IndexVisibility => "visibility",
            Self::Modify(_) => "modify",
            Self::ColumnDefault => "default",
            Self::Convert => "convert",
            Self::Words => "words",
            Self::Counter => "counter",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_told_apart() {
        for (text, expected) in [
            (
                "ADD x INT, ADD COLUMN y INT AFTER x",
                "add column, add column",
            ),
            ("ADD (x INT, y INT)", "other"),
            ("ADD UNIQUE u (a, b), ADD KEY k (a)", "add index, add index"),
            ("ADD INDEX (a)", "other"),
            ("ADD FULLTEXT INDEX f (a)", "add index"),
            (
                "ADD PRIMARY KEY (a), ADD CONSTRAINT c CHECK (a > 1)",
                "other, other",
            ),
            (
                "DROP INDEX i, DROP KEY `PRIMARY`, DROP PRIMARY KEY",
                "drop index, other, other",
            ),
            ("DROP COLUMN a, DROP b", "other, other"),
            (
                "RENAME INDEX a TO b, RENAME COLUMN a TO b",
                "rename index, other",
            ),
            (
                "MODIFY a INT, CHANGE a a BIGINT, CHANGE a b INT",
                "modify, modify, other",
            ),
            (
                "ALTER a SET DEFAULT 1, ALTER INDEX i INVISIBLE",
                "default, visibility",
            ),
            ("ALTER CHECK c NOT ENFORCED", "other"),
            (
                "COMMENT 'a, b', DEFAULT CHARACTER SET = utf8mb4 COLLATE utf8mb4_bin",
                "words, words",
            ),
            ("COMMENT='x' AUTO_INCREMENT=5", "counter"),
            ("CONVERT TO CHARACTER SET utf8mb4", "convert"),
            ("ENGINE=InnoDB", "other"),
            ("COMMENT='x' ENGINE=InnoDB", "other"),
            ("FORCE", "other"),
            ("ROW_FORMAT=DYNAMIC", "other"),
            ("ORDER BY a, b", "other"),
            ("PARTITION BY HASH (id) PARTITIONS 4", "other"),
            ("COMMENT='x' PARTITION BY HASH (id)", "other"),
        ] {
            let found: Vec<&str> = clauses(text).iter().map(Clause::named).collect();
            assert_eq!(found.join(", "), expected, "{text}");
        }
    }

    #[test]
    fn rebuilds_and_exchanges_are_never_nothing() {
        for text in [
            "ENGINE=InnoDB",
            "FORCE",
            "MODIFY a INT, FORCE",
            "DROP COLUMN a, ADD COLUMN a INT",
            "RENAME COLUMN a TO b, RENAME COLUMN b TO a",
            "DROP INDEX i, ADD INDEX i (a)",
            "AUTO_INCREMENT=100",
            "ROW_FORMAT=DYNAMIC",
        ] {
            assert!(!shows_in_definition(&clauses(text)), "{text}");
        }
        assert!(shows_in_definition(&clauses("MODIFY a INT, COMMENT 'x'")));
    }

    #[test]
    fn what_is_there_already_is_looked_for_by_giving_it_once_more() {
        let again =
            given_already("ADD x INT DEFAULT 1 -- (a)\n, ADD KEY `k``k` (a), MODIFY b INT # c");
        assert_eq!(
            again.as_deref(),
            Some(
                "MODIFY COLUMN x INT DEFAULT 1,\nDROP INDEX `k``k`, ADD KEY `k``k` (a),\nMODIFY b INT"
            )
        );
        assert_eq!(given_already("MODIFY b INT"), None);
        assert_eq!(given_already("ADD x INT, FORCE"), None);
        assert_eq!(given_already("ADD x INT, DROP y"), None);
    }

    #[test]
    fn indexes_may_change_places_and_columns_may_not() {
        let one = "CREATE TABLE `t` (\n  `a` int,\n  `b` int,\n  KEY `i` (`a`),\n  KEY `j` (`b`)\n) ENGINE=x";
        let indexes = "CREATE TABLE `t` (\n  `a` int,\n  `b` int,\n  KEY `j` (`b`),\n  KEY `i` (`a`)\n) ENGINE=x";
        let columns = "CREATE TABLE `t` (\n  `b` int,\n  `a` int,\n  KEY `i` (`a`),\n  KEY `j` (`b`)\n) ENGINE=x";
        assert!(same_lines(one, indexes));
        assert!(!same_lines(one, columns));
    }
}
