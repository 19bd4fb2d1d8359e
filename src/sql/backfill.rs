//! Expressions of the operator that fill columns, over the original and over a copy of its columns that has no
//! rows, by which the server judges them.
//!
//! Every column in them gets its table in front: they stand beside the ghost's columns, which have the same
//! names.

use super::{Sql, Statement, qualified, quoted, source};
use crate::plan::Plan;
use crate::plan::backfill::{Backfill, Piece};
use crate::plan::columns::SharedColumn;
use crate::plan::inspection::{Table, same_name};
use crate::plan::names::Names;

/// An expression in parentheses, its columns those of a table.
fn over(pieces: &[Piece], table: &str) -> String {
    let pieces: Vec<String> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Column(name) => format!("{table}.{}", quoted(name)),
            Piece::Text(text) => text.clone(),
        })
        .collect();
    format!("({})", pieces.concat())
}

/// The plan's backfilled columns with their expressions.
pub(super) fn filled(plan: &Plan, original: &str) -> Vec<(SharedColumn, String)> {
    let columns = plan.columns.backfilled.iter();
    columns
        .map(|column| (column.types.clone(), over(&column.pieces, original)))
        .collect()
}

/// What is written to them, each with a comma in front.
pub(super) fn computed(filled: &[(SharedColumn, String)]) -> String {
    filled
        .iter()
        .map(|(column, expression)| format!(", {}", source(column, expression.clone())))
        .collect()
}

/// The temporary tables by which the server judges an expression: one with the original's columns, one that
/// is made of the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    original: String,
    probe: String,
    result: String,
    /// The original's columns, quoted.
    columns: Vec<String>,
    /// A column that none of them is called like.
    own: String,
}

impl Trial {
    /// The trial for a table.
    #[must_use]
    pub fn new(names: &Names, original: &Table) -> Self {
        let mut own = "tableshift_key".to_owned();
        while original
            .columns
            .iter()
            .any(|column| same_name(&column.name, &own))
        {
            own.push('_');
        }
        Self {
            original: qualified(&names.schema, &names.original),
            probe: qualified(&names.schema, &names.tried()),
            result: qualified(&names.schema, &names.kept()),
            columns: original
                .columns
                .iter()
                .map(|column| quoted(&column.name))
                .collect(),
            own: quoted(&own),
        }
    }

    /// Makes the columns. As the result of a query they aren't AUTO_INCREMENT, to which no constraint may refer,
    /// and aren't computed; a key is there for servers that make no table without one.
    #[must_use]
    pub fn make_columns(&self) -> Statement {
        Statement::new(
            "try a backfill",
            format!(
                "CREATE /* tableshift */ TEMPORARY TABLE {} ({} INT NOT NULL DEFAULT 0 PRIMARY KEY) \
                 ENGINE=InnoDB AS SELECT {} FROM {} LIMIT 0",
                self.probe,
                self.own,
                self.columns.join(", "),
                self.original,
            ),
        )
    }

    /// Succeeds if the server takes the expression for one that depends on the row alone.
    #[must_use]
    pub fn constrain(&self, backfill: &Backfill, original: &Table) -> Statement {
        // A constraint names its own table's columns only, so the pieces stand without it.
        let pieces: Vec<String> = backfill
            .pieces(original)
            .iter()
            .map(|piece| match piece {
                Piece::Column(name) => quoted(name),
                Piece::Text(text) => text.clone(),
            })
            .collect();
        Statement::new(
            "try a backfill",
            format!(
                "ALTER /* tableshift */ TABLE {} ADD CHECK (({}) IS NULL)",
                self.probe,
                pieces.concat(),
            ),
        )
    }

    /// Makes a table of the expression's values, none.
    #[must_use]
    pub fn make_result(&self, pieces: &[Piece]) -> Statement {
        Statement::new(
            "try a backfill",
            format!(
                "CREATE /* tableshift */ TEMPORARY TABLE {} ({} INT NOT NULL DEFAULT 0 PRIMARY KEY) \
                 ENGINE=InnoDB AS SELECT {} AS `value` FROM {} LIMIT 0",
                self.result,
                self.own,
                over(pieces, &self.probe),
                self.probe,
            ),
        )
    }

    /// The column that this has made.
    #[must_use]
    pub fn result(&self) -> Statement {
        Statement::new(
            "try a backfill",
            format!(
                "SHOW /* tableshift */ FULL COLUMNS FROM {} LIKE 'value'",
                self.result
            ),
        )
    }

    /// Drops the result.
    #[must_use]
    pub fn drop_result(&self) -> Statement {
        dropped(&self.result)
    }

    /// Drops the columns.
    #[must_use]
    pub fn drop_columns(&self) -> Statement {
        dropped(&self.probe)
    }
}

fn dropped(table: &str) -> Statement {
    Statement::new(
        "try a backfill",
        format!("DROP /* tableshift */ TEMPORARY TABLE IF EXISTS {table}"),
    )
}

impl Sql {
    /// Reads no row, but has every expression beside all the tables that it stands beside later.
    #[must_use]
    pub fn try_backfills(&self) -> Option<Statement> {
        if self.backfilled.is_empty() {
            return None;
        }
        let expressions: Vec<&str> = self
            .backfilled
            .iter()
            .map(|(_, text)| text.as_str())
            .collect();
        Some(Statement::new(
            "try a backfill",
            format!(
                "SELECT /* tableshift */ {} FROM (VALUES ROW(0, 0)) AS w(o, k1) STRAIGHT_JOIN {} LEFT JOIN {} ON \
                 TRUE LIMIT 0",
                expressions.join(", "),
                self.original.table,
                self.ghost.table,
            ),
        ))
    }
}
