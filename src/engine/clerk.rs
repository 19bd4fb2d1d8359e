//! The clerk: writes heartbeats and markers to the changelog, on a connection of its own.
//!
//! One connection for both keeps their order; nothing of the application waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::clock::heartbeat_now;
use super::workers::Done;
use crate::core::event::{Event, Marker};
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Session;
use crate::sql::Sql;
use crate::sql::helpers::{HINT_HEARTBEAT, HINT_MARKER};

/// Changelog row of the heartbeat, as in gh-ost.
pub const HEARTBEAT_ROW: u64 = 1;

/// The text of a marker; only this run's are understood.
#[must_use]
pub fn marker_text(token: &str, marker: Marker) -> String {
    format!("marker:{token}:{}", marker.0)
}

/// The marker in a state row, if it is one of this run.
#[must_use]
pub fn marker_of(token: &str, text: &str) -> Option<Marker> {
    let number = text
        .strip_prefix("marker:")?
        .strip_prefix(token)?
        .strip_prefix(':')?;
    number.parse().ok().map(Marker)
}

/// The writer of the changelog.
pub struct Clerk {
    /// Its connection.
    pub session: Session,
    /// The statements.
    pub sql: Arc<Sql>,
    /// This run's mark.
    pub token: String,
    /// Time between two heartbeats.
    pub interval: Duration,
    /// Heartbeats rest while this is true; markers don't.
    pub silent: watch::Receiver<bool>,
}

impl Clerk {
    /// Writes markers as they are asked for, and heartbeats in between, until nobody asks.
    pub async fn run(mut self, mut markers: mpsc::Receiver<Marker>, done: mpsc::Sender<Done>) {
        let mut beats = tokio::time::interval(self.interval);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let statement = tokio::select! {
                marker = markers.recv() => match marker {
                    Some(marker) => {
                        let text = marker_text(&self.token, marker);
                        self.sql.changelog_row(2, HINT_MARKER, &text)
                    }
                    None => return,
                },
                _ = beats.tick() => {
                    if *self.silent.borrow() {
                        continue;
                    }
                    self.sql.changelog_row(1, HINT_HEARTBEAT, &heartbeat_now())
                }
            };
            let mut tries = 0;
            while let Err(fault) = self.session.run(&statement).await {
                tries += 1;
                if let Err(fault) = recover(&mut self.session, fault, tries).await {
                    let _ = done
                        .send((usize::MAX, Event::Broken(fault.failure())))
                        .await;
                    return;
                }
            }
        }
    }
}

/// Both rows may be written twice, so everything but a definite error is tried again.
async fn recover(session: &mut Session, fault: Fault, tries: u32) -> Result<(), Fault> {
    match fault.kind {
        FaultKind::Held | FaultKind::Conflict if tries <= limits::LOCK_RETRIES => {
            tokio::time::sleep(limits::LOCK_RETRY_PAUSE).await;
            Ok(())
        }
        FaultKind::Lost | FaultKind::TimedOut if tries <= limits::LOCK_RETRIES => {
            session.reopen().await
        }
        FaultKind::Held
        | FaultKind::Conflict
        | FaultKind::Lost
        | FaultKind::TimedOut
        | FaultKind::TooLarge
        | FaultKind::Definite => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_markers_of_this_run_count() {
        let text = marker_text("run-7", Marker(12));
        assert_eq!(marker_of("run-7", &text), Some(Marker(12)));
        assert_eq!(marker_of("run-8", &text), None);
        assert_eq!(marker_of("run-7", "marker:run-77:12"), None);
        assert_eq!(marker_of("run-7", "Migrated"), None);
    }
}
