//! What a table is, byte for byte, and how two tables differ.

use std::cmp::Ordering;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::Outcome;
use crate::folder::Ignore;

/// A whole table: its definition, and every row with every column as text that keeps all its bits.
pub struct Snapshot {
    pub definition: String,
    pub rows: Vec<Row>,
    columns: Vec<String>,
}

type Row = Vec<Option<String>>;

/// Reads a table with all columns: generated, invisible, all.
pub async fn snapshot(conn: &mut Conn, schema: &str, table: &str) -> Outcome<Snapshot> {
    let name = format!("{}.{}", quote(schema), quote(table));
    let created: Option<mysql_async::Row> = conn
        .query_first(format!("SHOW CREATE TABLE {name}"))
        .await?;
    let definition = created.and_then(|row| row.get(1));
    let definition: String = definition.ok_or_else(|| format!("{name} has no definition"))?;
    // A view's text names the schema.
    let definition = definition.replace(&format!("{}.", quote(schema)), "");
    let described: Vec<(String, String)> = conn
        .exec(
            "SELECT column_name, data_type FROM information_schema.columns \
             WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
            (schema, table),
        )
        .await?;
    let expressions: Vec<String> = described
        .iter()
        .map(|(column, kind)| exact_text(&quote(column), kind))
        .collect();
    let query = format!("SELECT {} FROM {name}", expressions.join(", "));
    let mut rows: Vec<Row> = Vec::new();
    for row in conn.query::<mysql_async::Row, _>(query).await? {
        rows.push(
            (0..row.len())
                .map(|index| row.get(index).unwrap_or_default())
                .collect(),
        );
    }
    rows.sort();
    let columns = described.into_iter().map(|(column, _)| column).collect();
    Ok(Snapshot {
        definition,
        rows,
        columns,
    })
}

/// An expression that gives two values the same text only if they are the same value.
fn exact_text(column: &str, kind: &str) -> String {
    match kind.to_ascii_lowercase().as_str() {
        "json" => format!("CONCAT(JSON_TYPE({column}), ' ', CAST({column} AS CHAR))"),
        "float" | "double" => format!("CAST(CAST({column} AS DOUBLE) AS CHAR)"),
        "bit" => format!("CAST(CAST({column} AS UNSIGNED) AS CHAR)"),
        "enum" | "set" => {
            format!("CONCAT({column} + 0, ' ', HEX(CAST({column} AS BINARY)))")
        }
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
            format!("HEX(CAST({column} AS BINARY))")
        }
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "year" | "date"
        | "time" | "datetime" | "timestamp" => format!("CAST({column} AS CHAR)"),
        // Binary strings, geometries (with their SRID), vectors.
        _ => format!("HEX({column})"),
    }
}

/// The table names of a schema, without the history, which stays.
pub async fn tables(conn: &mut Conn, schema: &str) -> Outcome<Vec<String>> {
    let query = "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_name \
                 <> '_tableshift_history'";
    let mut names: Vec<String> = conn.exec(query, (schema,)).await?;
    names.sort();
    Ok(names)
}

/// Says how the definitions differ, line by line.
pub fn definition_difference(
    ours: &Snapshot,
    theirs: &Snapshot,
    ignore: &Ignore,
) -> Option<String> {
    let (ours, theirs) = (
        normalised(&ours.definition, ignore),
        normalised(&theirs.definition, ignore),
    );
    if ours == theirs {
        return None;
    }
    let only = |left: &str, right: &str, sign: &str| -> String {
        let missing = left
            .lines()
            .filter(|line| !right.lines().any(|other| other == *line));
        missing
            .flat_map(|line| ["    ", sign, line, "\n"])
            .collect()
    };
    let (here, there) = (only(&ours, &theirs, "+"), only(&theirs, &ours, "-"));
    let order = if here.is_empty() && there.is_empty() {
        "    other order of lines\n"
    } else {
        ""
    };
    Some(format!(
        "definition differs (+ tableshift, - expected)\n{here}{there}{order}"
    ))
}

/// Says which rows stand in one of the tables only; the first ten of them.
pub fn row_difference(ours: &Snapshot, theirs: &Snapshot) -> Option<String> {
    let (mut left, mut right) = (ours.rows.iter().peekable(), theirs.rows.iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(b),
        };
        let row = match order {
            Ordering::Less => left.next().map(|row| format!("+ {}", ours.show(row))),
            Ordering::Greater => right.next().map(|row| format!("- {}", theirs.show(row))),
            Ordering::Equal => {
                left.next();
                right.next();
                None
            }
        };
        found.extend(row);
    }
    if found.is_empty() {
        return None;
    }
    let counts = format!("{} rows, expected {}", ours.rows.len(), theirs.rows.len());
    let shown = found.iter().take(10).flat_map(|row| ["    ", row, "\n"]);
    let shown: String = shown.collect();
    Some(format!(
        "{} rows differ; {counts} (+ tableshift, - expected)\n{shown}",
        found.len()
    ))
}

impl Snapshot {
    fn show(&self, row: &Row) -> String {
        let cells = self
            .columns
            .iter()
            .zip(row)
            .map(|(column, value)| match value {
                Some(value) => format!("{column}={}", shorten(value, 60)),
                None => format!("{column}=NULL"),
            });
        shorten(&cells.collect::<Vec<_>>().join(" "), 600)
    }
}

fn normalised(definition: &str, ignore: &Ignore) -> String {
    let lines =
        definition
            .lines()
            .map(|line| match line.trim_start().strip_prefix("CONSTRAINT ") {
                Some(rest) if ignore.check_names && rest.contains("` CHECK (") => rest
                    .split_once("` CHECK (")
                    .map_or(line.into(), |(_, check)| format!("CHECK ({check}")),
                _ if ignore.auto_increment && line.starts_with(") ENGINE") => {
                    without_auto_increment(line)
                }
                _ => line.to_string(),
            });
    lines.collect::<Vec<_>>().join("\n")
}

fn without_auto_increment(line: &str) -> String {
    let words = line
        .split(' ')
        .filter(|word| !word.starts_with("AUTO_INCREMENT="));
    words.collect::<Vec<_>>().join(" ")
}

fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[test]
fn differences_name_the_rows_of_either_side() {
    let table = |rows: &[&str]| Snapshot {
        definition: String::new(),
        rows: rows
            .iter()
            .map(|value| vec![Some(value.to_string())])
            .collect(),
        columns: vec!["id".into()],
    };
    assert_eq!(
        row_difference(&table(&["1", "2"]), &table(&["1", "2"])),
        None
    );
    let difference = row_difference(&table(&["1", "2", "2"]), &table(&["2", "3"]));
    let text = difference.expect("these tables differ");
    assert!(
        text.starts_with("3 rows differ; 3 rows, expected 2"),
        "{text}"
    );
    assert!(text.contains("+ id=1\n    + id=2\n    - id=3"), "{text}");
}

#[test]
fn only_what_a_case_asks_for_is_ignored() {
    let text = "CREATE TABLE `t` (\n  CONSTRAINT `a` CHECK ((`i` > 0)),\n\
                ) ENGINE=InnoDB AUTO_INCREMENT=7 COMMENT='x'";
    assert_eq!(normalised(text, &Ignore::default()), text);
    let all = Ignore {
        check_names: true,
        auto_increment: true,
    };
    let expected = "CREATE TABLE `t` (\nCHECK ((`i` > 0)),\n) ENGINE=InnoDB COMMENT='x'";
    assert_eq!(normalised(text, &all), expected);
}
