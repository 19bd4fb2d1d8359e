//! Ranges of keys as conditions that the server turns into index ranges, for any number of
//! columns.
//!
//! `(a, b, c) > (x, y, z)` is not one index range for MySQL, and the usual form with ORs inside
//! an AND is read as one wide range over the first column. So a chunk is written as disjoint
//! pieces, each of which is one index range by itself. That needs to know how many leading
//! columns both ends have in common; the boundary lookup knows it by construction, so no key is
//! ever compared here.

use super::{Sql, Statement, Walk, quoted};
use crate::core::chunk::{COMMON_UNKNOWN, Chunk};
use crate::plan::key::{Key, KeyColumn, KeyError, KeyValue, decode, write_literal};

/// The condition that picks a chunk's rows in the walked table.
///
/// # Errors
/// When a boundary doesn't fit the key's columns.
pub(crate) fn condition(walk: &Walk, chunk: &Chunk) -> Result<String, KeyError> {
    let after = bound(walk, chunk.after.as_ref())?;
    let upto = bound(walk, chunk.upto.as_ref())?;
    let pieces = match (&after, &upto) {
        (None, None) => return Ok("TRUE".into()),
        (Some(after), None) => lower_pieces(walk, after, 0),
        (None, Some(upto)) => upper_pieces(walk, upto, 0),
        // Read as a wide range, maybe, but exact whatever the ends have in common.
        (Some(after), Some(upto))
            if chunk.common_columns == COMMON_UNKNOWN && walk.columns.len() > 1 =>
        {
            return Ok(format!(
                "(({}) AND ({}))",
                lower_pieces(walk, after, 0).join(" OR "),
                upper_pieces(walk, upto, 0).join(" OR ")
            ));
        }
        (Some(after), Some(upto)) => between(walk, after, upto, chunk.common_columns),
    };
    Ok(format!("({})", pieces.join(" OR ")))
}

fn bound(walk: &Walk, key: Option<&Key>) -> Result<Option<Vec<KeyValue>>, KeyError> {
    key.map(|key| decode(key, &walk.columns)).transpose()
}

/// Keys after `after` and up to `upto`, whose first `common` columns are equal.
fn between(walk: &Walk, after: &[KeyValue], upto: &[KeyValue], common: usize) -> Vec<String> {
    let columns = &walk.columns;
    let last = columns.len() - 1;
    let common = common.min(last);
    let mut pieces = Vec::new();
    for position in (common + 1..=last).rev() {
        pieces.push(piece(walk, after, position, &[(">", after)]));
    }
    let upper = if common == last { "<=" } else { "<" };
    pieces.push(piece(walk, after, common, &[(">", after), (upper, upto)]));
    for position in common + 1..=last {
        let comparison = if position == last { "<=" } else { "<" };
        pieces.push(piece(walk, upto, position, &[(comparison, upto)]));
    }
    pieces
}

/// Keys after `after`, nearest first; the first `from` pieces' columns are left equal.
pub(crate) fn lower_pieces(walk: &Walk, after: &[KeyValue], from: usize) -> Vec<String> {
    (from..walk.columns.len())
        .rev()
        .map(|position| piece(walk, after, position, &[(">", after)]))
        .collect()
}

fn upper_pieces(walk: &Walk, upto: &[KeyValue], from: usize) -> Vec<String> {
    let last = walk.columns.len() - 1;
    (from..=last)
        .map(|position| {
            let comparison = if position == last { "<=" } else { "<" };
            piece(walk, upto, position, &[(comparison, upto)])
        })
        .collect()
}

/// `(a = x AND b = y AND c > z)`: columns before `position` equal `prefix`, the one at it compared.
fn piece(
    walk: &Walk,
    prefix: &[KeyValue],
    position: usize,
    comparisons: &[(&str, &[KeyValue])],
) -> String {
    let mut text = String::from("(");
    for (column, value) in walk.columns.iter().zip(prefix).take(position) {
        compare(&mut text, walk, column, "=", value);
        text.push_str(" AND ");
    }
    for (count, (comparison, values)) in comparisons.iter().enumerate() {
        if count > 0 {
            text.push_str(" AND ");
        }
        if let (Some(column), Some(value)) = (walk.columns.get(position), values.get(position)) {
            compare(&mut text, walk, column, comparison, value);
        }
    }
    text.push(')');
    text
}

fn compare(out: &mut String, walk: &Walk, column: &KeyColumn, comparison: &str, value: &KeyValue) {
    out.push_str(&walk.table);
    out.push('.');
    out.push_str(&quoted(&column.name));
    out.push(' ');
    out.push_str(comparison);
    out.push(' ');
    write_literal(out, value, column);
    if let Some(collation) = &column.collation {
        out.push_str(" COLLATE ");
        out.push_str(collation);
    }
}

/// One probe for the end of the next chunk: the `rows`-th key of one piece after `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Gives one row with the key, or none when the piece has fewer rows.
    pub statement: Statement,
    /// Leading columns that a key found here has in common with `after`.
    pub common_columns: usize,
}

impl Sql {
    /// The probes for the end of the chunk after `after`, to be tried in order; when none finds a
    /// key, the rest of the table is the last chunk.
    ///
    /// A chunk takes `rows` rows of the piece in which the probe succeeds, plus the fewer than
    /// `rows` of each piece before it.
    ///
    /// # Errors
    /// When `after` doesn't fit the key's columns.
    pub fn boundary(walk: &Walk, after: Option<&Key>, rows: u64) -> Result<Vec<Probe>, KeyError> {
        let order: Vec<String> = walk
            .columns
            .iter()
            .map(|column| walk.column(column))
            .collect();
        let order = order.join(", ");
        let probe = |condition: &str, common_columns: usize| Probe {
            statement: Statement::new(
                "find chunk end",
                format!(
                    "SELECT /* tableshift */ {} FROM {} FORCE INDEX ({}) WHERE {condition} \
                     ORDER BY {order} LIMIT 1 OFFSET {}",
                    walk.key_expressions(),
                    walk.table,
                    walk.index,
                    rows.saturating_sub(1),
                ),
            ),
            common_columns,
        };
        let Some(after) = bound(walk, after)? else {
            return Ok(vec![probe("TRUE", 0)]);
        };
        let last = walk.columns.len() - 1;
        Ok(lower_pieces(walk, &after, 0)
            .iter()
            .zip((0..=last).rev())
            .map(|(condition, position)| probe(condition, position))
            .collect())
    }

    /// The same for a key of one integer column whose numbers are dense: the first key that is `rows` or
    /// more behind `after`, which the server finds without passing the rows between. Nothing, when there is
    /// no such number.
    ///
    /// # Errors
    /// When `after` doesn't fit the key's columns.
    pub fn boundary_by_number(
        walk: &Walk,
        after: &Key,
        rows: u64,
    ) -> Result<Option<Statement>, KeyError> {
        let (column, value) = match (
            walk.columns.as_slice(),
            decode(after, &walk.columns)?.as_slice(),
        ) {
            ([column], [KeyValue::Int(after)]) => {
                (column, after.checked_add_unsigned(rows).map(KeyValue::Int))
            }
            ([column], [KeyValue::UInt(after)]) => {
                (column, after.checked_add(rows).map(KeyValue::UInt))
            }
            _ => return Ok(None),
        };
        let Some(value) = value else {
            return Ok(None);
        };
        let mut condition = String::new();
        compare(&mut condition, walk, column, ">=", &value);
        Ok(Some(Statement::new(
            "find chunk end",
            format!(
                "SELECT /* tableshift */ {} FROM {} FORCE INDEX ({}) WHERE {condition} ORDER BY {} LIMIT 1",
                walk.key_expressions(),
                walk.table,
                walk.index,
                walk.column(column),
            ),
        )))
    }

    /// The last key of the table.
    #[must_use]
    pub fn last_key(walk: &Walk) -> Statement {
        let order: Vec<String> = walk
            .columns
            .iter()
            .map(|column| format!("{} DESC", walk.column(column)))
            .collect();
        Statement::new(
            "find chunk end",
            format!(
                "SELECT /* tableshift */ {} FROM {} FORCE INDEX ({}) ORDER BY {} LIMIT 1",
                walk.key_expressions(),
                walk.table,
                walk.index,
                order.join(", "),
            ),
        )
    }

    /// Counts the rows of a chunk.
    ///
    /// # Errors
    /// When a boundary doesn't fit the key's columns.
    pub fn count_chunk(walk: &Walk, chunk: &Chunk) -> Result<Statement, KeyError> {
        Ok(Statement::new(
            "count rows",
            format!(
                "SELECT /* tableshift */ COUNT(*) FROM {} FORCE INDEX ({}) WHERE {}",
                walk.table,
                walk.index,
                condition(walk, chunk)?
            ),
        ))
    }
}
