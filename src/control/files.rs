//! Flag files: throttle, postpone, panic. Looked at several times a second.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Source, Wish};

/// Interval of the looks: a file is noticed well within a second.
const LOOK: Duration = Duration::from_millis(200);

/// The files to watch.
#[derive(Debug, Clone)]
pub struct Files {
    /// Pause while any of these exists.
    pub throttle: Vec<PathBuf>,
    /// Postpone the cut-over while it exists.
    pub postpone: Option<PathBuf>,
    /// Stop when it appears.
    pub panic: Option<PathBuf>,
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
    pub fn look(&self) -> (Option<String>, bool, bool) {
        let throttled = self.throttle.iter().any(|path| there(path));
        (
            throttled.then(|| "flag-file".to_owned()),
            self.postpone.as_deref().is_some_and(there),
            self.panic.as_deref().is_some_and(there),
        )
    }
}

/// A file that can't be looked at counts as there: an unreadable signal holds, it never lets go.
fn there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

/// Reports every change of what the files say, until nobody listens.
pub async fn watch(files: Files, wishes: mpsc::Sender<Wish>) {
    let mut last: (Option<String>, bool) = (None, false);
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = wishes.closed() => return,
            _ = looks.tick() => {}
        }
        // Disks can hang; the runtime's threads must not hang with them.
        let asked = files.clone();
        let Ok((throttled, postponed, panicked)) =
            tokio::task::spawn_blocking(move || asked.look()).await
        else {
            return;
        };
        let mut news = Vec::new();
        if panicked {
            news.push(Wish::Stop("the panic flag file appeared".into()));
        }
        if throttled != last.0 {
            news.push(Wish::Throttle(Source::File, throttled.clone()));
        }
        if postponed != last.1 {
            news.push(Wish::Postpone(postponed));
        }
        last = (throttled, postponed);
        for wish in news {
            if wishes.send(wish).await.is_err() {
                return;
            }
        }
        if panicked {
            return;
        }
    }
}
