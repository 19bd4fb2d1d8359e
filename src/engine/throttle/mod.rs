//! The collectors of what pauses a run: load, query, URL and replicas, each a task with a
//! connection of its own.
//!
//! They read and report changes as wishes; what a reading means is decided in
//! [`crate::control::throttle`]. They never touch the migration, and end with it. A collector
//! without anything to watch has no connection.

mod discover;
mod http;
mod load;
mod query;
mod reader;
mod replicas;

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::clock::Clock;
use crate::config::Throttle;
use crate::control::throttle::without_figures;
use crate::control::{Source, Wish};
use crate::limits;
use crate::mysql::session::Address;
use crate::plan::names::Names;
use crate::report::Reporter;

/// What the collectors work with.
#[derive(Clone)]
pub(super) struct Collectors {
    /// What the operator wants to be watched; its end is theirs.
    pub settings: watch::Receiver<Throttle>,
    /// Heartbeats rest, so that no lag can be told.
    pub silent: watch::Receiver<bool>,
    /// How to reach the primary.
    pub address: Address,
    /// Where the heartbeats are.
    pub names: Names,
    /// Time between two of them.
    pub heartbeat: Duration,
    /// Where changes are reported.
    pub wishes: mpsc::Sender<Wish>,
    /// The run's clock.
    pub clock: Clock,
    /// Where to tell of what was found.
    pub reporter: Reporter,
}

impl Collectors {
    /// Starts all of them.
    pub(super) fn spawn(self, tasks: &mut JoinSet<()>) {
        tasks.spawn(load::run(self.clone()));
        tasks.spawn(query::run(self.clone()));
        tasks.spawn(http::run(self.clone()));
        tasks.spawn(replicas::run(self));
    }

    fn settings(&mut self) -> Throttle {
        self.settings.borrow_and_update().clone()
    }

    /// Waits for so long, or for other settings; false when the run is over.
    async fn wait(&mut self, time: Duration) -> bool {
        tokio::select! {
            () = self.wishes.closed() => false,
            changed = self.settings.changed() => changed.is_ok(),
            () = tokio::time::sleep(time) => true,
        }
    }

    /// Waits for so long whatever else is set meanwhile, but no longer than critical loads are to be
    /// told; false when the run is over.
    async fn sit_out(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while !self.settings().critical_load.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if !self.wait(left).await {
                return false;
            }
        }
        true
    }

    /// Waits for other settings; false when the run is over.
    async fn wait_for_settings(&mut self) -> bool {
        tokio::select! {
            () = self.wishes.closed() => false,
            changed = self.settings.changed() => changed.is_ok(),
        }
    }

    fn voice(&self, source: Source) -> Voice {
        Voice {
            source,
            wishes: self.wishes.clone(),
            clock: self.clock,
            said: None,
        }
    }
}

/// One source's way to report: changes only, and moving figures once a second.
struct Voice {
    source: Source,
    wishes: mpsc::Sender<Wish>,
    clock: Clock,
    said: Option<(Option<String>, u64)>,
}

impl Voice {
    async fn say(&mut self, reason: Option<String>) {
        let now_ms = self.clock.elapsed_ms();
        if let Some((last, when_ms)) = &self.said {
            let words = |reason: &Option<String>| reason.as_deref().map(without_figures);
            let lately = u128::from(now_ms - when_ms) < limits::SIGNAL_LOOK.as_millis();
            if *last == reason || (lately && words(last) == words(&reason)) {
                return;
            }
        }
        self.said = Some((reason.clone(), now_ms));
        // Nobody listens any more when the run is ending.
        let _ = self.wishes.send(Wish::Throttle(self.source, reason)).await;
    }
}

/// Sees work to its end; when that takes so long that its signal counts as unreadable, does `late`
/// meanwhile.
async fn patiently<T>(work: impl Future<Output = T>, late: impl Future<Output = ()>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(limits::SIGNAL_SILENCE) => {}
    }
    late.await;
    work.await
}

/// What is said of a signal that doesn't answer.
fn no_answer() -> String {
    format!("no answer for {} s", limits::SIGNAL_SILENCE.as_secs())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::mysql::session::Account;
    use crate::report::Level;

    fn collectors(settings: watch::Receiver<Throttle>, wishes: mpsc::Sender<Wish>) -> Collectors {
        let address = Address::new("127.0.0.1", 1, Account::fixed("", ""), String::new());
        Collectors {
            settings,
            silent: watch::channel(false).1,
            address,
            names: Names::new("d", "t", None, None),
            heartbeat: Duration::from_millis(100),
            wishes,
            clock: Clock::start(),
            reporter: Reporter::start(Level::Error).expect("a thread").0,
        }
    }

    #[tokio::test]
    async fn settings_count_while_the_run_goes_on_and_only_changes_are_reported() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let settings = Throttle {
            http_interval: Duration::from_millis(1),
            http_timeout: Duration::from_secs(10),
            ..Throttle::default()
        };
        let (live, watched) = watch::channel(settings);
        let (wishes, mut wished) = mpsc::channel(8);
        let mut tasks = JoinSet::new();
        tasks.spawn(http::run(collectors(watched, wishes)));
        let reason = |text: &str| Wish::Throttle(Source::Http, Some(text.into()));
        let none = Wish::Throttle(Source::Http, None);
        assert_eq!(wished.recv().await, Some(none.clone()));

        live.send_modify(|settings| settings.http = Some("https://h/".into()));
        let wrong = reason("throttle-http must be http://host[:port][/path]");
        assert_eq!(wished.recv().await, Some(wrong));
        // It listens and hangs up, again and again: one report.
        live.send_modify(|settings| settings.http = Some(format!("http://127.0.0.1:{port}/")));
        for _ in 0..10 {
            drop(listener.accept().await.expect("a request"));
        }
        let failed = reason("Connection error (http=-1)");
        assert_eq!(wished.recv().await, Some(failed));
        assert!(wished.try_recv().is_err());
        live.send_modify(|settings| settings.http = None);
        assert_eq!(wished.recv().await, Some(none));
        drop(live);
        assert!(tasks.join_next().await.is_some_and(|ended| ended.is_ok()));
    }

    #[tokio::test]
    async fn the_time_to_the_second_look_is_not_cut_short_by_another_setting() {
        let threshold = crate::config::Threshold {
            variable: "Uptime".into(),
            limit: 0,
        };
        let settings = Throttle {
            critical_load: vec![threshold],
            ..Throttle::default()
        };
        let (live, watched) = watch::channel(settings);
        let (wishes, _wished) = mpsc::channel(8);
        let mut around = collectors(watched, wishes);
        live.send_modify(|settings| settings.nice_ratio = 1.0);
        let begun = Instant::now();
        assert!(around.sit_out(Duration::from_millis(50)).await);
        assert!(begun.elapsed() >= Duration::from_millis(50));
        // But it ends when nobody wants to know any more.
        live.send_modify(|settings| settings.critical_load.clear());
        assert!(around.sit_out(Duration::from_secs(3_600)).await);
        drop(live);
    }

    #[tokio::test]
    async fn replicas_that_cannot_be_reached_are_named_and_let_go_when_nobody_wants_them() {
        let (live, watched) = watch::channel(Throttle::default());
        let (wishes, mut wished) = mpsc::channel(8);
        let mut tasks = JoinSet::new();
        tasks.spawn(replicas::run(collectors(watched, wishes)));
        let none = Wish::Throttle(Source::Replicas, None);
        assert_eq!(wished.recv().await, Some(none.clone()));

        // Nobody listens on port 1.
        let place = ("127.0.0.1".to_owned(), 1);
        live.send_modify(|settings| settings.control_replicas = vec![place]);
        let Some(Wish::Throttle(Source::Replicas, Some(reason))) = wished.recv().await else {
            panic!("no reason");
        };
        assert!(
            reason.starts_with("127.0.0.1:1 ") && reason.contains("refused"),
            "{reason}"
        );
        live.send_modify(|settings| settings.control_replicas.clear());
        assert_eq!(wished.recv().await, Some(none));
        live.send_modify(|settings| settings.discover_replicas = true);
        let Some(Wish::Throttle(Source::Replicas, Some(reason))) = wished.recv().await else {
            panic!("no reason");
        };
        assert!(reason.starts_with("discover-replicas "), "{reason}");
        drop(live);
        assert!(tasks.join_next().await.is_some_and(|ended| ended.is_ok()));
    }
}
