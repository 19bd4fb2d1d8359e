//! Asks the server about the expressions of `--backfill`, before anything is written: whether each depends on
//! the row alone, and what it gives.
//!
//! By temporary tables without rows: they are in no log, so an earlier run can still be gone on from, and end
//! with the connection.

use super::Early;
use crate::config::Config;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Session;
use crate::plan::backfill::{self, Backfill, Typed, type_of};
use crate::plan::findings::listed;
use crate::plan::history::{Kind, recorded};
use crate::plan::inspection::{Inspection, Table, same_name};
use crate::plan::names::Names;
use crate::plan::{Plan, Refusal};
use crate::sql::backfill::Trial;
use crate::sql::batch::last_run;
use crate::sql::{Sql, verify};

/// What the server makes of the expressions, or all that speaks against them.
///
/// # Errors
/// When the server can't be asked.
pub(super) async fn typed(
    session: &mut Session,
    config: &Config,
    names: &Names,
    original: &Table,
) -> Result<(Vec<Typed>, Vec<Refusal>), Fault> {
    if config.backfills.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let trial = Trial::new(names, original);
    session.run(&trial.drop_columns()).await?;
    if let Err(fault) = session.run(&trial.make_columns()).await {
        return match may_not(&fault, names) {
            Some(refusal) => Ok((Vec::new(), vec![refusal])),
            None => Err(fault),
        };
    }
    let (mut typed, mut refusals) = (Vec::new(), backfill::filled_twice(&config.backfills));
    for backfill in &config.backfills {
        let unfit = backfill.unfit(original);
        if !unfit.is_empty() {
            // The server isn't sent what might do something.
            refusals.extend(unfit);
            continue;
        }
        match one(session, &trial, backfill, original).await {
            Ok(found) => typed.push(found),
            Err(fault) if fault.kind == FaultKind::Definite && fault.code.is_some() => {
                refusals.push(refused(backfill, &fault));
            }
            Err(fault) => return Err(fault),
        }
    }
    session.run(&trial.drop_columns()).await?;
    Ok((typed, refusals))
}

/// A run that was killed behind its swap, or one by cron, would fill from what is filled already, and no
/// definition shows that. The history does, and what the last run has left.
///
/// # Errors
/// When the server can't be asked.
pub(super) async fn done_before(
    session: &mut Session,
    (config, names): (&Config, &Names),
    facts: &Inspection,
) -> Result<Option<Refusal>, Fault> {
    let (Some(original), Some(history)) = (&facts.original, &config.history) else {
        return Ok(None);
    };
    let mut backfills = config.backfills.iter();
    if names.reverts || !backfills.any(|one| original.column(&one.column).is_some()) {
        return Ok(None);
    }
    let backfills = config.backfills.iter().map(|one| one.text.as_str());
    let text = recorded(&config.alter, backfills);
    let last = last_run(history, &names.schema, &names.original, &text);
    let last = match session.run(&last).await {
        Ok(last) => last,
        // There is no history, or none that may be read.
        Err(fault) if fault.kind == FaultKind::Definite => return Ok(None),
        Err(fault) => return Err(fault),
    };
    // The rename makes the ghost the table.
    let mut left = facts.leftovers.iter();
    let unswapped = left.any(|table| same_name(&table.name, &names.ghost));
    // A rehearsal leaves the table as it was.
    if last.text(0, 3).as_deref() == Some(Kind::Test.word()) {
        return Ok(None);
    }
    let done = match last.text(0, 0).as_deref() {
        Some("completed") => true,
        // It could not say how it ended.
        Some("running" | "unknown") => !unswapped,
        Some(_) | None => false,
    };
    Ok((done && last.number(0, 1) == Some(1)).then(|| {
        Refusal::new(
            "the history has this ALTER with these backfills as the last run on the table, done or killed when \
             its swap may have been: filled from columns that are filled already, they would hold other values",
            "look at the table; if it is to be filled once more, add --no-history",
        )
    }))
}

async fn one(
    session: &mut Session,
    trial: &Trial,
    backfill: &Backfill,
    original: &Table,
) -> Result<Typed, Fault> {
    session.run(&trial.constrain(backfill, original)).await?;
    let pieces = backfill.pieces(original);
    session.run(&trial.drop_result()).await?;
    session.run(&trial.make_result(&pieces)).await?;
    let shown = session.run(&trial.result()).await?;
    session.run(&trial.drop_result()).await?;
    let column_type = shown.text(0, 1).unwrap_or_default();
    Ok(Typed {
        column: backfill.column.clone(),
        from: type_of(&column_type, shown.text(0, 2).as_deref()),
        pieces,
        reads: backfill.reads(original),
    })
}

/// The account may not make temporary tables.
fn may_not(fault: &Fault, names: &Names) -> Option<Refusal> {
    (fault.code == Some(1044)).then(|| {
        Refusal::new(
            format!(
                "--backfill is tried in a temporary table, and the account may not make one in `{}`",
                names.schema
            ),
            format!("GRANT CREATE TEMPORARY TABLES ON `{}`.* to it", names.schema),
        )
    })
}

/// The server's word about an expression. Its messages speak of the constraint by which it was asked.
fn refused(backfill: &Backfill, fault: &Fault) -> Refusal {
    let message = &fault.message;
    let mut next = "write an expression over the columns that the table has before the ALTER; docs/backfill.md lists \
                    the functions";
    let what = match fault.code {
        // What isn't built in is looked for among the stored functions of a default schema, which sessions
        // haven't.
        Some(1046 | 1305) => {
            next = "use another one: SHA2() for MD5() and SHA1(), which newer servers have as loadable functions \
                    only";
            format!(
                "this server has no built-in function of this name, and others aren't used: {}",
                backfill.functions().join(", ")
            )
        }
        Some(3854) => {
            next = "write CONVERT(… USING utf8mb4) for that column";
            "a literal has characters that the column beside it can't have in its character set"
                .to_owned()
        }
        Some(3814 | 3815) => {
            let function = message.rsplit("function").next().unwrap_or_default();
            let function = function.trim_matches([':', '.', ' ']);
            format!(
                "the server doesn't let an expression use {}",
                match function {
                    "" => "a subquery or such a function",
                    function => function,
                }
            )
        }
        Some(1054) => message.split(" in '").next().unwrap_or_default().to_owned(),
        Some(_) | None => message.clone(),
    };
    Refusal::new(
        format!(
            "--backfill of `{}`: {what} ({})",
            backfill.column,
            fault.code.unwrap_or_default()
        ),
        next,
    )
}

/// The expressions beside all the tables that they stand beside later, and the conversion to their columns.
///
/// # Errors
/// A refusal, or when the server can't be asked.
pub(super) async fn fits(session: &mut Session, plan: &Plan, config: &Config) -> Result<(), Early> {
    let mut refusals: Vec<Refusal> = plan
        .columns
        .backfilled
        .iter()
        .filter(|column| !verify::verifiable(&column.types))
        .map(|column| {
            let (from, to) = (&column.types.from, &column.types.to);
            Refusal::new(
                format!(
                    "--backfill of `{}`: the expression gives {}, the column is {}, and what the server makes of \
                     that can't be verified",
                    to.name, from.column_type, to.column_type
                ),
                "let the expression give the column's type: CAST(… AS …)",
            )
        })
        .collect();
    if config.revert_window.is_some() {
        refusals.extend(no_way_back(plan));
    }
    if !refusals.is_empty() {
        return Err(Early::Refused(refusals));
    }
    let Some(statement) = Sql::new(plan).try_backfills() else {
        return Ok(());
    };
    match session.run(&statement).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.kind == FaultKind::Definite && fault.code.is_some() => {
            Err(Early::Refused(vec![Refusal::new(
                format!("--backfill: {}", fault.message),
                "put the names of columns in back-quotes",
            )]))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// What a column held before it was backfilled can't be computed for rows that change afterwards.
fn no_way_back(plan: &Plan) -> Option<Refusal> {
    let replaced = plan.columns.backfilled.iter().filter(|one| one.replaces);
    let names: Vec<String> = replaced.map(|one| one.types.to.name.clone()).collect();
    (!names.is_empty()).then(|| {
        Refusal::new(
            format!(
                "--backfill gives other values to {}, which a revert couldn't take back",
                listed(&names)
            ),
            "leave --revert-window out",
        )
    })
}
