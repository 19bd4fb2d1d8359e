//! Keys as people read them: where in the table a statement failed.
//!
//! The server's message names the column; the rows are found by their key. Only key values are shown,
//! never other values of a row.

use super::Walk;
use crate::core::chunk::Chunk;
use crate::plan::key::{Key, KeyValue, decode};
use crate::plan::shown::shown_value;

/// Keys listed one by one; more are told by their number.
const LISTED: usize = 10;

/// The rows of a chunk, as `rows with `id` 4001 to 5000`.
#[must_use]
pub fn range(walk: &Walk, chunk: &Chunk) -> String {
    let columns = names(walk);
    let after = chunk.after.as_ref();
    let upto = chunk.upto.as_ref().map(|key| shown(walk, key));
    match (after, upto) {
        (None, None) => "some row of the table".to_owned(),
        (None, Some(upto)) => format!("a row with {columns} up to {upto}"),
        (Some(after), upto) => {
            let from = match next_integer(walk, after) {
                Some(first) => first,
                None => format!("after {}", shown(walk, after)),
            };
            match upto {
                Some(upto) => format!("a row with {columns} {from} to {upto}"),
                None => format!("a row with {columns} {from} or later"),
            }
        }
    }
}

/// The rows of a batch of keys, as `a row with `id` 3, 7, 9`.
#[must_use]
pub fn list(walk: &Walk, keys: &[Key]) -> String {
    let mut listed: Vec<String> = keys
        .iter()
        .take(LISTED)
        .map(|key| shown(walk, key))
        .collect();
    if keys.len() > LISTED {
        listed.push(format!("or one of {} more", keys.len() - LISTED));
    }
    format!("a row with {} {}", names(walk), listed.join(", "))
}

fn names(walk: &Walk) -> String {
    let names: Vec<String> = walk
        .columns
        .iter()
        .map(|column| super::quoted(&column.name))
        .collect();
    names.join(", ")
}

/// The key after this one, when there is no other in between.
fn next_integer(walk: &Walk, key: &Key) -> Option<String> {
    let [value] = decode(key, &walk.columns).ok()?.try_into().ok()?;
    match value {
        KeyValue::Int(number) => Some(number.checked_add(1)?.to_string()),
        KeyValue::UInt(number) => Some(number.checked_add(1)?.to_string()),
        KeyValue::Bytes(_) | KeyValue::Double(_) => None,
    }
}

fn shown(walk: &Walk, key: &Key) -> String {
    let Ok(values) = decode(key, &walk.columns) else {
        return "(unreadable)".to_owned();
    };
    let values: Vec<String> = values
        .iter()
        .zip(&walk.columns)
        .map(|(value, column)| shown_value(value, column))
        .collect();
    match values.as_slice() {
        [value] => value.clone(),
        several => format!("({})", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::key::{KeyColumn, KeyKind, encode};

    fn walk(columns: &[(&str, KeyKind, Option<&str>)]) -> Walk {
        let columns = columns
            .iter()
            .map(|(name, kind, charset)| KeyColumn {
                name: (*name).into(),
                ghost_name: (*name).into(),
                ordinal: 0,
                kind: *kind,
                data_type: String::new(),
                charset: charset.map(Into::into),
                collation: None,
                ghost_text: None,
                binary_length: None,
            })
            .collect();
        Walk {
            table: "`s`.`t`".into(),
            index: "`PRIMARY`".into(),
            columns,
        }
    }

    fn chunk(after: Option<Key>, upto: Option<Key>) -> Chunk {
        Chunk {
            id: 0,
            after,
            upto,
            common_columns: 0,
        }
    }

    #[test]
    fn a_range_of_integers_names_its_first_and_last() {
        let walk = walk(&[("id", KeyKind::Int, None)]);
        let key = |number| Some(encode(&[KeyValue::Int(number)]));
        for (after, upto, expected) in [
            (key(4000), key(5000), "a row with `id` 4001 to 5000"),
            (None, key(5000), "a row with `id` up to 5000"),
            (key(4000), None, "a row with `id` 4001 or later"),
            (
                key(i64::MAX),
                None,
                "a row with `id` after 9223372036854775807 or later",
            ),
            (None, None, "some row of the table"),
        ] {
            assert_eq!(range(&walk, &chunk(after, upto)), expected);
        }
    }

    #[test]
    fn keys_of_several_columns_are_shown_whole() {
        let walk = walk(&[
            ("a`b", KeyKind::Bytes, Some("utf8mb4")),
            ("raw", KeyKind::Bytes, None),
            ("day", KeyKind::Date, None),
        ]);
        let key = encode(&[
            KeyValue::Bytes("é".into()),
            KeyValue::Bytes(vec![0, 255]),
            KeyValue::Bytes(b"2026-11-21".into()),
        ]);
        assert_eq!(
            list(&walk, std::slice::from_ref(&key)),
            "a row with `a``b`, `raw`, `day` ('é', _binary x'00FF', DATE'2026-11-21')"
        );
        assert_eq!(
            range(&walk, &chunk(Some(key), None)),
            "a row with `a``b`, `raw`, `day` after ('é', _binary x'00FF', DATE'2026-11-21') or later"
        );
    }

    #[test]
    fn long_lists_and_values_are_cut() {
        let walk = walk(&[("k", KeyKind::Bytes, Some("latin1"))]);
        let key = |text: &str| encode(&[KeyValue::Bytes(text.into())]);
        let keys: Vec<Key> = (0..12).map(|number| key(&number.to_string())).collect();
        let text = list(&walk, &keys);
        assert!(text.ends_with("'9', or one of 2 more"), "{text}");
        let long = list(&walk, &[key(&"x".repeat(500))]);
        assert!(long.chars().count() < 300, "{long}");
    }
}
