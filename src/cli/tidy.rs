//! The command line of `tableshift cleanup`: the flags to connect with, and two of its own.

use clap::{Arg, ArgAction};

use super::{Asked, command, read::Given, understood, wrong};
use crate::config::Cleanup;

const HELP: &str = "\
Lists helper tables and control sockets that runs have left, and drops them when you agree

Usage: tableshift cleanup [--database SCHEMA [--table TABLE]] [--yes] [--old-tables] [connection]

  --database    Look in this schema only (default: all)
  --table       And for this table only
  --yes         Drop without asking; without it and without a terminal this only lists
  --old-tables  Drop old tables (_TABLE_del) as well; they may be the only copy of old data
  --host, --port, --user, --password, --ask-pass, --conf, --ssl-mode, ...: as for a migration

Tables of a run that may be alive are never touched, nor tables that are not known to be ours.
Ends with 0 when nothing is left over, 7 when something is, 4 when you said no.
";

/// Reads it, without the program's name and the word `cleanup`.
pub(super) fn read(arguments: &[String]) -> Asked {
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let command = command().args([switch("yes"), switch("old-tables")]);
    let matches = match understood(command, "cleanup", HELP, arguments) {
        Ok(matches) => matches,
        Err(asked) => return *asked,
    };
    match Given::new(&matches).connection(&[]) {
        Ok(config) => Asked::CleanUp(Box::new(Cleanup {
            config,
            yes: matches.get_flag("yes"),
            old_tables: matches.get_flag("old-tables"),
        })),
        Err(problems) => wrong(&problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Asked {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        read(&arguments)
    }

    #[test]
    fn it_takes_connection_flags_and_its_own_only() {
        match asked(&["-host=db", "--database", "shop", "--yes"]) {
            Asked::CleanUp(wanted) => {
                assert_eq!((wanted.config.host.as_str(), wanted.yes), ("db", true));
                assert_eq!(wanted.config.database, "shop");
                assert!(!wanted.old_tables);
            }
            Asked::Run(_)
            | Asked::Print(_)
            | Asked::Wrong(_)
            | Asked::List(_)
            | Asked::Verify(_)
            | Asked::Differ(_)
            | Asked::Batch(_)
            | Asked::Plan(_) => {
                panic!("not understood")
            }
        }
        for (arguments, words) in [
            (&["--execute"][..], "--execute is no flag of this command"),
            (&["--table=t"], "--table needs --database"),
        ] {
            match asked(arguments) {
                Asked::Wrong(text) => assert!(text.contains(words), "{text}"),
                Asked::Run(_)
                | Asked::Print(_)
                | Asked::CleanUp(_)
                | Asked::List(_)
                | Asked::Verify(_)
                | Asked::Differ(_)
                | Asked::Batch(_)
                | Asked::Plan(_) => {
                    panic!("{arguments:?}")
                }
            }
        }
    }
}
