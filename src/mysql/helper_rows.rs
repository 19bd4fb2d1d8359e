//! Rows of our own helper tables, read out of row events as if they were keys.

use crate::plan::key::{Key, KeyColumn, KeyKind, KeyValue, decode};
use crate::sql::checkpoint::NUMBER_ORDINAL;

/// Columns of the changelog.
pub(super) const CHANGELOG_COLUMNS: usize = 4;

fn column(name: &str, ordinal: usize, kind: KeyKind, data_type: &str) -> KeyColumn {
    KeyColumn {
        name: name.into(),
        ghost_name: name.into(),
        ordinal,
        kind,
        data_type: data_type.into(),
        charset: None,
        collation: None,
        ghost_text: None,
        binary_length: None,
    }
}

/// Id and value of the changelog, read as if they were a key.
pub(super) fn changelog_columns() -> Vec<KeyColumn> {
    vec![
        column("id", 0, KeyKind::UInt, "bigint"),
        column("value", 3, KeyKind::Bytes, "varchar"),
    ]
}

pub(super) fn changelog_row(key: &Key) -> Option<(u64, String)> {
    match decode(key, &changelog_columns()).ok()?.as_slice() {
        [KeyValue::UInt(id), KeyValue::Bytes(value)] => {
            Some((*id, String::from_utf8_lossy(value).into_owned()))
        }
        _ => None,
    }
}

/// The number of a checkpoint.
pub(super) fn checkpoint_columns() -> Vec<KeyColumn> {
    vec![column("number", NUMBER_ORDINAL, KeyKind::UInt, "bigint")]
}

/// The number in such a row.
pub(super) fn checkpoint_number(key: &Key) -> Option<u64> {
    match decode(key, &checkpoint_columns()).ok()?.as_slice() {
        [KeyValue::UInt(number)] => Some(*number),
        _ => None,
    }
}
