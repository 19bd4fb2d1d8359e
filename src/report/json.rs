//! A log line as a JSON object. Pure.

/// One object on one line, with the keys `time`, `level` and `message` in this order.
#[must_use]
pub fn object(time: &str, level: &str, message: &str) -> String {
    format!(
        "{{\"time\":{},\"level\":{},\"message\":{}}}",
        string(time),
        string(level),
        string(message)
    )
}

/// Quoted, with what JSON doesn't allow inside quotes escaped.
pub(super) fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if control < ' ' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_any_kind_stay_one_line_of_json() {
        assert_eq!(
            object(
                "2026-11-24T06:00:00Z",
                "error",
                "a \"b\"\n  next:\t\\ü\u{1b}"
            ),
            "{\"time\":\"2026-11-24T06:00:00Z\",\"level\":\"error\",\
             \"message\":\"a \\\"b\\\"\\n  next:\\u0009\\\\ü\\u001b\"}"
        );
    }
}
