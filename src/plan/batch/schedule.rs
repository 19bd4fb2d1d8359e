//! Which jobs may begin now, and why others don't: of states and rules alone.

use std::collections::BTreeSet;

use super::jobs::Job;
use super::manifest::{Manifest, OnFailure};

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not begun.
    Pending,
    /// Somebody is at it.
    Running,
    /// Somebody was at it and is gone.
    Abandoned,
    /// The table has its new shape.
    Done,
    /// It will not go on by itself.
    Failed,
    /// It goes on in another run.
    Interrupted,
}

impl State {
    /// As it is kept; an abandoned job is kept as running.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Abandoned => "abandoned",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads what is kept; `gone` says that whoever had a running job is gone.
    #[must_use]
    pub fn read(word: &str, gone: bool) -> Option<Self> {
        Some(match word {
            "pending" => Self::Pending,
            "running" if gone => Self::Abandoned,
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" => Self::Failed,
            "interrupted" => Self::Interrupted,
            _ => return None,
        })
    }

    fn may_begin(self) -> bool {
        matches!(self, Self::Pending | Self::Interrupted | Self::Abandoned)
    }
}

/// What hinders a job for good, or for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// A migration before it failed, or was skipped itself.
    Skipped(usize),
    /// A migration before it isn't done.
    Waits(usize),
}

/// What a worker knows beside the states.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Here {
    /// Jobs that this run has tried and doesn't try again.
    pub tried: BTreeSet<String>,
    /// Servers that can't be reached.
    pub unreachable: BTreeSet<usize>,
}

/// The jobs with their states.
pub struct Board<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// Its jobs.
    pub jobs: &'a [Job],
    /// Their states.
    pub states: &'a [State],
    /// Migrations of which jobs are unknown.
    pub incomplete: &'a BTreeSet<usize>,
}

impl Board<'_> {
    /// What hinders each job.
    #[must_use]
    pub fn hindrances(&self) -> Vec<Option<Hindrance>> {
        let migrations = &self.manifest.migrations;
        let own: Vec<Option<Hindrance>> = (0..migrations.len())
            .map(|index| self.of_migration(index))
            .collect();
        self.jobs
            .iter()
            .map(|job| own.get(job.migration).copied().flatten())
            .collect()
    }

    fn of_migration(&self, index: usize) -> Option<Hindrance> {
        let before = super::manifest::before(&self.manifest.migrations, index);
        let has = |other: usize, wanted: &dyn Fn(State) -> bool| {
            self.jobs
                .iter()
                .zip(self.states)
                .any(|(job, state)| job.migration == other && wanted(*state))
        };
        let go_on = self.manifest.on_failure == OnFailure::GoOn;
        let failed = before
            .iter()
            .find(|other| has(**other, &|s| s == State::Failed));
        if let (Some(other), false) = (failed, go_on) {
            return Some(Hindrance::Skipped(*other));
        }
        let over = |state| state == State::Done || go_on && state == State::Failed;
        let open = before
            .iter()
            .find(|other| self.incomplete.contains(other) || has(**other, &|s| !over(s)));
        open.map(|other| Hindrance::Waits(*other))
    }

    /// Whether a job may begin here once others, which somebody is at, have ended.
    #[must_use]
    pub fn may_come(&self, here: &Here) -> bool {
        if self.is_stopped() || !self.states.contains(&State::Running) {
            return false;
        }
        let states = self.states.iter().zip(self.hindrances());
        self.jobs
            .iter()
            .zip(states)
            .any(|(job, (state, hindrance))| {
                state.may_begin()
                    && !matches!(hindrance, Some(Hindrance::Skipped(_)))
                    && !here.unreachable.contains(&job.server)
                    && !here.tried.contains(&job.id)
            })
    }

    fn is_stopped(&self) -> bool {
        self.manifest.on_failure == OnFailure::Stop && self.states.contains(&State::Failed)
    }

    /// The jobs that may begin now, in their order, as many as the limits allow.
    #[must_use]
    pub fn startable(&self, here: &Here) -> Vec<usize> {
        if self.is_stopped() {
            return Vec::new();
        }
        let mut running = vec![0; self.manifest.servers.len()];
        for (job, state) in self.jobs.iter().zip(self.states) {
            if let (State::Running, Some(count)) = (state, running.get_mut(job.server)) {
                *count += 1;
            }
        }
        let mut all: usize = running.iter().sum();
        let mut found = Vec::new();
        let states = self.states.iter().zip(self.hindrances());
        for (index, (job, (state, hindrance))) in self.jobs.iter().zip(states).enumerate() {
            let (Some(server), Some(count)) = (
                self.manifest.servers.get(job.server),
                running.get_mut(job.server),
            ) else {
                continue;
            };
            if state.may_begin()
                && hindrance.is_none()
                && all < self.manifest.concurrency
                && *count < server.concurrency
                && !here.unreachable.contains(&job.server)
                && !here.tried.contains(&job.id)
            {
                (all, *count) = (all + 1, *count + 1);
                found.push(index);
            }
        }
        found
    }
}

/// Jobs by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All.
    pub jobs: usize,
    /// The table has its new shape.
    pub done: usize,
    /// Failed.
    pub failed: usize,
    /// Not begun because another failed.
    pub skipped: usize,
    /// To go on in another run.
    pub interrupted: usize,
    /// Somebody is at it.
    pub running: usize,
    /// Not begun.
    pub pending: usize,
}

/// Counts the jobs.
#[must_use]
pub fn counts(states: &[State], hindrances: &[Option<Hindrance>]) -> Counts {
    let mut counts = Counts {
        jobs: states.len(),
        ..Counts::default()
    };
    for (state, hindrance) in states.iter().zip(hindrances) {
        let skipped = matches!(hindrance, Some(Hindrance::Skipped(_))) && state.may_begin();
        let count = match state {
            _ if skipped => &mut counts.skipped,
            State::Pending => &mut counts.pending,
            State::Running => &mut counts.running,
            State::Interrupted | State::Abandoned => &mut counts.interrupted,
            State::Done => &mut counts.done,
            State::Failed => &mut counts.failed,
        };
        *count += 1;
    }
    counts
}

/// What an exit code of a migration means to its job, and whether the original is known to be as it was.
#[must_use]
pub fn after(code: Option<u8>) -> (State, bool) {
    use crate::error::exit;
    /// The table had its shape already.
    const NOTHING_TO_DO: u8 = 11;
    match code {
        Some(exit::COMPLETED | exit::LEFTOVERS | NOTHING_TO_DO) => (State::Done, true),
        Some(exit::RESUMABLE | exit::STOPPED) => (State::Interrupted, true),
        Some(exit::USAGE | exit::REFUSED | exit::FAILED) => (State::Failed, true),
        // A bug, or the answer to RENAME was lost, or something this version doesn't know.
        Some(_) => (State::Failed, false),
        // Ended by a signal.
        None => (State::Interrupted, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::batch::manifest::parse;

    fn manifest(policy: &str) -> Manifest {
        let mut text = format!(
            "name = 'n'\nconcurrency = 3\non-failure = '{policy}'\n[state]\nserver = 's0'\nschema = 's'\n"
        );
        for (server, most) in [(0, 1), (1, 2), (2, 2)] {
            text.push_str(&format!(
                "[servers.s{server}]\nhost = 'h{server}'\nconcurrency = {most}\n"
            ));
        }
        for (name, after) in [("a", ""), ("b", "'a'"), ("c", "'b'"), ("d", "")] {
            text.push_str(&format!(
                "[[migrations]]\nname = '{name}'\nschemas = 'x'\ntables = '*'\nalter = 'FORCE'\nafter = [{after}]\n"
            ));
        }
        parse(&text).expect("a manifest")
    }

    fn jobs(per_server: usize) -> Vec<Job> {
        let mut jobs = Vec::new();
        for migration in 0..4 {
            for server in 0..3 {
                for table in 0..per_server {
                    jobs.push(Job {
                        id: format!("{migration}{server}{table}"),
                        migration,
                        server,
                        schema: "x".into(),
                        table: format!("t{migration}{table}"),
                    });
                }
            }
        }
        jobs
    }

    /// The same numbers in every run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(self.0 >> 33).expect("31 bits") % sides
        }
    }

    fn play(seed: u64, policy: &str, failures: bool) -> (Vec<State>, Vec<Option<Hindrance>>) {
        let manifest = manifest(policy);
        let jobs = jobs(2);
        let mut states = vec![State::Pending; jobs.len()];
        let mut begun = vec![0; jobs.len()];
        let (incomplete, here) = (BTreeSet::new(), Here::default());
        let mut dice = Dice(seed);
        loop {
            let board = Board {
                manifest: &manifest,
                jobs: &jobs,
                states: &states,
                incomplete: &incomplete,
            };
            let mut startable = board.startable(&here);
            // A worker may take fewer than it could.
            startable.truncate(dice.roll(startable.len() + 1).max(1));
            for index in startable {
                let before =
                    super::super::manifest::before(&manifest.migrations, jobs[index].migration);
                for (job, state) in jobs.iter().zip(&states) {
                    let early = before.contains(&job.migration)
                        && *state != State::Done
                        && !(policy == "go-on" && *state == State::Failed);
                    assert!(!early, "{index} before {}", job.id);
                }
                begun[index] += 1;
                states[index] = State::Running;
            }
            let running: Vec<usize> = (0..jobs.len())
                .filter(|index| states[*index] == State::Running)
                .collect();
            assert!(running.len() <= manifest.concurrency);
            for (index, server) in manifest.servers.iter().enumerate() {
                let here = running.iter().filter(|job| jobs[**job].server == index);
                assert!(here.count() <= server.concurrency);
            }
            if running.is_empty() {
                break;
            }
            let over = running[dice.roll(running.len())];
            states[over] = match dice.roll(8) {
                0 if failures => State::Failed,
                1 => State::Interrupted,
                2 => State::Abandoned,
                _ => State::Done,
            };
            if states[over] == State::Done {
                assert!(begun[over] >= 1);
            }
        }
        let board = Board {
            manifest: &manifest,
            jobs: &jobs,
            states: &states,
            incomplete: &incomplete,
        };
        let hindrances = board.hindrances();
        (states, hindrances)
    }

    #[test]
    fn limits_and_order_hold_and_no_job_is_lost() {
        for seed in 0..300 {
            let (states, _) = play(seed, "stop", false);
            assert!(states.iter().all(|state| *state == State::Done), "{seed}");
            let (states, _) = play(seed, "go-on", true);
            let over = |state: &State| matches!(state, State::Done | State::Failed);
            assert!(states.iter().all(over), "{seed}");
            let (states, hindrances) = play(seed, "skip-dependents", true);
            let counts = counts(&states, &hindrances);
            assert_eq!(
                counts.jobs,
                counts.done + counts.failed + counts.skipped,
                "{seed}"
            );
            play(seed, "stop", true);
        }
    }

    #[test]
    fn a_failure_means_what_the_policy_says() {
        let jobs = jobs(1);
        let states: Vec<State> = jobs
            .iter()
            .map(|job| match (job.migration, job.server) {
                (0, 0) => State::Failed,
                (0, _) => State::Done,
                _ => State::Pending,
            })
            .collect();
        let none = BTreeSet::new();
        let startable = |policy: &str| {
            let manifest = manifest(policy);
            let board = Board {
                manifest: &manifest,
                jobs: &jobs,
                states: &states,
                incomplete: &none,
            };
            let found = board.startable(&Here::default());
            let ids: Vec<String> = found.iter().map(|index| jobs[*index].id.clone()).collect();
            ids
        };
        let manifest_now = manifest("skip-dependents");
        let comes = |states: &[State]| {
            let board = Board {
                manifest: &manifest_now,
                jobs: &jobs,
                states,
                incomplete: &none,
            };
            board.may_come(&Here::default())
        };
        assert!(!comes(&states), "nobody is at anything");
        let mut busy = states.clone();
        busy[9] = State::Running;
        assert!(comes(&busy));
        busy[10] = State::Running;
        busy[11] = State::Running;
        assert!(!comes(&busy), "the others are skipped");
        assert_eq!(startable("stop"), Vec::<String>::new());
        assert_eq!(startable("skip-dependents"), ["300", "310", "320"]);
        assert_eq!(startable("go-on"), ["100", "110", "120"]);
    }

    #[test]
    fn servers_that_are_down_hold_up_what_comes_after_only() {
        let manifest = manifest("stop");
        let jobs: Vec<Job> = jobs(1).into_iter().filter(|job| job.server != 0).collect();
        let states: Vec<State> = jobs
            .iter()
            .map(|job| match job.migration {
                0 => State::Done,
                _ => State::Pending,
            })
            .collect();
        let incomplete = (0..4).collect();
        let board = Board {
            manifest: &manifest,
            jobs: &jobs,
            states: &states,
            incomplete: &incomplete,
        };
        let here = Here {
            tried: ["320".to_owned()].into(),
            unreachable: [0].into(),
        };
        let found = board.startable(&here);
        let ids: Vec<&str> = found.iter().map(|index| jobs[*index].id.as_str()).collect();
        assert_eq!(ids, ["310"]);
        assert_eq!(board.hindrances()[2], Some(Hindrance::Waits(0)));
    }

    #[test]
    fn exit_codes_decide() {
        for (code, expected) in [
            (Some(0), (State::Done, true)),
            (Some(7), (State::Done, true)),
            (Some(11), (State::Done, true)),
            (Some(8), (State::Interrupted, true)),
            (Some(5), (State::Failed, true)),
            (Some(6), (State::Failed, false)),
            (Some(99), (State::Failed, false)),
            (None, (State::Interrupted, false)),
        ] {
            assert_eq!(after(code), expected, "{code:?}");
        }
    }
}
