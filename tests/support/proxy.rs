//! A proxy in front of a server, for what happens to connections and to the binary log on its way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::server::Server;

/// What makes a connection one that reads the binary log.
const DUMP: &[u8] = b"@source_heartbeat_period";

/// The proxy; it ends with the test's runtime.
#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    target: Mutex<(String, u16)>,
    /// Connections that read the binary log are refused.
    denied: AtomicBool,
    /// Those begun before this count get nothing any more.
    frozen_before: AtomicU64,
    dumps: AtomicU64,
    /// Bytes of which the first occurrence in the binary log is damaged.
    needle: Mutex<Option<Vec<u8>>>,
    /// Changes when all connections are to be cut.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// Listens on a free port.
    pub async fn start(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let state = Arc::new(State {
            target: Mutex::new((server.host.clone(), server.port)),
            denied: AtomicBool::new(false),
            frozen_before: AtomicU64::new(0),
            dumps: AtomicU64::new(0),
            needle: Mutex::new(None),
            cuts: watch::channel(0).0,
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let target = state.target.lock().expect("the target").clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(target).await else {
                        return;
                    };
                    let mut cuts = state.cuts.subscribe();
                    tokio::select! {
                        _ = pass(client, server, &state) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self { port, state }
    }

    /// New connections lead to this server; the present ones are cut.
    pub fn turn_to(&self, server: &Server) {
        *self.state.target.lock().expect("the target") = (server.host.clone(), server.port);
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Refuses dumps, or lets them pass.
    pub fn deny_dumps(&self, denied: bool) {
        self.state.denied.store(denied, Ordering::SeqCst);
    }

    /// The dumps under way get nothing any more, and aren't told.
    pub fn freeze_dumps(&self) {
        let dumps = self.state.dumps.load(Ordering::SeqCst);
        self.state.frozen_before.store(dumps, Ordering::SeqCst);
    }

    /// Dumps begun so far.
    pub fn dumps(&self) -> u64 {
        self.state.dumps.load(Ordering::SeqCst)
    }

    /// Flips a bit of these bytes when they come by in the binary log.
    pub fn damage(&self, needle: &[u8]) {
        *self.state.needle.lock().expect("the needle") = Some(needle.to_vec());
    }
}

fn contains(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len())
        .position(|window| window == needle)
}

async fn pass(client: TcpStream, server: TcpStream, state: &State) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut asked = vec![0; 1 << 16];
    let mut answered = vec![0; 1 << 16];
    let mut dump = None;
    loop {
        tokio::select! {
            read = from_client.read(&mut asked) => {
                let request = &asked[..read?];
                if request.is_empty() {
                    return Ok(());
                }
                if contains(request, DUMP).is_some() {
                    if state.denied.load(Ordering::SeqCst) {
                        return Ok(());
                    }
                    dump = Some(state.dumps.fetch_add(1, Ordering::SeqCst));
                }
                to_server.write_all(request).await?;
            }
            read = from_server.read(&mut answered) => {
                let answer = &mut answered[..read?];
                if answer.is_empty() {
                    return Ok(());
                }
                if let Some(number) = dump {
                    if number < state.frozen_before.load(Ordering::SeqCst) {
                        continue;
                    }
                    harm(answer, state);
                }
                to_client.write_all(answer).await?;
            }
        }
    }
}

fn harm(answer: &mut [u8], state: &State) {
    let mut needle = state.needle.lock().expect("the needle");
    let place = needle.as_ref().and_then(|needle| contains(answer, needle));
    if let Some(place) = place {
        answer[place] ^= 1;
        *needle = None;
    }
}
