//! The command line: gh-ost's flags, with one or two dashes, and a few of our own.
//!
//! [`flags`] has them all in one table; `read.rs` makes a checked [`Config`] of what was given, and
//! tells all problems at once. Only words and checks of words; what a flag means is decided elsewhere.

mod batch;
pub mod conf;
mod desired;
pub mod flags;
pub mod help;
mod history;
pub mod option_file;
mod pair;
mod plan;
mod read;
mod table;
pub mod terminal;
mod tidy;

pub(crate) use read::{parse_address, parse_thresholds};

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{Batch, Cleanup, Config, Listing, Pair, Planning};
use flags::{Effect, Flag, GROUPS, Kind};

/// What to do after the command line was read.
pub enum Asked {
    /// Run.
    Run(Box<Config>),
    /// Look for what runs have left.
    CleanUp(Box<Cleanup>),
    /// List the runs that were recorded.
    List(Box<Listing>),
    /// Compare two tables.
    Verify(Box<Pair>),
    /// Compare a table with a file.
    Differ(Box<Config>),
    /// Tell what a run would do.
    Plan(Box<Planning>),
    /// Run many migrations.
    Batch(Box<Batch>),
    /// Print this to stdout and end with 0.
    Print(String),
    /// Print this to stderr and end with the usage code.
    Wrong(String),
}

/// What `--version` prints: gh-ost's form. The commit is known where the program was built from a
/// checkout (`build.rs`).
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (git commit: ",
    env!("TABLESHIFT_COMMIT"),
    ")"
);
/// The release alone.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");
/// The commit alone, or `unknown`.
pub const COMMIT: &str = env!("TABLESHIFT_COMMIT");

/// Reads a command line, without the program's name.
pub fn read(arguments: impl IntoIterator<Item = String>) -> Asked {
    let arguments: Vec<String> = arguments.into_iter().collect();
    match arguments.first().map(String::as_str) {
        Some("completions") => return completions(arguments.get(1..).unwrap_or_default()),
        Some("man") => return man(),
        Some("batch") => return batch::read(arguments.get(1..).unwrap_or_default()),
        Some("history") => return history::read(arguments.get(1..).unwrap_or_default()),
        Some("verify") => return pair::read(arguments.get(1..).unwrap_or_default()),
        Some("plan") => return plan::read(arguments.get(1..).unwrap_or_default()),
        Some("diff") => return desired::read(arguments.get(1..).unwrap_or_default()),
        Some("cleanup") => return tidy::read(arguments.get(1..).unwrap_or_default()),
        _ => {}
    }
    // The word for what is done anyway may stand in front.
    let word = usize::from(arguments.first().is_some_and(|word| word == "migrate"));
    let arguments = std::iter::once("tableshift".to_owned()).chain(
        arguments
            .iter()
            .skip(word)
            .map(|argument| two_dashes(argument)),
    );
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if error.use_stderr() => return Asked::Wrong(error.render().to_string()),
        Err(error) => return Asked::Print(error.render().to_string()),
    };
    for (name, text) in [
        ("h", help::short()),
        ("help", help::long()),
        ("version", format!("{VERSION}\n")),
    ] {
        if matches.get_flag(name) {
            return Asked::Print(text);
        }
    }
    let given = read::Given::new(&matches);
    match given.config() {
        Ok(_) if given.is_on("check-flag") => Asked::Print(String::new()),
        Ok(config) => Asked::Run(Box::new(config)),
        Err(problems) => wrong(&problems),
    }
}

/// Reads the flags of a command that stands in front of them, such as `history`; the other way leads to what is
/// printed instead.
fn understood(
    command: Command,
    word: &str,
    help: &str,
    arguments: &[String],
) -> Result<ArgMatches, Box<Asked>> {
    let arguments = std::iter::once(format!("tableshift {word}"))
        .chain(arguments.iter().map(|argument| two_dashes(argument)));
    let matches = command
        .try_get_matches_from(arguments)
        .map_err(|error| Asked::Wrong(error.render().to_string()))?;
    if matches.get_flag("h") || matches.get_flag("help") {
        return Err(Box::new(Asked::Print(help.into())));
    }
    Ok(matches)
}

fn completions(arguments: &[String]) -> Asked {
    use clap_complete::Shell;

    let shell = match arguments.first().map(String::as_str) {
        Some("bash") => Shell::Bash,
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => return wrong(&["tableshift completions is followed by bash, zsh or fish".into()]),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "tableshift", &mut script);
    Asked::Print(String::from_utf8_lossy(&script).into_owned())
}

fn man() -> Asked {
    let mut page = Vec::new();
    match clap_mangen::Man::new(command()).render(&mut page) {
        Ok(()) => Asked::Print(String::from_utf8_lossy(&page).into_owned()),
        Err(error) => wrong(&[format!("the manual page can't be made: {error}")]),
    }
}

/// The command line as clap knows it; the manual page and the completions are made of it.
#[must_use]
pub fn command() -> Command {
    let switch = |name: &'static str, help| Arg::new(name).action(ArgAction::SetTrue).help(help);
    let mut command = Command::new("tableshift")
        .version(VERSION)
        .about("Online schema changes for MySQL: copied, followed, verified, swapped")
        .after_help(
            "Flags may be written with one dash, as gh-ost's. Exit codes: docs/exit-codes.md.",
        )
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(switch("h", "One line for each flag").short('h'))
        .arg(switch("help", "Everything about each flag").long("help"))
        .arg(switch("version", "Version and commit").long("version"));
    for group in &GROUPS {
        for flag in group.flags {
            command = command.arg(argument(flag).help_heading(group.title));
        }
    }
    command
}

/// Values are taken as they come: what they must be is checked in one place, with all other problems.
fn argument(flag: &'static Flag) -> Arg {
    let long = [flag.help, flag.more, &live_note(flag), &effect_note(flag)]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n");
    let arg = Arg::new(flag.name)
        .long(flag.name)
        .help(flag.help)
        .long_help(long)
        .allow_hyphen_values(true);
    let arg = match flag.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("true|false"),
        Kind::Texts => arg.action(ArgAction::Append),
        Kind::Whole(..) | Kind::Number(..) => arg.value_name("N"),
        Kind::Word(_) => arg.value_name("WORD"),
        Kind::Text | Kind::Secret => arg.value_name("TEXT"),
    };
    let arg = match flag.kind {
        // Go takes the last of several.
        Kind::Texts => arg,
        _ => arg.action(ArgAction::Set).overrides_with(flag.name),
    };
    let shown = !flag.default.is_empty() && flag.kind != Kind::Switch;
    if shown {
        arg.default_value(flag.default)
    } else {
        arg
    }
}

fn live_note(flag: &Flag) -> String {
    match flag.live {
        "" => String::new(),
        live => format!("While running: {live}"),
    }
}

fn effect_note(flag: &Flag) -> String {
    match flag.effect {
        Effect::Acts => String::new(),
        Effect::Nothing(why) => format!("Accepted without effect: {why}."),
    }
}

fn wrong(problems: &[String]) -> Asked {
    Asked::Wrong(problems_text(problems))
}

/// What the operator reads when the command line can't be carried out.
#[must_use]
pub fn problems_text(problems: &[String]) -> String {
    let mut text = String::from("error: the command line can't be carried out");
    for problem in problems {
        text.push_str("\n  what:  ");
        text.push_str(problem);
    }
    text.push_str("\n  data:  nothing was sent to the server\n  next:  see tableshift --help\n");
    text
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::verify::extent::Extent;

    fn asked(arguments: &[&str]) -> Asked {
        read(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    fn running(arguments: &[&str]) -> Config {
        match asked(arguments) {
            Asked::Run(config) => *config,
            Asked::Print(text) | Asked::Wrong(text) => panic!("{text}"),
            Asked::CleanUp(_)
            | Asked::List(_)
            | Asked::Verify(_)
            | Asked::Differ(_)
            | Asked::Batch(_)
            | Asked::Plan(_) => {
                panic!("not a run")
            }
        }
    }

    fn refused(arguments: &[&str]) -> String {
        match asked(arguments) {
            Asked::Wrong(text) => text,
            Asked::Run(_)
            | Asked::Print(_)
            | Asked::CleanUp(_)
            | Asked::List(_)
            | Asked::Verify(_)
            | Asked::Differ(_)
            | Asked::Batch(_)
            | Asked::Plan(_) => {
                panic!("accepted: {arguments:?}")
            }
        }
    }

    const TABLE: &str = "--alter=ALTER TABLE d.t FORCE";

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
                "--execute=T",
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
        let config = running(&[TABLE, "--execute=false", "--assume-rbr"]);
        assert!(!config.execute);
        assert_eq!(config.notes.len(), 1);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = refused(&[
            "--statsd-addr=h",
            "--metrics-listen=:9464",
            "--include-triggers",
            "--chunk-size=5",
            "--nice-ratio=x",
        ]);
        for fragment in [
            "--statsd-addr",
            "--metrics-listen",
            "--include-triggers",
            "--chunk-size",
            "--nice-ratio",
            "--alter must",
            "--database must",
            "--table must",
        ] {
            assert!(text.contains(fragment), "{fragment} in {text}");
        }
    }

    #[test]
    fn flags_about_values_become_wishes() {
        use crate::plan::conversion::Misfits;
        use crate::plan::{NullInKey, Renames, Wishes};
        assert_eq!(running(&[TABLE]).wishes, Wishes::default());
        let config = running(&[
            TABLE,
            "-skip-strict-mode",
            "--allow-zero-in-date=true",
            "--skip-renamed-columns",
            "--allow-nullable-unique-key",
        ]);
        let expected = Wishes {
            misfits: Misfits::Adjusted,
            zero_dates: true,
            renames: Renames::Skipped,
            null_in_key: NullInKey::Watched,
            ..Wishes::default()
        };
        assert_eq!(config.wishes, expected);
        assert!(config.notes.is_empty());
    }

    #[test]
    fn values_out_of_range_are_refused_and_not_clamped() {
        for wrong in [
            "--chunk-size=5",
            "--cut-over-lock-timeout-seconds=11",
            "--nice-ratio=-1",
            "--cut-over=sometimes",
            "--execute=maybe",
            "--nosuch",
        ] {
            refused(&[TABLE, wrong]);
        }
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused_in_gh_osts_words() {
        for (flags, words) in [
            (
                &["--allow-on-master", "--test-on-replica"][..],
                "--allow-on-master and --test-on-replica are mutually exclusive",
            ),
            (
                &["--allow-on-master", "--migrate-on-replica"],
                "--allow-on-master and --migrate-on-replica are mutually exclusive",
            ),
            (
                &["--migrate-on-replica", "--test-on-replica"],
                "--migrate-on-replica and --test-on-replica are mutually exclusive",
            ),
            (
                &["--switch-to-rbr", "--assume-rbr"],
                "--switch-to-rbr and --assume-rbr are mutually exclusive",
            ),
            (
                &["--test-on-replica-skip-replica-stop"],
                "--test-on-replica-skip-replica-stop requires --test-on-replica to be enabled",
            ),
            (
                &["--master-user=u"],
                "--master-user requires --assume-master-host",
            ),
            (
                &["--master-password=p"],
                "--master-password requires --assume-master-host",
            ),
            (&["--ssl-ca=f"], "--ssl-ca requires --ssl"),
            (&["--ssl-cert=f"], "--ssl-cert requires --ssl"),
            (&["--ssl-key=f"], "--ssl-key requires --ssl"),
            (
                &["--ssl-allow-insecure"],
                "--ssl-allow-insecure requires --ssl",
            ),
            (&["--checkpoint-seconds=9"], "--checkpoint-seconds"),
            (
                &["--revert", "--resume"],
                "--revert cannot be used with --resume",
            ),
            (&["--revert"], "--revert must be called with --old-table"),
            (
                &["--trigger-suffix=x"],
                "--trigger-suffix cannot be used without --include-triggers",
            ),
            (
                &["--approve-renamed-columns", "--skip-renamed-columns"],
                "--approve-renamed-columns and --skip-renamed-columns are mutually exclusive",
            ),
            (&["--cut-over=none"], "Unknown cut-over: none"),
            (
                &["--throttle-http=https://h/"],
                "--throttle-http must be http://host[:port][/path]",
            ),
            (&["--max-load=foo"], "Error parsing load condition: foo"),
            (&["--force-cut-over-after=60"], "--force-cut-over-after"),
            (&["--cut-over-window=2-4 UTC"], "--cut-over-window: \"2-4\""),
            (&["--concurrent-rowcount=false", "--execute=2"], "--execute"),
            (
                &["--no-history", "--history-schema=ops"],
                "--history-schema and --no-history are mutually exclusive",
            ),
        ] {
            let arguments: Vec<&str> = flags.iter().copied().chain([TABLE]).collect();
            let text = refused(&arguments);
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn plans_are_compared_only_between_two_tables_and_waited_for_only_then() {
        for (flags, words) in [
            (
                &["--compare-plans-wait=60"][..],
                "--compare-plans-wait requires --compare-plans",
            ),
            (
                &["--compare-plans", "--attempt-instant-ddl"],
                "--compare-plans and --attempt-instant-ddl are mutually exclusive",
            ),
        ] {
            let arguments: Vec<&str> = flags.iter().copied().chain([TABLE]).collect();
            let text = refused(&arguments);
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn runs_are_recorded_in_their_table_s_schema_unless_told_otherwise() {
        let schema = |flags: &[&str]| {
            let arguments: Vec<&str> = flags.iter().copied().chain([TABLE]).collect();
            running(&arguments).history
        };
        assert_eq!(schema(&[]), Some("d".into()));
        assert_eq!(schema(&["--history-schema=ops"]), Some("ops".into()));
        assert_eq!(schema(&["--no-history"]), None);
    }

    #[test]
    fn metrics_are_served_on_loopback_unless_another_address_is_spelled_out() {
        let listen = |value: &str| running(&[TABLE, value]).metrics.listen;
        for (value, host, port) in [
            ("--metrics-listen=9464", "127.0.0.1", 9_464),
            ("--metrics-listen=0", "127.0.0.1", 0),
            ("--metrics-listen=0.0.0.0:9464", "0.0.0.0", 9_464),
            ("--metrics-listen=metrics.example:80", "metrics.example", 80),
            ("--metrics-listen=[::1]:9464", "::1", 9_464),
        ] {
            assert_eq!(listen(value), Some((host.to_owned(), port)), "{value}");
        }
        assert_eq!(running(&[TABLE]).metrics, crate::config::Metrics::default());
        for wrong in [
            ":9464", "host", "host:", "host:x", "70000", "::1:9464", "[::1]", "a b:1",
        ] {
            let text = refused(&[TABLE, &format!("--metrics-listen={wrong}")]);
            assert!(text.contains("--metrics-listen"), "{wrong} in {text}");
        }
    }

    #[test]
    fn statsd_is_a_host_with_a_port_or_a_socket() {
        use crate::config::StatsdPlace::{Udp, Unix};
        let place = |value: &str| running(&[TABLE, value]).metrics.statsd;
        for (value, expected) in [
            ("--statsd-addr=h:8125", Udp("h".into(), 8_125)),
            ("--statsd-addr=[::1]:8125", Udp("::1".into(), 8_125)),
            (
                "--statsd-addr=/run/statsd.sock",
                Unix("/run/statsd.sock".into()),
            ),
            ("--statsd-addr=unix:///run/s", Unix("/run/s".into())),
        ] {
            assert_eq!(place(value), Some(expected), "{value}");
        }
        for wrong in ["h", ":8125", "h:0", "h:x", "unix://"] {
            let text = refused(&[TABLE, &format!("--statsd-addr={wrong}")]);
            assert!(text.contains("--statsd-addr"), "{wrong} in {text}");
        }
        let tags = [
            "--statsd-addr=h:1",
            "--statsd-tags=a:b",
            "--statsd-tags=c:d",
        ];
        let arguments: Vec<&str> = tags.iter().copied().chain([TABLE]).collect();
        assert_eq!(running(&arguments).metrics.tags, ["a:b", "c:d"]);
        for (wrong, words) in [
            (
                &["--statsd-addr=h:1", "--statsd-tags=a"][..],
                "--statsd-tags: \"a\"",
            ),
            (
                &["--statsd-tags=a:b"],
                "--statsd-tags requires --statsd-addr",
            ),
        ] {
            let arguments: Vec<&str> = wrong.iter().copied().chain([TABLE]).collect();
            let text = refused(&arguments);
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn tables_are_altered_directly_unless_told_otherwise() {
        use crate::plan::shortcut::Shortcuts;
        let wish = |flags: &[&str]| {
            let arguments: Vec<&str> = flags.iter().copied().chain([TABLE]).collect();
            running(&arguments).shortcuts
        };
        assert_eq!(wish(&[]), Shortcuts::Usual);
        assert_eq!(wish(&["--attempt-instant-ddl"]), Shortcuts::Asked);
        assert_eq!(wish(&["--attempt-instant-ddl=false"]), Shortcuts::Off);
        assert_eq!(wish(&["--no-shortcuts"]), Shortcuts::Off);
        assert_eq!(wish(&["--revert", "--old-table=_t_del"]), Shortcuts::Off);
        for other in ["--no-shortcuts", "--revert-window=1h"] {
            let name = other.split('=').next().unwrap_or_default();
            let words = format!("--attempt-instant-ddl and {name} are mutually exclusive");
            let text = refused(&[TABLE, "--attempt-instant-ddl", other]);
            assert!(text.contains(&words), "{words} in {text}");
        }
    }

    #[test]
    fn wishes_for_the_verification_fit_each_other() {
        for (flags, words) in [
            (
                &["--verify-sample-percent=5"][..],
                "--verify-sample-percent requires --verify=sample",
            ),
            (
                &["--verify=off", "--verify-repair"],
                "--verify-repair and --verify=off are mutually exclusive",
            ),
            (&["--verify=perhaps"], "--verify"),
            (
                &["--verify=sample", "--verify-sample-percent=0"],
                "--verify-sample-percent",
            ),
        ] {
            let arguments: Vec<&str> = flags.iter().copied().chain([TABLE]).collect();
            let text = refused(&arguments);
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn flags_can_be_checked_without_a_run() {
        assert!(matches!(
            asked(&["--check-flag", "--assume-rbr", "--resume"]),
            Asked::Print(_)
        ));
        assert!(matches!(
            asked(&["--check-flag", "--chunk-size=5"]),
            Asked::Wrong(_)
        ));
    }

    #[test]
    fn nothing_is_lost_on_the_way_into_the_configuration() {
        let arguments = [
            "tableshift",
            "--max-load=Threads_running=50,Threads_connected=500",
            "--throttle-control-replicas=one:3307,two",
            "--nice-ratio=0.5",
            "--serve-tcp-port=10001",
            "--verify=sample",
            "--verify-sample-percent=7",
            "--verify-repair",
            "--max-lag-millis=2000",
        ];
        let matches = command()
            .try_get_matches_from(arguments)
            .expect("known flags");
        let config = read::Given::new(&matches).assemble("d".into(), "t".into());
        assert_eq!(config.throttle.max_load.len(), 2);
        let replicas = [("one".to_owned(), 3307), ("two".to_owned(), 3306)];
        assert_eq!(config.throttle.control_replicas, replicas);
        assert!((config.throttle.nice_ratio - 0.5).abs() < f64::EPSILON);
        assert_eq!(config.control.tcp, Some(("127.0.0.1".into(), 10_001)));
        assert_eq!(
            config.control.socket.to_string_lossy(),
            "/tmp/gh-ost.d.t.sock"
        );
        assert_eq!(config.throttle.lag_max.as_millis(), 2_000);
        let sample = Extent::Sample {
            percent: 7,
            seed: 0,
        };
        assert_eq!((config.verify.extent, config.verify.repair), (sample, true));
    }
}
