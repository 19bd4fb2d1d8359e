//! `tableshift verify`: two tables compared with each other, without a migration.
//!
//! No stream tells what changes meanwhile, so a row that differs is looked at several times more before
//! it is said to differ. Every row was seen alike at some moment, or is listed.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::mpsc;

use super::clock::Clock;
use super::differences::{self, Called};
use super::usual;
use super::workers::Worker;
use crate::config;
use crate::core::chunk::Chunker;
use crate::core::event::{Command, Event, Scan, Side};
use crate::core::verify::Pass;
use crate::error::exit;
use crate::limits;
use crate::mysql::address::{Account, Address};
use crate::mysql::classify::Fault;
use crate::mysql::inspect;
use crate::mysql::session::{Session, Setup};
use crate::plan::inspection::Table;
use crate::plan::key::Key;
use crate::plan::pair::{Pair, pair};
use crate::plan::shown::shown;
use crate::sql::{Sql, quoted, verify};

/// Compares, and returns the exit code.
///
/// # Errors
/// When the system refuses threads, or nobody takes what is written.
pub fn run(wanted: &config::Pair, mut out: impl Write) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    match runtime.block_on(compare(wanted, &mut out)) {
        Ok(code) => Ok(code),
        Err(Trouble::Unable(what, next)) => {
            writeln!(
                out,
                "error: {what}\n  data:  nothing is known about the rows; nothing was written\n  next:  \
                 {next}"
            )?;
            Ok(exit::NOT_TOLD)
        }
        Err(Trouble::Output(error)) => Err(error).context("writing the result"),
    }
}

enum Trouble {
    /// It can't be told: why, and what helps.
    Unable(String, &'static str),
    Output(std::io::Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Unable(
            fault.to_string(),
            "see that the server can be reached and the account may SELECT from both tables",
        )
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

async fn compare(wanted: &config::Pair, out: &mut impl Write) -> Result<u8, Trouble> {
    let (address, pair) = look(wanted).await?;
    let names = pair
        .names
        .clone()
        .map(|(schema, table)| format!("{}.{}", quoted(&schema), quoted(&table)));
    preface(&pair, &names, out)?;
    let untold = untold(&pair);
    let sql = Arc::new(Sql::of_pair(&pair));
    let mut walk = Walk::open(&address, &pair, &sql).await?;
    walk.all().await?;
    let at_first = walk.differing.iter().collect::<BTreeSet<_>>().len();
    if at_first > 0 {
        writeln!(out, "{at_first} rows differed at first; looking again")?;
    }
    walk.look_again().await?;
    if !walk.differing.is_empty() {
        let first = walk.differing.iter().take(wanted.keys_max);
        let first: Vec<Key> = first.cloned().collect();
        for line in differing(&address, &pair, &sql, &first, &names).await {
            writeln!(out, "{line}")?;
        }
        let more = if walk.incomplete { " or more" } else { "" };
        let (rows, different) = (walk.rows, walk.differing.len());
        writeln!(out, "different: {different} rows{more} of {rows}")?;
        return Ok(exit::DIFFERENT);
    }
    let why = if walk.incomplete {
        "more rows differed at first than can be kept, and those are alike now; run it again when less \
         changes"
    } else if !untold.is_empty() {
        "the columns above could not be compared; everything else is alike"
    } else {
        writeln!(out, "alike: {} rows", walk.rows)?;
        return Ok(exit::COMPLETED);
    };
    writeln!(out, "not told: {why}")?;
    Ok(exit::NOT_TOLD)
}

/// These rows with what is wrong about each. That they differ is known even if that can't be asked.
async fn differing(
    address: &Address,
    pair: &Pair,
    sql: &Sql,
    keys: &[Key],
    [original, ghost]: &[String; 2],
) -> Vec<String> {
    let looked = async {
        let mut session = Session::open(address, setup(pair, "differences")).await?;
        differences::lines(&mut session, sql, keys, Called { original, ghost }).await
    };
    looked.await.unwrap_or_else(|fault: Fault| {
        let keys = keys.iter().map(|key| shown(key, &pair.key.columns));
        let unknown = format!("the columns that differ could not be looked up: {fault}");
        keys.chain([unknown]).collect()
    })
}

/// Says what is compared with what, and what isn't.
fn preface(pair: &Pair, names: &[String; 2], out: &mut impl Write) -> std::io::Result<()> {
    let [one, other] = names;
    let columns = pair.key.columns.iter();
    let key: Vec<&str> = columns.map(|column| &*column.name).collect();
    writeln!(
        out,
        "comparing {one} with {other}: key {} ({}), {} columns",
        quoted(&pair.key.original_index),
        key.join(", "),
        pair.shared.len(),
    )?;
    for (alone, table) in pair.alone.iter().zip(names) {
        if !alone.is_empty() {
            writeln!(out, "only in {table}, not compared: {}", alone.join(", "))?;
        }
    }
    let untold = untold(pair);
    if !untold.is_empty() {
        writeln!(
            out,
            "of these only NULL is compared, because no expression says what one type makes of the \
             other: {}",
            untold.join(", ")
        )?;
    }
    Ok(())
}

/// Columns whose values can't be compared.
fn untold(pair: &Pair) -> Vec<String> {
    verify::unverified(&pair.shared)
        .iter()
        .map(|shared| {
            let (from, to) = (&shared.from, &shared.to);
            let types = [&*from.column_type, &*to.column_type].join(" and ");
            format!("{} ({types})", from.name)
        })
        .collect()
}

/// Looks at the server and at both tables.
async fn look(wanted: &config::Pair) -> Result<(Address, Pair), Trouble> {
    let config = &wanted.config;
    let account = Account::fixed(&config.user, &config.password);
    // No run's mark: nobody is to take this for a migration.
    let mut address = Address {
        tls: config.tls.clone(),
        connect_timeout: config.connect_timeout.unwrap_or(limits::CONNECT_TIMEOUT),
        ..Address::new(&config.host, config.port, account, "verify".into())
    };
    let mut session = Session::open(&address, usual("main", String::new())).await?;
    let (uuid, moment) = inspect::moment(&mut session).await?;
    address.server_uuid = Some(uuid);
    let names = [
        (config.database.clone(), config.table.clone()),
        wanted.other.clone(),
    ];
    let mut tables = Vec::new();
    for (schema, name) in &names {
        let found = inspect::table(&mut session, schema, name).await?;
        tables.push(found.filter(|table: &Table| table.kind == "BASE TABLE"));
    }
    let [Some(one), Some(other)] = <[Option<Table>; 2]>::try_from(tables).unwrap_or_default()
    else {
        let what = "there are no such two tables, or the account doesn't see them".to_owned();
        return Err(Trouble::Unable(
            what,
            "look at the names; views can't be compared",
        ));
    };
    let pair = pair(names, &one, other, &moment).map_err(|why| {
        let next = "compare tables that have a NOT NULL unique key in common, columns of one kind, or \
                    on a server in UTC";
        Trouble::Unable(format!("the tables can't be compared: {why}"), next)
    })?;
    Ok((address, pair))
}

fn setup(pair: &Pair, role: &'static str) -> Setup {
    Setup {
        zone: pair.zone,
        ..usual(role, String::new())
    }
}

/// The way through both tables.
struct Walk {
    worker: Worker,
    same_order: bool,
    rows: u64,
    /// Rows that were never seen alike.
    differing: Vec<Key>,
    /// There were more of these than can be kept.
    incomplete: bool,
}

impl Walk {
    async fn open(address: &Address, pair: &Pair, sql: &Arc<Sql>) -> Result<Self, Fault> {
        let session = Session::open(address, setup(pair, "worker")).await?;
        // What a worker tells hooks of a migration nobody wants to know here.
        let (news, _) = mpsc::channel(1);
        Ok(Self {
            worker: Worker::new(0, session, Arc::clone(sql), Clock::start(), news),
            same_order: pair.key.same_order,
            rows: 0,
            differing: Vec::new(),
            incomplete: false,
        })
    }

    async fn all(&mut self) -> Result<(), Fault> {
        if self.same_order {
            return self.pass(Pass::Both, Side::Original).await;
        }
        self.pass(Pass::Original, Side::Original).await?;
        let rows = self.rows;
        self.pass(Pass::Ghost, Side::Ghost).await?;
        self.rows = rows;
        Ok(())
    }

    async fn pass(&mut self, pass: Pass, side: Side) -> Result<(), Fault> {
        let target = u64::try_from(limits::VERIFY_CHUNK_TARGET.as_millis()).unwrap_or(u64::MAX);
        let mut chunks = Chunker::new(limits::CHUNK_ROWS_START, limits::CHUNK_ROWS_MAX, target);
        while let Some(next) = chunks.start_lookup(1) {
            let lookup = Command::FindChunkEnd {
                scan: Scan::Verify,
                side,
                after: next.after,
                rows: next.rows,
                dense: next.dense,
            };
            match self.worker.work(lookup).await? {
                Event::ChunkEndFound(_, end) => chunks.lookup_done(end),
                _ => return Err(unlike()),
            }
            let Some(chunk) = chunks.take() else { continue };
            match self.worker.work(Command::Compare(pass, chunk)).await? {
                Event::Compared(chunk, rows, differing, took_ms) => {
                    chunks.done(chunk, rows, took_ms);
                    self.rows += rows;
                    self.incomplete |= differing.len() >= limits::VERIFY_DIFFERENCES_MAX;
                    self.differing.extend(differing);
                }
                _ => return Err(unlike()),
            }
            if self.differing.len() >= limits::SUSPECT_KEYS_MAX {
                self.incomplete = true;
                return Ok(());
            }
        }
        if chunks.finished() {
            Ok(())
        } else {
            Err(unlike())
        }
    }

    /// Looks at the rows that differ again and again, and forgets those that are alike.
    async fn look_again(&mut self) -> Result<(), Fault> {
        for check in 0..limits::PAIR_CHECKS {
            if self.differing.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(limits::PAIR_PAUSE).await;
            let mut still = BTreeSet::new();
            for batch in self.differing.chunks(limits::RECHECK_KEYS) {
                let job = Command::Check(u64::from(check), batch.to_vec());
                match self.worker.work(job).await? {
                    Event::Checked(_, different) => still.extend(different),
                    _ => return Err(unlike()),
                }
            }
            // In the order of the walk, and a row that was found twice once.
            self.differing.retain(|key| still.remove(key));
        }
        Ok(())
    }
}

fn unlike() -> Fault {
    Fault::unexpected("compare", "an answer to another question")
}
