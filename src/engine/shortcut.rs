//! What needs no copy: changes that the server makes by itself without touching rows, and changes that
//! leave the table as it is. Both are found out on the empty ghost. A change by the server is the one thing
//! that alters the original itself; it is made at once and completely, or not at all.

use std::time::Duration;

use super::Early;
use super::blockers::blocker;
use super::prepare::{PLAIN_MODE, ddl_mode, set_mode};
use crate::config::Config;
use crate::core::event::Failure;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::inspect;
use crate::mysql::session::Session;
use crate::plan::alter::Alter;
use crate::plan::alter::clauses::{clauses, given_already, same_lines, shows_in_definition};
use crate::plan::inspection::{Inspection, Server, Table};
use crate::plan::names::Names;
use crate::plan::shortcut::{
    Became, Direct, Ids, Native, Shortcuts, became, innodb_name, metadata_only, speaks_against,
};
use crate::plan::{Companions, Plan};
use crate::report::{Level, Reporter};
use crate::sql::cutover::{blockers, without_counter};
use crate::sql::helpers::{alter_ghost, alter_original, innodb_ids, try_on_ghost};

/// Why the table mustn't be altered directly, or `None` if it may be; tells it.
pub(super) fn forbidden(
    config: &Config,
    facts: &Inspection,
    alter: &Alter,
    reporter: &Reporter,
) -> Option<String> {
    let why = speaks_against(config.course(), &config.wishes, facts, alter)?;
    match config.shortcuts {
        Shortcuts::Off => {}
        Shortcuts::Usual => {
            reporter.log(
                Level::Debug,
                format!("the table isn't altered directly: {why}"),
            );
        }
        Shortcuts::Asked => reporter.warn(format!("--attempt-instant-ddl: not tried: {why}")),
    }
    Some(why)
}

/// The ghost after the ALTER, and how the server can do the same to the original.
pub(super) struct Altered {
    pub ghost: Table,
    pub direct: Direct,
}

/// Gives the empty ghost its new shape, in the way that touches least.
///
/// # Errors
/// When the server refuses the ALTER, or the ghost is gone; or because the table has its shape already.
pub(super) async fn alter_the_ghost(
    session: &mut Session,
    names: &Names,
    (alter, original, text): (&Alter, &Table, &str),
    (facts, config, shortcuts): (&Inspection, &Config, bool),
) -> Result<Altered, Early> {
    let before = inspect::definition(session, &names.schema, &names.ghost).await?;
    let mode = ddl_mode(&facts.server.sql_mode, config.wishes.misfits);
    set_mode(session, &mode).await?;
    let altered = alter_somehow(session, names, text, shortcuts).await;
    let (native, why_not) = match altered {
        Ok(way) => way,
        Err(fault) => {
            let there = matches!(fault.code, Some(1060 | 1061)) && config.backfills.is_empty();
            if there && has_it_already(session, names, &before, text).await? {
                return Err(Early::NothingToDo);
            }
            set_mode(session, PLAIN_MODE).await?;
            return Err(super::prepare::refused_alter(fault));
        }
    };
    set_mode(session, PLAIN_MODE).await?;
    let ghost = inspect::table(session, &names.schema, &names.ghost)
        .await?
        .ok_or_else(super::prepare::ghost_gone)?;
    // A foreign key that is to be given up isn't shown by a ghost.
    let keys_go =
        config.wishes.foreign_keys == Companions::DealtWith && !facts.foreign_keys.is_empty();
    let same = without_counter(&before) == without_counter(&ghost.definition);
    // Values that a backfill gives don't show in a definition.
    let values_stay = config.backfills.is_empty();
    if same && values_stay && !keys_go && shows_in_definition(&clauses(&alter.clauses)) {
        return Err(Early::NothingToDo);
    }
    // What happened in place was tried for every ALTER that the server took so; most of them aren't to be
    // done to the original in this way.
    let native =
        native.filter(|native| *native == Native::AtOnce || metadata_only(alter, original, &ghost));
    Ok(Altered {
        ghost,
        direct: Direct {
            native,
            why_not,
            unasked: String::new(),
        },
    })
}

/// Tries INSTANT, then INPLACE, then whatever the server takes. INPLACE counts only if the ghost stayed the
/// same table, and got no index. The text is why it has to be a copy.
async fn alter_somehow(
    session: &mut Session,
    names: &Names,
    text: &str,
    shortcuts: bool,
) -> Result<(Option<Native>, String), Fault> {
    let mut why = String::new();
    if shortcuts {
        let Some(refusal) = tried(session, names, Native::AtOnce, text).await? else {
            return Ok((Some(Native::AtOnce), why));
        };
        why = refusal.message;
        // Who can't read the numbers can't tell a rebuild either.
        if let Some(before) = numbers(session, names).await?
            && tried(session, names, Native::InPlace, text)
                .await?
                .is_none()
        {
            let after = numbers(session, names).await?;
            let proved = after.is_some_and(|after| after.nothing_new(&before));
            return Ok((proved.then_some(Native::InPlace), why));
        }
    }
    session
        .run_for(&alter_ghost(names, text), limits::LONG_STATEMENT_TIMEOUT)
        .await?;
    Ok((None, why))
}

/// Tries one way on the ghost; what the server has against it is returned.
async fn tried(
    session: &mut Session,
    names: &Names,
    native: Native,
    text: &str,
) -> Result<Option<Fault>, Fault> {
    let statement = try_on_ghost(names, native, text);
    match session
        .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
        .await
    {
        Ok(_) => Ok(None),
        Err(fault) if fault.kind == FaultKind::Definite => Ok(Some(fault)),
        Err(fault) => Err(fault),
    }
}

/// The ghost's numbers, if they can be read: that takes the privilege PROCESS, and a plain name.
async fn numbers(session: &mut Session, names: &Names) -> Result<Option<Ids>, Fault> {
    let Some(name) = innodb_name(&names.schema, &names.ghost) else {
        return Ok(None);
    };
    let answer = match session.run(&innodb_ids(&name)).await {
        Ok(answer) => answer,
        Err(fault) if fault.kind == FaultKind::Definite => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let Some(table) = answer.number(0, 0) else {
        return Ok(None);
    };
    let indexes = (0..answer.rows.len()).filter_map(|row| answer.number(row, 1));
    Ok(Some(Ids {
        table,
        indexes: indexes.collect(),
    }))
}

/// The server says that a column or an index is there: whether all that the ALTER adds is there, and is
/// what the ALTER says. Leaves the ghost in any shape.
async fn has_it_already(
    session: &mut Session,
    names: &Names,
    before: &str,
    text: &str,
) -> Result<bool, Fault> {
    let Some(again) = given_already(text) else {
        return Ok(false);
    };
    let statement = alter_ghost(names, &again);
    match session
        .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
        .await
    {
        Ok(_) => {}
        Err(fault) if fault.kind == FaultKind::Definite => return Ok(false),
        Err(fault) => return Err(fault),
    }
    let after = inspect::definition(session, &names.schema, &names.ghost).await?;
    Ok(same_lines(
        &without_counter(before),
        &without_counter(&after),
    ))
}

/// Alters the original. Returns whether it has its new shape.
///
/// # Errors
/// When it isn't known whether it has.
pub(super) async fn attempt(
    session: &mut Session,
    (plan, native): (&Plan, Native),
    (config, alter, server): (&Config, &Alter, &Server),
    reporter: &Reporter,
) -> Result<bool, Early> {
    reporter.info(format!(
        "the server can make this change by itself ({}): the table is altered directly, and there will be no \
         old table to go back to",
        native.clauses()
    ));
    let mode = ddl_mode(&server.sql_mode, config.wishes.misfits);
    let settings = format!(
        "SET SESSION sql_mode='{mode}', lock_wait_timeout={}",
        limits::SHORTCUT_LOCK_SECONDS
    );
    session.say("set the session up", &settings).await?;
    let done = tries(session, plan, (alter, native), reporter).await?;
    if !done {
        let settings = format!("SET SESSION sql_mode='{PLAIN_MODE}', lock_wait_timeout=30");
        session.say("set the session up", &settings).await?;
    }
    Ok(done)
}

async fn tries(
    session: &mut Session,
    plan: &Plan,
    (alter, native): (&Alter, Native),
    reporter: &Reporter,
) -> Result<bool, Early> {
    let statement = alter_original(&plan.names, native, &alter.clauses);
    for number in 0..limits::SHORTCUT_TRIES {
        if number > 0 {
            tokio::time::sleep(limits::SHORTCUT_PAUSE).await;
        }
        // Asked for while somebody is in the way, everybody would queue behind it.
        if in_the_way(session, &plan.names, reporter).await? {
            continue;
        }
        match session.run(&statement).await {
            Ok(_) => return Ok(true),
            Err(fault) if fault.kind == FaultKind::Conflict => reporter.warn(fault.to_string()),
            Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
                return settled(session, plan, fault).await;
            }
            Err(fault) => {
                reporter.info(format!(
                    "not possible {}, so it is migrated: {fault}",
                    native.adverb()
                ));
                return Ok(false);
            }
        }
    }
    reporter
        .warn("others use the table all the time, so it is migrated instead of altered directly");
    Ok(false)
}

async fn in_the_way(
    session: &mut Session,
    names: &Names,
    reporter: &Reporter,
) -> Result<bool, Fault> {
    let answer = session.run(&blockers(names, &[])).await?;
    let mut found = (0..answer.rows.len()).map(|row| blocker(&answer, row));
    let longest = Duration::from_secs(1).as_secs();
    let one = found.find(|one| one.seconds > longest || one.id == 0);
    if let Some(one) = &one {
        reporter.warn(one.sentence(&names.original));
    }
    Ok(one.is_some())
}

/// The answer was lost: the definition tells, once the connection is gone for certain.
async fn settled(session: &mut Session, plan: &Plan, fault: Fault) -> Result<bool, Early> {
    let now = look_again(session, &plan.names)
        .await
        .map_err(|unseen| Early::Unsettled(lost(&fault, &unseen.to_string())))?;
    // The advisory lock went with the connection; whoever cleans up has to take it again.
    session.close();
    match now.map(|now| became(&now, plan)) {
        Some(Became::Changed) => Ok(true),
        Some(Became::Unchanged) => Err(fault.into()),
        Some(Became::Another) => Err(Early::Unsettled(lost(
            &fault,
            "the table has neither its old shape nor the new one, so somebody else altered it as well",
        ))),
        None => Err(Early::Unsettled(lost(&fault, "the table isn't there"))),
    }
}

async fn look_again(session: &mut Session, names: &Names) -> Result<Option<Table>, Fault> {
    session.reopen().await?;
    inspect::table(session, &names.schema, &names.original).await
}

fn lost(fault: &Fault, then: &str) -> Failure {
    Failure::new(
        format!("the answer to the ALTER of the table was lost ({fault}), and then: {then}"),
        "look at SHOW CREATE TABLE",
    )
}
