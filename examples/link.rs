//! A long way to a server, for the benchmark: passes TCP connections on, every byte a fixed time later.
//!
//! ```text
//! link --to 127.0.0.1:3306 --delay-us 2500
//! ```
//!
//! Prints `port=…`, where it listens on 127.0.0.1, and runs until it is ended. The delay is that of each
//! direction, so a round trip takes twice as much. Bandwidth isn't limited: while bytes wait for their
//! time, more are read.

use std::{
    env,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::ExitCode,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// Pieces that may be on their way in one direction of one connection. 64 MiB in 2.5 ms are 25 GB/s,
/// more than loopback has; yet a reader that sleeps can't fill the memory.
const PIECES_MAX: usize = 1024;

type Failure = Box<dyn std::error::Error>;

/// Bytes, and when they arrive.
type Piece = (Instant, Vec<u8>);

fn arguments(mut words: impl Iterator<Item = String>) -> Result<(String, Duration), Failure> {
    let (mut to, mut delay) = (None, Duration::from_micros(2500));
    while let Some(name) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--to" => to = Some(value),
            "--delay-us" => delay = Duration::from_micros(value.parse()?),
            _ => return Err(format!("unknown argument {name} {value}").into()),
        }
    }
    Ok((to.ok_or("--to must be given")?, delay))
}

/// Reads until the end, and says when each piece arrives.
fn depart(mut from: TcpStream, delay: Duration, way: &SyncSender<Piece>) {
    let mut room = vec![0; PIECE];
    while let Ok(count) = from.read(&mut room) {
        let piece = (Instant::now() + delay, room[..count].to_vec());
        if count == 0 || way.send(piece).is_err() {
            return;
        }
    }
}

/// Writes every piece at its time, and then closes this direction.
fn arrive(mut to: TcpStream, way: Receiver<Piece>) {
    for (due, bytes) in way {
        // Threads, and not the timers of an event loop: those have steps of a millisecond.
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    // It may be closed already.
    drop(to.shutdown(Shutdown::Both));
}

fn direction(from: &TcpStream, to: &TcpStream, delay: Duration) -> io::Result<()> {
    let (from, to) = (from.try_clone()?, to.try_clone()?);
    let (sender, receiver) = sync_channel(PIECES_MAX);
    thread::spawn(move || depart(from, delay, &sender));
    thread::spawn(move || arrive(to, receiver));
    Ok(())
}

fn pass(client: &TcpStream, to: &str, delay: Duration) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    direction(client, &server, delay)?;
    direction(&server, client, delay)
}

fn run() -> Result<(), Failure> {
    let (to, delay) = arguments(env::args().skip(1))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("port={}", listener.local_addr()?.port());
    for client in listener.incoming() {
        // A client whose server isn't there is closed, as by the server itself.
        if let Err(error) = client.and_then(|client| pass(&client, &to, delay)) {
            eprintln!("link: {error}");
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("link: {error}");
            ExitCode::FAILURE
        }
    }
}
