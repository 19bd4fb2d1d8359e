//! The numbers as StatsD lines, under gh-ost's names. Pure.
//!
//! Gauges tell how it is, counters what has been added, timings how long something took that is over;
//! all with the operator's tags in DogStatsD's form, and without any if there are none.

use crate::report::Snapshot;

/// The lines about what has changed between two snapshots; none before the run's first.
#[must_use]
pub fn lines(before: &Snapshot, now: &Snapshot, tags: &[String]) -> Vec<String> {
    if now.stage.is_empty() {
        return Vec::new();
    }
    let mut lines = gauges(now, tags);
    let since = |before: u64, now: u64| now.checked_sub(before).unwrap_or(now);
    let mut counted = |name: &str, added: u64| {
        if added > 0 {
            lines.push(line(name, added, "c", tags));
        }
    };
    counted(
        "throttle.events_total",
        since(before.throttles, now.throttles),
    );
    let attempts = (u64::from(before.attempts), u64::from(now.attempts));
    counted("cut_over.attempts_total", since(attempts.0, attempts.1));
    let mut took = |name: &str, milliseconds: u64, tags: &[String]| {
        if milliseconds > 0 {
            lines.push(line(name, milliseconds, "ms", tags));
        }
    };
    let pause = since(before.throttled_past_ms, now.throttled_past_ms);
    took("throttle.duration_milliseconds", pause, tags);
    // The phases of an attempt are told when it is over.
    let attempt = since(before.cut_over_ms, now.cut_over_ms);
    if attempt > 0 {
        let locked = since(before.locked_ms, now.locked_ms).min(attempt);
        for (phase, took_ms) in [("lock_wait", attempt - locked), ("locked", locked)] {
            let mut tags = tags.to_vec();
            tags.push(format!("phase:{phase}"));
            took("cut_over.phase_duration_milliseconds", took_ms, &tags);
        }
        took("cut_over.total_duration_milliseconds", attempt, tags);
    }
    lines
}

fn gauges(now: &Snapshot, tags: &[String]) -> Vec<String> {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut lines: Vec<String> = [
        ("row_copy.rows_copied", now.rows_copied),
        ("row_copy.rows_estimate", now.rows_total),
        ("dml.events_applied", now.applied),
        ("binlog.backlog_size", count(now.backlog)),
        ("binlog.backlog_capacity", count(now.backlog_capacity)),
        ("throttle.active", u64::from(now.throttled_ms.is_some())),
    ]
    .into_iter()
    .map(|(name, value)| line(name, value, "g", tags))
    .collect();
    let per_mille = count(now.backlog)
        .saturating_mul(1_000)
        .checked_div(count(now.backlog_capacity));
    lines.extend(per_mille.map(|share| {
        let share = format!("{}.{:03}", share / 1_000, share % 1_000);
        line("binlog.backlog_utilization", share, "g", tags)
    }));
    if let Some(lag) = now.lag_ms {
        let seconds = format!("{}.{:03}", lag / 1_000, lag % 1_000);
        for name in ["lag.replication_seconds", "lag.heartbeat_seconds"] {
            lines.push(line(name, &seconds, "g", tags));
        }
    }
    lines
}

/// What is sent when a run begins.
#[must_use]
pub fn startup(tags: &[String]) -> String {
    line("startup", 1, "c", tags)
}

fn line(name: &str, value: impl std::fmt::Display, kind: &str, tags: &[String]) -> String {
    let tags = match tags {
        [] => String::new(),
        tags => format!("|#{}", tags.join(",")),
    };
    format!("gh_ost.{name}:{value}|{kind}{tags}")
}

/// As few datagrams as hold the lines, none longer than `bytes_max` unless a single line is.
#[must_use]
pub fn datagrams(lines: &[String], bytes_max: usize) -> Vec<String> {
    let mut datagrams: Vec<String> = Vec::new();
    for line in lines {
        match datagrams.last_mut() {
            Some(last) if last.len() + 1 + line.len() <= bytes_max => {
                last.push('\n');
                last.push_str(line);
            }
            _ => datagrams.push(line.clone()),
        }
    }
    datagrams
}

/// What is wrong with a tag.
#[must_use]
pub fn misfit(tag: &str) -> Option<&'static str> {
    let Some((key, _)) = tag.split_once(':') else {
        return Some("must be key:value");
    };
    if key.is_empty() {
        return Some("must be key:value");
    }
    tag.chars()
        .any(|c| c.is_control() || matches!(c, ',' | '|' | '#' | '@'))
        .then_some("may have no comma, |, #, @ or control character; give the flag once a tag")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            rows_copied: 300,
            rows_total: 1_200,
            applied: 7,
            backlog: 50,
            backlog_capacity: 200,
            lag_ms: Some(1_020),
            stage: "copying",
            ..Snapshot::default()
        }
    }

    #[test]
    fn gauges_have_gh_osts_names() {
        let none = Snapshot::default();
        assert_eq!(
            lines(&none, &snapshot(), &[]),
            [
                "gh_ost.row_copy.rows_copied:300|g",
                "gh_ost.row_copy.rows_estimate:1200|g",
                "gh_ost.dml.events_applied:7|g",
                "gh_ost.binlog.backlog_size:50|g",
                "gh_ost.binlog.backlog_capacity:200|g",
                "gh_ost.throttle.active:0|g",
                "gh_ost.binlog.backlog_utilization:0.250|g",
                "gh_ost.lag.replication_seconds:1.020|g",
                "gh_ost.lag.heartbeat_seconds:1.020|g",
            ]
        );
        assert_eq!(lines(&none, &none, &[]), Vec::<String>::new());
        let unheard = Snapshot {
            lag_ms: None,
            ..snapshot()
        };
        assert_eq!(lines(&none, &unheard, &[]).len(), 7);
    }

    #[test]
    fn counters_tell_what_was_added_and_timings_what_is_over() {
        let new = |before: &Snapshot, now: &Snapshot| {
            let tags = ["env:x".to_owned()];
            let gauges = gauges(now, &tags).len();
            lines(before, now, &tags).split_off(gauges)
        };
        let paused = Snapshot {
            throttles: 2,
            throttled_ms: Some(500),
            throttled_past_ms: 300,
            ..snapshot()
        };
        assert_eq!(
            new(&snapshot(), &paused),
            [
                "gh_ost.throttle.events_total:2|c|#env:x",
                "gh_ost.throttle.duration_milliseconds:300|ms|#env:x",
            ]
        );
        assert_eq!(new(&paused, &paused), Vec::<String>::new());
        let over = Snapshot {
            throttled_ms: None,
            throttled_past_ms: 1_300,
            attempts: 1,
            ..paused.clone()
        };
        assert_eq!(
            new(&paused, &over),
            [
                "gh_ost.cut_over.attempts_total:1|c|#env:x",
                "gh_ost.throttle.duration_milliseconds:1000|ms|#env:x",
            ]
        );
        let swapped = Snapshot {
            cut_over_ms: 700,
            locked_ms: 30,
            ..over.clone()
        };
        assert_eq!(
            new(&over, &swapped),
            [
                "gh_ost.cut_over.phase_duration_milliseconds:670|ms|#env:x,phase:lock_wait",
                "gh_ost.cut_over.phase_duration_milliseconds:30|ms|#env:x,phase:locked",
                "gh_ost.cut_over.total_duration_milliseconds:700|ms|#env:x",
            ]
        );
        // A revert window counts from zero again.
        let anew = Snapshot {
            attempts: 1,
            ..snapshot()
        };
        let two = Snapshot {
            attempts: 2,
            ..snapshot()
        };
        let expected = ["gh_ost.cut_over.attempts_total:1|c|#env:x"];
        assert_eq!(new(&two, &anew), expected);
    }

    #[test]
    fn datagrams_fit_and_lose_nothing() {
        let all: Vec<String> = (0..40).map(|number| format!("a.b:{number}|g")).collect();
        let sent = datagrams(&all, 64);
        assert!(sent.len() > 1 && sent.iter().all(|datagram| datagram.len() <= 64));
        let lines: Vec<&str> = sent.iter().flat_map(|datagram| datagram.lines()).collect();
        assert_eq!(lines, all);
    }

    #[test]
    fn tags_that_would_break_a_line_are_no_tags() {
        for tag in ["env:prod", "a:", "team:db:1", "host:é"] {
            assert_eq!(misfit(tag), None, "{tag}");
        }
        for tag in [
            "",
            "env",
            ":x",
            "a:b,c:d",
            "a:b|c",
            "a:#",
            "a:b\nx:1|c",
            "a:@1",
        ] {
            assert!(misfit(tag).is_some(), "{tag:?}");
        }
    }
}
