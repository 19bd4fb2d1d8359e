//! The scribe: writes checkpoints to the checkpoint table, on a connection of its own.
//!
//! A checkpoint that can't be written is no reason to end a run: the one before stays true, and the next
//! one is a few seconds away. But it is told, because until then less could be continued.

use tokio::sync::{mpsc, watch};

use super::workers::Done;
use crate::core::checkpoint::{Checkpoint, Copied};
use crate::core::event::Event;
use crate::limits;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::place::Position;
use crate::mysql::session::Session;
use crate::plan::names::Names;
use crate::plan::saved::{CopiedTo, Progress, Seen, Stage};
use crate::report::Reporter;
use crate::sql::checkpoint::write_checkpoint;

/// The writer of checkpoints.
pub(super) struct Scribe {
    /// Its connection.
    pub session: Session,
    /// The tables.
    pub names: Names,
    /// Told when there is something to go on from.
    pub kept: watch::Sender<bool>,
    /// Where to complain.
    pub reporter: Reporter,
}

impl Scribe {
    /// Writes what it is given until nobody gives it anything.
    pub(super) async fn run(
        mut self,
        mut entries: mpsc::Receiver<Progress>,
        done: mpsc::Sender<Done>,
    ) {
        let mut complained = false;
        while let Some(progress) = entries.recv().await {
            match self.write(&progress).await {
                Ok(()) => {
                    complained = false;
                    self.kept.send_replace(true);
                }
                Err(fault) if progress.stage == Stage::Swapped => self.reporter.warn(format!(
                    "the tables are swapped, but the checkpoint table doesn't say so: {fault}; before \
                     another change of this table, drop `{}`",
                    self.names.checkpoint
                )),
                Err(fault) if !complained => {
                    complained = true;
                    self.reporter.warn(format!(
                        "the checkpoint can't be written, so what is done from now on would be done \
                         again by a run that continues this one: {fault}"
                    ));
                }
                Err(_) => {}
            }
            // Nobody listens when the run is ending.
            let _ = done.send((usize::MAX, Event::CheckpointWritten)).await;
        }
    }

    /// The row may be written twice, so everything but a definite error is tried again.
    async fn write(&mut self, progress: &Progress) -> Result<(), Fault> {
        let statement = write_checkpoint(&self.names, progress);
        let mut last = Ok(());
        for _ in 0..limits::CHECKPOINT_TRIES {
            match self.session.run(&statement).await {
                Ok(_) => return Ok(()),
                Err(fault) => match fault.kind {
                    FaultKind::Held | FaultKind::Conflict => {
                        last = Err(fault);
                        tokio::time::sleep(limits::LOCK_RETRY_PAUSE).await;
                    }
                    FaultKind::Lost | FaultKind::TimedOut => {
                        last = Err(fault);
                        self.session.reopen().await?;
                    }
                    FaultKind::TooLarge | FaultKind::Definite => return Err(fault),
                },
            }
        }
        last
    }
}

/// A checkpoint as it is written down.
pub(super) fn progress(
    checkpoint: Checkpoint,
    position: Position,
    (written, log): &(Seen, Seen),
) -> Progress {
    Progress {
        number: checkpoint.number,
        stage: Stage::default(),
        old_table: String::new(),
        written: written.clone(),
        log: log.clone(),
        file: position.file,
        offset: position.offset,
        gtids: position.gtids.map(|gtids| gtids.to_string()),
        copied: match checkpoint.copied {
            Copied::UpTo(None) => CopiedTo::Nothing,
            Copied::UpTo(Some(key)) => CopiedTo::Key(key),
            Copied::Everything => CopiedTo::End,
        },
        passed_over: checkpoint.passed_over,
        rows_copied: checkpoint.rows_copied,
    }
}
