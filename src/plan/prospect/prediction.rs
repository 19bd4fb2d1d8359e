//! The time of a copy, from a sample of it.

/// Chunks from which on their spread says something.
const CHUNKS_FOR_SPREAD: usize = 5;
/// Standard errors to both sides in which the mean is found in 95 of 100 samples, if chunks are independent.
const STANDARD_ERRORS: f64 = 1.96;

/// Where a sample was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// At points all over the key.
    OverTheKey,
    /// From its beginning.
    FromTheBeginning,
}

impl Spread {
    /// As it is shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::OverTheKey => "spread over the key",
            Self::FromTheBeginning => "from the beginning of the key",
        }
    }
}

/// A chunk that was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Rows read.
    pub rows: u64,
    /// Microseconds that it took.
    pub micros: u64,
}

/// How long a copy takes on a server that has nothing else to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Seconds.
    pub seconds: f64,
    /// The ends of its interval, if there were enough chunks to tell.
    pub interval: Option<(f64, f64)>,
    /// Rows of the sample.
    pub rows: u64,
    /// Its chunks.
    pub chunks: usize,
    /// Seconds that it took.
    pub took: f64,
    /// Where it was taken.
    pub spread: Spread,
}

/// Extrapolates to so many rows. Nothing, if nothing was copied.
#[must_use]
pub fn predict(sample: &[Copied], rows: u64, spread: Spread) -> Option<Prediction> {
    let copied: u64 = sample.iter().map(|chunk| chunk.rows).sum();
    let micros: u64 = sample.iter().map(|chunk| chunk.micros).sum();
    if copied == 0 {
        return None;
    }
    let took = seconds(micros);
    // Statistics may be older than the rows that were just seen.
    let whole = number(rows.max(copied));
    let per_row = took / number(copied);
    let expected = whole * per_row;
    let interval = error_per_row(sample, per_row).map(|error| {
        let around = whole * error * STANDARD_ERRORS;
        ((expected - around).max(0.0), expected + around)
    });
    Some(Prediction {
        seconds: expected,
        interval,
        rows: copied,
        chunks: sample.len(),
        took,
        spread,
    })
}

/// The standard error of the time per row, as a ratio of two sums (Cochran, "Sampling Techniques", ch. 6).
fn error_per_row(sample: &[Copied], per_row: f64) -> Option<f64> {
    let count = sample.len();
    if count < CHUNKS_FOR_SPREAD {
        return None;
    }
    let chunks = f64::from(u32::try_from(count).ok()?);
    let rows: f64 = sample.iter().map(|chunk| number(chunk.rows)).sum();
    let squares: f64 = sample
        .iter()
        .map(|chunk| (seconds(chunk.micros) - per_row * number(chunk.rows)).powi(2))
        .sum();
    let mean = rows / chunks;
    Some((squares / (chunks - 1.0) / chunks).sqrt() / mean)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn number(count: u64) -> f64 {
    count as f64
}

fn seconds(micros: u64) -> f64 {
    number(micros) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(times: &[u64]) -> Vec<Copied> {
        let chunk = |micros: &u64| Copied {
            rows: 1_000,
            micros: *micros,
        };
        times.iter().map(chunk).collect()
    }

    fn told(times: &[u64], rows: u64) -> Prediction {
        predict(&sample(times), rows, Spread::OverTheKey).expect("a prediction")
    }

    #[test]
    fn alike_chunks_are_certain_and_unlike_ones_are_not() {
        let even = told(&[10_000; 10], 1_000_000);
        let close = |one: f64, other: f64| (one - other).abs() < 1e-6;
        assert!(close(even.seconds, 10.0), "{even:?}");
        let (low, high) = even.interval.expect("an interval");
        assert!(close(low, 10.0) && close(high, 10.0), "{even:?}");
        let uneven = told(&[5_000, 15_000, 5_000, 15_000, 5_000, 15_000], 1_000_000);
        assert!(close(uneven.seconds, 10.0), "{uneven:?}");
        // Deviation 5.477 ms, its error over six chunks 2.236 ms: 43.8 % to each side.
        let (low, high) = uneven.interval.expect("an interval");
        assert!(
            (low - 5.617).abs() < 0.01 && (high - 14.383).abs() < 0.01,
            "{uneven:?}"
        );
    }

    #[test]
    fn few_chunks_have_no_interval_and_none_no_prediction() {
        assert_eq!(told(&[10_000; 4], 10_000).interval, None);
        assert_eq!(predict(&[], 10, Spread::OverTheKey), None);
        let empty = Copied { rows: 0, micros: 9 };
        assert_eq!(predict(&[empty], 10, Spread::OverTheKey), None);
    }

    #[test]
    fn rows_that_were_seen_count_more_than_the_estimate() {
        let seen = told(&[10_000; 10], 7);
        assert!((seen.seconds - 0.1).abs() < 1e-6, "{seen:?}");
    }
}
