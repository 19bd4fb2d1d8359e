//! What a statement in the binary log means for a migration. Pure.
//!
//! Changes of rows arrive as row events. A logged *statement* is either a piece of a transaction's
//! frame, or DDL, or DML of a session with `binlog_format=STATEMENT`; if it may concern our tables,
//! row events alone no longer tell the whole story and the run must stop.

use super::inspection::TableNames;
use super::names::Names;

/// What to do about a logged statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A transaction's frame or something about other tables.
    Harmless,
    /// The transaction is complete (tables of engines without transactions end so).
    Commit,
    /// It may concern the original or a helper table: what it does, in a few words.
    Fatal(String),
}

/// From where statements can change the table without naming it or its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only from its own schema: no view, trigger or routine elsewhere mentions it.
    OwnSchema,
    /// From anywhere.
    AnySchema,
}

/// Judges a logged statement. `schema` is the session's default schema, `token` marks our own
/// statements.
#[must_use]
pub fn judge(
    text: &str,
    schema: &str,
    (names, table_names): (&Names, TableNames),
    reach: Reach,
    token: &str,
) -> Meaning {
    if text.contains(token) {
        return Meaning::Harmless;
    }
    let words = words(text);
    let same = |one: &str, other: &str| table_names.same(one, other);
    let verb = words
        .first()
        .map(|word| word.text.to_ascii_uppercase())
        .unwrap_or_default();
    match verb.as_str() {
        "BEGIN" | "SAVEPOINT" | "RELEASE" | "ROLLBACK" | "XA" | "" | "GRANT" | "REVOKE"
        | "ANALYZE" | "FLUSH" | "SET" | "CHECK" => return Meaning::Harmless,
        "COMMIT" => return Meaning::Commit,
        "CREATE" | "ALTER" | "DROP" | "RENAME" | "TRUNCATE" | "OPTIMIZE" | "REPAIR" | "IMPORT" => {}
        "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD"
            if reach == Reach::OwnSchema
                && !same(schema, &names.schema)
                && !words.iter().any(|word| same(&word.text, &names.schema)) =>
        {
            return Meaning::Harmless;
        }
        // Functions, procedures and whatever isn't known can reach any table from any schema.
        _ => {
            return Meaning::Fatal(format!(
                "a session logged a change as a statement ({verb}, in schema `{schema}`), not as rows"
            ));
        }
    }
    let database = |word: &Word| is_word(word, "DATABASE", "SCHEMA");
    if verb == "DROP" && words.get(1).is_some_and(database) {
        if words
            .iter()
            .skip(2)
            .any(|word| same(&word.text, &names.schema))
        {
            return Meaning::Fatal(format!("schema `{}` was dropped", names.schema));
        }
        return Meaning::Harmless;
    }
    if about_programs(&words) {
        return Meaning::Harmless;
    }
    let created = created_table(&words);
    for ours in [
        &names.original,
        &names.ghost,
        &names.changelog,
        &names.checkpoint,
    ] {
        let words = created.unwrap_or(&words);
        if mentions(words, schema, (&names.schema, ours), same) {
            return Meaning::Fatal(format!(
                "another session ran {verb} on `{}`.`{ours}`",
                names.schema
            ));
        }
    }
    Meaning::Harmless
}

/// CREATE, ALTER or DROP of a view, routine, event or account: it may mention the table, but it
/// doesn't change it. The kind of object is the first plain word that isn't an option in front of
/// it; whatever isn't known counts as being about tables.
fn about_programs(words: &[Word]) -> bool {
    let mut rest = words.iter().skip(1).peekable();
    let mut option_of_security = false;
    while let Some(word) = rest.next() {
        if word.quoted {
            return false;
        }
        match word.text.to_ascii_uppercase().as_str() {
            "VIEW" | "PROCEDURE" | "FUNCTION" | "EVENT" | "USER" | "ROLE" | "SERVER" => {
                return true;
            }
            "OR" | "REPLACE" | "ALGORITHM" | "UNDEFINED" | "MERGE" | "TEMPTABLE" | "SQL"
            | "SECURITY" | "INVOKER" | "AGGREGATE" => {}
            // In `SQL SECURITY DEFINER` it stands alone; in `DEFINER=user@host` both are names,
            // whatever they are called.
            "DEFINER" if option_of_security => {}
            "DEFINER" => {
                rest.next();
                rest.next_if(|word| word.after_at);
            }
            _ => return false,
        }
        option_of_security = is_word(word, "SECURITY", "SECURITY");
    }
    false
}

/// For CREATE TABLE, the words that matter: the new table's name, which may be one of ours. What it
/// is made like or filled from stays as it is; a foreign key to us doesn't.
fn created_table(words: &[Word]) -> Option<&[Word]> {
    let table = words
        .iter()
        .take(3)
        .position(|word| is_word(word, "TABLE", "TABLE"))?;
    let refers = words
        .iter()
        .any(|word| is_word(word, "REFERENCES", "REFERENCES"));
    if refers
        || !words
            .first()
            .is_some_and(|word| is_word(word, "CREATE", "CREATE"))
    {
        return None;
    }
    let rest = words.get(table + 1..)?;
    let named = rest.iter().take(4).position(|word| {
        !["IF", "NOT", "EXISTS"]
            .iter()
            .any(|keyword| is_word(word, keyword, keyword))
    })?;
    let length = if rest.get(named)?.dot_follows { 2 } else { 1 };
    rest.get(named..named + length)
}

/// The table is named, with its schema or in a session whose schema it is.
fn mentions(
    words: &[Word],
    default_schema: &str,
    (schema, table): (&str, &str),
    same: impl Fn(&str, &str) -> bool,
) -> bool {
    words.iter().enumerate().any(|(position, word)| {
        if !same(&word.text, table) {
            return false;
        }
        let qualifier = match position.checked_sub(1).and_then(|before| words.get(before)) {
            Some(before) if before.dot_follows => before.text.as_str(),
            Some(_) | None => default_schema,
        };
        same(qualifier, schema)
    })
}

fn is_word(word: &Word, one: &str, other: &str) -> bool {
    let text = &word.text;
    !word.quoted && (text.eq_ignore_ascii_case(one) || text.eq_ignore_ascii_case(other))
}

struct Word {
    text: String,
    /// In back-quotes or double quotes: a name, and never a keyword.
    quoted: bool,
    /// Stands behind an `@`.
    after_at: bool,
    dot_follows: bool,
}

/// Words and quoted names of a statement, without strings and comments. Content of executable
/// comments counts.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut rest = text;
    let mut after_at = false;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = skip_comment(rest) {
            rest = after;
            continue;
        }
        let (taken, word) = match first {
            '\'' => (quoted(rest, '\'').0, None),
            '`' | '"' => {
                let (length, name) = quoted(rest, first);
                (length, Some(name))
            }
            '.' => {
                if let Some(last) = words.last_mut() {
                    last.dot_follows = true;
                }
                (1, None)
            }
            character if is_name(character) => {
                let length: usize = rest
                    .chars()
                    .take_while(|c| is_name(*c))
                    .map(char::len_utf8)
                    .sum();
                (
                    length,
                    Some(rest.chars().take_while(|c| is_name(*c)).collect()),
                )
            }
            other => (other.len_utf8(), None),
        };
        words.extend(word.map(|text| Word {
            text,
            quoted: matches!(first, '`' | '"'),
            after_at,
            dot_follows: false,
        }));
        after_at = first == '@';
        rest = rest.get(taken..).unwrap_or_default();
    }
    words
}

fn is_name(character: char) -> bool {
    // Unquoted names may have any character beyond ASCII (manual, "Schema Object Names").
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

/// Length and content of a quoted piece; doubled quotes stand for one, backslashes escape in
/// strings. A missing end takes the rest.
fn quoted(text: &str, quote: char) -> (usize, String) {
    let mut content = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((position, character)) = characters.next() {
        if character == '\\' && quote != '`' {
            content.extend(characters.next().map(|(_, escaped)| escaped));
        } else if character == quote {
            if characters.next_if(|(_, next)| *next == quote).is_none() {
                return (position + quote.len_utf8(), content);
            }
            content.push(quote);
        } else {
            content.push(character);
        }
    }
    (text.len(), content)
}

fn skip_comment(text: &str) -> Option<&str> {
    if text.starts_with("/*!") {
        let digits = text
            .get(3..)?
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        return text.get(3 + digits..);
    }
    if text.starts_with("/*") {
        return Some(text.split_once("*/").map_or("", |(_, after)| after));
    }
    let line = text.starts_with('#')
        || text
            .strip_prefix("--")
            .is_some_and(|after| after.starts_with(char::is_whitespace));
    line.then(|| text.split_once('\n').map_or("", |(_, after)| after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str, schema: &str) -> Meaning {
        judge(
            text,
            schema,
            (
                &Names::new("shop", "orders", None, None),
                TableNames::AnyCase,
            ),
            Reach::OwnSchema,
            "run-77",
        )
    }

    #[test]
    fn statements_about_our_tables_are_fatal() {
        for text in [
            "TRUNCATE TABLE orders",
            "alter table `Orders` add column x int",
            "DROP TABLE `a`, /* old */ `orders`",
            "RENAME TABLE shop.orders TO o2",
            "CREATE INDEX i ON orders (a)",
            "DROP TABLE _orders_gho",
            "create trigger t before insert on orders for each row set @a = 1",
            "/*!50003 ALTER TABLE orders ENGINE=InnoDB */",
            "UPDATE orders SET a = 1",
            "UPDATE some_view SET a = 1",
            "SELECT f(77)",
            "RENAME TABLES orders TO `event`, t2 TO orders",
            "CREATE DEFINER=`user`@`%` TRIGGER trg BEFORE INSERT ON orders FOR EACH ROW SET @a = 1",
            "DROP TRIGGER orders.x, orders",
            "DROP DATABASE shop",
            "CREATE TABLE child (a INT REFERENCES orders (id))",
            "CREATE TABLE `shop`.`orders` (a INT)",
        ] {
            assert!(matches!(judged(text, "shop"), Meaning::Fatal(_)), "{text}");
        }
        assert!(matches!(
            judged("DELETE FROM `shop` . `orders`", "x"),
            Meaning::Fatal(_)
        ));
    }

    #[test]
    fn a_neighbour_that_differs_in_letter_case_is_another_table_where_the_server_says_so() {
        let names = Names::new("shop", "orders", None, None);
        for (text, schema) in [
            ("ALTER TABLE Orders ADD COLUMN x INT", "shop"),
            ("TRUNCATE TABLE `_ORDERS_gho`", "shop"),
            ("DROP TABLE Shop.orders", "elsewhere"),
            ("INSERT INTO v VALUES (1)", "Shop"),
            ("DROP DATABASE SHOP", "shop"),
        ] {
            let judged = |table_names| {
                judge(
                    text,
                    schema,
                    (&names, table_names),
                    Reach::OwnSchema,
                    "run-77",
                )
            };
            assert_eq!(judged(TableNames::Exact), Meaning::Harmless, "{text}");
            let one = judged(TableNames::AnyCase);
            assert!(matches!(one, Meaning::Fatal(_)), "{text}");
        }
    }

    #[test]
    fn other_schemas_matter_only_when_programs_there_reach_the_table() {
        let names = Names::new("s", "prix€", None, None);
        let judged = |text: &str, reach| {
            judge(
                text,
                "elsewhere",
                (&names, TableNames::Exact),
                reach,
                "run-77",
            )
        };
        let insert = "INSERT INTO v VALUES (1, 's.prix€')";
        assert_eq!(judged(insert, Reach::OwnSchema), Meaning::Harmless);
        for (text, reach) in [
            (insert, Reach::AnySchema),
            ("INSERT INTO s.v VALUES (1)", Reach::OwnSchema),
            ("SELECT f(77)", Reach::OwnSchema),
            ("ALTER TABLE s.prix€ ADD INDEX (v)", Reach::OwnSchema),
        ] {
            assert!(matches!(judged(text, reach), Meaning::Fatal(_)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_harmless() {
        for text in [
            "BEGIN",
            "SAVEPOINT `orders`",
            "XA START X'6f7264657273',X'',1",
            "CREATE TABLE orders_copy (a INT COMMENT 'like orders')",
            "CREATE TABLE other.orders (a INT)",
            "CREATE TABLE IF NOT EXISTS t2 LIKE orders",
            "CREATE TABLE t3 AS SELECT * FROM orders",
            "GRANT SELECT ON shop.orders TO a@b",
            "ANALYZE TABLE orders",
            "CREATE ALGORITHM=UNDEFINED DEFINER=`a`@`b` SQL SECURITY INVOKER VIEW v AS SELECT * FROM orders",
            "CREATE DEFINER=root@localhost SQL SECURITY DEFINER VIEW `v` AS SELECT * FROM `orders`",
            "CREATE DEFINER=`event`@`b` PROCEDURE p() SELECT * FROM orders",
            "CREATE USER 'orders'@'%'",
            "ALTER TABLE orders /* run-77 */ AUTO_INCREMENT=5",
            "DROP DATABASE shop2",
            "",
        ] {
            assert_eq!(judged(text, "shop"), Meaning::Harmless, "{text}");
        }
        assert_eq!(
            judged("TRUNCATE TABLE orders", "elsewhere"),
            Meaning::Harmless
        );
        assert_eq!(judged("COMMIT", "shop"), Meaning::Commit);
    }

    #[test]
    fn cut_statements_do_not_panic() {
        let text = "ALTER /* c */ TABLE `or``d` -- x\n SET a = 'é\\'', \"q\" # end";
        for end in 0..=text.len() {
            if let Some(part) = text.get(..end) {
                let _ = judged(part, "shop");
            }
        }
    }
}
