//! `tableshift cleanup`: helper tables and control sockets of runs that are over.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context;

use super::usual;
use crate::config::Cleanup;
use crate::control::socket;
use crate::error::exit;
use crate::limits;
use crate::mysql::address::{Account, Address, MARKS};
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::Session;
use crate::plan::leftovers::{CHANGELOG_COMMENT, Remains, Table, base_of, lock_of, sort};
use crate::plan::names::Names;
use crate::sql::helpers::drop_table;
use crate::sql::leftovers::{changelog, lock, tables};

/// Lists, asks, drops. Returns the exit code.
///
/// # Errors
/// When the system refuses threads, or nobody takes what is written.
pub fn run(wanted: &Cleanup, mut out: impl Write) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let done = runtime.block_on(clean_up(wanted, &mut out));
    match done {
        Ok(code) => Ok(code),
        Err(Trouble::Server(fault)) => {
            writeln!(
                out,
                "error: {fault}\n  data:  only what is reported above as dropped was dropped\n  next:  \
                 see that the server can be reached and the account may see and drop the tables"
            )?;
            Ok(exit::FAILED)
        }
        Err(Trouble::Output(error)) => Err(error).context("writing the list"),
    }
}

enum Trouble {
    Server(Fault),
    Output(std::io::Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Server(fault)
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

async fn clean_up(wanted: &Cleanup, out: &mut impl Write) -> Result<u8, Trouble> {
    let config = &wanted.config;
    let account = Account::fixed(&config.user, &config.password);
    // No run's mark: nobody is to take this for a migration.
    let address = Address {
        tls: config.tls.clone(),
        connect_timeout: config.connect_timeout.unwrap_or(limits::CONNECT_TIMEOUT),
        ..Address::new(&config.host, config.port, account, "cleanup".into())
    };
    let mut session = Session::open(&address, usual("cleanup", String::new())).await?;
    let (remains, old) = look(&mut session, wanted).await?;
    let sockets = socket::dead(&config.database, &config.table);
    let dead: Vec<&Remains> = remains.iter().filter(|one| one.in_use.is_none()).collect();
    list(&remains, &old, wanted.old_tables, &sockets, out)?;
    let to_drop = !dead.is_empty() || !sockets.is_empty() || wanted.old_tables && !old.is_empty();
    if !to_drop {
        writeln!(out, "nothing to clean up")?;
        return Ok(exit::COMPLETED);
    }
    match agreed(wanted.yes, out)? {
        Some(true) => {}
        Some(false) => return Ok(exit::STOPPED),
        None => {
            writeln!(out, "nothing was dropped; --yes drops it without asking")?;
            return Ok(exit::LEFTOVERS);
        }
    }
    let mut kept = false;
    for one in dead {
        kept |= !drop_run(&mut session, one, out).await?;
    }
    for table in old.iter().filter(|_| wanted.old_tables) {
        kept |= !drop_old(&mut session, table, out).await?;
    }
    for path in sockets {
        match std::fs::remove_file(&path) {
            Ok(()) => writeln!(out, "removed {}", path.display())?,
            Err(error) => {
                kept = true;
                writeln!(out, "left over: {}: {error}", path.display())?;
            }
        }
    }
    Ok(if kept {
        exit::LEFTOVERS
    } else {
        exit::COMPLETED
    })
}

/// Everything with a helper's name, and whose it is.
async fn look(
    session: &mut Session,
    wanted: &Cleanup,
) -> Result<(Vec<Remains>, Vec<Table>), Fault> {
    let config = &wanted.config;
    let schema = Some(config.database.as_str()).filter(|schema| !schema.is_empty());
    let answer = session.run(&tables(schema)).await?;
    let mut found = Vec::new();
    for row in 0..answer.rows.len() {
        let text = |column| answer.text(row, column).unwrap_or_default();
        let mut table = Table {
            schema: text(0),
            name: text(1),
            comment: text(2),
            bytes: answer.number(row, 3).unwrap_or_default(),
            seconds: answer.number(row, 4).unwrap_or_default(),
            ..Table::default()
        };
        let Some(base) = base_of(&table.name).filter(|base| of_table(base, &config.table)) else {
            continue;
        };
        let lock = lock_of(&table.schema, base);
        if table.comment == CHANGELOG_COMMENT {
            let about = session
                .run(&changelog(&table.schema, &table.name, &lock))
                .await;
            match about {
                Ok(about) => {
                    table.mark = about.text(0, 0);
                    table.lock_holder = about.number(0, 1);
                }
                // Dropped by its own run while we look.
                Err(fault) if fault.code == Some(1146) => continue,
                Err(fault) => return Err(fault),
            }
        }
        found.push(table);
    }
    Ok(sort(&found, &marks(session).await?))
}

/// Whether a helper belongs to the table that was named, if one was.
fn of_table(base: &str, table: &str) -> bool {
    let ghost = |base: &str| Names::new("", base, None, None).ghost;
    let stamped = base.strip_prefix(table).is_some_and(|rest| {
        let digits = rest.strip_prefix('_').unwrap_or_default();
        digits.len() == 14 && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    table.is_empty() || stamped || ghost(table) == format!("_{base}_gho")
}

/// Marks of all connections of this program; those of `cleanup` and `history` are none.
async fn marks(session: &mut Session) -> Result<Vec<String>, Fault> {
    let statement = format!(
        "SELECT /* tableshift */ DISTINCT mark FROM {MARKS} WHERE mark NOT IN ('cleanup', 'history')"
    );
    let answer = session.say("look for runs", &statement).await?;
    let rows = 0..answer.rows.len();
    Ok(rows.filter_map(|row| answer.text(row, 0)).collect())
}

fn list(
    remains: &[Remains],
    old: &[Table],
    drops_old: bool,
    sockets: &[std::path::PathBuf],
    out: &mut impl Write,
) -> std::io::Result<()> {
    for one in remains {
        let why = match &one.in_use {
            Some(why) => format!("in use: {why}"),
            None => "left over: nobody holds its lock, no run on it is connected".into(),
        };
        for table in &one.tables {
            writeln!(out, "{}  {why}", described(table))?;
        }
    }
    for table in old {
        let why = if drops_old {
            "old table"
        } else {
            "old table: kept (--old-tables drops it)"
        };
        writeln!(out, "{}  {why}", described(table))?;
    }
    for path in sockets {
        writeln!(out, "{}  left over: nobody answers", path.display())?;
    }
    Ok(())
}

fn described(table: &Table) -> String {
    format!(
        "`{}`.`{}`  {} KiB  {} h old",
        table.schema,
        table.name,
        table.bytes / 1_024,
        table.seconds / 3_600
    )
}

/// The operator's word; `None` when there is nobody to ask.
fn agreed(yes: bool, out: &mut impl Write) -> std::io::Result<Option<bool>> {
    if yes {
        return Ok(Some(true));
    }
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Ok(None);
    }
    write!(out, "Drop these? [y/N] ")?;
    out.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let word = line.trim().to_ascii_lowercase();
    Ok(Some(word == "y" || word == "yes"))
}

/// Drops a run's tables, under the advisory lock, so that no run begins meanwhile. Returns whether all
/// of them are gone.
async fn drop_run(
    session: &mut Session,
    remains: &Remains,
    out: &mut impl Write,
) -> Result<bool, Trouble> {
    let locked = session.run(&lock(&remains.lock())).await?;
    let again = Table {
        lock_holder: None,
        ..remains.tables.last().cloned().unwrap_or_default()
    };
    let (still, _) = sort(&[again], &marks(session).await?);
    let free = still.iter().all(|one| one.in_use.is_none());
    let mut gone = true;
    if locked.number(0, 0) == Some(1) && free {
        for table in &remains.tables {
            gone &= dropped(session, table, out).await?;
        }
    } else {
        gone = false;
        writeln!(out, "left: a run on `{}` has begun", remains.base)?;
    }
    let released = "SELECT /* tableshift */ RELEASE_ALL_LOCKS()";
    session.say("give the advisory lock back", released).await?;
    Ok(gone)
}

/// An old table is dropped under the lock of the table it was: a run may be about to swap it in.
async fn drop_old(
    session: &mut Session,
    table: &Table,
    out: &mut impl Write,
) -> Result<bool, Trouble> {
    let base = base_of(&table.name).unwrap_or_default();
    let locked = session.run(&lock(&lock_of(&table.schema, base))).await?;
    let gone = if locked.number(0, 0) == Some(1) {
        dropped(session, table, out).await?
    } else {
        writeln!(out, "left: a run on `{base}` is connected")?;
        false
    };
    let released = "SELECT /* tableshift */ RELEASE_ALL_LOCKS()";
    session.say("give the advisory lock back", released).await?;
    Ok(gone)
}

async fn dropped(
    session: &mut Session,
    table: &Table,
    out: &mut impl Write,
) -> Result<bool, Trouble> {
    let statement = drop_table(&table.schema, &table.name);
    let limit = limits::LONG_STATEMENT_TIMEOUT;
    let name = format!("`{}`.`{}`", table.schema, table.name);
    match session.run_for(&statement, limit).await {
        Ok(_) => {
            writeln!(out, "dropped {name}")?;
            Ok(true)
        }
        // The lock is gone with the connection.
        Err(fault) if matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut) => {
            Err(fault.into())
        }
        Err(fault) => {
            writeln!(out, "left over: {name}: {fault}")?;
            Ok(false)
        }
    }
}
