//! The text of every statement the tool sends. Pure: builds strings, sends nothing.
//!
//! Identifiers are quoted here and nowhere else; the only values in a statement are key values
//! (see [`crate::plan::key::write_literal`]) and numbers. No base table has an alias, because the
//! same statements run under LOCK TABLES, where an alias would need a lock of its own.

pub mod alone;
pub mod backfill;
pub mod batch;
pub mod checkpoint;
pub mod copy;
pub mod cutover;
pub mod differences;
pub mod helpers;
pub mod history;
pub mod indexes;
mod kept;
pub mod leftovers;
pub mod queries;
pub mod range;
pub mod refresh;
pub mod shown;
pub mod signals;
pub mod values;
pub mod verify;

use crate::plan::Plan;
use crate::plan::columns::SharedColumn;
use crate::plan::inspection::Table;
use crate::plan::key::{Key, KeyColumn, KeyError, KeyKind, decode, write_literal};
use crate::plan::unique_key::SharedKey;

/// A statement with a name for messages and logs; the text itself may hold key values and is
/// never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it does, for operators: `copy chunk`, `lock tables`, ….
    pub name: &'static str,
    /// The SQL.
    pub text: String,
}

impl Statement {
    pub(crate) fn new(name: &'static str, text: String) -> Self {
        Self { name, text }
    }
}

/// An identifier in back-quotes.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text literal in quotes; for names and settings, never for row values.
#[must_use]
pub fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A table with its schema, quoted.
#[must_use]
pub fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(table))
}

/// One of the two tables as something to walk along a unique key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// `schema`.`table`.
    pub table: String,
    /// The index to walk, quoted.
    pub index: String,
    /// The key's columns, named as in this table and in the index's order.
    pub columns: Vec<KeyColumn>,
}

impl Walk {
    fn column(&self, column: &KeyColumn) -> String {
        format!("{}.{}", self.table, quoted(&column.name))
    }

    /// Expressions that give a key's values in the form that [`values::key_of`] reads.
    #[must_use]
    pub fn key_expressions(&self) -> String {
        let expressions: Vec<String> = self
            .columns
            .iter()
            .map(|column| carried(&self.column(column), column))
            .collect();
        expressions.join(", ")
    }
}

/// A column as it is carried: numbers for what is compared by number, bytes for text.
fn carried(column: &str, spec: &KeyColumn) -> String {
    match spec.kind {
        KeyKind::Int => column.to_owned(),
        // Plus zero a SET would be a DOUBLE, shown with an exponent when it is large.
        KeyKind::UInt if spec.data_type == "set" => format!("CAST({column} AS UNSIGNED)"),
        KeyKind::UInt if matches!(spec.data_type.as_str(), "bit" | "enum" | "year") => {
            format!("{column}+0")
        }
        KeyKind::UInt => column.to_owned(),
        // Shown with a display width it would be rounded.
        KeyKind::Double => format!("CAST({column} AS DOUBLE)"),
        KeyKind::Decimal
        | KeyKind::Date
        | KeyKind::DateTime
        | KeyKind::Timestamp
        | KeyKind::Time => {
            format!("CAST({column} AS CHAR)")
        }
        KeyKind::Bytes => format!("CAST({column} AS BINARY)"),
    }
}

/// The statements of one migration; made once from its plan.
#[derive(Debug, Clone)]
pub struct Sql {
    pub(crate) original_name: String,
    pub(crate) original: Walk,
    pub(crate) ghost: Walk,
    pub(crate) old: String,
    pub(crate) changelog: String,
    /// `(column, …)` of the ghost that copy and refresh write.
    targets: String,
    /// One of them, to be set to itself where a duplicate is to be left alone.
    itself: String,
    /// The same columns' expressions over the original.
    sources: String,
    /// A column outside the walked index, so that a locking read takes the clustered record too.
    outside: Option<String>,
    /// Those of backfilled columns, each with a comma in front: [`Sql::copied_columns`] begins without them.
    computed: String,
    shared: Vec<SharedColumn>,
    /// Columns that expressions fill, each with its expression over the original.
    backfilled: Vec<(SharedColumn, String)>,
    /// Columns of the ghost that aren't compared.
    unverified: Vec<String>,
    introduces_keys: bool,
    /// The way back of a migration.
    reverts: bool,
    /// Columns of the ghost whose values are its own.
    kept: Option<kept::Kept>,
    /// `, parent WRITE` for each parent to be locked.
    parents: String,
}

impl Sql {
    /// Prepares the statements of a migration.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let names = &plan.names;
        let original = Walk {
            table: qualified(&names.schema, &names.original),
            index: quoted(&plan.key.original_index),
            columns: plan.key.columns.clone(),
        };
        let table = qualified(&names.schema, &names.ghost);
        let ghost = ghost_walk(&plan.ghost, &plan.key, table);
        let mut targets: Vec<String> = Vec::new();
        let mut sources: Vec<String> = Vec::new();
        for shared in &plan.columns.shared {
            targets.push(quoted(&shared.to.name));
            let column = format!("{}.{}", original.table, quoted(&shared.from.name));
            sources.push(source(shared, column));
        }
        for constant in &plan.columns.constant {
            targets.push(quoted(&constant.name));
            sources.push(constant.literal.clone());
        }
        let backfilled = backfill::filled(plan, &original.table);
        let filled = backfilled.iter();
        targets.extend(filled.map(|(column, _)| quoted(&column.to.name)));
        let outside = plan
            .original
            .columns
            .iter()
            .find(|column| {
                !column.generated()
                    && !plan.original.indexes.iter().any(|index| {
                        (index.name == "PRIMARY" || index.name == plan.key.original_index)
                            && index
                                .parts
                                .iter()
                                .any(|part| part.column.as_ref() == Some(&column.name))
                    })
            })
            .map(|column| format!("{}.{}", original.table, quoted(&column.name)));
        let mut parents: Vec<String> = plan
            .foreign_keys
            .iter()
            .filter_map(|key| key.parent.strip_prefix(&format!("{}.", names.schema)))
            .map(|parent| format!(", {} WRITE", qualified(&names.schema, parent)))
            .collect();
        parents.sort();
        parents.dedup();
        Self {
            parents: parents.concat(),
            original_name: names.original.clone(),
            old: qualified(&names.schema, &names.old),
            changelog: qualified(&names.schema, &names.changelog),
            itself: targets.first().cloned().unwrap_or_default(),
            targets: targets.join(", "),
            sources: sources.join(", "),
            computed: backfill::computed(&backfilled),
            backfilled,
            outside: if plan.key.original_index == "PRIMARY" {
                None
            } else {
                outside
            },
            shared: plan.columns.shared.clone(),
            unverified: plan.unverified.clone(),
            introduces_keys: plan.makes_rows_anew(),
            reverts: names.reverts,
            kept: kept::Kept::new(plan),
            original,
            ghost,
        }
    }

    /// A row may have no place in the ghost, because the ALTER introduces a unique key; or no row of it may
    /// displace another, because it has values that no other table has.
    #[must_use]
    pub fn introduces_keys(&self) -> bool {
        self.introduces_keys
    }

    /// The way back of a migration.
    #[must_use]
    pub fn reverts(&self) -> bool {
        self.reverts
    }

    /// The original, to be walked.
    #[must_use]
    pub fn original(&self) -> &Walk {
        &self.original
    }

    /// The ghost, to be walked.
    #[must_use]
    pub fn ghost(&self) -> &Walk {
        &self.ghost
    }

    /// `ghost.key = original.key` for all columns, as the ghost compares.
    fn paired(&self) -> String {
        self.paired_in(&self.ghost.table)
    }

    /// The same for another table with the ghost's key columns.
    fn paired_in(&self, table: &str) -> String {
        self.pair_with(table, |column| {
            let value = self.original.column(column);
            if matches!(column.data_type.as_str(), "enum" | "set" | "bit") {
                format!("{value}+0")
            } else {
                value
            }
        })
    }

    /// `ghost.key = w.k1 AND …`, where `w` holds keys in the original's form.
    fn ghost_is_asked(&self) -> String {
        let mut position = 0;
        self.pair_with(&self.ghost.table, |_| {
            position += 1;
            format!("w.k{position}")
        })
    }

    /// Equal as the ghost compares, which finds the row by index, and as the original compares: with
    /// another collation on one side, two keys may be one in the ghost and two in the original, or
    /// the other way round, and neither may take the other's row.
    fn pair_with(&self, table: &str, mut value: impl FnMut(&KeyColumn) -> String) -> String {
        let mut pairs = Vec::new();
        for column in &self.original.columns {
            let value = value(column);
            let ghost = format!("{table}.{}", quoted(&column.ghost_name));
            pairs.push(format!("{ghost} = {}", as_ghost_text(&value, column)));
            if compared_differently(column) {
                let ghost = as_original_text(&ghost, column);
                pairs.push(format!("{ghost} = {value}"));
            }
        }
        pairs.join(" AND ")
    }

    /// `original.key = w.k1 AND …` for all columns, as the original compares.
    fn original_is_asked(&self) -> String {
        let pairs: Vec<String> = self
            .original
            .columns
            .iter()
            .zip(1..)
            .map(|(column, position)| {
                let collate = match &column.collation {
                    Some(collation) => format!(" COLLATE {collation}"),
                    None => String::new(),
                };
                format!("{} = w.k{position}{collate}", self.original.column(column))
            })
            .collect();
        pairs.join(" AND ")
    }

    /// `(VALUES ROW(0, …), ROW(1, …)) AS w(o, k1, …)`: the asked keys with their ordinals.
    fn asked(&self, keys: &[Key]) -> Result<String, KeyError> {
        let columns = &self.original.columns;
        let mut text = String::from("(VALUES ");
        for (ordinal, key) in keys.iter().enumerate() {
            if ordinal > 0 {
                text.push_str(", ");
            }
            text.push_str("ROW(");
            text.push_str(&ordinal.to_string());
            for (value, column) in decode(key, columns)?.iter().zip(columns) {
                text.push_str(", ");
                write_literal(&mut text, value, column);
            }
            text.push(')');
        }
        text.push_str(") AS w(o");
        for position in 1..=columns.len() {
            text.push_str(", k");
            text.push_str(&position.to_string());
        }
        text.push(')');
        Ok(text)
    }
}

/// What is written to the ghost for a column. The server converts on the way in as ALTER does, with
/// exceptions when it writes text: INSERT … SELECT takes a FLOAT for a DOUBLE (0.33329999446868896 for
/// 0.3333), rounds a DOUBLE that is too long where ALTER refuses it, and takes the YEAR 0000 for 0
/// (measured on 9.7.4; cases `numbers_to_text_and_back`, `double_too_long_for_text`,
/// `year_to_other_types`).
fn source(shared: &SharedColumn, column: String) -> String {
    match (shared.from.data_type.as_str(), &shared.to.charset) {
        ("float" | "double", Some(_)) => format!("CAST({column} AS CHAR)"),
        ("year", Some(_)) => year_as_text(&column),
        _ => column,
    }
}

/// A YEAR as ALTER writes it: four digits always.
pub(super) fn year_as_text(column: &str) -> String {
    format!("LPAD({column}, 4, '0')")
}

/// Whether the two tables disagree about which values of a text key column are equal.
fn compared_differently(column: &KeyColumn) -> bool {
    column
        .ghost_text
        .as_ref()
        .is_some_and(|(_, collation)| column.collation.as_ref() != Some(collation))
}

/// A value of the original as the ghost holds and compares it.
fn as_ghost_text(value: &str, column: &KeyColumn) -> String {
    match &column.ghost_text {
        Some((charset, collation)) if column.charset.as_ref() == Some(charset) => {
            format!("{value} COLLATE {collation}")
        }
        Some((charset, collation)) => {
            format!("CONVERT({value} USING {charset}) COLLATE {collation}")
        }
        None => value.to_owned(),
    }
}

/// A value of the ghost as the original holds and compares it.
fn as_original_text(value: &str, column: &KeyColumn) -> String {
    match (&column.charset, &column.collation, &column.ghost_text) {
        (Some(charset), Some(collation), Some((other, _))) if charset == other => {
            format!("{value} COLLATE {collation}")
        }
        (Some(charset), Some(collation), _) => {
            format!("CONVERT({value} USING {charset}) COLLATE {collation}")
        }
        _ => value.to_owned(),
    }
}

/// The ghost walked by its own index: the same columns, in the index's order, with the ghost's
/// names, character sets and collations.
fn ghost_walk(ghost: &Table, key: &SharedKey, table: String) -> Walk {
    let index = ghost
        .indexes
        .iter()
        .find(|index| index.name == key.ghost_index);
    let order: Vec<&str> = index
        .iter()
        .flat_map(|index| &index.parts)
        .filter_map(|part| part.column.as_deref())
        .collect();
    let position = |column: &KeyColumn| {
        order
            .iter()
            .position(|name| crate::plan::inspection::same_name(name, &column.ghost_name))
    };
    let mut columns = key.columns.clone();
    columns.sort_by_key(position);
    for column in &mut columns {
        std::mem::swap(&mut column.name, &mut column.ghost_name);
        if let Some((charset, collation)) = column.ghost_text.take() {
            column.charset = Some(charset);
            column.collation = Some(collation);
        }
    }
    Walk {
        table,
        index: quoted(&key.ghost_index),
        columns,
    }
}

#[cfg(test)]
pub(crate) mod tests;
