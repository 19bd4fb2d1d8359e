//! The loop of one worker: claims jobs, looks at their tables, runs them, records their ends.
//!
//! What is to be done is always read from the state, also what this worker has claimed itself: so a claim
//! whose answer was lost is found the same way as one whose answer came.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::child::{self, End, Spec};
use super::store::{Row, Store};
use super::target::{self, Look};
use super::{Scene, Stop, address, failed};
use crate::config::Batch;
use crate::control::window::Opening;
use crate::engine::clock::{now_seconds, unlike_others};
use crate::limits;
use crate::mysql::classify::Fault;
use crate::plan::batch::jobs::{Job, command_line, log_name};
use crate::plan::batch::manifest::WindowEnd;
use crate::plan::batch::schedule::{Here, State, after};
use crate::sql::batch::Ended;

/// What a worker has done.
pub(super) struct Work {
    /// The state at the end.
    pub(super) rows: Vec<Row>,
    pub(super) notes: Vec<String>,
    /// Migrations that were begun.
    pub(super) begun: usize,
    /// Jobs whose state was changed without one.
    pub(super) settled: usize,
}

/// What a task reports.
enum News {
    Looked(String, Look),
    Ended(String, End),
}

/// When to look at the state again.
enum Next {
    Now,
    Later,
    /// Never: all is over.
    Over,
}

/// An end that isn't recorded yet.
struct Verdict {
    id: String,
    state: State,
    exit_code: Option<u8>,
    reason: String,
    known: bool,
}

struct Worker<'a> {
    wanted: &'a Batch,
    scene: &'a Scene,
    store: &'a mut Store,
    here: Here,
    /// Jobs that a task is at, or whose end isn't recorded.
    mine: BTreeSet<String>,
    /// Tables that were looked at, whose migrations may begin.
    ready: BTreeMap<String, String>,
    verdicts: Vec<Verdict>,
    tasks: JoinSet<News>,
    stop: watch::Sender<bool>,
    /// Why nothing more is begun.
    closed: Option<String>,
    heard: Instant,
    beaten: Instant,
    notes: Vec<String>,
    begun: usize,
    settled: usize,
}

/// Works until nothing is left that may be begun, and everything begun has ended.
pub(super) async fn work(wanted: &Batch, scene: &Scene, store: &mut Store) -> Result<Work, Stop> {
    let folder = wanted.folder.join(&wanted.manifest.logs);
    std::fs::create_dir_all(&folder).map_err(|error| {
        failed(
            &format!("the folder of the logs, {}: {error}", folder.display()),
            "make it, or name another with logs",
        )
    })?;
    let signals = signals().map_err(|error| failed(&error.to_string(), "report this"))?;
    let (stop, _) = watch::channel(false);
    let worker = Worker {
        here: Here {
            unreachable: scene.unreachable.keys().copied().collect(),
            ..Here::default()
        },
        wanted,
        scene,
        store,
        mine: BTreeSet::new(),
        ready: BTreeMap::new(),
        verdicts: Vec::new(),
        tasks: JoinSet::new(),
        stop,
        closed: None,
        heard: Instant::now(),
        beaten: Instant::now(),
        notes: Vec::new(),
        begun: 0,
        settled: 0,
    };
    worker.run(signals).await
}

impl Worker<'_> {
    async fn run(mut self, mut signals: Vec<Signal>) -> Result<Work, Stop> {
        let mut rows = None;
        loop {
            self.look_at_the_time();
            let mut pause = limits::BATCH_TICK;
            match self.turn().await {
                Ok((found, next)) => {
                    self.heard = Instant::now();
                    rows = Some(found);
                    match next {
                        Next::Over => break,
                        Next::Now => pause = Duration::ZERO,
                        Next::Later => {}
                    }
                }
                Err(fault) => self.deaf(&fault),
            }
            let given_up = self.closed.is_some() && self.tasks.is_empty();
            if given_up && self.heard.elapsed() > limits::BATCH_STATE_LOST {
                // What couldn't be recorded is found out by the next run.
                break;
            }
            tokio::select! {
                news = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Some(Ok(news)) = news {
                        self.news(news);
                    }
                }
                name = any(&mut signals) => self.close(format!("stopped by {name}"), true),
                () = tokio::time::sleep(pause) => {}
            }
        }
        let lost = self.verdicts.len();
        if lost > 0 {
            self.notes.push(format!(
                "how {lost} migrations ended could not be recorded: the next run finds it out"
            ));
        }
        let rows = rows.ok_or_else(|| {
            failed(
                "the batch's state couldn't be read",
                "see that its server can be reached",
            )
        })?;
        Ok(Work {
            rows,
            notes: self.notes,
            begun: self.begun,
            settled: self.settled,
        })
    }

    /// One round with the state, with at most one claim: machines that begin together share the jobs.
    async fn turn(&mut self) -> Result<(Vec<Row>, Next), Fault> {
        self.record().await?;
        if self.beaten.elapsed() >= limits::BATCH_BEAT {
            self.store.beat().await?;
            self.beaten = Instant::now();
        }
        self.start().await?;
        let mut rows = self.store.rows().await?;
        if self.closed.is_none() && !self.startable(&rows).is_empty() {
            self.claim().await?;
            rows = self.store.rows().await?;
            self.adopt(&rows);
            return Ok((rows, Next::Now));
        }
        self.adopt(&rows);
        let busy = !self.mine.is_empty() || !self.tasks.is_empty();
        let next = match busy || self.closed.is_none() && self.may_come(&rows) {
            true => Next::Later,
            false => Next::Over,
        };
        Ok((rows, next))
    }

    /// Nothing is begun any more; what runs is stopped, if so.
    fn close(&mut self, why: String, stop: bool) {
        if self.closed.is_none() {
            self.notes.push(format!("nothing more was begun: {why}"));
            self.closed = Some(why);
        }
        if stop {
            self.stop.send_replace(true);
        }
    }

    fn look_at_the_time(&mut self) {
        let Some(window) = self
            .wanted
            .window
            .as_ref()
            .filter(|_| self.closed.is_none())
        else {
            return;
        };
        if let Opening::Opens(when) = window.at(now_seconds()) {
            let stop = self.wanted.manifest.window_end == WindowEnd::Stop;
            let when = when.map_or(String::new(), |when| format!(", it opens {when}"));
            self.close(format!("outside the window{when}"), stop);
        }
    }

    /// The state didn't answer. After a while others may believe that this worker is gone: before that its
    /// migrations have to be at rest.
    fn deaf(&mut self, fault: &Fault) {
        if self.heard.elapsed() > limits::BATCH_STATE_LOST {
            self.close(format!("the batch's state is out of reach: {fault}"), true);
        }
    }

    fn startable(&self, rows: &[Row]) -> Vec<String> {
        startable(self.wanted, self.scene, rows, &self.here)
    }

    fn may_come(&self, rows: &[Row]) -> bool {
        let states = super::states(self.scene, rows);
        super::board(self.wanted, self.scene, &states).may_come(&self.here)
    }

    async fn claim(&mut self) -> Result<(), Fault> {
        let (wanted, scene, here) = (self.wanted, self.scene, &self.here);
        let choose = |rows: &[Row]| {
            let mut ids = startable(wanted, scene, rows, here);
            ids.truncate(1);
            ids
        };
        self.store.claim(choose).await
    }

    fn job(&self, id: &str) -> Option<&Job> {
        self.scene.expansion.jobs.iter().find(|job| job.id == id)
    }

    /// Sees to what is claimed for this worker and not in hand yet.
    fn adopt(&mut self, rows: &[Row]) {
        for row in rows {
            let own = row.claim == self.store.me.claim && row.state == State::Running;
            if !own || self.mine.contains(&row.id) {
                continue;
            }
            let Some(job) = self.job(&row.id) else {
                continue;
            };
            let (Some(migration), Some(config)) = (
                self.wanted.manifest.migrations.get(job.migration),
                self.wanted.servers.get(job.server),
            ) else {
                continue;
            };
            let history = migration
                .flags
                .get("history-schema")
                .or_else(|| {
                    let server = self.wanted.manifest.servers.get(job.server)?;
                    server.flags.get("history-schema")
                })
                .or_else(|| self.wanted.manifest.defaults.get("history-schema"))
                .and_then(|values| values.last());
            let look = target::Wanted {
                schema: job.schema.clone(),
                table: job.table.clone(),
                alter: migration.recorded(),
                before: row.before.clone(),
                history: history.unwrap_or(&job.schema).clone(),
            };
            let address = address(config, &format!("{:016x}", unlike_others()));
            let (id, stop) = (row.id.clone(), self.stop.subscribe());
            self.mine.insert(id.clone());
            self.tasks.spawn(async move {
                let began = Instant::now();
                loop {
                    let found = target::look(&address, &look).await;
                    let patient = began.elapsed() < limits::BATCH_BUSY_WAIT && !*stop.borrow();
                    if !matches!(found, Look::Busy | Look::Young) || !patient {
                        return News::Looked(id, found);
                    }
                    tokio::time::sleep(limits::BATCH_TICK).await;
                }
            });
        }
    }

    fn news(&mut self, news: News) {
        match news {
            News::Looked(id, look) => self.looked(id, look),
            News::Ended(id, end) => self.ended(id, end),
        }
    }

    fn looked(&mut self, id: String, look: Look) {
        let stopping = *self.stop.borrow();
        let (state, reason, known) = match look {
            Look::Begin(noted) if !stopping => {
                self.ready.insert(id, noted.text());
                return;
            }
            Look::Begin(_) => (State::Interrupted, "stopped before it began".into(), false),
            Look::Busy => (
                State::Interrupted,
                "another run holds the table's lock".into(),
                false,
            ),
            Look::Young => (
                State::Interrupted,
                "the table was made or altered in this very second, by the server's clock".into(),
                false,
            ),
            Look::Done => (State::Done, "an earlier run did it".into(), true),
            Look::Unclear(why) => (
                State::Failed,
                format!("{why}: look at the table, then --retry or --mark-done {id}"),
                false,
            ),
            Look::Unreachable(why) => {
                self.leave_out(&id);
                (State::Interrupted, why, false)
            }
        };
        self.settled += 1;
        self.verdict(Verdict {
            id,
            state,
            exit_code: None,
            reason,
            known,
        });
    }

    fn leave_out(&mut self, id: &str) {
        if let Some(server) = self.job(id).map(|job| job.server) {
            self.here.unreachable.insert(server);
        }
    }

    fn ended(&mut self, id: String, end: End) {
        let (mut state, known) = match end.unborn {
            true => (State::Failed, true),
            false => after(end.code),
        };
        if end.unreachable {
            self.leave_out(&id);
            state = State::Interrupted;
        }
        self.verdict(Verdict {
            id,
            state,
            exit_code: end.code,
            reason: end.reason,
            known,
        });
    }

    fn verdict(&mut self, verdict: Verdict) {
        self.here.tried.insert(verdict.id.clone());
        self.verdicts.push(verdict);
    }

    /// Records ends. One that can't be recorded is kept for the next time.
    async fn record(&mut self) -> Result<(), Fault> {
        while let Some(verdict) = self.verdicts.last() {
            let ended = Ended {
                id: &verdict.id,
                state: verdict.state.word(),
                exit_code: verdict.exit_code,
                reason: &verdict.reason,
                known: verdict.known,
            };
            self.store.finish(&ended).await?;
            self.mine.remove(&verdict.id);
            self.verdicts.pop();
        }
        Ok(())
    }

    /// Begins what is ready, once it is written down what the table was.
    async fn start(&mut self) -> Result<(), Fault> {
        while let Some((id, noted)) = self.ready.first_key_value() {
            let (id, noted) = (id.clone(), noted.clone());
            let ours = self.store.note(&id, &noted).await?;
            self.ready.remove(&id);
            if *self.stop.borrow() || self.closed.is_some() {
                self.verdict(Verdict {
                    id,
                    state: State::Interrupted,
                    exit_code: None,
                    reason: "stopped before it began".into(),
                    known: false,
                });
                continue;
            }
            let spec = self.spec(&id, noted).filter(|_| ours);
            let Some(spec) = spec else {
                // Somebody else took it over: it is theirs.
                self.mine.remove(&id);
                self.here.tried.insert(id);
                continue;
            };
            self.begun += 1;
            let stop = self.stop.subscribe();
            self.tasks
                .spawn(async move { News::Ended(id, child::run(spec, stop).await) });
        }
        Ok(())
    }

    fn spec(&self, id: &str, noted: String) -> Option<Spec> {
        let (manifest, job) = (&self.wanted.manifest, self.job(id)?);
        let server = manifest.servers.get(job.server)?;
        let migration = manifest.migrations.get(job.migration)?;
        let config = self.wanted.servers.get(job.server)?;
        let table = (job.schema.as_str(), job.table.as_str());
        let log = log_name(&server.name, table.0, table.1, id);
        let log = self.wanted.folder.join(&manifest.logs).join(log);
        let others = manifest.servers.iter();
        Some(Spec {
            arguments: command_line(manifest, (server, migration), table, id),
            log,
            title: format!(
                "batch {}, migration {}, job {id}",
                manifest.name, migration.name
            ),
            password: self.wanted.passwords.get(job.server)?.clone(),
            secret_variables: others.filter_map(|s| s.password_env.clone()).collect(),
            address: address(config, &format!("{:016x}", unlike_others())),
            noted,
        })
    }
}

fn startable(wanted: &Batch, scene: &Scene, rows: &[Row], here: &Here) -> Vec<String> {
    let states = super::states(scene, rows);
    let jobs = &scene.expansion.jobs;
    let found = super::board(wanted, scene, &states).startable(here);
    let ids = found.into_iter();
    ids.filter_map(|index| Some(jobs.get(index)?.id.clone()))
        .collect()
}

/// What asks a batch to end.
pub(super) fn signals() -> std::io::Result<Vec<Signal>> {
    let kinds = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ];
    kinds.into_iter().map(signal).collect()
}

/// The next signal.
pub(super) async fn any(signals: &mut [Signal]) -> &'static str {
    let [terminate, interrupt, hang_up] = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "TERM",
        _ = interrupt.recv() => "Ctrl-C",
        _ = hang_up.recv() => "HUP",
    }
}
