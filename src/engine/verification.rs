//! What people are told of the verification: how much it compares, what it repaired, what differs.

use super::differences::{self, HELPERS};
use super::{clock::unlike_others, open};
use crate::core::Settings;
use crate::core::event::Outcome;
use crate::core::verify::extent::{Extent, Wanted};
use crate::core::verify::repair::Repairs;
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

/// Says before the copy if not everything will be verified, or more than was wanted.
pub(super) fn announce(settings: &Settings, reporter: &Reporter) {
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

/// What the line about a verification that came to its end adds.
pub(super) fn partly(wanted: Wanted, plan: &Plan) -> &'static str {
    match wanted.extent {
        Extent::Sample { .. } if plan.introduced_keys.is_empty() => " (a sample)",
        Extent::Full | Extent::Sample { .. } | Extent::Off => "",
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
