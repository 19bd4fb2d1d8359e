//! A server that a batch works on: which tables it has, and what a table is before its migration begins.

use std::collections::BTreeSet;

use super::super::usual;
use crate::mysql::address::Address;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Session;
use crate::plan::batch::identity;
use crate::plan::names::Names;
use crate::sql::batch as sql;

/// What a look at a table said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// Its migration may begin; what the table is now.
    Begin(String),
    /// Somebody is at it.
    Busy,
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
    /// The ALTER without passwords and the backfills, as the history has them.
    pub(super) alter: String,
    /// Columns get other values, so a table that was done looks as before but must not be done again.
    pub(super) fills: bool,
    /// What the table was before a run whose end isn't known.
    pub(super) before: Option<String>,
    /// The schema of the history.
    pub(super) history: String,
}

/// All tables of a server.
pub(super) async fn tables(address: &Address) -> Result<BTreeSet<(String, String)>, Fault> {
    let mut session = Session::open(address, usual("batch server", String::new())).await?;
    let answer = session.run(&sql::tables()).await?;
    Ok((0..answer.rows.len())
        .filter_map(|row| Some((answer.text(row, 0)?, answer.text(row, 1)?)))
        .collect())
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
    let answer = session.run(&sql::definition(schema, table)).await?;
    let mut now = identity(&answer.text(0, 1).unwrap_or_default());
    if wanted.fills {
        let made = session.run(&sql::made(schema, table)).await?;
        // A ghost made in the same second couldn't be told from it.
        if made.number(0, 1) != Some(1) {
            return Ok(Look::Busy);
        }
        now = identity(&format!(
            "{now}, made {}",
            made.text(0, 0).unwrap_or_default()
        ));
    }
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
    // It is the same: nothing was swapped, or doing it again changes nothing.
    if *before == now {
        return Ok(Look::Begin(now));
    }
    let statement = sql::last_run(&wanted.history, schema, table, &wanted.alter);
    let completed = match session.run(&statement).await {
        Ok(last) => last.text(0, 0).as_deref() == Some("completed") && last.number(0, 1) == Some(1),
        // There is no history, or none that may be read.
        Err(fault) if fault.kind == FaultKind::Definite => false,
        Err(fault) => return Err(fault),
    };
    if completed {
        return Ok(Look::Done);
    }
    Ok(Look::Unclear(
        "how its last run ended isn't known, and the table's definition isn't what it was before"
            .into(),
    ))
}
