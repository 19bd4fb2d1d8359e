//! Which rows have the same value in a unique key that the ALTER introduces, for messages.

use super::workers::keys;
use crate::core::event::{About, Failure};
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::session::Session;
use crate::plan::Plan;
use crate::plan::shown::shown;
use crate::plan::unique_key::{Term, terms};
use crate::report::Reporter;
use crate::sql::Sql;

/// The keys of the first rows that are duplicates under this key, such as `id=1 and id=2; …`;
/// `None` when there are none, or the key can't be looked at.
pub(super) async fn rows(
    session: &mut Session,
    sql: &Sql,
    terms: &[Term<'_>],
) -> Result<Option<String>, Fault> {
    let Some(statement) = sql.duplicate_rows(terms, limits::KEYS_SHOWN_MAX) else {
        return Ok(None);
    };
    let answer = session
        .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
        .await?;
    let columns = &sql.original().columns;
    let mut groups: Vec<(Option<u64>, String)> = Vec::new();
    for (row, key) in keys(sql.original(), &answer)?.iter().enumerate() {
        let group = answer.number(row, columns.len());
        let text = shown(key, columns);
        match groups.last_mut().filter(|(last, _)| *last == group) {
            Some((_, texts)) => {
                texts.push_str(" and ");
                texts.push_str(&text);
            }
            None => groups.push((group, text)),
        }
    }
    let texts: Vec<String> = groups.into_iter().map(|(_, text)| text).collect();
    Ok((!texts.is_empty()).then(|| texts.join("; ")))
}

/// Says which rows a failure is about, if it is about duplicates.
pub(super) async fn name_rows(
    session: &mut Session,
    plan: &Plan,
    failure: &mut Failure,
    reporter: &Reporter,
) {
    if failure.about != About::Duplicates {
        return;
    }
    let sql = Sql::new(plan);
    for key in &plan.introduced_keys {
        let Some(terms) = terms(&plan.ghost, key) else {
            continue;
        };
        match rows(session, &sql, &terms).await {
            Ok(Some(rows)) => {
                let found = format!("; the same value in `{}` now: {rows}", key.name);
                failure.what.push_str(&found);
            }
            Ok(None) => {}
            // The failure itself is told all the same.
            Err(fault) => reporter.warn(fault.to_string()),
        }
    }
}
