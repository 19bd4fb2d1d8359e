//! The start barrier: waits until every transaction logged before the position is visible.
//!
//! A transaction that was logged before the position but isn't visible yet is in no event, and a
//! read that passes over locks doesn't see it: its rows would be lost. Such a transaction still
//! holds a metadata lock on the table, because that is given up after the engine's commit. So the
//! write locks on the table are read *after* the position was taken, and the copy begins when each of
//! their owners has been seen without one. (Not: when that very lock is gone. A prepared XA
//! transaction that is detached from its session gets a new lock for the same change.) A prepared
//! transaction whose session has ended has a lock without a thread; while there is one, the copy
//! waits. New transactions of others don't matter: they are logged later.
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

/// Who holds a write lock on the table.
#[derive(Debug, Default)]
struct Writers {
    /// Threads with a session.
    threads: BTreeSet<u64>,
    /// Somebody without one.
    detached: bool,
}

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
    let first = look(session, names).await?;
    let (mut open, mut detached) = (first.threads, first.detached);
    let mut told_ms = started;
    while !open.is_empty() || detached {
        tokio::time::sleep(limits::BARRIER_PAUSE).await;
        let now = look(session, names).await?;
        open.retain(|thread| now.threads.contains(thread));
        detached = now.detached;
        let elapsed = clock.elapsed_ms();
        if elapsed > told_ms + 5_000 {
            told_ms = elapsed;
            reporter.info(format!(
                "waiting for transactions that were open at the start: {} sessions{} since {} s",
                open.len(),
                if detached {
                    " and a prepared XA transaction (see XA RECOVER)"
                } else {
                    ""
                },
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
async fn look(session: &mut Session, names: &Names) -> Result<Writers, Fault> {
    let mut last = Fault::lost("look for open transactions");
    for _ in 0..limits::RECONNECTS {
        match session.run(&writers_now(names)).await {
            Ok(answer) => return Ok(writers(&answer)),
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                last = fault;
                session.reopen().await?;
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

fn writers(answer: &Answer) -> Writers {
    let mut writers = Writers::default();
    for row in 0..answer.rows.len() {
        if answer.number(row, 1) == Some(0) {
            writers.threads.extend(answer.number(row, 0));
        } else {
            writers.detached = true;
        }
    }
    writers
}
