//! The protocol's load-bearing rules, by name, so that a test can take one out.
//!
//! In the product every rule holds and [`Rules`] takes no space. The simulation removes one rule
//! at a time and demands that the explorer finds the loss: a rule that can be removed unnoticed is
//! either not needed or not tested.

/// A rule that keeps rows from being lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// No chunk is read before every transaction logged before the position is visible.
    StartBarrier,
    /// Rows that the copy passes over become dirty.
    PassedOverBecomesDirty,
    /// An event for a key in a worker's hands marks it again.
    EventDuringRefreshMarksAgain,
    /// A key is in one worker's hands at a time.
    OneWorkerPerKey,
    /// Keys that only the server can tell apart go through one worker.
    EqualKeysOneWorker,
    /// A key whose row somebody holds stays dirty.
    HeldStaysDirty,
    /// A ghost row is deleted only when the original's absence is proved without waiting.
    AbsenceIsProved,
    /// The cut-over waits until no worker has a job.
    WorkersIdleBeforeLock,
    /// The marker is written after the lock is granted.
    MarkerAfterLock,
    /// Each attempt has a marker of its own.
    NewMarkerEachAttempt,
    /// Every dirty key is refreshed under the lock before the rename.
    DrainBeforeRename,
    /// The lost answer of a rename is settled by reading the catalogue.
    LostAnswerIsRead,
    /// The cut-over needs the copy to have reached the end.
    CopyReachesEnd,
    /// A key that differs is a mismatch only if nothing changed it meanwhile.
    MismatchNeedsQuiet,
    /// No rename is sent once the operator was told that the cut-over is postponed.
    PostponedMeansNoRename,
}

/// The rules in force: all of them, except in the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rules {
    #[cfg(test)]
    removed: Option<Rule>,
}

impl Rules {
    /// All rules but one.
    #[cfg(test)]
    pub(crate) fn without(rule: Rule) -> Self {
        Self {
            removed: Some(rule),
        }
    }

    /// Whether the rule is in force.
    #[must_use]
    pub fn has(self, rule: Rule) -> bool {
        #[cfg(test)]
        {
            self.removed != Some(rule)
        }
        #[cfg(not(test))]
        {
            let _ = rule;
            true
        }
    }
}
