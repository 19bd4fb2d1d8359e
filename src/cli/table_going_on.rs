//! Flags about what outlives a run, and about what is told elsewhere.

use super::flags::{Flag, Group, Kind};
use super::table::{more, not_yet, nothing, switch, text, whole};

/// Checkpoints, the way back, metrics.
pub(super) const GOING_ON: Group = Group {
    title: "Resume, revert, metrics",
    flags: &[
        more(
            Flag {
                default: "true",
                ..switch("checkpoint", "Write down now and then how far the run is")
            },
            "In the table _TABLE_ghk, on a connection of its own. A run that is stopped, killed or \
             given up after a checkpoint goes on from it when the same command is run again. \
             --checkpoint=false leaves it out; then an end before the swap drops all helper tables.",
        ),
        more(
            whole(
                "checkpoint-seconds",
                "",
                (10, 86_400),
                "Time between two checkpoints",
            ),
            "In seconds; 5 unless it is given.",
        ),
        more(
            switch("resume", "Go on from the last checkpoint, or refuse to run"),
            "Without it a run goes on if there is something to go on from, and begins anew if there \
             isn't.",
        ),
        more(
            switch("no-resume", "Begin anew even if an earlier run could go on"),
            "Drops what that run has left. Not in gh-ost.",
        ),
        more(
            switch("revert", "Swap a finished migration back"),
            "The old table is brought up to date with what was written since the swap, verified, and \
             swapped back; see docs/revert.md.",
        ),
        more(
            text("old-table", "", "The table to revert to"),
            "As the migration has left it: _TABLE_del.",
        ),
        more(
            text(
                "revert-window",
                "",
                "Time after the cut-over to revert at once",
            ),
            "90s, 30m, 2h or 1d. Until then the command revert swaps back within a second; done ends it. Not in \
             gh-ost.",
        ),
        not_yet(text("statsd-addr", "", "Where metrics are sent, host:port")),
        not_yet(Flag {
            kind: Kind::Texts,
            ..text("statsd-tags", "", "Tags of the metrics, k:v")
        }),
        nothing(
            whole(
                "runtime-metrics-interval",
                "10",
                (0, 86_400),
                "Time between two runtime metrics",
            ),
            "there is no runtime to be measured",
        ),
    ],
};
