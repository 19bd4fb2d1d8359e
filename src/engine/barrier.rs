//! The start barrier: waits until every transaction logged before the position is visible.
//!
//! A transaction that was logged before the position but isn't visible yet is in no event, and a
//! read that passes over locks doesn't see it: its rows would be lost. Such a transaction still
//! holds a metadata lock on the table, because that is given up after the engine's commit. So the
//! write locks on the table are read *after* the position was taken, and the copy begins when each of
//! their owners is done with the transaction it had then: it has no write lock, or only ones that it
//! took later. New transactions of others don't matter: they are logged later.
//!
//! Prepared XA transactions move. Detached from its session, one has a lock without a thread; while
//! there is such a lock, the copy waits. The session that decides it gets the lock as well. On 9.7.4 the
//! detached one stays until the decision is visible (`the_start_barrier_outlasts_a_decision_…`); not to
//! rely on it, whoever has a lock when the last detached one is gone is waited for too.
//!
//! (A marker seen in the stream would prove nothing; one committed would need `binlog_order_commits`
//! and no XA.)

use std::collections::BTreeMap;

use super::clock::Clock;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Answer, Session};
use crate::plan::names::Names;
use crate::report::Reporter;
use crate::sql::cutover::writers_now;

/// A write lock on the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    /// The owner, if it has a session.
    thread: Option<u64>,
    /// The owner's event in which it was taken; they count up.
    event: u64,
}

/// The transactions that are waited for.
#[derive(Debug, Default)]
struct Open {
    /// For each thread the last event in which it took a lock that matters.
    threads: BTreeMap<u64, u64>,
    /// A prepared transaction without a session was seen in the last look.
    detached: bool,
}

impl Open {
    /// Everybody who has a lock at the first look.
    fn new(locks: &[Held]) -> Self {
        let mut open = Self::default();
        open.take_up(locks);
        open.detached = locks.iter().any(|lock| lock.thread.is_none());
        open
    }

    fn take_up(&mut self, locks: &[Held]) {
        for lock in locks {
            if let Some(thread) = lock.thread {
                let last = self.threads.entry(thread).or_default();
                *last = lock.event.max(*last);
            }
        }
    }

    /// Takes in a later look.
    fn look(&mut self, locks: &[Held]) {
        self.threads.retain(|thread, last| {
            let same = |lock: &Held| lock.thread == Some(*thread) && lock.event <= *last;
            locks.iter().any(same)
        });
        let detached = locks.iter().any(|lock| lock.thread.is_none());
        if self.detached && !detached {
            self.take_up(locks);
        }
        self.detached = detached;
    }

    fn is_over(&self) -> bool {
        self.threads.is_empty() && !self.detached
    }
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
    let mut open = Open::new(&look(session, names).await?);
    let mut told_ms = started;
    while !open.is_over() {
        tokio::time::sleep(limits::BARRIER_PAUSE).await;
        open.look(&look(session, names).await?);
        let elapsed = clock.elapsed_ms();
        if elapsed > told_ms + 5_000 {
            told_ms = elapsed;
            reporter.info(format!(
                "waiting for transactions that were open at the start: {} sessions{} since {} s",
                open.threads.len(),
                if open.detached {
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
async fn look(session: &mut Session, names: &Names) -> Result<Vec<Held>, Fault> {
    let mut last = Fault::lost("look for open transactions");
    for _ in 0..limits::RECONNECTS {
        match session.run(&writers_now(names)).await {
            Ok(answer) => return Ok(locks(&answer)),
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                last = fault;
                session.reopen().await?;
            }
            Err(fault) if fault.kind == FaultKind::Conflict => {
                last = fault;
                tokio::time::sleep(limits::LOCK_RETRY_PAUSE).await;
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

fn locks(answer: &Answer) -> Vec<Held> {
    let lock = |row: usize| Held {
        thread: answer
            .number(row, 0)
            .filter(|_| answer.number(row, 1) == Some(0)),
        event: answer.number(row, 2).unwrap_or_default(),
    };
    (0..answer.rows.len()).map(lock).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(thread: u64, event: u64) -> Held {
        Held {
            thread: Some(thread),
            event,
        }
    }

    const DETACHED: Held = Held {
        thread: None,
        event: 0,
    };

    #[test]
    fn a_session_that_goes_from_one_transaction_to_the_next_is_not_waited_for() {
        let mut open = Open::new(&[lock(1, 10), lock(2, 10)]);
        open.look(&[lock(1, 10), lock(2, 14)]);
        assert!(!open.is_over(), "the first is still at it");
        open.look(&[lock(1, 17), lock(2, 14)]);
        assert!(open.is_over());
    }

    #[test]
    fn a_second_lock_of_the_same_transaction_changes_nothing() {
        let mut open = Open::new(&[lock(1, 10), lock(1, 12)]);
        open.look(&[lock(1, 12)]);
        assert!(!open.is_over());
        open.look(&[lock(3, 1)]);
        assert!(open.is_over(), "others began later");
    }

    #[test]
    fn where_events_are_not_counted_a_moment_without_a_lock_is_waited_for() {
        let mut open = Open::new(&[lock(1, 0)]);
        open.look(&[lock(1, 0)]);
        assert!(!open.is_over());
        open.look(&[]);
        assert!(open.is_over());
    }

    #[test]
    fn who_decides_a_detached_transaction_is_waited_for() {
        let mut open = Open::new(&[lock(1, 10)]);
        open.look(&[DETACHED]);
        assert!(!open.is_over(), "it was prepared and detached");
        open.look(&[lock(2, 5)]);
        assert!(!open.is_over(), "it is being decided");
        open.look(&[lock(2, 8)]);
        assert!(open.is_over(), "decided");
    }
}
