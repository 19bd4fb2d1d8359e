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
    /// An answer that never comes ends the run.
    AnswersAreWatched,
    /// A report that comes after the end starts nothing.
    NothingAfterTheEnd,
    /// The cut-over waits until every chunk has been compared.
    VerifiedBeforeCutOver,
    /// No job is handed out while throttled.
    ThrottledMeansNoLoad,
    /// A suspect that is dirty when its check begins counts as changed.
    DirtyIsNotQuiet,
    /// The stream is read under the lock however many keys are dirty.
    StreamReadUnderLock,
    /// Where keys have several spellings, an event for one touches every suspect.
    AnyEventTouchesSpellings,
    /// A mismatch waits for a marker that was written after the check.
    MismatchWaitsForMarker,
    /// The set is cleaned when the locked refresh is issued, not by its answer.
    CleanedWhenIssued,
    /// Suspects that never stood still are compared under the lock.
    SuspectsSettledUnderLock,
    /// Keys whose locked refresh was lost with its lock become dirty again.
    LostLockMarksAgain,
    /// A stop waits for the answer of a rename that was sent.
    StopWaitsForRename,
    /// A key that is dirty again because its refresh came to nothing is so since its first event.
    DirtyAgainKeepsItsAge,
    /// A checkpoint's position is not past the first event of any dirty key.
    CheckpointIsNotPastDirtyKeys,
    /// Keys in workers' hands count as dirty for a checkpoint.
    CheckpointCountsKeysInHand,
    /// Keys that the copy passed over, of which no event tells, stand in the checkpoint.
    CheckpointNamesKeysPassedOver,
    /// A checkpoint says "copied up to" where the first chunk that isn't done begins.
    CheckpointStaysBehindOpenChunks,
    /// No checkpoint is taken in an attempt at the cut-over, when the set is empty but not refreshed.
    NoCheckpointUnderLock,
    /// No checkpoint is taken before the start barrier is passed.
    NoCheckpointBeforeBarrier,
    /// A resumed run goes on only in a log that has the checkpoint's own row.
    CheckpointProvesItself,
    /// A pass of the verification that repaired is no pass: everything is compared again.
    RepairedPassIsNoPass,
    /// Rows that changed are compared again while the cut-over is postponed.
    ChangedRowsComparedAgain,
    /// With a unique key that the ALTER introduces everything is compared, whatever was wanted.
    IntroducedKeysVerified,
    /// A chunk is compared after it was copied and what it passed over was marked.
    ComparedWhenCopied,
    /// The cut-over waits until the ghost has the indexes that are built after the copy.
    IndexesBeforeCutOver,
    /// The cut-over waits until the plans of the application's statements were compared, if that was asked for.
    PlansBeforeCutOver,
}

/// Every rule.
#[cfg(test)]
pub(crate) const ALL: [Rule; 41] = [
    Rule::StartBarrier,
    Rule::PassedOverBecomesDirty,
    Rule::EventDuringRefreshMarksAgain,
    Rule::OneWorkerPerKey,
    Rule::EqualKeysOneWorker,
    Rule::HeldStaysDirty,
    Rule::AbsenceIsProved,
    Rule::WorkersIdleBeforeLock,
    Rule::MarkerAfterLock,
    Rule::NewMarkerEachAttempt,
    Rule::DrainBeforeRename,
    Rule::LostAnswerIsRead,
    Rule::CopyReachesEnd,
    Rule::MismatchNeedsQuiet,
    Rule::PostponedMeansNoRename,
    Rule::AnswersAreWatched,
    Rule::NothingAfterTheEnd,
    Rule::VerifiedBeforeCutOver,
    Rule::ThrottledMeansNoLoad,
    Rule::DirtyIsNotQuiet,
    Rule::StreamReadUnderLock,
    Rule::AnyEventTouchesSpellings,
    Rule::MismatchWaitsForMarker,
    Rule::CleanedWhenIssued,
    Rule::SuspectsSettledUnderLock,
    Rule::LostLockMarksAgain,
    Rule::StopWaitsForRename,
    Rule::DirtyAgainKeepsItsAge,
    Rule::CheckpointIsNotPastDirtyKeys,
    Rule::CheckpointCountsKeysInHand,
    Rule::CheckpointNamesKeysPassedOver,
    Rule::CheckpointStaysBehindOpenChunks,
    Rule::NoCheckpointUnderLock,
    Rule::NoCheckpointBeforeBarrier,
    Rule::CheckpointProvesItself,
    Rule::RepairedPassIsNoPass,
    Rule::ChangedRowsComparedAgain,
    Rule::IntroducedKeysVerified,
    Rule::ComparedWhenCopied,
    Rule::IndexesBeforeCutOver,
    Rule::PlansBeforeCutOver,
];

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
