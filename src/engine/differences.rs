//! What is wrong with rows that differ, for messages: which columns, or which table lacks the row.
//!
//! Looked up after it was decided that they differ, so a row may be alike again, or gone.

use super::workers::{bad_key, pick};
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::session::Session;
use crate::plan::key::Key;
use crate::plan::shown::shown;
use crate::sql::{Sql, quoted};

/// How messages call the two tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Called<'a> {
    /// The one whose keys are named.
    pub(super) original: &'a str,
    /// The other one.
    pub(super) ghost: &'a str,
}

/// In a migration.
pub(super) const HELPERS: Called<'_> = Called {
    original: "the table",
    ghost: "the ghost",
};

/// A line such as `id=17 (differs in `a`, `b`)` for each of these keys, in their order.
pub(super) async fn lines(
    session: &mut Session,
    sql: &Sql,
    keys: &[Key],
    called: Called<'_>,
) -> Result<Vec<String>, Fault> {
    let mut lines = Vec::new();
    let columns = sql.compared_columns();
    for batch in keys.chunks(limits::RECHECK_KEYS) {
        let differing = sql.differing_columns(batch).map_err(bad_key)?;
        let found = session.run(&differing).await?;
        let extra = sql.extra_keys(batch).map_err(bad_key)?;
        let extra = pick(batch, &session.run(&extra).await?);
        let mut whats = vec![String::new(); batch.len()];
        for row in 0..found.rows.len() {
            let ordinal = found
                .number(row, 0)
                .and_then(|number| usize::try_from(number).ok());
            let Some(what) = ordinal.and_then(|ordinal| whats.get_mut(ordinal)) else {
                continue;
            };
            *what = if found.number(row, 1) == Some(1) {
                format!("missing in {}", called.ghost)
            } else {
                differs_in(&columns, &found.text(row, 2).unwrap_or_default())
            };
        }
        for (key, mut what) in batch.iter().zip(whats) {
            if extra.contains(key) {
                let only = format!("a row of {} that {} lacks", called.ghost, called.original);
                what = if what.is_empty() {
                    only
                } else {
                    format!("{what}; and {only}")
                };
            }
            if what.is_empty() {
                what = "gone from both by now".into();
            }
            let key = shown(key, &sql.original().columns);
            lines.push(format!("{key} ({what})"));
        }
    }
    Ok(lines)
}

/// The columns with a 1 among the digits.
fn differs_in(columns: &[String], digits: &str) -> String {
    let differing: Vec<String> = columns
        .iter()
        .zip(digits.bytes())
        .filter(|(_, digit)| *digit == b'1')
        .map(|(column, _)| quoted(column))
        .collect();
    let more = differing.len().saturating_sub(limits::COLUMNS_SHOWN_MAX);
    let first: Vec<String> = differing
        .into_iter()
        .take(limits::COLUMNS_SHOWN_MAX)
        .collect();
    match (first.is_empty(), more) {
        (true, _) => "alike by now".into(),
        (false, 0) => format!("differs in {}", first.join(", ")),
        (false, more) => format!("differs in {} and {more} more columns", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_by_their_digits() {
        let columns: Vec<String> = ["a", "b`", "c"].map(str::to_owned).into();
        assert_eq!(differs_in(&columns, "011"), "differs in `b```, `c`");
        assert_eq!(differs_in(&columns, "000"), "alike by now");
        let many: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
        let text = differs_in(&many, &"1".repeat(40));
        assert!(text.ends_with("`c19` and 20 more columns"), "{text}");
    }
}
