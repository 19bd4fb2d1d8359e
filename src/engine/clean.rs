//! Clean-up: what stays on the server at the end of a run, and what goes.

use crate::config::{Config, OnReplica};
use crate::core::event::Outcome;
use crate::error::Left;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Session;
use crate::plan::names::Names;
use crate::report::Reporter;
use crate::sql::helpers::{drop_old_hint, drop_table};
use crate::sql::text_literal;

/// What an ending leaves, if nothing goes wrong with the clean-up.
pub(super) fn expected(outcome: &Outcome, kept: bool) -> Left {
    let resumable = match outcome {
        Outcome::Stopped => kept,
        Outcome::Failed(failure) => kept && !failure.for_good,
        Outcome::Completed | Outcome::Mismatch(_) | Outcome::Unknown => false,
    };
    if resumable {
        Left::State
    } else {
        Left::Nothing
    }
}

/// Drops what this ending makes superfluous, and tells what is left. `kept` says that there is a checkpoint
/// to go on from.
pub(super) async fn clean(
    session: &mut Session,
    config: &Config,
    names: &Names,
    (outcome, kept): (&Outcome, bool),
    reporter: &Reporter,
) -> Left {
    if expected(outcome, kept) == Left::State {
        if names.reverts {
            drop_helpers(session, names, reporter).await;
        }
        return Left::State;
    }
    let left_over = match outcome {
        Outcome::Completed if names.reverts => {
            let mut left = drop(session, names, &names.changelog, reporter).await;
            left |= drop(session, names, &names.checkpoint, reporter).await;
            if config.drop_old {
                left |= drop(session, names, &names.old, reporter).await;
            } else {
                reporter.info(format!(
                    "the altered table is kept; to drop it: {}",
                    drop_old_hint(names)
                ));
            }
            left
        }
        // Nothing was renamed; both tables stay for comparison.
        Outcome::Completed if matches!(config.topology.on_replica, OnReplica::Test { .. }) => {
            let checkpoint = drop(session, names, &names.checkpoint, reporter).await;
            drop(session, names, &names.changelog, reporter).await || checkpoint
        }
        Outcome::Completed => {
            let mut left = drop(session, names, &names.changelog, reporter).await;
            // What an earlier run has left says nothing of a swap that this one didn't write down.
            if config.drop_old || config.checkpoint.is_none() && kept {
                left |= drop(session, names, &names.checkpoint, reporter).await;
            }
            if config.drop_old {
                left |= drop(session, names, &names.old, reporter).await;
            } else {
                reporter.info(format!(
                    "the old table is kept; to drop it: {}",
                    drop_old_hint(names)
                ));
            }
            left
        }
        Outcome::Stopped | Outcome::Failed(_) | Outcome::Mismatch(_) => {
            drop_helpers(session, names, reporter).await
        }
        // A person decides; what is there is evidence.
        Outcome::Unknown => true,
    };
    if left_over {
        Left::Tables
    } else {
        Left::Nothing
    }
}

/// Drops ghost, changelog and checkpoint. Returns whether something is left over.
///
/// The checkpoint goes first: without it nobody takes an empty ghost of the same name for a copy. On the way
/// back of a migration both of them stay, since the ghost is the old table, and it can be tried again.
pub(super) async fn drop_helpers(
    session: &mut Session,
    names: &Names,
    reporter: &Reporter,
) -> bool {
    drop_made(session, names, true, reporter).await
}

/// The same of a run that may only have been a trial: those make no checkpoint, and one that is there leads
/// back to the old table of the last migration.
pub(super) async fn drop_made(
    session: &mut Session,
    names: &Names,
    executes: bool,
    reporter: &Reporter,
) -> bool {
    if names.reverts {
        return drop(session, names, &names.changelog, reporter).await;
    }
    if executes && drop(session, names, &names.checkpoint, reporter).await {
        return true;
    }
    let ghost = drop(session, names, &names.ghost, reporter).await;
    let changelog = drop(session, names, &names.changelog, reporter).await;
    ghost || changelog
}

/// Drops one table; tells when it can't.
async fn drop(session: &mut Session, names: &Names, table: &str, reporter: &Reporter) -> bool {
    let statement = drop_table(&names.schema, table);
    let limit = limits::LONG_STATEMENT_TIMEOUT;
    let mut answer = session.run_for(&statement, limit).await;
    for _ in 0..limits::DROP_RETRIES {
        let Err(fault) = &answer else { break };
        match fault.kind {
            FaultKind::Lost | FaultKind::TimedOut => {
                if let Err(fault) = reopen(session, names).await {
                    answer = Err(fault);
                    break;
                }
            }
            FaultKind::Conflict => tokio::time::sleep(limits::LOCK_RETRY_PAUSE).await,
            FaultKind::Held | FaultKind::TooLarge | FaultKind::Definite => break,
        }
        answer = session.run_for(&statement, limit).await;
    }
    if let Err(fault) = answer {
        reporter.warn(format!(
            "`{}`.`{table}` is left over: {fault}",
            names.schema
        ));
        return true;
    }
    false
}

/// Connects again. The advisory lock went with the earlier connection; who can't have it again must
/// not drop anything, because tables of these names are another run's now.
async fn reopen(session: &mut Session, names: &Names) -> Result<(), Fault> {
    session.reopen().await?;
    let fault = match holder_of_lock(session, names).await {
        Ok(None) => return Ok(()),
        Ok(Some(holder)) => Fault::unexpected(
            "drop a helper table",
            format!("it belongs to another migration of the table (connection {holder})"),
        ),
        Err(fault) => fault,
    };
    // Or the next table would be dropped on a connection without the lock.
    session.close();
    Err(fault)
}

/// Takes the advisory lock, or tells which connection has it.
pub(super) async fn holder_of_lock(
    session: &mut Session,
    names: &Names,
) -> Result<Option<String>, Fault> {
    let name = text_literal(&names.advisory_lock());
    let wait = limits::ADVISORY_WAIT_SECONDS;
    let answer = session
        .say(
            "take the advisory lock",
            &format!("SELECT /* tableshift */ GET_LOCK({name}, {wait}), IS_USED_LOCK({name})"),
        )
        .await?;
    if answer.number(0, 0) == Some(1) {
        return Ok(None);
    }
    Ok(Some(answer.text(0, 1).unwrap_or_else(|| "unknown".into())))
}
