//! The command line of `tableshift plan`: that of a run, and two flags of its own.

use std::time::Duration;

use clap::{Arg, ArgAction};

use super::{Asked, command, read::Given, understood, wrong};
use crate::config::Planning;
use crate::limits;
use crate::report::Format;

const HELP: &str = "\
Tells what a run would do, how, and what to look at first; changes nothing

Usage: tableshift plan [--sample-seconds N] [--format FORM] FLAGS OF THE RUN

  --sample-seconds  Copy a sample for so long to predict the time (default 3, at most 60; 0: none)
  --format          text, or json for one object
  Everything else: as for the run that is planned; --execute has no effect

Everything is checked as before a run, on a real and empty ghost table. The sample is copied into that,
with the statements of a copy, one chunk at a time; it is written to the binary log as well. What was made
is dropped in every ending. Hooks aren't run, and throttles not asked.
Ends with 0: go; 15: go, but look at the warnings; 3: a run would be refused; 11: nothing to do; 4: stopped;
5: the server could not be asked; 7: something is left over (tableshift cleanup).
";

/// Reads it, without the program's name and the word `plan`.
pub(super) fn read(arguments: &[String]) -> Asked {
    let own = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Set);
    let command = command().args([own("sample-seconds"), own("format")]);
    let matches = match understood(command, "plan", HELP, arguments) {
        Ok(matches) => matches,
        Err(asked) => return *asked,
    };
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let mut problems = Vec::new();
    let seconds = text("sample-seconds").map_or(Some(limits::SAMPLE_SECONDS), |text| {
        let number = text.parse().ok();
        number.filter(|number| *number <= limits::SAMPLE_SECONDS_MAX)
    });
    if seconds.is_none() {
        problems.push(format!(
            "--sample-seconds must be a number up to {}",
            limits::SAMPLE_SECONDS_MAX
        ));
    }
    let format = match text("format") {
        Some("text") | None => Format::Text,
        Some("json") => Format::Json,
        Some(other) => {
            problems.push(format!("--format is one of text, json, not {other}"));
            Format::Text
        }
    };
    let config = Given::new(&matches)
        .config()
        .map_err(|more| problems.extend(more));
    match (config, seconds, problems.is_empty()) {
        (Ok(mut config), Some(seconds), true) => {
            config.execute = false;
            config.wishes.execute = false;
            Asked::Plan(Box::new(Planning {
                config,
                sample: Duration::from_secs(seconds),
                format,
            }))
        }
        _ => wrong(&problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Asked {
        let run = ["--database=d", "--table=t", "--alter=FORCE"];
        let all = run.iter().chain(arguments);
        read(&all.map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn it_is_the_command_line_of_a_run_that_is_never_executed() {
        let Asked::Plan(plan) = asked(&["-execute", "--format=json", "--sample-seconds=0"]) else {
            panic!("not understood");
        };
        assert!(!plan.config.execute && !plan.config.wishes.execute);
        assert_eq!((plan.format, plan.sample), (Format::Json, Duration::ZERO));
        let Asked::Plan(plan) = asked(&[]) else {
            panic!("not understood");
        };
        assert_eq!(plan.sample, Duration::from_secs(3));
        assert_eq!(
            (plan.format, plan.config.table.as_str()),
            (Format::Text, "t")
        );
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let Asked::Wrong(text) = asked(&["--format=xml", "--sample-seconds=61", "--port=x"]) else {
            panic!("understood");
        };
        for words in ["--format is one of", "a number up to 60", "--port must"] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}
