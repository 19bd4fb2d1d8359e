//! Counts the rows for the progress: on a connection of its own, which nothing waits for.

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::usual;
use crate::config::RowCount;
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::session::{Address, Session, fence};
use crate::plan::names::Names;
use crate::sql::helpers::count_rows;

/// Counts, and sends the count once; a fault if it can't be counted. When nobody waits for it any more,
/// the statement is ended on the server, where it would go on for as long as the table is large.
async fn count(address: Address, names: Names, out: mpsc::Sender<Result<u64, Fault>>) {
    let mut session = match Session::open(&address, usual("count", String::new())).await {
        Ok(session) => session,
        Err(fault) => return drop(out.send(Err(fault)).await),
    };
    let id = session.id();
    let statement = count_rows(&names);
    let counted = tokio::select! {
        answer = session.run_for(&statement, limits::LONG_STATEMENT_TIMEOUT) => answer,
        () = out.closed() => {
            // The future above is dropped, and its connection with it.
            let _ = fence(&address, id).await;
            return;
        }
    };
    let counted = counted.and_then(|answer| {
        answer
            .number(0, 0)
            .ok_or_else(|| Fault::unexpected("count the rows", "the server's answer is no number"))
    });
    // Nobody listens any more when the run has ended meanwhile.
    let _ = out.send(counted).await;
}

/// A count of the rows that is under way.
#[derive(Default)]
pub(super) enum Counting {
    /// None, or done.
    #[default]
    Off,
    /// While the rows are copied.
    Meanwhile(mpsc::Receiver<Result<u64, Fault>>),
    /// The copy waits for it.
    Before(mpsc::Receiver<Result<u64, Fault>>),
}

impl Counting {
    /// Begins to count, if that is wanted.
    pub(super) fn start(
        wanted: RowCount,
        tasks: &mut JoinSet<()>,
        address: &Address,
        names: &Names,
    ) -> Self {
        if wanted == RowCount::Estimate {
            return Self::Off;
        }
        let (counted, receiver) = mpsc::channel(1);
        let task = count(address.clone(), names.clone(), counted);
        tasks.spawn(task);
        match wanted {
            RowCount::Before => Self::Before(receiver),
            RowCount::Concurrent | RowCount::Estimate => Self::Meanwhile(receiver),
        }
    }

    /// Whether the copy waits for the count.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self, Self::Before(_))
    }

    /// The count, once; never without one.
    pub(super) async fn counted(&mut self) -> Result<u64, Fault> {
        match self {
            Self::Off => std::future::pending().await,
            Self::Meanwhile(count) | Self::Before(count) => {
                let counted = count.recv().await;
                counted.unwrap_or_else(|| Err(Fault::lost("count the rows")))
            }
        }
    }
}
