//! Looking at what a table has around it. What the account may not ask, or the server doesn't know, is left
//! open: nothing here decides whether a migration is possible.

use super::classify::{Fault, FaultKind};
use super::inspect::grants;
use super::session::{Answer, Session};
use crate::limits;
use crate::plan::names::Names;
use crate::plan::prospect::surroundings::{Kind, Mention, Surroundings, spellings};
use crate::plan::shortcut::innodb_name;
use crate::sql::{Statement, text_literal};

/// Looks at everything around the table.
///
/// # Errors
/// When the connection is lost.
pub async fn surroundings(session: &mut Session, names: &Names) -> Result<Surroundings, Fault> {
    let sizes = sizes(session, names).await?;
    let mut found = Surroundings {
        data_bytes: sizes.as_ref().and_then(|answer| answer.number(0, 0)),
        index_bytes: sizes.as_ref().and_then(|answer| answer.number(0, 1)),
        row_versions: row_versions(session, names).await?,
        binlog_bytes: binlog_bytes(session).await?,
        retention_seconds: retention(session).await?,
        ..Surroundings::default()
    };
    views(session, names, &mut found).await?;
    programs(session, names, &mut found).await?;
    let (_, grants, _) = grants(session, &[]).await?;
    if !grants.sees_every_schema() {
        found
            .unseen
            .push("the account sees what it may use, and not all of every schema".into());
    }
    Ok(found)
}

/// An answer, or `None` when the server refuses one.
async fn asked(
    session: &mut Session,
    name: &'static str,
    text: String,
) -> Result<Option<Answer>, Fault> {
    let statement = Statement { name, text };
    let answer = session.run_for(&statement, limits::SURROUNDINGS_STATEMENT);
    match answer.await {
        Ok(answer) => Ok(Some(answer)),
        Err(fault) if fault.kind == FaultKind::Definite => Ok(None),
        Err(fault) => Err(fault),
    }
}

async fn sizes(session: &mut Session, names: &Names) -> Result<Option<Answer>, Fault> {
    let text = format!(
        "SELECT /* tableshift */ DATA_LENGTH, INDEX_LENGTH FROM information_schema.TABLES WHERE \
         TABLE_SCHEMA={} AND TABLE_NAME={}",
        text_literal(&names.schema),
        text_literal(&names.original)
    );
    asked(session, "read the table's size", text).await
}

/// The column is one of 8.0.29; it takes the privilege PROCESS. Of a partitioned table the highest counts.
async fn row_versions(session: &mut Session, names: &Names) -> Result<Option<u64>, Fault> {
    let Some(name) = innodb_name(&names.schema, &names.original) else {
        return Ok(None);
    };
    let whole = text_literal(&name);
    let partition = text_literal(&format!("{name}#p#"));
    let text = format!(
        "SELECT /* tableshift */ MAX(TOTAL_ROW_VERSIONS) FROM information_schema.INNODB_TABLES WHERE NAME = \
         {whole} OR LEFT(NAME, CHAR_LENGTH({partition})) = {partition}"
    );
    let answer = asked(session, "read the row versions", text).await?;
    Ok(answer.and_then(|answer| answer.number(0, 0)))
}

/// Needs REPLICATION CLIENT.
async fn binlog_bytes(session: &mut Session) -> Result<Option<u64>, Fault> {
    let listed = asked(session, "list the binary logs", "SHOW BINARY LOGS".into()).await?;
    Ok(listed.map(|answer| {
        let sizes = (0..answer.rows.len()).filter_map(|row| answer.number(row, 1));
        sizes.sum()
    }))
}

/// Nothing is dropped where `binlog_expire_logs_auto_purge` (8.0.29) is off.
async fn retention(session: &mut Session) -> Result<Option<u64>, Fault> {
    let text = "SELECT /* tableshift */ VARIABLE_NAME, VARIABLE_VALUE FROM \
                performance_schema.global_variables WHERE VARIABLE_NAME IN ('binlog_expire_logs_seconds', \
                'binlog_expire_logs_auto_purge')";
    let answer = asked(session, "read how long logs are kept", text.into()).await?;
    let Some(answer) = answer else {
        return Ok(None);
    };
    let value = |name: &str| {
        let mut rows = 0..answer.rows.len();
        let row = rows.find(|row| answer.text(*row, 0).as_deref() == Some(name))?;
        answer.text(row, 1)
    };
    if value("binlog_expire_logs_auto_purge").as_deref() == Some("OFF") {
        return Ok(Some(0));
    }
    Ok(value("binlog_expire_logs_seconds").and_then(|text| text.parse().ok()))
}

/// The text of a view is shown to those who have SHOW VIEW.
async fn views(
    session: &mut Session,
    names: &Names,
    found: &mut Surroundings,
) -> Result<(), Fault> {
    let text = format!(
        "SELECT /* tableshift */ CONCAT(u.VIEW_SCHEMA, '.', u.VIEW_NAME), NULLIF(v.VIEW_DEFINITION, '') FROM \
         information_schema.VIEW_TABLE_USAGE AS u LEFT JOIN information_schema.VIEWS AS v ON v.TABLE_SCHEMA = \
         u.VIEW_SCHEMA AND v.TABLE_NAME = u.VIEW_NAME WHERE u.TABLE_SCHEMA={} AND u.TABLE_NAME={}",
        text_literal(&names.schema),
        text_literal(&names.original)
    );
    match asked(session, "look for views", text).await? {
        Some(answer) => found.mentions.extend(mentions(&answer, Kind::View)),
        None => found.unseen.push("views can't be looked up".into()),
    }
    Ok(())
}

fn mentions(answer: &Answer, kind: Kind) -> Vec<Mention> {
    let mention = |row: usize| Mention {
        kind,
        name: answer.text(row, 0).unwrap_or_default(),
        text: answer.text(row, 1),
    };
    (0..answer.rows.len()).map(mention).collect()
}

/// Routines, events and triggers of other tables whose text has the table's name as a word. The text is
/// missing where the account may not see it.
async fn programs(
    session: &mut Session,
    names: &Names,
    found: &mut Surroundings,
) -> Result<(), Fault> {
    let (schema, table) = (text_literal(&names.schema), text_literal(&names.original));
    let words: Vec<String> = spellings(&names.original)
        .iter()
        .map(|name| text_literal(name))
        .collect();
    let like = |body: &str| {
        let located = words.iter();
        let located: Vec<String> = located
            .map(|word| format!("LOCATE(LOWER({word}), LOWER({body})) > 0"))
            .collect();
        format!("({body} IS NULL OR {})", located.join(" OR "))
    };
    for (kind, words, source, body) in [
        (
            Kind::Routine,
            "routines",
            "CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME), ROUTINE_DEFINITION FROM information_schema.ROUTINES \
             WHERE ROUTINE_SCHEMA NOT IN ('sys', 'mysql')"
                .to_owned(),
            "ROUTINE_DEFINITION",
        ),
        (
            Kind::Event,
            "events",
            "CONCAT(EVENT_SCHEMA, '.', EVENT_NAME), EVENT_DEFINITION FROM information_schema.EVENTS WHERE TRUE"
                .to_owned(),
            "EVENT_DEFINITION",
        ),
        (
            Kind::Trigger,
            "triggers of other tables",
            format!(
                "CONCAT(TRIGGER_SCHEMA, '.', TRIGGER_NAME), ACTION_STATEMENT FROM \
                 information_schema.TRIGGERS WHERE NOT (EVENT_OBJECT_SCHEMA={schema} AND \
                 EVENT_OBJECT_TABLE={table}) AND TRIGGER_SCHEMA<>'sys'"
            ),
            "ACTION_STATEMENT",
        ),
    ] {
        let text = format!("SELECT /* tableshift */ {source} AND {}", like(body));
        let Some(answer) = asked(session, "look for programs", text).await? else {
            found.unseen.push(format!("{words} can't be looked up"));
            continue;
        };
        let all = mentions(&answer, kind);
        let hidden = all.iter().filter(|one| one.text.is_none()).count();
        if hidden > 0 {
            found.unseen.push(format!(
                "the account can't see the text of {hidden} {words} (SHOW_ROUTINE or SELECT ON *.* shows it)"
            ));
        }
        let concerned = all.into_iter();
        found
            .mentions
            .extend(concerned.filter(|one| one.concerns(&names.schema, &names.original)));
    }
    Ok(())
}

/// Where the server keeps its files, and who it is.
///
/// # Errors
/// When the connection is lost.
pub async fn home(session: &mut Session) -> Result<Option<(String, String)>, Fault> {
    let text = "SELECT /* tableshift */ @@datadir, @@server_uuid";
    let answer = asked(session, "read where the files are", text.into()).await?;
    Ok(answer.and_then(|answer| answer.text(0, 0).zip(answer.text(0, 1))))
}
