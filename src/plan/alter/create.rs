//! Reads a `CREATE TABLE` out of a file, as far as needed to create the table under another name: the
//! server judges the rest, and says what it means.

use super::{Cursor, Kind, Token, Tokenizer, slice};
use crate::plan::inspection::same_name;

/// A table's definition as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// Schema named in front, if any.
    pub schema: Option<String>,
    /// The table's name.
    pub table: String,
    /// Everything from the first parenthesis on.
    body: String,
    /// Names of CHECK and foreign key constraints, which are unique in a schema, with their places in the body.
    constraints: Vec<(String, usize, usize)>,
}

/// The definition of a table in a file, which may hold other statements; without a name, the only one.
///
/// # Errors
/// What is wrong with the file.
pub fn find(text: &str, table: Option<&str>) -> Result<Create, String> {
    let tokens = Tokenizer::new(text)
        .run()
        .map_err(|error| error.to_string())?;
    let is_end = |token: &Token| token.kind == Kind::Punctuation(';') && token.depth == 0;
    let mut found = Vec::new();
    for tokens in tokens.split(is_end) {
        if let Some(create) = read(Cursor { text, tokens })?
            && table.is_none_or(|name| same_name(name, &create.table))
        {
            found.push(create);
        }
    }
    let count = found.len();
    match (found.pop(), count) {
        (Some(create), 1) => Ok(create),
        (None, _) => Err(match table {
            Some(name) => format!("it has no CREATE TABLE of `{name}`"),
            None => "it has no CREATE TABLE".into(),
        }),
        (Some(_), count) => Err(format!(
            "it has {count} CREATE TABLE statements; name the table with --table"
        )),
    }
}

/// The statement, if it is a CREATE TABLE.
fn read(mut cursor: Cursor<'_>) -> Result<Option<Create>, String> {
    if !cursor.eat_word("CREATE") || !cursor.eat_word("TABLE") {
        return Ok(None);
    }
    cursor.skip_column_words();
    let Some(mut path) = cursor.path().filter(|path| path.len() <= 2) else {
        return Err("a CREATE TABLE names no table".into());
    };
    let table = path.pop().unwrap_or_default();
    let opens = |token: &Token| token.kind == Kind::Punctuation('(');
    let Some(first) = cursor.peek().filter(|token| opens(token)) else {
        return Err(format!(
            "its CREATE TABLE of `{table}` doesn't list the columns"
        ));
    };
    let end = cursor.tokens.last().map_or(first.end, |token| token.end);
    // A comment that opens in the body may end behind its last word.
    let rest = slice(cursor.text, end, cursor.text.len());
    let in_comment = cursor
        .tokens
        .last()
        .is_some_and(|token| token.comment.is_some());
    let end = match rest.find("*/") {
        Some(length) if in_comment => end + length + "*/".len(),
        _ => end,
    };
    for word in ["SELECT", "LIKE", "AS"] {
        let says = |token: &&Token| {
            token.kind == Kind::Word
                && slice(cursor.text, token.start, token.end).eq_ignore_ascii_case(word)
                && (token.depth == 0 || word == "SELECT")
        };
        if cursor.tokens.iter().any(|token| says(&token)) {
            return Err(format!(
                "its CREATE TABLE of `{table}` has {word}: only definitions that list everything can be \
                 compared"
            ));
        }
    }
    Ok(Some(Create {
        schema: path.pop(),
        table,
        body: slice(cursor.text, first.start, end).to_owned(),
        constraints: constraints(cursor, first.start),
    }))
}

fn constraints(cursor: Cursor<'_>, start: usize) -> Vec<(String, usize, usize)> {
    let mut names = Vec::new();
    let mut cursor = cursor;
    while !cursor.tokens.is_empty() {
        if cursor.eat_punctuation('.') || !cursor.eat_word("CONSTRAINT") {
            cursor.advance();
            continue;
        }
        let Some(token) = cursor.peek() else { break };
        let (from, to) = (token.start - start, token.end - start);
        let name = cursor.name();
        if cursor.at_any_word(&["CHECK", "FOREIGN"]) {
            names.extend(name.map(|name| (name, from, to)));
        }
    }
    names
}

impl Create {
    /// What follows the table's name, with other names for its constraints: the list of these, each with its
    /// own.
    #[must_use]
    pub fn body_with(&self, name: impl Fn(usize) -> String) -> (String, Vec<(String, String)>) {
        let mut text = String::new();
        let mut end = 0;
        let mut pairs = Vec::new();
        for (number, (own, from, to)) in self.constraints.iter().enumerate() {
            let other = name(number);
            text.push_str(slice(&self.body, end, *from));
            text.push_str(&format!("`{other}`"));
            end = *to;
            pairs.push((other, own.clone()));
        }
        text.push_str(slice(&self.body, end, self.body.len()));
        (text, pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_found_among_other_statements() {
        let dump = "-- a dump\n/*!40101 SET character_set_client = utf8 */;\nDROP TABLE IF EXISTS `a`;\n\
                    CREATE TABLE `a` (x INT);\ncreate table if not exists shop.`B` (\n x INT, CONSTRAINT \
                    c CHECK (x > ';'), CONSTRAINT `u` UNIQUE (x))\n/*!50100 PARTITION BY KEY (x) */;";
        let create = find(dump, Some("b")).expect("it is there");
        assert_eq!(
            (create.schema.as_deref(), create.table.as_str()),
            (Some("shop"), "B")
        );
        let (body, pairs) = create.body_with(|number| format!("n{number}"));
        assert!(
            body.starts_with("(\n x INT, CONSTRAINT `n0` CHECK (x > ';'), CONSTRAINT `u`"),
            "{body}"
        );
        assert!(body.ends_with("PARTITION BY KEY (x) */"), "{body}");
        assert_eq!(pairs, [("n0".to_owned(), "c".to_owned())]);
    }

    #[test]
    fn what_cannot_be_compared_is_told() {
        for (text, table, words) in [
            ("SELECT 1", None, "no CREATE TABLE"),
            (
                "CREATE TABLE a (x INT)",
                Some("b"),
                "no CREATE TABLE of `b`",
            ),
            (
                "CREATE TABLE a (x INT); CREATE TABLE b (x INT)",
                None,
                "2 CREATE TABLE",
            ),
            ("CREATE TABLE a LIKE b", None, "doesn't list"),
            ("CREATE TABLE a (x INT) SELECT 1", None, "has SELECT"),
            ("CREATE TABLE a (x INT) AS TABLE b", None, "has AS"),
            ("CREATE TABLE a (x INT", None, "no matching )"),
        ] {
            let problem = find(text, table).expect_err(text);
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }
}
