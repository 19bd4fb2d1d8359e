//! `tableshift diff`, and the first step of `migrate --schema`: the ALTER that makes the table what a file says.
//!
//! The server reads the file: the table in it is made, empty, under a name of ours, and both definitions are
//! compared as the server shows them. Then the ALTER is tried on an empty copy of the table, which must have
//! the wanted definition afterwards.

use std::io::Write;

use anyhow::Context;

use super::clock::unlike_others;
use super::prepare::{PLAIN_MODE, advisory_lock, ddl_mode, refused_alter, set_mode};
use super::{Early, clean, names, topology, usual};
use crate::config::{Config, Desired};
use crate::error::{Report, not_started, nothing_to_do, refused, unsettled};
use crate::limits;
use crate::mysql::address::{Account, Address};
use crate::mysql::inspect;
use crate::mysql::session::{Session, mark_of_table};
use crate::plan::Refusal;
use crate::plan::alter::create::Create;
use crate::plan::constraints::checks_of;
use crate::plan::conversion::Misfits;
use crate::plan::desired::{Changes, changes, unlike};
use crate::plan::history::without_passwords;
use crate::plan::inspection::{Table, same_name};
use crate::plan::leftovers::CHANGELOG_COMMENT;
use crate::plan::names::Names;
use crate::report::{Format, Level, Reporter};
use crate::sql::{Statement, helpers, qualified, quoted};

/// Exit codes of `tableshift diff`: those of diff(1).
mod code {
    pub(super) const SAME: u8 = 0;
    pub(super) const DIFFERS: u8 = 1;
    pub(super) const TROUBLE: u8 = 2;
}

/// Prints the ALTER, and returns the exit code.
///
/// # Errors
/// When the system refuses threads, or nobody takes what is written.
pub fn run(config: &Config, mut out: impl Write, mut err: impl Write) -> anyhow::Result<u8> {
    let Some(wanted) = &config.wanted else {
        anyhow::bail!("no file to compare with");
    };
    let (reporter, thread) =
        Reporter::start_as(Level::Warn, Format::Text).context("starting the reporter")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let compared = runtime.block_on(async {
        let address = address(config);
        compare(config, &address, &wanted.create, &reporter).await
    });
    // The thread ends when nobody can report any more.
    drop(reporter);
    thread.finish();
    let (changes, _) = match compared {
        Ok(compared) => compared,
        Err(early) => {
            writeln!(err, "{}", told(&early, &names(config, None)).text)?;
            return Ok(code::TROUBLE);
        }
    };
    for what in &changes.beyond {
        writeln!(err, "warning: {what}; the ALTER leaves that as it is")?;
    }
    for column in &changes.dropped {
        writeln!(err, "warning: {}", lost(column))?;
    }
    if changes.none() {
        return Ok(code::SAME);
    }
    let table = qualified(&config.database, &config.table);
    if !changes.text().is_empty() {
        writeln!(out, "ALTER TABLE {table}\n  {};", changes.text())?;
    }
    Ok(code::DIFFERS)
}

fn lost(column: &str) -> String {
    format!(
        "column {} is dropped with its values; if it was renamed, say so in an ALTER of your own (RENAME COLUMN)",
        quoted(column)
    )
}

fn address(config: &Config) -> Address {
    let account = Account::fixed(&config.user, &config.password);
    let lock = names(config, None).advisory_lock();
    let token = format!("{}{:016x}", mark_of_table(&lock), unlike_others());
    Address {
        tls: config.tls.clone(),
        connect_timeout: config.connect_timeout.unwrap_or(limits::CONNECT_TIMEOUT),
        ..Address::new(&config.host, config.port, account, token)
    }
}

fn told(early: &Early, names: &Names) -> Report {
    match early {
        Early::Refused(refusals) => refused(refusals),
        Early::Failed(failure) => not_started(failure),
        Early::Unsettled(failure) => unsettled(failure, names),
        Early::Altered { .. } | Early::NothingToDo => nothing_to_do(names),
    }
}

/// The configuration with the ALTER in place of the file.
///
/// # Errors
/// The end of the run: there is nothing to do, or it isn't possible.
pub(super) async fn resolved(config: Config, reporter: &Reporter) -> Result<Config, Report> {
    let names = names(&config, None);
    wanted(config, reporter)
        .await
        .map_err(|early| told(&early, &names))
}

/// The same, for those who tell the end in their own way.
pub(super) async fn wanted(mut config: Config, reporter: &Reporter) -> Result<Config, Early> {
    let Some(wanted) = config.wanted.clone() else {
        return Ok(config);
    };
    let names = names(&config, None);
    let (alter, live) = alter_for(&config, &names, &wanted, reporter).await?;
    let shown = without_passwords(&alter);
    reporter.info(format!("ALTER from the file: {shown}"));
    config.alter = alter;
    config.seen = Some(live.definition);
    Ok(config)
}

async fn alter_for(
    config: &Config,
    names: &Names,
    wanted: &Desired,
    reporter: &Reporter,
) -> Result<(String, Table), Early> {
    let route = topology::find(config, names, &address(config), reporter).await?;
    let (changes, live) = compare(config, &route.written, &wanted.create, reporter).await?;
    if changes.none() {
        return Err(same_already(config));
    }
    let mut refusals: Vec<Refusal> = changes
        .beyond
        .iter()
        .map(|what| {
            Refusal::new(
                what.clone(),
                "change that by a plain ALTER first, or write the file as the table is",
            )
        })
        .collect();
    if !wanted.drop_columns {
        let dropped = changes.dropped.iter();
        refusals.extend(dropped.map(|column| {
            Refusal::new(
                lost(column),
                "add --allow-drop-columns if its values may go",
            )
        }));
    }
    if refusals.is_empty() {
        Ok((changes.text(), live))
    } else {
        Err(Early::Refused(refusals))
    }
}

/// There is nothing to do, unless columns were to get values.
fn same_already(config: &Config) -> Early {
    if config.backfills.is_empty() {
        return Early::NothingToDo;
    }
    Early::Refused(vec![Refusal::new(
        "--backfill: the table is what the file says already, so no column is added or changed, and none would be \
         filled",
        "leave --backfill out if a run has filled them; to give a column new values, MODIFY it in an ALTER of your \
         own (--alter)",
    )])
}

/// Compares the table with the file; leaves nothing on the server.
async fn compare(
    config: &Config,
    address: &Address,
    create: &Create,
    reporter: &Reporter,
) -> Result<(Changes, Table), Early> {
    let original = names(config, None);
    let names = Names::compared(&original.schema, &original.original);
    let mut session = Session::open(address, usual("main", PLAIN_MODE.into())).await?;
    advisory_lock(&mut session, &names).await?;
    make_room(&mut session, &names).await?;
    let compared = compare_by(&mut session, &names, create).await;
    if clean::drop_helpers(&mut session, &names, reporter).await {
        reporter.warn("tableshift cleanup drops what is left over");
    }
    compared
}

/// Drops what a comparison has left that was killed; this one is alone, and never touches what isn't ours.
async fn make_room(session: &mut Session, names: &Names) -> Result<(), Early> {
    let changelog = inspect::table(session, &names.schema, &names.changelog).await?;
    let ghost = inspect::table(session, &names.schema, &names.ghost).await?;
    let ours = changelog.as_ref().is_some_and(|table| {
        table
            .definition
            .ends_with(&format!("COMMENT='{CHANGELOG_COMMENT}'"))
    });
    let foreign = match (&changelog, &ghost) {
        _ if ours => None,
        (Some(table), _) | (None, Some(table)) => Some(table),
        (None, None) => None,
    };
    if let Some(table) = foreign {
        return Err(Early::Refused(vec![Refusal::new(
            format!(
                "table `{}`.`{}` is not one of ours",
                names.schema, table.name
            ),
            "its name is needed for a moment: rename it",
        )]));
    }
    for table in [ghost, changelog].into_iter().flatten() {
        let statement = helpers::drop_table(&names.schema, &table.name);
        session.run(&statement).await?;
    }
    Ok(())
}

async fn compare_by(
    session: &mut Session,
    names: &Names,
    create: &Create,
) -> Result<(Changes, Table), Early> {
    let server = inspect::server(session).await?;
    let live = inspect::table(session, &names.schema, &names.original)
        .await?
        .filter(|table| table.kind == "BASE TABLE" && same_name(&table.name, &names.original))
        .ok_or_else(|| no_table(names))?;
    session.run(&helpers::create_changelog(names)).await?;
    let signature = helpers::sign_changelog(names, session.mark());
    session.run(&signature).await?;
    let mode = ddl_mode(&server.sql_mode, Misfits::Refused);
    set_mode(session, &mode).await?;
    let wanted = as_shown(session, names, create).await?;
    let changes = changes(&live, &wanted);
    if !changes.text().is_empty() {
        prove(session, names, &changes, &wanted).await?;
    }
    Ok((changes, live))
}

fn no_table(names: &Names) -> Early {
    Early::Refused(vec![Refusal::new(
        format!(
            "table `{}`.`{}` doesn't exist",
            names.schema, names.original
        ),
        "check --database and --table, and that the account may see the table; a new table needs no migration",
    )])
}

/// The table of the file as the server shows it, under the names that it has in the file.
async fn as_shown(session: &mut Session, names: &Names, create: &Create) -> Result<Table, Early> {
    let (body, pairs) = create.body_with(|number| format!("{}{number}", names.ghost));
    let place = qualified(&names.schema, &names.ghost);
    let statement = Statement::new(
        "create the wanted table",
        format!("CREATE /* tableshift */ TABLE {place} {body}"),
    );
    session
        .run_for(&statement, limits::LONG_STATEMENT_TIMEOUT)
        .await
        .map_err(unreadable)?;
    let wanted = inspect::table(session, &names.schema, &names.ghost)
        .await?
        .ok_or_else(super::prepare::ghost_gone)?;
    session
        .run(&helpers::drop_table(&names.schema, &names.ghost))
        .await?;
    let mut definition = wanted.definition.clone();
    for (temporary, own) in &pairs {
        for word in ["CONSTRAINT", "KEY"] {
            let (from, to) = (quoted(temporary), quoted(own));
            definition =
                definition.replace(&format!("  {word} {from} "), &format!("  {word} {to} "));
        }
    }
    for suffix in ["_chk_", "_ibfk_"] {
        let begin = |table: &str| {
            format!(
                "  CONSTRAINT {}",
                quoted(&format!("{table}{suffix}")).trim_end_matches('`')
            )
        };
        definition = definition.replace(&begin(&names.ghost), &begin(&names.original));
    }
    Ok(Table {
        definition,
        ..wanted
    })
}

fn unreadable(fault: crate::mysql::classify::Fault) -> Early {
    match refused_alter(fault) {
        Early::Refused(refusals) => {
            let of_file = |refusal: Refusal| {
                let what = refusal
                    .what
                    .replacen("the ALTER", "the CREATE TABLE in the file", 1);
                Refusal::new(what, "correct the file")
            };
            Early::Refused(refusals.into_iter().map(of_file).collect())
        }
        other => other,
    }
}

/// Tries the ALTER on an empty copy: it must become what is wanted. CHECK constraints are left out, because
/// their names belong to the table itself.
async fn prove(
    session: &mut Session,
    names: &Names,
    changes: &Changes,
    wanted: &Table,
) -> Result<(), Early> {
    let text = changes.text_without_checks();
    session.run(&helpers::create_ghost(names)).await?;
    let copy = inspect::definition(session, &names.schema, &names.ghost).await?;
    let checks = checks_of(&copy);
    if !checks.is_empty() {
        session.run(&helpers::drop_checks(names, &checks)).await?;
    }
    if !text.is_empty() {
        session
            .run_for(
                &helpers::alter_ghost(names, &text),
                limits::LONG_STATEMENT_TIMEOUT,
            )
            .await
            .map_err(refused_alter)?;
    }
    let copy = inspect::table(session, &names.schema, &names.ghost)
        .await?
        .ok_or_else(super::prepare::ghost_gone)?;
    let unlike = unlike(&copy, wanted);
    if unlike.is_empty() {
        return Ok(());
    }
    Err(Early::Refused(vec![Refusal::new(
        format!(
            "the ALTER that was found doesn't make the table what the file says (+ is wanted, - came out): {}",
            unlike.join("; ")
        ),
        "write the ALTER yourself (--alter), and report this as a bug with both definitions",
    )]))
}

/// The table is still what the ALTER was made for.
pub(super) fn altered_since(config: &Config, original: &Table) -> Option<Refusal> {
    let plain = crate::sql::cutover::without_counter;
    let seen = config.seen.as_ref()?;
    (plain(seen) != plain(&original.definition)).then(|| {
        Refusal::new(
            "somebody altered the table since it was compared with the file",
            "run the command again",
        )
    })
}
