//! Sends StatsD datagrams. A datagram that can't be sent at once is lost, as StatsD means it: nothing here
//! waits for anybody, and nothing ends the run.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{UdpSocket, UnixDatagram, lookup_host};
use tokio::sync::{oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::statsd;
use crate::config::StatsdPlace;
use crate::limits;
use crate::plan::Refusal;
use crate::report::Snapshot;

/// A socket that is connected to the collector.
pub(super) enum Sender {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Sender {
    /// Finds the collector. Over UDP nobody can tell whether one listens.
    pub(super) async fn open(place: &StatsdPlace) -> Result<Self, Refusal> {
        let opened = match place {
            StatsdPlace::Udp(host, port) => udp(host, *port).await.map(Self::Udp),
            StatsdPlace::Unix(path) => UnixDatagram::unbound()
                .and_then(|socket| socket.connect(path).map(|()| socket))
                .map(Self::Unix),
        };
        opened.map_err(|error| {
            Refusal::new(
                format!("StatsD at {place} can't be reached: {error}"),
                "correct --statsd-addr, or leave it out",
            )
        })
    }

    /// Sends what the snapshots say, until the run is over; then the last of it.
    pub(super) async fn run(
        self,
        tags: Vec<String>,
        snapshots: watch::Receiver<Snapshot>,
        mut over: oneshot::Receiver<()>,
    ) {
        // Whether it can send, a new socket only knows after a moment.
        let _ = timeout(limits::STATSD_EVERY, self.writable()).await;
        self.send(&[statsd::startup(&tags)]);
        let mut told = Snapshot::default();
        let mut ticks = interval(limits::STATSD_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let last = tokio::select! {
                _ = ticks.tick() => false,
                _ = &mut over => true,
            };
            let now = snapshots.borrow().clone();
            self.send(&statsd::lines(&told, &now, &tags));
            told = now;
            if last {
                return;
            }
        }
    }

    async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.writable().await,
            Self::Unix(socket) => socket.writable().await,
        }
    }

    fn send(&self, lines: &[String]) {
        for datagram in statsd::datagrams(lines, limits::STATSD_DATAGRAM_BYTES_MAX) {
            // A full queue, or nobody there: the next numbers come soon.
            let _ = match self {
                Self::Udp(socket) => socket.try_send(datagram.as_bytes()),
                Self::Unix(socket) => socket.try_send(datagram.as_bytes()),
            };
        }
    }
}

async fn udp(host: &str, port: u16) -> io::Result<UdpSocket> {
    let found = timeout(limits::CONNECT_TIMEOUT, lookup_host((host, port))).await;
    let address = found
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??
        .next()
        .ok_or_else(|| io::Error::other("the name has no address"))?;
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(socket)
}
