//! The numbers as text that Prometheus reads: OpenMetrics 1.0.0, or the older text format 0.0.4. Pure.

use std::fmt::Write;

use super::families::{BUILD, Kind, Labels, METRICS, STAGE, STAGES};
use crate::cli::{COMMIT, RELEASE};
use crate::report::Snapshot;

/// A form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0 (OpenMetrics specification, "Overall Structure").
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Text,
}

impl Format {
    /// As the answer's header names it.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything that is known of the run at this moment. Before its first snapshot only what it is and that
/// it prepares.
#[must_use]
pub fn render(labels: &Labels, snapshot: &Snapshot, format: Format) -> String {
    let mut text = String::new();
    let run = format!(
        "database=\"{}\",table=\"{}\"",
        escaped(&labels.database),
        escaped(&labels.table)
    );
    let build = format!(
        "{run},version=\"{}\",commit=\"{}\"",
        escaped(RELEASE),
        escaped(COMMIT)
    );
    let (info, stateset) = match format {
        Format::OpenMetrics => ("info", "stateset"),
        Format::Text => ("gauge", "gauge"),
    };
    let suffix = "_info";
    let help = "Version of the program and commit that it was built from.";
    head(&mut text, (BUILD, suffix), (info, "", help), format);
    sample(&mut text, &format!("{BUILD}{suffix}"), &build, "1");
    let help = "What is going on: 1 for one of these words, 0 for the others.";
    head(&mut text, (STAGE, ""), (stateset, "", help), format);
    let begun = !snapshot.stage.is_empty();
    let present = if begun { snapshot.stage } else { "preparing" };
    for stage in STAGES {
        let value = if stage == present { "1" } else { "0" };
        let labels = format!("{run},{STAGE}=\"{stage}\"");
        sample(&mut text, STAGE, &labels, value);
    }
    for metric in METRICS.iter().filter(|_| begun) {
        let Some(value) = (metric.value)(snapshot) else {
            continue;
        };
        let (suffix, kind) = match metric.kind {
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
        };
        let about = (kind, metric.unit, metric.help);
        head(&mut text, (metric.name, suffix), about, format);
        let name = format!("{}{suffix}", metric.name);
        sample(&mut text, &name, &run, &value.to_string());
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

/// OpenMetrics names the family, the older format the series.
fn head(
    text: &mut String,
    (name, suffix): (&str, &str),
    (kind, unit, help): (&str, &str, &str),
    format: Format,
) {
    // Writing to a string can't fail.
    let _ = match format {
        Format::OpenMetrics => {
            let unit = match unit {
                "" => String::new(),
                unit => format!("# UNIT {name} {unit}\n"),
            };
            write!(text, "# TYPE {name} {kind}\n{unit}# HELP {name} {help}\n")
        }
        Format::Text => write!(
            text,
            "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"
        ),
    };
}

fn sample(text: &mut String, name: &str, labels: &str, value: &str) {
    let _ = writeln!(text, "{name}{{{labels}}} {value}");
}

/// A label's value between its quotes; both formats escape alike.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
#[path = "../../tests/openmetrics/mod.rs"]
mod openmetrics;

#[cfg(test)]
mod tests {
    use super::openmetrics::{Set, check};
    use super::*;

    fn labels() -> Labels {
        Labels {
            database: "shop".into(),
            table: "a \"b\\\n{c}=, é".into(),
        }
    }

    fn snapshot() -> Snapshot {
        Snapshot {
            rows_copied: 300,
            rows_total: 1_200,
            chunks: 3,
            chunk_rows: 100,
            applied: 7,
            keys_marked: 9,
            backlog: 2,
            held: 1,
            backlog_capacity: 500,
            elapsed_ms: 88_401,
            copy_ms: 1_200,
            lag_ms: Some(20),
            throttled_ms: Some(1_500),
            throttles: 2,
            throttled_past_ms: 2_000,
            stage: "copying",
            rows_verified: 100,
            suspects: 4,
            eta_ms: Some(60_000),
            attempts: 1,
            cut_over_ms: 700,
            locked_ms: 30,
            ..Snapshot::default()
        }
    }

    fn values(set: &Set) -> Vec<(String, String)> {
        let samples = set.families.iter().flat_map(|family| &family.samples);
        samples
            .filter(|sample| sample.labels.len() == 2)
            .map(|sample| {
                assert_eq!(sample.label("database"), Some("shop"));
                assert_eq!(sample.label("table"), Some("a \"b\\\n{c}=, é"));
                (sample.name.clone(), sample.value.clone())
            })
            .collect()
    }

    #[test]
    fn openmetrics_says_every_number_of_the_snapshot() {
        let text = render(&labels(), &snapshot(), Format::OpenMetrics);
        let set = check(&text).expect("OpenMetrics");
        let expected = [
            ("tableshift_copied_rows_total", "300"),
            ("tableshift_expected_rows", "1200"),
            ("tableshift_progress_ratio", "0.250000"),
            ("tableshift_remaining_seconds", "60.000"),
            ("tableshift_copied_chunks_total", "3"),
            ("tableshift_chunk_size_rows", "100"),
            ("tableshift_copy_seconds_total", "1.200"),
            ("tableshift_elapsed_seconds", "88.401"),
            ("tableshift_changed_keys_total", "9"),
            ("tableshift_applied_rows_total", "7"),
            ("tableshift_backlog_keys", "2"),
            ("tableshift_backlog_capacity_keys", "500"),
            ("tableshift_held_keys", "1"),
            ("tableshift_lag_seconds", "0.020"),
            ("tableshift_verified_rows_total", "100"),
            ("tableshift_suspect_keys", "4"),
            ("tableshift_throttled", "1"),
            ("tableshift_throttles_total", "2"),
            ("tableshift_throttled_seconds_total", "3.500"),
            ("tableshift_postponed", "0"),
            ("tableshift_cut_over_attempts_total", "1"),
            ("tableshift_cut_over_seconds_total", "0.700"),
            ("tableshift_locked_seconds_total", "0.030"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(values(&set), expected);
        assert_eq!(
            set.family(BUILD).map(|family| family.samples.len()),
            Some(1)
        );
        let stages = set.family(STAGE).expect("the stage");
        let on: Vec<_> = stages
            .samples
            .iter()
            .filter(|sample| sample.value == "1")
            .filter_map(|sample| sample.label(STAGE))
            .collect();
        assert_eq!(on, ["copying"]);
    }

    #[test]
    fn what_is_not_known_is_absent_and_not_zero() {
        let early = Snapshot {
            lag_ms: None,
            eta_ms: None,
            ..snapshot()
        };
        let text = render(&labels(), &early, Format::OpenMetrics);
        let set = check(&text).expect("OpenMetrics");
        assert!(set.family("tableshift_lag_seconds").is_none());
        assert!(set.family("tableshift_remaining_seconds").is_none());
        let unbegun = render(&labels(), &Snapshot::default(), Format::OpenMetrics);
        let set = check(&unbegun).expect("OpenMetrics");
        assert_eq!(set.families.len(), 2);
        assert!(unbegun.contains("tableshift_stage=\"preparing\"} 1\n"));
        let done = Snapshot {
            copy_done: true,
            ..early
        };
        let text = render(&labels(), &done, Format::OpenMetrics);
        assert!(text.contains("tableshift_remaining_seconds{"), "{text}");
    }

    #[test]
    fn the_older_format_has_the_same_series_under_the_same_names() {
        let series = |format| {
            let text = render(&labels(), &snapshot(), format);
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(series(Format::Text), series(Format::OpenMetrics));
        let text = render(&labels(), &snapshot(), Format::Text);
        assert!(text.contains(
            "# HELP tableshift_copied_rows_total Rows read by the copy.\n# TYPE \
             tableshift_copied_rows_total counter\ntableshift_copied_rows_total{"
        ));
        assert!(text.contains("# TYPE tableshift_build_info gauge\n"));
        for never in ["# UNIT", "# EOF", "stateset", " info\n"] {
            assert!(!text.contains(never), "{never}");
        }
    }

    #[test]
    fn every_stage_of_a_run_is_one_of_the_words() {
        for stage in STAGES {
            let at = Snapshot {
                stage,
                ..snapshot()
            };
            let text = render(&labels(), &at, Format::OpenMetrics);
            let on = format!("tableshift_stage=\"{stage}\"}} 1\n");
            assert_eq!(text.matches(&on).count(), 1);
            assert_eq!(
                text.contains(
                    "tableshift_postponed{database=\"shop\",table=\"a \\\"b\\\\\\n{c}=, é\"} 1\n"
                ),
                stage == "postponed"
            );
        }
    }
}
