//! Signals: TERM and Ctrl-C stop cleanly; a second one is told that the first is being obeyed.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::Wish;

/// The signals that end a run.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes the signals over from the default, which would end the process on the spot.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn take() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Reports each signal, until nobody listens.
    pub async fn watch(mut self, wishes: mpsc::Sender<Wish>) {
        loop {
            let name = tokio::select! {
                _ = self.interrupt.recv() => "Ctrl-C",
                _ = self.terminate.recv() => "TERM",
                // A closed terminal must not end a migration that takes days.
                _ = self.hang_up.recv() => continue,
            };
            if wishes.send(Wish::Stop(name.into())).await.is_err() {
                return;
            }
        }
    }
}
