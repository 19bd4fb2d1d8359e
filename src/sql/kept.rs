//! Values that only the ghost has, kept while its rows are made anew.
//!
//! On the way back of a migration the ghost is the old table, and may have columns that the new one lacks
//! because the ALTER dropped them. REPLACE would lose their values. `INSERT … ON DUPLICATE KEY UPDATE` keeps
//! them, but with a second unique key it may update another row than the one with the key: where a unique
//! value has moved on, a new row would take over somebody else's values. So they are put aside by their
//! keys in a temporary table of the connection, rows are deleted and inserted as under an introduced unique
//! key, and get them back. A row that was not there before gets the defaults, by the server; where there is
//! none, it says so (1364).

use super::{Sql, Statement, qualified, quoted};
use crate::plan::Plan;
use crate::plan::key::{Key, KeyError};

/// What is kept, and where.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// The temporary table.
    table: String,
    /// The key's columns.
    key: Vec<String>,
    /// The columns that are kept.
    columns: Vec<String>,
}

impl Kept {
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        if plan.columns.kept.is_empty() {
            return None;
        }
        let key = plan.key.columns.iter();
        Some(Self {
            table: qualified(&plan.names.schema, &plan.names.kept()),
            key: key.map(|column| quoted(&column.ghost_name)).collect(),
            columns: plan.columns.kept.iter().map(|name| quoted(name)).collect(),
        })
    }

    /// All columns of the temporary table, behind this table's name.
    fn all(&self, table: &str) -> String {
        let all = self.key.iter().chain(&self.columns);
        let named: Vec<String> = all.map(|column| format!("{table}.{column}")).collect();
        named.join(", ")
    }
}

impl Sql {
    /// Makes the temporary table, on this connection, and empties it. Neither commits a transaction.
    #[must_use]
    pub fn make_room(&self) -> Vec<Statement> {
        let Some(kept) = &self.kept else {
            return Vec::new();
        };
        let statement = |text: String| Statement::new("make room for kept values", text);
        vec![
            statement(format!(
                "CREATE /* tableshift */ TEMPORARY TABLE IF NOT EXISTS {} (UNIQUE KEY ({})) ENGINE=InnoDB AS \
                 SELECT {} FROM {} LIMIT 0",
                kept.table,
                kept.key.join(", "),
                kept.all(&self.ghost.table),
                self.ghost.table,
            )),
            statement(format!("DELETE /* tableshift */ FROM {}", kept.table)),
        ]
    }

    /// Puts aside what the ghost's rows of these keys have for themselves: those with the asked spelling of
    /// the key, and those with the present one.
    ///
    /// Nothing is converted, so IGNORE can forgive a row found twice and nothing else.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn put_aside(&self, keys: &[Key]) -> Result<Vec<Statement>, KeyError> {
        let Some(kept) = self.kept.as_ref().filter(|_| !keys.is_empty()) else {
            return Ok(Vec::new());
        };
        let (ghost, index) = (&self.ghost.table, &self.ghost.index);
        let into = format!(
            "INSERT /* tableshift */ IGNORE INTO {} ({}, {}) SELECT {}",
            kept.table,
            kept.key.join(", "),
            kept.columns.join(", "),
            kept.all(ghost),
        );
        let statement = |text: String| Statement::new("put values aside", text);
        Ok(vec![
            statement(format!(
                "{into} FROM {} STRAIGHT_JOIN {ghost} FORCE INDEX ({index}) ON {}",
                self.asked(keys)?,
                self.ghost_is_asked(),
            )),
            statement(format!(
                "{into} FROM {} STRAIGHT_JOIN {ghost} FORCE INDEX ({index}) ON {}",
                self.rows_of(keys)?,
                self.paired(),
            )),
        ])
    }

    /// Writes the original's rows of these keys to the ghost, where they aren't now: those that were there
    /// get back what was put aside, the others the defaults.
    ///
    /// The second statement is for when the first has left rows over: where there is no default the server
    /// refuses it even if it has no row (9.7.4).
    pub(super) fn replace_keeping(
        &self,
        keys: &[Key],
        locking: &str,
    ) -> Result<Vec<Statement>, KeyError> {
        let Some(kept) = &self.kept else {
            return Ok(Vec::new());
        };
        let (ghost, rows, table) = (&self.ghost.table, self.rows_of(keys)?, &kept.table);
        let paired = self.paired_in(table);
        let own: Vec<String> = kept
            .columns
            .iter()
            .map(|column| format!("{table}.{column}"))
            .collect();
        let statement = |text: String| Statement::new("refresh rows", text);
        Ok(vec![
            statement(format!(
                "INSERT /* tableshift */ INTO {ghost} ({}, {}) SELECT {}, {} FROM {rows} STRAIGHT_JOIN {table} \
                 ON {paired} {locking}",
                self.targets,
                kept.columns.join(", "),
                self.sources,
                own.join(", "),
            )),
            statement(format!(
                "INSERT /* tableshift */ INTO {ghost} ({}) SELECT {} FROM {rows} WHERE NOT EXISTS (SELECT 1 FROM \
                 {table} WHERE {paired}) {locking}",
                self.targets, self.sources,
            )),
        ])
    }
}
