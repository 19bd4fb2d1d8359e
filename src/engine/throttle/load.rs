//! `--max-load` and `--critical-load`: status variables, read once a second for both.

use std::time::Duration;

use super::reader::Reader;
use super::{Collectors, Voice, no_answer, patiently};
use crate::config::{Threshold, Throttle};
use crate::control::throttle::{self, Verdict};
use crate::control::{Source, Wish};
use crate::engine::clock::since_epoch;
use crate::limits;
use crate::mysql::session::Answer;
use crate::report::time::utc;
use crate::sql::signals;

struct Load {
    around: Collectors,
    reader: Reader,
    max_load: Voice,
    hibernation: Voice,
}

/// Looks until the run ends, or ends it.
pub(super) async fn run(around: Collectors) {
    let mut load = Load {
        reader: Reader::new(&around.address, "load", None),
        max_load: around.voice(Source::MaxLoad),
        hibernation: around.voice(Source::Hibernation),
        around,
    };
    loop {
        let settings = load.around.settings();
        if let Some(reason) = load.look(&settings).await {
            if !load.critical(&settings, reason).await {
                return;
            }
            continue;
        }
        load.hibernation.say(None).await;
        let go_on = if throttle::watches_load(&settings) {
            load.around.wait(limits::SIGNAL_LOOK).await
        } else {
            load.reader.rest();
            load.around.wait_for_settings().await
        };
        if !go_on {
            return;
        }
    }
}

impl Load {
    /// One look; returns the critical load, if there is one.
    async fn look(&mut self, settings: &Throttle) -> Option<String> {
        if !throttle::watches_load(settings) {
            self.max_load.say(None).await;
            return None;
        }
        let both = settings.max_load.iter().chain(&settings.critical_load);
        let asked: Vec<Threshold> = both.cloned().collect();
        let question = signals::status(asked.iter().map(|asked| asked.variable.as_str()));
        let late = self
            .max_load
            .say(throttle::load_unread(settings, &no_answer()));
        let answer = self.reader.ask(&question, limits::SIGNAL_STATEMENT);
        let (reason, critical) = match patiently(answer, late).await {
            Err(fault) => (throttle::load_unread(settings, &fault.message), None),
            Ok(answer) => {
                let readings = throttle::readings(&asked, &rows(&answer));
                let max = throttle::load("max-load", &settings.max_load, &readings);
                let critical = throttle::load("critical-load", &settings.critical_load, &readings);
                let reached = match &critical {
                    Verdict::Reached(reason) => Some(reason.clone()),
                    Verdict::Fine | Verdict::Unreadable(_) => None,
                };
                (max.reason().or(critical.reason()), reached)
            }
        };
        self.max_load.say(reason).await;
        critical
    }

    /// A critical load: hibernates, or looks again after the interval and ends the run. False when
    /// the run is over.
    async fn critical(&mut self, settings: &Throttle, mut reason: String) -> bool {
        if let Some(pause) = settings.critical_hibernate {
            return self.hibernate(pause).await;
        }
        if !settings.critical_interval.is_zero() {
            if !self.around.sit_out(settings.critical_interval).await {
                return false;
            }
            let settings = self.around.settings();
            match self.look(&settings).await {
                Some(again) => reason = again,
                None => return true,
            }
        }
        let _ = self.around.wishes.send(Wish::Stop(reason)).await;
        false
    }

    /// Pauses everything; ends early when the operator no longer wants to be told of critical loads.
    async fn hibernate(&mut self, pause: Duration) -> bool {
        let moment = utc((since_epoch() + pause).as_secs()).replace(' ', "T");
        let reason = format!("critical-load-hibernate until {moment}Z");
        self.hibernation.say(Some(reason)).await;
        if !self.around.sit_out(pause).await {
            return false;
        }
        // It stands until the next look, which comes at once.
        self.hibernation
            .say(Some("leaving hibernation".into()))
            .await;
        true
    }
}

fn rows(answer: &Answer) -> Vec<(String, Option<String>)> {
    (0..answer.rows.len())
        .map(|row| (answer.text(row, 0).unwrap_or_default(), answer.text(row, 1)))
        .collect()
}
