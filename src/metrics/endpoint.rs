//! The HTTP endpoint: one connection, one request, one answer.
//!
//! A task of its own that the run never waits for. Connections, the length of a request, the time for it
//! and the pace at which connections are taken are bounded, so that the costliest client costs some
//! hundred answers a second.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::exposition::render;
use super::families::Labels;
use super::request::{Asked, TOO_LONG, answer, is_whole, read};
use crate::limits;
use crate::report::Snapshot;

/// Answers until it is ended.
pub(super) async fn serve(
    listener: TcpListener,
    labels: Labels,
    snapshots: watch::Receiver<Snapshot>,
) {
    let mut served = JoinSet::new();
    let mut pace = interval(limits::METRICS_ACCEPT_EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        while served.try_join_next().is_some() {}
        if served.len() >= limits::METRICS_CONNECTIONS_MAX {
            served.join_next().await;
        }
        // What can't be taken now (no more files, say) is tried again at the next tick.
        if let Ok((stream, _)) = listener.accept().await {
            served.spawn(one(stream, labels.clone(), snapshots.clone()));
        }
    }
}

/// One request, one answer. Whoever is slower than that has nobody to be told.
async fn one(mut stream: TcpStream, labels: Labels, snapshots: watch::Receiver<Snapshot>) {
    let _ = timeout(limits::METRICS_PATIENCE, async {
        let asked = head(&mut stream).await?;
        // A copy, so that the run never waits for a lock that a rendering holds.
        let snapshot = snapshots.borrow().clone();
        let text = answer(asked, |format| render(&labels, &snapshot, format));
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

async fn head(stream: &mut TcpStream) -> std::io::Result<Asked> {
    let mut bytes = Vec::new();
    loop {
        let room = limits::METRICS_REQUEST_BYTES_MAX - bytes.len();
        if room == 0 {
            return Ok(TOO_LONG);
        }
        let mut limited = (&mut *stream).take(u64::try_from(room).unwrap_or(0));
        if limited.read_buf(&mut bytes).await? == 0 || is_whole(&bytes) {
            return Ok(read(&bytes));
        }
    }
}
