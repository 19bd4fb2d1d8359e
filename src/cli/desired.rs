//! The command line of `tableshift diff`: the flags to connect with, the table, and the file.

use super::{Asked, command, read::Given, understood, wrong};

const HELP: &str = "\
Prints the ALTER that makes a table what a CREATE TABLE in a file says

Usage: tableshift diff --schema FILE [--database SCHEMA] [--table TABLE] [connection]

  --schema    The file; it may hold more than this table's definition, as a dump does
  --database  Schema of the table; may stand in the file
  --table     The table; may be left out if the file has one only
  --host, --port, --user, --password, --ask-pass, --conf, --ssl-mode, ...: as for a migration

The server reads the file: the table is made, empty, as `_TABLE_want_gho`, shown and dropped. The ALTER is
tried on an empty copy of the live table, which then has the wanted definition, or the command says so.
Left out: AUTO_INCREMENT=n, and the order of indexes. Foreign keys that differ are told; the ALTER leaves them.
A column is never taken for a renamed one. Needs ALTER, CREATE, DROP, INDEX, INSERT and SELECT on the schema.
`tableshift migrate --schema FILE --execute` applies it.
Ends as diff(1) does: with 0 when they are alike, 1 when they differ, 2 when it can't be told.
";

/// Reads it, without the program's name and the word `diff`.
pub(super) fn read(arguments: &[String]) -> Asked {
    let matches = match understood(command(), "diff", HELP, arguments) {
        Ok(matches) => matches,
        Err(asked) => return *asked,
    };
    match Given::new(&matches).comparison() {
        Ok(config) => Asked::Differ(Box::new(config)),
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
    fn the_file_may_name_the_table() {
        let path = std::env::temp_dir().join(format!("tableshift-{}.sql", std::process::id()));
        std::fs::write(&path, "CREATE TABLE shop.orders (id INT PRIMARY KEY)").expect("a file");
        let schema = format!("--schema={}", path.display());
        let Asked::Differ(config) = asked(&["-host=db", &schema]) else {
            panic!("not understood");
        };
        let named = (config.database.as_str(), config.table.as_str());
        assert_eq!(named, ("shop", "orders"));
        for (flags, words) in [
            (&["--database=other"][..], "speaks of schema `shop`"),
            (
                &["--database=shop", "--table=other"],
                "no CREATE TABLE of `other`",
            ),
            (&["--execute"], "--execute is no flag of this command"),
        ] {
            let arguments = [flags, &[schema.as_str()]].concat();
            let Asked::Wrong(text) = asked(&arguments) else {
                panic!("{arguments:?}");
            };
            assert!(text.contains(words), "{words} in {text}");
        }
        std::fs::remove_file(&path).expect("the file");
        let Asked::Wrong(text) = asked(&["--database=d"]) else {
            panic!("no file");
        };
        assert!(text.contains("--schema must be provided"), "{text}");
    }
}
