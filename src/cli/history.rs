//! The command line of `tableshift history`: the flags to connect with, and how much is listed.

use clap::{Arg, ArgAction};

use super::{Asked, command, read::Given, understood, wrong};
use crate::config::Listing;
use crate::report::Format;

const HELP: &str = "\
Lists the runs that were recorded on a server, the newest first

Usage: tableshift history [--database SCHEMA [--table TABLE]] [--limit N] [--format FORM] [connection]

  --database        Runs on tables of this schema only (default: all)
  --table           And on this table only
  --history-schema  Read the history of this schema only (default: of all that the account sees)
  --limit           List as many runs at most (default: 20; 0: all)
  --format          text, or json for one object a line, with everything that was recorded
  --host, --port, --user, --password, --ask-pass, --conf, --ssl-mode, ...: as for a migration

Times are UTC, by the server's clock. A run whose end nobody recorded is `running` while its connection
holds the table's advisory lock, and `interrupted` otherwise. Needs SELECT on the history.
Ends with 0 when the history was read, even if it is empty, and with 5 when it can't be.
";

/// Runs that are listed unless told otherwise: a screen full.
const LIMIT: usize = 20;

/// Reads it, without the program's name and the word `history`.
pub(super) fn read(arguments: &[String]) -> Asked {
    let own = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Set);
    let command = command().args([own("limit"), own("format")]);
    let matches = match understood(command, "history", HELP, arguments) {
        Ok(matches) => matches,
        Err(asked) => return *asked,
    };
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let mut problems = Vec::new();
    let limit = text("limit")
        .map_or(Ok(LIMIT), str::parse)
        .unwrap_or_else(|_| {
            problems.push("--limit is a whole number".to_owned());
            LIMIT
        });
    let format = match text("format") {
        Some("text") | None => Format::Text,
        Some("json") => Format::Json,
        Some(other) => {
            problems.push(format!("--format is one of text, json, not {other}"));
            Format::Text
        }
    };
    let given = Given::new(&matches);
    match given.connection(&["history-schema"]) {
        Ok(config) if problems.is_empty() => Asked::List(Box::new(Listing {
            config,
            schema: given.optional("history-schema"),
            limit,
            format,
        })),
        Ok(_) => wrong(&problems),
        Err(more) => {
            problems.extend(more);
            wrong(&problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Asked {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        read(&arguments)
    }

    fn listing(arguments: &[&str]) -> Listing {
        match asked(arguments) {
            Asked::List(wanted) => *wanted,
            Asked::Run(_)
            | Asked::Print(_)
            | Asked::Wrong(_)
            | Asked::CleanUp(_)
            | Asked::Verify(_)
            | Asked::Differ(_)
            | Asked::Batch(_)
            | Asked::Plan(_) => {
                panic!("{arguments:?}")
            }
        }
    }

    #[test]
    fn it_takes_connection_flags_and_its_own_only() {
        let all = listing(&["-host=db"]);
        assert_eq!(
            (all.limit, all.format, all.schema),
            (20, Format::Text, None)
        );
        let some = listing(&[
            "--database=shop",
            "--table",
            "orders",
            "-limit=0",
            "--format=json",
            "--history-schema=ops",
        ]);
        assert_eq!((some.limit, some.format), (0, Format::Json));
        assert_eq!(some.schema.as_deref(), Some("ops"));
        assert_eq!(some.config.table, "orders");
        for (arguments, words) in [
            (
                &["--execute"][..],
                &["--execute is no flag of this command"][..],
            ),
            (&["--table=t"], &["--table needs --database"]),
            (
                &["--limit=many", "--format=xml", "--port=x"],
                &[
                    "--limit is a",
                    "--format is one of text, json",
                    "--port must",
                ],
            ),
        ] {
            let Asked::Wrong(text) = asked(arguments) else {
                panic!("{arguments:?}");
            };
            for word in words {
                assert!(text.contains(word), "{text}");
            }
        }
    }
}
