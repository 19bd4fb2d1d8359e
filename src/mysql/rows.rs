//! What row events tell: the keys of the original's rows, and the content of our own helper tables.

use mysql_async::binlog::events::RowsEventData;

use super::binlog::{Delivery, REPORT};
use super::helper_rows::{changelog_row, checkpoint_number};
use super::keys::KeyReader;
use crate::core::event::Failure;
use crate::plan::key::Key;

/// What the rows of a table are for us.
pub(super) enum Target {
    Original(KeyReader),
    Changelog(KeyReader),
    Checkpoint(KeyReader),
    Ghost,
}

/// Keys of the original's rows go to `keys`, and to `renewed` if the rows came, went, or got another key; rows
/// of the changelog and of checkpoints are returned.
///
/// # Errors
/// When an image can't be read, or doesn't hold the key.
pub(super) fn read_rows(
    target: Option<&Target>,
    rows: &RowsEventData<'_>,
    keys: &mut Vec<Key>,
    renewed: &mut Vec<Key>,
) -> Result<Vec<Delivery>, Failure> {
    let mut told = Vec::new();
    match target {
        None | Some(Target::Ghost) => {}
        Some(Target::Original(reader)) => reader
            .read(rows, |row| {
                let moved = row.before != row.after;
                if moved {
                    renewed.extend(row.before.iter().chain(&row.after).cloned());
                }
                keys.extend(row.before);
                if moved {
                    keys.extend(row.after);
                }
            })
            .map_err(|error| {
                Failure::new(
                    error.to_string(),
                    "set binlog_row_image=FULL in the sessions that write to this table, and keep NULL out of \
                     its key; then start the migration again",
                )
                .for_good()
            })?,
        Some(Target::Changelog(reader)) => reader
            .read(rows, |row| {
                let row = row.after.as_ref().and_then(changelog_row);
                told.extend(row.map(|(id, value)| Delivery::Changelog(id, value)));
            })
            .map_err(|error| Failure::new(format!("the changelog table: {error}"), REPORT))?,
        Some(Target::Checkpoint(reader)) => reader
            .read(rows, |row| {
                let number = row.after.as_ref().and_then(checkpoint_number);
                told.extend(number.map(Delivery::Checkpoint));
            })
            .map_err(|error| Failure::new(format!("the checkpoint table: {error}"), REPORT))?,
    }
    Ok(told)
}
