//! What a writer knows of its rows.

use std::collections::BTreeMap;

use super::tables::{Cell, Row};

/// What a writer knows of its rows: like a table with one open transaction.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) rows: BTreeMap<u64, Row>,
    /// Which number holds a value of the second unique column.
    pub(super) holders: BTreeMap<u64, u64>,
    unique_position: Option<usize>,
    /// The rows as they were, newest last, since the last commit.
    undo: Vec<(u64, Option<Row>)>,
}

impl Memory {
    pub(super) fn new(unique_position: Option<usize>) -> Self {
        Self {
            unique_position,
            ..Self::default()
        }
    }

    pub(super) fn unique_value(&self, row: Option<&Row>) -> Option<u64> {
        number_in(row?.get(self.unique_position?)?)
    }

    /// Makes the row of a number what it is after a statement; returns what it was.
    pub(super) fn put(&mut self, number: u64, row: Option<Row>) -> Option<Row> {
        let new_value = self.unique_value(row.as_ref());
        let old = match row {
            Some(row) => self.rows.insert(number, row),
            None => self.rows.remove(&number),
        };
        if let Some(value) = self.unique_value(old.as_ref())
            && self.holders.get(&value) == Some(&number)
        {
            self.holders.remove(&value);
        }
        if let Some(value) = new_value {
            let other = self.holders.insert(value, number);
            assert_eq!(other, None, "the plan gives one unique value to two rows");
        }
        old
    }

    pub(super) fn set(&mut self, number: u64, row: Option<Row>) {
        let old = self.put(number, row);
        self.undo.push((number, old));
    }

    pub(super) fn commit(&mut self) {
        self.undo.clear();
    }

    pub(super) fn roll_back(&mut self) {
        for (number, old) in std::mem::take(&mut self.undo).into_iter().rev() {
            self.put(number, old);
        }
    }
}

fn number_in(cell: &Cell) -> Option<u64> {
    let text = std::str::from_utf8(cell.as_ref()?).expect("digits");
    Some(text.parse().expect("digits"))
}
