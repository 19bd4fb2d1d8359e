//! The start barrier: waits until every transaction logged before the position is visible.
//!
//! A transaction that was logged before the position but isn't visible yet is in no event, and a
//! read that passes over locks doesn't see it: its rows would be lost. Such a transaction still
//! holds its metadata lock on the table, because that is given up after the engine's commit. So
//! the write locks on the table are read *after* the position was taken, and the copy begins when
//! each of these very locks is gone. New transactions don't matter: they are logged later.
//! (A marker seen in the stream would prove nothing; one committed would need
//! `binlog_order_commits` and no XA.)

use std::collections::BTreeSet;

use super::clock::Clock;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Answer, Session};
use crate::plan::names::Names;
use crate::report::Reporter;
use crate::sql::cutover::writers_now;

type Lock = (u64, u64, u64);

/// Returns when every transaction that could have been logged before now is decided and visible.
///
/// # Errors
/// When the server can't be asked, or a transaction doesn't end within the bound.
pub async fn wait(
    session: &mut Session,
    names: &Names,
    clock: Clock,
    reporter: &Reporter,
) -> Result<(), Fault> {
    let started = clock.elapsed_ms();
    let mut open = look(session, names).await?;
    let mut told_ms = started;
    while !open.is_empty() {
        tokio::time::sleep(limits::BARRIER_PAUSE).await;
        let now = look(session, names).await?;
        open.retain(|lock| now.contains(lock));
        let elapsed = clock.elapsed_ms();
        if elapsed > told_ms + 5_000 && !open.is_empty() {
            told_ms = elapsed;
            reporter.info(format!(
                "waiting for transactions that were open at the start: {} on this table since {} s",
                open.len(),
                (elapsed - started) / 1_000
            ));
        }
        if u128::from(elapsed - started) > limits::BARRIER_WAIT.as_millis() {
            return Err(Fault::timed_out(
                "wait for the transactions that were open at the start",
                limits::BARRIER_WAIT.as_secs(),
            ));
        }
    }
    Ok(())
}

/// The locks held now; a lost connection is replaced, because the answer needs no memory.
async fn look(session: &mut Session, names: &Names) -> Result<BTreeSet<Lock>, Fault> {
    let mut last = Fault::lost("look for open transactions");
    for _ in 0..limits::RECONNECTS {
        match session.run(&writers_now(names)).await {
            Ok(answer) => return Ok(locks(&answer)),
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                last = fault;
                session.reopen().await?;
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

fn locks(answer: &Answer) -> BTreeSet<Lock> {
    (0..answer.rows.len())
        .filter_map(|row| {
            Some((
                answer.number(row, 0)?,
                answer.number(row, 1)?,
                answer.number(row, 2)?,
            ))
        })
        .collect()
}
