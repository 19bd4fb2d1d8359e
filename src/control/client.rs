//! `tableshift ctl`: the other end of the control socket, for people without nc.

use std::io::{IsTerminal, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};

/// Longest wait for an answer: hooks may take their time before a command is carried out.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks of `watch`.
const WATCH: Duration = Duration::from_millis(500);

/// Where a run can be reached.
enum Place {
    Unix(PathBuf),
    Tcp(String),
}

/// The command line of `ctl`.
#[must_use]
pub fn command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("ctl")
        .about("Types a command into a running migration")
        .arg(text("socket", "PATH", "Its unix socket"))
        .arg(text("tcp", "HOST:PORT", "Its TCP port"))
        .arg(text(
            "database",
            "SCHEMA",
            "Or its schema and table: the default socket",
        ))
        .arg(text("table", "TABLE", "See --database"))
        .arg(
            Arg::new("command")
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .help("status, throttle, chunk-size=500, … (see help), or watch: a live view"),
        )
        .after_help("Ends with 1 when the command is refused or the migration can't be reached.")
}

/// Types the command; prints the answer. Returns the exit code.
pub fn run(matches: &ArgMatches, mut out: impl Write, mut err: impl Write) -> u8 {
    let place = match place(matches) {
        Ok(place) => place,
        Err(wrong) => {
            let _ = writeln!(err, "error: {wrong}\n  next:  see tableshift ctl --help");
            return crate::error::exit::USAGE;
        }
    };
    let words: Vec<&String> = matches.get_many("command").into_iter().flatten().collect();
    let line = words
        .iter()
        .map(|word| word.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let result = if line == "watch" {
        watch(&place, &mut out)
    } else {
        ask(&place, &line).and_then(|answer| out.write_all(answer.as_bytes()).map(|()| answer))
    };
    match result {
        Ok(answer) if is_refusal(&answer) => 1,
        Ok(_) => 0,
        Err(error) => {
            let _ = writeln!(
                err,
                "error: the migration can't be reached: {error}\n  data:  nothing was changed\n  next:  \
                 see that it is running, and that the socket is the right one"
            );
            1
        }
    }
}

fn place(matches: &ArgMatches) -> Result<Place, &'static str> {
    let get = |name: &str| matches.get_one::<String>(name).cloned();
    match (get("socket"), get("tcp"), get("database"), get("table")) {
        (Some(path), None, None, None) => Ok(Place::Unix(path.into())),
        (None, Some(address), None, None) => Ok(Place::Tcp(address)),
        (None, None, Some(database), Some(table)) => Ok(Place::Unix(
            crate::config::default_socket(&database, &table),
        )),
        _ => Err("give --socket, or --tcp, or --database and --table"),
    }
}

/// An answer in which nothing was done.
fn is_refusal(answer: &str) -> bool {
    [
        "unknown command",
        "user commanded '",
        "strconv.",
        "Error parsing",
        "You may only invoke",
    ]
    .iter()
    .any(|beginning| answer.starts_with(beginning))
        && !answer.contains("The migration will be aborted")
}

fn ask(place: &Place, line: &str) -> std::io::Result<String> {
    match place {
        Place::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            talk(stream, line)
        }
        Place::Tcp(address) => {
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            talk(stream, line)
        }
    }
}

fn talk(mut stream: impl Read + Write, line: &str) -> std::io::Result<String> {
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The status line again and again until the migration ends: in place on a terminal, line by line (and
/// only when it changes) otherwise.
fn watch(place: &Place, out: &mut impl Write) -> std::io::Result<String> {
    let in_place = std::io::stdout().is_terminal();
    let mut last = ask(place, "sup")?;
    loop {
        let line = last.trim_end();
        if in_place {
            write!(out, "\r\x1b[K{line}")?;
        } else {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        let next = loop {
            std::thread::sleep(WATCH);
            match ask(place, "sup") {
                Ok(next) if next != last => break next,
                Ok(_) => {}
                // It has ended; how, its own log tells.
                Err(_) => {
                    if in_place {
                        writeln!(out)?;
                    }
                    writeln!(out, "the migration has ended")?;
                    return Ok(String::new());
                }
            }
        };
        last = next;
    }
}
