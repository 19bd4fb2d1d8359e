//! The only reader of time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::report::time::utc;

/// The run's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Time since 1970, as heartbeats carry it.
#[must_use]
pub fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Seconds since 1970.
#[must_use]
pub fn now_seconds() -> u64 {
    since_epoch().as_secs()
}

/// The name of the host that the program runs on.
#[must_use]
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.to_owned(),
    }
}

/// `YYYYMMDDhhmmss`, for `--timestamp-old-table`.
#[must_use]
pub fn stamp() -> String {
    utc(since_epoch().as_secs())
        .chars()
        .filter(char::is_ascii_digit)
        .collect()
}

/// This moment as a heartbeat carries it: RFC 3339 with nanoseconds, like gh-ost's.
#[must_use]
pub fn heartbeat_now() -> String {
    let now = since_epoch();
    let text = utc(now.as_secs()).replace(' ', "T");
    format!("{text}.{:09}Z", now.subsec_nanos())
}

/// A number that hardly any other run has: for server ids and marks, not for secrets.
#[must_use]
pub fn unlike_others() -> u64 {
    let now = since_epoch();
    let mixed = now.as_secs() ^ u64::from(now.subsec_nanos()) << 32 ^ u64::from(std::process::id());
    mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Milliseconds since the moment that a heartbeat of ours carries; `None` for any other text.
#[must_use]
pub fn age_ms(heartbeat: &str) -> Option<u64> {
    let sent = crate::report::time::parse_heartbeat(heartbeat)?;
    let age = since_epoch().saturating_sub(sent);
    Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
