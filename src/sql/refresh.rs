//! Refreshing keys: making the ghost's row equal to the original's.

use super::{Sql, Statement};
use crate::core::copy::Locking;
use crate::plan::key::{Key, KeyError};

impl Sql {
    /// Takes share locks on the rows of these keys and tells which keys have one, by ordinal.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn lock_present(&self, keys: &[Key], locking: Locking) -> Result<Statement, KeyError> {
        let wait = match locking {
            Locking::NoWait => "NOWAIT",
            Locking::SkipLocked => "SKIP LOCKED",
        };
        // Reading a column outside a secondary key makes the server lock the clustered record as
        // well; with the index alone the next statement would meet the application half-way.
        let outside = match &self.outside {
            Some(column) => format!(", ISNULL({column})"),
            None => String::new(),
        };
        Ok(Statement::new(
            "lock rows",
            format!(
                "SELECT /* tableshift */ w.o{outside} FROM {} STRAIGHT_JOIN {} FORCE INDEX ({}) ON \
                 {} FOR SHARE OF {} {wait}",
                self.asked(keys)?,
                self.original.table,
                self.original.index,
                self.original_is_asked(),
                super::quoted(&self.original_name),
            ),
        ))
    }

    /// Replaces the ghost's rows of these keys by the original's, under share locks that must not
    /// be waited for. The info text's row count is the number of keys that have a row.
    ///
    /// REPLACE removes another row that claims the same unique value: that row changed in the
    /// original, so it is dirty or will be. This holds only for unique keys that the original
    /// enforces as well; when the ALTER introduces one, the caller deletes these keys first and a
    /// conflict is an error. It is one statement, or two between which the rows are divided.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn replace(&self, keys: &[Key]) -> Result<Vec<Statement>, KeyError> {
        let locking = format!("FOR SHARE OF {} NOWAIT", super::quoted(&self.original_name));
        self.replace_with(keys, &locking)
    }

    /// The same under LOCK TABLES, where nobody else holds a row.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn replace_locked(&self, keys: &[Key]) -> Result<Vec<Statement>, KeyError> {
        self.replace_with(keys, "")
    }

    fn replace_with(&self, keys: &[Key], locking: &str) -> Result<Vec<Statement>, KeyError> {
        if self.kept.is_some() {
            return self.replace_keeping(keys, locking);
        }
        let verb = if self.introduces_keys {
            "INSERT"
        } else {
            "REPLACE"
        };
        let rows = self.rows_of(keys)?;
        Ok(vec![Statement::new(
            "refresh rows",
            format!(
                "{verb} /* tableshift */ {}{} FROM {rows} {locking}",
                self.copied_columns(),
                self.computed,
            ),
        )])
    }

    /// The original's rows of these keys.
    pub(super) fn rows_of(&self, keys: &[Key]) -> Result<String, KeyError> {
        Ok(format!(
            "{} STRAIGHT_JOIN {} FORCE INDEX ({}) ON {}",
            self.asked(keys)?,
            self.original.table,
            self.original.index,
            self.original_is_asked(),
        ))
    }

    /// One of these keys, by ordinal, for each row that they name: several spellings of a text key
    /// are one row.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn one_key_per_row(&self, keys: &[Key]) -> Result<Statement, KeyError> {
        let columns: Vec<String> = self
            .original
            .columns
            .iter()
            .map(|column| self.original.column(column))
            .collect();
        Ok(Statement::new(
            "look up rows",
            format!(
                "SELECT /* tableshift */ MIN(w.o) FROM {} STRAIGHT_JOIN {} FORCE INDEX ({}) ON {} \
                 GROUP BY {}",
                self.asked(keys)?,
                self.original.table,
                self.original.index,
                self.original_is_asked(),
                columns.join(", "),
            ),
        ))
    }

    /// Deletes the ghost's rows that have the present spelling of these keys: when the ghost tells
    /// spellings apart that are one key in the original, [`Sql::delete`] alone would leave them.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn delete_present(&self, keys: &[Key]) -> Result<Statement, KeyError> {
        Ok(Statement::new(
            "delete rows",
            format!(
                "DELETE /* tableshift */ {ghost} FROM {asked} STRAIGHT_JOIN {original} FORCE INDEX \
                 ({original_index}) ON {there} STRAIGHT_JOIN {ghost} FORCE INDEX ({index}) ON {pairs}",
                ghost = self.ghost.table,
                asked = self.asked(keys)?,
                original = self.original.table,
                original_index = self.original.index,
                there = self.original_is_asked(),
                index = self.ghost.index,
                pairs = self.paired(),
            ),
        ))
    }

    /// Deletes these keys from the ghost.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn delete(&self, keys: &[Key]) -> Result<Statement, KeyError> {
        Ok(Statement::new(
            "delete rows",
            format!(
                "DELETE /* tableshift */ {ghost} FROM {asked} STRAIGHT_JOIN {ghost} FORCE INDEX \
                 ({index}) ON {pairs}",
                ghost = self.ghost.table,
                asked = self.asked(keys)?,
                index = self.ghost.index,
                pairs = self.ghost_is_asked(),
            ),
        ))
    }
}
