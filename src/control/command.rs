//! The commands of the control socket: gh-ost's words, with its aliases. Pure.

use super::http::Target;
use crate::config::Threshold;

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// The list of commands.
    Help,
    /// Settings and progress.
    Status,
    /// Progress.
    Line,
    /// Where the stream is.
    Coordinates,
    /// The server that is written to.
    Applier,
    /// The server whose binary log is read.
    Inspector,
    /// A profile, which there isn't.
    Profile,
    /// Reads a setting.
    Ask(Setting),
    /// Changes a setting.
    Set(Change),
    /// Pause; on this table.
    Throttle(Option<String>),
    /// Go on; on this table.
    Unthrottle(Option<String>),
    /// Hold the cut-over back while this file exists.
    Postpone(String),
    /// Cut over; this table.
    Unpostpone(Option<String>),
    /// End the run; on this table.
    Panic(Option<String>),
    /// In the revert window: swap back.
    Revert,
    /// In the revert window: end it.
    Done,
}

/// A setting that can be changed while running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Most rows of a chunk.
    ChunkSize,
    /// Kept for those who set it.
    DmlBatchSize,
    /// Lag that throttles.
    MaxLagMillis,
    /// Pause after a chunk.
    NiceRatio,
    /// Status variables that throttle.
    MaxLoad,
    /// Status variables that end the run.
    CriticalLoad,
    /// The throttle query.
    ThrottleQuery,
    /// The throttle URL.
    ThrottleHttp,
    /// The control replicas.
    ControlReplicas,
}

/// A setting's new value.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Rows.
    ChunkSize(u64),
    /// Changes.
    DmlBatchSize(u64),
    /// Milliseconds.
    MaxLagMillis(u64),
    /// A multiple.
    NiceRatio(f64),
    /// Conditions.
    MaxLoad(Vec<Threshold>),
    /// Conditions.
    CriticalLoad(Vec<Threshold>),
    /// SQL; nothing ends it.
    ThrottleQuery(Option<String>),
    /// A URL; nothing ends it.
    ThrottleHttp(Option<String>),
    /// Addresses; none ends it.
    ControlReplicas(Vec<(String, u16)>),
}

/// The answer to `help`: a line for each command.
pub const HELP: &str = "\
available commands:
help                                 # this list
status, info                         # settings and progress
sup                                  # progress in one line
coordinates                          # where the binary log has been read to
applier                              # the server that is written to
inspector                            # the server whose binary log is read
chunk-size=<rows>                    # most rows of a chunk, 10 to 100000
dml-batch-size=<number>              # kept for gh-ost's sake; has no effect
nice-ratio=<ratio>                   # pause after a chunk, as a multiple of its time
max-lag-millis=<milliseconds>        # lag that throttles, at least 100
max-load=<load>                      # status variables that throttle, Threads_running=50,...
critical-load=<load>                 # status variables that end the run
throttle-query=<query>               # throttles while it returns more than 0
throttle-http=<URL>                  # throttles unless it answers 200
throttle-control-replicas=<replicas> # replicas whose lag throttles, host:port,...
throttle, pause, suspend             # pause
no-throttle, unthrottle, resume, continue # go on
postpone-cut-over-flag-file=<path>   # hold the cut-over back while this file exists; creates it
unpostpone, no-postpone, cut-over    # cut over now
panic                                # end the run; the original stays as it is
revert                               # in the revert window: swap the old table back now
done                                 # in the revert window: end it, the migration stays as it is
a setting's value is asked for by ? as in chunk-size=?
";

/// Reads one line.
///
/// # Errors
/// What to answer to a line that can't be understood.
pub fn parse(line: &str) -> Result<Command, String> {
    let (name, argument) = match line.trim().split_once('=') {
        Some((name, argument)) => (name.trim(), Some(unquoted(argument.trim()))),
        None => (line.trim(), None),
    };
    let given = argument.clone().filter(|argument| !argument.is_empty());
    let command =
        match name {
            "help" => Command::Help,
            "status" | "info" => Command::Status,
            "sup" => Command::Line,
            "coordinates" => match given.as_deref() {
                None | Some("?") => Command::Coordinates,
                Some(_) => return Err("coordinates are read-only".into()),
            },
            "applier" => Command::Applier,
            "inspector" => Command::Inspector,
            "cpu-profile" => Command::Profile,
            "replication-lag-query" => {
                return Err(
                    "replication-lag-query is deprecated. Lag is measured by heartbeats".into(),
                );
            }
            "throttle" | "pause" | "suspend" => Command::Throttle(given),
            "no-throttle" | "unthrottle" | "resume" | "continue" => Command::Unthrottle(given),
            "postpone-cut-over-flag-file" => Command::Postpone(given.ok_or(
                "user commanded 'postpone-cut-over-flag-file' without specifying file path",
            )?),
            "unpostpone" | "no-postpone" | "cut-over" => Command::Unpostpone(given),
            "panic" => Command::Panic(given),
            "revert" => Command::Revert,
            "done" => Command::Done,
            _ => {
                let setting = setting(name).ok_or_else(|| format!("unknown command: {name}"))?;
                match argument.as_deref() {
                    Some("?") => Command::Ask(setting),
                    text => Command::Set(change(setting, text.unwrap_or_default())?),
                }
            }
        };
    Ok(command)
}

fn setting(name: &str) -> Option<Setting> {
    Some(match name {
        "chunk-size" => Setting::ChunkSize,
        "dml-batch-size" => Setting::DmlBatchSize,
        "max-lag-millis" => Setting::MaxLagMillis,
        "nice-ratio" => Setting::NiceRatio,
        "max-load" => Setting::MaxLoad,
        "critical-load" => Setting::CriticalLoad,
        "throttle-query" => Setting::ThrottleQuery,
        "throttle-http" => Setting::ThrottleHttp,
        "throttle-control-replicas" => Setting::ControlReplicas,
        _ => return None,
    })
}

fn change(setting: Setting, text: &str) -> Result<Change, String> {
    let optional = || Some(text.to_owned()).filter(|text| !text.is_empty());
    let load = || {
        crate::cli::parse_thresholds(text)
            .map_err(|wrong| format!("Error parsing load condition: {wrong}"))
    };
    Ok(match setting {
        Setting::ChunkSize => Change::ChunkSize(within("chunk-size", text, 10, 100_000)?),
        Setting::DmlBatchSize => Change::DmlBatchSize(within("dml-batch-size", text, 1, 1_000)?),
        Setting::MaxLagMillis => {
            Change::MaxLagMillis(within("max-lag-millis", text, 100, u64::from(u32::MAX))?)
        }
        Setting::NiceRatio => match text.parse::<f64>() {
            Ok(ratio) if (0.0..=100.0).contains(&ratio) => Change::NiceRatio(ratio),
            Ok(_) => return Err(format!("nice-ratio must be between 0 and 100, not {text}")),
            Err(_) => {
                return Err(format!(
                    "strconv.ParseFloat: parsing {text:?}: invalid syntax"
                ));
            }
        },
        Setting::MaxLoad => Change::MaxLoad(load()?),
        Setting::CriticalLoad => Change::CriticalLoad(load()?),
        Setting::ThrottleQuery => Change::ThrottleQuery(optional()),
        Setting::ThrottleHttp => {
            let url = optional();
            if let Some(Err(wrong)) = url.as_deref().map(Target::parse) {
                return Err(format!("throttle-http {wrong}"));
            }
            Change::ThrottleHttp(url)
        }
        Setting::ControlReplicas => Change::ControlReplicas(addresses(text)?),
    })
}

/// Scripts match gh-ost's message for what isn't a number; a number out of range it clamps silently.
fn within(name: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number: i128 = text
        .parse()
        .map_err(|_| format!("strconv.Atoi: parsing {text:?}: invalid syntax"))?;
    u64::try_from(number)
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{name} must be between {least} and {most}, not {text}"))
}

fn addresses(text: &str) -> Result<Vec<(String, u16)>, String> {
    let texts = text
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty());
    texts
        .map(|text| {
            crate::cli::parse_address(text)
                .ok_or_else(|| format!("{text} is not host or host:port"))
        })
        .collect()
}

/// gh-ost takes a quoted Go string; its plain escapes are enough for what is typed.
fn unquoted(text: &str) -> String {
    if let Some(raw) = text
        .strip_prefix('`')
        .and_then(|text| text.strip_suffix('`'))
        .filter(|raw| !raw.contains('`'))
    {
        return raw.to_owned();
    }
    let Some(inner) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    else {
        return text.to_owned();
    };
    let mut plain = String::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return text.to_owned(),
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(escaped @ ('"' | '\\')) => plain.push(escaped),
                _ => return text.to_owned(),
            },
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_alias_is_known() {
        let table = Some("t".to_owned());
        for (line, command) in [
            ("help", Command::Help),
            ("status", Command::Status),
            (" info ", Command::Status),
            ("sup", Command::Line),
            ("coordinates", Command::Coordinates),
            ("coordinates=?", Command::Coordinates),
            ("applier", Command::Applier),
            ("inspector", Command::Inspector),
            ("cpu-profile=30s,gzip", Command::Profile),
            ("chunk-size=?", Command::Ask(Setting::ChunkSize)),
            ("chunk-size = 500", Command::Set(Change::ChunkSize(500))),
            (
                "dml-batch-size=100",
                Command::Set(Change::DmlBatchSize(100)),
            ),
            ("max-lag-millis=?", Command::Ask(Setting::MaxLagMillis)),
            ("nice-ratio=0.7", Command::Set(Change::NiceRatio(0.7))),
            ("max-load=", Command::Set(Change::MaxLoad(vec![]))),
            ("throttle-query", Command::Set(Change::ThrottleQuery(None))),
            (
                "throttle-query=\"select a=\\\"x\\\"\"",
                Command::Set(Change::ThrottleQuery(Some("select a=\"x\"".into()))),
            ),
            (
                "throttle-control-replicas=a:1,b",
                Command::Set(Change::ControlReplicas(vec![
                    ("a".into(), 1),
                    ("b".into(), 3306),
                ])),
            ),
            ("throttle", Command::Throttle(None)),
            ("pause=t", Command::Throttle(table.clone())),
            ("suspend", Command::Throttle(None)),
            ("no-throttle", Command::Unthrottle(None)),
            ("unthrottle=t", Command::Unthrottle(table.clone())),
            ("resume", Command::Unthrottle(None)),
            ("continue", Command::Unthrottle(None)),
            (
                "postpone-cut-over-flag-file=/tmp/p",
                Command::Postpone("/tmp/p".into()),
            ),
            ("unpostpone", Command::Unpostpone(None)),
            ("no-postpone", Command::Unpostpone(None)),
            ("cut-over=t", Command::Unpostpone(table.clone())),
            ("panic=t", Command::Panic(table)),
        ] {
            assert_eq!(parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_can_t_be_understood_is_answered_in_gh_osts_words() {
        for (line, answer) in [
            ("foo", "unknown command: foo"),
            ("Status", "unknown command: Status"),
            ("", "unknown command: "),
            (
                "chunk-size=abc",
                "strconv.Atoi: parsing \"abc\": invalid syntax",
            ),
            ("chunk-size", "strconv.Atoi: parsing \"\": invalid syntax"),
            (
                "chunk-size=5",
                "chunk-size must be between 10 and 100000, not 5",
            ),
            (
                "nice-ratio=x",
                "strconv.ParseFloat: parsing \"x\": invalid syntax",
            ),
            ("max-load=foo", "Error parsing load condition: foo"),
            ("coordinates=x", "coordinates are read-only"),
            (
                "postpone-cut-over-flag-file",
                "user commanded 'postpone-cut-over-flag-file' without specifying file path",
            ),
        ] {
            assert_eq!(parse(line), Err(answer.to_owned()), "{line}");
        }
        assert!(parse("replication-lag-query=select 1").is_err());
    }

    #[test]
    fn help_names_every_command() {
        for name in [
            "help",
            "status",
            "info",
            "sup",
            "coordinates",
            "applier",
            "inspector",
            "chunk-size",
            "dml-batch-size",
            "nice-ratio",
            "max-lag-millis",
            "max-load",
            "critical-load",
            "throttle-query",
            "throttle-http",
            "throttle-control-replicas",
            "pause",
            "suspend",
            "no-throttle",
            "unthrottle",
            "resume",
            "continue",
            "postpone-cut-over-flag-file",
            "unpostpone",
            "no-postpone",
            "cut-over",
            "panic",
        ] {
            assert!(HELP.contains(name), "{name}");
        }
    }
}
