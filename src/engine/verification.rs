//! What people are told of the verification: how much it compares, what it repaired, what differs.

use std::sync::Arc;

use super::differences::{self, HELPERS};
use super::topology::Route;
use super::{clock::unlike_others, open};
use crate::config::Config;
use crate::core::event::Outcome;
use crate::core::verify::extent::{Extent, Wanted};
use crate::core::verify::repair::Repairs;
use crate::core::{Counters, Settings, Stage, View};
use crate::error::Verified;
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::session::Address;
use crate::plan::Plan;
use crate::plan::key::{Key, KeyColumn};
use crate::plan::shown::shown_list;
use crate::report::Reporter;
use crate::sql::Sql;

/// The same wish, with a seed if it is a sample: no run chooses the same chunks as another.
pub(super) fn seeded(wanted: Wanted) -> Wanted {
    let extent = match wanted.extent {
        Extent::Sample { percent, .. } => Extent::Sample {
            percent,
            seed: unlike_others(),
        },
        extent @ (Extent::Full | Extent::Off) => extent,
    };
    Wanted { extent, ..wanted }
}

/// A run that goes on verifies everything: while no run was there nobody could tell who wrote to the ghost.
pub(super) fn of_everything(
    config: Arc<Config>,
    goes_on: bool,
    reporter: &Reporter,
) -> Arc<Config> {
    if !goes_on || config.verify.extent == Extent::Full {
        return config;
    }
    reporter.warn(
        "everything is verified in spite of --verify: who wrote to the ghost between two runs nobody knows",
    );
    let verify = Wanted {
        extent: Extent::Full,
        ..config.verify
    };
    Arc::new(Config {
        verify,
        ..(*config).clone()
    })
}

/// Says before the copy if not everything will be verified, or more than was wanted.
pub(super) fn announce(settings: &Settings, route: &Route, reporter: &Reporter) {
    let full = settings.introduced_keys || settings.verify.extent == Extent::Full;
    if route.followed.is_some() && !full {
        reporter.warn(
            "rows that somebody else writes to the ghost are noticed by the verification only, because a \
             replica's log doesn't tell whose they are; not all are verified",
        );
    }
    match settings.verify.extent {
        Extent::Full => {}
        Extent::Sample { .. } | Extent::Off if settings.introduced_keys => reporter.warn(
            "everything is verified in spite of --verify: the ALTER adds or narrows a unique key, and \
             only that tells whether every row has a place under it",
        ),
        Extent::Sample { percent, seed } => reporter.info(format!(
            "verifying a sample percent={percent} seed={seed}"
        )),
        Extent::Off => reporter.warn(
            "--verify=off: the new table is not compared with the old one before the swap",
        ),
    }
}

/// What may be said of the new table after a swap.
fn claim(wanted: Wanted, plan: &Plan) -> String {
    match wanted.extent {
        Extent::Sample { percent, .. } if plan.introduced_keys.is_empty() => {
            format!("verified by a sample of {percent} per cent")
        }
        Extent::Off if plan.introduced_keys.is_empty() => {
            "not verified, as --verify=off asked for".into()
        }
        Extent::Full | Extent::Sample { .. } | Extent::Off => "verified".into(),
    }
}

/// What may be said of the comparison. Nothing is verified while a row that differed is still to be looked
/// at again.
#[derive(Default)]
pub(super) struct Compared {
    extent: Extent,
    suspects: usize,
    /// Every chunk was compared, and some rows were still under suspicion.
    unsaid: bool,
    /// That was told already.
    doubted: bool,
}

impl Compared {
    /// Takes note of the present state; what is to be told once no row is under suspicion any more.
    pub(super) fn look(&mut self, extent: Extent, view: &View<'_>) -> Option<String> {
        (self.extent, self.suspects) = (extent, view.suspects);
        match view.stage {
            Stage::Indexing | Stage::Postponed | Stage::Waiting
                if self.unsaid && view.suspects == 0 =>
            {
                self.unsaid = false;
                Some(format!("{}, every row that differed too", self.word()))
            }
            Stage::Verifying => {
                self.unsaid = false;
                None
            }
            Stage::Barrier
            | Stage::Copying
            | Stage::Indexing
            | Stage::Postponed
            | Stage::Waiting
            | Stage::CutOver
            | Stage::Ended => None,
        }
    }

    /// What is told when every chunk is compared. While indexes are built, refreshes rest and rows may stay under
    /// suspicion for as long: that is told once.
    pub(super) fn line(&mut self, counters: Counters, seconds: &str) -> Option<String> {
        self.unsaid = self.suspects > 0;
        if std::mem::replace(&mut self.doubted, self.unsaid) && self.unsaid {
            return None;
        }
        let word = if self.unsaid {
            format!("compared suspects={}", self.suspects)
        } else {
            self.word().to_owned()
        };
        Some(format!(
            "{word} rows={} chunks={} seconds={seconds}",
            counters.rows_verified, counters.chunks_verified
        ))
    }

    fn word(&self) -> &'static str {
        match self.extent {
            Extent::Sample { .. } => "verified (a sample)",
            Extent::Full | Extent::Off => "verified",
        }
    }
}

/// Tells about repairs as they are made.
pub(super) struct Repaired {
    key: Vec<KeyColumn>,
    rows: u64,
}

impl Repaired {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            key: plan.key.columns.clone(),
            rows: 0,
        }
    }

    pub(super) fn look(&mut self, repairs: &Repairs, reporter: &Reporter) {
        let rows = repairs.rows - self.rows;
        if rows == 0 {
            return;
        }
        self.rows = repairs.rows;
        let more = usize::try_from(rows).unwrap_or(usize::MAX) > repairs.latest.len();
        reporter.warn(format!(
            "verification found rows that differ for certain, and refreshes them (--verify-repair): \
             rows={rows} pass={} of {}: {}{}; everything will be compared again",
            repairs.passes,
            limits::REPAIR_PASSES_MAX,
            shown_list(&repairs.latest, &self.key),
            if more { "; and more" } else { "" },
        ));
    }
}

/// What an ending says of the verification. The ghost must still be there.
pub(super) async fn about(
    outcome: &Outcome,
    wanted: Wanted,
    address: &Address,
    plan: &Plan,
    reporter: &Reporter,
) -> Verified {
    let mut differing = match outcome {
        Outcome::Mismatch(keys) => rows_that_differ(address, plan, keys, reporter).await,
        Outcome::Completed | Outcome::Stopped | Outcome::Failed(_) | Outcome::Unknown => {
            String::new()
        }
    };
    if wanted.repair {
        differing.push_str("; refreshing rows that differ did not help");
    }
    Verified {
        claim: claim(wanted, plan),
        differing,
    }
}

/// Each of the first of these rows with what is wrong about it; without that when the server can't
/// be asked any more.
async fn rows_that_differ(
    address: &Address,
    plan: &Plan,
    keys: &[Key],
    reporter: &Reporter,
) -> String {
    let first = keys.get(..limits::KEYS_SHOWN_MAX).unwrap_or(keys);
    let looked: Result<Vec<String>, Fault> = async {
        let mut session = open(address, "differences", plan).await?;
        differences::lines(&mut session, &Sql::new(plan), first, HELPERS).await
    }
    .await;
    match looked {
        Ok(lines) if keys.len() > first.len() => {
            format!(
                "{}; and {} more",
                lines.join("; "),
                keys.len() - first.len()
            )
        }
        Ok(lines) => lines.join("; "),
        Err(fault) => {
            reporter.warn(fault.to_string());
            shown_list(keys, &plan.key.columns)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_stay_under_suspicion_are_told_once() {
        let mut compared = Compared::default();
        let mut line = |suspects| {
            compared.suspects = suspects;
            compared.line(Counters::default(), "1")
        };
        let first = line(5).unwrap_or_default();
        assert!(first.starts_with("compared suspects=5 "), "{first}");
        assert_eq!((line(5), line(3)), (None, None));
        let last = line(0).unwrap_or_default();
        assert!(last.starts_with("verified "), "{last}");
        assert!(line(1).is_some(), "that is new");
    }
}
