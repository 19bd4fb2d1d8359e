//! Everything that can happen to a migration, and everything it can ask for.

use super::checkpoint::Checkpoint;
use super::chunk::{Chunk, ChunkEnd};
use super::copy::{CopyJob, CopyOutcome};
use super::dirty::Spot;
use super::refresh::{RefreshJob, RefreshOutcome};
use super::verify::Pass;
use crate::plan::key::Key;

/// A value written to the changelog to be seen again in the stream; never used twice in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marker(pub u64);

/// Which table a chunk end is looked up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The original.
    Original,
    /// The ghost.
    Ghost,
}

/// Which walk a chunk end belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scan {
    /// The copy.
    Copy,
    /// The verification.
    Verify,
}

/// What became of a RENAME whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// The tables are swapped.
    Swapped,
    /// Nothing happened.
    Unchanged,
    /// It can't be told.
    Unknown,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Every transaction logged before the position is decided and visible.
    BarrierPassed,
    /// The lookup of a chunk's end is over.
    ChunkEndFound(Scan, ChunkEnd),
    /// A chunk was copied.
    Copied(CopyOutcome, u64),
    /// The stream delivered changes of these keys.
    Changed(Vec<Key>),
    /// The stream delivered rows that came, went or got another key; where values of the ghost alone are
    /// kept, that is told before the change itself.
    Renewed(Vec<Key>),
    /// The stream delivered a marker.
    MarkerSeen(Marker),
    /// The stream delivered a heartbeat, so many milliseconds after it was written.
    HeartbeatSeen(u64),
    /// Everything logged up to this spot has been delivered.
    Reached(Spot),
    /// The stream delivered the row of the checkpoint with this number.
    CheckpointSeen(u64),
    /// The last checkpoint taken is written, or given up.
    CheckpointWritten,
    /// The ghost has the indexes that were deferred.
    IndexesBuilt,
    /// The plans of the application's statements were compared; why the cut-over had better wait, if it had.
    PlansCompared(Option<String>),
    /// More changed while they were built than the server could note: they are not there.
    IndexLogFull,
    /// The stream has nothing to deliver, because the replica that is followed applies nothing; but it is
    /// there.
    StreamAlive,
    /// A refresh is over, after so many milliseconds.
    Refreshed(RefreshOutcome, u64),
    /// A chunk was compared: its number, rows, differing keys, and the time in milliseconds.
    Compared(u64, u64, Vec<Key>, u64),
    /// Suspect keys were checked; these still differ.
    Checked(u64, Vec<Key>),
    /// Both tables are locked for us.
    Locked,
    /// The lock was not granted in time.
    NotLocked,
    /// The locking connection went away before everything was refreshed, and the lock with it.
    LockLost,
    /// Everything dirty was refreshed under the lock, and these suspects differ even now.
    LockedRefreshed(Vec<Key>),
    /// The tables are swapped.
    Renamed,
    /// The server refused the rename: nothing happened, the lock is still held. With a reason that
    /// would be the same next time, the run is over.
    NotRenamed(Option<Failure>),
    /// The answer to the rename was lost.
    RenameLost,
    /// What the catalogue says after a lost answer.
    OwnershipRead(Ownership),
    /// The lock is given up.
    Unlocked,
    /// Time has passed; milliseconds since the start.
    Tick(u64),
    /// Why everything has to pause, or that it needn't.
    Throttled(Option<String>),
    /// No heartbeats are written at present, or they are again.
    HeartbeatsRest(bool),
    /// The operator wants it otherwise from now on.
    Tuned {
        /// Most rows of a chunk.
        chunk_rows_max: u64,
        /// Lag of the stream above which no cut-over is tried, in milliseconds.
        lag_max_ms: u64,
        /// Rest after a chunk, in thousandths of its time.
        nice_permille: u64,
    },
    /// The cut-over may not happen yet, or may again.
    Postponed(bool),
    /// The operator wants to stop.
    Stop,
    /// Something can't go on: what happened and what to do next.
    Broken(Failure),
}

/// A failure with what the operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    /// What happened.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// What it is about, where more can be said about that.
    pub about: About,
    /// A run that went on from a checkpoint would end in the same way.
    pub for_good: bool,
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum About {
    /// Nothing that can be looked up.
    #[default]
    Nothing,
    /// Rows with the same value in a unique key of the ghost.
    Duplicates,
    /// Rows that don't fit the ghost.
    Misfits,
}

impl Failure {
    /// A failure with advice.
    pub fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            next: next.into(),
            about: About::Nothing,
            for_good: false,
        }
    }

    /// The same failure, after which only a new beginning helps.
    #[must_use]
    pub fn for_good(self) -> Self {
        Self {
            for_good: true,
            ..self
        }
    }

    /// The same failure, about something that can be looked up.
    #[must_use]
    pub fn about(self, about: About) -> Self {
        Self { about, ..self }
    }
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// Find out when every transaction logged before the position is visible.
    WaitForBarrier,
    /// Look up the end of the next chunk.
    FindChunkEnd {
        /// For which walk.
        scan: Scan,
        /// In which table.
        side: Side,
        /// Lower end.
        after: Option<Key>,
        /// Wished number of rows.
        rows: u64,
        /// Nearly every number of the key is taken: rows needn't be counted one by one.
        dense: bool,
    },
    /// Copy a chunk.
    Copy(CopyJob),
    /// Refresh keys.
    Refresh(RefreshJob),
    /// Compare a chunk of both tables.
    Compare(Pass, Chunk),
    /// Check suspect keys.
    Check(u64, Vec<Key>),
    /// Store this checkpoint; the one before it is of no use any more.
    WriteCheckpoint(Checkpoint),
    /// Build the ghost's deferred indexes.
    BuildIndexes,
    /// Compare the plans of the application's statements.
    ComparePlans,
    /// Write this marker to the changelog.
    WriteMarker(Marker),
    /// Lock both tables.
    Lock {
        /// Longest time to wait for it, in milliseconds.
        wait_ms: u64,
    },
    /// Refresh these keys on the locking connection, then check these suspects there.
    RefreshLocked {
        /// Dirty keys.
        keys: Vec<Key>,
        /// Those of them whose rows are others than before.
        renewed: Vec<Key>,
        /// Suspects that never stood still.
        suspects: Vec<Key>,
    },
    /// Swap the tables.
    Rename,
    /// Give the lock up.
    Unlock,
    /// Settle by the catalogue what became of the rename.
    ReadOwnership,
}

/// How a migration ended, in terms of the data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The tables are swapped.
    Completed,
    /// Stopped by the operator; the original is untouched.
    Stopped,
    /// Given up; the original is untouched.
    Failed(Failure),
    /// Verification found that at least these rows differ; the original is untouched.
    Mismatch(Vec<Key>),
    /// It is not known whether the tables are swapped.
    Unknown,
}
