//! The only writer to stdout and stderr, on a thread of its own.
//!
//! Steps and messages are never lost; snapshots may be, the latest one wins. A bar is drawn on a
//! terminal, gh-ost's status line is printed otherwise; both show the same [`Snapshot`].

pub mod bar;
pub mod batch;
pub mod hint;
pub mod history;
pub mod json;
pub mod line;
pub mod prospect;
pub mod time;

use std::io::{IsTerminal, Write};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

pub use line::Snapshot;

/// What a message promises about the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Data is at risk or the run is over.
    Error,
    /// Unexpected, and handled.
    Warn,
    /// Steps and the operator's acts.
    Info,
    /// Details for those who look for something.
    Debug,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Time, level and text, as gh-ost writes them.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

enum Message {
    Log(Level, String),
    /// A line for stdout, as scripts expect it.
    Out(String),
    /// The hint block, where status lines are printed.
    Hint(String),
}

/// The handle that everybody reports through.
#[derive(Clone)]
pub struct Reporter {
    level: Level,
    messages: Sender<Message>,
    snapshots: Sender<Snapshot>,
}

/// The thread behind the handles; ends when the last handle is gone.
pub struct ReportThread {
    thread: JoinHandle<()>,
}

impl ReportThread {
    /// Waits until everything is written.
    pub fn finish(self) {
        // A panic there has already been printed; there is nobody left to tell.
        let _ = self.thread.join();
    }
}

impl Reporter {
    /// Starts the writer.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn start(level: Level) -> std::io::Result<(Self, ReportThread)> {
        Self::start_as(level, Format::Text)
    }

    /// Starts the writer, with log lines of this form.
    ///
    /// # Errors
    /// When the system can't start a thread.
    pub fn start_as(level: Level, format: Format) -> std::io::Result<(Self, ReportThread)> {
        // Messages are few (steps, warnings) and must not be lost, hence no bound; snapshots come
        // several times a second and only the latest counts.
        let (messages, message_queue) = unbounded();
        let (snapshots, snapshot_queue) = bounded(1);
        let thread = std::thread::Builder::new()
            .name("report".into())
            .spawn(move || Writer::new(format).run(&message_queue, &snapshot_queue))?;
        Ok((
            Self {
                level,
                messages,
                snapshots,
            },
            ReportThread { thread },
        ))
    }

    /// Reports a message.
    pub fn log(&self, level: Level, text: impl Into<String>) {
        if level <= self.level {
            // Fails only when the writer is gone, and then nothing can be written any more.
            let _ = self.messages.send(Message::Log(level, text.into()));
        }
    }

    /// A step or an operator's act.
    pub fn info(&self, text: impl Into<String>) {
        self.log(Level::Info, text);
    }

    /// Something unexpected that was handled.
    pub fn warn(&self, text: impl Into<String>) {
        self.log(Level::Warn, text);
    }

    /// A line on stdout.
    pub fn out(&self, text: impl Into<String>) {
        let _ = self.messages.send(Message::Out(text.into()));
    }

    /// The hint block, for stdout, unless the bar stands there.
    pub fn hint(&self, text: impl Into<String>) {
        let _ = self.messages.send(Message::Hint(text.into()));
    }

    /// The state at this moment; may be left out when the writer is busy.
    pub fn snapshot(&self, snapshot: Snapshot) {
        let _ = self.snapshots.try_send(snapshot);
    }
}

struct Writer {
    format: Format,
    bar: Option<bar::Bar>,
    /// Status lines go to stdout, unless the bar shows the same to the same eyes.
    status_lines: bool,
    last_status_ms: Option<u64>,
}

impl Writer {
    fn new(format: Format) -> Self {
        let bar = std::io::stderr().is_terminal().then(bar::Bar::new);
        let status_lines = bar.is_none() || !std::io::stdout().is_terminal();
        Self {
            format,
            bar,
            status_lines,
            last_status_ms: None,
        }
    }

    fn run(&mut self, messages: &Receiver<Message>, snapshots: &Receiver<Snapshot>) {
        loop {
            crossbeam_channel::select! {
                recv(messages) -> message => match message {
                    Ok(message) => self.message(message),
                    Err(_) => break,
                },
                recv(snapshots) -> snapshot => match snapshot {
                    Ok(snapshot) => {
                        // What was said before is shown before.
                        for message in messages.try_iter() {
                            self.message(message);
                        }
                        self.show(&snapshot);
                    }
                    Err(_) => break,
                },
            }
        }
        // Steps that were sent before the last handle went.
        for message in messages.try_iter() {
            self.message(message);
        }
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }

    fn message(&mut self, message: Message) {
        let write = || match &message {
            Message::Log(level, text) => {
                let line = self.log_line(*level, text);
                let _ = std::io::stderr().lock().write_all(line.as_bytes());
            }
            Message::Hint(_) if !self.status_lines => {}
            Message::Out(text) | Message::Hint(text) => {
                let mut out = std::io::stdout().lock();
                let _ = out.write_all(format!("{text}\n").as_bytes());
                let _ = out.flush();
            }
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn log_line(&self, level: Level, text: &str) -> String {
        let now = now();
        match self.format {
            Format::Text => format!("{now} {:5} {text}\n", level.name()),
            Format::Json => {
                let time = format!("{}Z", now.replace(' ', "T"));
                let level = level.name().to_ascii_lowercase();
                json::object(&time, &level, text) + "\n"
            }
        }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        if let Some(bar) = &mut self.bar {
            bar.update(snapshot);
        }
        let due = self
            .last_status_ms
            .is_none_or(|last| snapshot.elapsed_ms >= last + line::cadence_ms(snapshot));
        if self.status_lines && due {
            self.last_status_ms = Some(snapshot.elapsed_ms);
            self.message(Message::Out(line::status(snapshot)));
        }
    }
}

fn now() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    time::utc(seconds)
}
