//! What all connections of the load saw, and the lines that tell it.
//!
//! ```text
//! report at_ms=… interval_ms=… writes=… writes_per_s=… longest_ms=… errors=… p50_us=… p99_us=… hist=BUCKET:COUNT,…
//! slow at_ms=… waited_us=…
//! ```
//!
//! `at_ms` of a report is its end, of a slow statement the moment it was sent, both in milliseconds since
//! 1970. `hist` is the report's histogram of microseconds, so that a reader can add reports up and take
//! quantiles of any stretch of time; docs/performance.md says how a bucket's number gives its bounds.

use std::{
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use mysql_async::Error;

/// Latencies in buckets of at most 3.2 % width: 32 to each doubling of the microseconds.
#[derive(Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
}

impl Histogram {
    const BITS: u32 = 5;
    const PER_DOUBLING: u64 = 1 << Self::BITS;

    fn new() -> Self {
        // 64 doublings hold every number of microseconds.
        Self {
            buckets: vec![0; 64 << Self::BITS],
        }
    }

    fn bucket(micros: u64) -> usize {
        if micros < Self::PER_DOUBLING {
            return usize::try_from(micros).unwrap_or(0);
        }
        let doubling = u64::from(micros.ilog2() - Self::BITS);
        let within = (micros >> doubling) & (Self::PER_DOUBLING - 1);
        usize::try_from((doubling + 1) * Self::PER_DOUBLING + within).unwrap_or(0)
    }

    /// The largest number of microseconds in a bucket.
    fn upper_bound(bucket: usize) -> u64 {
        let bucket = bucket as u64;
        if bucket < Self::PER_DOUBLING {
            return bucket;
        }
        let doubling = bucket / Self::PER_DOUBLING - 1;
        let within = bucket % Self::PER_DOUBLING;
        ((Self::PER_DOUBLING + within + 1) << doubling) - 1
    }

    fn add(&mut self, micros: u64) {
        self.buckets[Self::bucket(micros)] += 1;
    }

    fn add_all(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
    }

    /// What `per_mille` of the latencies do not exceed, within a bucket's width.
    pub fn quantile(&self, per_mille: u64) -> u64 {
        let total: u64 = self.buckets.iter().sum();
        let wanted = (total * per_mille).div_ceil(1000);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return Self::upper_bound(bucket);
            }
        }
        0
    }

    /// `bucket:count` of those that aren't empty.
    fn listed(&self) -> String {
        let mut text = String::new();
        for (bucket, count) in self.buckets.iter().enumerate() {
            if *count > 0 {
                let comma = if text.is_empty() { "" } else { "," };
                // Writing to a string can't fail.
                let _ = write!(text, "{comma}{bucket}:{count}");
            }
        }
        text
    }
}

/// Errors by what an application would have to do about them.
#[derive(Clone, Copy, Default)]
pub struct Errors {
    /// 1213: the transaction is gone.
    pub deadlocks: u64,
    /// 1205: the statement is gone.
    pub lock_waits: u64,
    /// Everything else, lost connections too.
    pub others: u64,
}

impl Errors {
    pub fn all(self) -> u64 {
        self.deadlocks + self.lock_waits + self.others
    }

    fn count(&mut self, error: &Error) {
        match error {
            Error::Server(server) if server.code == 1213 => self.deadlocks += 1,
            Error::Server(server) if server.code == 1205 => self.lock_waits += 1,
            _ => self.others += 1,
        }
    }
}

/// What all connections saw so far.
pub struct Measured {
    /// Acknowledged statements that write.
    pub writes: u64,
    /// Rows that they changed, in committed transactions.
    pub rows_changed: u64,
    pub errors: Errors,
    /// Of all that was reported.
    pub latencies: Histogram,
    /// Since the last report, which counted so many writes in all.
    lately: Histogram,
    reported_writes: u64,
    reported_at: Instant,
    pub longest: Duration,
    /// When the statement was sent that waited longest.
    pub longest_at: SystemTime,
    /// The longest wait since the last report.
    longest_lately: Duration,
    /// Committed change of the number of rows, and of the sum of their amounts in cents.
    pub rows_added: i64,
    pub cents_added: i64,
}

/// Shared by the connections; locked for a moment after each answer.
pub struct Meter {
    measured: Mutex<Measured>,
    /// Waits from here on get a line of their own.
    slow: Option<Duration>,
}

impl Meter {
    pub fn new(slow: Option<Duration>) -> Self {
        Self {
            measured: Mutex::new(Measured {
                writes: 0,
                rows_changed: 0,
                errors: Errors::default(),
                latencies: Histogram::new(),
                lately: Histogram::new(),
                reported_writes: 0,
                reported_at: Instant::now(),
                longest: Duration::ZERO,
                longest_at: UNIX_EPOCH,
                longest_lately: Duration::ZERO,
                rows_added: 0,
                cents_added: 0,
            }),
            slow,
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, Measured> {
        // The numbers are good even if a connection's task panicked.
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn answered(&self, sent: Instant) {
        let waited = sent.elapsed();
        let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        let sent_at = SystemTime::now() - waited;
        let mut measured = self.lock();
        measured.lately.add(micros);
        measured.longest_lately = measured.longest_lately.max(waited);
        if waited > measured.longest {
            measured.longest = waited;
            measured.longest_at = sent_at;
        }
        drop(measured);
        if self.slow.is_some_and(|slow| waited >= slow) {
            println!("slow at_ms={} waited_us={micros}", milliseconds_of(sent_at));
        }
    }

    pub fn failed(&self, what: &str, error: &Error) {
        let mut measured = self.lock();
        measured.errors.count(error);
        eprintln!(
            "error number={} at={} while={what} error={error}",
            measured.errors.all(),
            now_ms()
        );
    }

    /// Prints what was seen since the last report.
    pub fn report(&self) {
        let mut guard = self.lock();
        let measured = &mut *guard;
        let writes = measured.writes - measured.reported_writes;
        let elapsed = measured.reported_at.elapsed();
        measured.reported_writes = measured.writes;
        measured.reported_at = Instant::now();
        let longest = std::mem::take(&mut measured.longest_lately);
        let lately = std::mem::replace(&mut measured.lately, Histogram::new());
        measured.latencies.add_all(&lately);
        let errors = measured.errors;
        drop(guard);
        println!(
            "report at_ms={} interval_ms={} writes={writes} writes_per_s={:.0} longest_ms={:.1} errors={} \
             p50_us={} p99_us={} hist={}",
            now_ms(),
            elapsed.as_millis(),
            f64::from(u32::try_from(writes).unwrap_or(u32::MAX)) / elapsed.as_secs_f64(),
            longest.as_secs_f64() * 1000.0,
            errors.all(),
            lately.quantile(500),
            lately.quantile(990),
            lately.listed(),
        );
    }
}

pub fn now_ms() -> u128 {
    milliseconds_of(SystemTime::now())
}

pub fn milliseconds_of(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis())
}
