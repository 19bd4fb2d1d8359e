//! The bar on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::line::Snapshot;
use super::time::clock;

/// Redraws a second: smooth to the eye, nothing to the terminal.
const REDRAWS: u8 = 10;

/// One bar with two lines: the work, and the state of the changes.
pub struct Bar {
    bar: ProgressBar,
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Bar {
    /// An empty bar on stderr.
    #[must_use]
    pub fn new() -> Self {
        let bar =
            ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(REDRAWS));
        let style = ProgressStyle::with_template(
            "{prefix:>9.bold.cyan} {bar:36.cyan/dim} {percent:>3}%  {msg}",
        );
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━━╌"));
        }
        Self { bar }
    }

    /// Shows a snapshot.
    pub fn update(&mut self, snapshot: &Snapshot) {
        let verifying = snapshot.copy_done;
        let done = if verifying {
            snapshot.rows_verified
        } else {
            snapshot.rows_copied
        };
        self.bar.set_length(snapshot.rows_total.max(done).max(1));
        self.bar.set_position(done);
        self.bar.set_prefix(snapshot.stage);
        self.bar.set_message(message(snapshot, done));
    }

    /// Writes above the bar.
    pub fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Removes the bar; what it showed stands in the log.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn message(snapshot: &Snapshot, done: u64) -> String {
    let mut text = format!(
        "{} of {} rows",
        grouped(done),
        grouped(snapshot.rows_total.max(done))
    );
    if !snapshot.copy_done {
        text.push_str(&format!(", {}/s", grouped(snapshot.rows_per_second)));
    }
    text.push_str(&format!(
        "\n{:>9} changes {} applied, {} waiting",
        clock(snapshot.elapsed_ms / 1_000),
        grouped(snapshot.applied),
        grouped(snapshot.backlog as u64),
    ));
    if snapshot.held > 0 {
        text.push_str(&format!(" ({} locked)", grouped(snapshot.held as u64)));
    }
    match snapshot.lag_ms {
        Some(lag) => text.push_str(&format!(", lag {lag} ms")),
        None => text.push_str(", lag not known yet"),
    }
    if let (Some(eta), false) = (snapshot.eta_ms, snapshot.copy_done) {
        text.push_str(&format!(", {} left", clock(eta / 1_000)));
    }
    if snapshot.state != "migrating" {
        text.push_str(&format!(", {}", snapshot.state));
    }
    if let Some(since) = snapshot.throttled_ms {
        text.push_str(&format!(" for {}", clock(since / 1_000)));
    }
    text
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_matters() {
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(grouped(12), "12");
        let snapshot = Snapshot {
            rows_copied: 1_000,
            rows_total: 500_000,
            rows_per_second: 140_000,
            backlog: 12,
            held: 2,
            lag_ms: Some(3),
            eta_ms: Some(190_000),
            elapsed_ms: 61_000,
            state: "throttled, flag-file".into(),
            throttled_ms: Some(12_300),
            ..Snapshot::default()
        };
        assert_eq!(
            message(&snapshot, 1_000),
            "1 000 of 500 000 rows, 140 000/s\n 00:01:01 changes 0 applied, 12 waiting (2 locked), \
             lag 3 ms, 00:03:10 left, throttled, flag-file for 00:00:12"
        );
    }
}
