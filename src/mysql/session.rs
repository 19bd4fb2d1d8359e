//! One connection with one task: the only way statements reach the server.
//!
//! The driver has no time-outs, and a query future that is dropped leaves the next answer on the
//! connection. So a time limit here takes the connection away, kills its id on the server and
//! waits until it is gone; such a connection is never used again.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

pub use super::address::{Account, Address, Joined, MARKS, mark_of_table};
use super::classify::{Fault, FaultKind, classify};
use crate::limits;
use crate::plan::Zone;
use crate::sql::{Statement, text_literal};

/// Settings of a session beside the common ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// What it is for, in messages.
    pub role: &'static str,
    /// The session's sql_mode.
    pub sql_mode: String,
    /// The session's time zone.
    pub zone: Zone,
    /// Seconds to wait for metadata locks.
    pub lock_wait_seconds: u32,
    /// Seconds the server lets it idle.
    pub idle_seconds: u32,
    /// More assignments of SET SESSION: what backfilled values depend on. With them a warning of the server
    /// about a row that is written is an error, because not every warning about an expression is one in strict
    /// mode: what is too long for max_allowed_packet becomes NULL.
    pub pinned: String,
    /// The server's time zone as it was when the run began; empty where none is known yet.
    pub server_zone: String,
}

/// What a statement returned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Rows as texts.
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
    /// Affected rows.
    pub affected: u64,
    /// `Records: n` of the info text of INSERT … SELECT.
    pub records: Option<u64>,
    /// Names of the columns.
    pub columns: Vec<String>,
}

impl Answer {
    /// A field as text.
    #[must_use]
    pub fn text(&self, row: usize, column: usize) -> Option<String> {
        let value = self.rows.get(row)?.get(column)?.as_ref()?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// A field as a number.
    #[must_use]
    pub fn number(&self, row: usize, column: usize) -> Option<u64> {
        self.text(row, column)?.parse().ok()
    }
}

/// A connection that serves one task.
pub struct Session {
    address: Address,
    setup: Setup,
    conn: Option<Conn>,
    id: u32,
    round_trip: Duration,
}

impl Session {
    /// Connects and sets the session up.
    ///
    /// # Errors
    /// When the server can't be reached, refuses the account, or doesn't take the settings.
    pub async fn open(address: &Address, setup: Setup) -> Result<Self, Fault> {
        let mut session = Self {
            address: address.clone(),
            setup,
            conn: None,
            id: 0,
            round_trip: Duration::ZERO,
        };
        session.connect().await?;
        Ok(session)
    }

    async fn connect(&mut self) -> Result<(), Fault> {
        let conn = self.address.connect(self.setup.role).await?;
        self.id = conn.id();
        self.conn = Some(conn);
        self.same_server().await?;
        if let Some(roster) = &self.address.roster {
            // Nobody listens any more when the run is ending.
            let _ = roster.send(Joined(self.id)).await;
        }
        let zone = match (self.setup.zone, self.setup.server_zone.as_str()) {
            (Zone::Server, "") => "@@global.time_zone".to_owned(),
            (Zone::Server, zone) => text_literal(zone),
            (Zone::Utc, _) => "'+00:00'".to_owned(),
        };
        let settings = format!(
            "SET SESSION autocommit=1, completion_type=0, time_zone={zone}, \
             sql_mode='{}', transaction_isolation='READ-COMMITTED', transaction_read_only=0, \
             sql_select_limit=18446744073709551615, sql_big_selects=1, sql_safe_updates=0, \
             max_execution_time=0, innodb_lock_wait_timeout=5, lock_wait_timeout={}, \
             wait_timeout={}, range_optimizer_max_mem_size=0, foreign_key_checks=0, \
             unique_checks=1, sql_quote_show_create=1, show_create_table_verbosity=0, information_schema_stats_expiry=0, \
             lc_messages='en_US', NAMES utf8mb4 COLLATE utf8mb4_bin",
            self.setup.sql_mode, self.setup.lock_wait_seconds, self.setup.idle_seconds,
        );
        let more = match self.setup.pinned.as_str() {
            "" => String::new(),
            pinned => format!(", {pinned}"),
        };
        self.run(&Statement {
            name: "set the session up",
            text: settings + &more,
        })
        .await?;
        // A variable of 8.0.30; older servers have no hidden keys to show.
        let shown = "SET SESSION show_gipk_in_create_table_and_information_schema=ON";
        let asked = Instant::now();
        let answer = self.say("set the session up", shown).await;
        self.round_trip = asked.elapsed();
        match answer {
            Err(fault) if fault.code != Some(1193) => Err(fault),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// What a statement took that gives the server nothing to do: the way there and back.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// The mark of the run that it belongs to.
    #[must_use]
    pub fn mark(&self) -> &str {
        &self.address.token
    }

    /// From now on this session connects to this server only.
    pub fn pin(&mut self, server_uuid: &str) {
        self.address.server_uuid = Some(server_uuid.to_owned());
    }

    async fn same_server(&mut self) -> Result<(), Fault> {
        let Some(expected) = self.address.server_uuid.clone() else {
            return Ok(());
        };
        let (name, holder) = self.address.lock.clone().unzip();
        let question = format!(
            "SELECT /* tableshift */ @@server_uuid, IS_USED_LOCK({})",
            text_literal(&name.unwrap_or_else(|| "tableshift".into()))
        );
        let answer = self.say("ask which server this is", &question).await?;
        let trouble = if answer.text(0, 0) != Some(expected) {
            "the address now leads to another server"
        } else if holder.is_some_and(|id| answer.number(0, 1) != Some(id.into())) {
            "the connection that keeps other runs away from the table was lost"
        } else {
            return Ok(());
        };
        self.conn = None;
        Err(Fault::unexpected("connect again", trouble))
    }

    /// The connection's id on the server.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Runs a statement to its end, for at most the usual time.
    ///
    /// # Errors
    /// The classified fault; after `Lost` and `TimedOut` the connection is gone.
    pub async fn run(&mut self, statement: &Statement) -> Result<Answer, Fault> {
        self.run_for(statement, limits::STATEMENT_TIMEOUT).await
    }

    /// Runs a statement for at most `limit`.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn run_for(
        &mut self,
        statement: &Statement,
        limit: Duration,
    ) -> Result<Answer, Fault> {
        // Taken out: if this future is dropped, the connection is dropped with it.
        let mut conn = self
            .conn
            .take()
            .ok_or_else(|| Fault::lost(statement.name))?;
        match tokio::time::timeout(limit, told(&mut conn, &self.setup, statement)).await {
            Ok(Ok(answer)) => {
                self.conn = Some(conn);
                Ok(answer)
            }
            Ok(Err(error)) => {
                let fault = classify(&error, statement.name);
                if fault.kind != FaultKind::Lost {
                    self.conn = Some(conn);
                }
                Err(fault)
            }
            Err(_) => {
                drop(conn);
                fence(&self.address, self.id).await?;
                Err(Fault::timed_out(statement.name, limit.as_secs()))
            }
        }
    }

    /// Runs a statement given as text that is always the same.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn say(&mut self, name: &'static str, text: &str) -> Result<Answer, Fault> {
        self.run(&Statement {
            name,
            text: text.to_owned(),
        })
        .await
    }

    /// Gives the connection up; until [`Session::reopen`] every statement is told that it is lost.
    pub fn close(&mut self) {
        self.conn = None;
    }

    /// Gives the connection up, and whatever it is at: the server has ended it when this returns.
    ///
    /// # Errors
    /// As [`fence`].
    pub async fn abandon(&mut self) -> Result<(), Fault> {
        self.conn = None;
        fence(&self.address, self.id).await
    }

    /// Connects again after a loss. The earlier connection is killed and gone before this
    /// returns: a statement of it that still runs could undo what is done from now on.
    ///
    /// # Errors
    /// When the server can't be reached within the bounded number of attempts.
    pub async fn reopen(&mut self) -> Result<(), Fault> {
        let mut last = Fault::lost("connect again");
        for attempt in 0..limits::RECONNECTS {
            if attempt > 0 {
                tokio::time::sleep(limits::RECONNECT_PAUSE).await;
            }
            match self.reopen_once().await {
                Ok(()) => return Ok(()),
                Err(fault) if fault.kind == FaultKind::Definite => return Err(fault),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    /// One attempt to connect again, with the same promise as [`Session::reopen`].
    ///
    /// # Errors
    /// When the server can't be reached; the next attempt still knows the earlier connection.
    pub async fn reopen_once(&mut self) -> Result<(), Fault> {
        let before = self.id;
        self.conn = None;
        let again = match self.connect().await {
            // The server was restarted and counts anew: the earlier one is gone, and this one would end
            // itself.
            Ok(()) if self.id == before => Ok(()),
            // The fence has a connection of its own, which can be lost as well.
            Ok(()) => fence(&self.address, before).await,
            Err(fault) => Err(fault),
        };
        if again.is_err() {
            self.conn = None;
            self.id = before;
        }
        again
    }
}

/// Sends a statement and reads its answer: the place where fault tests step in.
async fn ask(
    conn: &mut Conn,
    #[cfg_attr(
        not(feature = "faults"),
        expect(unused_variables, reason = "only fault tests ask for it")
    )]
    role: &'static str,
    statement: &Statement,
) -> Result<Answer, mysql_async::Error> {
    #[cfg(feature = "faults")]
    let due = crate::faults::before(role, statement.name).await?;
    let answer = fetch(conn, &statement.text).await;
    #[cfg(feature = "faults")]
    due.after().await?;
    answer
}

/// Asks, and takes a warning about a written row for an error where values are computed.
async fn told(
    conn: &mut Conn,
    setup: &Setup,
    statement: &Statement,
) -> Result<Answer, mysql_async::Error> {
    let answer = ask(conn, setup.role, statement).await?;
    let writes = matches!(statement.name, "copy chunk" | "refresh rows");
    if setup.pinned.is_empty() || !writes || conn.get_warnings() == 0 {
        return Ok(answer);
    }
    let warnings = fetch(conn, "SHOW WARNINGS").await?;
    // A note says that digits were rounded, as they are in any conversion.
    let found = (0..warnings.rows.len()).find(|row| {
        let level = warnings.text(*row, 0);
        level.is_some_and(|level| level != "Note")
    });
    match found {
        None => Ok(answer),
        Some(row) => Err(mysql_async::Error::Server(mysql_async::ServerError {
            code: warnings
                .number(row, 1)
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or_default(),
            message: warnings.text(row, 2).unwrap_or_default(),
            state: "HY000".into(),
        })),
    }
}

async fn fetch(conn: &mut Conn, text: &str) -> Result<Answer, mysql_async::Error> {
    let rows: Vec<Row> = conn.query(text).await?;
    let columns = rows.first().map(|row| {
        let names = row.columns_ref().iter();
        names.map(|column| column.name_str().into_owned()).collect()
    });
    let rows = rows
        .into_iter()
        .map(|row| row.unwrap().into_iter().map(as_text).collect())
        .collect();
    Ok(Answer {
        rows,
        affected: conn.affected_rows(),
        records: records(&conn.info()),
        columns: columns.unwrap_or_default(),
    })
}

/// The text protocol returns every value as bytes.
fn as_text(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        other => Some(other.as_sql(true).trim_matches('\'').as_bytes().to_vec()),
    }
}

fn records(info: &str) -> Option<u64> {
    info.strip_prefix("Records: ")?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// Kills a connection of this run and waits until the server has ended it.
///
/// Ids start again after a restart of the server, so only a connection that carries this run's
/// mark is killed.
///
/// # Errors
/// When the server can't be asked, or doesn't end the connection in time.
pub async fn fence(address: &Address, id: u32) -> Result<(), Fault> {
    let mut conn = address.connect("fence").await?;
    let alive = Statement {
        name: "look for an earlier connection",
        text: address.count_of(id),
    };
    let kill = Statement {
        name: "end a connection",
        text: format!("KILL {id}"),
    };
    let polls = limits::STATEMENT_TIMEOUT.as_millis() / limits::BARRIER_PAUSE.as_millis();
    for _ in 0..polls {
        let answer = within(&mut conn, &alive).await?;
        if answer.number(0, 0) == Some(0) {
            return Ok(());
        }
        // It may end between the look and the kill; then the kill says "unknown thread".
        if let Err(fault) = within(&mut conn, &kill).await
            && fault.code != Some(1094)
        {
            return Err(fault);
        }
        tokio::time::sleep(limits::BARRIER_PAUSE).await;
    }
    Err(Fault::timed_out(
        "end an earlier connection",
        limits::STATEMENT_TIMEOUT.as_secs(),
    ))
}

/// For connections that are dropped whatever comes of the statement.
async fn within(conn: &mut Conn, statement: &Statement) -> Result<Answer, Fault> {
    let name = statement.name;
    match tokio::time::timeout(limits::STATEMENT_TIMEOUT, ask(conn, "fence", statement)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(classify(&error, name)),
        Err(_) => Err(Fault::timed_out(name, limits::STATEMENT_TIMEOUT.as_secs())),
    }
}
