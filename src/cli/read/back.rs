//! What is asked for about the way back of a migration.

use std::time::Duration;

use super::Given;
use crate::plan::shortcut::Shortcuts;

impl Given<'_> {
    /// The way back of a migration has its own conditions.
    pub(super) fn revert_fits(&self) {
        if self.is_on("revert") && self.is_on("resume") {
            self.problem("--revert cannot be used with --resume");
        }
        if self.is_set("old-table") && !self.is_on("revert") {
            self.problem("--old-table requires --revert");
        }
        if self.is_on("revert") && !self.is_set("old-table") {
            self.problem("--revert must be called with --old-table");
        }
        for other in [
            "no-resume",
            "test-on-replica",
            "skip-strict-mode",
            "initially-drop-ghost-table",
            "initially-drop-old-table",
        ] {
            if self.is_on("revert") && self.is_on(other) {
                self.problem(format!("--revert and --{other} are mutually exclusive"));
            }
        }
    }

    /// The ALTER; the way back goes by that of the migration.
    pub(super) fn alter(&self) -> String {
        if self.is_on("revert") {
            return String::new();
        }
        self.text("alter")
    }

    /// How long a revert is to take a second only.
    pub(super) fn revert_window(&self) -> Option<Duration> {
        let text = self.optional("revert-window")?;
        for other in [
            "revert",
            "ok-to-drop-table",
            "test-on-replica",
            "skip-strict-mode",
        ] {
            if self.is_on(other) {
                self.problem(format!(
                    "--revert-window and --{other} are mutually exclusive"
                ));
            }
        }
        if !self.is_on("checkpoint") {
            self.problem("--revert-window requires --checkpoint");
        }
        let length = duration(&text);
        if length.is_none() {
            self.problem(format!(
                "--revert-window: {text} is no length of time; write it as 90s, 30m, 2h or 1d"
            ));
        }
        length
    }

    /// Whether the table may be altered directly. gh-ost's flag, given as false, is a wish as well.
    pub(super) fn shortcuts(&self) -> Shortcuts {
        let asked = self.was_given("attempt-instant-ddl");
        if self.is_on("revert") || self.is_on("no-shortcuts") {
            return Shortcuts::Off;
        }
        match (asked, self.is_on("attempt-instant-ddl")) {
            (true, true) => Shortcuts::Asked,
            (true, false) => Shortcuts::Off,
            (false, _) => Shortcuts::Usual,
        }
    }

    /// What `--attempt-instant-ddl` can't go with.
    pub(super) fn shortcuts_fit(&self) {
        if !self.is_on("attempt-instant-ddl") {
            return;
        }
        if self.is_on("no-shortcuts") {
            self.problem("--attempt-instant-ddl and --no-shortcuts are mutually exclusive");
        }
        if self.is_set("revert-window") {
            self.problem(
                "--attempt-instant-ddl and --revert-window are mutually exclusive: what is altered \
                 directly leaves no old table to go back to",
            );
        }
    }

    /// A switch that only a migration asks for, and not its way back.
    pub(super) fn forth(&self, flag: &str) -> bool {
        self.is_on(flag) && !self.is_on("revert")
    }

    /// Flags of a migration that its way back has no use for.
    pub(super) fn without_effect_back(&self) -> Vec<String> {
        if !self.is_on("revert") {
            return Vec::new();
        }
        let forth = [
            "alter",
            "attempt-instant-ddl",
            "backfill",
            "include-triggers",
            "discard-foreign-keys",
        ];
        let given = forth.into_iter().filter(|flag| self.is_set(flag));
        given
            .map(|flag| format!("--{flag} has no effect with --revert"))
            .collect()
    }
}

/// A whole number of seconds, minutes, hours or days.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let length = number.checked_mul(seconds)?;
    (1..=366 * 86_400)
        .contains(&length)
        .then(|| Duration::from_secs(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("30m", Some(1_800)),
            ("2h", Some(7_200)),
            ("1d", Some(86_400)),
            ("2", None),
            ("0s", None),
            ("h", None),
            ("-1h", None),
            ("9999999999999999999d", None),
            ("", None),
        ] {
            assert_eq!(
                duration(text).map(|length| length.as_secs()),
                seconds,
                "{text}"
            );
        }
    }
}
