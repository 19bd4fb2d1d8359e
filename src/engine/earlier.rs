//! What an earlier run has left on the server: connections whose client is gone.
//!
//! A server notices a dead client only when it next reads from it or writes to it. Until then a
//! statement of that client goes on, and could change the new run's ghost, which has the same name: a
//! DELETE that was right for the old ghost takes a row out of the new one that nobody marks dirty.
//! The advisory lock proves that no other run on the table is alive; so, once it is held, every
//! other connection with the table's mark is ended and waited for, before anything is looked at.

use std::collections::BTreeSet;

use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Answer, MARKS, Session};
use crate::report::Reporter;

/// Ends the connections of earlier runs whose marks begin with `table`. Returns whether the server
/// shows connections' marks at all: without them neither these nor our own lost ones can be told.
///
/// # Errors
/// When the server can't be asked, or such a connection can't be ended in time.
pub(super) async fn end(
    session: &mut Session,
    table: &str,
    token: &str,
    reporter: &Reporter,
) -> Result<bool, Fault> {
    let marked = format!(
        "SELECT /* tableshift */ DISTINCT id, mark='{token}' FROM {MARKS} WHERE LEFT(mark, {})='{table}'",
        table.len()
    );
    let polls = limits::STATEMENT_TIMEOUT.as_millis() / limits::BARRIER_PAUSE.as_millis();
    // One that was told to end is shown until it has, and told to again; once is enough for people.
    let mut told = BTreeSet::new();
    for _ in 0..polls {
        let answer = match session.say("look for earlier runs", &marked).await {
            // The check of the privileges speaks later.
            Err(fault) if fault.code == Some(1142) => return Ok(true),
            answer => answer?,
        };
        let (ours, others) = owners(&answer);
        if others.is_empty() {
            return Ok(ours);
        }
        for id in others {
            if kill(session, id).await? && told.insert(id) {
                reporter.info(format!(
                    "ended connection {id} of an earlier run on this table"
                ));
            }
        }
        tokio::time::sleep(limits::BARRIER_PAUSE).await;
    }
    Err(Fault::timed_out(
        "end the connections of an earlier run",
        limits::STATEMENT_TIMEOUT.as_secs(),
    ))
}

/// Whether our own connection is among them, and the others.
fn owners(answer: &Answer) -> (bool, Vec<u64>) {
    let rows = 0..answer.rows.len();
    let is_ours = |row: &usize| answer.number(*row, 1) == Some(1);
    let ours = rows.clone().any(|row| is_ours(&row));
    let others = rows.filter(|row| !is_ours(row));
    (
        ours,
        others.filter_map(|row| answer.number(row, 0)).collect(),
    )
}

/// Whether it was still there to be ended.
async fn kill(session: &mut Session, id: u64) -> Result<bool, Fault> {
    let name = "end an earlier run's connection";
    match session.say(name, &format!("KILL {id}")).await {
        Ok(_) => Ok(true),
        // It went by itself.
        Err(fault) if fault.code == Some(1094) => Ok(false),
        // Looked for again; it is only gone when it is no longer shown.
        Err(fault) if fault.kind == FaultKind::Conflict => Ok(false),
        Err(fault) => Err(fault),
    }
}
