//! How values are converted on their way into the ghost, and which conversions can lose something.
//!
//! Asked by [`super::make`]. Without strict mode the server cuts and clamps instead of refusing, as a
//! plain ALTER does in such a session; what is then stored can't be told from the old value alone, so
//! those columns are left out of the verification, by name.

use super::columns::{ColumnMap, SharedColumn};
use super::inspection::{Column, Table};
use super::{Wishes, temporal_changed};

/// What becomes of a value that doesn't fit the altered column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Misfits {
    /// The run ends.
    #[default]
    Refused,
    /// The server stores what is nearest (`--skip-strict-mode`).
    Adjusted,
}

/// Which dates that aren't in the calendar get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OldDates {
    /// None: a temporal column is changed by the ALTER.
    #[default]
    Refused,
    /// Zero and partial dates (`--allow-zero-in-date`), everywhere; others in unchanged columns.
    Zero,
    /// All of them: no temporal column is made or changed.
    All,
}

/// The conversion that both copy and refresh do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Conversion {
    /// Values that don't fit.
    pub misfits: Misfits,
    /// Dates that aren't in the calendar.
    pub old_dates: OldDates,
    /// A division by zero ends the run: the ALTER makes the server compute something that it would
    /// refuse for that reason.
    pub division_by_zero_fails: bool,
    /// Fractions of a second are cut and not rounded, as the server's sql_mode has it.
    pub truncates_fractions: bool,
    /// `--allow-zero-in-date`, or no strict mode.
    pub zero_dates_allowed: bool,
}

impl Conversion {
    /// The conversion for these columns.
    #[must_use]
    pub(super) fn new(wishes: &Wishes, columns: &ColumnMap, division_by_zero_fails: bool) -> Self {
        let backfilled = columns.backfilled.iter().any(|column| column.reads.dates);
        let lenient = wishes.misfits == Misfits::Adjusted || wishes.zero_dates;
        Self {
            misfits: wishes.misfits,
            old_dates: if !columns.shared.iter().any(temporal_changed) && !backfilled {
                OldDates::All
            } else if lenient {
                OldDates::Zero
            } else {
                OldDates::Refused
            },
            division_by_zero_fails,
            truncates_fractions: false,
            zero_dates_allowed: lenient,
        }
    }

    /// The sql_mode of sessions that write to the ghost, and of those that compare.
    ///
    /// With none of the three modes for dates the server copies an unchanged column's bytes and checks
    /// a changed one's date, but lets zeros pass (case `zero_dates_allowed`).
    #[must_use]
    pub fn sql_mode(self) -> String {
        let strict = match self.misfits {
            Misfits::Refused => "STRICT_ALL_TABLES,",
            Misfits::Adjusted => "",
        };
        let dates = match self.old_dates {
            OldDates::Refused => ",NO_ZERO_DATE,NO_ZERO_IN_DATE",
            OldDates::Zero => "",
            OldDates::All => ",ALLOW_INVALID_DATES",
        };
        let division = if self.division_by_zero_fails {
            ",ERROR_FOR_DIVISION_BY_ZERO"
        } else {
            ""
        };
        let fractions = if self.truncates_fractions {
            ",TIME_TRUNCATE_FRACTIONAL"
        } else {
            ""
        };
        format!("{strict}NO_AUTO_VALUE_ON_ZERO{dates}{division}{fractions}")
    }
}

/// Whether the ALTER makes the server compute stored values or defaults that weren't computed before.
/// What was computed before goes through as it is, however it came to be.
#[must_use]
pub(super) fn computes_anew(original: &Table, ghost: &Table) -> bool {
    ghost.columns.iter().any(|column| {
        let extra = column.extra.to_ascii_uppercase();
        let computed = extra.contains("STORED GENERATED") || extra.contains("DEFAULT_GENERATED");
        let as_before = original.column(&column.name).is_some_and(|old| {
            old.extra.to_ascii_uppercase() == extra
                && old.generation == column.generation
                && old.default == column.default
        });
        computed && !as_before
    })
}

/// Whether every value of the old column has its exact counterpart in the new one. In doubt it
/// hasn't.
#[must_use]
pub fn keeps_every_value(shared: &SharedColumn) -> bool {
    let (from, to) = (&shared.from, &shared.to);
    if from.nullable && !to.nullable {
        return false;
    }
    if from.column_type == to.column_type && from.charset == to.charset {
        return true;
    }
    if let (Some(old), Some(new)) = (integer_range(from), integer_range(to)) {
        return new.0 <= old.0 && new.1 >= old.1;
    }
    match (from.data_type.as_str(), to.data_type.as_str()) {
        ("float", "double") => true,
        ("datetime", "datetime") | ("timestamp", "timestamp" | "datetime") | ("time", "time") => {
            to.fraction_digits >= from.fraction_digits
        }
        ("date", "datetime") => true,
        ("decimal", "decimal") => match (from.decimal, to.decimal) {
            (Some((digits, scale)), Some((new_digits, new_scale))) => {
                new_scale >= scale
                    && new_digits.saturating_sub(new_scale) >= digits.saturating_sub(scale)
            }
            _ => false,
        },
        ("binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob", new) => {
            matches!(
                new,
                "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob"
            ) && to.octet_length >= from.octet_length
        }
        _ => from.charset.is_some() && to.charset.is_some() && text_has_room(from, to),
    }
}

/// Smallest and largest value of an integer column.
fn integer_range(column: &Column) -> Option<(i128, i128)> {
    let bits = match column.data_type.as_str() {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" => 64,
        _ => return None,
    };
    if column.unsigned() {
        Some((0, (1 << bits) - 1))
    } else {
        Some((-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
    }
}

/// Between strings only; utf8mb4 holds the characters of every other character set.
fn text_has_room(from: &Column, to: &Column) -> bool {
    let string = |column: &Column| {
        matches!(
            column.data_type.as_str(),
            "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext"
        )
    };
    let same_charset = from.charset == to.charset;
    let holds_all = same_charset || to.charset.as_deref() == Some("utf8mb4");
    if !string(from) || !string(to) || !holds_all {
        return false;
    }
    match (characters(from), characters(to)) {
        (Some(old), Some(new)) => new >= old,
        (Some(old), None) => to.octet_length.is_some_and(|bytes| bytes >= 4 * old),
        (None, _) => {
            to.data_type == "longtext" || same_charset && to.octet_length >= from.octet_length
        }
    }
}

/// The `n` of CHAR(n) and VARCHAR(n).
fn characters(column: &Column) -> Option<u64> {
    let (_, rest) = column.column_type.split_once('(')?;
    rest.split_once(')')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(column_type: &str, charset: Option<&str>, bytes: u64) -> Column {
        let data_type = column_type
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        Column {
            column_type: column_type.into(),
            data_type,
            charset: charset.map(Into::into),
            octet_length: Some(bytes),
            nullable: true,
            ..Column::default()
        }
    }

    fn keeps(from: Column, to: Column) -> bool {
        keeps_every_value(&SharedColumn { from, to })
    }

    #[test]
    fn wider_columns_keep_every_value() {
        for (from, to, expected) in [
            ("int", "bigint", true),
            ("int unsigned", "bigint", true),
            ("int", "int unsigned", false),
            ("int unsigned", "int", false),
            ("bigint", "smallint", false),
            ("float", "double", true),
            ("double", "float", false),
            ("date", "datetime", true),
            ("datetime", "date", false),
            ("int", "varchar(5)", false),
        ] {
            let pair = (column(from, None, 8), column(to, None, 8));
            assert_eq!(keeps(pair.0, pair.1), expected, "{from} to {to}");
        }
    }

    #[test]
    fn text_needs_room_and_a_character_set_that_holds_it() {
        for (from, to, expected) in [
            (
                ("varchar(10)", "latin1", 10),
                ("varchar(10)", "utf8mb4", 40),
                true,
            ),
            (
                ("varchar(10)", "latin1", 10),
                ("varchar(9)", "utf8mb4", 36),
                false,
            ),
            (
                ("varchar(10)", "utf8mb4", 40),
                ("varchar(10)", "latin1", 10),
                false,
            ),
            (
                ("varchar(100)", "latin1", 100),
                ("tinytext", "latin1", 255),
                false,
            ),
            (
                ("text", "latin1", 65_535),
                ("text", "utf8mb4", 65_535),
                false,
            ),
            (
                ("text", "latin1", 65_535),
                ("mediumtext", "latin1", 16_777_215),
                true,
            ),
        ] {
            let side = |(kind, charset, bytes)| column(kind, Some(charset), bytes);
            assert_eq!(keeps(side(from), side(to)), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn not_null_may_lose_a_null() {
        let from = column("int", None, 4);
        let to = Column {
            nullable: false,
            ..from.clone()
        };
        assert!(!keeps(from.clone(), to.clone()));
        assert!(keeps(to, from));
    }

    #[test]
    fn only_what_is_computed_anew_may_fail_on_a_division() {
        let generated = |generation: &str, extra: &str| Table {
            columns: vec![Column {
                extra: extra.into(),
                generation: generation.into(),
                ..column("int", None, 4)
            }],
            ..Table::default()
        };
        let old = generated("(`a` / `b`)", "STORED GENERATED");
        assert!(!computes_anew(&old, &old));
        assert!(computes_anew(
            &old,
            &generated("(`b` / `a`)", "STORED GENERATED")
        ));
        assert!(computes_anew(&Table::default(), &old));
        // A plain ALTER doesn't compute these either.
        let virtual_column = generated("(`a` / `b`)", "VIRTUAL GENERATED");
        assert!(!computes_anew(&Table::default(), &virtual_column));
        let division = Conversion {
            division_by_zero_fails: true,
            ..Conversion::default()
        };
        assert!(division.sql_mode().ends_with(",ERROR_FOR_DIVISION_BY_ZERO"));
    }

    #[test]
    fn modes_follow_from_the_wishes() {
        let changed = SharedColumn {
            from: column("date", None, 3),
            to: column("datetime", None, 8),
        };
        let mode = |misfits, zero_dates, shared: &[SharedColumn]| {
            let wishes = Wishes {
                misfits,
                zero_dates,
                ..Wishes::default()
            };
            let columns = ColumnMap {
                shared: shared.to_vec(),
                ..ColumnMap::default()
            };
            Conversion::new(&wishes, &columns, false).sql_mode()
        };
        let changed = &[changed][..];
        assert_eq!(
            mode(Misfits::Refused, false, changed),
            "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE"
        );
        assert_eq!(
            mode(Misfits::Refused, true, changed),
            "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO"
        );
        assert_eq!(
            mode(Misfits::Adjusted, false, changed),
            "NO_AUTO_VALUE_ON_ZERO"
        );
        assert_eq!(
            mode(Misfits::Refused, false, &[]),
            "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"
        );
    }
}
