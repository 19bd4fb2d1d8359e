//! From the table as it is to the table as somebody wrote it down: what differs, and the ALTER that takes
//! it away. Both texts come from SHOW CREATE TABLE, so nothing has to be understood but its lines.
//!
//! Whether the ALTER is right isn't decided here: it is tried on an empty copy, whose definition must then
//! be the wanted one.

use super::inspection::{Table, same_name};
use crate::sql::cutover::without_counter;
use crate::sql::quoted;

/// A line of a definition that has a name.
type Named = (String, String);

/// A definition, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    columns: Vec<Named>,
    primary: Option<String>,
    indexes: Vec<Named>,
    checks: Vec<Named>,
    foreign: Vec<String>,
    options: Vec<Named>,
    partitions: String,
}

/// Takes apart what SHOW CREATE TABLE says.
#[must_use]
pub fn shape(definition: &str) -> Shape {
    let plain = plainly(&without_counter(definition));
    let mut shape = Shape::default();
    let mut lines = plain.lines().skip(1);
    for line in lines.by_ref() {
        if let Some(options) = line.strip_prefix(") ") {
            shape.options = options_of(options);
            break;
        }
        let line = line.trim().trim_end_matches(',').trim_end();
        if line.starts_with('`') {
            shape.columns.extend(named(line, line));
        } else if line.starts_with("PRIMARY KEY ") {
            shape.primary = Some(line.to_owned());
        } else if let Some(rest) = line.strip_prefix("CONSTRAINT ") {
            match named(rest, line) {
                Some((_, text)) if text.contains("` FOREIGN KEY (") => shape.foreign.push(text),
                found => shape.checks.extend(found),
            }
        } else if let Some((_, rest)) = line.split_once("KEY ") {
            shape.indexes.extend(named(rest, line));
        }
    }
    shape.partitions = lines.collect::<Vec<&str>>().join("\n").trim().to_owned();
    shape
}

/// The name at the beginning of a text, beside the whole line.
fn named(text: &str, line: &str) -> Option<Named> {
    let (name, _) = name_and_rest(text)?;
    Some((name, line.to_owned()))
}

/// A name in back-quotes, and what follows it.
fn name_and_rest(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('`')?;
    let mut name = String::new();
    let mut characters = inner.char_indices();
    while let Some((position, character)) = characters.next() {
        if character != '`' {
            name.push(character);
            continue;
        }
        let rest = inner.get(position + 1..)?;
        if !rest.starts_with('`') {
            return Some((name, rest));
        }
        name.push('`');
        characters.next();
    }
    None
}

/// The text with what stands in executable comments written plainly.
fn plainly(text: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let mut length = character.len_utf8();
        match quote {
            Some('\'') if character == '\\' => {
                length += rest.chars().nth(1).map_or(0, char::len_utf8);
            }
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if matches!(character, '\'' | '`') => quote = Some(character),
            None if rest.starts_with("/*!") => {
                let digits = rest.bytes().skip(3).take_while(u8::is_ascii_digit).count();
                rest = rest.get(3 + digits..).unwrap_or_default().trim_start();
                continue;
            }
            None if rest.starts_with("*/") => {
                rest = rest.get(2..).unwrap_or_default();
                let kept = out.trim_end_matches(' ').len();
                out.truncate(kept);
                continue;
            }
            None => {}
        }
        out.push_str(rest.get(..length).unwrap_or_default());
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// `A=1 DEFAULT B=2 C='x y'` as names and values.
fn options_of(text: &str) -> Vec<Named> {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        if character == ' ' && !quoted {
            pieces.push(String::new());
            continue;
        }
        quoted ^= character == '\'' && !escaped;
        escaped = character == '\\' && !escaped;
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
    }
    let mut options = Vec::new();
    let mut before = String::new();
    for piece in pieces {
        match piece.split_once('=') {
            Some((name, value)) => {
                options.push((format!("{before}{name}"), value.to_owned()));
                before.clear();
            }
            None => before.push_str(&format!("{piece} ")),
        }
    }
    options
}

/// What has to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Clauses of the ALTER.
    pub clauses: Vec<String>,
    /// Clauses about CHECK constraints, whose names only the table itself has.
    pub checks: Vec<String>,
    /// What follows the clauses without a comma: about partitions.
    pub partitions: String,
    /// Columns that go, with their values.
    pub dropped: Vec<String>,
    /// What no ALTER here can change.
    pub beyond: Vec<String>,
}

impl Changes {
    /// There are none.
    #[must_use]
    pub fn none(&self) -> bool {
        self.text().is_empty() && self.beyond.is_empty()
    }

    /// The whole ALTER without its head.
    #[must_use]
    pub fn text(&self) -> String {
        joined([&self.clauses[..], &self.checks].concat(), &self.partitions)
    }

    /// The same without CHECK constraints.
    #[must_use]
    pub fn text_without_checks(&self) -> String {
        joined(self.clauses.clone(), &self.partitions)
    }
}

fn joined(clauses: Vec<String>, tail: &str) -> String {
    let text = clauses.join(",\n  ");
    [text.as_str(), tail]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<&str>>()
        .join("\n  ")
}

/// What differs between two tables; `wanted` has its constraints' names as somebody wrote them.
#[must_use]
pub fn changes(live: &Table, wanted: &Table) -> Changes {
    let (from, to) = (shape(&live.definition), shape(&wanted.definition));
    let mut changes = Changes::default();
    // Constraints and indexes go before what they are about, and come after it.
    checks(&from, &to, &mut changes);
    let (given, replaced) = (from.clone(), replaced(live, wanted));
    let mut from = from;
    // Such a column, and what is made of it, is as if it weren't there.
    let whole = |text: &str| !replaced.iter().any(|name| text.contains(&quoted(name)));
    for (_, text) in from.indexes.iter_mut().filter(|(_, text)| !whole(text)) {
        text.clear();
    }
    from.primary = from
        .primary
        .map(|text| if whole(&text) { text } else { String::new() });
    indexes(&from, &to, &mut changes, false);
    for name in &replaced {
        changes
            .clauses
            .push(format!("DROP COLUMN {}", quoted(name)));
        if !computed(live, name) {
            changes.dropped.push(name.clone());
        }
    }
    from.columns
        .retain(|(name, _)| !replaced.iter().any(|other| same_name(other, name)));
    columns((live, &from), (wanted, &to), &mut changes);
    indexes(&from, &to, &mut changes, true);
    options(&from, &to, &mut changes);
    if from.partitions != to.partitions {
        changes.partitions = match to.partitions.as_str() {
            "" => "REMOVE PARTITIONING".into(),
            partitions => partitions.to_owned(),
        };
    }
    if sorted(&given.foreign) != sorted(&to.foreign) {
        changes.beyond.push("the foreign keys differ".into());
    }
    changes
}

fn sorted(lines: &[String]) -> Vec<&String> {
    let mut lines: Vec<&String> = lines.iter().collect();
    lines.sort_unstable();
    lines
}

fn found<'a>(lines: &'a [Named], name: &str) -> Option<&'a Named> {
    lines.iter().find(|(other, _)| same_name(other, name))
}

/// The same constraint, but for underscores in front of its name: a migration adds or takes away one where
/// the old table keeps the name (`plan/constraints.rs`), and the file needn't follow.
fn same_check((one, text): &Named, (other, wanted): &Named) -> bool {
    let plain = |name: &str| name.trim_start_matches('_').to_lowercase();
    let clause = |name: &str, text: &str| text.replacen(&quoted(name), "", 1);
    plain(one) == plain(other) && clause(one, text) == clause(other, wanted)
}

fn checks(from: &Shape, to: &Shape, changes: &mut Changes) {
    let lacking =
        |one: &Named, others: &[Named]| !others.iter().any(|other| same_check(one, other));
    let gone = from.checks.iter().filter(|one| lacking(one, &to.checks));
    let drops = gone.map(|(name, _)| format!("DROP CHECK {}", quoted(name)));
    changes.checks.extend(drops);
    let new = to.checks.iter().filter(|one| lacking(one, &from.checks));
    changes
        .checks
        .extend(new.map(|(_, text)| format!("ADD {text}")));
}

/// An index's line without its name, and without whether it is visible.
fn nameless((name, text): &Named) -> String {
    text.replacen(&format!("{} ", quoted(name)), "", 1)
}

fn regardless(text: &str) -> &str {
    text.strip_suffix(" INVISIBLE").unwrap_or(text)
}

/// The name under which an index that is no longer wanted comes back.
fn renamed<'a>(one: &Named, from: &Shape, to: &'a Shape) -> Option<&'a Named> {
    let added = |(name, _): &&Named| found(&from.indexes, name).is_none();
    let mut added = to.indexes.iter().filter(added);
    added.find(|other| nameless(other) == nameless(one))
}

fn indexes(from: &Shape, to: &Shape, changes: &mut Changes, adding: bool) {
    let clauses = &mut changes.clauses;
    if !adding {
        if from.primary.is_some() && from.primary != to.primary {
            clauses.push("DROP PRIMARY KEY".into());
        }
        let mut taken: Vec<&str> = Vec::new();
        for one in &from.indexes {
            let name = quoted(&one.0);
            match found(&to.indexes, &one.0) {
                Some((_, wanted)) if *wanted == one.1 => {}
                Some((_, wanted)) if regardless(wanted) == regardless(&one.1) => {
                    let word = if wanted.ends_with(" INVISIBLE") {
                        "INVISIBLE"
                    } else {
                        "VISIBLE"
                    };
                    clauses.push(format!("ALTER INDEX {name} {word}"));
                }
                Some(_) => clauses.push(format!("DROP INDEX {name}")),
                None => match renamed(one, from, to)
                    .filter(|other| !taken.contains(&other.0.as_str()))
                {
                    Some(other) => {
                        taken.push(&other.0);
                        clauses.push(format!("RENAME INDEX {name} TO {}", quoted(&other.0)));
                    }
                    None => clauses.push(format!("DROP INDEX {name}")),
                },
            }
        }
        return;
    }
    if let Some(primary) = to.primary.as_ref().filter(|_| from.primary != to.primary) {
        clauses.push(format!("ADD {primary}"));
    }
    for one in &to.indexes {
        let renames = format!(" TO {}", quoted(&one.0));
        let comes_by_name = clauses
            .iter()
            .any(|clause| clause.starts_with("RENAME INDEX ") && clause.ends_with(&renames));
        let there = found(&from.indexes, &one.0)
            .is_some_and(|live| regardless(&live.1) == regardless(&one.1));
        if !there && !comes_by_name {
            clauses.push(format!("ADD {}", one.1));
        }
    }
}

/// Columns by their final order; those that needn't move keep their place.
fn columns((live, from): (&Table, &Shape), (wanted, to): (&Table, &Shape), changes: &mut Changes) {
    for (name, _) in &from.columns {
        if found(&to.columns, name).is_none() {
            changes
                .clauses
                .push(format!("DROP COLUMN {}", quoted(name)));
            changes.dropped.push(name.clone());
        }
    }
    let position = |name: &str| {
        from.columns
            .iter()
            .position(|(other, _)| same_name(other, name))
    };
    let places: Vec<Option<usize>> = to.columns.iter().map(|(name, _)| position(name)).collect();
    let stay = longest_rise(&places);
    // From here on only new columns follow, so each of them comes to the end by itself.
    let tail = places
        .iter()
        .rposition(Option::is_some)
        .map_or(0, |last| last + 1);
    for (number, ((name, text), place)) in to.columns.iter().zip(&places).enumerate() {
        let behind = match number
            .checked_sub(1)
            .and_then(|before| to.columns.get(before))
        {
            Some((before, _)) => format!(" AFTER {}", quoted(before)),
            None => " FIRST".into(),
        };
        let Some((own, before)) = place.and_then(|place| from.columns.get(place)) else {
            let behind = if number >= tail { "" } else { &behind };
            changes.clauses.push(format!("ADD COLUMN {text}{behind}"));
            continue;
        };
        let stays = stay.contains(&number);
        if stays && bare(before) == bare(text) && means_the_same(live, wanted, name) {
            continue;
        }
        let behind = if stays { "" } else { &behind };
        changes.clauses.push(if own == name {
            format!("MODIFY COLUMN {text}{behind}")
        } else {
            format!("CHANGE COLUMN {} {text}{behind}", quoted(own))
        });
    }
}

/// A column's line without its character set: what that is the catalogue tells, and the words for it
/// depend on the table's default and on how they were written once.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let mut length = character.len_utf8();
        match quote {
            Some('\'') if character == '\\' => {
                length += rest.chars().nth(1).map_or(0, char::len_utf8);
            }
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if matches!(character, '\'' | '`') => quote = Some(character),
            None => {
                let words = [" CHARACTER SET ", " COLLATE "];
                if let Some(behind) = words.iter().find_map(|word| rest.strip_prefix(word)) {
                    rest =
                        behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
                    continue;
                }
            }
        }
        out.push_str(rest.get(..length).unwrap_or_default());
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// Whether a column is computed whenever it is read: no MODIFY makes it so, or takes it away.
fn computed(table: &Table, name: &str) -> bool {
    let column = table.column(name);
    column.is_some_and(|column| {
        column
            .extra
            .to_ascii_uppercase()
            .contains("VIRTUAL GENERATED")
    })
}

/// Columns on both sides that have to be dropped and added.
fn replaced(live: &Table, wanted: &Table) -> Vec<String> {
    let both = live.columns.iter().map(|column| &column.name);
    both.filter(|name| wanted.column(name).is_some())
        .filter(|name| computed(live, name) != computed(wanted, name))
        .cloned()
        .collect()
}

/// The same words can mean another character set where the table's default is another.
fn means_the_same(live: &Table, wanted: &Table, name: &str) -> bool {
    let meaning = |table: &Table| {
        let column = table.column(name)?;
        Some((column.charset.clone(), column.collation.clone()))
    };
    meaning(live) == meaning(wanted)
}

/// Indexes of a longest rising series: the columns that can stay while the others move.
fn longest_rise(places: &[Option<usize>]) -> Vec<usize> {
    // Of each column the length of the longest series that ends with it, and the one before it.
    let mut best: Vec<(usize, Option<usize>)> = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let earlier = places.iter().take(number).enumerate();
        let before = earlier
            .filter(|(_, other)| other.is_some() && *other < place)
            .max_by_key(|(other, _)| best.get(*other).map_or(0, |(length, _)| *length));
        let length = match (place, before) {
            (None, _) => 0,
            (Some(_), None) => 1,
            (Some(_), Some((other, _))) => 1 + best.get(other).map_or(0, |(length, _)| *length),
        };
        best.push((
            length,
            before.map(|(other, _)| other).filter(|_| place.is_some()),
        ));
    }
    let mut rise = Vec::new();
    let mut at = (0..best.len())
        .filter(|number| best.get(*number).is_some_and(|(length, _)| *length > 0))
        .max_by_key(|number| best.get(*number).map_or(0, |(length, _)| *length));
    while let Some(number) = at {
        rise.push(number);
        at = best.get(number).and_then(|(_, before)| *before);
    }
    rise
}

/// What an option is set to that a definition doesn't show.
const DEFAULTS: [(&str, &str); 8] = [
    ("COMMENT", "''"),
    ("ROW_FORMAT", "DEFAULT"),
    ("KEY_BLOCK_SIZE", "0"),
    ("STATS_PERSISTENT", "DEFAULT"),
    ("STATS_AUTO_RECALC", "DEFAULT"),
    ("STATS_SAMPLE_PAGES", "DEFAULT"),
    ("COMPRESSION", "''"),
    ("ENCRYPTION", "'N'"),
];

fn options(from: &Shape, to: &Shape, changes: &mut Changes) {
    let charset = |name: &str| matches!(name, "DEFAULT CHARSET" | "COLLATE");
    let of_text = |shape: &Shape| -> Vec<Named> {
        let text = shape.options.iter().filter(|(name, _)| charset(name));
        text.cloned().collect()
    };
    if of_text(from) != of_text(to) {
        let words: Vec<String> = of_text(to)
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        changes.clauses.push(words.join(" "));
    }
    for (name, value) in to.options.iter().filter(|(name, _)| !charset(name)) {
        if found(&from.options, name).is_none_or(|(_, live)| live != value) {
            changes.clauses.push(format!("{name}={value}"));
        }
    }
    for (name, value) in from.options.iter().filter(|(name, _)| !charset(name)) {
        if found(&to.options, name).is_some() {
            continue;
        }
        match DEFAULTS.iter().find(|(other, _)| other == name) {
            Some((_, default)) => changes.clauses.push(format!("{name}={default}")),
            None => changes
                .beyond
                .push(format!("{name}={value} can't be taken away")),
        }
    }
}

/// Lines that one of two definitions has and the other hasn't, as `diff` shows them: `-` for what is there,
/// `+` for what is wanted. Indexes may stand in any order; CHECK constraints and foreign keys are left out.
#[must_use]
pub fn unlike(found: &Table, wanted: &Table) -> Vec<String> {
    let lines = |table: &Table| -> Vec<String> {
        let shape = shape(&table.definition);
        let column = |(name, text): Named| {
            let column = table.column(&name);
            let collation = column.and_then(|column| column.collation.clone());
            match collation {
                Some(collation) => format!("{} COLLATE {collation}", bare(&text)),
                None => text,
            }
        };
        let mut lines: Vec<String> = shape.columns.into_iter().map(column).collect();
        lines.extend(shape.primary);
        let mut indexes: Vec<String> = shape.indexes.into_iter().map(|(_, text)| text).collect();
        indexes.sort_unstable();
        lines.extend(indexes);
        let mut options: Vec<String> = shape
            .options
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        options.sort_unstable();
        lines.extend(options);
        lines.push(shape.partitions);
        lines
    };
    let (found, wanted) = (lines(found), lines(wanted));
    if found == wanted {
        return Vec::new();
    }
    let only = |one: &[String], other: &[String], sign: char| -> Vec<String> {
        let lacking = one.iter().filter(|line| !other.contains(line));
        lacking.map(|line| format!("{sign} {line}")).collect()
    };
    let mut unlike = [only(&found, &wanted, '-'), only(&wanted, &found, '+')].concat();
    if unlike.is_empty() {
        unlike.push("the columns stand in another order".into());
    }
    unlike
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::inspection::Column;

    fn table(lines: &str, options: &str) -> Table {
        let definition = format!("CREATE TABLE `t` (\n  {lines}\n) {options}");
        let named = shape(&definition).columns.into_iter();
        Table {
            columns: named
                .map(|(name, text)| Column {
                    name,
                    extra: if text.ends_with("VIRTUAL") {
                        "VIRTUAL GENERATED".into()
                    } else {
                        String::new()
                    },
                    ..Column::default()
                })
                .collect(),
            definition,
            ..Table::default()
        }
    }

    fn alter(from: &str, to: &str) -> String {
        let options = "ENGINE=InnoDB";
        changes(&table(from, options), &table(to, options)).text()
    }

    #[test]
    fn only_columns_that_must_move_are_moved() {
        let (a, b, c) = ("`a` int", "`b` int", "`c` int");
        for (to, expected) in [
            (format!("{a},\n  {b},\n  {c}"), ""),
            (
                format!("{c},\n  {a},\n  {b}"),
                "MODIFY COLUMN `c` int FIRST",
            ),
            (
                format!("{a},\n  {c},\n  {b}"),
                "MODIFY COLUMN `b` int AFTER `c`",
            ),
            (
                format!("{a},\n  `x` int,\n  {b},\n  {c},\n  `y` int"),
                "ADD COLUMN `x` int AFTER `a`,\n  ADD COLUMN `y` int",
            ),
            (format!("{a},\n  {c}"), "DROP COLUMN `b`"),
        ] {
            let found = alter(&format!("{a},\n  {b},\n  {c}"), &to);
            // Of two columns that change places either may be the one that moves.
            let other = "MODIFY COLUMN `c` int AFTER `a`";
            assert!(
                found == expected || found == other && expected.contains("`b` int AFTER"),
                "{to}: {found}"
            );
        }
    }

    #[test]
    fn a_computed_column_is_dropped_and_added_with_its_indexes() {
        let from = "`a` int,\n  `b` int,\n  KEY `i` (`b`),\n  KEY `j` (`a`)";
        let to = "`a` int,\n  `b` int GENERATED ALWAYS AS (`a`) VIRTUAL,\n  KEY `i` (`b`),\n  KEY `j` (`a`)";
        let found = changes(&table(from, "ENGINE=InnoDB"), &table(to, "ENGINE=InnoDB"));
        assert_eq!(
            found.text(),
            "DROP INDEX `i`,\n  DROP COLUMN `b`,\n  ADD COLUMN `b` int GENERATED ALWAYS AS (`a`) VIRTUAL,\n  ADD \
             KEY `i` (`b`)"
        );
        assert_eq!(found.dropped, ["b"], "its values are lost");
    }

    #[test]
    fn indexes_are_renamed_and_hidden_where_that_is_all() {
        assert_eq!(
            alter("`a` int,\n  KEY `i` (`a`)", "`a` int,\n  KEY `j` (`a`)"),
            "RENAME INDEX `i` TO `j`"
        );
        assert_eq!(
            alter(
                "`a` int,\n  KEY `i` (`a`)",
                "`a` int,\n  KEY `i` (`a`) /*!80000 INVISIBLE */"
            ),
            "ALTER INDEX `i` INVISIBLE"
        );
    }

    #[test]
    fn options_and_partitions_come_and_go() {
        let from = table(
            "`a` int",
            "ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=latin1 COMMENT='a b=c'",
        );
        let to = table(
            "`a` int",
            "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin\n/*!50100 PARTITION BY HASH (`a`)\nPARTITIONS 4 */",
        );
        assert_eq!(
            changes(&from, &to).text(),
            "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin,\n  COMMENT=''\n  PARTITION BY HASH (`a`)\nPARTITIONS 4"
        );
        assert!(changes(&from, &from).none());
        let unlike = unlike(&from, &to);
        assert!(
            unlike.contains(&"- COMMENT='a b=c'".to_owned()),
            "{unlike:?}"
        );
    }

    #[test]
    fn a_check_may_have_been_renamed_by_a_migration() {
        let check = |name: &str, bound: u8| {
            format!("`a` int,\n  CONSTRAINT `{name}` CHECK ((`a` > {bound}))")
        };
        assert_eq!(alter(&check("_c", 1), &check("c", 1)), "");
        assert_eq!(
            alter(&check("_c", 1), &check("c", 2)),
            "DROP CHECK `_c`,\n  ADD CONSTRAINT `c` CHECK ((`a` > 2))"
        );
        assert_eq!(
            alter(&check("c", 1), &check("d", 1)),
            "DROP CHECK `c`,\n  ADD CONSTRAINT `d` CHECK ((`a` > 1))"
        );
    }

    #[test]
    fn comments_in_strings_stay_what_they_are() {
        assert_eq!(
            plainly("`a/*!b` int COMMENT '\\\\''/*!80000 x */' /*!80023 INVISIBLE */,"),
            "`a/*!b` int COMMENT '\\\\''/*!80000 x */' INVISIBLE,"
        );
        assert_eq!(
            bare("`a` char(1) CHARACTER SET x COLLATE x_bin COMMENT ' COLLATE y'"),
            "`a` char(1) COMMENT ' COLLATE y'"
        );
    }
}
