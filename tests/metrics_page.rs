//! The page about metrics has every one of them, and the dashboard none that doesn't exist.

use std::collections::BTreeSet;
use std::path::Path;

use tableshift::metrics::families::{BUILD, Kind, METRICS, STAGE, STAGES};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).expect(name)
}

/// All series that a run can have.
fn series() -> BTreeSet<String> {
    let metrics = METRICS.iter().map(|metric| match metric.kind {
        Kind::Counter => format!("{}_total", metric.name),
        Kind::Gauge => metric.name.to_owned(),
    });
    metrics
        .chain([format!("{BUILD}_info"), STAGE.to_owned()])
        .collect()
}

/// Names in a text that begin as ours do.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let words = text.split(word).map(str::to_owned);
    words
        .filter(|name| name.starts_with("tableshift_"))
        .collect()
}

#[test]
fn the_page_tells_every_metric_with_type_and_unit() {
    let page = file("docs/metrics.md");
    assert_eq!(named(&page), series());
    for metric in METRICS {
        let (suffix, kind) = match metric.kind {
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
        };
        let unit = match metric.unit {
            "" => String::new(),
            unit => format!("{unit} "),
        };
        let row = format!(
            "\n| `{}{suffix}` | {kind} | {unit}| {} |\n",
            metric.name, metric.help
        );
        assert!(page.contains(&row), "{row}");
    }
    for stage in STAGES {
        assert!(page.contains(&format!("`{stage}`")), "{stage}");
    }
}

#[test]
fn the_dashboard_is_json_and_shows_every_metric_and_no_other() {
    let text = file("docs/grafana-dashboard.json");
    let rest = value(text.trim_end()).expect("JSON");
    assert_eq!(rest, "");
    let shown = named(&text);
    let known = series();
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let missing: Vec<_> = known.difference(&shown).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What follows a JSON value (RFC 8259); `None` where there is none.
fn value(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let rest = match text.chars().next()? {
        '{' => members(text, '}', |text| {
            let after = string(text.trim_start())?.trim_start();
            value(after.strip_prefix(':')?)
        }),
        '[' => members(text, ']', value),
        '"' => string(text),
        _ => {
            let end = text.find([',', ']', '}', '\n', ' ']).unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            let number = word.parse::<f64>().is_ok() && !word.contains(['n', 'i', '+']);
            (number || ["true", "false", "null"].contains(&word)).then_some(rest)
        }
    };
    rest.map(str::trim_start)
}

fn members(text: &str, end: char, one: impl Fn(&str) -> Option<&str>) -> Option<&str> {
    let mut rest = text.get(1..)?.trim_start();
    if let Some(rest) = rest.strip_prefix(end) {
        return Some(rest);
    }
    loop {
        rest = one(rest)?;
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => return rest.strip_prefix(end),
        }
    }
}

fn string(text: &str) -> Option<&str> {
    let mut rest = text.strip_prefix('"')?;
    loop {
        let end = rest.find(['"', '\\', '\n'])?;
        let (_, at) = rest.split_at(end);
        match at.chars().next()? {
            '"' => return at.get(1..),
            '\\' if at
                .get(1..2)
                .is_some_and(|next| "\"\\/bfnrtu".contains(next)) =>
            {
                rest = at.get(2..)?;
            }
            _ => return None,
        }
    }
}

#[test]
fn what_is_no_json_is_told() {
    for good in [
        "{}",
        "[1, -2.5e3, \"a\\\"b\", null, {\"a\": [true]}]",
        "\"\\u00e9\"",
    ] {
        assert_eq!(value(good), Some(""), "{good}");
    }
    for bad in [
        "{",
        "[1,]",
        "{\"a\" 1}",
        "{a: 1}",
        "\"a",
        "\"\\x\"",
        "nul",
        "[1 2]",
        "{\"a\": 1,}",
        "inf",
    ] {
        assert_ne!(value(bad), Some(""), "{bad}");
    }
}
