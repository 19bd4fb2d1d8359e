//! What a table is, so that a batch and the migration that it starts mean the same one: a machine that stood
//! still may start its migration when another one has long made it.

use crate::config::Config;
use crate::mysql::classify::Fault;
use crate::mysql::session::Session;
use crate::plan::Refusal;
use crate::plan::batch::identity;
use crate::plan::inspection::Inspection;
use crate::plan::names::Names;
use crate::sql::batch as sql;

/// What the table is. The time is read first: whoever alters it in between makes it another one.
pub(super) async fn table_now(
    session: &mut Session,
    (schema, table): (&str, &str),
) -> Result<String, Fault> {
    let made = session.run(&sql::made(schema, table)).await?;
    let made = made.text(0, 0).unwrap_or_default();
    let answer = session.run(&sql::definition(schema, table)).await?;
    Ok(identity(&answer.text(0, 1).unwrap_or_default(), &made))
}

/// The table isn't what it was when the batch looked at it. Asked under the advisory lock, so that no other
/// run is at it.
///
/// # Errors
/// When the server can't be asked.
pub(super) async fn other_table(
    session: &mut Session,
    (config, names): (&Config, &Names),
    facts: &Inspection,
) -> Result<Option<Refusal>, Fault> {
    // On another server than the batch has looked at, times may differ.
    let noted = config.noted.as_ref();
    let Some(noted) = noted.filter(|noted| noted.server == facts.server.uuid) else {
        return Ok(None);
    };
    if facts.original.is_none() {
        return Ok(None);
    }
    let now = table_now(session, (&names.schema, &names.original)).await?;
    Ok((now != noted.table).then(|| {
        Refusal::new(
            "the table was altered or made anew since the batch looked at it, by another run or by somebody else",
            "look at SHOW CREATE TABLE and the history, then run the batch again",
        )
    }))
}
