//! `tableshift batch`: many migrations, each a process of its own, their state on a server.

mod child;
mod store;
mod target;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Stdio;

use anyhow::Context;

use super::clock::{host_name, unlike_others};
use crate::config::{Batch, BatchWish, Config, PASSWORD_VARIABLE};
use crate::error::exit;
use crate::limits;
use crate::mysql::address::{Account, Address};
use crate::plan::batch::jobs::{Expansion, Tables, expand, known, log_name, looks};
use crate::plan::batch::manifest::Migration;
use crate::plan::batch::schedule::{Board, Counts, Hindrance, State, counts};
use crate::plan::batch::worker_lock;
use crate::report::Format;
use crate::report::batch::{Line, Summary, json, text};
use crate::sql::batch::{Claimant, New, Word};
use store::{Found, Row, Store};
use worker::{any, signals};

/// What ends a batch before its work: the exit code and what is told.
struct Stop(u8, String);

/// Carries out what is asked for. Returns the exit code.
///
/// # Errors
/// When the system refuses threads, or nobody takes what is written.
pub fn run(wanted: &Batch, mut out: impl Write, mut err: impl Write) -> anyhow::Result<u8> {
    // One thread, which is the process's first: migrations are told of its end, not of some thread's.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let summary = match runtime.block_on(Box::pin(carry_out(wanted))) {
        Ok(summary) => summary,
        Err(Stop(code, told)) => {
            err.write_all(told.as_bytes())
                .context("writing the error")?;
            return Ok(code);
        }
    };
    let told = match wanted.format {
        Format::Text => text(&summary),
        Format::Json => json(&summary),
    };
    out.write_all(told.as_bytes())
        .context("writing the summary")?;
    Ok(match wanted.wish {
        BatchWish::Look => exit::COMPLETED,
        BatchWish::Execute | BatchWish::Status => summary.exit_code,
    })
}

fn failed(what: &str, next: &str) -> Stop {
    let told = format!("error: {what}\n  data:  no migration was begun\n  next:  {next}\n");
    Stop(exit::FAILED, told)
}

/// What can be reached, and what the manifest means there.
struct Scene {
    expansion: Expansion,
    unreachable: BTreeMap<usize, String>,
}

async fn carry_out(wanted: &Batch) -> Result<Summary, Stop> {
    let manifest = &wanted.manifest;
    let worker = wanted.worker.clone().unwrap_or_else(host_name);
    let me = Claimant {
        lock: worker_lock(&manifest.name, &worker),
        pid: std::process::id(),
        claim: format!("{:016x}", unlike_others()),
        worker,
    };
    let mut store = open(wanted, me).await?;
    let found = store.found().await.map_err(|fault| no_state(&fault))?;
    if let Found::Foreign(what) = &found {
        return Err(failed(what, "name another schema in [state]"));
    }
    let there = matches!(found, Found::Ours);
    if wanted.wish == BatchWish::Status {
        let (rows, looked) = match there {
            true => (
                store.rows().await.map_err(|fault| no_state(&fault))?,
                store.looks().await.map_err(|fault| no_state(&fault))?,
            ),
            false => (Vec::new(), BTreeSet::new()),
        };
        return Ok(status(wanted, &rows, &looked));
    }
    if wanted.wish == BatchWish::Execute {
        begin(wanted, &mut store).await?;
    }
    let scene = scene(wanted).await?;
    if wanted.wish == BatchWish::Look {
        let rows = match there {
            true => store.rows().await.map_err(|fault| no_state(&fault))?,
            false => Vec::new(),
        };
        return Ok(summary(wanted, &scene, &rows, Vec::new()));
    }
    write_jobs(wanted, &scene, &mut store)
        .await
        .map_err(|fault| no_state(&fault))?;
    let rows = store.rows().await.map_err(|fault| no_state(&fault))?;
    say(wanted, (&scene, &rows), &mut store).await?;
    let work = worker::work(wanted, &scene, &mut store).await?;
    let summary = summary(wanted, &scene, &work.rows, work.notes);
    if work.begun > 0 || work.settled > 0 || !scene.unreachable.is_empty() {
        return Ok(told(wanted, summary).await);
    }
    Ok(summary)
}

fn no_state(fault: &crate::mysql::classify::Fault) -> Stop {
    failed(
        &format!("the batch's state: {fault}"),
        "see that its server can be reached, the schema is there, and the account may CREATE, SELECT, \
         INSERT and UPDATE there",
    )
}

async fn open(wanted: &Batch, me: Claimant) -> Result<Store, Stop> {
    let (server, schema) = &wanted.manifest.state;
    let config = wanted.servers.get(*server);
    let config = config.ok_or_else(|| failed("the state's server isn't known", "report this"))?;
    let address = address(config, &me.claim);
    Store::open(&address, schema, &wanted.manifest.name, me)
        .await
        .map_err(|fault| no_state(&fault))
}

/// Sees to it that there is a state, and that no other process of this machine works on it.
async fn begin(wanted: &Batch, store: &mut Store) -> Result<(), Stop> {
    if !store.work().await.map_err(|fault| no_state(&fault))? {
        let told = format!(
            "another process of {} is at batch {}\n",
            store.me.worker, wanted.manifest.name
        );
        return Err(Stop(exit::BATCH_BUSY, told));
    }
    store.create().await.map_err(|fault| no_state(&fault))
}

fn address(config: &Config, claim: &str) -> Address {
    let account = Account::fixed(&config.user, &config.password);
    Address {
        tls: config.tls.clone(),
        connect_timeout: config.connect_timeout.unwrap_or(limits::CONNECT_TIMEOUT),
        ..Address::new(&config.host, config.port, account, format!("batch-{claim}"))
    }
}

/// Asks all servers at once which tables they have.
async fn scene(wanted: &Batch) -> Result<Scene, Stop> {
    let mut asked = tokio::task::JoinSet::new();
    for (index, config) in wanted.servers.iter().enumerate() {
        let address = address(config, &format!("{:016x}", unlike_others()));
        asked.spawn(async move { (index, target::tables(&address).await) });
    }
    let mut tables: Vec<Tables> = vec![None; wanted.servers.len()];
    let mut unreachable = BTreeMap::new();
    while let Some(answer) = asked.join_next().await {
        let Ok((index, answer)) = answer else {
            continue;
        };
        match (answer, tables.get_mut(index)) {
            (Ok(found), Some(place)) => *place = Some(found),
            (Err(fault), _) => {
                unreachable.insert(index, fault.to_string());
            }
            (Ok(_), None) => {}
        }
    }
    let expansion = expand(&wanted.manifest, &tables);
    if expansion.problems.is_empty() {
        return Ok(Scene {
            expansion,
            unreachable,
        });
    }
    let mut told = String::from("error: the manifest can't be carried out on these servers");
    for problem in &expansion.problems {
        told.push_str(&format!("\n  what:  {problem}"));
    }
    told.push_str("\n  data:  no migration was begun\n  next:  correct the manifest\n");
    Err(Stop(exit::REFUSED, told))
}

async fn write_jobs(
    wanted: &Batch,
    scene: &Scene,
    store: &mut Store,
) -> Result<(), crate::mysql::classify::Fault> {
    let manifest = &wanted.manifest;
    let alters: Vec<String> = manifest
        .migrations
        .iter()
        .map(Migration::recorded)
        .collect();
    let mut new = Vec::new();
    for job in &scene.expansion.jobs {
        let (Some(migration), Some(server), Some(alter)) = (
            manifest.migrations.get(job.migration),
            manifest.servers.get(job.server),
            alters.get(job.migration),
        ) else {
            continue;
        };
        new.push(New {
            id: &job.id,
            migration: &migration.name,
            server: &server.name,
            schema: &job.schema,
            table: &job.table,
            alter,
        });
    }
    store.seed(&new).await?;
    let looks = looks(manifest);
    let found = looks
        .iter()
        .filter(|(_, server, _)| !scene.unreachable.contains_key(server));
    let found: Vec<[&str; 3]> = found
        .filter_map(|(migration, server, id)| {
            let migration = manifest.migrations.get(*migration)?;
            let server = manifest.servers.get(*server)?;
            Some([id.as_str(), migration.name.as_str(), server.name.as_str()])
        })
        .collect();
    store.looked(&found).await
}

/// Writes what the operator says of jobs.
async fn say(
    wanted: &Batch,
    (scene, rows): (&Scene, &[Row]),
    store: &mut Store,
) -> Result<(), Stop> {
    let mut unknown = wanted.retry.iter().chain(&wanted.mark_done);
    if let Some(id) = unknown.find(|id| !rows.iter().any(|row| row.id == **id)) {
        return Err(failed(
            &format!("the batch has no job {id}"),
            "take ids from the list of tableshift batch status",
        ));
    }
    let own: BTreeSet<&str> = scene
        .expansion
        .jobs
        .iter()
        .map(|job| job.id.as_str())
        .collect();
    let own: Vec<&str> = own.into_iter().collect();
    let words = [
        (&wanted.retry, Word::Retry),
        (&wanted.mark_done, Word::Done),
    ];
    let write = async {
        if wanted.retry_failed {
            store.say(&own, Word::RetryFailed).await?;
        }
        for (said, word) in words {
            let said: Vec<&str> = said.iter().map(String::as_str).collect();
            store.say(&said, word).await?;
        }
        Ok::<(), crate::mysql::classify::Fault>(())
    };
    write.await.map_err(|fault| no_state(&fault))
}

/// The states of the scene's jobs.
fn states(scene: &Scene, rows: &[Row]) -> Vec<State> {
    let by_id: BTreeMap<&str, State> = rows
        .iter()
        .map(|row| (row.id.as_str(), row.state))
        .collect();
    let jobs = scene.expansion.jobs.iter();
    jobs.map(|job| *by_id.get(job.id.as_str()).unwrap_or(&State::Pending))
        .collect()
}

fn board<'a>(wanted: &'a Batch, scene: &'a Scene, states: &'a [State]) -> Board<'a> {
    Board {
        manifest: &wanted.manifest,
        jobs: &scene.expansion.jobs,
        states,
        incomplete: &scene.expansion.incomplete,
    }
}

/// What the jobs of the manifest are at present.
fn summary(wanted: &Batch, scene: &Scene, rows: &[Row], mut notes: Vec<String>) -> Summary {
    let manifest = &wanted.manifest;
    let states = states(scene, rows);
    let hindrances = board(wanted, scene, &states).hindrances();
    let name_of = |index: usize| {
        manifest
            .migrations
            .get(index)
            .map_or("", |m| m.name.as_str())
    };
    let mut lines = Vec::new();
    for (job, (state, hindrance)) in scene
        .expansion
        .jobs
        .iter()
        .zip(states.iter().zip(&hindrances))
    {
        let server = manifest
            .servers
            .get(job.server)
            .map_or("", |s| s.name.as_str());
        let new = Row {
            id: job.id.clone(),
            migration: name_of(job.migration).to_owned(),
            server: server.to_owned(),
            schema: job.schema.clone(),
            table: job.table.clone(),
            ..Row::new(*state)
        };
        let row = rows.iter().find(|row| row.id == job.id).unwrap_or(&new);
        let mut line = line(wanted, row);
        let open = !matches!(state, State::Done | State::Failed | State::Running);
        match hindrance {
            Some(Hindrance::Skipped(other)) if open => {
                line.state = "skipped";
                line.why = format!("{} failed", name_of(*other));
            }
            Some(Hindrance::Waits(other)) if open && line.why.is_empty() => {
                line.why = format!("waits for {}", name_of(*other));
            }
            Some(_) | None => {}
        }
        lines.push(line);
    }
    for (server, why) in &scene.unreachable {
        let name = manifest
            .servers
            .get(*server)
            .map_or("", |s| s.name.as_str());
        notes.push(format!("server {name} was left out: {why}"));
    }
    let unknown = !scene.expansion.incomplete.is_empty();
    ended(wanted, counts(&states, &hindrances), unknown, lines, notes)
}

/// What the state alone says, which knows nothing of tables that nobody has looked for yet.
fn status(wanted: &Batch, rows: &[Row], looked: &BTreeSet<String>) -> Summary {
    let unseen: Vec<(usize, usize, String)> = looks(&wanted.manifest)
        .into_iter()
        .filter(|(_, _, id)| !looked.contains(id))
        .collect();
    let expansion = Expansion {
        jobs: rows
            .iter()
            .filter_map(|row| {
                known(
                    &wanted.manifest,
                    &row.id,
                    &row.server,
                    (&row.schema, &row.table),
                )
            })
            .collect(),
        incomplete: unseen.iter().map(|(migration, _, _)| *migration).collect(),
        ..Expansion::default()
    };
    let notes = match expansion.jobs[..] {
        [] => vec!["nothing was begun".to_owned()],
        _ => unseen
            .iter()
            .filter_map(|(migration, server, _)| {
                let migration = wanted.manifest.migrations.get(*migration)?;
                let server = wanted.manifest.servers.get(*server)?;
                Some(format!(
                    "server {} wasn't asked yet for the tables of migration {}",
                    server.name, migration.name
                ))
            })
            .collect(),
    };
    let scene = Scene {
        expansion,
        unreachable: BTreeMap::new(),
    };
    let mut summary = summary(wanted, &scene, rows, notes);
    if summary.counts.jobs == 0 {
        (summary.result, summary.exit_code) = ("incomplete", exit::BATCH_OPEN);
    }
    summary
}

fn ended(
    wanted: &Batch,
    counts: Counts,
    unknown: bool,
    lines: Vec<Line>,
    notes: Vec<String>,
) -> Summary {
    let (result, exit_code) = if counts.failed + counts.skipped > 0 {
        ("failed", exit::BATCH_FAILED)
    } else if counts.done < counts.jobs || unknown {
        ("incomplete", exit::BATCH_OPEN)
    } else {
        ("completed", exit::COMPLETED)
    };
    Summary {
        batch: wanted.manifest.name.clone(),
        result,
        exit_code,
        counts,
        notes,
        lines,
    }
}

fn line(wanted: &Batch, row: &Row) -> Line {
    let log = wanted.folder.join(&wanted.manifest.logs).join(log_name(
        &row.server,
        &row.schema,
        &row.table,
        &row.id,
    ));
    Line {
        id: row.id.clone(),
        state: row.state.word(),
        server: row.server.clone(),
        table: format!("{}.{}", row.schema, row.table),
        migration: row.migration.clone(),
        exit_code: row.exit_code,
        attempts: row.attempts,
        worker: row.worker.clone(),
        silent_s: row.silent_s,
        why: row.reason.clone(),
        log: match row.attempts {
            0 => String::new(),
            _ => log.display().to_string(),
        },
    }
}

/// Runs the command for the end, with the summary on its stdin.
async fn told(wanted: &Batch, mut summary: Summary) -> Summary {
    use tokio::io::AsyncWriteExt;

    let Some(command) = &wanted.manifest.on_end else {
        return summary;
    };
    let counts = summary.counts;
    let mut shell = tokio::process::Command::new("sh");
    shell
        .args(["-c", command])
        .current_dir(&wanted.folder)
        .env("TABLESHIFT_BATCH", &summary.batch)
        .env("TABLESHIFT_BATCH_RESULT", summary.result)
        .env("TABLESHIFT_BATCH_EXIT_CODE", summary.exit_code.to_string())
        .stdin(Stdio::piped())
        // The summary on stdout is for programs.
        .stdout(Stdio::null())
        .kill_on_drop(true);
    for (name, count) in [
        ("JOBS", counts.jobs),
        ("DONE", counts.done),
        ("FAILED", counts.failed),
        ("SKIPPED", counts.skipped),
        ("INTERRUPTED", counts.interrupted),
        ("RUNNING", counts.running),
        ("PENDING", counts.pending),
    ] {
        shell.env(format!("TABLESHIFT_BATCH_{name}"), count.to_string());
    }
    for variable in secret_variables(wanted) {
        shell.env_remove(variable);
    }
    let text = text(&summary);
    let Ok(mut signals) = signals() else {
        summary
            .notes
            .push("on-end: the system refuses signals".to_owned());
        return summary;
    };
    let run = async {
        let mut child = shell.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // Who doesn't read it doesn't need it.
            let _ = input.write_all(text.as_bytes()).await;
        }
        child.wait().await
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(limits::BATCH_HOOK, run) => ended,
        name = any(&mut signals) => {
            summary.notes.push(format!("on-end was stopped by {name}"));
            return summary;
        }
    };
    let note = match ended {
        Ok(Ok(status)) if status.success() => return summary,
        Ok(Ok(status)) => format!("on-end: {status}"),
        Ok(Err(error)) => format!("on-end can't be run: {error}"),
        Err(_) => format!("on-end took longer than {} s", limits::BATCH_HOOK.as_secs()),
    };
    summary.notes.push(note);
    summary
}

/// Variables with passwords.
fn secret_variables(wanted: &Batch) -> Vec<String> {
    let servers = wanted.manifest.servers.iter();
    let mut variables: Vec<String> = servers.filter_map(|s| s.password_env.clone()).collect();
    variables.push(PASSWORD_VARIABLE.to_owned());
    variables
}
