//! Reads JSON as EXPLAIN writes it.

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    /// `null`, or a boolean that is false.
    No,
    /// `true`.
    Yes,
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Members in their order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// A member of an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let found = members.iter().find(|(member, _)| member == name);
        found.map(|(_, value)| value)
    }

    /// A string.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::No | Self::Yes | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// A number, or a string that is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::No | Self::Yes | Self::List(_) | Self::Object(_) => None,
        }
    }
}

/// Values inside each other that are read; EXPLAIN has a few for each subquery, of which a statement has at most 63
/// (manual, "Limits").
const DEPTH_MAX: usize = 512;

/// Reads a text that is one value.
pub(super) fn read(text: &str) -> Option<Json> {
    let mut rest = text;
    let value = value(&mut rest, 0)?;
    rest.trim().is_empty().then_some(value)
}

fn value(rest: &mut &str, depth: usize) -> Option<Json> {
    if depth > DEPTH_MAX {
        return None;
    }
    *rest = rest.trim_start();
    for (word, value) in [("null", Json::No), ("false", Json::No), ("true", Json::Yes)] {
        if eat(rest, word) {
            return Some(value);
        }
    }
    if eat(rest, "{") {
        return object(rest, depth);
    }
    if eat(rest, "[") {
        return list(rest, depth);
    }
    if rest.starts_with('"') {
        return string(rest).map(Json::Text);
    }
    let of_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
    let end = rest.find(|c| !of_number(c)).unwrap_or(rest.len());
    let (number, behind) = rest.split_at(end);
    *rest = behind;
    number.parse().ok().map(Json::Number)
}

fn object(rest: &mut &str, depth: usize) -> Option<Json> {
    let mut members = Vec::new();
    loop {
        *rest = rest.trim_start();
        if eat(rest, "}") {
            return Some(Json::Object(members));
        }
        if !members.is_empty() && !eat(rest, ",") {
            return None;
        }
        *rest = rest.trim_start();
        let name = string(rest)?;
        *rest = rest.trim_start();
        if !eat(rest, ":") {
            return None;
        }
        members.push((name, value(rest, depth + 1)?));
    }
}

fn list(rest: &mut &str, depth: usize) -> Option<Json> {
    let mut values = Vec::new();
    loop {
        *rest = rest.trim_start();
        if eat(rest, "]") {
            return Some(Json::List(values));
        }
        if !values.is_empty() && !eat(rest, ",") {
            return None;
        }
        values.push(value(rest, depth + 1)?);
    }
}

/// A string; of an escaped character by number only its place matters here.
fn string(rest: &mut &str) -> Option<String> {
    if !eat(rest, "\"") {
        return None;
    }
    let mut out = String::new();
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                *rest = rest.get(at + 1..)?;
                return Some(out);
            }
            '\\' => match characters.next()?.1 {
                'u' => {
                    let code = rest.get(at + 2..at + 6)?;
                    let code = u32::from_str_radix(code, 16).ok()?;
                    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    let _ = characters.nth(3)?;
                }
                'n' => out.push('\n'),
                't' => out.push('\t'),
                plain => out.push(plain),
            },
            plain => out.push(plain),
        }
    }
    None
}

fn eat(rest: &mut &str, token: &str) -> bool {
    match rest.strip_prefix(token) {
        Some(behind) => {
            *rest = behind;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_all_kinds_are_read() {
        let text = r#" {"a": [1, -2.5e3, "3.25"], "b": {"c": true, "d": null}, "e": "x\"\u0041\\", "f": []} "#;
        let json = read(text).expect("an object");
        let Some(Json::List(numbers)) = json.get("a") else {
            panic!("no list");
        };
        let numbers: Vec<f64> = numbers.iter().filter_map(Json::number).collect();
        assert_eq!(numbers, [1.0, -2500.0, 3.25]);
        let inner = json.get("b").expect("an object");
        assert_eq!(
            (inner.get("c"), inner.get("d")),
            (Some(&Json::Yes), Some(&Json::No))
        );
        assert_eq!(json.get("e").and_then(Json::text), Some("x\"A\\"));
        assert_eq!(json.get("f"), Some(&Json::List(Vec::new())));
    }

    #[test]
    fn anything_else_is_nothing() {
        let deep = "[".repeat(10_000);
        for text in [
            "",
            "{",
            "[1",
            "{\"a\" 1}",
            "[1 2]",
            "1 2",
            "x",
            "\"a",
            "\"\\u00\"",
            "-> Table scan",
            &deep,
        ] {
            assert_eq!(read(text), None, "{text:.20}");
        }
    }
}
