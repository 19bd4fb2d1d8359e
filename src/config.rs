//! What the operator asked for, checked and with units.

use std::path::PathBuf;
use std::time::Duration;

use crate::plan::Wishes;
use crate::report::Level;

/// A checked command line.
#[derive(Clone)]
pub struct Config {
    /// Server to connect to.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Account.
    pub user: String,
    /// Password; appears nowhere.
    pub password: String,
    /// Schema of the table.
    pub database: String,
    /// The table.
    pub table: String,
    /// The ALTER as given.
    pub alter: String,
    /// Really migrate; otherwise look and leave nothing behind.
    pub execute: bool,
    /// Most rows of a chunk, when set by hand.
    pub chunk_rows: Option<u64>,
    /// Lag above which no cut-over is tried.
    pub lag_max: Duration,
    /// Interval of the heartbeats.
    pub heartbeat: Duration,
    /// Longest time the tables may stay locked.
    pub lock_held_max: Duration,
    /// Files that pause everything while they exist.
    pub throttle_files: Vec<PathBuf>,
    /// File that holds the cut-over back while it exists.
    pub postpone_file: Option<PathBuf>,
    /// File that ends the run when it appears.
    pub panic_file: Option<PathBuf>,
    /// Drop the old table at the end.
    pub drop_old: bool,
    /// What may be dropped at the start.
    pub wishes: Wishes,
    /// A time stamp in the old table's name.
    pub timestamp_old: bool,
    /// Base of the helper tables' names.
    pub base_name: Option<String>,
    /// Copy connections.
    pub copy_workers: usize,
    /// Refresh connections.
    pub refresh_workers: usize,
    /// How much is logged.
    pub level: Level,
    /// Flags that were accepted without effect, each with the reason.
    pub notes: Vec<String>,
}
