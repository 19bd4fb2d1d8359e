//! Comparing both tables: counts and strong hashes of ranges, and the keys that differ.
//!
//! Every statement here reads both tables in one statement, hence in one read view: no table
//! lock, no snapshot that outlives the statement. A row's hash is SHA2(…, 256) over its values
//! with lengths and null markers that no value can imitate; ranges compare the count and the XOR
//! of the whole hashes. The key is part of each row's hash, so no two rows of a table have the
//! same one, and equal damage in an even number of rows doesn't cancel as it does with CRCs. (A
//! sum beside the XOR doubles the time, because the server computes the hash once for each
//! aggregate: 0.40 against 0.85 s for 500 000 rows of 190 bytes, MySQL 9.7.4.)

use super::{
    Sql, Statement, Walk, as_ghost_text, as_original_text, compared_differently, quoted, range,
    text_literal, year_as_text,
};
use crate::core::chunk::Chunk;
use crate::plan::columns::SharedColumn;
use crate::plan::inspection::Column;
use crate::plan::key::{Key, KeyColumn, KeyError, KeyKind};

/// How a column's values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Text of digits and punctuation: can't contain the separator.
    Plain,
    /// Any bytes: its length goes in front.
    Bytes,
    /// Bytes that may be very long: its own hash stands for it, because a concatenation beyond
    /// `max_allowed_packet` would be NULL and hide the row.
    Long,
    /// A JSON document. Its text doesn't tell a DECIMAL from a DOUBLE, nor a DATETIME from a string; its
    /// type does for scalars, and for what is inside the size that it has when it is stored anew. (The
    /// size of the column itself counts what partial updates have left free.)
    Json,
}

/// What to compare of one column: expressions over `{}`, the column, on either side.
struct Comparison {
    from: String,
    to: String,
    shape: Shape,
}

/// The columns whose values can't be compared exactly, because the ALTER converts them in a way
/// that no expression repeats.
#[must_use]
pub fn unverified(shared: &[SharedColumn]) -> Vec<&SharedColumn> {
    shared
        .iter()
        .filter(|shared| comparison(shared, "x", "x").is_none())
        .collect()
}

/// How a column is compared, by its types and the values on both sides.
type Compare = fn(&SharedColumn, &str, &str) -> Option<Comparison>;

/// Whether the values of an expression can be compared with those of the column that it fills.
#[must_use]
pub fn verifiable(types: &SharedColumn) -> bool {
    of_expression(types, "x", "x").is_some()
}

/// As a column that is converted, and bytes that the column pads.
fn of_expression(types: &SharedColumn, from: &str, to: &str) -> Option<Comparison> {
    let length = types.to.octet_length.unwrap_or_default();
    if types.to.data_type == "binary" && kind(&types.from.data_type) == Kind::Binary {
        return Some(Comparison {
            from: format!("CAST({from} AS BINARY({length}))"),
            to: to.to_owned(),
            shape: Shape::Bytes,
        });
    }
    comparison(types, from, to)
}

fn comparison(shared: &SharedColumn, from: &str, to: &str) -> Option<Comparison> {
    let both = |expression: fn(&str) -> String, shape| {
        Some(Comparison {
            from: expression(from),
            to: expression(to),
            shape,
        })
    };
    let (old, new) = (&shared.from, &shared.to);
    if old.column_type == new.column_type && old.charset == new.charset {
        return match kind(&old.data_type) {
            Kind::Integer | Kind::Decimal | Kind::Temporal | Kind::Double => {
                both(str::to_owned, Shape::Plain)
            }
            Kind::Float => both(|c| format!("CAST({c} AS DOUBLE)"), Shape::Plain),
            // Plus zero a SET would be a DOUBLE, which tells 53 members apart.
            Kind::ByNumber if old.data_type == "set" => {
                both(|c| format!("CAST({c} AS UNSIGNED)"), Shape::Plain)
            }
            Kind::ByNumber => both(|c| format!("{c}+0"), Shape::Plain),
            // The separator is binary, so text counts by its bytes and not by its collation.
            Kind::Text => both(str::to_owned, shape_of(old)),
            Kind::Binary => both(str::to_owned, shape_of(old)),
            Kind::Json => both(str::to_owned, Shape::Json),
            Kind::Opaque => both(|c| format!("HEX({c})"), Shape::Long),
        };
    }
    converted(old, new, from, to)
}

/// Conversions to numbers.
fn to_number(old: &Column, new: &Column, from: &str, to: &str) -> Option<Comparison> {
    let plain = |expression: String| {
        Some(Comparison {
            from: expression,
            to: to.to_owned(),
            shape: Shape::Plain,
        })
    };
    let padded = |column: &Column| column.column_type.contains("zerofill");
    if padded(old) || padded(new) {
        let integers =
            kind(&old.data_type) == Kind::Integer && kind(&new.data_type) == Kind::Integer;
        // As a number a value has no padding; what other types make of it isn't relied on.
        return integers.then(|| Comparison {
            from: format!("{from}+0"),
            to: format!("{to}+0"),
            shape: Shape::Plain,
        });
    }
    match (kind(&old.data_type), kind(&new.data_type)) {
        (Kind::Integer, Kind::Integer) => plain(from.to_owned()),
        (Kind::Integer | Kind::Decimal, Kind::Decimal) => {
            let (precision, scale) = new.decimal?;
            plain(format!("CAST({from} AS DECIMAL({precision},{scale}))"))
        }
        // A display width makes the server round, and copies of both kinds round differently.
        (Kind::Float, Kind::Double | Kind::Float) | (Kind::Double, Kind::Double)
            if !new.column_type.contains('(') =>
        {
            Some(Comparison {
                from: format!("CAST({from} AS DOUBLE)"),
                to: format!("CAST({to} AS DOUBLE)"),
                shape: Shape::Plain,
            })
        }
        (Kind::ByNumber, Kind::Integer) if matches!(old.data_type.as_str(), "year" | "bit") => {
            plain(format!("{from}+0"))
        }
        (Kind::ByNumber, Kind::ByNumber) if old.data_type == "bit" && new.data_type == "bit" => {
            Some(Comparison {
                from: format!("{from}+0"),
                to: format!("{to}+0"),
                shape: Shape::Plain,
            })
        }
        // Beyond the signed range the two ways differ: ALTER refuses what INSERT … SELECT takes.
        (Kind::Decimal | Kind::Text, Kind::Integer)
            if !(new.data_type == "bigint" && new.column_type.contains("unsigned")) =>
        {
            plain(format!("CAST({from} AS DECIMAL(65,0))"))
        }
        _ => None,
    }
}

/// Conversions whose result an expression over the old value gives exactly.
fn converted(old: &Column, new: &Column, from: &str, to: &str) -> Option<Comparison> {
    let (before, after) = (kind(&old.data_type), kind(&new.data_type));
    let text = |expression: &str| {
        let charset = new.charset.as_deref()?;
        Some(Comparison {
            from: format!("CONVERT({expression} USING {charset})"),
            to: format!("CONVERT(CONCAT({to}) USING {charset})"),
            shape: shape_of(new),
        })
    };
    if let Some(comparison) = to_number(old, new, from, to) {
        return Some(comparison);
    }
    match (before, after) {
        (Kind::Temporal, Kind::Temporal) => temporal(old, new, from, to),
        (Kind::Text, Kind::Text) if new.data_type == "char" => {
            text(&format!("TRIM(TRAILING ' ' FROM {from})"))
        }
        (Kind::Text, Kind::Text) => text(from),
        (Kind::ByNumber, Kind::ByNumber) if old.data_type == "set" && new.data_type == "set" => {
            members(old, from, to)
        }
        (Kind::ByNumber, Kind::Text | Kind::ByNumber)
            if matches!(old.data_type.as_str(), "enum" | "set")
                && (after == Kind::Text || matches!(new.data_type.as_str(), "enum" | "set")) =>
        {
            text(&format!("CONCAT({from})"))
        }
        (Kind::Integer | Kind::Decimal | Kind::Temporal | Kind::Float, Kind::Text)
            if !old.column_type.contains("zerofill") =>
        {
            text(&format!("CAST({from} AS CHAR)"))
        }
        (Kind::ByNumber, Kind::Text) if old.data_type == "year" => text(&year_as_text(from)),
        // A CHAR that is too short cuts the digits, where ALTER refuses.
        (Kind::Double, Kind::Text) if new.data_type != "char" => {
            text(&format!("CAST({from} AS CHAR)"))
        }
        (Kind::Json, Kind::Text) => text(&format!("CAST({from} AS CHAR)")),
        (Kind::Text, Kind::Json) => Some(Comparison {
            from: format!("CAST(CAST(CONVERT({from} USING utf8mb4) AS JSON) AS CHAR)"),
            to: format!("CAST({to} AS CHAR)"),
            shape: Shape::Long,
        }),
        // Bytes that stay as they are, or are refused as too long or of the wrong kind.
        (Kind::Opaque, Kind::Opaque)
            if old.data_type == new.data_type || spatial(old) && spatial(new) =>
        {
            Some(Comparison {
                from: format!("HEX({from})"),
                to: format!("HEX({to})"),
                shape: Shape::Long,
            })
        }
        (Kind::Text, Kind::ByNumber) => to_members(new, from, to),
        (Kind::Text, Kind::Binary) | (Kind::Binary, Kind::Binary | Kind::Text)
            if new.data_type != "binary" && new.data_type != "char" =>
        {
            Some(Comparison {
                from: format!("CAST({from} AS BINARY)"),
                to: format!("CAST({to} AS BINARY)"),
                shape: shape_of(new),
            })
        }
        _ => None,
    }
}

/// Two SETs with their members in different orders: one flag for each old member.
fn members(old: &Column, from: &str, to: &str) -> Option<Comparison> {
    let members = member_literals(old)?;
    Some(Comparison {
        from: flags(&members, from),
        to: flags(&members, to),
        shape: Shape::Plain,
    })
}

/// One digit for each member that a SET, or a text that becomes one, has.
fn flags(members: &[String], value: &str) -> String {
    let flags: Vec<String> = members
        .iter()
        .map(|member| format!("FIND_IN_SET({member}, {value}) > 0"))
        .collect();
    format!("CONCAT({})", flags.join(", "))
}

/// Text that becomes an ENUM or a SET: the server finds the member as the column's collation
/// compares, without trailing spaces. A text that is a member's number differs here, although the
/// server would take it: such a run ends unfinished.
fn to_members(new: &Column, from: &str, to: &str) -> Option<Comparison> {
    let (charset, collation) = (new.charset.as_deref()?, new.collation.as_deref()?);
    let members = member_literals(new)?;
    let trimmed =
        format!("TRIM(TRAILING ' ' FROM CONVERT({from} USING {charset})) COLLATE {collation}");
    let (from, to) = match new.data_type.as_str() {
        "enum" => (
            // FIELD makes 0 of NULL.
            format!(
                "IF(ISNULL({from}), NULL, FIELD({trimmed}, {}))",
                members.join(", ")
            ),
            format!("{to}+0"),
        ),
        "set" => (flags(&members, &trimmed), flags(&members, to)),
        _ => return None,
    };
    Some(Comparison {
        from,
        to,
        shape: Shape::Plain,
    })
}

/// The members of an ENUM or SET as literals. The catalogue doubles quotes and leaves backslashes as
/// they are.
fn member_literals(column: &Column) -> Option<Vec<String>> {
    let (_, list) = column.column_type.split_once("('")?;
    let list = list.strip_suffix("')")?;
    let mut members = vec![String::new()];
    let mut rest = list;
    while let Some(character) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("''") {
            members.last_mut()?.push('\'');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("','") {
            members.push(String::new());
            rest = after;
        } else {
            members.last_mut()?.push(character);
            rest = rest.get(character.len_utf8()..)?;
        }
    }
    Some(members.iter().map(|member| text_literal(member)).collect())
}

fn spatial(column: &Column) -> bool {
    matches!(
        column.data_type.as_str(),
        "geometry"
            | "point"
            | "linestring"
            | "polygon"
            | "multipoint"
            | "multilinestring"
            | "multipolygon"
            | "geomcollection"
            | "geometrycollection"
    )
}

fn temporal(old: &Column, new: &Column, from: &str, to: &str) -> Option<Comparison> {
    let digits = new.fraction_digits;
    let moment = |data_type: &str| matches!(data_type, "datetime" | "timestamp" | "date");
    let expression = match new.data_type.as_str() {
        "datetime" | "timestamp" if moment(&old.data_type) => {
            format!("CAST({from} AS DATETIME({digits}))")
        }
        // Half a second and more before midnight is the next day (manual, "Fractional Seconds").
        "date" if moment(&old.data_type) => format!("CAST(CAST({from} AS DATETIME) AS DATE)"),
        "time" if old.data_type == "time" => format!("CAST({from} AS TIME({digits}))"),
        _ => return None,
    };
    Some(Comparison {
        from: expression,
        to: to.to_owned(),
        shape: Shape::Plain,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Decimal,
    Float,
    Double,
    Temporal,
    /// BIT, ENUM, SET, YEAR: compared by number.
    ByNumber,
    Text,
    Binary,
    Json,
    /// GEOMETRY, VECTOR and what is still to come: compared by their bytes.
    Opaque,
}

fn kind(data_type: &str) -> Kind {
    match data_type {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Kind::Integer,
        "decimal" => Kind::Decimal,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "date" | "datetime" | "timestamp" | "time" => Kind::Temporal,
        "bit" | "enum" | "set" | "year" => Kind::ByNumber,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Kind::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Kind::Binary,
        "json" => Kind::Json,
        _ => Kind::Opaque,
    }
}

fn shape_of(column: &Column) -> Shape {
    let long = column.octet_length.is_none_or(|length| length > 65_535);
    if long { Shape::Long } else { Shape::Bytes }
}

/// Texts in several character sets can't stand in one concatenation, not even beside a binary
/// separator (error 1271, case `text_in_every_charset`); without a cast it is faster.
fn mixes_charsets<'a>(shared: impl Iterator<Item = &'a SharedColumn>) -> bool {
    let mut charsets = shared.filter_map(|shared| shared.to.charset.as_deref());
    let first = charsets.next();
    charsets.any(|charset| Some(charset) != first)
}

/// One column's contribution to its row's hash.
fn part(expression: &str, shape: Shape, nullable: bool) -> String {
    match (shape, nullable) {
        (Shape::Plain, false) => expression.to_owned(),
        (Shape::Bytes, false) => format!("LENGTH({expression}), {expression}"),
        (Shape::Long, false) => format!("SHA2({expression}, 256)"),
        (Shape::Json, false) => json_parts(expression).join(", "),
        (Shape::Json, true) => json_parts(expression)
            .map(|part| format!("IFNULL({part}, '~')"))
            .join(", "),
        // '~' is in no number, temporal, length or digest.
        (Shape::Plain, true) => format!("IFNULL({expression}, '~')"),
        (Shape::Bytes, true) => {
            format!("IFNULL(LENGTH({expression}), '~'), IFNULL({expression}, '')")
        }
        (Shape::Long, true) => format!("IFNULL(SHA2({expression}, 256), '~')"),
    }
}

/// Merging an empty object makes a document anew without making it deeper: 100 levels are the most that
/// the server takes.
fn json_parts(column: &str) -> [String; 3] {
    [
        format!("SHA2(CAST(CAST({column} AS CHAR) AS BINARY), 256)"),
        format!("JSON_TYPE({column})"),
        format!("JSON_STORAGE_SIZE(JSON_MERGE_PRESERVE({column}, '{{}}'))"),
    ]
}

/// The two sides of one migration's row hash.
struct RowHash {
    original: String,
    ghost: String,
}

/// One column's contribution to the row hashes of both sides.
pub(super) struct Part {
    /// The column, as the original calls it.
    pub(super) column: String,
    pub(super) original: String,
    pub(super) ghost: String,
}

impl Sql {
    /// What is compared of each column, on both sides.
    pub(super) fn compared_parts(&self) -> Vec<Part> {
        let shared = self.shared.iter().map(|shared| {
            let from = format!("{}.{}", self.original.table, quoted(&shared.from.name));
            (
                shared,
                from,
                shared.from.name.as_str(),
                comparison as Compare,
            )
        });
        let backfilled = self.backfilled.iter().map(|(types, expression)| {
            let compare: Compare = of_expression;
            (types, expression.clone(), types.to.name.as_str(), compare)
        });
        let compared: Vec<_> = shared
            .chain(backfilled)
            .filter(|(shared, ..)| !self.unverified.contains(&shared.to.name))
            .collect();
        let mixed = mixes_charsets(compared.iter().map(|(shared, ..)| *shared));
        let part = |expression: &str, shape, nullable| match (shape, mixed) {
            (Shape::Bytes, true) => part(&format!("CAST({expression} AS BINARY)"), shape, nullable),
            (Shape::Plain | Shape::Bytes | Shape::Long | Shape::Json, _) => {
                part(expression, shape, nullable)
            }
        };
        let both = |(shared, from, column, compare): &(&SharedColumn, String, &str, Compare)| {
            let to = format!("{}.{}", self.ghost.table, quoted(&shared.to.name));
            let nullable = shared.from.nullable || shared.to.nullable;
            let (original, ghost) = match compare(shared, from, &to) {
                Some(compare) => (
                    part(&compare.from, compare.shape, nullable),
                    part(&compare.to, compare.shape, nullable),
                ),
                None => (format!("ISNULL({from})"), format!("ISNULL({to})")),
            };
            Part {
                column: (*column).to_owned(),
                original,
                ghost,
            }
        };
        compared.iter().map(both).collect()
    }

    fn row_hash(&self) -> RowHash {
        let parts = self.compared_parts();
        let hash = |side: fn(&Part) -> &str| {
            let parts: Vec<&str> = parts.iter().map(side).collect();
            format!("SHA2(CONCAT_WS(_binary',', {}), 256)", parts.join(", "))
        };
        RowHash {
            original: hash(|part| &part.original),
            ghost: hash(|part| &part.ghost),
        }
    }

    /// Compares counts and hashes of one range in both tables: one row with the original's rows
    /// and whether the two agree. Only for keys with the same order on both sides.
    ///
    /// # Errors
    /// When a boundary doesn't fit the key's columns.
    pub fn compare_chunk(&self, chunk: &Chunk) -> Result<Statement, KeyError> {
        let hash = self.row_hash();
        let side = |walk: &Walk, hash: &str| -> Result<String, KeyError> {
            Ok(format!(
                "(SELECT COUNT(*) AS n, BIT_XOR(UNHEX({hash})) AS x FROM {} FORCE INDEX ({}) WHERE \
                 {})",
                walk.table,
                walk.index,
                range::condition(walk, chunk)?,
            ))
        };
        Ok(Statement::new(
            "compare chunk",
            format!(
                "SELECT /* tableshift */ o.n, o.n = g.n AND o.x <=> g.x FROM {} AS o, {} AS g",
                side(&self.original, &hash.original)?,
                side(&self.ghost_in_original_order(), &hash.ghost)?,
            ),
        ))
    }

    /// The keys, in the original's form, whose rows differ in this range of the original or are
    /// missing in the ghost.
    ///
    /// # Errors
    /// When a boundary doesn't fit the key's columns.
    pub fn differing_in_chunk(&self, chunk: &Chunk, most: usize) -> Result<Statement, KeyError> {
        let hash = self.row_hash();
        Ok(Statement::new(
            "find rows that differ",
            format!(
                "SELECT /* tableshift */ {keys} FROM {original} FORCE INDEX ({index}) LEFT JOIN \
                 {ghost} FORCE INDEX ({ghost_index}) ON {paired} WHERE {condition} AND ({absent} \
                 OR {one} <> {other}) LIMIT {most}",
                keys = self.original.key_expressions(),
                original = self.original.table,
                index = self.original.index,
                ghost = self.ghost.table,
                ghost_index = self.ghost.index,
                paired = self.paired(),
                condition = range::condition(&self.original, chunk)?,
                absent = self.absent_from(&self.ghost),
                one = hash.original,
                other = hash.ghost,
            ),
        ))
    }

    /// The keys, in the original's form, of rows in this range of the ghost that the original
    /// doesn't have. `chunk` is a range of `walk`, which walks the ghost.
    ///
    /// # Errors
    /// When a boundary doesn't fit the key's columns.
    pub fn extra_in_chunk(
        &self,
        walk: &Walk,
        chunk: &Chunk,
        most: usize,
    ) -> Result<Statement, KeyError> {
        Ok(Statement::new(
            "find rows too many",
            format!(
                "SELECT /* tableshift */ {keys} FROM {ghost} FORCE INDEX ({ghost_index}) LEFT JOIN \
                 {original} FORCE INDEX ({index}) ON {paired} WHERE {condition} AND {absent} \
                 LIMIT {most}",
                keys = self.ghost_keys_as_original(),
                original = self.original.table,
                index = self.original.index,
                ghost = self.ghost.table,
                ghost_index = walk.index,
                paired = self.paired_from_ghost(),
                condition = range::condition(walk, chunk)?,
                absent = self.absent_from(&self.original),
            ),
        ))
    }

    /// Which of these keys, by ordinal, have a row whose ghost row is missing or differs. The ghost
    /// row is looked for under the row's own key, which may be spelled otherwise than asked.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn differing_keys(&self, keys: &[Key]) -> Result<Statement, KeyError> {
        let hash = self.row_hash();
        Ok(Statement::new(
            "check rows again",
            format!(
                "SELECT /* tableshift */ w.o FROM {asked} STRAIGHT_JOIN {original} FORCE INDEX \
                 ({index}) ON {there} LEFT JOIN {ghost} FORCE INDEX ({ghost_index}) ON {paired} \
                 WHERE {absent} OR {one} <> {other}",
                asked = self.asked(keys)?,
                original = self.original.table,
                index = self.original.index,
                there = self.original_is_asked(),
                ghost = self.ghost.table,
                ghost_index = self.ghost.index,
                paired = self.paired(),
                absent = self.absent_from(&self.ghost),
                one = hash.original,
                other = hash.ghost,
            ),
        ))
    }

    /// Which of these keys, by ordinal, have a ghost row that belongs to no row of the original.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn extra_keys(&self, keys: &[Key]) -> Result<Statement, KeyError> {
        Ok(Statement::new(
            "check rows again",
            format!(
                "SELECT /* tableshift */ w.o FROM {asked} STRAIGHT_JOIN {ghost} FORCE INDEX \
                 ({ghost_index}) ON {here} LEFT JOIN {original} FORCE INDEX ({index}) ON {paired} \
                 WHERE {absent}",
                asked = self.asked(keys)?,
                ghost = self.ghost.table,
                ghost_index = self.ghost.index,
                here = self.ghost_is_asked(),
                original = self.original.table,
                index = self.original.index,
                paired = self.paired_from_ghost(),
                absent = self.absent_from(&self.original),
            ),
        ))
    }

    /// The walk over the ghost that takes the original's chunk boundaries.
    #[must_use]
    pub fn ghost_in_original_order(&self) -> Walk {
        let columns = self
            .original
            .columns
            .iter()
            .map(|column| KeyColumn {
                name: column.ghost_name.clone(),
                ghost_name: column.name.clone(),
                ..column.clone()
            })
            .collect();
        Walk {
            table: self.ghost.table.clone(),
            index: self.ghost.index.clone(),
            columns,
        }
    }

    /// True where the outer join found no row. `IS NULL` would be true as well of a zero date in a
    /// column that is NOT NULL (manual, "Comparison Functions and Operators").
    pub(super) fn absent_from(&self, walk: &Walk) -> String {
        walk.columns
            .first()
            .map(|column| format!("{}.{} <=> NULL", walk.table, quoted(&column.name)))
            .unwrap_or_default()
    }

    /// The ghost's key columns, in the original's order and form.
    fn ghost_keys_as_original(&self) -> String {
        let expressions: Vec<String> = self
            .original
            .columns
            .iter()
            .map(|column| {
                let value = format!("{}.{}", self.ghost.table, quoted(&column.ghost_name));
                let value = match (&column.charset, &column.ghost_text) {
                    (Some(charset), Some((other, _))) if charset != other => {
                        format!("CONVERT({value} USING {charset})")
                    }
                    _ => value,
                };
                match column.kind {
                    KeyKind::DateTime | KeyKind::Timestamp => {
                        format!(
                            "CAST(CAST({value} AS DATETIME({})) AS CHAR)",
                            self.digits_of(column)
                        )
                    }
                    KeyKind::Time => {
                        format!(
                            "CAST(CAST({value} AS TIME({})) AS CHAR)",
                            self.digits_of(column)
                        )
                    }
                    KeyKind::Int
                    | KeyKind::UInt
                    | KeyKind::Decimal
                    | KeyKind::Double
                    | KeyKind::Date
                    | KeyKind::Bytes => super::carried(&value, column),
                }
            })
            .collect();
        expressions.join(", ")
    }

    fn digits_of(&self, column: &KeyColumn) -> u8 {
        self.shared
            .iter()
            .find(|shared| shared.from.name == column.name)
            .map_or(0, |shared| shared.from.fraction_digits)
    }

    /// `original.key = ghost.key` for all columns, found by the original's index; equal on both sides
    /// as in [`Sql::paired`].
    fn paired_from_ghost(&self) -> String {
        let mut pairs = Vec::new();
        for column in &self.original.columns {
            let original = format!("{}.{}", self.original.table, quoted(&column.name));
            let ghost = format!("{}.{}", self.ghost.table, quoted(&column.ghost_name));
            let mut value = as_original_text(&ghost, column);
            if matches!(column.data_type.as_str(), "enum" | "set" | "bit") {
                value = format!("{value}+0");
            }
            pairs.push(format!("{original} = {value}"));
            if compared_differently(column) {
                pairs.push(format!("{} = {ghost}", as_ghost_text(&original, column)));
            }
        }
        pairs.join(" AND ")
    }
}
