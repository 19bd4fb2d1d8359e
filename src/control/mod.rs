//! The operator's side while a migration runs: flag files, signals, and what pauses it.

pub mod client;
pub mod command;
pub mod desk;
pub mod files;
pub mod hooks;
pub mod http;
pub mod parent;
pub mod signals;
pub mod socket;
pub mod throttle;
pub mod window;

/// What can pause a run, in the order in which reasons are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A pause after a critical load.
    Hibernation,
    /// The operator's command.
    User,
    /// A flag file.
    File,
    /// Status variables of the server.
    MaxLoad,
    /// The throttle query.
    Query,
    /// The throttle URL.
    Http,
    /// Lag of the control replicas.
    Replicas,
}

/// What can hold the cut-over back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// The postpone file, or the command that stands for it.
    File,
    /// The time of day.
    Window,
    /// Plans of statements that would get worse, or could not be compared.
    Plans,
    /// A hook that has to agree first.
    Hook,
    /// Nobody has asked for the revert that the window is for.
    Revert,
}

/// A wish of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// This source wants a pause, with gh-ost's reason for the status line, or no longer.
    Throttle(Source, Option<String>),
    /// What the flag files say has changed.
    Files(files::Flags),
    /// No wish, but news for hooks: a chunk failed with this error and is tried again.
    CopyRetried(String),
    /// The revert window is over: stop, unless a revert was asked for.
    WindowOver,
    /// Stop; tells why.
    Stop(String),
}
