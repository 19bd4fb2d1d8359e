//! Which column of the original feeds which column of the ghost.
//!
//! The ghost's catalogue after the ALTER is the truth; what the tokenizer understood must explain
//! it completely. A column that neither the ALTER's text nor the catalogue accounts for is a
//! reason to refuse, never a guess.

use super::alter::Alter;
use super::backfill::{self, BackfilledColumn, Typed};
use super::findings::listed;
use super::inspection::{Column, Table, same_name};
use super::{Refusal, Renames};

/// A column that exists on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedColumn {
    /// In the original.
    pub from: Column,
    /// In the ghost.
    pub to: Column,
}

/// A column of the ghost that gets the same constant in every row.
///
/// A plain ALTER evaluates `DEFAULT CURRENT_TIMESTAMP` once for all rows; copy and refresh run at
/// many moments, so they are given the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstantColumn {
    /// Name in the ghost.
    pub name: String,
    /// SQL literal.
    pub literal: String,
}

/// How the columns of both tables belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnMap {
    /// Copied columns, in the ghost's order.
    pub shared: Vec<SharedColumn>,
    /// Added columns with a default that depends on the moment.
    pub constant: Vec<ConstantColumn>,
    /// Columns that an expression over the original's row fills (`--backfill`).
    pub backfilled: Vec<BackfilledColumn>,
    /// Renamed columns whose data is left behind, old name and new.
    pub skipped: Vec<(String, String)>,
    /// Columns that the ghost alone has, and whose values are its own: those of an old table that is to be
    /// swapped back. A row that wasn't there before gets their defaults.
    pub kept: Vec<String>,
}

impl ColumnMap {
    /// Whether an expression fills the ghost's column of this name.
    #[must_use]
    pub fn fills(&self, name: &str) -> bool {
        let mut backfilled = self.backfilled.iter();
        backfilled.any(|column| same_name(&column.types.to.name, name))
    }

    /// Whether it does so in place of values that the original has.
    #[must_use]
    pub fn replaces(&self, name: &str) -> bool {
        let mut replaced = self.backfilled.iter().filter(|column| column.replaces);
        replaced.any(|column| same_name(&column.types.to.name, name))
    }

    /// The backfilled columns, for messages.
    #[must_use]
    pub fn filled(&self) -> String {
        let backfilled = self.backfilled.iter();
        let names: Vec<String> = backfilled
            .map(|column| column.types.to.name.clone())
            .collect();
        listed(&names)
    }

    /// The ghost's name for a column of the original, if it is copied.
    #[must_use]
    pub fn ghost_name(&self, original: &str) -> Option<&str> {
        self.find(original).map(|shared| shared.to.name.as_str())
    }

    /// The pair that begins with this column of the original.
    #[must_use]
    pub fn find(&self, original: &str) -> Option<&SharedColumn> {
        self.shared
            .iter()
            .find(|shared| same_name(&shared.from.name, original))
    }

    /// The column of the original that feeds this column of the ghost.
    #[must_use]
    pub fn original_of(&self, ghost: &str) -> Option<&SharedColumn> {
        self.shared
            .iter()
            .find(|shared| same_name(&shared.to.name, ghost))
    }
}

/// What fills columns beside the original's columns of their names.
#[derive(Debug, Clone, Copy)]
pub struct Fillings<'a> {
    /// The moment that stands for "now" in every row, as `YYYY-MM-DD hh:mm:ss.ffffff` in UTC.
    pub now: &'a str,
    /// The operator's expressions.
    pub backfills: &'a [Typed],
}

/// Pairs the columns of original and ghost.
///
/// # Errors
/// Every column that the ALTER's text and the ghost's catalogue don't explain alike.
pub fn map_columns(
    original: &Table,
    ghost: &Table,
    alter: &Alter,
    (renames, fillings): (Renames, Fillings<'_>),
) -> Result<ColumnMap, Vec<Refusal>> {
    let skipped = skipped(alter, renames);
    let mut refusals = skipped_keys(original, &skipped);
    let (targets, unexplained) = targets(original, ghost, alter, &skipped);
    refusals.extend(unexplained);
    let mut map = ColumnMap::default();
    let appears = |name: &str| {
        let new = skipped.iter().map(|(_, new)| new);
        alter
            .added
            .iter()
            .chain(new)
            .any(|added| same_name(added, name))
    };
    let filled = |name: &str| {
        let mut backfills = fillings.backfills.iter();
        backfills.any(|backfill| same_name(&backfill.column, name))
    };
    for to in &ghost.columns {
        let source = targets
            .iter()
            .find(|(target, _)| same_name(target, &to.name));
        match source {
            Some((_, from)) if !from.generated() && !to.generated() => {
                map.shared.push(SharedColumn {
                    from: (*from).clone(),
                    to: to.clone(),
                });
            }
            Some((_, from)) if from.generated() && !to.generated() => {
                // A generated column that becomes a stored plain one keeps its values.
                map.shared.push(SharedColumn {
                    from: (*from).clone(),
                    to: to.clone(),
                });
            }
            Some(_) => {}
            None if filled(&to.name) => {}
            None if appears(&to.name) => match added(to, fillings.now) {
                Ok(constant) => map.constant.extend(constant),
                Err(refusal) => refusals.push(refusal),
            },
            None => refusals.push(Refusal::new(
                format!(
                    "the altered table has a column `{}` that nothing explains",
                    to.name
                ),
                "write the ALTER in MySQL's plain form (ADD COLUMN), or report it as a bug",
            )),
        }
    }
    for typed in fillings.backfills {
        let replaced = map.original_of(&typed.column).cloned();
        match backfill::target(typed, ghost, alter, replaced.as_ref()) {
            Ok(column) => map.backfilled.push(column),
            Err(refusal) => refusals.push(refusal),
        }
    }
    map.shared.retain(|shared| !filled(&shared.to.name));
    map.skipped = skipped;
    if refusals.is_empty() {
        Ok(map)
    } else {
        Err(refusals)
    }
}

/// Pairs the columns for the way back of an ALTER: the new table feeds the old one, which has the columns
/// that the ALTER dropped for itself. `alter` is the ALTER backwards ([`backwards`]).
///
/// # Errors
/// As [`map_columns`].
pub fn map_back(
    new: &Table,
    old: &Table,
    alter: &Alter,
    renames: Renames,
) -> Result<ColumnMap, Vec<Refusal>> {
    let skipped = skipped(alter, renames);
    let (targets, refusals) = targets(new, old, alter, &skipped);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut map = ColumnMap::default();
    for to in old.columns.iter().filter(|column| !column.generated()) {
        let fed = targets.iter().find(|(name, _)| same_name(name, &to.name));
        match fed {
            Some((_, from)) => map.shared.push(SharedColumn {
                from: (*from).clone(),
                to: to.clone(),
            }),
            None => map.kept.push(to.name.clone()),
        }
    }
    map.skipped = skipped;
    Ok(map)
}

/// What an ALTER did, seen from its result: whom it renamed, dropped and added.
#[must_use]
pub fn backwards(alter: &Alter) -> Alter {
    let renamed = alter.renamed.iter();
    Alter {
        renamed: renamed
            .map(|(old, new)| (new.clone(), old.clone()))
            .collect(),
        dropped: alter.added.clone(),
        added: alter.dropped.clone(),
        ..Alter::default()
    }
}

/// The columns of the original that live on, with their names in the ghost, and those that vanish
/// without a reason.
fn targets<'a>(
    original: &'a Table,
    ghost: &Table,
    alter: &Alter,
    skipped: &[(String, String)],
) -> (Vec<(String, &'a Column)>, Vec<Refusal>) {
    let mut refusals = Vec::new();
    let mut targets: Vec<(String, &Column)> = Vec::new();
    for column in &original.columns {
        let renamed = alter
            .renamed
            .iter()
            .find(|(old, _)| same_name(old, &column.name));
        let target = match renamed {
            Some(pair) if skipped.contains(pair) => continue,
            Some((_, new)) => new,
            None if alter
                .dropped
                .iter()
                .any(|name| same_name(name, &column.name)) =>
            {
                continue;
            }
            None => &column.name,
        };
        if ghost.column(target).is_none() {
            refusals.push(Refusal::new(
                format!(
                    "column `{}` has no counterpart in the altered table, and the ALTER doesn't \
                     seem to drop or rename it",
                    column.name
                ),
                "write the ALTER in MySQL's plain form (DROP COLUMN, CHANGE, RENAME COLUMN), or \
                 report this ALTER as a bug",
            ));
        }
        targets.push((target.clone(), column));
    }
    (targets, refusals)
}

/// The renames that are taken for a column dropped and another one added. A name that changes its
/// letter case only is the same name to the server.
fn skipped(alter: &Alter, renames: Renames) -> Vec<(String, String)> {
    match renames {
        Renames::Followed => Vec::new(),
        Renames::Skipped => alter
            .renamed
            .iter()
            .filter(|(old, new)| !same_name(old, new))
            .cloned()
            .collect(),
    }
}

/// With the same default in every row a unique key can't hold.
fn skipped_keys(original: &Table, skipped: &[(String, String)]) -> Vec<Refusal> {
    let in_key = |name: &str| {
        original.indexes.iter().find(|index| {
            index.unique
                && index.parts.iter().any(|part| {
                    part.column
                        .as_deref()
                        .is_some_and(|column| same_name(column, name))
                })
        })
    };
    skipped
        .iter()
        .filter_map(|(old, _)| Some((old, in_key(old)?)))
        .map(|(old, index)| {
            Refusal::new(
                format!(
                    "column `{old}` of unique key `{}` is renamed, and --skip-renamed-columns would \
                     leave its values behind",
                    index.name
                ),
                "leave --skip-renamed-columns out: renames are read from the ALTER",
            )
        })
        .collect()
}

/// What every row gets in an added column, when the column's default doesn't say so by itself.
fn added(column: &Column, now: &str) -> Result<Option<ConstantColumn>, Refusal> {
    if column.generated() {
        return Ok(None);
    }
    if column.auto_increment() {
        return Err(Refusal::new(
            format!("the ALTER adds an AUTO_INCREMENT column `{}`", column.name),
            "its numbers could not be those that a plain ALTER gives; use a plain ALTER",
        ));
    }
    let literal = match &column.default {
        Some(default) if uses_clock(column, default) => {
            return Err(Refusal::new(
                format!(
                    "the default of the added column `{}` depends on the time",
                    column.name
                ),
                "a plain ALTER takes one moment for all rows, a copy can't; use CURRENT_TIMESTAMP \
                 by itself, or fill the column afterwards",
            ));
        }
        Some(default) => by_clock(column, default, now),
        None if column.nullable || column.extra.contains("DEFAULT_GENERATED") => None,
        None => Some(implicit_default(column)?),
    };
    Ok(literal.map(|literal| ConstantColumn {
        name: column.name.clone(),
        literal,
    }))
}

/// An expression, other than CURRENT_TIMESTAMP by itself, that gives another value at another time.
fn uses_clock(column: &Column, default: &str) -> bool {
    const CLOCKS: [&str; 8] = [
        "now(",
        "current_",
        "curdate",
        "curtime",
        "sysdate",
        "utc_",
        "localtime",
        "unix_timestamp(",
    ];
    let text = default.to_lowercase();
    column.extra.to_uppercase().contains("DEFAULT_GENERATED")
        && by_clock(column, default, "").is_none()
        && CLOCKS.iter().any(|clock| text.contains(clock))
}

/// A TIMESTAMP is written in the session's zone: in sessions that run in UTC, its moment as well.
pub(super) fn moments_in_utc(map: &mut ColumnMap, ghost: &Table, utc: &str) {
    for constant in &mut map.constant {
        let column = ghost.column(&constant.name);
        if let Some(column) = column.filter(|column| column.data_type == "timestamp")
            && let Some(literal) = by_clock(column, column.default.as_deref().unwrap_or(""), utc)
        {
            constant.literal = literal;
        }
    }
}

/// `CURRENT_TIMESTAMP(n)` as a default is the one moment of the migration.
fn by_clock(column: &Column, default: &str, now: &str) -> Option<String> {
    let default = default.to_ascii_uppercase();
    if !default.starts_with("CURRENT_TIMESTAMP") && !default.starts_with("NOW(") {
        return None;
    }
    let digits = usize::from(column.fraction_digits);
    let length = if digits == 0 { 19 } else { 20 + digits };
    let text: String = now.chars().take(length).collect();
    Some(format!("TIMESTAMP'{text}'"))
}

/// A plain ALTER fills a new NOT NULL column without default with its type's zero (manual, "Data
/// Type Default Values"); an INSERT that leaves it out fails, so it is given the same.
fn implicit_default(column: &Column) -> Result<String, Refusal> {
    let literal = match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float"
        | "double" | "bit" | "year" => "0",
        // The first member.
        "enum" => "1",
        "time" => "TIME'00:00:00'",
        "char" | "varchar" | "binary" | "varbinary" | "tinytext" | "text" | "mediumtext"
        | "longtext" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "set" => "''",
        "json" => "CAST('null' AS JSON)",
        _ => {
            return Err(Refusal::new(
                format!(
                    "the ALTER adds column `{}` ({}) as NOT NULL without a default, and this type \
                     has no value for the rows that are there",
                    column.name, column.data_type
                ),
                "give it a DEFAULT, or allow NULL",
            ));
        }
    };
    Ok(literal.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::alter::parse;

    fn table(columns: &[&str]) -> Table {
        let columns = columns
            .iter()
            .enumerate()
            .map(|(ordinal, name)| Column {
                name: (*name).into(),
                ordinal,
                nullable: true,
                ..Column::default()
            })
            .collect();
        Table {
            columns,
            ..Table::default()
        }
    }

    fn pairs(original: &[&str], ghost: &[&str], alter: &str) -> Result<Vec<String>, Vec<Refusal>> {
        let alter = parse(alter).expect("a good ALTER");
        let map = map_columns(
            &table(original),
            &table(ghost),
            &alter,
            (
                Renames::Followed,
                Fillings {
                    now: "2026-11-21 10:11:12.123456",
                    backfills: &[],
                },
            ),
        )?;
        Ok(map
            .shared
            .iter()
            .map(|s| format!("{}>{}", s.from.name, s.to.name))
            .collect())
    }

    #[test]
    fn swapped_names_swap_their_sources() {
        let map = pairs(
            &["id", "a", "b"],
            &["id", "b", "a"],
            "CHANGE a b INT, CHANGE b a INT",
        );
        assert_eq!(map, Ok(vec!["id>id".into(), "a>b".into(), "b>a".into()]));
    }

    #[test]
    fn a_column_dropped_and_added_again_is_not_copied() {
        let map = pairs(
            &["id", "a"],
            &["id", "a"],
            "DROP COLUMN a, ADD COLUMN a INT",
        );
        assert_eq!(map, Ok(vec!["id>id".into()]));
    }

    #[test]
    fn a_dropped_column_may_give_its_name_to_another() {
        let map = pairs(
            &["id", "a", "b"],
            &["id", "a"],
            "DROP COLUMN a, CHANGE b a INT",
        );
        assert_eq!(map, Ok(vec!["id>id".into(), "b>a".into()]));
    }

    #[test]
    fn the_way_back_goes_through_renames_and_keeps_what_was_dropped() {
        let alter = parse("CHANGE a b INT, DROP COLUMN gone, ADD COLUMN fresh INT").expect("good");
        let (old, new) = (table(&["id", "a", "gone"]), table(&["id", "b", "fresh"]));
        let map = map_back(&new, &old, &backwards(&alter), Renames::Followed).expect("explained");
        let pairs: Vec<(&str, &str)> = map
            .shared
            .iter()
            .map(|shared| (shared.from.name.as_str(), shared.to.name.as_str()))
            .collect();
        assert_eq!(pairs, [("id", "id"), ("b", "a")]);
        assert_eq!(map.kept, ["gone"]);
        // What was left behind on the way there is the old table's own.
        let map = map_back(&new, &old, &backwards(&alter), Renames::Skipped).expect("explained");
        assert_eq!((map.shared.len(), map.kept.len()), (1, 2));
        // A name that was dropped and added anew is another column.
        let alter = parse("DROP COLUMN a, ADD COLUMN a INT").expect("good");
        let both = table(&["id", "a"]);
        let map = map_back(&both, &both, &backwards(&alter), Renames::Followed).expect("explained");
        assert_eq!(map.kept, ["a"]);
    }

    fn skipping(original: &Table, ghost: &[&str], alter: &str) -> Result<ColumnMap, Vec<Refusal>> {
        let alter = parse(alter).expect("a good ALTER");
        map_columns(
            original,
            &table(ghost),
            &alter,
            (
                Renames::Skipped,
                Fillings {
                    now: "2026-11-21 10:11:12.123456",
                    backfills: &[],
                },
            ),
        )
    }

    #[test]
    fn renamed_columns_that_are_skipped_carry_no_data() {
        let original = table(&["id", "a", "b", "c"]);
        let alter = "CHANGE a b INT, CHANGE b a INT, RENAME COLUMN c TO C";
        let map = skipping(&original, &["id", "b", "a", "C"], alter).expect("explained");
        let copied: Vec<&str> = map.shared.iter().map(|s| s.to.name.as_str()).collect();
        // Another letter case is the same name.
        assert_eq!(copied, ["id", "C"]);
        assert_eq!(map.skipped.len(), 2);
    }

    #[test]
    fn a_renamed_key_column_can_t_be_skipped() {
        use crate::plan::inspection::{Index, IndexPart};
        let mut original = table(&["id", "a"]);
        original.indexes = vec![Index {
            name: "by_a".into(),
            unique: true,
            parts: vec![IndexPart {
                column: Some("A".into()),
                prefix: false,
                expression: None,
            }],
        }];
        let refusals =
            skipping(&original, &["id", "b"], "RENAME COLUMN a TO b").expect_err("a key");
        assert!(refusals[0].what.contains("`by_a`"), "{}", refusals[0].what);
    }

    #[test]
    fn a_column_that_nothing_explains_is_refused() {
        assert!(pairs(&["id", "a"], &["id", "z"], "ADD INDEX (id)").is_err());
        assert!(pairs(&["id"], &["id", "z"], "ADD INDEX (id)").is_err());
        assert!(pairs(&["id", "a"], &["id"], "ADD INDEX (id)").is_err());
    }

    #[test]
    fn names_are_paired_in_any_letter_case() {
        let map = pairs(&["ID", "Übung"], &["ID", "übung"], "CHANGE übung übung INT");
        assert_eq!(map, Ok(vec!["ID>ID".into(), "Übung>übung".into()]));
    }

    #[test]
    fn an_added_clock_default_is_one_moment_for_all_rows() {
        let mut ghost = table(&["id", "at"]);
        ghost.columns[1].default = Some("CURRENT_TIMESTAMP(3)".into());
        ghost.columns[1].fraction_digits = 3;
        let alter = parse("ADD COLUMN at DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3)").expect("good");
        let map = map_columns(
            &table(&["id"]),
            &ghost,
            &alter,
            (
                Renames::Followed,
                Fillings {
                    now: "2026-11-21 10:11:12.123456",
                    backfills: &[],
                },
            ),
        )
        .expect("explained");
        assert_eq!(
            map.constant[0].literal,
            "TIMESTAMP'2026-11-21 10:11:12.123'"
        );
    }
}
