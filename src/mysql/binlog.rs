//! The binary log as a stream of dirty keys, markers and heartbeats.
//!
//! Reads events, resumes exactly after a lost connection, and stops the run whenever row events
//! don't tell the whole story any more. The resume point moves only at the end of a transaction;
//! delivering a key twice is harmless, missing one never happens.
//!
//! Rows of the ghost and the changelog must be this run's own. Who wrote them is told by the statement
//! that begins each transaction: it has the connection's id, and every connection of the run gives its
//! id here before it writes anything.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use mysql_async::binlog::EventType;
use mysql_async::binlog::events::{
    BinlogEventHeader, Event, EventData, TableMapEvent, TransactionPayloadEvent,
};
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn};
use tokio::sync::mpsc;

use super::gtids::{gtid_of, sids};
use super::helper_rows::{CHANGELOG_COLUMNS, changelog_columns, checkpoint_columns};
use super::keys::KeyReader;
use super::keys::Rows;
use super::place::{FILE_START, Place, Position};
use super::rows::{Gathered, Target, gather, table_of, told};
use super::session::{Address, Joined, fence};
use crate::core::event::Failure;
use crate::limits;
use crate::plan::gtid::Gtid;
use crate::plan::inspection::TableNames;
use crate::plan::key::{Key, KeyColumn};
use crate::plan::names::Names;
use crate::plan::statement::{Meaning, Reach, judge};
use crate::sql::checkpoint::CHECKPOINT_COLUMNS;
use crate::sql::helpers::MARKER_ROW;

/// Something the stream delivers, in the order of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Keys of changed rows.
    Keys(Vec<Key>),
    /// Keys whose rows came, went, or were others' before; told before the change, where it is asked for.
    Renewed(Vec<Key>),
    /// A row of the changelog: its id and its value.
    Changelog(u64, String),
    /// The row of a checkpoint: its number.
    Checkpoint(u64),
    /// How far the stream has read, and from where it could be read again with nothing missed.
    Position {
        /// For people.
        read: Position,
        /// For checkpoints.
        resume: Position,
    },
    /// The replica has nothing to tell, but is there.
    Alive,
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
    /// When the server started, in seconds since 1970.
    pub server_started: i64,
    /// How the log hangs together with the server that is written to.
    pub anchor: Anchor,
    /// Losses of the dump in a row, without an event between, that end the run.
    pub losses_max: u32,
    /// What server ids are made of.
    pub seed: u64,
    /// The tables.
    pub names: Names,
    /// How the server whose log it is tells them from others.
    pub table_names: TableNames,
    /// The shared unique key's columns.
    pub key: Vec<KeyColumn>,
    /// Number of columns of the original.
    pub columns: usize,
    /// Programs of other schemas reach the table.
    pub reached_from_elsewhere: bool,
    /// Values that the ghost alone has are kept, so it has to be told which rows are others than before.
    pub keeps_values: bool,
    /// The log begins with what an earlier run on the table has written: its marks begin so. Until this
    /// run's first marker nobody knows that run's connections, so writers of the helper tables are taken for
    /// its own; what a stranger did to copied values in that time the verification sees.
    pub earlier: Option<String>,
    /// The log begins before the swap of the migration that is to be reverted: nothing about the tables means
    /// anything until its rename, which stands for the checkpoint with this number.
    pub swap: Option<u64>,
}

/// How the log that is followed hangs together with the server that is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It is that server's own, and this connection to it holds the run's advisory lock: with the server
    /// it would be gone. A restart ends the run, because a server that doesn't flush at every commit
    /// may have lost one side of it.
    Lock(u32),
    /// It is a replica's. What that server loses by a restart it gets again from its source, and logs
    /// it again.
    Replica(ReplicaLog),
}

/// What a restart of a replica means for its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaLog {
    /// Nothing: an event is sent when it is on disk (`sync_binlog=1`).
    Flushed,
    /// Its end may be lost, with changes that are in the tables all the same.
    Unflushed,
}

/// Why a connection's events ended.
enum End {
    /// Lost; to be resumed.
    Lost(String),
    /// The server says that there is nothing new, for so long that it is asked again.
    Quiet,
    /// Nobody listens any more.
    Closed,
}

type Stopped = Result<End, Failure>;

/// What the library's stream gave, or that it was silent.
type Next = Result<Option<Result<Event, mysql_async::Error>>, tokio::time::error::Elapsed>;

/// Follows the log from `position` until the receiver is dropped or the story breaks. `joined` tells
/// the ids of the run's connections.
pub async fn follow(
    source: Source,
    position: Position,
    joined: mpsc::Receiver<Joined>,
    out: mpsc::Sender<Delivery>,
) {
    let place = match Place::new(position) {
        Ok(place) => place,
        Err(failure) => {
            let _ = out.send(Delivery::Broken(failure)).await;
            return;
        }
    };
    let reverts_seen = source.swap.is_none();
    let mut follower = Follower {
        source,
        place,
        readers: HashMap::new(),
        keys: Gathered::default(),
        out,
        dump_id: None,
        connects: 0,
        joined,
        ours: BTreeSet::new(),
        writer: None,
        told: tokio::time::Instant::now(),
        untold: false,
        marked: false,
        burst: 0,
        reverts_seen,
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
    place: Place,
    /// By table id; `None` for tables of others.
    readers: HashMap<u64, Option<Arc<Target>>>,
    keys: Gathered,
    out: mpsc::Sender<Delivery>,
    dump_id: Option<u32>,
    /// Dumps asked for so far.
    connects: u64,
    joined: mpsc::Receiver<Joined>,
    /// The run's connections.
    ours: BTreeSet<u32>,
    /// The connection that wrote the present transaction.
    writer: Option<u32>,
    /// When a position was told last.
    told: tokio::time::Instant,
    /// A transaction has ended since.
    untold: bool,
    /// The present transaction has a marker of this run.
    marked: bool,
    /// Bytes of the events that came without a wait.
    burst: u64,
    /// Since the swap a run has begun to bring the old table up to date.
    reverts_seen: bool,
}

impl Follower {
    async fn run(&mut self) -> Option<Failure> {
        let mut losses = 0;
        loop {
            let before = self.place.read().clone();
            let end = match self.connect().await {
                Ok(stream) => self.session(stream).await,
                Err(end) => end,
            };
            let why = match end {
                Ok(End::Closed) => return None,
                // Not a failure: an idle server has nothing to say while our own heartbeats rest.
                Ok(End::Quiet) => continue,
                Ok(End::Lost(why)) => why,
                Err(failure) => return Some(failure),
            };
            let moved = *self.place.read() != before;
            losses = if moved { 0 } else { losses + 1 };
            if losses >= self.source.losses_max {
                return Some(Failure::new(
                    format!(
                        "the binary log could not be followed beyond {}: {why}",
                        self.place.resume()
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
        let connected = self.source.address.connect("stream").await;
        let mut conn = connected.map_err(|fault| Ok(End::Lost(fault.to_string())))?;
        if let Some(id) = self.dump_id.replace(conn.id())
            && let Err(fault) = fence(&self.source.address, id).await
        {
            return Err(Ok(End::Lost(fault.to_string())));
        }
        let id = self.admitted(&mut conn).await?;
        let heartbeat = limits::BINLOG_HEARTBEAT.as_nanos();
        conn.query_drop(format!(
            "SET @master_heartbeat_period={heartbeat}, @source_heartbeat_period={heartbeat}, \
             @slave_uuid=UUID(), @replica_uuid=@slave_uuid"
        ))
        .await
        .map_err(lost)?;
        self.readers.clear();
        self.keys.clear();
        self.writer = None;
        self.place.connected();
        let resume = self.place.resume();
        let request = match &resume.gtids {
            Some(gtids) => {
                let sids = sids(gtids).ok_or_else(|| {
                    Err(Failure::new(
                        format!("the set of GTIDs can't be asked for: {gtids}"),
                        REPORT,
                    ))
                })?;
                // From the beginning of the first file; the server passes over what is in the set.
                BinlogStreamRequest::new(id)
                    .with_gtid()
                    .with_pos(FILE_START)
                    .with_gtid_set(sids)
            }
            None => BinlogStreamRequest::new(id)
                .with_filename(resume.file.as_bytes())
                .with_pos(resume.offset),
        };
        conn.get_binlog_stream(request).await.map_err(lost)
    }

    /// Makes sure that this is the server that the run began on, and picks a server id that it and its
    /// replicas don't have: the server ends the older of two dumps with the same one.
    async fn admitted(&mut self, conn: &mut Conn) -> Result<u32, Stopped> {
        let lost = |error: mysql_async::Error| Ok(End::Lost(error.to_string()));
        let lock = crate::sql::text_literal(&self.source.names.advisory_lock());
        let facts: Option<(String, i64, u32, Option<u32>)> = conn
            .query_first(format!(
                "SELECT @@server_uuid, CAST(UNIX_TIMESTAMP() - VARIABLE_VALUE AS SIGNED), @@server_id, \
                 IS_USED_LOCK({lock}) FROM performance_schema.global_status WHERE VARIABLE_NAME='Uptime'"
            ))
            .await
            .map_err(lost)?;
        let Some((uuid, started, server_id, holder)) = facts else {
            return Err(Ok(End::Lost("the server doesn't say who it is".into())));
        };
        if uuid != self.source.server_uuid {
            return Err(Err(Failure::new(
                "the address now leads to another server",
                "a failover happened: start the migration anew on the new primary",
            )));
        }
        // Two clocks are read, so a second of difference means nothing. A server that was back within it has
        // lost the lock; what it has written to its log is lost by a crash of the machine alone, which takes
        // longer.
        let restarted = started.abs_diff(self.source.server_started) > 1;
        match self.source.anchor {
            Anchor::Lock(id) if restarted || holder != Some(id) => {
                return Err(Err(Failure::new(
                    "the server was restarted while the table was migrated, or ended the connection that \
                     keeps other runs away from the table",
                    "see why (a crash, wait_timeout, a proxy), then run the command again",
                )));
            }
            Anchor::Replica(ReplicaLog::Unflushed) if restarted => {
                return Err(Err(Failure::new(
                    "the replica was restarted while the table was migrated, and its binary log may have \
                     lost its end (sync_binlog isn't 1)",
                    "SET GLOBAL sync_binlog=1 there, then run the command again",
                )));
            }
            Anchor::Lock(_) | Anchor::Replica(_) => {}
        }
        let replicas: Vec<mysql_async::Row> = match conn.query("SHOW REPLICAS").await {
            // The statement has this name since 8.0.22 (manual, "SHOW REPLICAS Statement").
            Err(mysql_async::Error::Server(error)) if error.code == 1064 => {
                conn.query("SHOW SLAVE HOSTS").await.map_err(lost)?
            }
            other => other.map_err(lost)?,
        };
        let mut taken: Vec<u32> = replicas.iter().filter_map(|row| row.get(0)).collect();
        taken.push(server_id);
        self.connects += 1;
        Ok(server_id_for(self.source.seed, self.connects, &taken))
    }

    /// Reads one connection's events to its end.
    async fn session(&mut self, mut stream: BinlogStream) -> Stopped {
        let silence = limits::BINLOG_SILENCE;
        // Events but heartbeats since the last heartbeat, and the last one behind which there were some.
        let (mut events, mut heard) = (0_u64, tokio::time::Instant::now());
        loop {
            let Some(next) = self.next(&mut stream).await else {
                return Ok(End::Closed);
            };
            let event = match next {
                Err(_) => return Ok(End::Lost(format!("silent for {} s", silence.as_secs()))),
                Ok(None) => return Ok(End::Lost("the server ended the stream".into())),
                // Somebody else's dump with our server id; the next one gets another.
                Ok(Some(Err(mysql_async::Error::Server(error))))
                    if error.code == 1236
                        && error.message.contains("same server_uuid/server_id") =>
                {
                    return Ok(End::Lost(error.message));
                }
                Ok(Some(Err(mysql_async::Error::Server(error)))) if error.code == 1236 => {
                    return Err(unreadable_from(self.place.resume(), &error.message));
                }
                Ok(Some(Err(error))) => return Ok(End::Lost(error.to_string())),
                Ok(Some(Ok(event))) => event,
            };
            #[cfg(feature = "faults")]
            if let Err(error) = crate::faults::at("stream", "event").await {
                return Ok(End::Lost(error.to_string()));
            }
            self.burst += u64::from(event.header().event_size());
            checksum(&event)?;
            if event.header().event_type() != Ok(EventType::HEARTBEAT_EVENT) {
                events += 1;
            } else if std::mem::take(&mut events) > 0 {
                heard = tokio::time::Instant::now();
            } else if heard.elapsed() > limits::BINLOG_QUIET {
                // After RESET BINARY LOGS a dump waits for ever behind the end of the new file; asked
                // again from there, the server says so.
                return Ok(End::Quiet);
            }
            self.count(&event)?;
            if let Some(end) = self.take(&event, &stream).await? {
                return Ok(end);
            }
        }
    }

    /// The next event, or that none came for too long; `None` when nobody listens any more.
    ///
    /// Most are there already, and what one waits for beside them needn't be looked at for each.
    async fn next(&mut self, stream: &mut BinlogStream) -> Option<Next> {
        if self.burst < limits::STREAM_BURST_BYTES
            && let Some(next) = stream.next().now_or_never()
        {
            return Some(Ok(next));
        }
        self.burst = 0;
        loop {
            let next = tokio::time::timeout(limits::BINLOG_SILENCE, stream.next());
            tokio::select! {
                () = self.out.closed() => return None,
                Some(Joined(id)) = self.joined.recv() => {
                    self.ours.insert(id);
                }
                next = next => return Some(next),
            }
        }
    }

    /// Counts an event that stands in the file. Those that the server makes up for the stream, and those
    /// inside a compressed transaction, have no place of their own.
    fn count(&mut self, event: &Event) -> Result<(), Failure> {
        let header = event.header();
        let made_up = header.event_type() == Ok(EventType::HEARTBEAT_EVENT);
        if header.log_pos() == 0 || made_up {
            return Ok(());
        }
        let (size, end) = (header.event_size(), header.log_pos());
        let between = matches!(
            header.event_type(),
            Ok(EventType::GTID_EVENT | EventType::GTID_TAGGED_LOG_EVENT | EventType::ROTATE_EVENT)
        );
        if between {
            self.place.event_between(size, end)
        } else {
            self.place.event(size, end)
        }
    }

    /// What the rows of this table are for us.
    fn target_of(
        &mut self,
        id: u64,
        stream: &BinlogStream,
    ) -> Result<Option<Arc<Target>>, Failure> {
        if let Some(known) = self.readers.get(&id) {
            return Ok(known.clone());
        }
        let map = stream
            .get_tme(id)
            .ok_or_else(|| Failure::new("rows of an unknown table in the binary log", REPORT))?;
        let target = self.target(map)?.map(Arc::new);
        self.readers.insert(id, target.clone());
        Ok(target)
    }

    fn target(&self, map: &TableMapEvent<'_>) -> Result<Option<Target>, Failure> {
        let same = |one: &str, other: &str| self.source.table_names.same(one, other);
        if !same(&map.database_name(), &self.source.names.schema) {
            return Ok(None);
        }
        let (names, name) = (&self.source.names, map.table_name());
        let is = |ours: &str| same(&name, ours);
        let of_the_migration = is(&names.original) || is(&names.ghost) || is(&names.checkpoint);
        if self.source.swap.is_some() && of_the_migration {
            return Ok(None);
        }
        if is(&names.original) {
            let reader = KeyReader::new(map, &self.source.key, self.source.columns);
            let told = |error| format!("the original changed while it was migrated: {error}");
            let next = "start the migration again once nobody alters the table";
            let reader = reader.map_err(|error| Failure::new(told(error), next).for_good())?;
            return Ok(Some(Target::Original(reader)));
        }
        if is(&names.ghost) {
            return Ok(Some(Target::Ghost));
        }
        let helper = |columns: &[KeyColumn], count, what: &str| {
            let reader = KeyReader::new(map, columns, count).map(KeyReader::after_only);
            reader.map_err(|error| Failure::new(format!("the {what} table: {error}"), REPORT))
        };
        if is(&names.checkpoint) {
            let reader = helper(&checkpoint_columns(), CHECKPOINT_COLUMNS, "checkpoint")?;
            return Ok(Some(Target::Checkpoint(reader)));
        }
        if is(&names.changelog) {
            let reader = helper(&changelog_columns(), CHANGELOG_COLUMNS, "changelog")?;
            return Ok(Some(Target::Changelog(reader)));
        }
        Ok(None)
    }

    async fn take(&mut self, event: &Event, stream: &BinlogStream) -> Result<Option<End>, Failure> {
        let header = event.header();
        let nothing_new = matches!(
            header.event_type(),
            // The library has read it already, and the text of a statement means nothing beside its rows.
            Ok(EventType::TABLE_MAP_EVENT | EventType::ROWS_QUERY_EVENT)
        );
        if nothing_new {
            return Ok(None);
        }
        if let Some(id) = table_of(event) {
            return match self.target_of(id, stream)? {
                Some(target) => self.rows(event, &target).await,
                None => Ok(None),
            };
        }
        match event.read_data().map_err(unreadable)? {
            Some(data) => self.take_data(header, data).await,
            None => unknown(header.event_type_raw(), header.flags_raw()),
        }
    }

    async fn take_data(
        &mut self,
        header: BinlogEventHeader,
        data: EventData<'_>,
    ) -> Result<Option<End>, Failure> {
        match data {
            // Told by its type above.
            EventData::RowsEvent(_) => Err(Failure::new("rows of no table", REPORT)),
            EventData::XidEvent(_) | EventData::XaPrepareLogEvent(_) => self.commit().await,
            EventData::QueryEvent(query) => {
                self.writer = Some(query.thread_id());
                self.statement(&query.query(), &query.schema()).await
            }
            EventData::GtidEvent(begins) => Ok(self.begins(gtid_of(&begins)).await),
            EventData::ExecuteLoadQueryEvent(query) => {
                self.statement(&query.query(), &query.schema()).await
            }
            // One at the end of a file, and one that the server makes up at the beginning of the next;
            // a file that was being written when the server died has only the latter.
            EventData::RotateEvent(rotate) => {
                self.new_file();
                self.place
                    .turn_to(&rotate.name(), rotate.position().max(FILE_START));
                Ok(None)
            }
            EventData::FormatDescriptionEvent(_) => {
                self.new_file();
                Ok(None)
            }
            EventData::TransactionPayloadEvent(payload) => readable(&payload).map(|()| None),
            // Of a primary more is expected than that: the clerk's own heartbeats.
            EventData::HeartbeatEvent => {
                self.alive();
                let more = !self.untold || self.tell_position().await;
                Ok((!more).then_some(End::Closed))
            }
            EventData::IncidentEvent(_) => Err(Failure::new(
                "the server logged an incident: the binary log has a gap",
                "start the migration again",
            )
            .for_good()),
            EventData::LoadEvent(_)
            | EventData::CreateFileEvent(_)
            | EventData::ExecLoadEvent(_)
            | EventData::NewLoadEvent(_)
            | EventData::PreGaWriteRowsEvent(_)
            | EventData::PreGaUpdateRowsEvent(_)
            | EventData::PreGaDeleteRowsEvent(_)
            | EventData::UnknownEvent => unknown(header.event_type_raw(), header.flags_raw()),
            // The content of a file that LOAD DATA was logged with; what it is for comes with its statement.
            EventData::BeginLoadQueryEvent(_)
            | EventData::AppendBlockEvent(_)
            | EventData::DeleteFileEvent(_)
            | EventData::StartEventV3(_)
            | EventData::StopEvent
            | EventData::IntvarEvent(_)
            | EventData::SlaveEvent
            | EventData::RandEvent(_)
            | EventData::UserVarEvent(_)
            | EventData::TableMapEvent(_)
            | EventData::IgnorableEvent(_)
            | EventData::RowsQueryEvent(_)
            | EventData::AnonymousGtidEvent(_)
            | EventData::PreviousGtidsEvent(_)
            | EventData::TransactionContextEvent(_)
            | EventData::ViewChangeEvent(_) => Ok(None),
        }
    }

    /// Another file begins. Behind a restart of the server table ids begin anew, so those of the file before
    /// mean nothing any more (`table_ids_mean_something_else_behind_a_restart`).
    fn new_file(&mut self) {
        self.readers.clear();
    }

    /// A transaction begins: what is still to be delivered belongs to the one that is over by now.
    async fn begins(&mut self, gtid: Gtid) -> Option<End> {
        if !self.flush().await {
            return Some(End::Closed);
        }
        self.place.begins(gtid);
        None
    }

    /// The server has nothing to tell.
    fn alive(&self) {
        if matches!(self.source.anchor, Anchor::Replica(_)) {
            // A receiver that is busy knows anyway.
            let _ = self.out.try_send(Delivery::Alive);
        }
    }

    async fn rows(&mut self, event: &Event, target: &Target) -> Result<Option<End>, Failure> {
        let names = &self.source.names;
        let helper = match target {
            Target::Ghost => Some(names.ghost.clone()),
            Target::Changelog(_) => Some(names.changelog.clone()),
            Target::Checkpoint(_) => Some(names.checkpoint.clone()),
            Target::Original(_) => None,
        };
        if let Some(helper) = helper {
            foreign(&helper, self.stranger(&helper))?;
        }
        let Some(EventData::RowsEvent(rows)) = event.read_data().map_err(unreadable)? else {
            return Err(Failure::new("rows that can't be read", REPORT));
        };
        if let Target::Original(reader) = target {
            return self.changes(reader.rows(&rows)).await;
        }
        for delivery in told(target, &rows)? {
            if let Delivery::Changelog(MARKER_ROW, text) = &delivery
                && text.contains(&self.source.address.token)
            {
                self.source.earlier = None;
                self.marked = true;
            }
            // Keys logged before the marker come before it.
            if !self.flush().await || !self.send(delivery).await {
                return Ok(Some(End::Closed));
            }
        }
        Ok(None)
    }

    /// Rows of the original: an event may have millions, so they are delivered in pieces.
    async fn changes(&mut self, mut rows: Rows<'_>) -> Result<Option<End>, Failure> {
        loop {
            let mut renewed = Vec::new();
            let more = gather(&mut rows, &mut self.keys, &mut renewed)?;
            if self.source.keeps_values
                && !renewed.is_empty()
                && !self.send(Delivery::Renewed(renewed)).await
            {
                return Ok(Some(End::Closed));
            }
            if self.keys.is_full() && !self.flush().await {
                return Ok(Some(End::Closed));
            }
            if !more {
                return Ok(None);
            }
        }
    }

    /// The writer of the present transaction, if it isn't a connection of this run.
    ///
    /// In a replica's log this isn't told: the statements that begin transactions have the ids of the
    /// applier's threads, or of whatever statement those have applied before (seen on 9.7.4).
    ///
    /// But the old table of a migration has nobody who writes to it until a run begins to revert it.
    fn stranger(&mut self, table: &str) -> Option<u32> {
        let names = &self.source.names;
        let writer = self.writer.unwrap_or_default();
        if names.reverts && table == names.ghost && !self.reverts_seen {
            return Some(writer);
        }
        if matches!(self.source.anchor, Anchor::Replica(_)) || self.source.earlier.is_some() {
            return None;
        }
        if !self.ours.contains(&writer) {
            // Ours gave its id before it wrote, so it is here by now.
            while let Ok(Joined(id)) = self.joined.try_recv() {
                self.ours.insert(id);
            }
        }
        (!self.ours.contains(&writer)).then_some(writer)
    }

    /// A statement of the log's beginning, on the way back of a migration: until this run's first marker.
    async fn early_statement(
        &mut self,
        text: &str,
        schema: &str,
        earlier: &str,
    ) -> Result<Option<End>, Failure> {
        let names = self.source.names.clone();
        let of_ours = text.contains(earlier);
        if let Some(number) = self.source.swap {
            let quoted = crate::sql::quoted(&names.ghost);
            if !text.starts_with("RENAME") || !of_ours || !text.contains(&quoted) {
                return Ok(None);
            }
            self.source.swap = None;
            self.readers.clear();
            if !self.send(Delivery::Checkpoint(number)).await {
                return Ok(Some(End::Closed));
            }
            // From here on the log is read again, and not from before.
            return self.commit().await;
        }
        // Helper tables are made and dropped by every run; the table itself nobody may alter.
        let own = self.source.address.token.clone();
        for (table, token) in [(&names.original, own.as_str()), (&names.ghost, earlier)] {
            let only = Names {
                original: table.clone(),
                ghost: table.clone(),
                changelog: table.clone(),
                checkpoint: table.clone(),
                ..names.clone()
            };
            match self.judged(text, schema, &only, token) {
                Meaning::Harmless => {}
                Meaning::Commit => return self.commit().await,
                Meaning::Fatal(what) => {
                    let next = "what happened since the swap isn't known from row events alone: migrate the                                 table back by another ALTER";
                    return Err(Failure::new(what, next).for_good());
                }
            }
        }
        self.reverts_seen |= of_ours && text.contains(&crate::sql::quoted(&names.changelog));
        Ok(None)
    }

    fn judged(&self, text: &str, schema: &str, names: &Names, token: &str) -> Meaning {
        let reach = if self.source.reached_from_elsewhere {
            Reach::AnySchema
        } else {
            Reach::OwnSchema
        };
        judge(text, schema, (names, self.source.table_names), reach, token)
    }

    async fn statement(&mut self, text: &str, schema: &str) -> Result<Option<End>, Failure> {
        if text == "BEGIN" {
            return Ok(None);
        }
        if self.source.names.reverts
            && let Some(earlier) = self.source.earlier.clone()
        {
            return self.early_statement(text, schema, &earlier).await;
        }
        let token = self
            .source
            .earlier
            .as_ref()
            .unwrap_or(&self.source.address.token);
        match self.judged(text, schema, &self.source.names, token) {
            Meaning::Harmless
                if text.starts_with("RENAME")
                    && text.contains(token)
                    && self.source.earlier.is_some() =>
            {
                let what =
                    "an earlier run has swapped the tables, and somebody swapped them back since";
                Err(Failure::new(what, "start the migration again").for_good())
            }
            // Our own rename: what follows are rows of another shape.
            Meaning::Harmless if text.starts_with("RENAME") && text.contains(token) => {
                Ok(Some(End::Closed))
            }
            Meaning::Harmless => Ok(None),
            Meaning::Commit => self.commit().await,
            Meaning::Fatal(what) => {
                let next = "start the migration again once this can't happen";
                Err(Failure::new(what, next).for_good())
            }
        }
    }

    /// The end of a transaction: everything it changed is delivered, and a resume begins here.
    async fn commit(&mut self) -> Result<Option<End>, Failure> {
        let more = self.keys.is_empty() || self.flush().await;
        self.place.committed();
        self.untold = true;
        let since = self.told.elapsed();
        let room = self.out.capacity() > limits::STREAM_QUEUE / 2;
        // People read no more of them. A busy receiver could do without, but checkpoints need one now and then.
        let due = since > limits::POSITION_EVERY || room && since > limits::TICK;
        // A revert in the window begins at the last position before the swap, with markers of the same run:
        // it must not meet those of the migration again.
        let due = due || std::mem::take(&mut self.marked);
        let more = more && (!due || self.tell_position().await);
        Ok(if more { None } else { Some(End::Closed) })
    }

    async fn tell_position(&mut self) -> bool {
        self.told = tokio::time::Instant::now();
        self.untold = false;
        let (read, resume) = (self.place.read().clone(), self.place.resume().clone());
        self.send(Delivery::Position { read, resume }).await
    }

    async fn flush(&mut self) -> bool {
        if self.keys.is_empty() {
            return !self.out.is_closed();
        }
        let keys = self.keys.take();
        self.send(Delivery::Keys(keys)).await
    }

    /// Goes on taking ids while the receiver is busy: whoever gives one may be whom it waits for.
    async fn send(&mut self, delivery: Delivery) -> bool {
        loop {
            tokio::select! {
                room = self.out.reserve() => match room {
                    Ok(room) => {
                        room.send(delivery);
                        return true;
                    }
                    Err(_) => return false,
                },
                Some(Joined(id)) = self.joined.recv() => {
                    self.ours.insert(id);
                }
            }
        }
    }
}

pub(super) const REPORT: &str =
    "run the command again; if it happens again, report it with the server's version";

/// The library passes over a payload that it can't decompress.
fn readable(payload: &TransactionPayloadEvent<'_>) -> Result<(), Failure> {
    let inner = payload
        .decompressed()
        .and_then(|mut inner| inner.has_data_left());
    if matches!(inner, Ok(true)) {
        return Ok(());
    }
    Err(Failure::new(
        "a compressed transaction can't be read",
        REPORT,
    ))
}

/// A server id that none of these is. High ids are rarely given to replicas.
fn server_id_for(seed: u64, attempt: u64, taken: &[u32]) -> u32 {
    let mut mixed = seed;
    loop {
        mixed = mixed
            .wrapping_add(attempt)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
        let id = 0x8000_0000 | u32::try_from(mixed >> 33).unwrap_or_default();
        if !taken.contains(&id) {
            return id;
        }
    }
}

fn foreign(table: &str, stranger: Option<u32>) -> Result<(), Failure> {
    match stranger {
        None => Ok(()),
        Some(id) => Err(Failure::new(
            format!("connection {id}, which is not this run's, wrote rows to its table `{table}`"),
            "find out who writes to helper tables (a second tool, a restored backup, a script), then run \
             the command again",
        )
        .for_good()),
    }
}

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

/// The server can't send the log from there. What it no longer has it won't have later.
fn unreadable_from(place: &Position, message: &str) -> Failure {
    const GONE: [&str; 4] = [
        "purged",
        "Could not find first log",
        "position > file size",
        "impossible position",
    ];
    let failure = Failure::new(
        format!("the binary log can't be read from {place}: {message}"),
        "keep the binary logs longer than a migration takes, and start it again",
    );
    if GONE.iter().any(|words| message.contains(words)) {
        failure.for_good()
    } else {
        failure
    }
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

/// Interval between two heartbeats of the server must leave room for a few before silence.
const _: () = assert!(Duration::from_secs(3).as_secs() < limits::BINLOG_SILENCE.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_not_understood_ends_the_run_unless_the_server_calls_it_ignorable() {
        let failure = unknown(99, 0).err().expect("it may carry changes");
        assert!(failure.what.contains("99"), "{}", failure.what);
        assert!(matches!(unknown(99, 0x80), Ok(None)));
    }

    #[test]
    fn a_log_that_is_gone_is_gone_and_trouble_with_a_disk_is_not() {
        let at = Position::of_file("b.1", 4);
        let for_good = |message: &str| unreadable_from(&at, message).for_good;
        assert!(for_good(
            "Could not find first log file name in binary log index file"
        ));
        assert!(for_good(
            "Client requested source to start replication from position > file size"
        ));
        assert!(!for_good("I/O error reading log event"));
    }

    #[test]
    fn server_ids_are_high_and_nobody_else_s() {
        let first = server_id_for(7, 1, &[]);
        assert!(first >= 0x8000_0000);
        let second = server_id_for(7, 1, &[first]);
        assert!(second >= 0x8000_0000 && second != first);
        assert_ne!(
            server_id_for(7, 2, &[]),
            first,
            "another one after a collision"
        );
    }

    #[test]
    fn a_stranger_s_rows_in_a_helper_table_are_named_by_their_connection() {
        assert_eq!(foreign("_t_gho", None), Ok(()));
        let failure = foreign("_t_gho", Some(17)).expect_err("it isn't ours");
        assert!(failure.what.contains("connection 17") && failure.what.contains("`_t_gho`"));
    }
}
