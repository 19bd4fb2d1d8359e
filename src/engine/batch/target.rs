//! A server that a batch works on: which tables it has, and what a table is before its migration begins.

use super::super::fence::table_now;
use super::super::usual;
use crate::mysql::address::Address;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Session;
use crate::plan::batch::Noted;
use crate::plan::batch::jobs::Found;
use crate::plan::history::Kind;
use crate::plan::names::Names;
use crate::sql::batch as sql;

/// What a look at a table said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// Its migration may begin; what the table is now.
    Begin(Noted),
    /// Somebody is at it.
    Busy,
    /// It was made or altered in this very second.
    Young,
    /// A run whose end wasn't recorded has done it.
    Done,
    /// A run whose end wasn't recorded may have done it.
    Unclear(String),
    /// The server can't be asked.
    Unreachable(String),
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) schema: String,
    pub(super) table: String,
    /// The ALTER without passwords, as the history has it.
    pub(super) alter: String,
    /// What the table was before a run whose end isn't known.
    pub(super) before: Option<String>,
    /// The schema of the history.
    pub(super) history: String,
}

/// All tables of a server, and which one it is.
pub(super) async fn tables(address: &Address) -> Result<Found, Fault> {
    let mut session = Session::open(address, usual("batch server", String::new())).await?;
    let answer = session.run(&sql::tables()).await?;
    let tables = (0..answer.rows.len())
        .filter_map(|row| Some((answer.text(row, 0)?, answer.text(row, 1)?)))
        .collect();
    let who = session.run(&sql::who()).await?;
    let follows = who.text(0, 1).unwrap_or_default();
    Ok(Found {
        tables,
        uuid: who.text(0, 0).unwrap_or_default(),
        follows: follows
            .split(',')
            .filter(|uuid| !uuid.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// Whether the server answers.
pub(super) async fn reachable(address: &Address) -> Result<(), Fault> {
    Session::open(address, usual("batch server", String::new()))
        .await
        .map(drop)
}

/// Looks at a table.
pub(super) async fn look(address: &Address, wanted: &Wanted) -> Look {
    let opened = Session::open(address, usual("batch server", String::new())).await;
    let mut session = match opened {
        Ok(session) => session,
        Err(fault) => return Look::Unreachable(fault.to_string()),
    };
    match try_look(&mut session, wanted).await {
        Ok(look) => look,
        // Another try would say the same: the table is gone, or may not be read.
        Err(fault) if fault.kind == FaultKind::Definite => Look::Unclear(fault.to_string()),
        Err(fault) => Look::Unreachable(fault.to_string()),
    }
}

async fn try_look(session: &mut Session, wanted: &Wanted) -> Result<Look, Fault> {
    let (schema, table) = (wanted.schema.as_str(), wanted.table.as_str());
    let lock = Names::new(schema, table, None, None).advisory_lock();
    let situation = session.run(&sql::situation(&lock)).await?;
    // A run that was left alone is ending: what the table is can't be told before it is gone.
    if situation.number(0, 0) != Some(1) {
        return Ok(Look::Busy);
    }
    let server = situation.text(0, 2).unwrap_or_default();
    let last = last_run(session, wanted).await?;
    let present = table_now(session, (schema, table)).await?;
    if present.young {
        return Ok(Look::Young);
    }
    let now = Noted {
        table: present.table,
        server,
        run: last.run,
    };
    let Some(before) = &wanted.before else {
        return Ok(Look::Begin(now));
    };
    if situation.number(0, 1) != Some(0) {
        return Ok(Look::Unclear(
            "how its last run ended isn't known, and this server follows another one, so that it may not \
             know yet"
                .into(),
        ));
    }
    let before = Noted::read(before);
    // An older run of the same ALTER says nothing: somebody may have taken back since what it did.
    let newer = before.as_ref().is_some_and(|before| before.run != now.run);
    if last.did_it && newer {
        return Ok(Look::Done);
    }
    if before.is_some_and(|before| before.same_table(&now)) {
        return Ok(Look::Begin(now));
    }
    Ok(Look::Unclear(
        "how its last run ended isn't known, and the table was altered or made anew since it began"
            .into(),
    ))
}

/// The table's last run that the history knows.
#[derive(Default)]
struct Last {
    run: String,
    did_it: bool,
}

async fn last_run(session: &mut Session, wanted: &Wanted) -> Result<Last, Fault> {
    let (schema, table) = (wanted.schema.as_str(), wanted.table.as_str());
    let statement = sql::last_run(&wanted.history, schema, table, &wanted.alter);
    match session.run(&statement).await {
        Ok(last) => Ok(Last {
            run: last.text(0, 2).unwrap_or_default(),
            did_it: last.text(0, 0).as_deref() == Some("completed")
                && last.number(0, 1) == Some(1)
                // A rehearsal leaves the table as it was.
                && last.text(0, 3).as_deref() != Some(Kind::Test.word()),
        }),
        // There is no history, or none that may be read.
        Err(fault) if fault.kind == FaultKind::Definite => Ok(Last::default()),
        Err(fault) => Err(fault),
    }
}
