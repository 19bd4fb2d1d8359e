//! The binary log as a stream of dirty keys, markers and heartbeats.
//!
//! Reads events, resumes exactly after a lost connection, and stops the run whenever row events
//! don't tell the whole story any more. The resume point moves only at the end of a transaction;
//! delivering a key twice is harmless, missing one never happens.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use mysql_async::binlog::EventType;
use mysql_async::binlog::events::{Event, EventData, RowsEventData, TableMapEvent};
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn};
use tokio::sync::mpsc;

use super::keys::KeyReader;
use super::session::{Address, fence};
use crate::core::event::Failure;
use crate::limits;
use crate::plan::key::{Key, KeyColumn};
use crate::plan::names::Names;
use crate::plan::statement::{Meaning, Reach, judge};

/// A place in the binary log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// File name.
    pub file: String,
    /// Byte after the last complete transaction.
    pub offset: u64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

/// Something the stream delivers, in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Keys of changed rows.
    Keys(Vec<Key>),
    /// A row of the changelog: its id and its value.
    Changelog(u64, String),
    /// How far the stream has read.
    Position(Position),
    /// Row events no longer tell the whole story.
    Broken(Failure),
}

/// What to follow.
#[derive(Clone)]
pub struct Source {
    /// The server.
    pub address: Address,
    /// `@@server_uuid`: another server's log is another history.
    pub server_uuid: String,
    /// A server id that no replica uses.
    pub server_id: u32,
    /// The tables.
    pub names: Names,
    /// The shared unique key's columns.
    pub key: Vec<KeyColumn>,
    /// Number of columns of the original.
    pub columns: usize,
    /// Programs of other schemas reach the table.
    pub reached_from_elsewhere: bool,
}

/// Why a connection's events ended.
enum End {
    /// Lost; to be resumed.
    Lost(String),
    /// Nobody listens any more.
    Closed,
}

type Stopped = Result<End, Failure>;

/// Follows the log from `position` until the receiver is dropped or the story breaks.
pub async fn follow(source: Source, position: Position, out: mpsc::Sender<Delivery>) {
    let mut follower = Follower {
        source,
        at: position,
        payload_end: 0,
        readers: HashMap::new(),
        keys: Vec::new(),
        out,
        dump_id: None,
    };
    let failure = follower.run().await;
    if let Some(failure) = failure {
        // The receiver may be gone; then nobody has to be told.
        let _ = follower.out.send(Delivery::Broken(failure)).await;
    }
    if let Some(id) = follower.dump_id {
        let _ = fence(&follower.source.address, id).await;
    }
}

struct Follower {
    source: Source,
    at: Position,
    /// End of the compressed transaction under way: its inner events have no position.
    payload_end: u64,
    /// By table id; `None` for tables of others.
    readers: HashMap<u64, Option<Target>>,
    keys: Vec<Key>,
    out: mpsc::Sender<Delivery>,
    dump_id: Option<u32>,
}

enum Target {
    Original(KeyReader),
    Changelog(KeyReader),
}

impl Follower {
    async fn run(&mut self) -> Option<Failure> {
        let mut losses = 0;
        loop {
            let before = self.at.clone();
            let end = match self.connect().await {
                Ok(stream) => self.session(stream).await,
                Err(end) => end,
            };
            let why = match end {
                Ok(End::Closed) => return None,
                Ok(End::Lost(why)) => why,
                Err(failure) => return Some(failure),
            };
            losses = if self.at == before { losses + 1 } else { 0 };
            if losses >= limits::RECONNECTS {
                return Some(Failure::new(
                    format!(
                        "the binary log could not be followed beyond {}: {why}",
                        self.at
                    ),
                    "see that the server is up and reachable, then run the command again",
                ));
            }
            if self.out.is_closed() {
                return None;
            }
            tokio::time::sleep(limits::RECONNECT_PAUSE).await;
        }
    }

    async fn connect(&mut self) -> Result<BinlogStream, Stopped> {
        let lost = |error: mysql_async::Error| Ok(End::Lost(error.to_string()));
        let connecting = Conn::new(self.source.address.options());
        let mut conn = match tokio::time::timeout(limits::CONNECT_TIMEOUT, connecting).await {
            Ok(conn) => conn.map_err(lost)?,
            Err(_) => return Err(Ok(End::Lost("no connection in time".into()))),
        };
        if let Some(id) = self.dump_id.replace(conn.id())
            && let Err(fault) = fence(&self.source.address, id).await
        {
            return Err(Ok(End::Lost(fault.to_string())));
        }
        let uuid: Option<String> = conn
            .query_first("SELECT @@server_uuid")
            .await
            .map_err(lost)?;
        if uuid.as_deref() != Some(self.source.server_uuid.as_str()) {
            return Err(Err(Failure::new(
                "the address now leads to another server",
                "a failover happened: start the migration anew on the new primary",
            )));
        }
        let heartbeat = limits::BINLOG_HEARTBEAT.as_nanos();
        conn.query_drop(format!(
            "SET @master_heartbeat_period={heartbeat}, @source_heartbeat_period={heartbeat}, \
             @slave_uuid=UUID(), @replica_uuid=@slave_uuid"
        ))
        .await
        .map_err(lost)?;
        self.readers.clear();
        self.keys.clear();
        self.payload_end = 0;
        let request = BinlogStreamRequest::new(self.source.server_id)
            .with_filename(self.at.file.as_bytes())
            .with_pos(self.at.offset);
        conn.get_binlog_stream(request).await.map_err(lost)
    }

    /// Reads one connection's events to its end.
    async fn session(&mut self, mut stream: BinlogStream) -> Stopped {
        let silence = limits::BINLOG_SILENCE;
        loop {
            let next = tokio::time::timeout(silence, stream.next());
            let next = tokio::select! {
                () = self.out.closed() => return Ok(End::Closed),
                next = next => next,
            };
            let event = match next {
                Err(_) => return Ok(End::Lost(format!("silent for {} s", silence.as_secs()))),
                Ok(None) => return Ok(End::Lost("the server ended the stream".into())),
                Ok(Some(Err(mysql_async::Error::Server(error)))) if error.code == 1236 => {
                    return Err(Failure::new(
                        format!(
                            "the binary log can't be read from {}: {}",
                            self.at, error.message
                        ),
                        "keep the binary logs longer than a migration takes, and start it again",
                    ));
                }
                Ok(Some(Err(error))) => return Ok(End::Lost(error.to_string())),
                Ok(Some(Ok(event))) => event,
            };
            checksum(&event)?;
            let table = self.map_of(&event, &stream)?;
            if let Some(end) = self.take(&event, table).await? {
                return Ok(end);
            }
        }
    }

    /// For row events: makes sure that the table's reader exists, and returns its id.
    fn map_of(&mut self, event: &Event, stream: &BinlogStream) -> Result<Option<u64>, Failure> {
        let rows = match event.read_data().map_err(unreadable)? {
            Some(EventData::RowsEvent(rows)) => rows,
            Some(_) | None => return Ok(None),
        };
        let id = rows.table_id();
        if !self.readers.contains_key(&id) {
            let map = stream.get_tme(id).ok_or_else(|| {
                Failure::new("rows of an unknown table in the binary log", REPORT)
            })?;
            let target = self.target(map)?;
            self.readers.insert(id, target);
        }
        Ok(Some(id))
    }

    fn target(&self, map: &TableMapEvent<'_>) -> Result<Option<Target>, Failure> {
        let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
        if !same(&map.database_name(), &self.source.names.schema) {
            return Ok(None);
        }
        let name = map.table_name();
        if same(&name, &self.source.names.original) {
            let reader = KeyReader::new(map, &self.source.key, self.source.columns);
            return reader
                .map(|reader| Some(Target::Original(reader)))
                .map_err(|error| {
                    Failure::new(
                        format!("the original changed while it was migrated: {error}"),
                        "start the migration again once nobody alters the table",
                    )
                });
        }
        if same(&name, &self.source.names.changelog) {
            let reader = KeyReader::new(map, &changelog_columns(), CHANGELOG_COLUMNS);
            return reader
                .map(|reader| Some(Target::Changelog(reader)))
                .map_err(|error| Failure::new(format!("the changelog table: {error}"), REPORT));
        }
        Ok(None)
    }

    async fn take(&mut self, event: &Event, table: Option<u64>) -> Result<Option<End>, Failure> {
        let header = event.header();
        let end = u64::from(header.log_pos());
        let Some(data) = event.read_data().map_err(unreadable)? else {
            return unknown(header.event_type_raw(), header.flags_raw());
        };
        match data {
            EventData::RowsEvent(rows) => self.rows(&rows, table).await,
            EventData::XidEvent(_) | EventData::XaPrepareLogEvent(_) => self.commit(end).await,
            EventData::QueryEvent(query) => {
                self.statement(&query.query(), &query.schema(), end).await
            }
            EventData::RotateEvent(rotate) => {
                // The first one of a connection repeats what was asked for.
                if end != 0 {
                    self.at = Position {
                        file: rotate.name().into_owned(),
                        offset: rotate.position(),
                    };
                }
                Ok(None)
            }
            EventData::TransactionPayloadEvent(payload) => {
                // The library passes over a payload that it can't decompress.
                let readable = payload
                    .decompressed()
                    .and_then(|mut inner| inner.has_data_left());
                if !matches!(readable, Ok(true)) {
                    return Err(Failure::new(
                        "a compressed transaction can't be read",
                        REPORT,
                    ));
                }
                self.payload_end = end;
                Ok(None)
            }
            EventData::IncidentEvent(_) => Err(Failure::new(
                "the server logged an incident: the binary log has a gap",
                "start the migration again",
            )),
            EventData::LoadEvent(_)
            | EventData::CreateFileEvent(_)
            | EventData::AppendBlockEvent(_)
            | EventData::ExecLoadEvent(_)
            | EventData::DeleteFileEvent(_)
            | EventData::NewLoadEvent(_)
            | EventData::BeginLoadQueryEvent(_)
            | EventData::ExecuteLoadQueryEvent(_)
            | EventData::PreGaWriteRowsEvent(_)
            | EventData::PreGaUpdateRowsEvent(_)
            | EventData::PreGaDeleteRowsEvent(_)
            | EventData::UnknownEvent => unknown(header.event_type_raw(), header.flags_raw()),
            EventData::StartEventV3(_)
            | EventData::StopEvent
            | EventData::IntvarEvent(_)
            | EventData::SlaveEvent
            | EventData::RandEvent(_)
            | EventData::UserVarEvent(_)
            | EventData::FormatDescriptionEvent(_)
            | EventData::TableMapEvent(_)
            | EventData::HeartbeatEvent
            | EventData::IgnorableEvent(_)
            | EventData::RowsQueryEvent(_)
            | EventData::GtidEvent(_)
            | EventData::AnonymousGtidEvent(_)
            | EventData::PreviousGtidsEvent(_)
            | EventData::TransactionContextEvent(_)
            | EventData::ViewChangeEvent(_) => Ok(None),
        }
    }

    async fn rows(
        &mut self,
        rows: &RowsEventData<'_>,
        table: Option<u64>,
    ) -> Result<Option<End>, Failure> {
        let table = table
            .and_then(|id| self.readers.get(&id))
            .and_then(Option::as_ref);
        let changelog = read_rows(table, rows, &mut self.keys)?;
        for (id, value) in changelog {
            // Keys logged before the marker come before it.
            if !self.flush().await || !self.send(Delivery::Changelog(id, value)).await {
                return Ok(Some(End::Closed));
            }
        }
        let full = self.keys.len() >= limits::STREAM_BATCH_KEYS;
        Ok((full && !self.flush().await).then_some(End::Closed))
    }

    async fn statement(
        &mut self,
        text: &str,
        schema: &str,
        end: u64,
    ) -> Result<Option<End>, Failure> {
        let token = &self.source.address.token;
        let reach = if self.source.reached_from_elsewhere {
            Reach::AnySchema
        } else {
            Reach::OwnSchema
        };
        match judge(text, schema, &self.source.names, reach, token) {
            // Our own rename: what follows are rows of another shape.
            Meaning::Harmless if text.starts_with("RENAME") && text.contains(token) => {
                Ok(Some(End::Closed))
            }
            Meaning::Harmless => Ok(None),
            Meaning::Commit => self.commit(end).await,
            Meaning::Fatal(what) => Err(Failure::new(
                what,
                "start the migration again once this can't happen",
            )),
        }
    }

    /// The end of a transaction: everything it changed is delivered, and a resume begins here.
    async fn commit(&mut self, end: u64) -> Result<Option<End>, Failure> {
        let end = if end == 0 {
            std::mem::take(&mut self.payload_end)
        } else {
            end
        };
        if end != 0 {
            self.at.offset = end;
        }
        let more = self.keys.is_empty() || self.flush().await;
        // Positions are for people; when the receiver is busy they can be left out.
        if self.out.capacity() > limits::STREAM_QUEUE / 2 {
            let _ = self.out.try_send(Delivery::Position(self.at.clone()));
        }
        Ok(if more { None } else { Some(End::Closed) })
    }

    async fn flush(&mut self) -> bool {
        if self.keys.is_empty() {
            return !self.out.is_closed();
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.sort_unstable();
        keys.dedup();
        self.send(Delivery::Keys(keys)).await
    }

    async fn send(&mut self, delivery: Delivery) -> bool {
        self.out.send(delivery).await.is_ok()
    }
}

const REPORT: &str =
    "run the command again; if it happens again, report it with the server's version";
const CHANGELOG_COLUMNS: usize = 4;

/// An event that may carry changes in a form that isn't understood. 0x80 is the server's word that
/// it can be ignored (manual, "LOG_EVENT_IGNORABLE_F").
fn unknown(event_type: u8, flags: u16) -> Result<Option<End>, Failure> {
    if flags & 0x80 != 0 {
        return Ok(None);
    }
    Err(Failure::new(
        format!("event type {event_type} in the binary log is not understood"),
        "if a session loads data with binlog_format=STATEMENT, let it use ROW; otherwise this \
         server is newer than this version of tableshift",
    ))
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::new(
        format!("an event of the binary log can't be read: {error}"),
        REPORT,
    )
}

/// The library strips the checksum without comparing it.
fn checksum(event: &Event) -> Result<(), Failure> {
    let (Some(sum), Ok(Some(algorithm))) = (event.checksum(), event.footer().get_checksum_alg())
    else {
        return Ok(());
    };
    // Events inside a compressed transaction have neither position nor checksum of their own.
    let inner = event.header().log_pos() == 0
        && event.header().event_type() != Ok(EventType::HEARTBEAT_EVENT);
    if inner || event.calc_checksum(algorithm) == u32::from_le_bytes(sum) {
        return Ok(());
    }
    Err(Failure::new(
        "an event of the binary log has a wrong checksum",
        "see to the network and the server's disk, then run the command again",
    ))
}

/// Keys of the original's rows go to `keys`; rows of the changelog are returned.
fn read_rows(
    target: Option<&Target>,
    rows: &RowsEventData<'_>,
    keys: &mut Vec<Key>,
) -> Result<Vec<(u64, String)>, Failure> {
    let mut changelog = Vec::new();
    match target {
        None => {}
        Some(Target::Original(reader)) => reader
            .read(rows, |row| {
                let moved = row.before != row.after;
                keys.extend(row.before);
                if moved {
                    keys.extend(row.after);
                }
            })
            .map_err(|error| {
                Failure::new(
                    error.to_string(),
                    "set binlog_row_image=FULL in the sessions that write to this table",
                )
            })?,
        Some(Target::Changelog(reader)) => reader
            .read(rows, |row| {
                changelog.extend(row.after.as_ref().and_then(changelog_row))
            })
            .map_err(|error| Failure::new(format!("the changelog table: {error}"), REPORT))?,
    }
    Ok(changelog)
}

/// Id and value of the changelog, read as if they were a key.
fn changelog_columns() -> Vec<KeyColumn> {
    use crate::plan::key::KeyKind;
    let column = |name: &str, ordinal, kind, data_type: &str| KeyColumn {
        name: name.into(),
        ghost_name: name.into(),
        ordinal,
        kind,
        data_type: data_type.into(),
        charset: None,
        collation: None,
        ghost_text: None,
        binary_length: None,
    };
    vec![
        column("id", 0, KeyKind::UInt, "bigint"),
        column("value", 3, KeyKind::Bytes, "varchar"),
    ]
}

fn changelog_row(key: &Key) -> Option<(u64, String)> {
    use crate::plan::key::{KeyValue, decode};
    match decode(key, &changelog_columns()).ok()?.as_slice() {
        [KeyValue::UInt(id), KeyValue::Bytes(value)] => {
            Some((*id, String::from_utf8_lossy(value).into_owned()))
        }
        _ => None,
    }
}

/// Interval between two heartbeats of the server must leave room for a few before silence.
const _: () = assert!(Duration::from_secs(3).as_secs() < limits::BINLOG_SILENCE.as_secs());
