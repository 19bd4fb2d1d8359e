//! The state at one moment and gh-ost's status line of it. Pure.

use super::time::go_duration;

/// All numbers at one instant: the one source of bar, line and socket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Rows copied.
    pub rows_copied: u64,
    /// Rows expected, by the engine's statistics or by what has been copied.
    pub rows_total: u64,
    /// The copy has reached the end.
    pub copy_done: bool,
    /// Ghost rows refreshed because their originals changed.
    pub applied: u64,
    /// Dirty keys outstanding.
    pub backlog: usize,
    /// Of these, keys whose rows somebody holds.
    pub held: usize,
    /// Dirty keys that fit into memory.
    pub backlog_capacity: usize,
    /// Time since the start.
    pub elapsed_ms: u64,
    /// Time spent copying.
    pub copy_ms: u64,
    /// Where the stream is.
    pub position: String,
    /// Age of the last heartbeat seen in the stream.
    pub lag_ms: Option<u64>,
    /// What is going on, in gh-ost's words.
    pub state: String,
    /// How long the run has been throttled, if it is.
    pub throttled_ms: Option<u64>,
    /// How often it has been, this time included.
    pub throttles: u64,
    /// How long those pauses took that are over.
    pub throttled_past_ms: u64,
    /// What is going on, in one word for the bar.
    pub stage: &'static str,
    /// Rows verified.
    pub rows_verified: u64,
    /// Keys under suspicion.
    pub suspects: usize,
    /// Rows a second over the whole copy.
    pub rows_per_second: u64,
    /// Milliseconds until the copy is done, if that can be told.
    pub eta_ms: Option<u64>,
    /// Chunks copied.
    pub chunks: u64,
    /// Rows that the next chunk is to have.
    pub chunk_rows: u64,
    /// Keys that events marked.
    pub keys_marked: u64,
    /// Attempts at the cut-over.
    pub attempts: u32,
    /// Time spent in those that are over.
    pub cut_over_ms: u64,
    /// Time for which the tables were locked in them.
    pub locked_ms: u64,
}

impl Snapshot {
    /// Rows copied of those expected.
    #[must_use]
    pub fn percent(&self) -> f64 {
        if self.rows_total == 0 {
            return 100.0;
        }
        as_float(self.rows_copied) * 100.0 / as_float(self.rows_total)
    }

    fn eta(&self) -> String {
        if self.copy_done || self.percent() >= 100.0 {
            return "due".into();
        }
        match self.eta_ms {
            Some(milliseconds) => go_duration(milliseconds / 1_000),
            None => "N/A".into(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display only")]
fn as_float(number: u64) -> f64 {
    number as f64
}

/// gh-ost's status line, with its fields in its order.
#[must_use]
pub fn status(snapshot: &Snapshot) -> String {
    let lag = as_float(snapshot.lag_ms.unwrap_or_default()) / 1_000.0;
    format!(
        "Copy: {}/{} {:.1}%; Applied: {}; Backlog: {}/{}; Time: {}(total), {}(copy); streamer: {}; \
         Lag: {lag:.2}s, HeartbeatLag: {lag:.2}s, State: {}; ETA: {}",
        snapshot.rows_copied,
        snapshot.rows_total,
        snapshot.percent(),
        snapshot.applied,
        snapshot.backlog,
        snapshot.backlog_capacity,
        go_duration(snapshot.elapsed_ms / 1_000),
        go_duration(snapshot.copy_ms / 1_000),
        snapshot.position,
        snapshot.state,
        snapshot.eta(),
    )
}

/// Time between two status lines: gh-ost's cadence.
#[must_use]
pub fn cadence_ms(snapshot: &Snapshot) -> u64 {
    let near = |limit: u64| {
        snapshot.elapsed_ms <= limit || snapshot.eta_ms.is_some_and(|eta| eta <= limit)
    };
    if near(60_000) {
        1_000
    } else if near(180_000) {
        5_000
    } else {
        30_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            rows_copied: 300_000,
            rows_total: 300_000,
            copy_done: true,
            applied: 301_480,
            backlog_capacity: 1_000,
            elapsed_ms: 88_400,
            copy_ms: 1_200,
            position: "binlog.000002:2715236".into(),
            lag_ms: Some(20),
            state: "migrating".into(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn the_line_has_gh_osts_fields_in_its_order() {
        assert_eq!(
            status(&snapshot()),
            "Copy: 300000/300000 100.0%; Applied: 301480; Backlog: 0/1000; Time: 1m28s(total), \
             1s(copy); streamer: binlog.000002:2715236; Lag: 0.02s, HeartbeatLag: 0.02s, State: \
             migrating; ETA: due"
        );
        let early = Snapshot {
            rows_copied: 1,
            copy_done: false,
            ..snapshot()
        };
        assert!(status(&early).ends_with("ETA: N/A"));
        let on_the_way = Snapshot {
            eta_ms: Some(252_000),
            ..early
        };
        assert!(status(&on_the_way).ends_with("ETA: 4m12s"));
    }

    #[test]
    fn lines_become_rarer_in_long_runs_and_frequent_again_near_the_end() {
        let at = |elapsed_ms, eta_ms| {
            cadence_ms(&Snapshot {
                elapsed_ms,
                eta_ms,
                ..snapshot()
            })
        };
        assert_eq!(at(59_000, None), 1_000);
        assert_eq!(at(100_000, None), 5_000);
        assert_eq!(at(900_000, None), 30_000);
        assert_eq!(at(900_000, Some(170_000)), 5_000);
        assert_eq!(at(900_000, Some(50_000)), 1_000);
    }
}
