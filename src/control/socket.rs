//! The control socket: one connection, one line, one answer, as gh-ost's.
//!
//! The unix socket belongs to its owner alone. The TCP port has no password, so it listens on loopback
//! unless told otherwise.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::hooks::{Event, Runner};
use crate::config::Control;
use crate::plan::Refusal;

/// Longest line; a throttle query may be long, a mistaken connection must not fill the memory.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Time for a line to come and its answer to be taken: whoever is slower is not typing.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time for the last answers when the run is over.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Connections at a time; others wait in the system's queue.
const CONNECTIONS_MAX: usize = 32;
/// A unix socket's path has at most so many bytes (unix(7)).
const PATH_BYTES_MAX: usize = 107;

/// A line that was typed, and where its answer goes.
pub struct Request {
    /// The line.
    pub line: String,
    /// For the answer.
    pub reply: oneshot::Sender<String>,
}

/// The open sockets of a run. The file goes when this is dropped.
pub struct Sockets {
    unix: UnixListener,
    file: SocketFile,
    tcp: Option<TcpListener>,
}

struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens what the operator asked for.
///
/// # Errors
/// What can't be opened, and what to do about it.
pub async fn open(control: &Control) -> Result<Sockets, Refusal> {
    match open_at(control, &control.socket).await {
        // The same table of another server, say: nobody has asked for this very path.
        Err(_) if control.socket_by_default => {
            let own = format!("{}.sock", std::process::id());
            open_at(control, &control.socket.with_extension(own)).await
        }
        other => other,
    }
}

async fn open_at(control: &Control, path: &Path) -> Result<Sockets, Refusal> {
    if path.as_os_str().len() > PATH_BYTES_MAX {
        return Err(Refusal::new(
            format!(
                "the socket's path has more than {PATH_BYTES_MAX} bytes: {}",
                path.display()
            ),
            "choose a shorter one with --serve-socket-file",
        ));
    }
    make_room(path, control.drop_socket_first).await?;
    let cannot = |error: io::Error| {
        Refusal::new(
            format!("the socket {} can't be opened: {error}", path.display()),
            "choose another path with --serve-socket-file",
        )
    };
    let unix = private(path).map_err(cannot)?;
    let file = SocketFile(path.to_owned());
    let tcp = match &control.tcp {
        Some((host, port)) => Some(TcpListener::bind((host.as_str(), *port)).await.map_err(
            |error| {
                Refusal::new(
                    format!("TCP port {port} on {host} can't be opened: {error}"),
                    "choose another one with --serve-tcp-port",
                )
            },
        )?),
        None => None,
    };
    Ok(Sockets { unix, file, tcp })
}

/// Sockets in the usual place on which nobody listens, of a schema and table or of all.
#[must_use]
pub fn dead(schema: &str, table: &str) -> Vec<PathBuf> {
    let usual = crate::config::default_socket(schema, table);
    let beginning = match schema {
        "" => "gh-ost.".to_owned(),
        schema => format!("gh-ost.{schema}."),
    };
    let folder = usual.parent().map(std::fs::read_dir);
    let entries = folder.and_then(Result::ok).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let ours = name.starts_with(&beginning) && name.ends_with(".sock");
            ours && entry.file_type().is_ok_and(|kind| kind.is_socket())
        })
        .map(|entry| entry.path())
        .filter(|path| table.is_empty() || *path == usual)
        // Any other trouble says nothing about whether a run is there.
        .filter(|path| {
            let answer = std::os::unix::net::UnixStream::connect(path);
            answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        })
        .collect();
    found.sort();
    found
}

/// A file of a run that is gone is in nobody's way; one that answers is.
async fn make_room(path: &Path, drop_first: bool) -> Result<(), Refusal> {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let socket = found.file_type().is_socket();
    let removable = socket && (drop_first || UnixStream::connect(path).await.is_err());
    if !removable {
        return Err(Refusal::new(
            format!(
                "{} is in use by another run, or is no socket",
                path.display()
            ),
            "choose another path with --serve-socket-file, or have it removed with \
             --initially-drop-socket-file",
        ));
    }
    std::fs::remove_file(path).map_err(|error| {
        Refusal::new(
            format!("{} can't be removed: {error}", path.display()),
            "remove it, or choose another path with --serve-socket-file",
        )
    })
}

/// Made in a folder that only we may enter, and moved to its place when nobody else may use it: there
/// is no moment in which somebody could slip in.
fn private(path: &Path) -> io::Result<UnixListener> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let nest = folder.join(format!(".ts-{}", std::process::id()));
    std::fs::create_dir(&nest)?;
    let made = (|| {
        std::fs::set_permissions(&nest, PermissionsExt::from_mode(0o700))?;
        let inside = nest.join("s");
        let listener = UnixListener::bind(&inside)?;
        std::fs::set_permissions(&inside, PermissionsExt::from_mode(0o600))?;
        std::fs::rename(&inside, path)?;
        Ok(listener)
    })();
    std::fs::remove_dir_all(&nest)?;
    made
}

impl Sockets {
    /// Where the unix socket is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.0
    }

    /// Passes on what is typed, until nobody listens.
    pub async fn serve(self, requests: mpsc::Sender<Request>, hooks: Option<Runner>) {
        let Self { unix, file, tcp } = self;
        let mut served = JoinSet::new();
        loop {
            let room = served.len() < CONNECTIONS_MAX;
            let tcp_accept = async {
                match &tcp {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            let (requests, hooks) = (requests.clone(), hooks.clone());
            tokio::select! {
                () = requests.closed() => break,
                accepted = unix.accept(), if room => {
                    if let Ok((stream, _)) = accepted {
                        served.spawn(one(stream, requests, hooks));
                    }
                }
                accepted = tcp_accept, if room => {
                    if let Ok((stream, _)) = accepted {
                        served.spawn(one(stream, requests, hooks));
                    }
                }
                Some(_) = served.join_next(), if !served.is_empty() => {}
            }
        }
        drop(file);
        // Answers on their way (to the command that ends the run, for one) are still given.
        let rest = async { while served.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_ANSWERS, rest).await;
    }
}

/// One line, one answer.
async fn one<S>(mut stream: S, requests: mpsc::Sender<Request>, hooks: Option<Runner>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // A connection that breaks has nobody to be told.
    let _ = tokio::time::timeout(PATIENCE, async {
        let mut line = String::new();
        BufReader::new((&mut stream).take(LINE_BYTES_MAX))
            .read_line(&mut line)
            .await?;
        let answer = answer(line.trim(), &requests, hooks).await;
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

async fn answer(line: &str, requests: &mpsc::Sender<Request>, hooks: Option<Runner>) -> String {
    if let Some(hooks) = hooks {
        let name = line.split('=').next().unwrap_or_default().trim();
        let event = Event::InteractiveCommand(name.to_owned());
        if let Err(refused) = hooks.run(&event).await {
            return format!("{refused}\n");
        }
    }
    let (reply, answer) = oneshot::channel();
    let request = Request {
        line: line.to_owned(),
        reply,
    };
    if requests.send(request).await.is_err() {
        return "the migration is ending\n".into();
    }
    answer
        .await
        .unwrap_or_else(|_| "the migration is ending\n".into())
}
