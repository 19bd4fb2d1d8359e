//! Clean-up: what stays on the server at the end of a run, and what goes.

use crate::config::Config;
use crate::core::event::Outcome;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Session;
use crate::plan::names::Names;
use crate::report::Reporter;
use crate::sql::helpers::{drop_old_hint, drop_table};

/// Drops what this ending makes superfluous. Returns whether something is left over.
pub(super) async fn clean(
    session: &mut Session,
    config: &Config,
    names: &Names,
    outcome: &Outcome,
    reporter: &Reporter,
) -> bool {
    match outcome {
        Outcome::Completed => {
            let mut kept = drop(session, names, &names.changelog, reporter).await;
            if config.drop_old {
                kept |= drop(session, names, &names.old, reporter).await;
            } else {
                reporter.info(format!(
                    "the old table is kept; to drop it: {}",
                    drop_old_hint(names)
                ));
            }
            kept
        }
        Outcome::Stopped | Outcome::Failed(_) | Outcome::Mismatch(_) => {
            drop_helpers(session, names, reporter).await
        }
        // A person decides; what is there is evidence.
        Outcome::Unknown => true,
    }
}

/// Drops ghost and changelog. Returns whether something is left over.
pub(super) async fn drop_helpers(
    session: &mut Session,
    names: &Names,
    reporter: &Reporter,
) -> bool {
    let ghost = drop(session, names, &names.ghost, reporter).await;
    let changelog = drop(session, names, &names.changelog, reporter).await;
    ghost || changelog
}

/// Drops one table; tells when it can't.
async fn drop(session: &mut Session, names: &Names, table: &str, reporter: &Reporter) -> bool {
    let statement = drop_table(&names.schema, table);
    let mut answer = session
        .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
        .await;
    if let Err(Fault {
        kind: FaultKind::Lost | FaultKind::TimedOut,
        ..
    }) = answer
        && session.reopen().await.is_ok()
    {
        answer = session
            .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
            .await;
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
