//! Key values out of result rows, the counterpart of [`super::Walk::key_expressions`].

use crate::plan::key::{Key, KeyColumn, KeyError, KeyKind, KeyValue, encode};

/// Makes a key of the texts of one result row, in the order of the walk's columns.
///
/// # Errors
/// When a value is missing or isn't what its column can hold.
pub fn key_of(columns: &[KeyColumn], texts: &[Option<Vec<u8>>]) -> Result<Key, KeyError> {
    if texts.len() < columns.len() {
        return Err(KeyError("fewer values than key columns"));
    }
    let values: Result<Vec<KeyValue>, KeyError> = columns
        .iter()
        .zip(texts)
        .map(|(column, text)| {
            let text = text.as_ref().ok_or(KeyError("NULL in a key column"))?;
            Ok(match column.kind {
                KeyKind::Int => KeyValue::Int(number(text)?),
                KeyKind::UInt => KeyValue::UInt(number(text)?),
                KeyKind::Double => KeyValue::double(number(text)?),
                KeyKind::Decimal
                | KeyKind::Date
                | KeyKind::DateTime
                | KeyKind::Timestamp
                | KeyKind::Time
                | KeyKind::Bytes => KeyValue::Bytes(text.clone()),
            })
        })
        .collect();
    Ok(encode(&values?))
}

fn number<N: std::str::FromStr>(text: &[u8]) -> Result<N, KeyError> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(KeyError("a number column that holds no number"))
}
