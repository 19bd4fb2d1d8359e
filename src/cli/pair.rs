//! The command line of `tableshift verify`: the flags to connect with, and those that name two tables.

use clap::{Arg, ArgAction};

use super::{Asked, command, read::Given, understood, wrong};
use crate::config::Pair;
use crate::limits;

const HELP: &str = "\
Compares two tables of one server, row by row and column by column

Usage: tableshift verify --database SCHEMA --table A --with B [--with-database SCHEMA] [connection]

  --database       Schema of the first table
  --table          The first table
  --with           The second table
  --with-database  Its schema (default: that of the first)
  --keys-max       Most rows that are listed (default 10)
  --host, --port, --user, --password, --ask-pass, --conf, --ssl-mode, ...: as for a migration

Rows are paired by a unique key that both tables have, columns by their names; columns of different
types are compared as the second table holds the value. Nothing is locked and nothing written: each
range is read in one statement, in chunks of about 150 ms. Rows that differ are looked at three times
more, a second apart, so tables may be in use; a row that differs each time is listed by its key, with
the columns that differ. Needs SELECT on both tables.
Ends with 0 when they are alike, 9 when rows differ, 10 when it can't be told.
";

/// Most rows that anybody wants to see.
const KEYS_MAX: usize = 10_000;

/// Reads it, without the program's name and the word `verify`.
pub(super) fn read(arguments: &[String]) -> Asked {
    let text = |name: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::Set)
            .allow_hyphen_values(true)
    };
    let command = command().args([text("with"), text("with-database"), text("keys-max")]);
    let matches = match understood(command, "verify", HELP, arguments) {
        Ok(matches) => matches,
        Err(asked) => return *asked,
    };
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let mut problems = Vec::new();
    let config = match Given::new(&matches).connection(&[]) {
        Ok(config) => Some(config),
        Err(found) => {
            problems = found;
            None
        }
    };
    for name in ["database", "table", "with"] {
        if given(name).is_none_or(|value| value.is_empty()) {
            problems.push(format!("--{name} must be provided"));
        }
    }
    let keys_max = given("keys-max").map_or(Some(limits::KEYS_SHOWN_MAX), |text| {
        text.parse().ok().filter(|number| *number <= KEYS_MAX)
    });
    if keys_max.is_none() {
        problems.push(format!("--keys-max must be a number up to {KEYS_MAX}"));
    }
    let (Some(config), Some(keys_max), true) = (config, keys_max, problems.is_empty()) else {
        return wrong(&problems);
    };
    let schema = given("with-database").unwrap_or_else(|| config.database.clone());
    let other = (schema, given("with").unwrap_or_default());
    if other == (config.database.clone(), config.table.clone()) {
        return wrong(&["--table and --with are the same table".into()]);
    }
    Asked::Verify(Box::new(Pair {
        config,
        other,
        keys_max,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Asked {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        read(&arguments)
    }

    #[test]
    fn it_names_two_tables() {
        match asked(&[
            "-host=db",
            "--database=shop",
            "--table=a",
            "--with",
            "b",
            "--keys-max=3",
        ]) {
            Asked::Verify(pair) => {
                assert_eq!((pair.config.host.as_str(), pair.keys_max), ("db", 3));
                assert_eq!(pair.other, ("shop".to_owned(), "b".to_owned()));
            }
            Asked::Wrong(text) => panic!("{text}"),
            Asked::Run(_)
            | Asked::Print(_)
            | Asked::CleanUp(_)
            | Asked::List(_)
            | Asked::Differ(_)
            | Asked::Batch(_)
            | Asked::Plan(_) => {
                panic!("not understood")
            }
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        for (arguments, words) in [
            (
                &["--execute", "--keys-max=many"][..],
                &[
                    "--execute is no flag of this command",
                    "--database must",
                    "--table must",
                    "--with must",
                    "--keys-max must",
                ][..],
            ),
            (
                &["--database=d", "--table=t", "--with=t"],
                &["the same table"],
            ),
        ] {
            match asked(arguments) {
                Asked::Wrong(text) => {
                    for word in words {
                        assert!(text.contains(word), "{word} in {text}");
                    }
                }
                _ => panic!("{arguments:?}"),
            }
        }
    }
}
