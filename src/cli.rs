//! The command line: gh-ost's flags, with one or two dashes, and a few of our own.
//!
//! Only words and checks of words; what a flag means is decided elsewhere. Every flag of gh-ost is
//! known: it does what it says, or it is accepted with a note because it has no meaning here, or it
//! is refused because ignoring it would not be what was asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, Args, Command, FromArgMatches};

use crate::config::Config;
use crate::limits;
use crate::plan::{Wishes, alter};
use crate::report::Level;

/// Flags of gh-ost that need nothing here, and why.
const WITHOUT_EFFECT: [(&str, &str); 21] = [
    (
        "allow-on-master",
        "the primary is where this tool always writes",
    ),
    (
        "allow-master-master",
        "only the server it is connected to is used",
    ),
    (
        "assume-rbr",
        "the binary log's format is checked and never changed",
    ),
    (
        "aliyun-rds",
        "host and port are never compared with the server's own",
    ),
    (
        "gcp",
        "host and port are never compared with the server's own",
    ),
    (
        "azure",
        "host and port are never compared with the server's own",
    ),
    (
        "skip-port-validation",
        "host and port are never compared with the server's own",
    ),
    ("concurrent-rowcount", "the engine's row estimate is used"),
    ("exact-rowcount", "the engine's row estimate is used"),
    (
        "dml-batch-size",
        "changed rows are refreshed in batches of their own size",
    ),
    ("default-retries", "retries have fixed bounds"),
    (
        "approve-renamed-columns",
        "renames are read from the ALTER and checked by the server",
    ),
    ("replica-server-id", "a random server id is used"),
    ("storage-engine", "only InnoDB is migrated"),
    (
        "cut-over",
        "both tables are locked and renamed by one connection",
    ),
    ("cut-over-exponential-backoff", "attempts always back off"),
    (
        "exponential-backoff-max-interval",
        "the longest pause between attempts is 30 s",
    ),
    (
        "initially-drop-socket-file",
        "there is no socket file in this version",
    ),
    (
        "skip-metadata-lock-check",
        "the start barrier needs the metadata locks and checks them",
    ),
    (
        "allow-zero-in-date",
        "zero dates of unchanged columns always pass",
    ),
    ("stack", "errors say what to do next"),
];

/// Flags of gh-ost that this version refuses: leaving them out silently would not be the run that
/// was asked for.
const NOT_YET: [&str; 59] = [
    "ask-pass",
    "conf",
    "master-user",
    "master-password",
    "assume-master-host",
    "mysql-timeout",
    "charset",
    "ssl",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-allow-insecure",
    "binlogsyncer-max-reconnect-attempts",
    "attempt-instant-ddl",
    "include-triggers",
    "trigger-suffix",
    "remove-trigger-suffix-if-exists",
    "tungsten",
    "gtid",
    "switch-to-rbr",
    "test-on-replica",
    "test-on-replica-skip-replica-stop",
    "migrate-on-replica",
    "allow-nullable-unique-key",
    "skip-renamed-columns",
    "discard-foreign-keys",
    "skip-foreign-key-checks",
    "skip-strict-mode",
    "panic-on-warnings",
    "allow-setup-metadata-lock-instruments",
    "analyze-ghost-table-before-cutover",
    "nice-ratio",
    "throttle-control-replicas",
    "throttle-query",
    "throttle-http",
    "throttle-http-interval-millis",
    "throttle-http-timeout-millis",
    "ignore-http-errors",
    "max-load",
    "critical-load",
    "critical-load-interval-millis",
    "critical-load-hibernate-seconds",
    "replication-lag-query",
    "force-named-cut-over",
    "force-named-panic",
    "serve-socket-file",
    "serve-tcp-port",
    "hooks-path",
    "hooks-hint",
    "hooks-hint-owner",
    "hooks-hint-token",
    "hooks-status-interval",
    "checkpoint",
    "checkpoint-seconds",
    "resume",
    "revert",
    "old-table",
    "statsd-addr",
    "statsd-tags",
];

#[derive(Args)]
struct Flags {
    /// Host name or address of the primary
    #[arg(long, default_value = "127.0.0.1", help_heading = "Server")]
    host: String,
    /// Its TCP port
    #[arg(long, default_value_t = 3306, help_heading = "Server")]
    port: u16,
    /// Account
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        help_heading = "Server"
    )]
    user: String,
    /// Password; better given in TABLESHIFT_PASSWORD, where process lists don't show it
    #[arg(
        long,
        env = "TABLESHIFT_PASSWORD",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true,
        help_heading = "Server"
    )]
    password: String,

    /// Schema of the table
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        help_heading = "Migration"
    )]
    database: String,
    /// The table
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        help_heading = "Migration"
    )]
    table: String,
    /// The ALTER: its clauses, or the whole statement
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        help_heading = "Migration"
    )]
    alter: String,
    /// Migrate; without it everything is checked and nothing stays on the server
    #[arg(long, help_heading = "Migration", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    execute: bool,
    /// Base of the helper tables' names instead of the table's name
    #[arg(long, help_heading = "Migration")]
    force_table_names: Option<String>,
    /// Put the time into the old table's name
    #[arg(long, help_heading = "Migration", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    timestamp_old_table: bool,

    /// Most rows of a copy chunk, 10 to 100000 [default: by time, about 50 ms a chunk]
    #[arg(long, help_heading = "Copy", value_parser = clap::value_parser!(u64).range(10..=100_000))]
    chunk_size: Option<u64>,
    /// Connections that copy, 1 to 32
    #[arg(long, help_heading = "Copy", default_value_t = 2,
        value_parser = clap::value_parser!(u8).range(1..=32))]
    copy_workers: u8,
    /// Connections that refresh changed rows, 1 to 32
    #[arg(long, help_heading = "Copy", default_value_t = 2,
        value_parser = clap::value_parser!(u8).range(1..=32))]
    refresh_workers: u8,

    /// Pause everything while this file exists
    #[arg(long, help_heading = "Pauses")]
    throttle_flag_file: Option<PathBuf>,
    /// The same, for all migrations on a host
    #[arg(long, help_heading = "Pauses", default_value = "/tmp/gh-ost.throttle")]
    throttle_additional_flag_file: PathBuf,
    /// End the run when this file appears
    #[arg(long, help_heading = "Pauses")]
    panic_flag_file: Option<PathBuf>,

    /// Hold the cut-over back while this file exists; created at the start
    #[arg(long, help_heading = "Cut-over")]
    postpone_cut_over_flag_file: Option<PathBuf>,
    /// Longest time the tables stay locked, in seconds, 1 to 10
    #[arg(long, help_heading = "Cut-over", default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(1..=10))]
    cut_over_lock_timeout_seconds: u64,
    /// No cut-over while the stream is behind by more than this, in milliseconds, at least 100
    #[arg(long, help_heading = "Cut-over", default_value_t = 1_500,
        value_parser = clap::value_parser!(u64).range(100..))]
    max_lag_millis: u64,
    /// Interval of the heartbeats in the changelog, in milliseconds, 100 to 1000
    #[arg(long, help_heading = "Cut-over", default_value_t = 100,
        value_parser = clap::value_parser!(u64).range(100..=1_000))]
    heartbeat_interval_millis: u64,

    /// Drop the old table at the end
    #[arg(long, help_heading = "Tables", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    ok_to_drop_table: bool,
    /// Drop an old table of an earlier run at the start
    #[arg(long, help_heading = "Tables", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    initially_drop_old_table: bool,
    /// Drop a ghost table of an earlier run at the start
    #[arg(long, help_heading = "Tables", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    initially_drop_ghost_table: bool,

    /// Log errors only
    #[arg(long, help_heading = "Output", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    quiet: bool,
    /// Log steps (the default)
    #[arg(long, help_heading = "Output", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    verbose: bool,
    /// Log details as well
    #[arg(long, help_heading = "Output", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    debug: bool,
    /// Only check that all flags are known
    #[arg(long, help_heading = "Output", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    check_flag: bool,
}

/// What to do after the command line was read.
pub enum Asked {
    /// Run.
    Run(Box<Config>),
    /// Print this to stdout and end with 0.
    Print(String),
    /// Print this to stderr and end with the usage code.
    Wrong(String),
}

fn command() -> Command {
    let mut command = Flags::augment_args(
        Command::new("tableshift")
            .version(env!("CARGO_PKG_VERSION"))
            .about("Online schema changes for MySQL: copied, followed, verified, swapped")
            .after_help(
                "Flags may be written with one dash, as gh-ost's. Exit codes: docs/exit-codes.md.",
            ),
    );
    let known = WITHOUT_EFFECT.iter().map(|(name, _)| *name).chain(NOT_YET);
    for name in known {
        command = command.arg(
            Arg::new(name)
                .long(name)
                .hide(true)
                .num_args(0..=1)
                .action(ArgAction::Append),
        );
    }
    command
}

/// Reads a command line, without the program's name.
pub fn read(arguments: impl IntoIterator<Item = String>) -> Asked {
    let arguments = std::iter::once("tableshift".to_owned())
        .chain(arguments.into_iter().map(|argument| two_dashes(&argument)));
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => return Asked::Wrong(error.render().to_string()),
        Err(error) => return Asked::Print(error.render().to_string()),
    };
    let flags = match Flags::from_arg_matches(&matches) {
        Ok(flags) => flags,
        Err(error) => return Asked::Wrong(error.render().to_string()),
    };
    let given = |name: &str| matches.try_contains_id(name).unwrap_or(false);
    let mut problems: Vec<String> = NOT_YET
        .iter()
        .filter(|name| given(name))
        .map(|name| format!("--{name} is a flag of gh-ost that this version doesn't have yet"))
        .collect();
    let notes = WITHOUT_EFFECT
        .iter()
        .filter(|(name, _)| given(name) && *name != "allow-on-master")
        .map(|(name, why)| format!("--{name} has no effect: {why}"))
        .collect();
    if flags.check_flag {
        return if problems.is_empty() {
            Asked::Print(String::new())
        } else {
            wrong(&problems)
        };
    }
    match config(flags, notes, &mut problems) {
        Some(config) if problems.is_empty() => Asked::Run(Box::new(config)),
        Some(_) | None => wrong(&problems),
    }
}

fn wrong(problems: &[String]) -> Asked {
    let mut text = String::from("error: the command line can't be carried out");
    for problem in problems {
        text.push_str("\n  what:  ");
        text.push_str(problem);
    }
    text.push_str("\n  data:  nothing was sent to the server\n  next:  see tableshift --help\n");
    Asked::Wrong(text)
}

/// gh-ost's flags have one dash or two. A lone letter or a number stays as it is.
fn two_dashes(argument: &str) -> String {
    let mut characters = argument.chars();
    let single = characters.next() == Some('-')
        && characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '-');
    if single {
        format!("-{argument}")
    } else {
        argument.to_owned()
    }
}

fn config(flags: Flags, notes: Vec<String>, problems: &mut Vec<String>) -> Option<Config> {
    let (database, table) = which_table(&flags, problems);
    if flags.password.len() > 214 {
        problems.push("passwords longer than 214 bytes need TLS, which this version lacks".into());
    }
    if !problems.is_empty() {
        return None;
    }
    let mut throttle_files = vec![flags.throttle_additional_flag_file];
    throttle_files.extend(flags.throttle_flag_file);
    Some(Config {
        host: flags.host,
        port: flags.port,
        user: flags.user,
        password: flags.password,
        database,
        table,
        alter: flags.alter,
        execute: flags.execute,
        chunk_rows: flags.chunk_size,
        lag_max: Duration::from_millis(flags.max_lag_millis),
        heartbeat: Duration::from_millis(flags.heartbeat_interval_millis),
        lock_held_max: Duration::from_secs(flags.cut_over_lock_timeout_seconds),
        throttle_files,
        postpone_file: flags.postpone_cut_over_flag_file,
        panic_file: flags.panic_flag_file,
        drop_old: flags.ok_to_drop_table,
        wishes: Wishes {
            drop_ghost_first: flags.initially_drop_ghost_table,
            drop_old_first: flags.initially_drop_old_table,
        },
        timestamp_old: flags.timestamp_old_table,
        base_name: flags.force_table_names,
        copy_workers: usize::from(flags.copy_workers).max(1),
        refresh_workers: usize::from(flags.refresh_workers).max(1),
        level: level(flags.quiet, flags.debug),
        notes,
    })
}

/// Schema and table, from their flags or from the ALTER.
fn which_table(flags: &Flags, problems: &mut Vec<String>) -> (String, String) {
    let alter = if flags.alter.trim().is_empty() {
        problems.push("--alter must be provided and statement must not be empty".into());
        alter::Alter::default()
    } else {
        alter::parse(&flags.alter).unwrap_or_else(|error| {
            problems.push(format!("--alter can't be read: {error}"));
            alter::Alter::default()
        })
    };
    let or_from_alter = |given: &str, named: Option<String>| {
        if given.is_empty() {
            named.unwrap_or_default()
        } else {
            given.to_owned()
        }
    };
    let database = or_from_alter(&flags.database, alter.schema);
    let table = or_from_alter(&flags.table, alter.table);
    if database.is_empty() {
        problems.push(
            "--database must be provided and database name must not be empty, or --alter must \
             specify database name"
                .into(),
        );
    }
    if table.is_empty() {
        problems.push(
            "--table must be provided and table name must not be empty, or --alter must specify \
             table name"
                .into(),
        );
    }
    (database, table)
}

fn level(quiet: bool, debug: bool) -> Level {
    if quiet {
        Level::Error
    } else if debug {
        Level::Debug
    } else {
        Level::Info
    }
}

const _: () = assert!(limits::COPY_WORKERS == 2 && limits::REFRESH_WORKERS == 2);

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Asked {
        read(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    fn running(arguments: &[&str]) -> Config {
        match asked(arguments) {
            Asked::Run(config) => *config,
            Asked::Print(text) | Asked::Wrong(text) => panic!("{text}"),
        }
    }

    #[test]
    fn gh_osts_spellings_all_work() {
        for arguments in [
            vec![
                "--database=d",
                "--table",
                "t",
                "--alter",
                "ENGINE=InnoDB",
                "--execute",
            ],
            vec![
                "-database",
                "d",
                "-table=t",
                "-alter=ENGINE=InnoDB",
                "-execute=true",
            ],
            vec![
                "--alter",
                "ALTER TABLE d.t ENGINE=InnoDB",
                "--execute",
                "-allow-on-master",
            ],
        ] {
            let config = running(&arguments);
            assert_eq!(
                (config.database.as_str(), config.table.as_str()),
                ("d", "t")
            );
            assert!(config.execute);
        }
        let config = running(&[
            "--alter=ALTER TABLE d.t FORCE",
            "--execute=false",
            "--assume-rbr",
        ]);
        assert!(!config.execute);
        assert_eq!(config.notes.len(), 1);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let Asked::Wrong(text) = asked(&["--gtid", "--hooks-path=/h"]) else {
            panic!("accepted")
        };
        for fragment in [
            "--gtid",
            "--hooks-path",
            "--alter must",
            "--database must",
            "--table must",
        ] {
            assert!(text.contains(fragment), "{fragment} in {text}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused_and_not_clamped() {
        for wrong in [
            "--chunk-size=5",
            "--cut-over-lock-timeout-seconds=11",
            "--nosuch",
        ] {
            let answer = asked(&["--alter=ALTER TABLE d.t FORCE", wrong]);
            assert!(matches!(answer, Asked::Wrong(_)), "{wrong}");
        }
    }

    #[test]
    fn flags_can_be_checked_without_a_run() {
        assert!(matches!(
            asked(&["--check-flag", "--assume-rbr"]),
            Asked::Print(_)
        ));
        assert!(matches!(
            asked(&["--check-flag", "--resume"]),
            Asked::Wrong(_)
        ));
    }
}
