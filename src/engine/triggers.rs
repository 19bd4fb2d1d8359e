//! The ghost's triggers: tried out while it is empty, made for good just before the rename.
//!
//! While rows are copied and refreshed the ghost has none: they would fire for rows that the application
//! has written before. So they are made under the lock, when nothing is left to refresh, and whenever no
//! rename follows they are gone again before anybody refreshes another row.

use super::Early;
use crate::config::Config;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Session;
use crate::mysql::triggers::names_taken;
use crate::plan::names::Names;
use crate::plan::triggers::{NewTrigger, renewed};
use crate::plan::{Plan, Refusal};
use crate::sql::{qualified, text_literal};

/// After a trigger was made: statements of ours are plain again.
const PLAIN: &str = "SET NAMES utf8mb4 COLLATE utf8mb4_bin";

/// Reads the triggers and tries them out on the empty ghost: what their bodies say of its columns is
/// judged by the server.
pub(super) async fn prepare(
    session: &mut Session,
    config: &Config,
    plan: &mut Plan,
) -> Result<(), Early> {
    let Some(suffix) = &config.triggers else {
        return Ok(());
    };
    let names = plan.names.clone();
    let taken = names_taken(session, &names.schema).await?;
    plan.triggers = renewed(&plan.original_triggers, suffix, &taken).map_err(Early::Refused)?;
    let mark = session.mark().to_owned();
    let tried = make(session, plan, &mark).await;
    let mode = format!("SET SESSION sql_mode='{}'", super::prepare::PLAIN_MODE);
    session.say("set the session up", &mode).await?;
    let dropped = drop_all(session, plan, &mark).await;
    match tried {
        Err(fault) if fault.kind == FaultKind::Definite => Err(Early::Refused(vec![Refusal::new(
            format!("a trigger doesn't fit the new table: {}", fault.message),
            "change the trigger first, or drop it and create it again afterwards",
        )])),
        Err(fault) => Err(fault.into()),
        Ok(()) => Ok(dropped?),
    }
}

/// Makes all of them on the ghost.
pub(super) async fn make(session: &mut Session, plan: &Plan, mark: &str) -> Result<(), Fault> {
    for trigger in &plan.triggers {
        let made = one(session, plan, trigger, mark).await;
        session.say("set the session up", PLAIN).await?;
        made?;
    }
    Ok(())
}

async fn one(
    session: &mut Session,
    plan: &Plan,
    trigger: &NewTrigger,
    mark: &str,
) -> Result<(), Fault> {
    let names = &plan.names;
    session.say("set the session up", &trigger.settings).await?;
    let text = trigger.create(&names.schema, &names.ghost, mark);
    session.say("create a trigger", &text).await?;
    Ok(())
}

/// Takes away whatever triggers the ghost has: a run that died under the lock has left them.
pub(super) async fn drop_left(session: &mut Session, names: &Names) -> Result<(), Fault> {
    let question = format!(
        "SELECT /* tableshift */ TRIGGER_NAME FROM information_schema.TRIGGERS WHERE \
         EVENT_OBJECT_SCHEMA={} AND EVENT_OBJECT_TABLE={}",
        text_literal(&names.schema),
        text_literal(&names.ghost),
    );
    let answer = session.say("look for triggers", &question).await?;
    for row in 0..answer.rows.len() {
        let name = answer.text(row, 0).unwrap_or_default();
        let text = format!(
            "DROP TRIGGER IF EXISTS {} /* {} */",
            qualified(&names.schema, &name),
            session.mark()
        );
        session.say("drop a trigger", &text).await?;
    }
    Ok(())
}

/// Takes them away, as far as they are there.
pub(super) async fn drop_all(session: &mut Session, plan: &Plan, mark: &str) -> Result<(), Fault> {
    for trigger in &plan.triggers {
        let text = trigger.drop(&plan.names.schema, mark);
        session.say("drop a trigger", &text).await?;
    }
    Ok(())
}

/// The same when the connection that made them is gone, with another one, and as often as it is worth:
/// rows refreshed while they are there would fire them.
pub(super) async fn drop_surely(
    session: &mut Session,
    plan: &Plan,
    mark: &str,
) -> Result<(), Fault> {
    let mut last = drop_all(session, plan, mark).await;
    for _ in 0..limits::RECONNECTS {
        match &last {
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                session.reopen().await?;
            }
            Err(fault) if fault.kind == FaultKind::Conflict => {
                tokio::time::sleep(limits::LOCK_RETRY_PAUSE).await;
            }
            Ok(()) | Err(_) => break,
        }
        last = drop_all(session, plan, mark).await;
    }
    last
}
