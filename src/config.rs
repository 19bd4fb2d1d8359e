//! What the operator asked for, checked and with units.

use std::path::PathBuf;
use std::time::Duration;

use crate::control::window::Window;
use crate::core::verify::extent::Wanted;
use crate::plan::Wishes;
use crate::plan::alter::create::Create;
use crate::plan::backfill::Backfill;
use crate::plan::batch::Noted;
use crate::plan::batch::manifest::Manifest;
use crate::plan::blockers::KillPolicy;
use crate::plan::indexes::Deferral;
use crate::plan::names::digest;
use crate::plan::shortcut::{Course, Shortcuts};
use crate::plan::triggers::Suffix;
use crate::report::{Format, Level};

/// The environment variable with the password.
pub const PASSWORD_VARIABLE: &str = "TABLESHIFT_PASSWORD";

/// The environment variable by which a migration knows the batch that started it.
pub const PARENT_VARIABLE: &str = "TABLESHIFT_BATCH_PROCESS";

/// The environment variable by which it knows what the table was when the batch looked at it.
pub const NOTED_VARIABLE: &str = "TABLESHIFT_BATCH_TABLE";

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
    /// Ask for the password on the terminal.
    pub ask_password: bool,
    /// The option file, if user or password come from it.
    pub conf: Option<Conf>,
    /// How connections are protected.
    pub tls: Tls,
    /// Longest time to connect.
    pub connect_timeout: Option<Duration>,
    /// Failures of the dump in a row before the run ends.
    pub dump_failures_max: Option<u32>,
    /// Where the run happens.
    pub topology: Topology,
    /// Schema of the table.
    pub database: String,
    /// The table.
    pub table: String,
    /// The ALTER as given.
    pub alter: String,
    /// The table as a file says that it is to be; the ALTER is made of it.
    pub wanted: Option<Desired>,
    /// The table's definition for which the ALTER was made of a file.
    pub seen: Option<String>,
    /// What the table was when a batch looked at it.
    pub noted: Option<Noted>,
    /// The old table of the finished migration that is to be reverted.
    pub revert: Option<String>,
    /// For how long after the cut-over the old table goes on following.
    pub revert_window: Option<Duration>,
    /// Really migrate; otherwise look and leave nothing behind.
    pub execute: bool,
    /// Most rows of a chunk, when set by hand.
    pub chunk_rows: Option<u64>,
    /// How the rows are counted for the progress.
    pub row_count: RowCount,
    /// Interval of the heartbeats.
    pub heartbeat: Duration,
    /// What pauses the run.
    pub throttle: Throttle,
    /// How much is verified before that, and what becomes of rows that differ; the engine draws the
    /// seed of a sample.
    pub verify: Wanted,
    /// Chunks are compared as soon as they are copied. Always so, but for tests that stop a run between the
    /// two.
    pub compare_behind_copy: bool,
    /// When and how the tables are swapped.
    pub cut_over: CutOver,
    /// How the run is commanded.
    pub control: Control,
    /// Programs that are told of events.
    pub hooks: Hooks,
    /// Where the numbers go.
    pub metrics: Metrics,
    /// File that ends the run when it appears.
    pub panic_file: Option<PathBuf>,
    /// Switch the metadata lock instrument on if it is off.
    pub setup_instruments: bool,
    /// Drop the old table at the end.
    pub drop_old: bool,
    /// Time between two checkpoints; without it there are none.
    pub checkpoint: Option<Duration>,
    /// What may be dropped at the start.
    pub wishes: Wishes,
    /// The triggers are taken along under these names.
    pub triggers: Option<Suffix>,
    /// Which secondary indexes are built after the copy.
    pub defer_indexes: Deferral,
    /// Columns that are filled from expressions.
    pub backfills: Vec<Backfill>,
    /// Whether the original may be altered directly where the server touches no rows.
    pub shortcuts: Shortcuts,
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
    /// Form of log lines.
    pub format: Format,
    /// Schema in which the run is recorded, if it is.
    pub history: Option<String>,
    /// Flags that were accepted without effect, each with the reason.
    pub notes: Vec<String>,
}

impl Config {
    /// What of the run has a say in whether its table may be altered directly.
    #[must_use]
    pub fn course(&self) -> Course {
        Course {
            wish: self.shortcuts,
            rehearsal: matches!(self.topology.on_replica, OnReplica::Test { .. }),
            postponed: self.cut_over.postpone_file.is_some(),
            windowed: self.cut_over.window.is_some(),
            compared: self.cut_over.plans.is_some(),
            revertible: self.revert_window.is_some(),
            backfilled: !self.backfills.is_empty(),
        }
    }
}

/// A table as a file says that it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Its definition.
    pub create: Create,
    /// Columns that it lacks may be dropped with their values.
    pub drop_columns: bool,
}

/// An option file that is read again on SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conf {
    /// Where it is.
    pub path: PathBuf,
    /// The user comes from it.
    pub user: bool,
    /// The password comes from it.
    pub password: bool,
}

/// What `tableshift cleanup` is asked for; of the configuration it needs how to connect, and the schema
/// and table, which may be empty for all.
#[derive(Clone)]
pub struct Cleanup {
    /// Where to look.
    pub config: Config,
    /// Drop without asking.
    pub yes: bool,
    /// Drop old tables as well.
    pub old_tables: bool,
}

/// What `tableshift history` is asked for; schema and table of the configuration may be empty for all.
#[derive(Clone)]
pub struct Listing {
    /// Where to look.
    pub config: Config,
    /// The only schema whose history is read.
    pub schema: Option<String>,
    /// Most runs that are listed; 0 for all.
    pub limit: usize,
    /// The form of the list.
    pub format: Format,
}

/// What `tableshift plan` is asked for.
#[derive(Clone)]
pub struct Planning {
    /// The run that is planned; it is never executed.
    pub config: Config,
    /// For how long a sample is copied; zero for none.
    pub sample: Duration,
    /// The form of what is told.
    pub format: Format,
}

/// What `tableshift batch` is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchWish {
    /// Say what would be done.
    Look,
    /// Do it.
    Execute,
    /// Say what was done.
    Status,
}

/// What `tableshift batch` is asked for.
#[derive(Clone)]
pub struct Batch {
    /// The checked manifest.
    pub manifest: Manifest,
    /// When migrations may begin.
    pub window: Option<Window>,
    /// How to connect to each server of the manifest.
    pub servers: Vec<Config>,
    /// Each server's password, if the manifest says where it is.
    pub passwords: Vec<Option<String>>,
    /// The folder of the manifest; other paths begin there.
    pub folder: PathBuf,
    /// What to do.
    pub wish: BatchWish,
    /// Failed jobs are tried again.
    pub retry_failed: bool,
    /// Jobs that are tried again, whatever became of their tables.
    pub retry: Vec<String>,
    /// Jobs whose tables are as they should be.
    pub mark_done: Vec<String>,
    /// The form of the summary.
    pub format: Format,
    /// What this machine is called.
    pub worker: Option<String>,
}

/// What `tableshift verify` is asked for; of the configuration it needs how to connect, and the first
/// table.
#[derive(Clone)]
pub struct Pair {
    /// Where the tables are, and which the first one is.
    pub config: Config,
    /// Schema and name of the second.
    pub other: (String, String),
    /// Most rows that are listed.
    pub keys_max: usize,
}

/// How connections are protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// What is asked for.
    pub mode: TlsMode,
    /// Certificates to trust, a PEM file.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key, PEM files.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The mysql client's `--ssl-mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Never.
    #[default]
    Disabled,
    /// If the server can.
    Preferred,
    /// Always, with any certificate.
    Required,
    /// The certificate must come from a trusted authority.
    VerifyCa,
    /// And be the server's own.
    VerifyIdentity,
}

/// Where the run happens.
#[derive(Clone, Default)]
pub struct Topology {
    /// The primary, if it isn't to be looked for.
    pub primary: Option<(String, u16)>,
    /// Account on the primary, if it is another one.
    pub primary_account: Option<(String, String)>,
    /// Follow the binary log by GTIDs.
    pub gtid: bool,
    /// What is done on a replica.
    pub on_replica: OnReplica,
    /// The primary may have another primary as its source.
    pub co_primaries: bool,
    /// The server may be fed by something that SHOW REPLICA STATUS doesn't show.
    pub unseen_replication: bool,
}

/// What is done when the server is a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnReplica {
    /// Its binary log is followed, the primary is written to.
    #[default]
    Follow,
    /// A rehearsal, with replication stopped at the end by us or, if not, by a hook.
    Test {
        /// We stop it.
        stop: bool,
    },
    /// This replica alone is migrated.
    Migrate,
}

/// How the rows are counted for the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RowCount {
    /// The engine's estimate.
    #[default]
    Estimate,
    /// Counted while copying.
    Concurrent,
    /// Counted before.
    Before,
}

/// What pauses the run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Throttle {
    /// Lag above which control replicas throttle, and no cut-over is tried.
    pub lag_max: Duration,
    /// Replicas whose lag throttles.
    pub control_replicas: Vec<(String, u16)>,
    /// Find them from the primary.
    pub discover_replicas: bool,
    /// Throttles while it returns more than 0.
    pub query: Option<String>,
    /// Throttles unless it answers 200.
    pub http: Option<String>,
    /// Time between two requests.
    pub http_interval: Duration,
    /// Longest wait for an answer.
    pub http_timeout: Duration,
    /// Go on while the URL can't be reached.
    pub ignore_http_errors: bool,
    /// Files that pause everything while they exist: the run's own, and the host's.
    pub file: Option<PathBuf>,
    /// The host's.
    pub additional_file: Option<PathBuf>,
    /// Status variables that throttle.
    pub max_load: Vec<Threshold>,
    /// Status variables that end the run.
    pub critical_load: Vec<Threshold>,
    /// Time to the second look at a critical load.
    pub critical_interval: Duration,
    /// Pause instead of an end.
    pub critical_hibernate: Option<Duration>,
    /// Pause after a chunk, as a multiple of its time.
    pub nice_ratio: f64,
}

/// A status variable and the value from which on it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// Name of the status variable.
    pub variable: String,
    /// Its limit.
    pub limit: i64,
}

/// When and how the tables are swapped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CutOver {
    /// Longest time the tables may stay locked.
    pub lock_held_max: Duration,
    /// Longest pause between attempts.
    pub pause_max: Duration,
    /// File that holds the cut-over back while it exists.
    pub postpone_file: Option<PathBuf>,
    /// The only times at which it may begin.
    pub window: Option<Window>,
    /// Plans of the application's statements are compared before, if they are.
    pub plans: Option<ComparePlans>,
    /// Time of attempts in vain after which blockers are ended.
    pub force_after: Option<Duration>,
    /// Which blockers.
    pub kill: KillPolicy,
}

/// How the plans of the application's statements are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparePlans {
    /// How long the cut-over is postponed for them before the run ends; for ever without.
    pub wait: Option<Duration>,
    /// Time after which they are compared again while the cut-over is postponed.
    pub again: Duration,
}

/// How the run is commanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Control {
    /// The unix socket.
    pub socket: PathBuf,
    /// Nobody asked for this path: another one will do when it is taken.
    pub socket_by_default: bool,
    /// Remove a socket file that is there already.
    pub drop_socket_first: bool,
    /// Address and port to listen on.
    pub tcp: Option<(String, u16)>,
    /// The command `cut-over` must name the table.
    pub named_cut_over: bool,
    /// The command `panic` must name the table.
    pub named_panic: bool,
}

/// Where the numbers go, for machines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Address and port of the HTTP endpoint.
    pub listen: Option<(String, u16)>,
    /// The StatsD collector.
    pub statsd: Option<StatsdPlace>,
    /// Tags of what it is sent, `key:value`.
    pub tags: Vec<String>,
}

/// Where a StatsD collector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsdPlace {
    /// Host and port.
    Udp(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for StatsdPlace {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Udp(host, port) => write!(to, "port {port} of {host}"),
            Self::Unix(path) => path.display().fmt(to),
        }
    }
}

/// Programs that are told of events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Their folder.
    pub path: Option<PathBuf>,
    /// Text for them.
    pub hint: String,
    /// Text for them.
    pub hint_owner: String,
    /// Text for them.
    pub hint_token: String,
    /// Time between two status hooks.
    pub status_interval: Duration,
    /// Longest time one may take.
    pub timeout: Duration,
}

/// Longest `database.table` in the name of a socket, in bytes: a path has 107 (unix(7)), and a process id may
/// have to find room.
const SOCKET_NAME_MAX: usize = 80;

/// gh-ost's place for a table's socket; a name that makes no file name is replaced by its digest.
#[must_use]
pub fn default_socket(database: &str, table: &str) -> PathBuf {
    let name = format!("{database}.{table}");
    if name.len() > SOCKET_NAME_MAX || name.contains('/') {
        return format!("/tmp/gh-ost.{:016x}.sock", digest(&name)).into();
    }
    format!("/tmp/gh-ost.{name}.sock").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_s_socket_has_a_path_that_can_be_opened() {
        let usual = default_socket("shop", "orders");
        assert_eq!(usual.to_str(), Some("/tmp/gh-ost.shop.orders.sock"));
        let long = default_socket(&"s".repeat(64), &"ü".repeat(64));
        let other = default_socket(&"s".repeat(64), &"ü".repeat(63));
        assert!(long != other && long.as_os_str().len() <= 90);
        let folder = default_socket("a/b", "t");
        assert_eq!(
            folder.parent().and_then(|parent| parent.to_str()),
            Some("/tmp")
        );
    }
}
