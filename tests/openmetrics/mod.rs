//! A strict reader of OpenMetrics 1.0.0 text, as far as tableshift writes it: counters, gauges, infos and
//! state sets without time stamps and exemplars. It refuses what the specification forbids, and what is
//! merely unusual too (metadata that is missing or in another order than TYPE, UNIT, HELP).

use std::collections::BTreeSet;

/// A whole exposition.
#[derive(Debug, Default)]
pub(crate) struct Set {
    pub(crate) families: Vec<Family>,
}

/// One metric family.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) help: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: String,
}

impl Set {
    pub(crate) fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name)
    }

    /// The only sample of this name, as a number.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> f64 {
        let samples = self.families.iter().flat_map(|family| &family.samples);
        let found: Vec<&Sample> = samples.filter(|sample| sample.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].value.parse().expect("a number")
    }
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        let mut found = self.labels.iter().filter(|(label, _)| label == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// Reads a text, or says what is wrong with its first bad line.
pub(crate) fn check(text: &str) -> Result<Set, String> {
    let body = text
        .strip_suffix("# EOF\n")
        .ok_or("it does not end with # EOF and a line end")?;
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("# EOF is not a line of its own".into());
    }
    let mut set = Set::default();
    let mut series = BTreeSet::new();
    for line in body.split_terminator('\n') {
        let told = |wrong: String| format!("{wrong}: {line}");
        if line.contains('\r') {
            return Err(told("a carriage return".into()));
        }
        match line.strip_prefix('#') {
            Some(rest) => metadata(&mut set, rest).map_err(told)?,
            None => {
                let sample = sample(line).map_err(told)?;
                let family = set
                    .families
                    .last_mut()
                    .ok_or_else(|| told("a sample without a family".into()))?;
                belongs(family, &sample).map_err(told)?;
                let mut labels = sample.labels.clone();
                labels.sort();
                if !series.insert((sample.name.clone(), labels)) {
                    return Err(told("a series that was there before".into()));
                }
                family.samples.push(sample);
            }
        }
    }
    match set.families.iter().find(|family| !complete(family)) {
        Some(family) => Err(format!("{} has no HELP or no samples", family.name)),
        None => Ok(set),
    }
}

fn complete(family: &Family) -> bool {
    family.help.is_some() && !family.samples.is_empty()
}

fn metadata(set: &mut Set, rest: &str) -> Result<(), String> {
    let mut words = rest.splitn(4, ' ');
    let (Some(""), Some(keyword), Some(name), Some(content)) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("a comment that is no metadata".into());
    };
    if !is_name(name, true) {
        return Err("no name of a metric".into());
    }
    if keyword == "TYPE" {
        return begin(set, name, content);
    }
    let family = set
        .families
        .last_mut()
        .filter(|family| family.name == name && family.samples.is_empty())
        .ok_or("metadata that does not stand behind its TYPE")?;
    match keyword {
        "UNIT" if family.help.is_some() || !family.unit.is_empty() => {
            Err("a second UNIT, or one behind HELP".into())
        }
        "UNIT" if matches!(family.kind.as_str(), "info" | "stateset") => {
            Err("a unit where none can be".into())
        }
        "UNIT" if content.is_empty() || !name.ends_with(&format!("_{content}")) => {
            Err("a unit that is not the end of the name".into())
        }
        "UNIT" => {
            content.clone_into(&mut family.unit);
            Ok(())
        }
        "HELP" if family.help.is_some() => Err("a second HELP".into()),
        "HELP" => {
            family.help = Some(unescaped(content)?);
            Ok(())
        }
        _ => Err("a comment that is no metadata".into()),
    }
}

fn begin(set: &mut Set, name: &str, kind: &str) -> Result<(), String> {
    if !matches!(kind, "counter" | "gauge" | "info" | "stateset") {
        return Err("a type that is not known here".into());
    }
    if set.family(name).is_some() {
        return Err("a family that was there before".into());
    }
    if set.families.last().is_some_and(|last| !complete(last)) {
        return Err("a family begins before the last one is complete".into());
    }
    // `a_total` would be a counter `a`'s sample.
    let suffixes = ["_total", "_created", "_info", "_bucket", "_count", "_sum"];
    if suffixes.iter().any(|suffix| name.ends_with(suffix)) {
        return Err("a family that is named like a sample".into());
    }
    set.families.push(Family {
        name: name.to_owned(),
        kind: kind.to_owned(),
        ..Family::default()
    });
    Ok(())
}

fn belongs(family: &Family, sample: &Sample) -> Result<(), String> {
    let suffix = sample
        .name
        .strip_prefix(&family.name)
        .ok_or("a sample of another family")?;
    let number: f64 = sample.value.parse().map_err(|_| "no number")?;
    let fits = match (family.kind.as_str(), suffix) {
        ("counter", "_total") => number >= 0.0,
        ("info", "_info") => number == 1.0,
        ("gauge", "") => true,
        ("stateset", "") => {
            sample.label(&family.name).is_some() && (number == 0.0 || number == 1.0)
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("no sample of a {}", family.kind))
    }
}

fn sample(line: &str) -> Result<Sample, String> {
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')))
        .ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err("no name of a metric".into());
    }
    let mut labels: Vec<(String, String)> = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = label(rest)?;
            if labels.iter().any(|(name, _)| *name == label.0) {
                return Err("a label twice".into());
            }
            labels.push(label);
            rest = match after.strip_prefix(',') {
                Some(next) if !next.starts_with('}') => next,
                Some(_) => return Err("a comma behind the last label".into()),
                None if after.starts_with('}') => after,
                None => return Err("labels that do not end".into()),
            };
        }
        rest = rest.strip_prefix('}').unwrap_or_default();
    }
    let value = rest.strip_prefix(' ').ok_or("no value behind a blank")?;
    let number = value
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    if value.is_empty() || !number && !["NaN", "+Inf", "-Inf"].contains(&value) {
        return Err("more or other than one value".into());
    }
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value: value.to_owned(),
    })
}

/// A label with its value, and what follows.
fn label(text: &str) -> Result<((String, String), &str), String> {
    let (name, rest) = text.split_once("=\"").ok_or("no label")?;
    if !is_name(name, false) || name.starts_with("__") {
        return Err("no name of a label".into());
    }
    let mut escaped = false;
    for (position, character) in rest.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let (value, after) = rest.split_at(position);
                return Ok(((name.to_owned(), unescaped(value)?), &after[1..]));
            }
            _ => {}
        }
    }
    Err("a value without its end".into())
}

fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some(same @ ('\\' | '"')) => same,
                _ => return Err("a backslash that escapes nothing".into()),
            },
            other => other,
        });
    }
    Ok(plain)
}

fn is_name(text: &str, colons: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || colons && c == ':';
    text.chars().next().is_some_and(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds A \\\\ b.\n\
                        a_seconds_total{t=\"x\"} 1.5\na_seconds_total{t=\"y, \\\"z\\\"}\"} 0\n\
                        # TYPE b info\n# HELP b B.\nb_info{v=\"1\"} 1\n\
                        # TYPE c stateset\n# HELP c C.\nc{c=\"on\"} 1\nc{c=\"off\"} 0\n\
                        # TYPE d gauge\n# HELP d D.\nd -1e3\n# EOF\n";

    #[test]
    fn a_good_text_is_read() {
        let set = check(GOOD).expect("a good text");
        assert_eq!(set.families.len(), 4);
        let counter = set.family("a_seconds").expect("the first");
        assert_eq!(
            (counter.kind.as_str(), counter.unit.as_str()),
            ("counter", "seconds")
        );
        assert_eq!(counter.help.as_deref(), Some("A \\ b."));
        assert_eq!(counter.samples[1].label("t"), Some("y, \"z\"}"));
        assert_eq!(set.number("d"), -1_000.0);
        assert!(check("# EOF\n").is_ok());
    }

    /// Each is the good text with one thing changed.
    #[test]
    fn bad_texts_are_refused() {
        for (from, to) in [
            ("# EOF\n", ""),
            ("# EOF\n", "# EOF"),
            ("# EOF\n", "# EOF\nd 1\n"),
            ("# EOF\n", "\n# EOF\n"),
            ("d -1e3\n", "d -1e3"),
            ("d -1e3\n", "d -1e3\r\n"),
            ("d -1e3", "d  -1e3"),
            ("d -1e3", "d"),
            ("d -1e3", "d x"),
            ("d -1e3", "d inf"),
            ("d -1e3", "d 1 1700000000"),
            ("d -1e3\n", "d -1e3\nd 4\n"),
            ("d -1e3\n", "d_total 1\n"),
            ("d -1e3\n", "e 1\n"),
            ("d -1e3\n", ""),
            ("# HELP d D.\n", ""),
            ("# HELP d D.\n", "# HELP d D.\n# HELP d D.\n"),
            ("# HELP d D.\n", "# HELP d \\x\n"),
            ("# HELP d D.\n", "# HELP e D.\n"),
            ("# HELP d D.\n", "# a remark\n"),
            ("# TYPE d gauge\n# HELP d D.", "# HELP d D.\n# TYPE d gauge"),
            ("# TYPE d gauge", "# TYPE d number"),
            ("# TYPE d gauge", "#TYPE d gauge"),
            ("# TYPE d gauge", "# TYPE 1d gauge"),
            ("# TYPE a_seconds counter", "# TYPE a_seconds_total counter"),
            ("# UNIT a_seconds seconds", "# UNIT a_seconds minutes"),
            ("# UNIT a_seconds seconds", "# UNIT a_seconds "),
            ("# HELP b B.", "# UNIT b b\n# HELP b B."),
            ("a_seconds_total{t=\"x\"} 1.5", "a_seconds{t=\"x\"} 1.5"),
            (
                "a_seconds_total{t=\"x\"} 1.5",
                "a_seconds_total{t=\"x\"} -1",
            ),
            (
                "a_seconds_total{t=\"x\"} 1.5",
                "a_seconds_total{t=\"x\"} NaN",
            ),
            ("{t=\"x\"}", "{t=\"y, \\\"z\\\"}\"}"),
            ("{t=\"x\"}", "{t=\"x\",}"),
            ("{t=\"x\"}", "{t=\"x\",t=\"x\"}"),
            ("{t=\"x\"}", "{t=\"x\" }"),
            ("{t=\"x\"}", "{t=x}"),
            ("{t=\"x\"}", "{t-u=\"x\"}"),
            ("{t=\"x\"}", "{__t=\"x\"}"),
            ("{t=\"x\"}", "{t=\"\\x\"}"),
            ("{t=\"x\"}", "{t=\"x}"),
            ("{t=\"x\"} 1.5", "{t=\"x\"}1.5"),
            ("b_info{v=\"1\"} 1", "b_info{v=\"1\"} 2"),
            ("b_info{v=\"1\"} 1", "b{v=\"1\"} 1"),
            ("c{c=\"on\"} 1", "c{c=\"on\"} 2"),
            ("c{c=\"on\"} 1", "c{d=\"on\"} 1"),
            (
                "# TYPE d gauge\n# HELP d D.\nd",
                "# TYPE b info\n# HELP b B.\nb_info",
            ),
            ("# TYPE b info\n# HELP b B.\nb_info{v=\"1\"} 1\n", "d 1\n"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let bad = GOOD.replacen(from, to, 1);
            assert!(check(&bad).is_err(), "{from:?} as {to:?}");
        }
    }

    #[test]
    fn families_do_not_come_twice() {
        let torn = GOOD.replace(
            "# EOF\n",
            "# TYPE a_seconds counter\n# HELP a_seconds A.\na_seconds_total 1\n# EOF\n",
        );
        assert!(check(&torn).is_err());
    }
}
