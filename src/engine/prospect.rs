//! `tableshift plan`: everything that a run would find out before its first row, and a sample of the copy, told
//! in one report. What it makes on the server is gone in every ending.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use super::prepare::{self, PLAIN_MODE, Prepared};
use super::sample::{self, Taken};
use super::{Early, address, clean, desired, names, topology, usual};
use crate::config::{Config, Planning};
use crate::control::Wish;
use crate::control::signals::{Reactions, Signals};
use crate::core::event::Outcome;
use crate::error::{Left, Report, Verified, ended, exit, not_started, unsettled};
use crate::mysql::inspect;
use crate::mysql::session::{Account, Address, Session};
use crate::mysql::surroundings::{home, surroundings};
use crate::plan::inspection::Table;
use crate::plan::names::Names;
use crate::plan::prospect::surroundings::Surroundings;
use crate::plan::prospect::{Prospect, Sampled, Subject, Verdict};
use crate::report::{Format, Level, Reporter, prospect};

/// Plans, tells, and returns the exit code.
///
/// # Errors
/// When the system refuses threads or signals, or nobody takes what is written.
pub fn run(wanted: &Planning, mut out: impl Write, mut err: impl Write) -> anyhow::Result<u8> {
    let (reporter, thread) =
        Reporter::start_as(Level::Warn, wanted.config.format).context("starting the reporter")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let planned = runtime.block_on(whole(wanted, &reporter));
    // The thread ends when nobody can report any more.
    drop(reporter);
    runtime.shutdown_background();
    thread.finish();
    match planned? {
        Planned::Told(told, left) => {
            let text = match wanted.format {
                Format::Text => prospect::text(&told),
                Format::Json => prospect::json(&told) + "\n",
            };
            out.write_all(text.as_bytes())?;
            Ok(code(told.verdict(), left))
        }
        Planned::Ended(report) => {
            writeln!(err, "{}", report.text)?;
            Ok(report.code)
        }
    }
}

fn code(verdict: Verdict, left: bool) -> u8 {
    match verdict {
        _ if left => exit::LEFTOVERS,
        Verdict::Go => exit::COMPLETED,
        Verdict::Warnings => exit::WARNINGS,
        Verdict::Refuse => exit::REFUSED,
        Verdict::NothingToDo => exit::NOTHING_TO_DO,
    }
}

/// What came of it.
enum Planned {
    /// A report, and whether helper tables could not be dropped.
    Told(Box<Prospect>, bool),
    Ended(Report),
}

async fn whole(wanted: &Planning, reporter: &Reporter) -> anyhow::Result<Planned> {
    let signals = Signals::take().context("taking over the signals")?;
    let (wish, mut signalled) = mpsc::channel(8);
    let reactions = Reactions {
        // Nothing is lost by a Ctrl-C that wasn't meant.
        terminal: false,
        ask: || {},
        renew: || {},
    };
    tokio::spawn(signals.watch(wish, reactions));
    let plain = names(&wanted.config, None);
    let resolved = desired::wanted(wanted.config.clone(), reporter).await;
    let config = match resolved {
        Ok(config) => config,
        Err(early) => return Ok(told_early(early, (&wanted.config, &plain)).await),
    };
    let names = names(&config, None);
    let address = address(
        &config,
        &names,
        Account::fixed(&config.user, &config.password),
    );
    let prepared = async {
        let route = topology::find(&config, &names, &address, reporter).await?;
        prepare::prepare(&config, &names, route, reporter).await
    };
    match prepared.await {
        Ok(prepared) => {
            let told = (&config, wanted.sample);
            Ok(planned(prepared, told, &mut signalled, reporter).await)
        }
        Err(early) => Ok(told_early(early, (&config, &names)).await),
    }
}

/// The ghost exists: a sample, and then it goes.
async fn planned(
    mut prepared: Prepared,
    (config, length): (&Config, Duration),
    signalled: &mut mpsc::Receiver<Wish>,
    reporter: &Reporter,
) -> Planned {
    let names = prepared.plan.names.clone();
    let around = look(&prepared.route.written, &names).await;
    let taken = match without_sample(&prepared, length) {
        Some(why) => Taken::Sample(Sampled::Not(why.into())),
        None => {
            let address = Address {
                server_uuid: Some(prepared.server.uuid.clone()),
                lock: Some((names.advisory_lock(), prepared.session.id())),
                ..prepared.route.written.clone()
            };
            sample::take(&address, &prepared.plan, (config, length), signalled).await
        }
    };
    let kept = prepared.resumed.is_some();
    let left = !kept && clean::drop_made(&mut prepared.session, &names, false, reporter).await;
    match taken {
        Taken::Stopped => {
            let left = if left { Left::Tables } else { Left::Nothing };
            let unsaid = Verified::default();
            Planned::Ended(ended(&Outcome::Stopped, &names, &unsaid, left))
        }
        Taken::Sample(sampled) => {
            let told = of(&prepared, config, around, sampled);
            Planned::Told(Box::new(told), left)
        }
    }
}

fn without_sample(prepared: &Prepared, length: Duration) -> Option<&'static str> {
    if prepared.plan.direct.native.is_some() {
        return Some("nothing would be copied");
    }
    if prepared.plan.names.reverts {
        return Some("a revert copies nothing");
    }
    if prepared.resumed.is_some() {
        return Some("the run would go on from a checkpoint of an earlier one");
    }
    length.is_zero().then_some("no sample was asked for")
}

fn of(prepared: &Prepared, config: &Config, around: Surroundings, sampled: Sampled) -> Prospect {
    let subject = Subject {
        names: &prepared.plan.names,
        alter: &config.alter,
        server: &prepared.server.version_text,
        version: prepared.server.version,
    };
    Prospect::of_plan(subject, &prepared.plan, around, sampled)
}

/// The report of a run without `--execute`, which copies no sample.
pub(super) async fn of_trial(prepared: &Prepared, config: &Config) -> String {
    let around = look(&prepared.route.written, &prepared.plan.names).await;
    let why = without_sample(prepared, Duration::ZERO).unwrap_or_default();
    let why = match why {
        "no sample was asked for" => "tableshift plan copies a sample",
        other => other,
    };
    let told = of(prepared, config, around, Sampled::Not(why.into()));
    prospect::text(&told).trim_end().to_owned()
}

async fn told_early(early: Early, (config, names): (&Config, &Names)) -> Planned {
    let refusals = match early {
        Early::Failed(failure) => return Planned::Ended(not_started(&failure)),
        Early::Unsettled(failure) => return Planned::Ended(unsettled(&failure, names)),
        Early::Refused(refusals) => refusals,
        // Never without --execute.
        Early::Altered { .. } | Early::NothingToDo => Vec::new(),
    };
    let account = Account::fixed(&config.user, &config.password);
    let address = address(config, names, account);
    let found = original(&address, names).await;
    let (table, version_text) = found.unwrap_or_default();
    let subject = Subject {
        names,
        alter: &config.alter,
        server: &version_text,
        version: crate::plan::inspection::Version::parse(&version_text),
    };
    let told = if refusals.is_empty() {
        Prospect::nothing(subject)
    } else {
        let around = match &table {
            Some(_) => look(&address, names).await,
            None => Surroundings::default(),
        };
        Prospect::refused(subject, &refusals, table.as_ref(), around)
    };
    Planned::Told(Box::new(told), false)
}

/// The table and the server's version, as far as they can be asked.
async fn original(address: &Address, names: &Names) -> Option<(Option<Table>, String)> {
    let setup = usual("surroundings", PLAIN_MODE.into());
    let mut session = Session::open(address, setup).await.ok()?;
    let version = "SELECT /* tableshift */ CONCAT(@@version, ' ', @@version_comment)";
    let answer = session.say("read the server's version", version).await;
    let version = answer.ok()?.text(0, 0).unwrap_or_default();
    let table = inspect::table(&mut session, &names.schema, &names.original).await;
    Some((table.ok().flatten(), version))
}

/// What is around the table. A report without that is better than none.
async fn look(address: &Address, names: &Names) -> Surroundings {
    let looked = async {
        let setup = usual("surroundings", PLAIN_MODE.into());
        let mut session = Session::open(address, setup).await?;
        let mut found = surroundings(&mut session, names).await?;
        if let Some((folder, uuid)) = home(&mut session).await? {
            found.free_bytes = free(&folder, &uuid);
        }
        Ok::<_, crate::mysql::classify::Fault>(found)
    };
    looked.await.unwrap_or_else(|fault| Surroundings {
        unseen: vec![format!("the server could not be asked about it: {fault}")],
        ..Surroundings::default()
    })
}

/// Bytes free in the server's folder, if that is on this machine and can be read: the file in it names the
/// server.
fn free(folder: &str, uuid: &str) -> Option<u64> {
    let folder = std::path::Path::new(folder);
    let who = std::fs::read_to_string(folder.join("auto.cnf")).ok()?;
    if !who.contains(uuid) {
        return None;
    }
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
