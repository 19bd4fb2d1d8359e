//! What `tableshift plan` tells, for people and for programs. Pure.

use super::json::string;
use super::time::clock;
use crate::plan::findings::{Finding, Severity};
use crate::plan::prospect::prediction::Prediction;
use crate::plan::prospect::{Prospect, Way};
use crate::sql::qualified;

/// Seconds from which on a time is shown as hours, minutes and seconds.
const CLOCK_FROM: f64 = 120.0;

/// The report for people.
#[must_use]
pub fn text(told: &Prospect) -> String {
    let around = &told.surroundings;
    let (schema, table) = &told.table;
    let mut lines = vec![
        ("table", qualified(schema, table)),
        ("alter", told.alter.trim().to_owned()),
        ("verdict", verdict(told)),
        ("how", format!("{}: {}", way(told.way), told.why)),
    ];
    if told.way != Way::Nothing {
        lines.push(("rows", format!("{} (estimate)", told.rows)));
        lines.push(("disk", disk(told)));
        lines.push(("binlog", binlog(told)));
        let versions = around
            .row_versions
            .map_or_else(unknown, |count| count.to_string());
        lines.push((
            "versions",
            format!("{versions} of the rows, from instant changes"),
        ));
        lines.push(("time", time(told)));
    }
    let mut text: String = lines
        .iter()
        .map(|(name, value)| format!("{name:<9} {}\n", printable(value)))
        .collect();
    for finding in &told.findings {
        text.push_str(&format!(
            "\n{}: {} [{}]\n  means: {}\n",
            finding.severity.word(),
            printable(&finding.what),
            finding.code,
            printable(&finding.means)
        ));
        if !finding.next.is_empty() {
            text.push_str(&format!("  next:  {}\n", printable(&finding.next)));
        }
    }
    text
}

/// One line, and nothing that a terminal would take for a command.
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

fn unknown() -> String {
    "unknown".into()
}

fn way(way: Way) -> &'static str {
    match way {
        Way::AtOnce => "altered directly, instantly",
        Way::InPlace => "altered directly, in place",
        Way::Ghost => "copied to a ghost table",
        Way::Back => "reverted to the old table",
        Way::Nothing => "nothing to do",
        Way::Refused => "refused",
        Way::Unknown => "not known",
    }
}

fn verdict(told: &Prospect) -> String {
    let count = |severity: Severity| {
        let of_it = told.findings.iter().filter(|one| one.severity == severity);
        of_it.count()
    };
    format!(
        "{} (refusals: {}, warnings: {}, to know: {})",
        told.verdict().word(),
        count(Severity::Refusal),
        count(Severity::Warning),
        count(Severity::Info)
    )
}

/// Bytes in the largest unit that leaves two digits.
fn size(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fitting = units.iter().find(|(shift, _)| bytes >> shift >= 10);
    fitting.map_or_else(
        || format!("{} KiB", bytes.div_ceil(1 << 10)),
        |(shift, unit)| format!("{} {unit}", bytes >> shift),
    )
}

fn size_of(bytes: Option<u64>) -> String {
    bytes.map_or_else(unknown, size)
}

fn disk(told: &Prospect) -> String {
    let around = &told.surroundings;
    let free = match around.free_bytes {
        Some(bytes) => format!("{} free", size(bytes)),
        None => "what is free there can't be seen from here".into(),
    };
    match told.way {
        Way::Ghost => format!(
            "{} needed while it runs (new table {}, binary log {}, by the size of the old one); {free}",
            size_of(around.needed_bytes()),
            size_of(around.ghost_bytes()),
            size_of(around.copy_log_bytes())
        ),
        Way::AtOnce | Way::InPlace | Way::Back | Way::Nothing => format!("none needed; {free}"),
        Way::Refused | Way::Unknown => {
            format!("the table has {}; {free}", size_of(around.ghost_bytes()))
        }
    }
}

fn binlog(told: &Prospect) -> String {
    let around = &told.surroundings;
    let kept = match around.retention_seconds {
        None => "for how long they are kept is unknown".into(),
        Some(0) => "kept until somebody drops them".into(),
        Some(seconds) => format!("kept for {seconds} s"),
    };
    format!("{} of logs are there, {kept}", size_of(around.binlog_bytes))
}

fn time(told: &Prospect) -> String {
    match &told.copy {
        Ok(prediction) => copy_time(prediction),
        Err(why) => match told.way {
            Way::Ghost | Way::Back | Way::Unknown => format!("unknown: {why}"),
            Way::AtOnce | Way::InPlace => "none to speak of, once nobody holds the table".into(),
            Way::Nothing | Way::Refused => why.clone(),
        },
    }
}

fn copy_time(prediction: &Prediction) -> String {
    let interval = match prediction.interval {
        Some((low, high)) => format!("{} to {} in 95 of 100 samples", span(low), span(high)),
        None => "too few chunks for an error".into(),
    };
    format!(
        "{} to copy ({interval}), without other load; sample: {} rows in {} chunks, {}, {}",
        span(prediction.seconds),
        prediction.rows,
        prediction.chunks,
        span(prediction.took),
        prediction.spread.word()
    )
}

fn span(seconds: f64) -> String {
    if seconds < CLOCK_FROM {
        return format!("{seconds:.1} s");
    }
    clock(std::time::Duration::from_secs_f64(seconds.min(1e12)).as_secs())
}

/// The same as one JSON object.
#[must_use]
pub fn json(told: &Prospect) -> String {
    let around = &told.surroundings;
    let (schema, table) = &told.table;
    let copy = told
        .copy
        .as_ref()
        .map_or_else(|_| "null".to_owned(), copy_json);
    let why = told.copy.as_ref().err();
    let findings: Vec<String> = told.findings.iter().map(finding_json).collect();
    let fields = [
        ("schema", string(schema)),
        ("table", string(table)),
        ("alter", string(&told.alter)),
        ("server", string(&told.server)),
        ("verdict", string(told.verdict().word())),
        ("way", string(told.way.word())),
        ("why", string(&told.why)),
        ("rows_estimate", told.rows.to_string()),
        ("data_bytes", number(around.data_bytes)),
        ("index_bytes", number(around.index_bytes)),
        ("needed_bytes", number(needed(told))),
        ("free_bytes", number(around.free_bytes)),
        ("binlog_bytes", number(around.binlog_bytes)),
        ("binlog_kept_seconds", number(around.retention_seconds)),
        ("row_versions", number(around.row_versions)),
        ("copy", copy),
        ("copy_unknown", why.map_or_else(null, |why| string(why))),
        ("findings", format!("[{}]", findings.join(","))),
        (
            "definition",
            told.definition
                .as_ref()
                .map_or_else(null, |text| string(text)),
        ),
    ];
    object(&fields)
}

/// A copy needs room; a change by the server needs none.
fn needed(told: &Prospect) -> Option<u64> {
    match told.way {
        Way::Ghost => told.surroundings.needed_bytes(),
        Way::AtOnce | Way::InPlace | Way::Back | Way::Nothing => Some(0),
        Way::Refused | Way::Unknown => None,
    }
}

fn null() -> String {
    "null".into()
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(null, |value| value.to_string())
}

fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}:{value}", string(name)))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn copy_json(prediction: &Prediction) -> String {
    let bound = |bound: Option<f64>| bound.map_or_else(null, |bound| format!("{bound:.3}"));
    object(&[
        ("seconds", format!("{:.3}", prediction.seconds)),
        (
            "seconds_low",
            bound(prediction.interval.map(|(low, _)| low)),
        ),
        (
            "seconds_high",
            bound(prediction.interval.map(|(_, high)| high)),
        ),
        ("sample_rows", prediction.rows.to_string()),
        ("sample_chunks", prediction.chunks.to_string()),
        ("sample_seconds", format!("{:.3}", prediction.took)),
        ("sample_taken", string(prediction.spread.word())),
    ])
}

fn finding_json(finding: &Finding) -> String {
    object(&[
        ("severity", string(finding.severity.word())),
        ("code", string(finding.code)),
        ("what", string(&finding.what)),
        ("means", string(&finding.means)),
        ("next", string(&finding.next)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::inspection::Version;
    use crate::plan::names::Names;
    use crate::plan::prospect::Subject;
    use crate::plan::prospect::prediction::Spread;
    use crate::plan::prospect::surroundings::Surroundings;

    fn told() -> Prospect {
        let names = Names::new("shop", "orders", None, None);
        let subject = Subject {
            names: &names,
            alter: "ADD \"x\" INT",
            server: "9.7.4",
            version: Version::default(),
        };
        Prospect {
            way: Way::Ghost,
            why: "because".into(),
            rows: 1_000,
            surroundings: Surroundings {
                data_bytes: Some(16 << 20),
                index_bytes: Some(4 << 20),
                binlog_bytes: Some(300),
                retention_seconds: Some(60),
                ..Surroundings::default()
            },
            copy: Ok(Prediction {
                seconds: 200.0,
                interval: Some((190.5, 209.5)),
                rows: 100,
                chunks: 10,
                took: 3.0,
                spread: Spread::OverTheKey,
            }),
            findings: vec![
                Finding::warning("one", "a\nb", "c", "d"),
                Finding::info("two", "e", "f", ""),
            ],
            ..Prospect::nothing(subject)
        }
    }

    #[test]
    fn people_read_lines() {
        let expected = "\
table     `shop`.`orders`
alter     ADD \"x\" INT
verdict   warnings (refusals: 0, warnings: 1, to know: 1)
how       copied to a ghost table: because
rows      1000 (estimate)
disk      36 MiB needed while it runs (new table 20 MiB, binary log 16 MiB, by the size of the old one); what is free \
there can't be seen from here
binlog    1 KiB of logs are there, kept for 60 s
versions  unknown of the rows, from instant changes
time      00:03:20 to copy (00:03:10 to 00:03:29 in 95 of 100 samples), without other load; sample: 100 rows in 10 \
chunks, 3.0 s, spread over the key

warning: a b [one]
  means: c
  next:  d

info: e [two]
  means: f
";
        assert_eq!(text(&told()), expected);
    }

    #[test]
    fn programs_read_one_object() {
        let text = json(&told());
        for part in [
            "{\"schema\":\"shop\",\"table\":\"orders\",\"alter\":\"ADD \\\"x\\\" INT\"",
            "\"verdict\":\"warnings\",\"way\":\"ghost\"",
            "\"needed_bytes\":37748736,\"free_bytes\":null",
            "\"copy\":{\"seconds\":200.000,\"seconds_low\":190.500,\"seconds_high\":209.500,\"sample_rows\":100,",
            "{\"severity\":\"warning\",\"code\":\"one\",\"what\":\"a\\nb\",\"means\":\"c\",\"next\":\"d\"}",
            "\"definition\":null}",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
