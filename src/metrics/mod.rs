//! What a run measures, for machines: an endpoint that Prometheus scrapes, and datagrams for StatsD.
//!
//! Every number comes from the one [`Snapshot`] that the status line is made of. `families`, `exposition`,
//! `request` and `statsd` are pure; `endpoint` and `sender` carry out. The run hands over a copy of the
//! snapshot and never waits for anybody here: whoever scrapes slowly, or not at all, costs it nothing.

mod endpoint;
pub mod exposition;
pub mod families;
pub mod request;
mod sender;
pub mod statsd;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::config::Metrics;
use crate::plan::Refusal;
use crate::report::{Reporter, Snapshot};
use families::Labels;
use sender::Sender;

/// The tasks that hand the numbers out.
pub struct Outlets {
    tasks: JoinSet<()>,
    over: Option<oneshot::Sender<()>>,
}

/// Opens what the operator asked for, before anything is sent to the server, and begins to hand out what
/// the snapshots say.
///
/// # Errors
/// All that can't be opened, and what to do about it.
pub async fn open(
    wanted: &Metrics,
    labels: Labels,
    snapshots: watch::Receiver<Snapshot>,
    reporter: &Reporter,
) -> Result<Outlets, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let listener = match &wanted.listen {
        Some(place) => opened(listen(place).await, &mut refusals),
        None => None,
    };
    let sender = match &wanted.statsd {
        Some(place) => opened(Sender::open(place).await, &mut refusals),
        None => None,
    };
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut tasks = JoinSet::new();
    if let Some(listener) = listener {
        if let Ok(place) = listener.local_addr() {
            reporter.info(format!("metrics at http://{place}/metrics"));
        }
        tasks.spawn(endpoint::serve(listener, labels, snapshots.clone()));
    }
    let over = sender.map(|sender| {
        let (over, ended) = oneshot::channel();
        tasks.spawn(sender.run(wanted.tags.clone(), snapshots, ended));
        over
    });
    Ok(Outlets { tasks, over })
}

fn opened<T>(result: Result<T, Refusal>, refusals: &mut Vec<Refusal>) -> Option<T> {
    result.map_err(|refusal| refusals.push(refusal)).ok()
}

async fn listen((host, port): &(String, u16)) -> Result<TcpListener, Refusal> {
    let bound = TcpListener::bind((host.as_str(), *port)).await;
    bound.map_err(|error| {
        Refusal::new(
            format!("metrics can't be served on port {port} of {host}: {error}"),
            "choose another port with --metrics-listen, or leave the flag out",
        )
    })
}

impl Outlets {
    /// The run is over: the last numbers are sent, and nobody is answered any more.
    pub async fn finish(mut self) {
        let Some(over) = self.over.take() else { return };
        // The sender ends at once, because it never waits for its socket.
        if over.send(()).is_ok() {
            let _ = self.tasks.join_next().await;
        }
    }
}
