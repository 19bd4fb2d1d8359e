//! Compares what the writers remember with what the table holds.

use std::collections::BTreeMap;

use mysql_async::{Conn, Value, prelude::Queryable};

use super::tables::{Cell, Column, Row};

/// How the table differs from the truth in one key.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// An acknowledged row which the table doesn't have.
    Lost { key: Vec<Cell> },
    /// A row of the table which nobody wrote, or which was deleted.
    Extra { key: Vec<Cell> },
    /// A row with a wrong value: the first such column.
    Wrong {
        key: Vec<Cell>,
        column: usize,
        expected: Cell,
        found: Cell,
    },
}

/// Compares rows by their bytes. The first `key_len` values are the key.
pub fn compare(expected: &[Row], found: &[Row], key_len: usize) -> Vec<Difference> {
    let mut missing: BTreeMap<&[Cell], &Row> = BTreeMap::new();
    for row in expected {
        let twice = missing.insert(&row[..key_len], row).is_some();
        assert!(
            !twice,
            "the writers remember the key {} twice",
            show_key(&row[..key_len])
        );
    }
    let mut differences = Vec::new();
    for row in found {
        let key = &row[..key_len];
        // A key found for the second time is no longer missing, so it's extra.
        let Some(expected) = missing.remove(key) else {
            differences.push(Difference::Extra { key: key.to_vec() });
            continue;
        };
        assert_eq!(
            expected.len(),
            row.len(),
            "the rows have different numbers of columns"
        );
        if let Some(column) = (0..row.len()).find(|column| expected[*column] != row[*column]) {
            differences.push(Difference::Wrong {
                key: key.to_vec(),
                column,
                expected: expected[column].clone(),
                found: row[column].clone(),
            });
        }
    }
    differences.extend(
        missing
            .into_keys()
            .map(|key| Difference::Lost { key: key.to_vec() }),
    );
    differences
}

/// All rows of the table as the bytes that it stores.
pub async fn read_table(conn: &mut Conn, table: &str) -> Vec<Row> {
    // Without a character set for results the server sends text as it is stored.
    conn.query_drop("SET character_set_results = NULL")
        .await
        .expect("SET");
    let rows: Vec<mysql_async::Row> = conn
        .query(format!("SELECT * FROM `{table}`"))
        .await
        .expect("reading the whole table");
    rows.into_iter()
        .map(|row| {
            let cell = |value| match value {
                Value::NULL => None,
                Value::Bytes(bytes) => Some(bytes),
                other => panic!("the text protocol sent {other:?}"),
            };
            row.unwrap().into_iter().map(cell).collect()
        })
        .collect()
}

/// The first ten differences, in words.
pub fn report(differences: &[Difference], columns: &[Column]) -> String {
    let mut lines = vec![format!(
        "{} keys differ from what was acknowledged",
        differences.len()
    )];
    lines.extend(
        differences
            .iter()
            .take(10)
            .map(|difference| match difference {
                Difference::Lost { key } => format!("  lost:  {}", show_key(key)),
                Difference::Extra { key } => format!("  extra: {}", show_key(key)),
                Difference::Wrong {
                    key,
                    column,
                    expected,
                    found,
                } => format!(
                    "  wrong: {} column {}: {} instead of {}",
                    show_key(key),
                    columns.get(*column).map_or("(added)", |column| column.name),
                    show(found),
                    show(expected)
                ),
            }),
    );
    lines.join("\n")
}

fn show_key(key: &[Cell]) -> String {
    let cells: Vec<String> = key.iter().map(show).collect();
    format!("({})", cells.join(", "))
}

fn show(cell: &Cell) -> String {
    cell.as_ref()
        .map_or("NULL".into(), |bytes| format!("'{}'", bytes.escape_ascii()))
}
