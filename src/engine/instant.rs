//! `--attempt-instant-ddl`: the one thing that alters the original itself, because the operator asked for
//! it. What the server can do instantly it does at once and completely, or not at all.

use std::time::Duration;

use super::blockers::blocker;
use super::prepare::{PLAIN_MODE, ddl_mode};
use crate::config::{Config, OnReplica};
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::inspect;
use crate::mysql::session::Session;
use crate::plan::INSTANT_TRUSTED;
use crate::plan::alter::Alter;
use crate::plan::inspection::{Server, Table};
use crate::plan::names::Names;
use crate::report::Reporter;
use crate::sql::cutover::{blockers, without_counter};
use crate::sql::helpers::alter_instantly;

/// What is asked for can't be had from an ALTER of the original, however it is done.
pub(super) fn wants_ghost(config: &Config) -> bool {
    !config.backfills.is_empty()
}

/// Tries it. Returns whether the table has its new shape.
///
/// # Errors
/// When it isn't known whether it has.
pub(super) async fn attempt(
    session: &mut Session,
    config: &Config,
    names: &Names,
    (alter, original, server): (&Alter, &Table, &Server),
    reporter: &Reporter,
) -> Result<bool, Fault> {
    // A rehearsal alters nothing.
    let rehearsal = matches!(config.topology.on_replica, OnReplica::Test { .. });
    if !config.attempt_instant || !config.execute || rehearsal {
        return Ok(false);
    }
    if wants_ghost(config) {
        reporter.info("--attempt-instant-ddl: not tried, because --backfill needs a copy");
        return Ok(false);
    }
    if server.version < INSTANT_TRUSTED {
        reporter.warn(format!(
            "--attempt-instant-ddl: not tried on {}: instant changes of columns damaged tables before \
             {INSTANT_TRUSTED}",
            server.version
        ));
        return Ok(false);
    }
    let mode = ddl_mode(&server.sql_mode, config.wishes.misfits);
    let settings = format!("SET SESSION sql_mode='{mode}', lock_wait_timeout=1");
    session.say("set the session up", &settings).await?;
    let done = tries(session, names, alter, original, reporter).await?;
    let settings = format!("SET SESSION sql_mode='{PLAIN_MODE}', lock_wait_timeout=30");
    if !done {
        session.say("set the session up", &settings).await?;
    }
    Ok(done)
}

async fn tries(
    session: &mut Session,
    names: &Names,
    alter: &Alter,
    original: &Table,
    reporter: &Reporter,
) -> Result<bool, Fault> {
    let statement = alter_instantly(names, &alter.clauses);
    for number in 0..limits::INSTANT_TRIES {
        if number > 0 {
            tokio::time::sleep(limits::INSTANT_PAUSE).await;
        }
        // Asked for while somebody is in the way, everybody would queue behind it.
        if in_the_way(session, names, reporter).await? {
            continue;
        }
        match session.run(&statement).await {
            Ok(_) => {
                reporter.info("altered instantly: nothing had to be copied");
                return Ok(true);
            }
            Err(fault) if fault.kind == FaultKind::Conflict => reporter.warn(fault.to_string()),
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                return became(session, names, original, fault).await;
            }
            Err(fault) => {
                reporter.info(format!(
                    "not possible instantly, so it is migrated: {fault}"
                ));
                return Ok(false);
            }
        }
    }
    reporter.warn("--attempt-instant-ddl: others use the table all the time, so it is migrated");
    Ok(false)
}

async fn in_the_way(
    session: &mut Session,
    names: &Names,
    reporter: &Reporter,
) -> Result<bool, Fault> {
    let answer = session.run(&blockers(names, &[])).await?;
    let mut found = (0..answer.rows.len()).map(|row| blocker(&answer, row));
    let longest = Duration::from_secs(1).as_secs();
    let one = found.find(|one| one.seconds > longest || one.id == 0);
    if let Some(one) = &one {
        reporter.warn(one.sentence(&names.original));
    }
    Ok(one.is_some())
}

/// The answer was lost: the definition tells, once the connection is gone for certain.
async fn became(
    session: &mut Session,
    names: &Names,
    original: &Table,
    fault: Fault,
) -> Result<bool, Fault> {
    session.reopen().await?;
    let now = inspect::definition(session, &names.schema, &names.original).await?;
    if without_counter(&now) == without_counter(&original.definition) {
        return Err(fault);
    }
    Ok(true)
}
