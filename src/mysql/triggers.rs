//! The table's triggers, with everything that makes them what they are.

use super::classify::Fault;
use super::session::Session;
use crate::plan::names::Names;
use crate::plan::triggers::Trigger;
use crate::sql::{qualified, text_literal};

/// The original's triggers in the order in which they fire.
///
/// # Errors
/// When the catalogue can't be read.
pub async fn of_original(session: &mut Session, names: &Names) -> Result<Vec<Trigger>, Fault> {
    let answer = session
        .say(
            "look for triggers",
            &format!(
                "SELECT /* tableshift */ TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, DEFINER, \
                 SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION FROM information_schema.TRIGGERS \
                 WHERE EVENT_OBJECT_SCHEMA={} AND EVENT_OBJECT_TABLE={} ORDER BY ACTION_TIMING DESC, \
                 EVENT_MANIPULATION, ACTION_ORDER",
                text_literal(&names.schema),
                text_literal(&names.original)
            ),
        )
        .await?;
    let mut found = Vec::new();
    for row in 0..answer.rows.len() {
        let text = |column| answer.text(row, column).unwrap_or_default();
        let shown = session
            .say(
                "read a trigger",
                &format!("SHOW CREATE TRIGGER {}", qualified(&names.schema, &text(0))),
            )
            .await?;
        found.push(Trigger {
            name: text(0),
            timing: text(1),
            event: text(2),
            definer: text(3),
            sql_mode: text(4),
            client_charset: text(5),
            collation: text(6),
            statement: shown.text(0, 2).unwrap_or_default(),
        });
    }
    Ok(found)
}

/// Names of the triggers of a table.
///
/// # Errors
/// When the catalogue can't be read.
pub async fn triggers_on(
    session: &mut Session,
    schema: &str,
    table: &str,
) -> Result<Vec<String>, Fault> {
    let question = format!(
        "SELECT /* tableshift */ TRIGGER_NAME FROM information_schema.TRIGGERS WHERE \
         EVENT_OBJECT_SCHEMA={} AND EVENT_OBJECT_TABLE={} ORDER BY TRIGGER_NAME",
        text_literal(schema),
        text_literal(table),
    );
    let answer = session.say("look for triggers", &question).await?;
    Ok((0..answer.rows.len())
        .filter_map(|row| answer.text(row, 0))
        .collect())
}

/// Names of all triggers of the schema.
///
/// # Errors
/// When the catalogue can't be read.
pub async fn names_taken(session: &mut Session, schema: &str) -> Result<Vec<String>, Fault> {
    let answer = session
        .say(
            "look for triggers",
            &format!(
                "SELECT /* tableshift */ TRIGGER_NAME FROM information_schema.TRIGGERS WHERE \
                 TRIGGER_SCHEMA={}",
                text_literal(schema)
            ),
        )
        .await?;
    Ok((0..answer.rows.len())
        .filter_map(|row| answer.text(row, 0))
        .collect())
}
