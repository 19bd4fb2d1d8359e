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

/// What a table is at present.
pub(super) struct Present {
    /// Its identity.
    pub(super) table: String,
    /// It was made or altered in this very second, so another ALTER might leave no trace.
    pub(super) young: bool,
}

/// What the table is. The time is read first: whoever alters it in between makes it another one.
pub(super) async fn table_now(
    session: &mut Session,
    (schema, table): (&str, &str),
) -> Result<Present, Fault> {
    let answer = session.run(&sql::made(schema, table)).await?;
    let made = answer.text(0, 0).unwrap_or_default();
    let seconds = answer.text(0, 1).and_then(|text| text.parse::<i64>().ok());
    let answer = session.run(&sql::definition(schema, table)).await?;
    Ok(Present {
        table: identity(&answer.text(0, 1).unwrap_or_default(), &made),
        young: seconds.is_some_and(|seconds| seconds < 1),
    })
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
    Ok((now.table != noted.table).then(|| {
        Refusal::new(
            "the table was altered or made anew since the batch looked at it, by another run or by somebody else",
            "look at SHOW CREATE TABLE and the history, then run the batch again",
        )
    }))
}
