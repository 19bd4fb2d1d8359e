//! `tableshift history`: the runs that were recorded on a server.

use std::io::Write;

use anyhow::Context;

use super::usual;
use crate::config::Listing;
use crate::error::exit;
use crate::limits;
use crate::mysql::address::{Account, Address};
use crate::mysql::classify::Fault;
use crate::mysql::session::Session;
use crate::plan::history::{COLUMNS, Entry, FORMAT, Found, TABLE, found, newest};
use crate::report::{Format, history as shown};
use crate::sql::{history, qualified};

/// Lists them. Returns the exit code.
///
/// # Errors
/// When the system refuses threads, or nobody takes what is written.
pub fn run(wanted: &Listing, mut out: impl Write, mut err: impl Write) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    match runtime.block_on(read(wanted)) {
        Ok((entries, passed_over)) => {
            for note in passed_over {
                writeln!(err, "{note}").context("writing a note")?;
            }
            write(wanted, &entries, &mut out).context("writing the list")?;
            Ok(exit::COMPLETED)
        }
        Err(fault) => {
            writeln!(
                err,
                "error: {fault}\n  data:  nothing was changed\n  next:  see that the server can be reached \
                 and the account may SELECT from {TABLE}"
            )
            .context("writing the error")?;
            Ok(exit::FAILED)
        }
    }
}

/// The newest runs, and what was passed over.
async fn read(wanted: &Listing) -> Result<(Vec<Entry>, Vec<String>), Fault> {
    let config = &wanted.config;
    let account = Account::fixed(&config.user, &config.password);
    // No run's mark: nobody is to take this for a migration.
    let address = Address {
        tls: config.tls.clone(),
        connect_timeout: config.connect_timeout.unwrap_or(limits::CONNECT_TIMEOUT),
        ..Address::new(&config.host, config.port, account, "history".into())
    };
    let mut session = Session::open(&address, usual("listing", String::new())).await?;
    let tables = session
        .run(&history::tables(wanted.schema.as_deref()))
        .await?;
    let mut entries = Vec::new();
    let mut passed_over = Vec::new();
    for row in 0..tables.rows.len() {
        let schema = tables.text(row, 0).unwrap_or_default();
        let table = qualified(&schema, TABLE);
        match found(&tables.text(row, 1).unwrap_or_default()) {
            Found::Ours => {
                let more = of_schema(&mut session, &schema, wanted).await?;
                entries = newest([entries, more].concat(), wanted.limit);
            }
            Found::OtherFormat(other) => passed_over.push(format!(
                "passed over: {table} has format {other}, this version reads format {FORMAT}"
            )),
            Found::Foreign => {
                passed_over.push(format!("passed over: {table} was not made by this program"))
            }
        }
    }
    Ok((entries, passed_over))
}

async fn of_schema(
    session: &mut Session,
    schema: &str,
    wanted: &Listing,
) -> Result<Vec<Entry>, Fault> {
    let (of, table) = (&wanted.config.database, &wanted.config.table);
    let statement = history::list(schema, of, table, wanted.limit);
    let answer = session.run(&statement).await?;
    let rows = 0..answer.rows.len();
    Ok(rows
        .map(|row| {
            let is_true = |column| answer.number(row, column) == Some(1);
            Entry {
                history_schema: schema.to_owned(),
                values: (0..COLUMNS.len())
                    .map(|column| answer.text(row, column))
                    .collect(),
                here: is_true(COLUMNS.len()),
                alive: is_true(COLUMNS.len() + 1),
            }
        })
        .collect())
}

fn write(wanted: &Listing, entries: &[Entry], out: &mut impl Write) -> std::io::Result<()> {
    match wanted.format {
        Format::Json => {
            for entry in entries {
                writeln!(out, "{}", shown::object(entry))?;
            }
            Ok(())
        }
        Format::Text if entries.is_empty() => writeln!(out, "no runs are recorded"),
        Format::Text => out.write_all(shown::table(entries).as_bytes()),
    }
}
