//! What the signals mean: readings in, reasons out, in gh-ost's words. Pure.
//!
//! A signal that can't be read throttles and says so; it never counts as zero.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Source;
use crate::config::{Threshold, Throttle};

/// A status variable as it was read, or why it couldn't be.
pub type Reading = Result<i64, String>;

/// What stands in the place of a reason until a signal has been read for the first time.
const UNREAD: &str = "not read yet";

/// Signals that hold from the beginning, because nothing has been heard from them yet.
#[must_use]
pub fn unread(settings: &Throttle) -> Vec<(Source, String)> {
    [
        (Source::MaxLoad, watches_load(settings), "max-load"),
        (Source::Query, settings.query.is_some(), "throttle-query"),
        (Source::Http, settings.http.is_some(), "throttle-http"),
        (Source::Replicas, watches_replicas(settings), "replica-lag"),
    ]
    .into_iter()
    .filter(|(_, wanted, _)| *wanted)
    .map(|(source, _, name)| (source, format!("{name} {UNREAD}")))
    .collect()
}

/// Whether heartbeats rest as well, as gh-ost's do: the operator wants no write at all.
#[must_use]
pub fn silences(source: Source) -> bool {
    match source {
        Source::User | Source::Hibernation => true,
        Source::File | Source::MaxLoad | Source::Query | Source::Http | Source::Replicas => false,
    }
}

/// The present pause: since when, and what the log tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pause {
    /// When it began, in milliseconds since the start of the run.
    since_ms: Option<u64>,
    /// The reason in the log's last line about it, without its figures.
    told: Option<String>,
    /// Pauses so far.
    begun: u64,
    /// Time in pauses that are over.
    past_ms: u64,
}

impl Pause {
    /// Takes in the reason for everything to pause; returns the line for the log if there is
    /// something new to tell. A first reading that is still to come is worth no line.
    pub fn set(&mut self, reason: Option<&str>, now_ms: u64) -> Option<String> {
        let Some(reason) = reason else {
            let began = self.since_ms.take();
            let paused_ms = now_ms.saturating_sub(began.unwrap_or(now_ms));
            self.past_ms += paused_ms;
            self.told.take()?;
            let seconds = paused_ms / 1_000;
            return Some(format!("no longer throttled after {seconds} s"));
        };
        self.begun += u64::from(self.since_ms.is_none());
        self.since_ms.get_or_insert(now_ms);
        let news = without_figures(reason);
        if reason.ends_with(UNREAD) || self.told.as_ref() == Some(&news) {
            return None;
        }
        self.told = Some(news);
        Some(format!("throttled: {reason}"))
    }

    /// How many there were, this one included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.begun
    }

    /// How long those took that are over.
    #[must_use]
    pub fn past_ms(&self) -> u64 {
        self.past_ms
    }

    /// When it began.
    #[must_use]
    pub fn since_ms(&self) -> Option<u64> {
        self.since_ms
    }
}

/// Figures move all the time; only other words are worth a line in the log.
#[must_use]
pub fn without_figures(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// Whether status variables have to be read.
#[must_use]
pub fn watches_load(settings: &Throttle) -> bool {
    !settings.max_load.is_empty() || !settings.critical_load.is_empty()
}

/// Whether replicas have to be read.
#[must_use]
pub fn watches_replicas(settings: &Throttle) -> bool {
    !settings.control_replicas.is_empty() || settings.discover_replicas
}

/// Rows of name and value as readings of the variables asked for. One that the server doesn't have
/// is missing, one that isn't a whole number can't be compared; both are said.
#[must_use]
pub fn readings(
    asked: &[Threshold],
    rows: &[(String, Option<String>)],
) -> BTreeMap<String, Reading> {
    let reading = |name: &str| {
        let value = rows.iter().find(|(row, _)| row.eq_ignore_ascii_case(name));
        match value {
            None => Err("is not a status variable of this server".to_owned()),
            Some((_, value)) => value
                .as_deref()
                .and_then(whole)
                .ok_or_else(|| "is not a whole number".to_owned()),
        }
    };
    asked
        .iter()
        .map(|threshold| (threshold.variable.clone(), reading(&threshold.variable)))
        .collect()
}

/// A status value as a number; counters beyond the signed range are as large as can be.
fn whole(text: &str) -> Option<i64> {
    let large = || text.parse::<u64>().ok().map(|_| i64::MAX);
    text.parse().ok().or_else(large)
}

/// Why the load throttles: a variable that can't be read, or one that has reached its limit.
#[must_use]
pub fn load(kind: &str, limits: &[Threshold], readings: &BTreeMap<String, Reading>) -> Verdict {
    let mut verdict = Verdict::Fine;
    for Threshold { variable, limit } in limits {
        match readings.get(variable) {
            Some(Ok(value)) if value >= limit => {
                return Verdict::Reached(format!("{kind} {variable}={value} >= {limit}"));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => verdict = Verdict::Unreadable(format!("{variable} {error}")),
            None => verdict = Verdict::Unreadable(format!("{variable} was not read")),
        }
    }
    verdict
}

/// What a load says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Below all limits.
    Fine,
    /// A limit is reached.
    Reached(String),
    /// A variable can't be read, and none that can has reached its limit.
    Unreadable(String),
}

impl Verdict {
    /// The reason, if it is one for a pause.
    #[must_use]
    pub fn reason(self) -> Option<String> {
        match self {
            Self::Fine => None,
            Self::Reached(reason) | Self::Unreadable(reason) => Some(reason),
        }
    }
}

/// Why all readings failed, for the first of the variables.
#[must_use]
pub fn load_unread(settings: &Throttle, error: &str) -> Option<String> {
    let mut asked = settings.max_load.iter().chain(&settings.critical_load);
    asked
        .next()
        .map(|threshold| one_line(&format!("{} {error}", threshold.variable)))
}

/// What a throttle query's answer means: its rows, or the error.
#[must_use]
pub fn query(answer: Result<Option<Option<&str>>, &str>) -> Option<String> {
    match answer {
        Err(error) => Some(one_line(&format!("throttle-query {error}"))),
        Ok(None) => Some("throttle-query returned no row".into()),
        Ok(Some(None)) => Some("throttle-query returned NULL".into()),
        Ok(Some(Some(text))) => match text.trim().parse::<f64>() {
            Ok(value) if value.is_nan() => Some("throttle-query returned no number".into()),
            Ok(value) if value > 0.0 => Some("throttle-query".into()),
            Ok(_) => None,
            Err(_) => Some("throttle-query returned no number".into()),
        },
    }
}

/// What is known of a replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replica {
    /// Moment of the last heartbeat that was read from it, since 1970.
    pub beat: Option<Duration>,
    /// When the last answer came, in milliseconds since the start of the run.
    pub answered_ms: Option<u64>,
    /// Why the last look at it failed.
    pub error: Option<String>,
}

/// Moments by which replicas are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since 1970.
    pub wall: Duration,
    /// Since the start of the run, in milliseconds.
    pub ms: u64,
    /// When heartbeats were taken up again after a silence of ours, on the same scale.
    pub resumed_ms: Option<u64>,
}

impl Replica {
    /// How far it is behind, unless it can't be told: the reason in place of a lag is then an error.
    ///
    /// # Errors
    /// Why it can't be told.
    pub fn lag(&self, now: Now, silence_ms: u64) -> Result<Duration, String> {
        let error = || self.error.clone();
        let Some(answered) = self.answered_ms else {
            return Err(error().unwrap_or_else(|| UNREAD.into()));
        };
        let silent = now
            .ms
            .saturating_sub(answered.max(now.resumed_ms.unwrap_or_default()));
        if silent > silence_ms {
            let quiet = || format!("no answer for {} s", silent / 1_000);
            return Err(error().unwrap_or_else(quiet));
        }
        let Some(beat) = self.beat else {
            return Err("has no heartbeat yet".into());
        };
        let lag = now.wall.saturating_sub(beat);
        // What was silence of our own is no lag.
        let beating = |resumed| Duration::from_millis(now.ms.saturating_sub(resumed));
        Ok(now
            .resumed_ms
            .map(beating)
            .map_or(lag, |most| lag.min(most)))
    }
}

/// Why the replicas throttle: one that can't be read comes first, then the one that lags most.
#[must_use]
pub fn replicas<'a>(
    known: impl Iterator<Item = (&'a str, &'a Replica)>,
    now: Now,
    lag_max: Duration,
    silence_ms: u64,
) -> Option<String> {
    let mut worst: Option<(Duration, &str)> = None;
    for (name, replica) in known {
        match replica.lag(now, silence_ms) {
            Err(error) => return Some(one_line(&format!("{name} {error}"))),
            Ok(lag) if lag > lag_max && worst.is_none_or(|(most, _)| lag > most) => {
                worst = Some((lag, name));
            }
            Ok(_) => {}
        }
    }
    worst.map(|(lag, name)| format!("{name} replica-lag={:.6}s", lag.as_secs_f64()))
}

/// Replicas in rows of host and port; those that don't say their address can't be asked, and the
/// tool's own dump is one of them.
#[must_use]
pub fn discovered(rows: &[(String, Option<u16>)]) -> Vec<(String, u16)> {
    let mut found: Vec<(String, u16)> = rows
        .iter()
        .filter_map(|(host, port)| Some((host.clone(), (*port).filter(|port| *port > 0)?)))
        .filter(|(host, _)| !host.is_empty())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// `host:port`, with brackets around an IPv6 address.
#[must_use]
pub fn host_port((host, port): &(String, u16)) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The reason stands in a status of one line.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The nice ratio in thousandths, as the core takes it.
#[must_use]
pub fn nice_permille(ratio: f64) -> u64 {
    let permille = (ratio * 1_000.0).round();
    // Ratios are between 0 and 100; anything else is no pause rather than an endless one.
    if !(0.0..=100_000.0).contains(&permille) {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between 0 and 100000"
    )]
    let permille = permille as u64;
    permille
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thresholds(pairs: &[(&str, i64)]) -> Vec<Threshold> {
        let threshold = |(variable, limit): &(&str, i64)| Threshold {
            variable: (*variable).into(),
            limit: *limit,
        };
        pairs.iter().map(threshold).collect()
    }

    fn row(name: &str, value: Option<&str>) -> (String, Option<String>) {
        (name.into(), value.map(Into::into))
    }

    #[test]
    fn a_limit_is_reached_by_being_equal() {
        let limits = thresholds(&[("Threads_running", 50), ("threads_connected", 500)]);
        let judge = |running: &str| {
            let rows = [
                row("Threads_running", Some(running)),
                row("Threads_connected", Some("499")),
            ];
            load("max-load", &limits, &readings(&limits, &rows)).reason()
        };
        assert_eq!(judge("49"), None);
        let reason = Some("max-load Threads_running=50 >= 50".to_owned());
        assert_eq!(judge("50"), reason);
        assert!(judge("18446744073709551615").is_some());
    }

    #[test]
    fn what_cannot_be_read_is_never_below_a_limit() {
        let limits = thresholds(&[("Nonsense", 1), ("Ssl_cipher", 1), ("Threads_running", 50)]);
        let mut rows = vec![
            row("Ssl_cipher", Some("AES")),
            row("Threads_running", Some("1")),
        ];
        let judge = |rows: &[_], asked: usize| {
            load(
                "max-load",
                &limits[..asked],
                &readings(&limits[..asked], rows),
            )
        };
        assert_eq!(
            judge(&rows, 1),
            Verdict::Unreadable("Nonsense is not a status variable of this server".into())
        );
        assert_eq!(
            judge(&rows, 2),
            Verdict::Unreadable("Ssl_cipher is not a whole number".into())
        );
        assert!(matches!(judge(&rows, 3), Verdict::Unreadable(_)));
        // A limit that is reached for certain says more.
        rows[1].1 = Some("51".into());
        assert!(matches!(judge(&rows, 3), Verdict::Reached(_)));
        assert!(matches!(
            load("max-load", &limits, &BTreeMap::new()),
            Verdict::Unreadable(_)
        ));
    }

    #[test]
    fn a_query_lets_go_only_by_a_number_that_is_not_positive() {
        for fine in ["0", "-1", "0.0", " 0 "] {
            assert_eq!(query(Ok(Some(Some(fine)))), None, "{fine}");
        }
        for held in ["1", "0.1", "9223372036854775808"] {
            let reason = query(Ok(Some(Some(held))));
            assert_eq!(reason.as_deref(), Some("throttle-query"), "{held}");
        }
        for unreadable in [
            Err("the table\nis gone"),
            Ok(None),
            Ok(Some(None)),
            Ok(Some(Some("secret"))),
            Ok(Some(Some(""))),
            Ok(Some(Some("nan"))),
        ] {
            let reason = query(unreadable).expect("it throttles");
            assert!(reason.starts_with("throttle-query "), "{reason}");
            assert!(
                !reason.contains("secret") && !reason.contains('\n'),
                "{reason}"
            );
        }
    }

    fn now(ms: u64) -> Now {
        Now {
            wall: Duration::from_millis(1_000_000 + ms),
            ms,
            resumed_ms: None,
        }
    }

    fn seen(answered_ms: u64, beat_ms: u64) -> Replica {
        Replica {
            beat: Some(Duration::from_millis(1_000_000 + beat_ms)),
            answered_ms: Some(answered_ms),
            error: None,
        }
    }

    fn judge(known: &[(&str, &Replica)], now: Now) -> Option<String> {
        let lag_max = Duration::from_millis(1_500);
        replicas(known.iter().copied(), now, lag_max, 1_000)
    }

    #[test]
    fn the_replica_that_lags_most_is_named() {
        let (near, far) = (seen(10_000, 8_000), seen(10_000, 7_000));
        let one = seen(10_000, 9_900);
        assert_eq!(judge(&[("a:1", &one)], now(10_000)), None);
        assert_eq!(
            judge(&[("a:1", &one), ("b:1", &near), ("c:1", &far)], now(10_000)),
            Some("c:1 replica-lag=3.000000s".into())
        );
    }

    #[test]
    fn a_replica_that_cannot_be_read_throttles_after_a_second() {
        let mut replica = seen(10_000, 9_950);
        replica.error = Some("connection refused".into());
        assert_eq!(judge(&[("a:1", &replica)], now(10_900)), None);
        let reason = Some("a:1 connection refused".to_owned());
        assert_eq!(judge(&[("a:1", &replica)], now(11_001)), reason);
        replica.error = None;
        let silent = Some("a:1 no answer for 3 s".to_owned());
        assert_eq!(judge(&[("a:1", &replica)], now(13_000)), silent);
        let never = Replica::default();
        let unread = Some("a:1 not read yet".to_owned());
        assert_eq!(judge(&[("a:1", &never)], now(1)), unread);
        let empty = Replica {
            answered_ms: Some(1),
            ..Replica::default()
        };
        let lagging = Some("a:1 has no heartbeat yet".to_owned());
        assert_eq!(judge(&[("a:1", &empty)], now(2)), lagging);
    }

    #[test]
    fn lag_does_not_count_what_was_silence_of_our_own() {
        let replica = seen(10_000, 10_000);
        let resumed = Now {
            resumed_ms: Some(60_000),
            ..now(60_500)
        };
        assert_eq!(judge(&[("a:1", &replica)], resumed), None);
        // And yet it is not forgotten: no heartbeat has come through since.
        let later = Now {
            resumed_ms: Some(60_000),
            ..now(61_600)
        };
        let answering = seen(61_600, 10_000);
        assert_eq!(
            judge(&[("a:1", &answering)], later),
            Some("a:1 replica-lag=1.600000s".into())
        );
    }

    #[test]
    fn only_replicas_that_say_their_address_are_found() {
        let rows = [
            (String::new(), Some(0)),
            ("b".to_owned(), Some(3_307)),
            ("a".to_owned(), Some(3_306)),
            ("b".to_owned(), Some(3_307)),
            ("c".to_owned(), None),
            ("d".to_owned(), Some(0)),
        ];
        let found = [("a".to_owned(), 3_306), ("b".to_owned(), 3_307)];
        assert_eq!(discovered(&rows), found);
        assert_eq!(host_port(&("::1".into(), 1)), "[::1]:1");
    }

    #[test]
    fn the_log_tells_words_not_figures_and_how_long_a_pause_was() {
        let mut pause = Pause::default();
        let line = pause.set(Some("a:1 replica-lag=2.1s"), 5_000);
        assert_eq!(line.as_deref(), Some("throttled: a:1 replica-lag=2.1s"));
        assert_eq!(pause.set(Some("a:1 replica-lag=2.2s"), 6_000), None);
        let line = pause.set(Some("flag-file"), 7_000);
        assert_eq!(line.as_deref(), Some("throttled: flag-file"));
        assert_eq!(
            pause.since_ms(),
            Some(5_000),
            "the pause is one, whoever wants it"
        );
        let line = pause.set(None, 17_000);
        assert_eq!(line.as_deref(), Some("no longer throttled after 12 s"));
        assert_eq!((pause.since_ms(), pause.told.clone()), (None, None));
        assert_eq!(pause.set(None, 18_000), None);
        assert_eq!((pause.count(), pause.past_ms()), (1, 12_000));
        pause.set(Some("flag-file"), 20_000);
        assert_eq!((pause.count(), pause.past_ms()), (2, 12_000));
    }

    #[test]
    fn signals_that_were_not_read_hold_from_the_beginning_without_a_word() {
        let settings = Throttle {
            query: Some("SELECT 0".into()),
            critical_load: thresholds(&[("Threads_running", 1)]),
            ..Throttle::default()
        };
        let held = unread(&settings);
        let sources: Vec<Source> = held.iter().map(|(source, _)| *source).collect();
        assert_eq!(sources, [Source::MaxLoad, Source::Query]);
        let mut pause = Pause::default();
        for (_, reason) in &held {
            assert_eq!(pause.set(Some(reason), 10), None);
        }
        assert_eq!(pause.since_ms(), Some(10));
        assert_eq!(pause.set(None, 20), None);
        assert_eq!(unread(&Throttle::default()), []);
    }

    #[test]
    fn ratios_become_thousandths() {
        assert_eq!(nice_permille(0.0), 0);
        assert_eq!(nice_permille(0.7), 700);
        assert_eq!(nice_permille(100.0), 100_000);
        assert_eq!(nice_permille(f64::NAN), 0);
        assert_eq!(nice_permille(-1.0), 0);
    }
}
