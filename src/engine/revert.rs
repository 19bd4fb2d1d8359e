//! The way back of a finished migration: its old table takes the ghost's part, is brought up to date from
//! the position of the swap, verified, and swapped with the new one.
//!
//! There is no copy. What the old table held at the swap was right, and what happened since is in the log:
//! so it is a run that goes on from a checkpoint by which everything is copied (`core::checkpoint`).

use super::places::Ways;
use super::prepare::{no_duplicates, no_zeros, null_in_key, unchanged, verifiable};
use super::resume::{Resumed, elsewhere, log_is_there, seen, without_guard};
use super::topology::Route;
use super::{Early, open};
use crate::config::Config;
use crate::core::checkpoint::{Checkpoint, Copied};
use crate::core::event::{About, Failure};
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::inspect;
use crate::mysql::place::Position;
use crate::mysql::session::{Address, Session};
use crate::mysql::triggers::triggers_on;
use crate::plan::alter::{self, Alter};
use crate::plan::backfill::Typed;
use crate::plan::columns::backwards;
use crate::plan::constraints::CheckNames;
use crate::plan::gtid::GtidSet;
use crate::plan::inspection::{Inspection, Table, same_name};
use crate::plan::key::Key;
use crate::plan::names::Names;
use crate::plan::revert::{Present, unfit};
use crate::plan::saved::{Origin, Progress, Stage};
use crate::plan::shown::shown;
use crate::plan::{self, Given, Plan, Refusal};
use crate::sql::cutover::without_counter;
use crate::sql::helpers::{create_changelog, drop_table, sign_changelog};
use crate::sql::{Sql, Statement};

/// What speaks against the way back.
///
/// # Errors
/// When the server can't be asked.
pub(super) async fn speaks_against(
    session: &mut Session,
    (config, names, route): (&Config, &Names, &Route),
    facts: &Inspection,
) -> Result<Vec<Refusal>, Fault> {
    without_guard(session, facts, names).await?;
    let there = |name: &str| {
        let mut found = facts.leftovers.iter();
        found.any(|leftover| same_name(&leftover.name, name))
    };
    let old_table = if there(&names.ghost) {
        let definition = inspect::definition(session, &names.schema, &names.ghost).await?;
        Some(without_counter(&definition))
    } else {
        None
    };
    let table = facts.original.as_ref();
    let log = route.followed.as_ref().map(|followed| &followed.server);
    let present = Present {
        table: table.map(|table| without_counter(&table.definition)),
        old_table,
        reverted: there(&names.old),
        triggers: triggers_on(session, &names.schema, &names.ghost).await?,
        written: seen(&facts.server),
        log: seen(log.unwrap_or(&facts.server)),
        by_gtids: config.topology.gtid,
        table_names: facts.server.table_names,
    };
    let saved = facts.saved.as_ref();
    let mut refusals = unfit(saved, names, &present);
    if let Some(progress) = saved.and_then(|saved| saved.progress.as_ref())
        && refusals.is_empty()
        && progress.log.uuid != present.log.uuid
    {
        refusals.extend(elsewhere(session, progress).await?);
    } else if let Some(progress) = saved.and_then(|saved| saved.progress.as_ref())
        && refusals.is_empty()
        && route.followed.is_none()
    {
        refusals.extend(purged(session, progress).await?);
    }
    Ok(refusals)
}

/// The binary log from the swap on is still there. That it is the same log is proved by the rename in it.
async fn purged(session: &mut Session, progress: &Progress) -> Result<Option<Refusal>, Fault> {
    let there = log_is_there(session, progress).await?;
    Ok((!there).then(|| {
        Refusal::new(
            "the binary logs in which stands what happened since the swap are purged or reset",
            "the old table is still as it was at the swap: look there for what is missing, or migrate the \
             table back by another ALTER",
        )
    }))
}

/// The plan of the way back, and where it begins. Makes the changelog anew; the old table stays as it is.
pub(super) async fn plan(
    session: &mut Session,
    config: &Config,
    facts: &Inspection,
    (table, names): (Table, &Names),
) -> Result<(Plan, Resumed), Early> {
    let saved = facts.saved.as_ref();
    let saved = saved.and_then(|saved| saved.origin.as_ref().zip(saved.progress.as_ref()));
    let Some((origin, progress)) = saved else {
        return Err(Fault::unexpected("revert", "the checkpoint table disappeared").into());
    };
    let old = inspect::table(session, &names.schema, &names.ghost).await?;
    let Some(old) = old else {
        return Err(Fault::unexpected("revert", "the old table disappeared").into());
    };
    let alter = alter::parse(&origin.alter)
        .map_err(|error| Fault::unexpected("read the migration's ALTER", error.to_string()))?;
    let checks = CheckNames::back(names, facts.server.table_names);
    let given = Given {
        wishes: &config.wishes,
        checks: &checks,
        now: &origin.now,
        now_utc: &origin.now_utc,
    };
    copied_alike(facts, origin, (&old, &table, &alter), (names, given))?;
    let made = plan::make(facts, table, old, &backwards(&alter), names.clone(), given);
    let plan = made.map_err(Early::Refused)?;
    verifiable(&plan)?;
    unchanged(session, &plan).await?;
    if let Some(refusal) = null_in_key(session, &plan).await? {
        return Err(Early::Refused(vec![refusal]));
    }
    no_duplicates(session, &plan).await?;
    no_zeros(session, &plan).await?;
    may_keep(session, &plan).await?;
    let resumed = begins(progress)?;
    if config.execute {
        make_changelog(session, names).await?;
    }
    Ok((plan, resumed))
}

/// By renames that the migration left behind, a column would go back that never came.
fn copied_alike(
    facts: &Inspection,
    origin: &Origin,
    (old, table, alter): (&Table, &Table, &Alter),
    (names, given): (&Names, Given<'_>),
) -> Result<(), Early> {
    if alter.renamed.is_empty() {
        return Ok(());
    }
    let there = Names {
        ghost: names.ghost_of_migration(),
        reverts: false,
        ..names.clone()
    };
    let (old, table) = (old.clone(), table.clone());
    // What filled these columns isn't asked for: its text follows behind what is compared.
    let backfills = origin.backfilled().into_iter().map(Typed::unknown);
    let facts = &Inspection {
        backfills: backfills.collect(),
        ..facts.clone()
    };
    let forth = plan::make(facts, old, table, alter, there, given).map_err(Early::Refused)?;
    let columns = Sql::new(&forth).copied_columns();
    if origin.statements.contains(&columns) {
        return Ok(());
    }
    Err(Early::Refused(vec![Refusal::new(
        "the migration paired renamed columns in another way (--skip-renamed-columns)",
        "give or leave out --skip-renamed-columns as it did",
    )]))
}

/// What the old table has for itself is put aside in a temporary table.
async fn may_keep(session: &mut Session, plan: &Plan) -> Result<(), Early> {
    let Some(room) = Sql::new(plan).make_room().into_iter().next() else {
        return Ok(());
    };
    match session.run(&room).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.code == Some(1044) => Err(Early::Refused(vec![Refusal::new(
            format!(
                "the migration dropped columns, whose values are put aside in a temporary table while rows \
                 are brought up to date; the account may not make one in `{}`",
                plan.names.schema
            ),
            format!(
                "GRANT CREATE TEMPORARY TABLES ON `{}`.* to it",
                plan.names.schema
            ),
        )])),
        Err(fault) => Err(fault.into()),
    }
}

/// The position, and what proves that this is the right log: the rename, or a checkpoint behind it.
fn begins(progress: &Progress) -> Result<Resumed, Early> {
    let gtids =
        match &progress.gtids {
            Some(text) => Some(GtidSet::parse(text).ok_or_else(|| {
                Fault::unexpected("read the checkpoint", "it has no set of GTIDs")
            })?),
            None => None,
        };
    // A run that died right behind the rename has left a checkpoint from before it, which does as well.
    let before = matches!(progress.stage, Stage::Migrating | Stage::Swapped);
    Ok(Resumed {
        checkpoint: Checkpoint {
            number: progress.number,
            spot: 0,
            copied: Copied::Everything,
            passed_over: Vec::new(),
            rows_copied: 0,
        },
        position: Position {
            file: progress.file.clone(),
            offset: progress.offset,
            gtids,
        },
        swap: before.then_some(progress.number),
    })
}

/// What stands beside the positions of a run.
pub(super) fn ways(names: &Names, resumed: Option<&Resumed>) -> Ways {
    let (first, then) = match resumed {
        Some(from) if names.reverts && from.swap.is_some() => (Stage::Swapped, Stage::Reverting),
        Some(_) if names.reverts => (Stage::Reverting, Stage::Reverting),
        Some(_) | None => (Stage::Migrating, Stage::Migrating),
    };
    Ways {
        first,
        then,
        old_table: names.with_old_shape().to_owned(),
    }
}

/// Marked, because whoever follows the log from the swap on reads of it.
async fn make_changelog(session: &mut Session, names: &Names) -> Result<(), Fault> {
    let mark = session.mark().to_owned();
    let marked = |statement: Statement| Statement {
        text: format!("{} /* {mark} */", statement.text),
        ..statement
    };
    let drop = marked(drop_table(&names.schema, &names.changelog));
    session
        .run_for(&drop, limits::LONG_STATEMENT_TIMEOUT)
        .await?;
    session.run(&marked(create_changelog(names))).await?;
    session.run(&sign_changelog(names, &mark)).await?;
    Ok(())
}

/// Says of each row that doesn't fit why not, in the server's words: it is tried again, and rolled back.
pub(super) async fn name_misfits(
    address: &Address,
    plan: &Plan,
    failure: &mut Failure,
    keys: &[Key],
) {
    if failure.about != About::Misfits {
        return;
    }
    let mut rows = Vec::new();
    let mut session = open(address, "worker", plan).await.ok();
    for key in keys {
        let named = shown(key, &plan.key.columns);
        let why = match &mut session {
            Some(session) => why_not(session, plan, key).await,
            None => None,
        };
        rows.push(match why {
            Some(why) => format!("{named}: {why}"),
            None => named,
        });
    }
    let more = if keys.len() > limits::MISFITS_MAX {
        " or more"
    } else {
        ""
    };
    failure.what = format!(
        "{}{more} rows can't go back to `{}`: {}",
        keys.len(),
        plan.names.ghost,
        rows.join("; ")
    );
}

async fn why_not(session: &mut Session, plan: &Plan, key: &Key) -> Option<String> {
    let sql = Sql::new(plan);
    let keys = std::slice::from_ref(key);
    let mut statements = sql.make_room();
    statements.extend(sql.put_aside(keys).ok()?);
    statements.push(sql.delete(keys).ok()?);
    statements.extend(sql.replace(keys).ok()?);
    session.say("begin", "START TRANSACTION").await.ok()?;
    let mut why = None;
    for statement in statements {
        match session.run(&statement).await {
            // That was it: the statement for rows that weren't there before has nothing to do.
            Ok(answer) if statement.name == "refresh rows" && answer.records == Some(1) => break,
            Ok(_) => {}
            Err(fault) => {
                let definite = fault.kind == FaultKind::Definite;
                why = definite.then(|| fault.message.trim_end_matches(" at row 1").to_owned());
                break;
            }
        }
    }
    session.say("roll back", "ROLLBACK").await.ok()?;
    why
}
