//! Plans what a writer does next, and what that makes of its rows. Does no I/O.

use super::{
    NUMBERS, UNIQUE_STRIDE,
    memory::Memory,
    tables::{Cell, Column, ColumnKind, Row, TableKind},
};

/// How many values of the second unique column a writer has.
const UNIQUE_VALUES: u64 = 3 * NUMBERS;

/// What kind of application a writer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) name: &'static str,
    pub(super) isolation: &'static str,
    /// Percentage of its works that are transactions of several statements.
    transactions: u64,
    /// May use REPLACE and ON DUPLICATE KEY UPDATE inside a transaction.
    upserts_in_transactions: bool,
    /// Holds every transaction open for a while.
    pub(super) holds: bool,
}

/// The writers of a table; their order is their number.
pub(super) const STYLES: [Style; 5] = [
    Style {
        name: "single statements",
        isolation: "REPEATABLE READ",
        transactions: 0,
        upserts_in_transactions: false,
        holds: false,
    },
    Style {
        name: "everything",
        isolation: "READ COMMITTED",
        transactions: 40,
        upserts_in_transactions: true,
        holds: false,
    },
    Style {
        name: "transactions",
        isolation: "REPEATABLE READ",
        transactions: 100,
        upserts_in_transactions: false,
        holds: false,
    },
    Style {
        name: "held open, read committed",
        isolation: "READ COMMITTED",
        transactions: 100,
        upserts_in_transactions: true,
        holds: true,
    },
    Style {
        name: "held open, repeatable read",
        isolation: "REPEATABLE READ",
        transactions: 100,
        upserts_in_transactions: false,
        holds: true,
    },
];

/// A small generator of random numbers (xorshift64*), so that a seed tells the whole plan.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Spreads neighbouring seeds; the state must not be zero.
        Self((seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn spelling(&mut self, kind: &TableKind) -> usize {
        let limit = u64::try_from(kind.spellings).expect("a handful");
        usize::try_from(self.below(limit)).expect("a handful")
    }
}

/// One statement, and what the server must answer.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) affected: u64,
    /// Inserted rows whose key the server generates.
    pub(super) generated: Vec<Row>,
}

impl Statement {
    fn new(sql: String, affected: u64) -> Self {
        Self {
            sql,
            affected,
            generated: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Autocommit,
    Commit,
    Rollback,
}

/// A transaction, or one statement by itself.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) statements: Vec<Statement>,
    pub(super) end: End,
    /// After how many statements the transaction is held open.
    pub(super) held_after: Option<usize>,
}

/// Makes plans against the memory; does no I/O.
pub(super) struct Planner {
    kind: TableKind,
    columns: Vec<Column>,
    pub(super) number: u64,
    pub(super) style: Style,
    random: Random,
    pub(super) memory: Memory,
    /// A unique value that an earlier transaction took from a row, to be handed to another one.
    released: Option<u64>,
}

impl Planner {
    pub(super) fn new(kind: &TableKind, number: u64, seed: u64) -> Self {
        let memory = Memory::new(kind.unique_position());
        Self {
            kind: kind.clone(),
            columns: kind.columns(),
            number,
            style: STYLES[usize::try_from(number).expect("a handful")],
            random: Random::new(seed.wrapping_add(number)),
            memory,
            released: None,
        }
    }

    // --- choosing ------------------------------------------------------------------------------

    /// A number whose row is there.
    fn present(&mut self) -> u64 {
        let count = u64::try_from(self.memory.rows.len()).expect("fits");
        let index = usize::try_from(self.random.below(count)).expect("fits");
        *self
            .memory
            .rows
            .keys()
            .nth(index)
            .expect("a writer never deletes all its rows")
    }

    /// A number of this writer whose row is not there.
    fn absent(&mut self) -> u64 {
        loop {
            let number = self.random.below(NUMBERS / writers()) * writers() + self.number;
            // An AUTO_INCREMENT column takes 0 for "the next id".
            let usable = number > 0 || !self.kind.generated;
            if usable && !self.memory.rows.contains_key(&number) {
                return number;
            }
        }
    }

    /// Up to `count` different numbers whose rows are there.
    fn several_present(&mut self, count: u64) -> Vec<u64> {
        let mut numbers: Vec<u64> = (0..count).map(|_| self.present()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// A row that holds a unique value, if one is found quickly.
    fn holder(&mut self) -> Option<u64> {
        let numbers = self.several_present(8);
        numbers
            .into_iter()
            .find(|number| self.unique_of(*number).is_some())
    }

    fn unique_of(&self, number: u64) -> Option<u64> {
        self.memory.unique_value(self.memory.rows.get(&number))
    }

    /// NULL, or a unique value of this writer that no row has.
    fn free_unique(&mut self) -> Cell {
        if self.random.percent(20) {
            return None;
        }
        loop {
            let value = unique_base(self.number) + self.random.below(UNIQUE_VALUES);
            if !self.memory.holders.contains_key(&value) {
                return Some(digits(value));
            }
        }
    }

    /// A new row for a number, with a random spelling and random values.
    pub(super) fn new_row(&mut self, number: u64) -> Row {
        let spelling = self.random.spelling(&self.kind);
        let mut row = self.kind.key_cells(number, spelling);
        if self.kind.second_unique {
            row.push(self.free_unique());
        }
        row.extend(payload(&mut self.random));
        row
    }

    // --- writing SQL ---------------------------------------------------------------------------

    /// The condition that finds the row of a number, in any of its spellings.
    fn condition(&mut self, numbers: &[u64]) -> String {
        let key: Vec<String> = self.columns[..self.kind.key_len()]
            .iter()
            .map(|column| format!("`{}`", column.name))
            .collect();
        let values: Vec<String> = numbers
            .iter()
            .map(|number| {
                let spelling = self.random.spelling(&self.kind);
                let cells = self.kind.key_cells(*number, spelling);
                format!("({})", literals(&self.columns, &cells).join(", "))
            })
            .collect();
        format!("({}) IN ({})", key.join(", "), values.join(", "))
    }

    /// Assignments of the cells from a position on.
    fn assignments(&self, row: &Row, from: usize) -> String {
        let parts: Vec<String> = self.columns[from..]
            .iter()
            .zip(&row[from..])
            .map(|(column, cell)| format!("`{}` = {}", column.name, literal(column.kind, cell)))
            .collect();
        parts.join(", ")
    }

    pub(super) fn insert_sql(&self, verb: &str, columns: &[Column], rows: &[Row]) -> String {
        let names: Vec<String> = columns
            .iter()
            .map(|column| format!("`{}`", column.name))
            .collect();
        let values: Vec<String> = rows
            .iter()
            .map(|row| format!("({})", literals(columns, row).join(", ")))
            .collect();
        format!(
            "{verb} INTO `{}` ({}) VALUES {}",
            self.kind.name,
            names.join(", "),
            values.join(", ")
        )
    }

    // --- the statements that the writers know --------------------------------------------------

    fn insert(&mut self, count: u64, plan: &mut Vec<Statement>) {
        if self.kind.generated && self.random.percent(80) {
            let rows: Vec<Row> = (0..count).map(|_| payload(&mut self.random)).collect();
            let sql = self.insert_sql("INSERT", &self.columns[1..], &rows);
            plan.push(Statement {
                sql,
                affected: count,
                generated: rows,
            });
            return;
        }
        let mut rows = Vec::new();
        for _ in 0..count {
            let number = self.absent();
            let row = self.new_row(number);
            self.memory.set(number, Some(row.clone()));
            rows.push(row);
        }
        plan.push(Statement::new(
            self.insert_sql("INSERT", &self.columns, &rows),
            count,
        ));
    }

    /// All values behind the key, the unique one included.
    fn update_one(&mut self, plan: &mut Vec<Statement>) {
        let number = self.present();
        let key_len = self.kind.key_len();
        let mut row = self.memory.rows[&number].clone();
        let new = self.new_row(number);
        row.splice(key_len.., new[key_len..].iter().cloned());
        let condition = self.condition(&[number]);
        let sql = format!(
            "UPDATE `{}` SET {} WHERE {condition}",
            self.kind.name,
            self.assignments(&row, key_len)
        );
        self.memory.set(number, Some(row));
        plan.push(Statement::new(sql, 1));
    }

    /// One column of several rows, computed from its old value.
    fn update_several(&mut self, plan: &mut Vec<Statement>) {
        let numbers = self.several_present(6);
        let step = 1 + i64::try_from(self.random.below(1000)).expect("small");
        let position = self
            .columns
            .iter()
            .position(|column| column.name == "v")
            .expect("it is there");
        for number in &numbers {
            let mut row = self.memory.rows[number].clone();
            let text = String::from_utf8(row[position].take().expect("not null")).expect("digits");
            let value: i64 = text.parse().expect("digits");
            row[position] = Some((value + step).to_string().into_bytes());
            self.memory.set(*number, Some(row));
        }
        let condition = self.condition(&numbers);
        let sql = format!(
            "UPDATE `{}` SET `v` = `v` + {step} WHERE {condition}",
            self.kind.name
        );
        plan.push(Statement::new(sql, count(&numbers)));
    }

    fn delete(&mut self, limit: u64, plan: &mut Vec<Statement>) {
        let numbers = self.several_present(limit);
        let condition = self.condition(&numbers);
        for number in &numbers {
            self.memory.set(*number, None);
        }
        let sql = format!("DELETE FROM `{}` WHERE {condition}", self.kind.name);
        plan.push(Statement::new(sql, count(&numbers)));
    }

    /// Moves a row to another key.
    fn change_key(&mut self, to: u64, plan: &mut Vec<Statement>) {
        let from = self.present();
        let spelling = self.random.spelling(&self.kind);
        let key = self.kind.key_cells(to, spelling);
        self.update_key(from, to, key, plan);
    }

    /// Updates the key columns of a row. `from` and `to` may be the same row in two spellings.
    fn update_key(&mut self, from: u64, to: u64, key: Vec<Cell>, plan: &mut Vec<Statement>) {
        let condition = self.condition(&[from]);
        let assignments: Vec<String> = self
            .columns
            .iter()
            .zip(&key)
            .map(|(column, cell)| format!("`{}` = {}", column.name, literal(column.kind, cell)))
            .collect();
        let sql = format!(
            "UPDATE `{}` SET {} WHERE {condition}",
            self.kind.name,
            assignments.join(", ")
        );
        let mut row = self.memory.rows[&from].clone();
        row.splice(..key.len(), key);
        self.memory.set(from, None);
        self.memory.set(to, Some(row));
        plan.push(Statement::new(sql, 1));
    }

    /// Deletes a row and gives its key to another one.
    fn take_over_key(&mut self, plan: &mut Vec<Statement>) {
        let number = self.present();
        let condition = self.condition(&[number]);
        self.memory.set(number, None);
        let sql = format!("DELETE FROM `{}` WHERE {condition}", self.kind.name);
        plan.push(Statement::new(sql, 1));
        self.change_key(number, plan);
    }

    /// The same key in another spelling: 'abc' becomes 'ABC'.
    fn respell(&mut self, plan: &mut Vec<Statement>) {
        let number = self.present();
        let key_len = self.kind.key_len();
        let present_key = self.memory.rows[&number][..key_len].to_vec();
        let others: Vec<Vec<Cell>> = (0..self.kind.spellings)
            .map(|spelling| self.kind.key_cells(number, spelling))
            .filter(|key| *key != present_key)
            .collect();
        if others.is_empty() {
            return self.update_one(plan);
        }
        let choice = self
            .random
            .below(u64::try_from(others.len()).expect("a handful"));
        let key = others[usize::try_from(choice).expect("a handful")].clone();
        self.update_key(number, number, key, plan);
    }

    /// Deletes a row and inserts it again, with new values and maybe in another spelling.
    fn reinsert(&mut self, plan: &mut Vec<Statement>) {
        let number = self.present();
        let condition = self.condition(&[number]);
        self.memory.set(number, None);
        plan.push(Statement::new(
            format!("DELETE FROM `{}` WHERE {condition}", self.kind.name),
            1,
        ));
        let row = self.new_row(number);
        self.memory.set(number, Some(row.clone()));
        plan.push(Statement::new(
            self.insert_sql("INSERT", &self.columns, &[row]),
            1,
        ));
    }

    /// INSERT … ON DUPLICATE KEY UPDATE of a row which is there or not. An existing row keeps the
    /// spelling of its key.
    fn upsert(&mut self, plan: &mut Vec<Statement>) {
        let number = if self.random.percent(60) {
            self.present()
        } else {
            self.absent()
        };
        let row = self.new_row(number);
        let key_len = self.kind.key_len();
        let updates: Vec<String> = self.columns[key_len..]
            .iter()
            .map(|column| format!("`{0}` = VALUES(`{0}`)", column.name))
            .collect();
        let sql = format!(
            "{} ON DUPLICATE KEY UPDATE {}",
            self.insert_sql("INSERT", &self.columns, std::slice::from_ref(&row)),
            updates.join(", ")
        );
        match self.memory.rows.get(&number) {
            None => {
                self.memory.set(number, Some(row));
                plan.push(Statement::new(sql, 1));
            }
            Some(old) => {
                let mut old = old.clone();
                old.splice(key_len.., row[key_len..].iter().cloned());
                self.memory.set(number, Some(old));
                plan.push(Statement::new(sql, 2)); // the server counts an update as two
            }
        }
    }

    /// REPLACE of a row which is there or not; at times it pushes out a second row, too, whose
    /// unique value it takes.
    fn replace(&mut self, plan: &mut Vec<Statement>) {
        let number = if self.random.percent(60) {
            self.present()
        } else {
            self.absent()
        };
        let mut row = self.new_row(number);
        let mut affected = 1 + u64::from(self.memory.rows.contains_key(&number));
        if let Some(position) = self.kind.unique_position()
            && self.random.percent(30)
            && let Some(victim) = self.holder().filter(|victim| *victim != number)
        {
            row[position] = self.memory.rows[&victim][position].clone();
            self.memory.set(victim, None);
            affected += 1;
        }
        let sql = self.insert_sql("REPLACE", &self.columns, std::slice::from_ref(&row));
        self.memory.set(number, Some(row));
        plan.push(Statement::new(sql, affected));
    }

    fn set_unique(&mut self, number: u64, value: Option<u64>, plan: &mut Vec<Statement>) {
        let position = self
            .kind
            .unique_position()
            .expect("only planned where there is one");
        let cell = value.map(digits);
        let condition = self.condition(&[number]);
        let sql = format!(
            "UPDATE `{}` SET `u` = {} WHERE {condition}",
            self.kind.name,
            literal(ColumnKind::Number, &cell)
        );
        let mut row = self.memory.rows[&number].clone();
        row[position] = cell;
        self.memory.set(number, Some(row));
        plan.push(Statement::new(sql, 1));
    }

    /// Two rows exchange their unique values, by way of NULL, in one transaction.
    fn swap_unique(&mut self, plan: &mut Vec<Statement>) {
        if let (Some(first), Some(second)) = (self.holder(), self.holder())
            && first != second
        {
            let (first_value, second_value) = (self.unique_of(first), self.unique_of(second));
            self.set_unique(first, None, plan);
            self.set_unique(second, first_value, plan);
            self.set_unique(first, second_value, plan);
        }
    }

    /// One row gives its unique value up in this transaction; another one gets it in the next.
    fn release_unique(&mut self, plan: &mut Vec<Statement>) {
        if let Some(number) = self.holder() {
            self.released = self.unique_of(number);
            self.set_unique(number, None, plan);
        }
    }

    fn receive_unique(&mut self, plan: &mut Vec<Statement>) {
        let Some(value) = self.released.take() else {
            return;
        };
        // Taken again meanwhile, or the transaction that released it was rolled back.
        if self.memory.holders.contains_key(&value) {
            return;
        }
        let number = self.present();
        self.set_unique(number, Some(value), plan);
    }

    // --- putting them together -----------------------------------------------------------------

    fn single_statement(&mut self, upserts: bool, plan: &mut Vec<Statement>) {
        // About as many deletes as inserts, so that the table keeps its size; few rows left or few
        // numbers free would make choosing slow.
        let share = usize::try_from(NUMBERS / writers()).expect("fits");
        let used_numbers = self.memory.rows.range(..NUMBERS).count();
        let choice = if self.memory.rows.len() * 4 < share {
            0
        } else if used_numbers * 4 > share * 3 {
            30
        } else {
            self.random.below(if upserts { 100 } else { 80 })
        };
        match choice {
            0..=14 => self.insert(1, plan),
            15..=21 => self.insert(4, plan),
            22..=37 => self.delete(1, plan),
            38..=41 => self.delete(4, plan),
            42..=55 => self.update_one(plan),
            56..=62 => self.update_several(plan),
            63..=71 => {
                let to = self.absent();
                self.change_key(to, plan);
            }
            72..=79 => self.respell(plan),
            80..=90 => self.upsert(plan),
            _ => self.replace(plan),
        }
    }

    fn several_statements(&mut self, plan: &mut Vec<Statement>) {
        self.receive_unique_if_any(plan);
        for _ in 0..=self.random.below(4) {
            match self.random.below(10) {
                0..=1 => self.reinsert(plan),
                2 => self.take_over_key(plan),
                3..=5 if self.kind.second_unique => self.swap_unique(plan),
                6 if self.kind.second_unique => self.release_unique(plan),
                _ => self.single_statement(self.style.upserts_in_transactions, plan),
            }
        }
    }

    fn receive_unique_if_any(&mut self, plan: &mut Vec<Statement>) {
        if self.kind.second_unique {
            self.receive_unique(plan);
        }
    }

    /// The next transaction or statement. The memory already holds its outcome, uncommitted.
    pub(super) fn work(&mut self) -> Work {
        let mut statements = Vec::new();
        if self.random.percent(self.style.transactions) {
            while statements.is_empty() {
                self.several_statements(&mut statements);
            }
            let end = if self.random.percent(25) {
                End::Rollback
            } else {
                End::Commit
            };
            let length = u64::try_from(statements.len()).expect("a handful");
            let after = 1 + usize::try_from(self.random.below(length)).expect("a handful");
            return Work {
                statements,
                end,
                held_after: self.style.holds.then_some(after),
            };
        }
        // By itself, a hand-over is two transactions.
        if self.kind.second_unique && self.random.percent(20) {
            match self.released {
                Some(_) => self.receive_unique(&mut statements),
                None => self.release_unique(&mut statements),
            }
        }
        if statements.is_empty() {
            self.single_statement(true, &mut statements);
        }
        Work {
            statements,
            end: End::Autocommit,
            held_after: None,
        }
    }
}

pub(super) fn writers() -> u64 {
    count(&STYLES)
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).expect("fits")
}

pub(super) fn digits(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

pub(super) fn unique_base(writer: u64) -> u64 {
    (writer + 1) * UNIQUE_STRIDE
}

/// Random values for the columns that every table has.
pub(super) fn payload(random: &mut Random) -> Vec<Cell> {
    const TEXTS: [&str; 5] = [
        "plain",
        "Ünïcödé",
        "日本語",
        "🙂 wide",
        "O'Neill \\ \"quoted\" ",
    ];
    let v = i64::try_from(random.below(1 << 40)).expect("small") - (1 << 39);
    let text = TEXTS[usize::try_from(random.below(5)).expect("small")];
    let text =
        (!random.percent(10)).then(|| format!("{text} {}", random.below(1 << 32)).into_bytes());
    let length = usize::try_from(random.below(9)).expect("small");
    let bytes = random.next().to_be_bytes()[..length].to_vec();
    let amount = format!("{}.{:03}", random.below(1_000_000), random.below(1000));
    let moment = format!(
        "20{:02}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
        random.below(40),
        1 + random.below(12),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1_000_000)
    );
    vec![
        Some(v.to_string().into_bytes()),
        text,
        Some(bytes),
        Some(amount.into_bytes()),
        Some(moment.into_bytes()),
    ]
}

fn literals(columns: &[Column], row: &[Cell]) -> Vec<String> {
    columns
        .iter()
        .zip(row)
        .map(|(column, cell)| literal(column.kind, cell))
        .collect()
}

/// A value as it stands in a statement.
fn literal(kind: ColumnKind, cell: &Cell) -> String {
    let Some(bytes) = cell else {
        return "NULL".into();
    };
    let hexadecimal = || {
        let digits = |byte: &u8| [byte >> 4, byte & 15];
        let digit = |digit: u8| char::from_digit(digit.into(), 16).expect("below 16");
        bytes.iter().flat_map(digits).map(digit).collect::<String>()
    };
    match kind {
        ColumnKind::Number => String::from_utf8(bytes.clone()).expect("digits"),
        ColumnKind::Time => format!("'{}'", String::from_utf8(bytes.clone()).expect("ASCII")),
        ColumnKind::Utf8 => format!("_utf8mb4 X'{}'", hexadecimal()),
        ColumnKind::Latin1 => format!("_latin1 X'{}'", hexadecimal()),
        ColumnKind::Binary => format!("X'{}'", hexadecimal()),
    }
}
