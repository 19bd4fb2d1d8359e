//! The operator's side while a migration runs: flag files and signals.

pub mod files;
pub mod signals;

/// A wish of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Pause, with gh-ost's reason for the status line, or go on.
    Throttle(Option<String>),
    /// Hold the cut-over back, or no longer.
    Postpone(bool),
    /// Stop; tells why.
    Stop(String),
}
