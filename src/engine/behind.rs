//! A followed replica that is behind: what operators are told. Decides nothing; the core's gate goes by
//! the same lag.

use std::time::Duration;

use crate::core::Stage;
use crate::limits;
use crate::report::Reporter;

/// What has been told of the lag.
pub(super) struct Behind {
    lag_max_ms: u64,
    told: bool,
}

impl Behind {
    /// Nothing yet.
    pub(super) fn new(lag_max: Duration) -> Self {
        Self {
            lag_max_ms: u64::try_from(lag_max.as_millis()).unwrap_or(u64::MAX),
            told: false,
        }
    }

    /// Tells once that the replica is far behind, and once that it has caught up.
    pub(super) fn tell(&mut self, lag_ms: Option<u64>, reporter: &Reporter) {
        let Some(lag) = lag_ms else { return };
        if !self.told && u128::from(lag) > limits::REPLICA_LAG_TOLD.as_millis() {
            self.told = true;
            reporter.warn(format!(
                "the replica is {} s behind: the copy goes on, but the tables are swapped only when it \
                 has caught up (if replication was stopped, START REPLICA)",
                lag / 1_000
            ));
        } else if self.told && lag <= self.lag_max_ms {
            self.told = false;
            reporter.info("the replica has caught up");
        }
    }

    /// The state of a run that waits for the replica.
    pub(super) fn waited_for(&self, stage: Stage, lag_ms: Option<u64>) -> Option<String> {
        let lag = lag_ms.filter(|lag| *lag > self.lag_max_ms)?;
        let waits = match stage {
            Stage::Verifying | Stage::Indexing | Stage::Waiting | Stage::CutOver => true,
            Stage::Barrier | Stage::Copying | Stage::Postponed | Stage::Ended => false,
        };
        waits.then(|| {
            format!(
                "waiting for the replica, {}.{} s behind",
                lag / 1_000,
                lag % 1_000 / 100
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_waits_for_its_replica_says_so() {
        let behind = Behind::new(Duration::from_millis(1_500));
        assert_eq!(behind.waited_for(Stage::Waiting, Some(1_500)), None);
        assert_eq!(behind.waited_for(Stage::Copying, Some(9_000)), None);
        assert_eq!(
            behind.waited_for(Stage::Waiting, Some(61_250)).as_deref(),
            Some("waiting for the replica, 61.2 s behind")
        );
    }
}
