//! Statements of `tableshift cleanup`.

use super::{Statement, qualified, text_literal};

/// Tables with helpers' names, of one schema or of all.
#[must_use]
pub fn tables(schema: Option<&str>) -> Statement {
    let of_schema = match schema {
        Some(schema) => format!(" AND TABLE_SCHEMA={}", text_literal(schema)),
        None => String::new(),
    };
    Statement::new(
        "look for helper tables",
        format!(
            "SELECT /* tableshift */ TABLE_SCHEMA, TABLE_NAME, TABLE_COMMENT, COALESCE(DATA_LENGTH + \
             INDEX_LENGTH, 0), COALESCE(TIMESTAMPDIFF(SECOND, CREATE_TIME, NOW()), 0) FROM \
             information_schema.TABLES WHERE TABLE_TYPE='BASE TABLE' AND LEFT(TABLE_NAME, 1)='_' AND \
             RIGHT(TABLE_NAME, 4) IN ('_gho', '_ghc', '_ghk', '_del'){of_schema} ORDER BY 1, 2"
        ),
    )
}

/// The mark of the run that made a changelog, and who holds the advisory lock.
#[must_use]
pub fn changelog(schema: &str, table: &str, lock: &str) -> Statement {
    Statement::new(
        "look whose helper tables they are",
        format!(
            "SELECT /* tableshift */ MAX(value), IS_USED_LOCK({}) FROM {} WHERE hint={}",
            text_literal(lock),
            qualified(schema, table),
            text_literal(super::helpers::HINT_RUN),
        ),
    )
}

/// Takes an advisory lock without waiting.
#[must_use]
pub fn lock(name: &str) -> Statement {
    Statement::new(
        "take the advisory lock",
        format!(
            "SELECT /* tableshift */ GET_LOCK({}, 0)",
            text_literal(name)
        ),
    )
}
