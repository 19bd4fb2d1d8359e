//! What row events tell: the keys of the original's rows, and the content of our own helper tables.

use mysql_async::binlog::EventType;
use mysql_async::binlog::events::{Event, RowsEventData};

use super::binlog::{Delivery, REPORT};
use super::helper_rows::{changelog_row, checkpoint_number};
use super::keys::{KeyReader, Rows};
use crate::core::event::Failure;
use crate::limits;
use crate::plan::key::Key;

/// What the rows of a table are for us.
pub(super) enum Target {
    Original(KeyReader),
    Changelog(KeyReader),
    Checkpoint(KeyReader),
    Ghost,
}

/// Keys on their way into one message.
#[derive(Default)]
pub(super) struct Gathered {
    keys: Vec<Key>,
    /// What they take outside of the list.
    heap: usize,
}

impl Gathered {
    fn add(&mut self, key: Key) {
        self.heap += key.heap_size();
        self.keys.push(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// It is as much as a message may have.
    pub(super) fn is_full(&self) -> bool {
        self.keys.len() >= limits::STREAM_BATCH_KEYS || self.heap >= limits::STREAM_BATCH_BYTES
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Every key once, in order.
    pub(super) fn take(&mut self) -> Vec<Key> {
        let Self { mut keys, .. } = std::mem::take(self);
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// Which table the rows of an event are of, without reading them; `None` for events without rows.
pub(super) fn table_of(event: &Event) -> Option<u64> {
    let kind = event.header().event_type().ok()?;
    let has_rows = matches!(
        kind,
        EventType::WRITE_ROWS_EVENT
            | EventType::UPDATE_ROWS_EVENT
            | EventType::DELETE_ROWS_EVENT
            | EventType::PARTIAL_UPDATE_ROWS_EVENT
            | EventType::WRITE_ROWS_EVENT_V1
            | EventType::UPDATE_ROWS_EVENT_V1
            | EventType::DELETE_ROWS_EVENT_V1
    );
    // Six bytes in every server since 5.1.4 (MySQL internals, "Rows_event").
    let id = event.data().first_chunk::<6>().filter(|_| has_rows)?;
    let [one, two, three, four, five, six] = *id;
    Some(u64::from_le_bytes([one, two, three, four, five, six, 0, 0]))
}

/// Takes keys of the original's rows until a message is full, and tells whether there may be more. Rows that
/// came, went, or got another key are in `renewed` as well.
///
/// # Errors
/// When an image can't be read, or doesn't hold the key.
pub(super) fn gather(
    rows: &mut Rows<'_>,
    keys: &mut Gathered,
    renewed: &mut Vec<Key>,
) -> Result<bool, Failure> {
    while !keys.is_full() {
        let Some(row) = rows.next() else {
            return Ok(false);
        };
        let row = row.map_err(|error| {
            Failure::new(
                error.to_string(),
                "set binlog_row_image=FULL in the sessions that write to this table, and keep NULL out of \
                 its key; then start the migration again",
            )
            .for_good()
        })?;
        let moved = row.before != row.after;
        if moved {
            renewed.extend(row.before.iter().chain(&row.after).cloned());
        }
        row.before.into_iter().for_each(|key| keys.add(key));
        if moved {
            row.after.into_iter().for_each(|key| keys.add(key));
        }
    }
    Ok(true)
}

/// What rows of our own helper tables tell.
///
/// # Errors
/// When an image can't be read.
pub(super) fn told(target: &Target, rows: &RowsEventData<'_>) -> Result<Vec<Delivery>, Failure> {
    let (reader, table, meaning): (_, _, fn(&Key) -> Option<Delivery>) = match target {
        Target::Original(_) | Target::Ghost => return Ok(Vec::new()),
        Target::Changelog(reader) => (reader, "changelog", |row| {
            changelog_row(row).map(|(id, value)| Delivery::Changelog(id, value))
        }),
        Target::Checkpoint(reader) => (reader, "checkpoint", |row| {
            checkpoint_number(row).map(Delivery::Checkpoint)
        }),
    };
    let mut told = Vec::new();
    for row in reader.rows(rows) {
        let row =
            row.map_err(|error| Failure::new(format!("the {table} table: {error}"), REPORT))?;
        told.extend(row.after.as_ref().and_then(meaning));
    }
    Ok(told)
}
