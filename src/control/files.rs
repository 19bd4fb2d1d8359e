//! Flag files: throttle, postpone, panic. Looked at several times a second.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Wish;

/// Interval of the looks: a file is noticed well within a second.
const LOOK: Duration = Duration::from_millis(200);

/// The files to watch.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Pause while it exists.
    pub throttle: Option<PathBuf>,
    /// The same for all runs of the host.
    pub additional: Option<PathBuf>,
    /// Postpone the cut-over while it exists.
    pub postpone: Option<PathBuf>,
    /// Stop when it appears.
    pub panic: Option<PathBuf>,
}

/// Which of them are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// The throttle file.
    pub throttle: bool,
    /// The host's throttle file.
    pub additional: bool,
    /// The postpone file.
    pub postpone: bool,
    /// The panic file.
    pub panic: bool,
}

impl Files {
    /// Creates the postpone file, as gh-ost does, so that removing it is the go-ahead.
    ///
    /// # Errors
    /// When it can't be created.
    pub fn create_postpone(&self) -> std::io::Result<()> {
        match &self.postpone {
            Some(path) => std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(drop),
            None => Ok(()),
        }
    }

    /// What the files say now.
    #[must_use]
    pub fn look(&self) -> Flags {
        let look = |file: &Option<PathBuf>| file.as_deref().is_some_and(there);
        Flags {
            throttle: look(&self.throttle),
            additional: look(&self.additional),
            postpone: look(&self.postpone),
            panic: look(&self.panic),
        }
    }
}

/// A file that can't be looked at counts as there: an unreadable signal holds, it never lets go.
fn there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

/// Reports every look, until nobody listens. Which files they are may change. Looks in which nothing is
/// new are told as well: somebody else may have looked in between, and seen what is no more.
pub async fn watch(files: watch::Receiver<Files>, wishes: mpsc::Sender<Wish>) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = wishes.closed() => return,
            _ = looks.tick() => {}
        }
        // Disks can hang; the runtime's threads must not hang with them.
        let asked = files.borrow().clone();
        let Ok(flags) = tokio::task::spawn_blocking(move || asked.look()).await else {
            return;
        };
        if wishes.send(Wish::Files(flags)).await.is_err() {
            return;
        }
    }
}
