//! Going on where an earlier run was: whether that is possible, and with which plan.
//!
//! Nothing here drops or remakes a helper table. The log between the checkpoint and now is still to be read,
//! and a DDL in it that isn't known by its mark ends the run; above all an error must leave everything as
//! it was for the next try.

use super::prepare::{triggers_of, verifiable};
use super::topology::Route;
use super::{Early, triggers, usual};
use crate::config::Config;
use crate::core::checkpoint::{Checkpoint, Copied};
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::inspect;
use crate::mysql::place::Position;
use crate::mysql::session::{Session, mark_of_table};
use crate::plan::alter::Alter;
use crate::plan::constraints::{CheckNames, Taken};
use crate::plan::gtid::GtidSet;
use crate::plan::indexes::Deferred;
use crate::plan::inspection::{Inspection, Server, Table, same_name};
use crate::plan::key::decode;
use crate::plan::names::Names;
use crate::plan::saved::{self, CopiedTo, Origin, Present, Progress, Saved, Seen};
use crate::plan::{self, Earlier, Plan, Refusal, Zone};
use crate::sql::cutover::without_counter;
use crate::sql::{Sql, quoted, text_literal};

/// Where a run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resumed {
    /// The state.
    pub checkpoint: Checkpoint,
    /// From where the log is read.
    pub position: Position,
    /// On the way back of a migration: the position is before its rename, which stands for the checkpoint
    /// with this number.
    pub swap: Option<u64>,
}

/// A server as it is written down.
pub(super) fn seen(server: &Server) -> Seen {
    Seen {
        uuid: server.uuid.clone(),
        started: server.started,
        flushed: server.flushes_log,
    }
}

/// The earlier run that is to be continued.
pub(super) fn wanted<'a>(facts: &'a Inspection, config: &Config) -> Option<&'a Saved> {
    let dropped = config.wishes.earlier == Earlier::Dropped || config.wishes.drop_ghost_first;
    facts
        .saved
        .as_ref()
        .filter(|saved| saved.resumable() && !dropped && config.revert.is_none())
}

/// What speaks against going on.
///
/// # Errors
/// When the server can't be asked.
pub(super) async fn unfit(
    session: &mut Session,
    (config, names, route): (&Config, &Names, &Route),
    (saved, facts): (&Saved, &Inspection),
) -> Result<Vec<Refusal>, Fault> {
    without_guard(session, facts, names).await?;
    let there = |name: &str| {
        let mut found = facts.leftovers.iter();
        found.any(|leftover| same_name(&leftover.name, name))
    };
    let ghost = if there(&names.ghost) {
        let definition = inspect::definition(session, &names.schema, &names.ghost).await?;
        Some(without_counter(&definition))
    } else {
        None
    };
    let original = facts.original.as_ref();
    let log = route.followed.as_ref().map(|followed| &followed.server);
    let present = Present {
        alter: &config.alter,
        original: original.map(|table| without_counter(&table.definition)),
        ghost,
        changelog: there(&names.changelog),
        written: seen(&facts.server),
        log: seen(log.unwrap_or(&facts.server)),
        by_gtids: config.topology.gtid,
    };
    let mut refusals = saved::unfit(saved, &present);
    if let Some(progress) = &saved.progress
        && refusals.is_empty()
    {
        if progress.log.uuid == present.log.uuid {
            refusals.extend(purged(session, route, progress).await?);
        } else {
            refusals.extend(elsewhere(session, progress).await?);
        }
    }
    Ok(refusals)
}

/// The server whose log is followed has dropped what is still to be read of it. Found out before anything is
/// dropped: the stream would say so as well, but in the middle of the run.
async fn purged(
    session: &mut Session,
    route: &Route,
    progress: &Progress,
) -> Result<Option<Refusal>, Fault> {
    let there = match &route.followed {
        None => log_is_there(session, progress).await,
        Some(followed) => {
            let setup = usual("topology", String::new());
            let mut replica = Session::open(&followed.address, setup).await?;
            log_is_there(&mut replica, progress).await
        }
    };
    let there = match there {
        // The check of the privileges tells what is missing.
        Err(fault) if fault.kind == FaultKind::Definite => return Ok(None),
        there => there?,
    };
    Ok((!there).then(|| {
        Refusal::new(
            "binary logs that the earlier run had not read yet are purged, or the log was reset",
            "start over with --no-resume",
        )
    }))
}

/// The log from this place on is still there, as far as the server's word about its GTIDs, or the list of its
/// files, tells. Whether it is the same log is told by what stands in it.
///
/// # Errors
/// When the server can't be asked.
pub(super) async fn log_is_there(
    session: &mut Session,
    progress: &Progress,
) -> Result<bool, Fault> {
    if let Some(read) = &progress.gtids {
        let question = format!(
            "SELECT /* tableshift */ GTID_SUBSET(@@global.gtid_purged, {read}) AND GTID_SUBSET({read}, \
             @@global.gtid_executed)",
            read = text_literal(read)
        );
        let answer = session.say("compare the GTIDs", &question).await?;
        return Ok(answer.number(0, 0) == Some(1));
    }
    let list = session
        .say("list the binary logs", "SHOW BINARY LOGS")
        .await?;
    let mut rows = 0..list.rows.len();
    Ok(rows.any(|row| {
        list.text(row, 0).as_deref() == Some(progress.file.as_str())
            && list.number(row, 1) >= Some(progress.offset)
    }))
}

/// A run that died under the lock may have left the column there that keeps old snapshots out.
pub(super) async fn without_guard(
    session: &mut Session,
    facts: &Inspection,
    names: &Names,
) -> Result<(), Fault> {
    let ghost_there = facts
        .leftovers
        .iter()
        .any(|leftover| same_name(&leftover.name, &names.ghost));
    if !ghost_there {
        return Ok(());
    }
    let definition = inspect::definition(session, &names.schema, &names.ghost).await?;
    let begins = format!("\n  `{}", mark_of_table(&names.advisory_lock()));
    let Some((_, rest)) = definition.split_once(&begins) else {
        return Ok(());
    };
    let end = rest.split('`').next().unwrap_or_default();
    let column = format!("{}{end}", mark_of_table(&names.advisory_lock()));
    let text = format!(
        "ALTER /* tableshift */ TABLE {} DROP COLUMN {} /* {} */",
        crate::sql::qualified(&names.schema, &names.ghost),
        quoted(&column),
        session.mark(),
    );
    session.say("tidy the ghost table up", &text).await?;
    Ok(())
}

/// After a failover: this server must have everything that the checkpoint takes for granted, without a
/// hole. What its rows say was then written before it on the old server came here before it as well.
pub(super) async fn elsewhere(
    session: &mut Session,
    progress: &Progress,
) -> Result<Vec<Refusal>, Fault> {
    let read = progress.gtids.clone().unwrap_or_default();
    let question = format!(
        "SELECT /* tableshift */ GTID_SUBSET({read}, @@global.gtid_executed), \
         GTID_SUBSET(@@global.gtid_purged, {read}), @@global.gtid_executed",
        read = text_literal(&read),
    );
    let answer = session.say("compare the GTIDs", &question).await?;
    let executed = GtidSet::parse(&answer.text(0, 2).unwrap_or_default());
    let whole = executed.is_some_and(|executed| executed.is_whole_of(&progress.written.uuid));
    let mut refusals = Vec::new();
    if answer.number(0, 0) != Some(1) || !whole {
        refusals.push(Refusal::new(
            "this server hasn't applied all transactions of the one that the earlier run was on",
            "wait until it has, or start over with --no-resume",
        ));
    }
    if answer.number(0, 1) != Some(1) {
        refusals.push(Refusal::new(
            "binary logs that the earlier run had not read yet are purged here",
            "start over with --no-resume",
        ));
    }
    Ok(refusals)
}

/// The plan of the earlier run, made again of its ghost.
pub(super) async fn plan(
    session: &mut Session,
    config: &Config,
    (facts, saved): (&Inspection, &Saved),
    (original, alter, names): (Table, &Alter, &Names),
) -> Result<(Plan, Resumed), Early> {
    let (Some(origin), Some(progress)) = (&saved.origin, &saved.progress) else {
        return Err(Early::Refused(Vec::new()));
    };
    let ghost = inspect::table(session, &names.schema, &names.ghost).await?;
    let Some(mut ghost) = ghost else {
        return Err(Fault::unexpected("go on", "the ghost table disappeared").into());
    };
    let deferred = Deferred::between(&origin.ghost, &without_counter(&ghost.definition));
    if deferred.is_some() {
        ghost.definition.clone_from(&origin.ghost);
    }
    let taken = Taken {
        in_schema: &facts.check_names,
        table_names: facts.server.table_names,
    };
    let checks = CheckNames::new(&original, alter, names, &taken);
    let checks = checks.map_err(|refusal| Early::Refused(vec![refusal]))?;
    let given = plan::Given {
        wishes: &config.wishes,
        checks: &checks,
        now: &origin.now,
        now_utc: &origin.now_utc,
    };
    let mut plan =
        plan::make(facts, original, ghost, alter, names.clone(), given).map_err(Early::Refused)?;
    plan.deferred = deferred;
    plan.original_triggers = triggers_of(session, names, &config.wishes).await?;
    verifiable(&plan)?;
    super::backfill::fits(session, &plan, config).await?;
    super::prepare::unchanged(session, &plan).await?;
    if statements(&plan, &facts.server)? != origin.statements {
        return Err(Early::Refused(vec![Refusal::new(
            "the earlier run copied rows by other expressions or settings than this one would: other flags \
             (such as --backfill), another version of tableshift, or other settings of the server",
            "run the command of that run again, or start over with --no-resume",
        )]));
    }
    triggers::drop_left(session, names).await?;
    let resumed = resumed(&plan, progress)?;
    Ok((plan, resumed))
}

fn resumed(plan: &Plan, progress: &Progress) -> Result<Resumed, Early> {
    let unreadable = || {
        let what = "the checkpoint of the earlier run can't be read";
        Early::Refused(vec![Refusal::new(what, "start over with --no-resume")])
    };
    let gtids = match &progress.gtids {
        Some(text) => Some(GtidSet::parse(text).ok_or_else(unreadable)?),
        None => None,
    };
    let copied = match &progress.copied {
        CopiedTo::Nothing => Copied::UpTo(None),
        CopiedTo::Key(key) => Copied::UpTo(Some(key.clone())),
        CopiedTo::End => Copied::Everything,
    };
    let mut keys = progress.passed_over.iter().chain(match &copied {
        Copied::UpTo(key) => key.as_ref(),
        Copied::Everything => None,
    });
    if keys.any(|key| decode(key, &plan.key.columns).is_err()) {
        return Err(unreadable());
    }
    Ok(Resumed {
        checkpoint: Checkpoint {
            number: progress.number,
            spot: 0,
            copied,
            passed_over: progress.passed_over.clone(),
            rows_copied: progress.rows_copied,
        },
        position: Position {
            file: progress.file.clone(),
            offset: progress.offset,
            gtids,
        },
        swap: None,
    })
}

/// What the migration is, to be written down.
pub(super) fn origin(
    config: &Config,
    (plan, server): (&Plan, &Server),
    (now, now_utc): &(String, String),
) -> Result<Origin, Fault> {
    Ok(Origin {
        alter: config.alter.clone(),
        original: without_counter(&plan.original.definition),
        ghost: without_counter(&plan.ghost.definition),
        statements: statements(plan, server)?,
        now: now.clone(),
        now_utc: now_utc.clone(),
    })
}

/// By which expressions and settings rows are copied and paired. In another time zone they would come out
/// otherwise.
fn statements(plan: &Plan, server: &Server) -> Result<String, Fault> {
    let text = Sql::new(plan)
        .fingerprint()
        .map_err(|error| Fault::unexpected("describe the migration", error.to_string()))?;
    let zone = match plan.zone {
        Zone::Utc => "UTC",
        Zone::Server if server.time_zone_is_utc => "server, UTC",
        Zone::Server => &server.time_zone,
    };
    let mode = plan.conversion.sql_mode();
    let settings = &server.expression_settings;
    let notes = saved::note_backfilled(&plan.columns.backfilled);
    Ok(format!("{text}\n{mode}\n{zone}\n{settings}{notes}"))
}
