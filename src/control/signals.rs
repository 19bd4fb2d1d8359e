//! Signals: TERM and Ctrl-C stop cleanly; on a terminal Ctrl-C has to be meant. HUP renews the password.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Wish;

/// Time within which a second Ctrl-C means it: long enough to read the question.
pub const SECOND_CTRL_C: Duration = Duration::from_secs(5);

/// The signals that a run listens to.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

/// What the watch of the signals tells others, beside the wish to stop.
pub struct Reactions<Ask, Renew> {
    /// Somebody sits at a terminal who can be asked.
    pub terminal: bool,
    /// Asks whether Ctrl-C was meant.
    pub ask: Ask,
    /// Renews what may have changed outside.
    pub renew: Renew,
}

/// Whether Ctrl-C is meant. Pure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Interrupts {
    terminal: bool,
    asked: Option<Duration>,
}

impl Interrupts {
    /// Ctrl-C was pressed at this time; whether it ends the run.
    fn meant(&mut self, now: Duration) -> bool {
        let asked = self.asked.replace(now);
        !self.terminal || asked.is_some_and(|asked| now.saturating_sub(asked) <= SECOND_CTRL_C)
    }
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
    pub async fn watch(
        mut self,
        wishes: mpsc::Sender<Wish>,
        told: Reactions<impl Fn() + Send, impl Fn() + Send>,
    ) {
        let start = Instant::now();
        let mut interrupts = Interrupts {
            terminal: told.terminal,
            asked: None,
        };
        loop {
            let name = tokio::select! {
                _ = self.interrupt.recv() => {
                    if !interrupts.meant(start.elapsed()) {
                        (told.ask)();
                        continue;
                    }
                    "Ctrl-C"
                }
                _ = self.terminate.recv() => "TERM",
                // A closed terminal must not end a migration that takes days.
                _ = self.hang_up.recv() => {
                    (told.renew)();
                    continue;
                }
            };
            if wishes.send(Wish::Stop(name.into())).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_terminal_ctrl_c_is_asked_for_twice_within_five_seconds() {
        let mut interrupts = Interrupts {
            terminal: true,
            asked: None,
        };
        let at = Duration::from_millis;
        assert!(!interrupts.meant(at(1_000)));
        assert!(!interrupts.meant(at(6_001)));
        assert!(interrupts.meant(at(11_001)));
    }

    #[test]
    fn without_a_terminal_the_first_counts() {
        assert!(Interrupts::default().meant(Duration::ZERO));
    }
}
