//! Copying a chunk: one statement when nobody holds a row of it, two when somebody does.

use super::{Sql, Statement, range};
use crate::core::chunk::Chunk;
use crate::core::copy::Locking;
use crate::plan::key::KeyError;

impl Sql {
    /// The statement that copies the whole table: it has every expression and both tables.
    ///
    /// # Errors
    /// Never, because there are no boundaries.
    pub fn fingerprint(&self) -> Result<String, KeyError> {
        let whole = Chunk {
            id: 0,
            after: None,
            upto: None,
            common_columns: 0,
        };
        let copy = self.copy_chunk(&whole, Locking::NoWait)?;
        let pairs = self.missing_in_chunk(&whole)?;
        Ok(format!("{}\n{}", copy.text, pairs.text))
    }

    /// Which columns are copied into which, as [`Sql::copy_chunk`] begins; what fills the backfilled ones
    /// follows.
    #[must_use]
    pub fn copied_columns(&self) -> String {
        format!(
            "INTO {} ({}) SELECT {}",
            self.ghost.table, self.targets, self.sources
        )
    }

    /// Copies the rows of a chunk that aren't in the ghost yet.
    ///
    /// The row count of the answer's info text is the number of rows read, the affected rows are
    /// those placed; the difference was there already or lost against another unique key.
    /// `ON DUPLICATE KEY UPDATE` forgives duplicates only: truncation, a value out of range or
    /// NULL into NOT NULL stay errors, which IGNORE would swallow.
    ///
    /// # Errors
    /// When a boundary doesn't fit the key's columns.
    pub fn copy_chunk(&self, chunk: &Chunk, locking: Locking) -> Result<Statement, KeyError> {
        let wait = match locking {
            Locking::NoWait => "NOWAIT",
            Locking::SkipLocked => "SKIP LOCKED",
        };
        Ok(Statement::new(
            "copy chunk",
            format!(
                "INSERT /* tableshift */ {copied}{computed} FROM {original} FORCE INDEX ({index}) WHERE {condition} FOR SHARE {wait} \
                 ON DUPLICATE KEY UPDATE {ghost}.{itself} = {ghost}.{itself}",
                ghost = self.ghost.table,
                copied = self.copied_columns(),
                computed = self.computed,
                itself = self.itself,
                original = self.original.table,
                index = self.original.index,
                condition = range::condition(&self.original, chunk)?,
            ),
        ))
    }

    /// Keys of a chunk that are visible in the original and missing in the ghost: passed over
    /// because they were locked, or losers of a unique conflict.
    ///
    /// # Errors
    /// When a boundary doesn't fit the key's columns.
    pub fn missing_in_chunk(&self, chunk: &Chunk) -> Result<Statement, KeyError> {
        Ok(Statement::new(
            "find rows passed over",
            format!(
                "SELECT /* tableshift */ {keys} FROM {original} FORCE INDEX ({index}) LEFT JOIN \
                 {ghost} FORCE INDEX ({ghost_index}) ON {paired} WHERE {condition} AND \
                 {absent}",
                keys = self.original.key_expressions(),
                original = self.original.table,
                index = self.original.index,
                ghost = self.ghost.table,
                ghost_index = self.ghost.index,
                absent = self.absent_from(&self.ghost),
                paired = self.paired(),
                condition = range::condition(&self.original, chunk)?,
            ),
        ))
    }
}
