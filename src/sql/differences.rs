//! Which columns of a few rows differ, for people: with the very expressions of the comparison.

use super::{Sql, Statement};
use crate::plan::key::{Key, KeyError};

impl Sql {
    /// For each of these keys, by ordinal, that has a row in the original: whether its ghost row is
    /// missing, and a text with one digit for each of [`Sql::compared_columns`], 1 where it differs.
    ///
    /// # Errors
    /// When a key doesn't fit the key's columns.
    pub fn differing_columns(&self, keys: &[Key]) -> Result<Statement, KeyError> {
        // By a hash as well: a concatenation compares by its collation.
        let whole = |part: &str| format!("SHA2(CONCAT_WS(_binary',', {part}), 256)");
        let digits: Vec<String> = self
            .compared_parts()
            .iter()
            .map(|part| {
                let (one, other) = (whole(&part.original), whole(&part.ghost));
                format!("NOT {one} <=> {other}")
            })
            .collect();
        Ok(Statement::new(
            "find columns that differ",
            format!(
                "SELECT /* tableshift */ w.o, {absent}, CONCAT({digits}) FROM {asked} STRAIGHT_JOIN \
                 {original} FORCE INDEX ({index}) ON {there} LEFT JOIN {ghost} FORCE INDEX \
                 ({ghost_index}) ON {paired}",
                digits = digits.join(", "),
                asked = self.asked(keys)?,
                original = self.original.table,
                index = self.original.index,
                there = self.original_is_asked(),
                ghost = self.ghost.table,
                ghost_index = self.ghost.index,
                paired = self.paired(),
                absent = self.absent_from(&self.ghost),
            ),
        ))
    }

    /// The columns that are compared, as the original calls them.
    #[must_use]
    pub fn compared_columns(&self) -> Vec<String> {
        let parts = self.compared_parts();
        parts.into_iter().map(|part| part.column).collect()
    }
}
