//! The table of all metrics: name, unit, type, meaning, and what it is in a snapshot. Pure.
//!
//! The labels of every series are the schema and the table, which name the run; a type of state and the
//! version have one more, of fixed words. Never a row's value, a reason's text or an address.

use crate::report::Snapshot;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while a run lasts.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A count.
    Whole(u64),
    /// Seconds, given in milliseconds.
    Milliseconds(u64),
    /// A share.
    Ratio(f64),
}

impl std::fmt::Display for Value {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(number) => write!(to, "{number}"),
            Self::Milliseconds(number) => {
                write!(to, "{}.{:03}", number / 1_000, number % 1_000)
            }
            Self::Ratio(number) => write!(to, "{number:.6}"),
        }
    }
}

/// One metric.
#[derive(Clone, Copy)]
pub struct Metric {
    /// Name without the `_total` that counters get.
    pub name: &'static str,
    /// Unit, with which the name ends; empty when there is none.
    pub unit: &'static str,
    /// Counter or gauge.
    pub kind: Kind,
    /// What it is, in one sentence.
    pub help: &'static str,
    /// The number, if it is known.
    pub value: fn(&Snapshot) -> Option<Value>,
}

/// Which run the numbers are of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// Schema of the table.
    pub database: String,
    /// The table.
    pub table: String,
}

/// Name of the metric that tells version and commit.
pub const BUILD: &str = "tableshift_build";
/// Name of the metric that tells what is going on.
pub const STAGE: &str = "tableshift_stage";
/// What can be going on, in the words of the bar.
pub const STAGES: [&str; 8] = [
    "preparing",
    "copying",
    "verifying",
    "indexing",
    "postponed",
    "ready",
    "swapping",
    "done",
];

const fn counter(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    value: fn(&Snapshot) -> Option<Value>,
) -> Metric {
    Metric {
        name,
        unit,
        kind: Kind::Counter,
        help,
        value,
    }
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    value: fn(&Snapshot) -> Option<Value>,
) -> Metric {
    Metric {
        kind: Kind::Gauge,
        ..counter(name, unit, help, value)
    }
}

fn whole(number: u64) -> Option<Value> {
    Some(Value::Whole(number))
}

fn count(number: usize) -> Option<Value> {
    whole(u64::try_from(number).unwrap_or(u64::MAX))
}

fn seconds(milliseconds: u64) -> Option<Value> {
    Some(Value::Milliseconds(milliseconds))
}

/// All of them but [`BUILD`] and [`STAGE`], in the order in which they are written.
pub const METRICS: [Metric; 23] = [
    counter(
        "tableshift_copied_rows",
        "rows",
        "Rows read by the copy.",
        |snapshot| whole(snapshot.rows_copied),
    ),
    gauge(
        "tableshift_expected_rows",
        "rows",
        "Rows that the copy has to read: an estimate until it is done.",
        |snapshot| whole(snapshot.rows_total),
    ),
    gauge(
        "tableshift_progress_ratio",
        "ratio",
        "Share of the expected rows that is copied.",
        |snapshot| Some(Value::Ratio(snapshot.percent() / 100.0)),
    ),
    gauge(
        "tableshift_remaining_seconds",
        "seconds",
        "Time until the copy is done, absent as long as it can't be told.",
        |snapshot| match snapshot.copy_done {
            true => seconds(0),
            false => snapshot.eta_ms.and_then(seconds),
        },
    ),
    counter(
        "tableshift_copied_chunks",
        "chunks",
        "Chunks copied.",
        |snapshot| whole(snapshot.chunks),
    ),
    gauge(
        "tableshift_chunk_size_rows",
        "rows",
        "Rows that the next chunk is to have.",
        |snapshot| whole(snapshot.chunk_rows),
    ),
    counter(
        "tableshift_copy_seconds",
        "seconds",
        "Time spent copying.",
        |snapshot| seconds(snapshot.copy_ms),
    ),
    gauge(
        "tableshift_elapsed_seconds",
        "seconds",
        "Time since the run began.",
        |snapshot| seconds(snapshot.elapsed_ms),
    ),
    counter(
        "tableshift_changed_keys",
        "keys",
        "Keys of changed rows read from the binary log.",
        |snapshot| whole(snapshot.keys_marked),
    ),
    counter(
        "tableshift_applied_rows",
        "rows",
        "Rows of the new table refreshed because their originals changed.",
        |snapshot| whole(snapshot.applied),
    ),
    gauge(
        "tableshift_backlog_keys",
        "keys",
        "Keys of changed rows that wait to be refreshed.",
        |snapshot| count(snapshot.backlog),
    ),
    gauge(
        "tableshift_backlog_capacity_keys",
        "keys",
        "Such keys that fit into memory; with more the log is read later.",
        |snapshot| count(snapshot.backlog_capacity),
    ),
    gauge(
        "tableshift_held_keys",
        "keys",
        "Such keys whose rows somebody else has locked.",
        |snapshot| count(snapshot.held),
    ),
    gauge(
        "tableshift_lag_seconds",
        "seconds",
        "Age of the last heartbeat seen in the binary log, absent before the first.",
        |snapshot| snapshot.lag_ms.and_then(seconds),
    ),
    counter(
        "tableshift_verified_rows",
        "rows",
        "Rows compared between both tables.",
        |snapshot| whole(snapshot.rows_verified),
    ),
    gauge(
        "tableshift_suspect_keys",
        "keys",
        "Keys whose rows differed and are looked at again.",
        |snapshot| count(snapshot.suspects),
    ),
    gauge(
        "tableshift_throttled",
        "",
        "1 while the run pauses for a reason, else 0.",
        |snapshot| whole(u64::from(snapshot.throttled_ms.is_some())),
    ),
    counter("tableshift_throttles", "", "Pauses begun.", |snapshot| {
        whole(snapshot.throttles)
    }),
    counter(
        "tableshift_throttled_seconds",
        "seconds",
        "Time spent in pauses.",
        |snapshot| seconds(snapshot.throttled_past_ms + snapshot.throttled_ms.unwrap_or(0)),
    ),
    gauge(
        "tableshift_postponed",
        "",
        "1 while the cut-over is held back, else 0.",
        |snapshot| whole(u64::from(snapshot.stage == "postponed")),
    ),
    counter(
        "tableshift_cut_over_attempts",
        "",
        "Attempts at the cut-over.",
        |snapshot| whole(u64::from(snapshot.attempts)),
    ),
    counter(
        "tableshift_cut_over_seconds",
        "seconds",
        "Time spent in them, waiting for the lock included.",
        |snapshot| seconds(snapshot.cut_over_ms),
    ),
    counter(
        "tableshift_locked_seconds",
        "seconds",
        "Time for which the tables were locked in them.",
        |snapshot| seconds(snapshot.locked_ms),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_with_their_units_and_are_unique() {
        for (position, metric) in METRICS.iter().enumerate() {
            let others = METRICS.iter().skip(position + 1);
            assert!(others.clone().all(|other| other.name != metric.name));
            assert!(
                metric.unit.is_empty() || metric.name.ends_with(&format!("_{}", metric.unit)),
                "{}",
                metric.name
            );
            assert!(!metric.name.ends_with("_total"), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn seconds_keep_their_milliseconds() {
        assert_eq!(Value::Milliseconds(61_007).to_string(), "61.007");
        assert_eq!(Value::Ratio(0.5).to_string(), "0.500000");
        assert_eq!(Value::Whole(u64::MAX).to_string(), "18446744073709551615");
    }
}
