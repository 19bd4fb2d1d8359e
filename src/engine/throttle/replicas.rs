//! Control replicas: the age of the heartbeat in each one's copy of the changelog.
//!
//! Every replica has a reader of its own; all readings are judged together, ten times a second,
//! because lag grows while nothing is read.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::discover::{self, Found};
use super::reader::Reader;
use super::{Collectors, Voice};
use crate::config::Throttle;
use crate::control::Source;
use crate::control::throttle::{self, Now, Replica, host_port, one_line};
use crate::engine::clock::{Clock, since_epoch};
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::session::{Address, Answer};
use crate::report::time::parse_heartbeat;
use crate::sql::{Statement, signals};

/// The server's errors for a table or schema that isn't there.
const NO_TABLE: [u16; 2] = [1146, 1049];

/// A replica that is read.
struct Known {
    name: String,
    readings: watch::Receiver<Replica>,
    /// When the primary listed it last.
    listed_ms: Option<u64>,
}

/// All replicas that are read.
struct Replicas {
    around: Collectors,
    known: BTreeMap<(String, u16), Known>,
    readers: JoinSet<()>,
    found: watch::Receiver<Found>,
    voice: Voice,
    /// When the last reader was started.
    asked_ms: u64,
    /// Heartbeats rest at present.
    silent: bool,
    resumed_ms: Option<u64>,
}

/// Reads and judges until the run ends.
pub(super) async fn run(around: Collectors) {
    let (found, list) = watch::channel(None);
    let mut readers = JoinSet::new();
    readers.spawn(discover::run(around.clone(), found));
    let mut replicas = Replicas {
        voice: around.voice(Source::Replicas),
        asked_ms: around.clock.elapsed_ms(),
        around,
        known: BTreeMap::new(),
        readers,
        found: list,
        silent: false,
        resumed_ms: None,
    };
    loop {
        let settings = replicas.around.settings();
        replicas.gather(&settings);
        replicas.judge(&settings).await;
        let go_on = if throttle::watches_replicas(&settings) {
            replicas.around.wait(limits::REPLICA_JUDGE).await
        } else {
            replicas.around.wait_for_settings().await
        };
        if !go_on {
            return;
        }
    }
}

impl Replicas {
    /// Starts readers of the replicas that are wanted and have none, and lets the others go.
    fn gather(&mut self, settings: &Throttle) {
        while self.readers.try_join_next().is_some() {}
        let now_ms = self.around.clock.elapsed_ms();
        let listed = match &*self.found.borrow() {
            Some(Ok(listed)) if settings.discover_replicas => listed.clone(),
            Some(_) | None => Vec::new(),
        };
        for place in settings.control_replicas.iter().chain(&listed) {
            if !self.known.contains_key(place) {
                let known = self.read(place);
                self.known.insert(place.clone(), known);
                self.asked_ms = now_ms;
            }
        }
        for (_, known) in self.known.iter_mut().filter(|(at, _)| listed.contains(at)) {
            known.listed_ms = Some(now_ms);
        }
        let reporter = &self.around.reporter;
        self.known.retain(|place, known| {
            if settings.control_replicas.contains(place) {
                return true;
            }
            let listed = known.listed_ms.filter(|_| settings.discover_replicas);
            let Some(listed_ms) = listed else {
                return false;
            };
            // One that has stopped to replicate is no longer listed, and lags nevertheless.
            let seen_ms = listed_ms.max(known.readings.borrow().answered_ms.unwrap_or_default());
            let gone = u128::from(now_ms - seen_ms) > limits::REPLICA_GONE.as_millis();
            if gone {
                reporter.warn(format!(
                    "replica {} is neither listed by the primary nor answers: no longer waited for",
                    known.name
                ));
            }
            !gone
        });
    }

    fn read(&mut self, place: &(String, u16)) -> Known {
        let (sender, readings) = watch::channel(Replica::default());
        let address = Address {
            host: place.0.clone(),
            port: place.1,
            server_uuid: None,
            lock: None,
            ..self.around.address.clone()
        };
        self.readers.spawn(read(
            Reader::new(&address, "replica", None),
            signals::heartbeat(&self.around.names),
            self.around.heartbeat.min(limits::REPLICA_LOOK_MAX),
            self.around.silent.clone(),
            self.around.clock,
            sender,
        ));
        Known {
            name: host_port(place),
            readings,
            listed_ms: None,
        }
    }

    async fn judge(&mut self, settings: &Throttle) {
        let silent = *self.around.silent.borrow_and_update();
        let now_ms = self.around.clock.elapsed_ms();
        if self.silent && !silent {
            self.resumed_ms = Some(now_ms);
        }
        self.silent = silent;
        // Nothing new can be told without heartbeats; what was last said stands.
        if silent && throttle::watches_replicas(settings) {
            return;
        }
        // Nor before the first answers, as long as they are not overdue.
        let waited_ms = u128::from(now_ms - self.asked_ms);
        if self.unread(settings) && waited_ms < limits::SIGNAL_SILENCE.as_millis() {
            return;
        }
        let reason = match &*self.found.borrow() {
            Some(Err(error)) if settings.discover_replicas => Some(error.clone()),
            None if settings.discover_replicas => Some("not read yet".into()),
            Some(_) | None => None,
        };
        let reason = reason.map(|error| one_line(&format!("discover-replicas {error}")));
        let reason = reason.or_else(|| self.worst(settings.lag_max, now_ms));
        self.voice.say(reason).await;
    }

    /// Something has not been read yet, for good or ill.
    fn unread(&self, settings: &Throttle) -> bool {
        let list = settings.discover_replicas && self.found.borrow().is_none();
        list || self.known.values().any(|known| {
            let replica = known.readings.borrow();
            replica.answered_ms.is_none() && replica.error.is_none()
        })
    }

    fn worst(&self, lag_max: Duration, now_ms: u64) -> Option<String> {
        let readings: Vec<(&str, Replica)> = self
            .known
            .values()
            .map(|known| (known.name.as_str(), known.readings.borrow().clone()))
            .collect();
        let now = Now {
            wall: since_epoch(),
            ms: now_ms,
            resumed_ms: self.resumed_ms,
        };
        let silence_ms = u64::try_from(limits::SIGNAL_SILENCE.as_millis()).unwrap_or(u64::MAX);
        let known = readings.iter().map(|(name, replica)| (*name, replica));
        throttle::replicas(known, now, lag_max, silence_ms)
    }
}

/// Reads one replica's heartbeat again and again, until nobody wants it.
async fn read(
    mut reader: Reader,
    question: Statement,
    every: Duration,
    mut silent: watch::Receiver<bool>,
    clock: Clock,
    readings: watch::Sender<Replica>,
) {
    loop {
        let answer = reader.ask(&question, limits::SIGNAL_STATEMENT).await;
        let pause = if answer.is_ok() {
            every
        } else {
            every.max(limits::RECONNECT_PAUSE)
        };
        readings.send_modify(|replica| note(replica, answer, clock.elapsed_ms()));
        tokio::select! {
            () = readings.closed() => return,
            () = tokio::time::sleep(pause) => {}
        }
        while *silent.borrow_and_update() {
            tokio::select! {
                () = readings.closed() => return,
                changed = silent.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }
}

/// A replica that doesn't have the table yet answers as well: it is behind its creation.
fn note(replica: &mut Replica, answer: Result<Answer, Fault>, now_ms: u64) {
    match answer {
        Ok(answer) => {
            let beat = answer.text(0, 0);
            replica.beat = beat.as_deref().and_then(parse_heartbeat);
        }
        Err(fault) if fault.code.is_some_and(|code| NO_TABLE.contains(&code)) => {
            replica.beat = None;
        }
        Err(fault) => {
            replica.error = Some(fault.message);
            return;
        }
    }
    replica.answered_ms = Some(now_ms);
    replica.error = None;
}
