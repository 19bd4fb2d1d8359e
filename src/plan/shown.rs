//! Keys as people read them, in messages about particular rows.
//!
//! The only place where values of the application get into a message, and key values only: a run that
//! ends because of some rows has to say which.

use super::key::{Key, KeyColumn, KeyKind, KeyValue, decode, write_literal};
use crate::limits;

/// A key such as `id=17` or `a=1, b='x'`.
#[must_use]
pub fn shown(key: &Key, columns: &[KeyColumn]) -> String {
    let Ok(values) = decode(key, columns) else {
        return format!("{key:?}");
    };
    let parts: Vec<String> = columns
        .iter()
        .zip(&values)
        .map(|(column, value)| format!("{}={}", column.name, shown_value(value, column)))
        .collect();
    parts.join(", ")
}

/// The first keys of a list, and how many more there are.
#[must_use]
pub fn shown_list(keys: &[Key], columns: &[KeyColumn]) -> String {
    let first: Vec<String> = keys
        .iter()
        .take(limits::KEYS_SHOWN_MAX)
        .map(|key| shown(key, columns))
        .collect();
    let more = keys.len().saturating_sub(limits::KEYS_SHOWN_MAX);
    let rest = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    first.join("; ") + &rest
}

/// One value of a key.
#[must_use]
pub fn shown_value(value: &KeyValue, column: &KeyColumn) -> String {
    let text = match value {
        KeyValue::Bytes(bytes) => readable(bytes, column).map(quoted),
        KeyValue::Int(_) | KeyValue::UInt(_) | KeyValue::Double(_) => None,
    };
    let text = text.unwrap_or_else(|| {
        let mut literal = String::new();
        write_literal(&mut literal, value, column);
        // The reader's session may be in another zone (offsets in literals: since 8.0.19).
        if column.kind == KeyKind::Timestamp && !literal.starts_with("TIMESTAMP'0000") {
            literal.insert_str(literal.len() - 1, "+00:00");
        }
        literal
    });
    if text.chars().count() <= limits::KEY_VALUE_CHARS_MAX {
        return text;
    }
    text.chars()
        .take(limits::KEY_VALUE_CHARS_MAX)
        .chain(['…'])
        .collect()
}

/// Text that a terminal shows as it is. Which bytes are which character is known for UTF-8, and for
/// ASCII in every character set that doesn't take two bytes for it.
fn readable<'a>(bytes: &'a [u8], column: &KeyColumn) -> Option<&'a str> {
    if column.kind != KeyKind::Bytes {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let known = match column.charset.as_deref() {
        None | Some("utf8mb4" | "utf8mb3" | "utf8") => true,
        Some("utf16" | "utf16le" | "utf32" | "ucs2") => false,
        Some(_) => text.is_ascii(),
    };
    let printable = |character: char| {
        matches!(character, '\'' | '"' | '\\') || character.escape_debug().count() == 1
    };
    (known && text.chars().all(printable)).then_some(text)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::key::encode;

    fn column(name: &str, kind: KeyKind, charset: Option<&str>) -> KeyColumn {
        KeyColumn {
            name: name.into(),
            ghost_name: name.into(),
            ordinal: 0,
            kind,
            data_type: String::new(),
            charset: charset.map(Into::into),
            collation: None,
            ghost_text: None,
            binary_length: None,
        }
    }

    fn bytes(value: &[u8], charset: Option<&str>) -> String {
        let column = column("k", KeyKind::Bytes, charset);
        shown(&encode(&[KeyValue::Bytes(value.to_vec())]), &[column])
    }

    #[test]
    fn keys_are_shown_as_conditions() {
        let id = [column("id", KeyKind::Int, None)];
        assert_eq!(shown(&encode(&[KeyValue::Int(-17)]), &id), "id=-17");
        let columns = [
            column("a", KeyKind::UInt, None),
            column("b", KeyKind::Bytes, Some("utf8mb4")),
            column("c", KeyKind::Date, None),
            column("d", KeyKind::Double, None),
            column("e", KeyKind::Decimal, None),
        ];
        let key = encode(&[
            KeyValue::UInt(u64::MAX),
            KeyValue::Bytes("Zoë's \\".into()),
            KeyValue::Bytes(b"2026-01-02".into()),
            KeyValue::double(0.3),
            KeyValue::Bytes(b"-1.50".into()),
        ]);
        assert_eq!(
            shown(&key, &columns),
            "a=18446744073709551615, b='Zoë\\'s \\\\', c=DATE'2026-01-02', d=3e-1, e=-1.50"
        );
        assert_eq!(shown(&Key::from_bytes(b"x"), &id), "Key([120])");
    }

    #[test]
    fn a_timestamp_says_that_it_is_in_utc() {
        let at = [column("at", KeyKind::Timestamp, None)];
        for (moment, expected) in [
            (
                "2024-10-27 00:30:00.5",
                "at=TIMESTAMP'2024-10-27 00:30:00.5+00:00'",
            ),
            ("0000-00-00 00:00:00", "at=TIMESTAMP'0000-00-00 00:00:00'"),
        ] {
            let key = encode(&[KeyValue::Bytes(moment.into())]);
            assert_eq!(shown(&key, &at), expected);
        }
    }

    #[test]
    fn what_a_terminal_would_not_show_as_it_is_goes_in_hexadecimal() {
        assert_eq!(bytes(b"a b", None), "k='a b'");
        assert_eq!(bytes(b"a\nb", None), "k=_binary x'610A62'");
        assert_eq!(
            bytes(b"a\x1b[2J", Some("utf8mb4")),
            "k=_utf8mb4 x'611B5B324A'"
        );
        // Turns the rest of the line round.
        assert_eq!(bytes("\u{202e}a".as_bytes(), None), "k=_binary x'E280AE61'");
        assert_eq!(bytes(&[0xe9], Some("latin1")), "k=_latin1 x'E9'");
        // By chance two characters of latin1 are one of UTF-8.
        assert_eq!(bytes("é".as_bytes(), Some("latin1")), "k=_latin1 x'C3A9'");
        assert_eq!(bytes(b"abc", Some("sjis")), "k='abc'");
        // These two letters are one character.
        assert_eq!(bytes(b"ab", Some("utf16")), "k=_utf16 x'6162'");
    }

    #[test]
    fn long_values_and_long_lists_are_cut() {
        let long = bytes(&[b'x'; 3_000], None);
        assert_eq!(long.chars().count(), 2 + limits::KEY_VALUE_CHARS_MAX + 1);
        let keys: Vec<Key> = (0..12).map(|n| encode(&[KeyValue::Int(n)])).collect();
        let columns = [column("id", KeyKind::Int, None)];
        let list = shown_list(&keys, &columns);
        assert!(
            list.starts_with("id=0; id=1; ") && list.ends_with("id=9; and 2 more"),
            "{list}"
        );
        assert_eq!(shown_list(&keys[..2], &columns), "id=0; id=1");
    }
}
