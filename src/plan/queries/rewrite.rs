//! A statement of the application with another table in the place of the one that is migrated.
//!
//! The other table gets the first one's name as its alias, so that every column, hint and clause that names it goes
//! on to mean it. What is migrated is explained in the same rewritten form: a statement that the rewriting spoils
//! fails for both tables, and is not taken for one that only the ghost can't answer.

use std::collections::BTreeSet;

use super::calls;
use super::tokens::{Kind, Quoting, Token, read};
use crate::plan::inspection::TableNames;
use crate::plan::names::Names;
use crate::sql::{qualified, quoted};

/// Why a statement isn't compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unfit {
    /// The server kept no sample of it.
    NoText,
    /// Its sample is cut off.
    CutOff,
    /// It isn't understood.
    Unreadable,
    /// It gives the table's name to something else.
    Shadowed,
    /// It calls a function that EXPLAIN may run.
    Calls,
    /// It writes a file.
    Exports,
    /// Part of it is read by some servers only.
    Executable,
    /// It names something that is the name of a view.
    View,
    /// It writes, and reads more than the one table.
    Joins,
    /// It only adds rows to the table.
    Inserts,
    /// Quotes mean something else to whoever ran it.
    OtherMode,
}

impl Unfit {
    /// The reason in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoText => "the server kept no text of it",
            Self::CutOff => "its text is cut off (performance_schema_max_sql_text_length)",
            Self::Unreadable => "its text can't be read",
            Self::Shadowed => "it gives the table's name to a common table expression",
            Self::Exports => "it writes a file",
            Self::Executable => "it has an executable comment",
            Self::Calls => "it may call a function with effects, which EXPLAIN may run",
            Self::View => "it may read a view, whose functions EXPLAIN may run",
            Self::Joins => {
                "it updates or deletes with a join or a subquery, and EXPLAIN of it takes row locks"
            }
            Self::Inserts => "it inserts into the table",
            Self::OtherMode => "it was run in another sql_mode than the server's",
        }
    }
}

/// A statement that names the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    text: String,
    schema: String,
    edits: Vec<Edit>,
    /// It was prepared, and nobody knows for which values.
    pub prepared: bool,
    /// It writes, so that no read-only transaction can explain it.
    pub writes: bool,
    /// It calls what isn't known to have no effects.
    pub calls: bool,
    /// Every name and word in it, in small letters.
    words: BTreeSet<String>,
}

/// A change of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Edit {
    /// The table's name, between these bytes.
    Table(usize, usize),
    /// Its alias goes here.
    Alias(usize, String),
    /// These bytes go.
    Cut(usize, usize),
    /// A value of a prepared statement.
    Value(usize, usize),
    /// A number of rows in one.
    Limit(usize, usize),
}

impl Edit {
    fn start(&self) -> usize {
        match self {
            Self::Table(start, _)
            | Self::Alias(start, _)
            | Self::Cut(start, _)
            | Self::Value(start, _)
            | Self::Limit(start, _) => *start,
        }
    }
}

impl Query {
    /// Whether something in it has one of these names, which are in small letters.
    #[must_use]
    pub fn names_any(&self, names: &BTreeSet<String>) -> bool {
        !self.words.is_disjoint(names)
    }

    /// The statement over this table of the same schema; a prepared one with this literal for every value.
    #[must_use]
    pub fn over(&self, table: &str, value: &str) -> String {
        let mut out = String::new();
        let mut done = 0;
        for edit in &self.edits {
            out.push_str(self.text.get(done..edit.start()).unwrap_or_default());
            match edit {
                Edit::Table(_, end) => {
                    out.push_str(&qualified(&self.schema, table));
                    done = *end;
                }
                Edit::Alias(at, alias) => {
                    out.push_str(&format!(" AS {}", quoted(alias)));
                    done = *at;
                }
                Edit::Cut(_, end) => done = *end,
                Edit::Value(_, end) => {
                    out.push_str(value);
                    done = *end;
                }
                Edit::Limit(_, end) => {
                    out.push_str(ROWS);
                    done = *end;
                }
            }
        }
        out.push_str(self.text.get(done..).unwrap_or_default());
        out
    }
}

/// Literals for the values of prepared statements, one after the other: the server converts a string to whatever a
/// column is without giving up its index; but one that is no date is refused where a date is compared.
pub const VALUES: [&str; 2] = ["'1'", "'2000-01-01'"];
/// The same where a number of rows stands.
const ROWS: &str = "10";

/// Reads a statement that was run with this default schema; `None` if it doesn't concern the table.
///
/// # Errors
/// Why it can't be compared.
pub fn query(
    text: &str,
    default_schema: Option<&str>,
    (names, spelling): (&Names, TableNames),
    quoting: Quoting,
) -> Result<Option<Query>, Unfit> {
    if text.is_empty() {
        return Err(Unfit::NoText);
    }
    if text.ends_with("...") {
        return Err(Unfit::CutOff);
    }
    // Also in a string: where it ends depends on the mode of whoever wrote it.
    if text.contains("/*!") || text.contains("/*M!") {
        return Err(Unfit::Executable);
    }
    let how = (default_schema, names, spelling);
    match query_as(text, how, quoting)? {
        // A name or string that is written as in another mode may hide the table.
        None if quoting
            .others()
            .into_iter()
            .any(|other| matches!(query_as(text, how, other), Ok(Some(_)))) =>
        {
            Err(Unfit::OtherMode)
        }
        found => Ok(found),
    }
}

/// The same where quotes mean this.
fn query_as(
    text: &str,
    (default_schema, names, spelling): (Option<&str>, &Names, TableNames),
    quoting: Quoting,
) -> Result<Option<Query>, Unfit> {
    let tokens = read(text, quoting).ok_or(Unfit::Unreadable)?;
    // What follows a semicolon would be carried out, not explained.
    let strange = |token: &Token| matches!(token.kind, Kind::Sign('{' | ';'));
    if tokens.iter().any(strange) {
        return Err(Unfit::Unreadable);
    }
    let reader = Reader {
        text,
        quoting,
        tokens: &tokens,
        at: 0,
        default_schema,
        names,
        spelling,
        frame: Frame::default(),
        around: Vec::new(),
        edits: Vec::new(),
        calls: false,
        many: false,
    };
    reader.read()
}

/// What is true between two parentheses.
#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    /// Tables are listed.
    from: bool,
    /// The next name is a table's.
    expects: bool,
    /// FROM is a part of a function's call.
    function: bool,
}

struct Reader<'a> {
    text: &'a str,
    quoting: Quoting,
    tokens: &'a [Token],
    at: usize,
    default_schema: Option<&'a str>,
    names: &'a Names,
    spelling: TableNames,
    frame: Frame,
    around: Vec<Frame>,
    edits: Vec<Edit>,
    calls: bool,
    /// More than one table is listed.
    many: bool,
}

/// A table's name as it stands in a statement.
struct Path {
    /// Place of its first token, of its last one, and of the token behind.
    first: usize,
    last: usize,
    next: usize,
    /// It is the table that is migrated.
    ours: bool,
}

/// Words that may follow a table without an alias.
const BEHIND_A_TABLE: [&str; 26] = [
    "WHERE",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "CROSS",
    "NATURAL",
    "STRAIGHT_JOIN",
    "ON",
    "USING",
    "USE",
    "FORCE",
    "IGNORE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "WINDOW",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "FOR",
    "LOCK",
    "SET",
    "INTO",
    "TABLESAMPLE",
];
/// Words that end a list of tables.
const ENDS_TABLES: [&str; 14] = [
    "SELECT",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "WINDOW",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "FOR",
    "SET",
    "INTO",
    "LOCK",
];
/// Functions with a FROM among their arguments.
const WITH_FROM: [&str; 5] = ["EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "MID"];
const VERBS: [&str; 5] = ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"];
const MODIFIERS: [&str; 6] = [
    "LOW_PRIORITY",
    "HIGH_PRIORITY",
    "DELAYED",
    "QUICK",
    "IGNORE",
    "INTO",
];

impl Reader<'_> {
    fn read(mut self) -> Result<Option<Query>, Unfit> {
        let verb = self.verb().ok_or(Unfit::Unreadable)?;
        if self.is(verb, "INSERT") || self.is(verb, "REPLACE") {
            return self.source(verb);
        }
        let writes = !self.is(verb, "SELECT");
        while self.at < self.tokens.len() {
            if self.at == verb && writes {
                self.begin(verb);
            } else {
                self.token()?;
            }
        }
        if !self.around.is_empty() {
            return Err(Unfit::Unreadable);
        }
        let words = (0..self.tokens.len()).filter_map(|place| self.name(place));
        let words = words.map(|word| word.to_lowercase()).collect();
        let joins = writes && (verb > 0 || self.many || self.joins(verb));
        self.edits.sort_by_key(Edit::start);
        let named = self
            .edits
            .iter()
            .any(|edit| matches!(edit, Edit::Table(..)));
        if named && joins {
            return Err(Unfit::Joins);
        }
        let prepared = |edit: &Edit| matches!(edit, Edit::Value(..) | Edit::Limit(..));
        Ok(named.then(|| Query {
            prepared: self.edits.iter().any(prepared),
            text: self.text.to_owned(),
            schema: self.names.schema.clone(),
            edits: self.edits,
            writes,
            calls: self.calls,
            words,
        }))
    }

    /// A SELECT whose rows are inserted is compared by itself: EXPLAIN of the whole would take locks.
    fn source(mut self, verb: usize) -> Result<Option<Query>, Unfit> {
        self.at = verb + 1;
        while MODIFIERS.iter().any(|word| self.is(self.at, word)) {
            self.at += 1;
        }
        let into_ours = self.path(self.at).is_some_and(|path| path.ours);
        let mut depth = 0_usize;
        let (mut first, mut behind) = (None, self.tokens.len());
        for place in self.at..self.tokens.len() {
            match self.sign(place) {
                Some('(') => depth += 1,
                Some(')') => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                _ if first.is_none() && (self.is(place, "SELECT") || self.is(place, "WITH")) => {
                    first = Some(place);
                }
                _ if self.is(place, "DUPLICATE") && self.was(place, "ON") => behind = place - 1,
                _ => {}
            }
        }
        let text = first.and_then(|first| {
            let start = self.tokens.get(first)?.start;
            let end = self.tokens.get(behind).map(|token| token.start);
            self.text.get(start..end.unwrap_or(self.text.len()))
        });
        let how = (self.default_schema, self.names, self.spelling);
        match text {
            Some(text) => match query_as(text, how, self.quoting)? {
                None if into_ours => Err(Unfit::Inserts),
                found => Ok(found),
            },
            None => Err(Unfit::Unreadable),
        }
    }

    /// A writing statement has a word behind its verb with which it may read another table.
    fn joins(&self, verb: usize) -> bool {
        let words = ["SELECT", "JOIN", "STRAIGHT_JOIN", "USING", "TABLE", "WITH"];
        (verb + 1..self.tokens.len())
            .filter(|place| !self.is_part_of_a_name(*place))
            .any(|place| words.iter().any(|word| self.is(place, word)))
    }

    /// Place of the word that says what the statement does: behind all common table expressions.
    fn verb(&self) -> Option<usize> {
        let with = self.is(0, "WITH");
        let mut depth = 0_usize;
        for place in 0..self.tokens.len() {
            match self.sign(place) {
                Some('(') => depth += 1,
                Some(')') => depth = depth.saturating_sub(1),
                _ if with && depth > 0 => {}
                _ if VERBS.iter().any(|verb| self.is(place, verb)) => return Some(place),
                _ => {}
            }
        }
        None
    }

    /// What stands between the verb of a writing statement and its first table.
    fn begin(&mut self, verb: usize) {
        self.at = verb + 1;
        while MODIFIERS.iter().any(|word| self.is(self.at, word)) {
            self.at += 1;
        }
        if self.is(verb, "UPDATE") {
            self.tables_follow();
        } else {
            self.delete();
        }
    }

    /// DELETE names rows of which tables go in front of FROM or of USING, or has one table only.
    fn delete(&mut self) {
        let from = self.is(self.at, "FROM");
        let mut place = self.at + usize::from(from);
        let mut targets = Vec::new();
        while let Some(path) = self.path(place) {
            place = path.next;
            if self.sign(place) == Some('.') && self.sign(place + 1) == Some('*') {
                place += 2;
            }
            targets.push(path);
            if self.sign(place) != Some(',') {
                break;
            }
            place += 1;
        }
        let many = self.is(place, if from { "USING" } else { "FROM" });
        self.at = if many { place + 1 } else { self.at + 1 };
        self.many |= many;
        for target in targets.iter().filter(|path| many && path.ours) {
            // An alias has no schema.
            if let (Some(first), Some(last)) =
                (self.tokens.get(target.first), self.tokens.get(target.last))
            {
                self.edits.push(Edit::Cut(first.start, last.start));
            }
        }
        self.tables_follow();
    }

    fn tables_follow(&mut self) {
        (self.frame.from, self.frame.expects) = (true, true);
    }

    fn token(&mut self) -> Result<(), Unfit> {
        let place = self.at;
        self.at += 1;
        match self.sign(place) {
            Some('(') => self.open(place),
            Some(')') => self.frame = self.around.pop().ok_or(Unfit::Unreadable)?,
            Some(',') => {
                self.many |= self.frame.from;
                self.frame.expects = self.frame.from;
            }
            Some('?') => self.value(place),
            Some(_) => {}
            None if self.is_part_of_a_name(place) => {}
            None => self.word(place)?,
        }
        Ok(())
    }

    fn value(&mut self, place: usize) {
        let Some(token) = self.tokens.get(place) else {
            return;
        };
        let behind_a_comma = place
            .checked_sub(2)
            .is_some_and(|first| self.sign(first + 1) == Some(',') && self.was(first, "LIMIT"));
        let rows = self.was(place, "LIMIT") || self.was(place, "OFFSET") || behind_a_comma;
        self.edits.push(if rows {
            Edit::Limit(token.start, token.end)
        } else {
            Edit::Value(token.start, token.end)
        });
    }

    fn open(&mut self, place: usize) {
        let before = place.checked_sub(1);
        self.calls |= before.is_some_and(|before| self.may_have_effects(before));
        let function =
            before.is_some_and(|before| WITH_FROM.iter().any(|word| self.is(before, word)));
        let inside = Frame {
            from: self.frame.expects,
            expects: self.frame.expects,
            function,
        };
        self.frame.expects = false;
        self.around.push(std::mem::replace(&mut self.frame, inside));
    }

    /// What stands in front of a parenthesis is called, unless it is a word of the language.
    fn may_have_effects(&self, place: usize) -> bool {
        let Some(name) = self.name(place) else {
            return false;
        };
        let (Some(token), Some(behind)) = (self.tokens.get(place), self.tokens.get(place + 1))
        else {
            return false;
        };
        let qualified = place.checked_sub(1).and_then(|before| self.sign(before)) == Some('.');
        let plain = token.kind == Kind::Word && !qualified;
        !plain || !calls::harmless(&name, token.end == behind.start)
    }

    fn word(&mut self, place: usize) -> Result<(), Unfit> {
        let is = |word: &&&str| self.is(place, word);
        if self.is(place, "AS") && self.sign(place + 1) == Some('(') && self.shadows(place) {
            return Err(Unfit::Shadowed);
        }
        if self.was(place, "INTO") && (self.is(place, "OUTFILE") || self.is(place, "DUMPFILE")) {
            return Err(Unfit::Exports);
        }
        if self.is(place, "FROM") {
            if !self.frame.function {
                self.tables_follow();
            }
        } else if self.is(place, "FOR") && (self.was(place, "INDEX") || self.was(place, "KEY")) {
            // An index hint for JOIN, ORDER BY or GROUP BY.
            while self.at < self.tokens.len() && self.sign(self.at) != Some('(') {
                self.at += 1;
            }
        } else if ENDS_TABLES.iter().find(is).is_some() {
            (self.frame.from, self.frame.expects) = (false, false);
        } else if self.is(place, "JOIN") || self.is(place, "STRAIGHT_JOIN") {
            self.frame.expects = self.frame.from;
        } else if self.frame.expects && !self.is(place, "LATERAL") {
            self.table(place);
        }
        Ok(())
    }

    /// A table in a list of tables.
    fn table(&mut self, place: usize) {
        let Some(path) = self.path(place) else {
            return;
        };
        self.at = path.next;
        self.frame.expects = false;
        // What is in front of a parenthesis is a table function.
        if !path.ours || self.sign(path.next) == Some('(') {
            return;
        }
        self.replace(&path);
        let mut next = path.next;
        if self.is(next, "PARTITION") && self.sign(next + 1) == Some('(') {
            while next < self.tokens.len() && self.sign(next) != Some(')') {
                next += 1;
            }
            next += 1;
        }
        let has_alias = self.is(next, "AS")
            || self.name(next).is_some() && !BEHIND_A_TABLE.iter().any(|word| self.is(next, word));
        let before = next
            .checked_sub(1)
            .and_then(|before| self.tokens.get(before));
        if let (false, Some(before), Some(name)) = (has_alias, before, self.name(path.last)) {
            self.edits.push(Edit::Alias(before.end, name));
        }
        self.at = next;
    }

    fn replace(&mut self, path: &Path) {
        if let (Some(first), Some(last)) = (self.tokens.get(path.first), self.tokens.get(path.last))
        {
            self.edits.push(Edit::Table(first.start, last.end));
        }
    }

    /// `name` or `schema.name`.
    fn path(&self, place: usize) -> Option<Path> {
        let first = self.name(place)?;
        if self.sign(place + 1) == Some('.')
            && let Some(table) = self.name(place + 2)
        {
            return Some(Path {
                first: place,
                last: place + 2,
                next: place + 3,
                ours: self.ours(Some(&first), &table),
            });
        }
        Some(Path {
            first: place,
            last: place,
            next: place + 1,
            ours: self.ours(self.default_schema, &first),
        })
    }

    fn ours(&self, schema: Option<&str>, table: &str) -> bool {
        schema.is_some_and(|schema| self.spelling.same(schema, &self.names.schema))
            && self.spelling.same(table, &self.names.original)
    }

    /// In front of `AS (` stands the table's name: a common table expression, with a list of columns perhaps.
    fn shadows(&self, place: usize) -> bool {
        let Some(mut before) = place.checked_sub(1) else {
            return false;
        };
        if self.sign(before) == Some(')') {
            while before > 0 && self.sign(before) != Some('(') {
                before -= 1;
            }
            before = before.saturating_sub(1);
        }
        let name = self.name(before);
        name.is_some_and(|name| self.spelling.same(&name, &self.names.original))
    }

    /// Behind a dot or an @ every word is a name, of a column or a variable.
    fn is_part_of_a_name(&self, place: usize) -> bool {
        let before = place.checked_sub(1).and_then(|before| self.sign(before));
        matches!(before, Some('.' | '@'))
    }

    fn sign(&self, place: usize) -> Option<char> {
        match self.tokens.get(place)?.kind {
            Kind::Sign(character) => Some(character),
            Kind::Word | Kind::Name(_) | Kind::Text => None,
        }
    }

    fn name(&self, place: usize) -> Option<String> {
        let token = self.tokens.get(place)?;
        match &token.kind {
            Kind::Name(name) => Some(name.clone()),
            Kind::Word => self.text.get(token.start..token.end).map(str::to_owned),
            Kind::Text | Kind::Sign(_) => None,
        }
    }

    fn is(&self, place: usize, keyword: &str) -> bool {
        self.tokens.get(place).is_some_and(|token| {
            let text = self.text.get(token.start..token.end).unwrap_or_default();
            token.kind == Kind::Word && text.eq_ignore_ascii_case(keyword)
        })
    }

    fn was(&self, place: usize, keyword: &str) -> bool {
        place
            .checked_sub(1)
            .is_some_and(|before| self.is(before, keyword))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new("shop", "orders", None, None)
    }

    fn read_as(
        text: &str,
        schema: Option<&str>,
        spelling: TableNames,
    ) -> Result<Option<Query>, Unfit> {
        query(text, schema, (&names(), spelling), Quoting::default())
    }

    fn rewritten(text: &str) -> Option<String> {
        let found = read_as(text, Some("shop"), TableNames::Exact);
        found.expect("readable").map(|query| query.over("G", "'1'"))
    }

    #[test]
    fn the_table_is_replaced_wherever_it_is_read_and_keeps_its_name_as_alias() {
        for (text, expected) in [
            (
                "SELECT orders.id, `shop`.orders.day FROM orders WHERE orders.id=1",
                "SELECT orders.id, `shop`.orders.day FROM `shop`.`G` AS `orders` WHERE orders.id=1",
            ),
            (
                "select * from `shop` . `orders` as o force index (customer) where o.id=1",
                "select * from `shop`.`G` as o force index (customer) where o.id=1",
            ),
            (
                "SELECT * FROM orders USE INDEX FOR ORDER BY (a) ORDER BY a, orders",
                "SELECT * FROM `shop`.`G` AS `orders` USE INDEX FOR ORDER BY (a) ORDER BY a, orders",
            ),
            (
                "SELECT * FROM orders PARTITION (p0, p1), orders PARTITION (p2) b",
                "SELECT * FROM `shop`.`G` PARTITION (p0, p1) AS `orders`, `shop`.`G` PARTITION (p2) b",
            ),
            (
                "SELECT 1 FROM c LEFT JOIN (orders o, orders) ON f(o.a, 1) = orders.b, orders p",
                "SELECT 1 FROM c LEFT JOIN (`shop`.`G` o, `shop`.`G` AS `orders`) ON f(o.a, 1) = orders.b, \
                 `shop`.`G` p",
            ),
            (
                "SELECT STRAIGHT_JOIN orders FROM c STRAIGHT_JOIN orders USING (id) FOR UPDATE",
                "SELECT STRAIGHT_JOIN orders FROM c STRAIGHT_JOIN `shop`.`G` AS `orders` USING (id) FOR UPDATE",
            ),
            (
                "(SELECT id FROM orders) UNION (SELECT x FROM (SELECT orders FROM orders) AS orders)",
                "(SELECT id FROM `shop`.`G` AS `orders`) UNION (SELECT x FROM (SELECT orders FROM `shop`.`G` AS \
                 `orders`) AS orders)",
            ),
            (
                "SELECT EXTRACT(DAY FROM orders), TRIM('x' FROM orders) FROM c WHERE EXISTS (TABLE x) AND id IN \
                 (SELECT id FROM orders)",
                "SELECT EXTRACT(DAY FROM orders), TRIM('x' FROM orders) FROM c WHERE EXISTS (TABLE x) AND id IN \
                 (SELECT id FROM `shop`.`G` AS `orders`)",
            ),
            (
                "SELECT /*+ INDEX(orders a) */ 'FROM orders', @orders FROM orders -- FROM orders",
                "SELECT /*+ INDEX(orders a) */ 'FROM orders', @orders FROM `shop`.`G` AS `orders` -- FROM orders",
            ),
            (
                "WITH x (orders) AS (SELECT id FROM orders) SELECT * FROM x JOIN orders",
                "WITH x (orders) AS (SELECT id FROM `shop`.`G` AS `orders`) SELECT * FROM x JOIN `shop`.`G` AS \
                 `orders`",
            ),
            (
                "SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (a INT PATH '$')) AS j, LATERAL (SELECT * FROM orders) l",
                "SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (a INT PATH '$')) AS j, LATERAL (SELECT * FROM \
                 `shop`.`G` AS `orders`) l",
            ),
        ] {
            assert_eq!(rewritten(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn writing_statements_are_replaced_as_their_grammar_allows() {
        for (text, expected) in [
            (
                "UPDATE LOW_PRIORITY IGNORE orders SET a=1, orders.b=2 WHERE id=3",
                "UPDATE LOW_PRIORITY IGNORE `shop`.`G` AS `orders` SET a=1, orders.b=2 WHERE id=3",
            ),
            (
                "INSERT IGNORE INTO orders (id) SELECT id FROM orders ON DUPLICATE KEY UPDATE orders.a=c.a",
                "SELECT id FROM `shop`.`G` AS `orders` ",
            ),
            (
                "REPLACE c SELECT REPLACE(a, 'x', 'y') FROM orders",
                "SELECT REPLACE(a, 'x', 'y') FROM `shop`.`G` AS `orders`",
            ),
        ] {
            assert_eq!(rewritten(text).as_deref(), Some(expected));
        }
        let found = read_as("UPDATE orders SET a=1", Some("shop"), TableNames::Exact);
        assert!(found.expect("readable").is_some_and(|query| query.writes));
    }

    #[test]
    fn values_of_prepared_statements_are_put_in() {
        assert_eq!(
            rewritten("SELECT a FROM orders WHERE a=? AND b IN (?,?) LIMIT ?, ?").as_deref(),
            Some(
                "SELECT a FROM `shop`.`G` AS `orders` WHERE a='1' AND b IN ('1','1') LIMIT 10, 10"
            )
        );
        assert_eq!(
            rewritten("DELETE FROM orders WHERE a='?' LIMIT ?").as_deref(),
            Some("DELETE FROM `shop`.`G` AS `orders` WHERE a='?' LIMIT 10")
        );
        let prepared = |text| {
            let found = read_as(text, Some("shop"), TableNames::Exact);
            found.expect("readable").map(|query| query.prepared)
        };
        assert_eq!(
            prepared("SELECT a FROM orders LIMIT 1 OFFSET ?"),
            Some(true)
        );
        assert_eq!(prepared("SELECT '?' FROM orders"), Some(false));
    }

    #[test]
    fn other_tables_and_columns_of_that_name_are_left_alone() {
        for text in [
            "SELECT orders FROM c",
            "SELECT * FROM other.orders",
            "SELECT * FROM c orders",
            "SELECT * FROM Orders",
            "SELECT * FROM orders_2, `orders `",
            "SELECT 1 FROM c WHERE c.from = orders",
            "INSERT INTO c SELECT * FROM other.orders",
        ] {
            assert_eq!(rewritten(text), None, "{text}");
        }
        for schema in [None, Some("other")] {
            let found = read_as("SELECT * FROM orders", schema, TableNames::Exact);
            assert_eq!(found, Ok(None));
            let found = read_as("SELECT * FROM shop.orders", schema, TableNames::Exact);
            assert!(found.expect("readable").is_some());
        }
        let found = read_as("SELECT * FROM ORDERS", Some("SHOP"), TableNames::AnyCase);
        let found = found.expect("readable").map(|query| query.over("G", "'1'"));
        let expected = "SELECT * FROM `shop`.`G` AS `ORDERS`";
        assert_eq!(found.as_deref(), Some(expected));
    }

    #[test]
    fn what_cannot_be_compared_has_its_reason() {
        for (text, why) in [
            ("", Unfit::NoText),
            ("SELECT * FROM orders WHERE id IN (1, 2...", Unfit::CutOff),
            ("SELECT 'x FROM orders", Unfit::Unreadable),
            ("SELECT (1 FROM orders", Unfit::Unreadable),
            ("SELECT 1) FROM orders", Unfit::Unreadable),
            ("SELECT * FROM {OJ orders}", Unfit::Unreadable),
            (
                "UPDATE c JOIN orders ON c.id=orders.id SET c.x=1",
                Unfit::Joins,
            ),
            ("UPDATE c, orders SET c.x=1", Unfit::Joins),
            ("UPDATE orders SET a=(SELECT 1)", Unfit::Joins),
            ("DELETE orders FROM orders", Unfit::Joins),
            ("DELETE shop.orders, c.* FROM shop.orders, c", Unfit::Joins),
            (
                "DELETE QUICK FROM orders, c USING orders JOIN c",
                Unfit::Joins,
            ),
            ("DELETE FROM orders WHERE id IN (TABLE c)", Unfit::Joins),
            (
                "WITH x AS (SELECT 1) DELETE FROM orders WHERE id=1",
                Unfit::Joins,
            ),
            ("INSERT INTO orders SELECT * FROM c", Unfit::Inserts),
            ("INSERT INTO c (SELECT * FROM orders)", Unfit::Unreadable),
            (r#"SELECT "id" FROM "orders""#, Unfit::OtherMode),
            (
                r"SELECT 'a\', id FROM orders WHERE b='c'",
                Unfit::Unreadable,
            ),
            ("CALL orders", Unfit::Unreadable),
            ("SELECT /*!80000 1 */ FROM orders", Unfit::Executable),
            ("SELECT 1 FROM orders /*M!100100 x */", Unfit::Executable),
            (
                r#"SELECT id FROM orders WHERE mail='\'' /*!99999 " */; DROP TABLE c; -- " -- '"#,
                Unfit::Executable,
            ),
            ("SELECT * FROM orders INTO OUTFILE '/tmp/x'", Unfit::Exports),
            ("SELECT 1 FROM orders; DROP TABLE c", Unfit::Unreadable),
            (
                "WITH orders AS (SELECT 1) SELECT * FROM orders",
                Unfit::Shadowed,
            ),
            (
                "WITH c AS (SELECT 1), orders (a) AS (SELECT 1) SELECT * FROM orders",
                Unfit::Shadowed,
            ),
        ] {
            let found = read_as(text, Some("shop"), TableNames::Exact);
            assert_eq!(found, Err(why), "{text}");
            assert!(!why.words().is_empty());
        }
    }

    fn found(text: &str) -> Query {
        let found = read_as(text, Some("shop"), TableNames::Exact);
        found.expect("readable").expect("of the table")
    }

    #[test]
    fn only_functions_that_are_known_have_no_effects() {
        for text in [
            "SELECT COUNT(*), if(a, now(), 2) FROM orders WHERE id IN (1) AND (a OR (b)) AND EXISTS (SELECT 1)",
            "SELECT ROW_NUMBER() OVER (ORDER BY (id)) FROM orders USE INDEX (a) JOIN (c) USING (id)",
            "SELECT CAST(a AS CHAR(10)), a->'$.x' FROM orders GROUP BY (a) HAVING (a)",
        ] {
            assert!(!found(text).calls, "{text}");
        }
        for call in [
            "f()",
            "fé()",
            "shop.f()",
            "shop.count(1)",
            "`f`()",
            "`count`(1)",
            "COUNT (1)",
            "GET_LOCK('a', 1)",
            "RELEASE_LOCK('a')",
            "RELEASE_ALL_LOCKS()",
            "SLEEP(1)",
            "BENCHMARK(1, 1)",
            "LOAD_FILE('a')",
            "SOURCE_POS_WAIT('a', 1)",
            "WAIT_FOR_EXECUTED_GTID_SET('a')",
            "LAST_INSERT_ID(1)",
            "UUID_SHORT()",
        ] {
            let text = format!("SELECT id FROM orders WHERE (SELECT {call}) = 1");
            assert!(found(&text).calls, "{text}");
        }
    }

    #[test]
    fn views_are_looked_for_among_all_names() {
        let views = BTreeSet::from(["vf".to_owned()]);
        assert!(found("SELECT 1 FROM orders JOIN `shop`.`Vf`").names_any(&views));
        assert!(found("SELECT 1 FROM orders, VF v").names_any(&views));
        assert!(!found("SELECT 'vf' FROM orders").names_any(&views));
    }
}
