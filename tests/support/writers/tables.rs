//! The tables of the writers' truth test: one kind for every way in which a row can be named.
//!
//! A row is named by a *number*; the kind turns the number into key values. Numbers are dealt out to
//! the writers round robin, so their rows lie next to each other in every table, and no two of them
//! ever touch the same row. Where the collation allows it a number has several *spellings*: different
//! bytes that the server holds for the same key.
//!
//! A value is kept as the bytes that the server's text protocol sends for it, so comparing two rows is
//! comparing bytes, whatever the type or the character set.

/// A value as the text protocol sends it; `None` is NULL.
pub type Cell = Option<Vec<u8>>;
/// The values of one row in the order of the table's columns.
pub type Row = Vec<Cell>;

/// How a value is written in a statement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColumnKind {
    /// Integers and decimals: the digits themselves.
    Number,
    /// Dates and times: a quoted string without anything to escape.
    Time,
    /// Text in utf8mb4, written in hexadecimal with its introducer.
    Utf8,
    /// Text in latin1, written in hexadecimal with its introducer.
    Latin1,
    /// Bytes without a character set.
    Binary,
}

/// One column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnKind,
}

/// One kind of table.
#[derive(Clone)]
pub struct TableKind {
    /// The table's name.
    pub name: &'static str,
    /// The columns that make the key, which come first in the table, with their definition.
    key: Vec<(Column, &'static str)>,
    /// What stands behind the columns in CREATE TABLE: the keys, and the table options.
    indexes: &'static str,
    options: &'static str,
    /// The values of the key columns for a number in one of its spellings.
    key_of: fn(u64, usize) -> Vec<Cell>,
    /// How many spellings a number has.
    pub spellings: usize,
    /// True when the server hands out the key of a new row (`AUTO_INCREMENT`).
    pub generated: bool,
    /// True when there is a second unique column, `u`, which may be NULL.
    pub second_unique: bool,
}

impl TableKind {
    /// How many columns make the key.
    pub fn key_len(&self) -> usize {
        self.key.len()
    }

    /// The key values of a number.
    pub fn key_cells(&self, number: u64, spelling: usize) -> Vec<Cell> {
        (self.key_of)(number, spelling)
    }

    /// Where the second unique column stands, when there is one.
    pub fn unique_position(&self) -> Option<usize> {
        self.second_unique.then_some(self.key.len())
    }

    /// All columns that the writers know of, in the order of the table.
    pub fn columns(&self) -> Vec<Column> {
        let mut columns: Vec<Column> = self.key.iter().map(|(column, _)| column.clone()).collect();
        if self.second_unique {
            columns.push(Column {
                name: "u",
                kind: ColumnKind::Number,
            });
        }
        columns.extend(
            PAYLOAD
                .iter()
                .map(|(name, kind, _)| Column { name, kind: *kind }),
        );
        columns
    }

    /// The statement that makes the table.
    pub fn create(&self) -> String {
        let mut parts: Vec<String> = self
            .key
            .iter()
            .map(|(column, definition)| format!("`{}` {definition}", column.name))
            .collect();
        if self.second_unique {
            parts.push("`u` INT NULL".into());
        }
        parts.extend(
            PAYLOAD
                .iter()
                .map(|(name, _, definition)| format!("`{name}` {definition}")),
        );
        parts.push(self.indexes.into());
        format!(
            "CREATE TABLE `{}` ({}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 {}",
            self.name,
            parts.join(", "),
            self.options
        )
    }
}

/// The columns that every table has behind its key: name, kind, definition.
pub const PAYLOAD: [(&str, ColumnKind, &str); 5] = [
    ("v", ColumnKind::Number, "BIGINT NOT NULL"),
    ("txt", ColumnKind::Utf8, "VARCHAR(60) NULL"),
    ("bin", ColumnKind::Binary, "VARBINARY(16) NOT NULL"),
    ("amount", ColumnKind::Number, "DECIMAL(12,3) NOT NULL"),
    ("moment", ColumnKind::Time, "DATETIME(6) NOT NULL"),
];

/// Generated ids start here: above what a signed 64-bit integer holds, to catch a sign mistake.
const GENERATED_FROM: &str = "AUTO_INCREMENT=9223372036854777000";

fn digits(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

fn number_key(number: u64, _spelling: usize) -> Vec<Cell> {
    vec![Some(digits(number + 1))]
}

/// (a) An integer primary key and a second unique column that may be NULL.
pub fn second_unique() -> TableKind {
    TableKind {
        name: "second_unique",
        key: vec![(
            Column {
                name: "id",
                kind: ColumnKind::Number,
            },
            "INT NOT NULL",
        )],
        indexes: "PRIMARY KEY (`id`), UNIQUE KEY `u` (`u`), KEY `v` (`v`), KEY `ma` (`moment`, `amount` DESC), KEY \
                  `txt` (`txt`(7))",
        options: "",
        key_of: number_key,
        spellings: 1,
        generated: false,
        second_unique: true,
    }
}

/// (b) Keys that the server generates.
pub fn generated_ids() -> TableKind {
    TableKind {
        name: "generated_ids",
        key: vec![(
            Column {
                name: "id",
                kind: ColumnKind::Number,
            },
            "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT",
        )],
        indexes: "PRIMARY KEY (`id`), KEY `v` (`v`)",
        options: GENERATED_FROM,
        // The number of such a row is its id.
        key_of: |number, _| vec![Some(digits(number))],
        spellings: 1,
        generated: true,
        second_unique: false,
    }
}

/// Words which `utf8mb4_0900_ai_ci` holds for equal, line by line: case, accents, width, ß.
const EQUAL_WORDS: [[&str; 4]; 4] = [
    ["abc", "ABC", "äbc", "ａｂｃ"],
    ["strasse", "STRASSE", "straße", "Strässe"],
    ["resume", "Resume", "résumé", "RÉSUMÉ"],
    ["noel", "NOEL", "noël", "NoËl"],
];

fn utf8_key(number: u64, spelling: usize) -> Vec<Cell> {
    let word = EQUAL_WORDS[(number % 4) as usize][spelling];
    vec![Some(format!("{word}-{number}").into_bytes())]
}

/// (c) A text key for which 'abc' and 'ABC' are the same row.
pub fn case_insensitive_text() -> TableKind {
    TableKind {
        name: "case_insensitive_text",
        key: vec![(
            Column {
                name: "word",
                kind: ColumnKind::Utf8,
            },
            "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci NOT NULL",
        )],
        indexes: "PRIMARY KEY (`word`)",
        options: "",
        key_of: utf8_key,
        spellings: 4,
        generated: false,
        second_unique: false,
    }
}

/// Letters in latin1, small and capital: é ñ å ø, and ß, which has no capital there.
const LATIN1_LETTERS: [[u8; 2]; 5] = [
    [0xE9, 0xC9],
    [0xF1, 0xD1],
    [0xE5, 0xC5],
    [0xF8, 0xD8],
    [0xDF, 0xDF],
];

fn latin1_key(number: u64, spelling: usize) -> Vec<Cell> {
    let first = LATIN1_LETTERS[(number % 5) as usize][spelling];
    let second = LATIN1_LETTERS[(number / 5 % 4) as usize][spelling];
    let mut key = vec![first, b'x', second];
    key.extend(number.to_string().bytes());
    vec![Some(key)]
}

/// (d) A text key in latin1, beyond ASCII.
pub fn latin1_text() -> TableKind {
    TableKind {
        name: "latin1_text",
        key: vec![(
            Column {
                name: "word",
                kind: ColumnKind::Latin1,
            },
            "VARCHAR(30) CHARACTER SET latin1 NOT NULL",
        )],
        indexes: "PRIMARY KEY (`word`)",
        options: "",
        key_of: latin1_key,
        spellings: 2,
        generated: false,
        second_unique: false,
    }
}

/// (e) BINARY(8), with trailing zero bytes that the binlog leaves out. Number 0 is all zeros.
pub fn binary_key() -> TableKind {
    TableKind {
        name: "binary_key",
        key: vec![(
            Column {
                name: "k",
                kind: ColumnKind::Binary,
            },
            "BINARY(8) NOT NULL",
        )],
        indexes: "PRIMARY KEY (`k`)",
        options: "",
        key_of: |number, _| {
            let number = u32::try_from(number).expect("numbers of this table are small");
            vec![Some([number.to_be_bytes(), [0; 4]].concat())]
        },
        spellings: 1,
        generated: false,
        second_unique: false,
    }
}

fn composite_key(number: u64, spelling: usize) -> Vec<Cell> {
    let (group, rest) = (number % 4, number / 4);
    let name = [format!("näme-{}", rest % 60), format!("NAME-{}", rest % 60)][spelling].clone();
    let day = rest / 60;
    let date = format!(
        "20{:02}-{:02}-{:02}",
        day / 336,
        day / 28 % 12 + 1,
        day % 28 + 1
    );
    vec![
        Some(digits(group)),
        Some(name.into_bytes()),
        Some(date.into_bytes()),
    ]
}

/// (f) A key of three columns, whose first has four values.
pub fn composite() -> TableKind {
    TableKind {
        name: "composite",
        key: vec![
            (
                Column {
                    name: "grp",
                    kind: ColumnKind::Number,
                },
                "INT NOT NULL",
            ),
            (
                Column {
                    name: "name",
                    kind: ColumnKind::Utf8,
                },
                "VARCHAR(20) NOT NULL",
            ),
            (
                Column {
                    name: "day",
                    kind: ColumnKind::Time,
                },
                "DATE NOT NULL",
            ),
        ],
        indexes: "PRIMARY KEY (`grp`, `name`, `day`)",
        options: "",
        key_of: composite_key,
        spellings: 2,
        generated: false,
        second_unique: false,
    }
}

/// (g) No primary key; a unique one that is not null, three bytes wide and partly negative.
pub fn no_primary_key() -> TableKind {
    TableKind {
        name: "no_primary_key",
        key: vec![(
            Column {
                name: "code",
                kind: ColumnKind::Number,
            },
            "MEDIUMINT NOT NULL",
        )],
        indexes: "UNIQUE KEY `code` (`code`)",
        options: "",
        key_of: |number, _| {
            let number = i64::try_from(number).expect("numbers of this table are small");
            vec![Some((number - 4000).to_string().into_bytes())]
        },
        spellings: 1,
        generated: false,
        second_unique: false,
    }
}
