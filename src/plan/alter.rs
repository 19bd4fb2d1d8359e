//! Reads an `ALTER TABLE` as far as a migration has to understand it.
//!
//! Only what the server cannot tell afterwards is read here: which column was
//! renamed to which, which ones were dropped and added anew, and which clauses
//! must not reach a ghost table. All else is passed through untouched, and the
//! ghost table's catalogue after the ALTER is the truth about the outcome.
//!
//! The text is read as a server does with neither `NO_BACKSLASH_ESCAPES` nor
//! `ANSI_QUOTES` in its `sql_mode`, so the session that runs the clauses must
//! have both switched off: with them a string could end elsewhere than here.
//! Executable comments (`/*!80000 … */`) count as SQL whatever version they
//! name, since the server's version isn't known here.

pub mod clauses;
pub mod create;

use std::error::Error;
use std::fmt;

/// What an ALTER says, as far as a migration needs to know before it asks the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alter {
    /// Schema named in front (`ALTER TABLE shop.orders …`), if any.
    pub schema: Option<String>,
    /// Table named in front (`ALTER TABLE orders …`), if any.
    pub table: Option<String>,
    /// The clauses without `ALTER TABLE …` in front and a trailing `;`, byte for byte as given.
    ///
    /// White space around them is gone. They may end in a `-- ` or `#` comment,
    /// so whatever is put behind them belongs on a line of its own.
    pub clauses: String,
    /// Renamed columns, old name to new name, in the order given.
    ///
    /// They come from `CHANGE [COLUMN] a b …` and `RENAME COLUMN a TO b`. A new
    /// name that differs in letter case only is listed, the very same isn't.
    pub renamed: Vec<(String, String)>,
    /// Columns dropped (`DROP [COLUMN] x`), but no indexes, constraints or partitions.
    pub dropped: Vec<String>,
    /// Columns added (`ADD [COLUMN] x …`, `ADD [COLUMN] (x …, y …)`), but no indexes and the like.
    pub added: Vec<String>,
    /// Columns redefined under their name (`MODIFY [COLUMN] x …`, `CHANGE [COLUMN] x x …`).
    pub modified: Vec<String>,
    /// The value of the table option `AUTO_INCREMENT=n`, if given.
    pub auto_increment: Option<u64>,
    /// The table's new name in `RENAME [TO|AS] new_name`, as `schema.name` if a schema is given.
    pub renames_table: Option<String>,
    /// Whether a foreign key is added, be it inline (`ADD x INT REFERENCES …`, honoured since 9.0).
    pub adds_foreign_key: bool,
    /// Names of constraints in the clauses, in the order given: those that are dropped or altered, and
    /// those that CHECK constraints are added under.
    pub check_names: Vec<ConstraintName>,
    /// Clauses that make no sense or are dangerous on a ghost table.
    pub refused: Vec<RefusedClause>,
}

/// A constraint's name where it stands in the clauses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConstraintName {
    /// The name without its quotes.
    pub name: String,
    /// Offset in [`Alter::clauses`] of its first byte, quotes included.
    pub start: usize,
    /// Offset of the byte behind it.
    pub end: usize,
    /// It stands in `DROP CONSTRAINT`, which may mean another kind than CHECK.
    pub of_any_kind: bool,
}

/// A clause that must not reach the ghost table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedClause {
    /// The clause as given.
    pub text: String,
    /// Why it is refused, to be put behind the text in a message.
    pub why: &'static str,
}

impl Alter {
    /// Lists the columns both dropped and added, spelled as they are added.
    ///
    /// Such a column starts empty although its name is on both sides, so its
    /// values must not be copied. Letter case makes no difference.
    #[must_use]
    pub fn rewritten_columns(&self) -> Vec<&str> {
        let mut rewritten: Vec<&str> = Vec::new();
        for added in &self.added {
            if self
                .dropped
                .iter()
                .any(|dropped| same_column(dropped, added))
                && !rewritten.iter().any(|listed| same_column(listed, added))
            {
                rewritten.push(added);
            }
        }
        rewritten
    }
}

/// Tells whether two column names mean the same column; the server ignores their letter case.
fn same_column(left: &str, right: &str) -> bool {
    left == right || left.to_lowercase() == right.to_lowercase()
}

/// Why a text is no ALTER that can be read; each offset counts bytes from the text's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlterError {
    /// A string or a quoted name doesn't end; its quote, and where it opens.
    UnterminatedQuote(char, usize),
    /// A `/*` comment doesn't end; where it opens.
    UnterminatedComment(usize),
    /// A `(` is still open where the statement ends; where it stands.
    UnclosedParenthesis(usize),
    /// A `)` closes nothing; where it stands.
    UnopenedParenthesis(usize),
    /// There is nothing to alter; where a clause was expected.
    Empty(usize),
    /// Something other than a table is altered; what was found where `TABLE` was expected.
    NotATable(String, usize),
    /// `ALTER TABLE` names no table; what was found where the name was expected.
    MissingTable(String, usize),
    /// An executable comment holds more than clauses and cannot be cut; where it opens.
    CommentAcrossClauses(usize),
}

impl fmt::Display for AlterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnterminatedQuote(quote, offset) => {
                write!(f, "the {quote} at byte {offset} has no closing {quote}")
            }
            Self::UnterminatedComment(offset) => {
                write!(f, "the comment opened at byte {offset} has no closing */")
            }
            Self::UnclosedParenthesis(offset) => {
                write!(f, "the ( at byte {offset} has no matching )")
            }
            Self::UnopenedParenthesis(offset) => {
                write!(f, "the ) at byte {offset} has no matching (")
            }
            Self::Empty(offset) => {
                write!(
                    f,
                    "expected a clause such as ADD COLUMN at byte {offset}, found none"
                )
            }
            Self::NotATable(found, offset) => {
                write!(
                    f,
                    "expected ALTER TABLE, found {found} instead of TABLE at byte {offset}"
                )
            }
            Self::MissingTable(found, offset) => {
                write!(
                    f,
                    "expected the name of a table at byte {offset}, found {found}"
                )
            }
            Self::CommentAcrossClauses(offset) => write!(
                f,
                "the executable comment opened at byte {offset} holds more than clauses; write \
                 the ALTER without it"
            ),
        }
    }
}

impl Error for AlterError {}

/// Reads an ALTER, either a whole `ALTER TABLE …` statement or its clauses alone.
///
/// # Errors
///
/// If quotes, comments or parentheses don't end, nothing is altered, or what is
/// altered isn't a table. Clauses unknown here are no error: the server judges them.
pub fn parse(text: &str) -> Result<Alter, AlterError> {
    let tokens = Tokenizer::new(text).run()?;
    let is_end = |token: &Token| token.kind == Kind::Punctuation(';');
    let mut statements = tokens.splitn(2, is_end);
    let statement = statements.next().unwrap_or_default();
    let behind = statements.next().unwrap_or_default();
    let semicolon = tokens.iter().find(|token| is_end(token));
    let end = semicolon.map_or(text.len(), |token| token.start);

    let mut cursor = Cursor {
        text,
        tokens: statement,
    };
    let head = read_head(&mut cursor, end)?;
    // Cutting an executable comment in two would leave half a comment in the clauses.
    if let Some(offset) = head.comment.or(semicolon.and_then(|token| token.comment)) {
        return Err(AlterError::CommentAcrossClauses(offset));
    }
    if cursor.tokens.is_empty() {
        return Err(AlterError::Empty(end));
    }
    let mut alter = Alter {
        schema: head.schema,
        table: head.table,
        clauses: slice(text, head.end, end).trim_matches(is_space).to_owned(),
        ..Alter::default()
    };
    for clause in split_clauses(cursor) {
        alter.read_clause(clause);
    }
    let space = slice(text, head.end, end);
    let before = head.end + space.len() - space.trim_start_matches(is_space).len();
    for name in &mut alter.check_names {
        name.start -= before;
        name.end -= before;
    }
    let first = behind.iter().find(|token| !is_end(token));
    let last = behind.iter().rfind(|token| !is_end(token));
    if let (Some(first), Some(last)) = (first, last) {
        let text = slice(text, first.start, last.end).to_owned();
        alter.refused.push(RefusedClause {
            text,
            why: "another statement follows the ALTER",
        });
    }
    Ok(alter)
}

/// The part in front of the clauses.
#[derive(Default)]
struct Head {
    schema: Option<String>,
    table: Option<String>,
    /// Where the part ends; zero if there is none.
    end: usize,
    /// Where the executable comment opens that holds the part's last token.
    comment: Option<usize>,
}

/// Words that start a clause and cannot name a table unless quoted.
const RESERVED_STARTS: [&str; 10] = [
    "ADD",
    "ALTER",
    "CHANGE",
    "CONVERT",
    "DROP",
    "FORCE",
    "LOCK",
    "ORDER",
    "PARTITION",
    "RENAME",
];

/// Reads `ALTER [ONLINE|OFFLINE|IGNORE] TABLE [schema.]table`, if it is there.
fn read_head(cursor: &mut Cursor<'_>, end: usize) -> Result<Head, AlterError> {
    let mut ahead = *cursor;
    if !ahead.eat_word("ALTER") || is_alter_clause(ahead) {
        return Ok(Head::default());
    }
    while ahead.eat_any_word(&["ONLINE", "OFFLINE", "IGNORE"]) {}
    if !ahead.eat_word("TABLE") {
        let (found, offset) = ahead.found(end);
        return Err(AlterError::NotATable(found, offset));
    }
    if ahead.eat_word("IF") {
        ahead.eat_word("EXISTS");
    }
    let (found, offset) = ahead.found(end);
    if ahead.at_any_word(&RESERVED_STARTS) {
        return Err(AlterError::MissingTable(found, offset));
    }
    let before = ahead.tokens;
    let Some(mut path) = ahead.path().filter(|path| path.len() <= 2) else {
        return Err(AlterError::MissingTable(found, offset));
    };
    let consumed = before.len().saturating_sub(ahead.tokens.len());
    let last = before.get(..consumed).and_then(<[Token]>::last);
    *cursor = ahead;
    Ok(Head {
        table: path.pop(),
        schema: path.pop(),
        end: last.map_or(end, |token| token.end),
        comment: last.and_then(|token| token.comment),
    })
}

/// Tells whether a leading ALTER, with `behind` following, is itself a clause.
///
/// That is `ALTER [COLUMN] c SET …`, `ALTER INDEX …` and the like, given
/// without `ALTER TABLE t` in front.
fn is_alter_clause(mut behind: Cursor<'_>) -> bool {
    if behind.at_any_word(&["COLUMN", "INDEX", "KEY", "CHECK", "CONSTRAINT"]) {
        return true;
    }
    !behind.at_word("TABLE") && behind.path().is_some() && behind.at_any_word(&["SET", "DROP"])
}

/// Splits the tokens behind the head into clauses at the commas that separate them.
fn split_clauses(cursor: Cursor<'_>) -> Vec<Cursor<'_>> {
    let mut clauses = Vec::new();
    let mut rest = cursor;
    while !rest.tokens.is_empty() {
        let (clause, behind) = rest.split_at(clause_length(rest));
        clauses.push(clause);
        rest = behind;
        rest.eat_punctuation(',');
    }
    clauses
}

/// Commands followed by a list of partitions, whose commas separate no clauses.
const PARTITION_LISTS: [&str; 10] = [
    "ANALYZE",
    "CHECK",
    "DISCARD",
    "DROP",
    "IMPORT",
    "OPTIMIZE",
    "REBUILD",
    "REORGANIZE",
    "REPAIR",
    "TRUNCATE",
];

/// Counts the tokens of the first clause.
fn clause_length(rest: Cursor<'_>) -> usize {
    let mut length = rest.comma();
    let mut ahead = rest;
    if ahead.eat_any_word(&PARTITION_LISTS) {
        // Nothing can follow such a command, so all that does is its list.
        return if ahead.at_word("PARTITION") {
            rest.tokens.len()
        } else {
            length
        };
    }
    if !(ahead.eat_word("ORDER") && ahead.eat_word("BY")) {
        return length;
    }
    // ORDER BY takes a list too, which ends where an item cannot be a column any more.
    while length < rest.tokens.len() {
        let (_, mut item) = rest.split_at(length);
        item.advance();
        let item_length = item.comma();
        if !is_order_item(item.split_at(item_length).0) {
            break;
        }
        length += 1 + item_length;
    }
    length
}

/// Tells whether an item is a column to order by, possibly with a partition clause behind.
fn is_order_item(mut item: Cursor<'_>) -> bool {
    if item.path().is_none() {
        return false;
    }
    item.eat_any_word(&["ASC", "DESC"]);
    item.tokens.is_empty() || item.at_any_word(&["PARTITION", "REMOVE"])
}

/// Words behind ADD or DROP that speak of something other than a column unless quoted.
const NOT_COLUMNS: [&str; 10] = [
    "CHECK",
    "CONSTRAINT",
    "FOREIGN",
    "FULLTEXT",
    "INDEX",
    "KEY",
    "PARTITION",
    "PRIMARY",
    "SPATIAL",
    "UNIQUE",
];

impl Alter {
    /// Notes what a single clause does.
    fn read_clause(&mut self, clause: Cursor<'_>) {
        if let Some(why) = refusal(clause) {
            self.refused.push(RefusedClause {
                text: clause.text_left().to_owned(),
                why,
            });
            return;
        }
        self.read_check_names(clause);
        let mut cursor = clause;
        if cursor.eat_word("ADD") {
            self.read_add(cursor);
        } else if cursor.eat_word("DROP") {
            cursor.skip_column_words();
            if !cursor.at_any_word(&NOT_COLUMNS) {
                self.dropped.extend(cursor.column());
            }
        } else if cursor.eat_word("CHANGE") {
            cursor.skip_column_words();
            if let (Some(old), Some(new)) = (cursor.column(), cursor.column()) {
                self.note_new_name(old, new);
            }
            self.adds_foreign_key |= cursor.has_foreign_key();
        } else if cursor.eat_word("MODIFY") {
            cursor.skip_column_words();
            self.modified.extend(cursor.column());
            self.adds_foreign_key |= cursor.has_foreign_key();
        } else if cursor.eat_word("RENAME") {
            self.read_rename(cursor);
        } else if !cursor.at_any_word(&["ALTER", "ORDER"]) {
            self.read_options(cursor);
        }
    }

    /// Notes the names of constraints, with offsets in the whole text.
    fn read_check_names(&mut self, clause: Cursor<'_>) {
        let mut cursor = clause;
        let drops = cursor.eat_word("DROP");
        if (drops || cursor.eat_word("ALTER")) && cursor.at_any_word(&["CHECK", "CONSTRAINT"]) {
            let of_any_kind = drops && cursor.at_word("CONSTRAINT");
            cursor.advance();
            self.check_names.extend(cursor.constraint_name(of_any_kind));
            return;
        }
        let mut cursor = clause;
        while !cursor.tokens.is_empty() {
            // The word is reserved, except behind a dot.
            if cursor.eat_punctuation('.') || !cursor.eat_word("CONSTRAINT") {
                cursor.advance();
                continue;
            }
            // The name may be left out.
            if !cursor.at_word("CHECK") {
                let name = cursor.constraint_name(false);
                self.check_names
                    .extend(name.filter(|_| cursor.at_word("CHECK")));
            }
        }
    }

    /// Notes what follows ADD.
    fn read_add(&mut self, mut cursor: Cursor<'_>) {
        self.adds_foreign_key |= cursor.has_foreign_key();
        cursor.skip_column_words();
        if !cursor.eat_punctuation('(') {
            self.read_definition(cursor);
            return;
        }
        // Depth keeps the commas of types and expressions apart from those of the list.
        let separates = |token: &Token| token.depth == 1 && token.kind == Kind::Punctuation(',');
        for definition in cursor.tokens.split(separates) {
            // Behind the list's closing parenthesis the depth is zero again.
            let in_list = definition.first().is_some_and(|token| token.depth > 0);
            if in_list {
                self.read_definition(Cursor {
                    text: cursor.text,
                    tokens: definition,
                });
            }
        }
    }

    /// Notes the column an element of ADD defines, if it defines one.
    fn read_definition(&mut self, mut definition: Cursor<'_>) {
        if !definition.at_any_word(&NOT_COLUMNS) {
            self.added.extend(definition.column());
        }
    }

    /// Notes what follows RENAME.
    fn read_rename(&mut self, mut cursor: Cursor<'_>) {
        if cursor.at_any_word(&["INDEX", "KEY"]) {
            return;
        }
        if cursor.at_word("COLUMN") {
            cursor.skip_column_words();
            let old = cursor.column();
            cursor.eat_word("TO");
            if let (Some(old), Some(new)) = (old, cursor.column()) {
                self.note_new_name(old, new);
            }
            return;
        }
        if !cursor.eat_any_word(&["TO", "AS"]) {
            cursor.eat_punctuation('=');
        }
        if let Some(path) = cursor.path() {
            self.renames_table = Some(path.join("."));
        }
    }

    /// Notes a column's new name, which may be the old one.
    fn note_new_name(&mut self, old: String, new: String) {
        if old == new {
            self.modified.push(old);
        } else {
            self.renamed.push((old, new));
        }
    }

    /// Notes the table options that matter; they are separated by nothing but space.
    fn read_options(&mut self, mut cursor: Cursor<'_>) {
        while !cursor.tokens.is_empty() {
            let at_top = cursor.peek().is_some_and(|token| token.depth == 0);
            if !(at_top && cursor.eat_word("AUTO_INCREMENT")) {
                cursor.advance();
                continue;
            }
            cursor.eat_punctuation('=');
            if let Some(token) = cursor.peek()
                && token.kind == Kind::Number
                && let Ok(value) = cursor.slice_of(token).parse()
            {
                self.auto_increment = Some(value);
            }
        }
    }
}

/// Tells why a clause must not reach a ghost table, if so.
fn refusal(clause: Cursor<'_>) -> Option<&'static str> {
    let mut cursor = clause;
    let first = cursor.unquoted_word()?.to_ascii_uppercase();
    cursor.advance();
    let on_partition = cursor.at_word("PARTITION");
    let on_tablespace = on_partition || cursor.at_word("TABLESPACE");
    match first.as_str() {
        "ALGORITHM" => Some("it says how to alter in place, but the rows are copied"),
        "LOCK" => Some("it says how to lock while altering in place, but the rows are copied"),
        "DISCARD" | "IMPORT" if on_tablespace => Some("it works on files, but the rows are copied"),
        "EXCHANGE" if on_partition => Some("it would swap rows with a copy of the table"),
        "DROP" if on_partition => Some("the copy would put the dropped rows elsewhere or fail"),
        "TRUNCATE" if on_partition => Some("the copy would bring the removed rows back"),
        _ => None,
    }
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// Digits only.
    Number,
    /// Something in the quotes given, which are part of the token.
    Quoted(char),
    /// Any other single character.
    Punctuation(char),
}

/// A token and where it stands.
#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    /// Offset of its first byte.
    start: usize,
    /// Offset of the byte behind it.
    end: usize,
    /// How many parentheses are around it; a parenthesis isn't inside itself.
    depth: usize,
    /// Where the executable comment around it opens, if there is one.
    comment: Option<usize>,
}

/// Reads tokens one by one; a copy looks ahead without moving the original.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    text: &'a str,
    /// The tokens not read yet.
    tokens: &'a [Token],
}

impl<'a> Cursor<'a> {
    /// Gives the next token without moving.
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.first()
    }

    /// Moves behind the next token.
    fn advance(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    /// Gives a token's text.
    fn slice_of(&self, token: &Token) -> &'a str {
        slice(self.text, token.start, token.end)
    }

    /// Gives the next token's text if it is a word without quotes.
    fn unquoted_word(&self) -> Option<&'a str> {
        let token = self.peek()?;
        (token.kind == Kind::Word).then(|| self.slice_of(token))
    }

    /// Tells whether the next token is the keyword.
    fn at_word(&self, keyword: &str) -> bool {
        self.unquoted_word()
            .is_some_and(|word| word.eq_ignore_ascii_case(keyword))
    }

    /// Tells whether the next token is one of the keywords.
    fn at_any_word(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.at_word(keyword))
    }

    /// Moves behind the keyword if it is next, and tells whether it was.
    fn eat_word(&mut self, keyword: &str) -> bool {
        self.eat_any_word(&[keyword])
    }

    /// Moves behind one of the keywords if it is next, and tells whether it was.
    fn eat_any_word(&mut self, keywords: &[&str]) -> bool {
        let found = self.at_any_word(keywords);
        if found {
            self.advance();
        }
        found
    }

    /// Moves behind the character if it is next, and tells whether it was.
    fn eat_punctuation(&mut self, character: char) -> bool {
        let found = self
            .peek()
            .is_some_and(|token| token.kind == Kind::Punctuation(character));
        if found {
            self.advance();
        }
        found
    }

    /// Moves behind `[COLUMN] [IF [NOT] EXISTS]`.
    fn skip_column_words(&mut self) {
        self.eat_word("COLUMN");
        if self.eat_word("IF") {
            self.eat_word("NOT");
            self.eat_word("EXISTS");
        }
    }

    /// Reads a name without its quotes.
    fn name(&mut self) -> Option<String> {
        let token = self.peek()?;
        let text = self.slice_of(token);
        let name = match token.kind {
            Kind::Word => text.to_owned(),
            // The server takes "…" for a name with ANSI_QUOTES only, but where a
            // name is due it can be nothing else.
            Kind::Quoted(quote @ ('`' | '"')) => {
                let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
                inner.replace(&format!("{quote}{quote}"), &quote.to_string())
            }
            Kind::Number | Kind::Quoted(_) | Kind::Punctuation(_) => return None,
        };
        self.advance();
        Some(name)
    }

    /// Reads a name with any qualifiers in front, such as `shop.orders`.
    fn path(&mut self) -> Option<Vec<String>> {
        // A leading dot is allowed and means the default schema.
        self.eat_punctuation('.');
        let mut path = vec![self.name()?];
        while self.eat_punctuation('.') {
            // Behind a dot a name may be all digits.
            let digits = self.peek().filter(|token| token.kind == Kind::Number);
            if let Some(token) = digits {
                path.push(self.slice_of(token).to_owned());
                self.advance();
            } else {
                path.push(self.name()?);
            }
        }
        Some(path)
    }

    /// Reads a column's name; a table in front of it says nothing.
    fn column(&mut self) -> Option<String> {
        self.path()?.pop()
    }

    /// Reads a constraint's name and where it stands.
    fn constraint_name(&mut self, of_any_kind: bool) -> Option<ConstraintName> {
        let (start, end) = self.peek().map(|token| (token.start, token.end))?;
        let name = self.name()?;
        Some(ConstraintName {
            name,
            start,
            end,
            of_any_kind,
        })
    }

    /// Tells whether a foreign key is among the tokens.
    fn has_foreign_key(self) -> bool {
        let mut cursor = self;
        while !cursor.tokens.is_empty() {
            if cursor.at_any_word(&["FOREIGN", "REFERENCES"]) {
                return true;
            }
            // Both words are reserved, except behind a dot.
            if cursor.eat_punctuation('.') && cursor.unquoted_word().is_none() {
                continue;
            }
            cursor.advance();
        }
        false
    }

    /// Counts the tokens in front of the next top-level comma.
    fn comma(&self) -> usize {
        let is_comma = |token: &Token| token.depth == 0 && token.kind == Kind::Punctuation(',');
        self.tokens
            .iter()
            .position(is_comma)
            .unwrap_or(self.tokens.len())
    }

    /// Splits into the first tokens and the others.
    fn split_at(self, count: usize) -> (Self, Self) {
        let (before, behind) = self
            .tokens
            .split_at_checked(count)
            .unwrap_or((self.tokens, &[]));
        (
            Self {
                tokens: before,
                ..self
            },
            Self {
                tokens: behind,
                ..self
            },
        )
    }

    /// Gives what is next, to be named in an error, and where it stands.
    fn found(&self, end: usize) -> (String, usize) {
        match self.peek() {
            Some(token) => (format!("`{}`", self.slice_of(token)), token.start),
            None => ("the end".to_owned(), end),
        }
    }

    /// Gives the text of all tokens left.
    fn text_left(&self) -> &'a str {
        let start = self.tokens.first().map_or(0, |token| token.start);
        let end = self.tokens.last().map_or(start, |token| token.end);
        slice(self.text, start, end)
    }
}

/// Cuts a piece out of the text.
fn slice(text: &str, start: usize, end: usize) -> &str {
    text.get(start..end).unwrap_or_default()
}

/// Tells whether the server takes the character for white space; beyond ASCII it takes none.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// Tells whether the character may be in a name without quotes.
fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

/// Cuts a text into tokens.
struct Tokenizer<'a> {
    text: &'a str,
    /// Offset of the next byte to read; always at a character's start.
    position: usize,
    tokens: Vec<Token>,
    /// Offsets of the parentheses still open.
    open: Vec<usize>,
    /// Where the executable comment opens that is being read.
    comment: Option<usize>,
}

impl<'a> Tokenizer<'a> {
    /// Starts at the beginning of the text.
    fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            tokens: Vec::new(),
            open: Vec::new(),
            comment: None,
        }
    }

    /// Reads all tokens.
    fn run(mut self) -> Result<Vec<Token>, AlterError> {
        while let Some(character) = self.rest().chars().next() {
            match character {
                _ if is_space(character) => self.position += character.len_utf8(),
                '#' => self.skip_line(),
                '-' if self.at_dashes() => self.skip_line(),
                '/' if self.rest().starts_with("/*") => self.open_comment()?,
                '*' if self.comment.is_some() && self.rest().starts_with("*/") => {
                    self.comment = None;
                    self.position += "*/".len();
                }
                '\'' | '"' | '`' => self.quoted(character)?,
                _ if is_name_character(character) => self.word(),
                _ => self.punctuation(character)?,
            }
        }
        if let Some(offset) = self.comment {
            return Err(AlterError::UnterminatedComment(offset));
        }
        self.expect_closed()?;
        Ok(self.tokens)
    }

    /// Gives the text not read yet.
    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// Adds a token of the length given and moves behind it.
    fn push(&mut self, kind: Kind, length: usize) {
        let start = self.position;
        self.position += length;
        self.tokens.push(Token {
            kind,
            start,
            end: self.position,
            depth: self.open.len(),
            comment: self.comment,
        });
    }

    /// Tells whether `--` starts a comment here, which takes white space or the end behind it.
    fn at_dashes(&self) -> bool {
        self.rest().strip_prefix("--").is_some_and(|behind| {
            behind
                .chars()
                .next()
                .is_none_or(|next| is_space(next) || next.is_ascii_control())
        })
    }

    /// Moves to the end of the line.
    fn skip_line(&mut self) {
        let rest = self.rest();
        self.position += rest.find('\n').unwrap_or(rest.len());
    }

    /// Moves behind a comment, or behind the opening of an executable one.
    fn open_comment(&mut self) -> Result<(), AlterError> {
        let rest = self.rest();
        if let Some(behind) = rest.strip_prefix("/*!") {
            let digits = behind
                .bytes()
                .take(6)
                .take_while(u8::is_ascii_digit)
                .count();
            // A version has five or six digits; fewer are part of the SQL.
            let version = if digits >= 5 { digits } else { 0 };
            self.comment = Some(self.position);
            self.position += "/*!".len() + version;
            return Ok(());
        }
        let behind = rest.strip_prefix("/*").unwrap_or_default();
        let Some(length) = behind.find("*/") else {
            return Err(AlterError::UnterminatedComment(self.position));
        };
        self.position += "/*".len() + length + "*/".len();
        Ok(())
    }

    /// Reads a string or a quoted name.
    fn quoted(&mut self, quote: char) -> Result<(), AlterError> {
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((distance, character)) = characters.next() {
            if character == '\\' && quote != '`' {
                characters.next();
            } else if character == quote
                // A doubled quote stands for itself.
                && characters.next_if(|&(_, next)| next == quote).is_none()
            {
                self.push(Kind::Quoted(quote), distance + quote.len_utf8());
                return Ok(());
            }
        }
        Err(AlterError::UnterminatedQuote(quote, self.position))
    }

    /// Reads a word or a number; a name may start with digits but not consist of them.
    fn word(&mut self) {
        let rest = self.rest();
        let length = rest
            .find(|character| !is_name_character(character))
            .unwrap_or(rest.len());
        let is_number = slice(rest, 0, length)
            .bytes()
            .all(|byte| byte.is_ascii_digit());
        self.push(if is_number { Kind::Number } else { Kind::Word }, length);
    }

    /// Reads a single character and keeps account of parentheses.
    fn punctuation(&mut self, character: char) -> Result<(), AlterError> {
        let offset = self.position;
        match character {
            ')' if self.open.pop().is_none() => {
                return Err(AlterError::UnopenedParenthesis(offset));
            }
            ';' => self.expect_closed()?,
            _ => {}
        }
        self.push(Kind::Punctuation(character), character.len_utf8());
        if character == '(' {
            self.open.push(offset);
        }
        Ok(())
    }

    /// Fails if a parenthesis is open where the statement ends.
    fn expect_closed(&self) -> Result<(), AlterError> {
        match self.open.last() {
            Some(&offset) => Err(AlterError::UnclosedParenthesis(offset)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses what must be readable.
    fn read(text: &str) -> Alter {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Shows what matters about columns: `+added -dropped ~modified old>new`, in this order.
    fn columns(text: &str) -> String {
        let alter = read(text);
        let mut shown: Vec<String> = Vec::new();
        shown.extend(alter.added.iter().map(|name| format!("+{name}")));
        shown.extend(alter.dropped.iter().map(|name| format!("-{name}")));
        shown.extend(alter.modified.iter().map(|name| format!("~{name}")));
        shown.extend(
            alter
                .renamed
                .iter()
                .map(|(old, new)| format!("{old}>{new}")),
        );
        shown.join(" ")
    }

    fn check_columns(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(columns(text), *expected, "{text}");
            let whole = format!("ALTER TABLE t {text}");
            assert_eq!(columns(&whole), *expected, "{whole}");
            assert_eq!(read(&whole).clauses, *text, "{whole}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn the_head_is_taken_off() {
        let cases = [
            ("ADD x INT", None, None, "ADD x INT"),
            ("ALTER TABLE t ADD x INT", None, Some("t"), "ADD x INT"),
            ("alter table t add x int;", None, Some("t"), "add x int"),
            (
                "ALTER TABLE shop.orders ADD x INT ; ;",
                Some("shop"),
                Some("orders"),
                "ADD x INT",
            ),
            (
                "ALTER TABLE `sh op`.`or``ders`ADD x INT",
                Some("sh op"),
                Some("or`ders"),
                "ADD x INT",
            ),
            (
                "ALTER TABLE `a` . b\n\tADD x INT",
                Some("a"),
                Some("b"),
                "ADD x INT",
            ),
            (
                "ALTER TABLE \"a\".\"b\" FORCE",
                Some("a"),
                Some("b"),
                "FORCE",
            ),
            ("ALTER ONLINE TABLE t FORCE", None, Some("t"), "FORCE"),
            (
                "ALTER OFFLINE IGNORE TABLE t FORCE",
                None,
                Some("t"),
                "FORCE",
            ),
            ("ALTER TABLE IF EXISTS t FORCE", None, Some("t"), "FORCE"),
            ("ALTER TABLE .t FORCE", None, Some("t"), "FORCE"),
            (
                "ALTER TABLE 1db.2024_t FORCE",
                Some("1db"),
                Some("2024_t"),
                "FORCE",
            ),
            (
                "ALTER TABLE db.2024 FORCE",
                Some("db"),
                Some("2024"),
                "FORCE",
            ),
            (
                "ALTER TABLE db.order FORCE",
                Some("db"),
                Some("order"),
                "FORCE",
            ),
            ("ALTER TABLE modify FORCE", None, Some("modify"), "FORCE"),
            ("ALTER TABLE `add` FORCE", None, Some("add"), "FORCE"),
            ("ALTER TABLE größe$1 FORCE", None, Some("größe$1"), "FORCE"),
            (
                "ALTER /*a*/ TABLE# b\nt -- c\n.u/* d */FORCE",
                Some("t"),
                Some("u"),
                "/* d */FORCE",
            ),
            (
                "-- why;\n/* ; */ ALTER TABLE t FORCE",
                None,
                Some("t"),
                "FORCE",
            ),
            (
                "ALTER /*!40000 IGNORE */ TABLE t FORCE",
                None,
                Some("t"),
                "FORCE",
            ),
            (
                "ALTER TABLE t /*!80000 FORCE */ ;",
                None,
                Some("t"),
                "/*!80000 FORCE */",
            ),
            (
                "  /* kept */ FORCE -- too ; \n",
                None,
                None,
                "/* kept */ FORCE -- too ;",
            ),
            (
                "ALTER COLUMN c SET DEFAULT 1",
                None,
                None,
                "ALTER COLUMN c SET DEFAULT 1",
            ),
            ("ALTER c DROP DEFAULT", None, None, "ALTER c DROP DEFAULT"),
            (
                "ALTER user SET DEFAULT 1",
                None,
                None,
                "ALTER user SET DEFAULT 1",
            ),
            (
                "ALTER INDEX i INVISIBLE",
                None,
                None,
                "ALTER INDEX i INVISIBLE",
            ),
            (
                "ALTER CHECK c NOT ENFORCED",
                None,
                None,
                "ALTER CHECK c NOT ENFORCED",
            ),
        ];
        for (text, schema, table, clauses) in cases {
            let alter = read(text);
            let expected = Alter {
                schema: schema.map(str::to_owned),
                table: table.map(str::to_owned),
                clauses: clauses.to_owned(),
                added: alter.added.clone(),
                check_names: alter.check_names.clone(),
                ..Alter::default()
            };
            assert_eq!(alter, expected, "{text}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of cases")]
    fn errors_are_precise() {
        let cases = [
            (
                "ADD x INT COMMENT 'abc",
                "the ' at byte 18 has no closing '",
            ),
            (
                "ADD x INT COMMENT 'abc\\'",
                "the ' at byte 18 has no closing '",
            ),
            (
                "ADD x INT COMMENT 'abc''",
                "the ' at byte 18 has no closing '",
            ),
            ("ADD `x INT", "the ` at byte 4 has no closing `"),
            (
                "ADD é INT COMMENT \"",
                "the \" at byte 19 has no closing \"",
            ),
            (
                "ADD x /* INT",
                "the comment opened at byte 6 has no closing */",
            ),
            (
                "ADD x /*/ INT",
                "the comment opened at byte 6 has no closing */",
            ),
            (
                "ADD x /*!80000 INT",
                "the comment opened at byte 6 has no closing */",
            ),
            (
                "ADD x /*! INT -- */",
                "the comment opened at byte 6 has no closing */",
            ),
            ("ADD x INT DEFAULT (1", "the ( at byte 18 has no matching )"),
            (
                "ADD x INT DEFAULT (1; DROP y)",
                "the ( at byte 18 has no matching )",
            ),
            ("ADD x INT)", "the ) at byte 9 has no matching ("),
            (
                "",
                "expected a clause such as ADD COLUMN at byte 0, found none",
            ),
            (
                " -- x",
                "expected a clause such as ADD COLUMN at byte 5, found none",
            ),
            (
                ";",
                "expected a clause such as ADD COLUMN at byte 0, found none",
            ),
            (
                "ALTER TABLE t",
                "expected a clause such as ADD COLUMN at byte 13, found none",
            ),
            (
                "ALTER TABLE t;",
                "expected a clause such as ADD COLUMN at byte 13, found none",
            ),
            (
                "ALTER",
                "expected ALTER TABLE, found the end instead of TABLE at byte 5",
            ),
            (
                "ALTER VIEW v AS SELECT 1",
                "expected ALTER TABLE, found `VIEW` instead of TABLE at byte 6",
            ),
            (
                "ALTER `TABLE` t FORCE",
                "expected ALTER TABLE, found ``TABLE`` instead of TABLE at byte 6",
            ),
            (
                "ALTER IGNORE DATABASE d",
                "expected ALTER TABLE, found `DATABASE` instead of TABLE at byte 13",
            ),
            (
                "ALTER TABLE",
                "expected the name of a table at byte 11, found the end",
            ),
            (
                "ALTER TABLE ;",
                "expected the name of a table at byte 12, found the end",
            ),
            (
                "ALTER TABLE DROP x",
                "expected the name of a table at byte 12, found `DROP`",
            ),
            (
                "ALTER TABLE 'x' FORCE",
                "expected the name of a table at byte 12, found `'x'`",
            ),
            (
                "ALTER TABLE 12 FORCE",
                "expected the name of a table at byte 12, found `12`",
            ),
            ("ALTER TABLE db. (", "the ( at byte 16 has no matching )"),
            (
                "ALTER TABLE a.b.c ADD x INT",
                "expected the name of a table at byte 12, found `a`",
            ),
            (
                "ALTER TABLE db.",
                "expected the name of a table at byte 12, found `db`",
            ),
            (
                "ALTER /*! TABLE t FORCE */",
                "the executable comment opened at byte 6 holds more than clauses; \
                 write the ALTER without it",
            ),
            (
                "ALTER TABLE /*! t */ FORCE",
                "the executable comment opened at byte 12 holds more than clauses; \
                 write the ALTER without it",
            ),
            (
                "ALTER TABLE t /*! FORCE; */",
                "the executable comment opened at byte 14 holds more than clauses; \
                 write the ALTER without it",
            ),
        ];
        for (text, message) in cases {
            let error = parse(text).expect_err(text);
            assert_eq!(error.to_string(), message, "{text}");
        }
    }

    #[test]
    fn added_columns() {
        check_columns(&[
            ("ADD x INT", "+x"),
            ("ADD COLUMN x INT AFTER y, ADD COLUMN y INT FIRST", "+x +y"),
            ("ADD COLUMN `index` INT", "+index"),
            (
                "ADD `key` INT, ADD `a``b` INT, ADD `a,b` INT",
                "+key +a`b +a,b",
            ),
            ("ADD COLUMN IF NOT EXISTS x INT", "+x"),
            ("ADD IF NOT EXISTS x INT", "+x"),
            (
                "ADD (x INT, y DECIMAL(10,2), z ENUM('a,b',')'))",
                "+x +y +z",
            ),
            (
                "ADD COLUMN (x INT, INDEX (x, y), PRIMARY KEY (x), `key` INT), DROP q",
                "+x +key -q",
            ),
            ("ADD (x INT) , ADD y INT", "+x +y"),
            ("ADD x INT DEFAULT ('a,b'), ADD y INT", "+x +y"),
            (
                "ADD x INT COMMENT 'it''s; fine, DROP a', ADD y INT",
                "+x +y",
            ),
            ("ADD x INT COMMENT 'it\\'s, DROP a', ADD y INT", "+x +y"),
            (
                "ADD x INT COMMENT \"it\"\"s\\\", DROP a\", ADD y INT",
                "+x +y",
            ),
            ("ADD x INT COMMENT '\\\\', ADD y INT", "+x +y"),
            ("ADD x ENUM('a,b','c)'), ADD y SET('(')", "+x +y"),
            (
                "ADD g INT AS (IF(a > 1, CONCAT(b, ',)('), 'x')) STORED, ADD y INT",
                "+g +y",
            ),
            (
                "ADD g INT GENERATED ALWAYS AS (a--1) VIRTUAL, ADD y INT",
                "+g +y",
            ),
            (
                "ADD x INT /* , ADD y INT */, ADD z INT -- , ADD q INT",
                "+x +z",
            ),
            ("ADD x INT # , ADD y INT '\n, ADD z INT", "+x +z"),
            ("ADD x INT --, ADD y INT", "+x +y"),
            ("ADD x INT /*!80000 , ADD y INT */, ADD z INT", "+x +y +z"),
            ("/*!080034 ADD x INT */", "+x"),
            ("/*! ADD x INT /* in, ADD q INT */ , ADD y INT */", "+x +y"),
            ("/*!80000*/ADD x INT", "+x"),
            ("/*M! ADD x INT, */ ADD y INT", "+y"),
            (
                "ADD größe INT, ADD 数 INT, ADD a$b INT, ADD 1st INT",
                "+größe +数 +a$b +1st",
            ),
            (
                "ADD x VARCHAR(3) DEFAULT _utf8mb4'a,b', ADD y INT DEFAULT x'00'",
                "+x +y",
            ),
            (
                "ADD modify INT, ADD algorithm INT, ADD auto_increment INT",
                "+modify +algorithm +auto_increment",
            ),
            ("add column X int", "+X"),
            ("ADD", ""),
            ("ADD ()", ""),
            ("ADD x INT,", "+x"),
            ("ADD x INT,,ADD y INT", "+x +y"),
        ]);
    }

    #[test]
    fn other_additions_are_no_columns() {
        check_columns(&[
            ("ADD INDEX (a)", ""),
            ("ADD key (a)", ""),
            ("ADD UNIQUE (a, b), ADD UNIQUE KEY u (a(10), b DESC)", ""),
            ("ADD PRIMARY KEY (a)", ""),
            ("ADD CONSTRAINT c CHECK (a > 1), ADD CHECK (b IN (1,2))", ""),
            ("ADD FULLTEXT f (a), ADD SPATIAL INDEX s (b)", ""),
            ("ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES p (b)", ""),
            (
                "ADD PARTITION (PARTITION p1 VALUES LESS THAN (10), PARTITION p2 VALUES IN (1,2))",
                "",
            ),
            ("ADD PARTITION PARTITIONS 4", ""),
            ("ADD INDEX i ((CAST(a AS UNSIGNED ARRAY))), ADD x INT", "+x"),
        ]);
    }

    #[test]
    fn dropped_columns() {
        check_columns(&[
            ("DROP x", "-x"),
            ("DROP COLUMN x, drop column y", "-x -y"),
            ("DROP COLUMN IF EXISTS x, DROP IF EXISTS y", "-x -y"),
            (
                "DROP `primary`, DROP `index` , DROP COLUMN `check`",
                "-primary -index -check",
            ),
            ("DROP x CASCADE", "-x"),
            (
                "DROP INDEX x, DROP KEY y, DROP PRIMARY KEY, DROP FOREIGN KEY z",
                "",
            ),
            (
                "DROP CHECK c, DROP CONSTRAINT d, DROP INDEX IF EXISTS i",
                "",
            ),
            ("REMOVE PARTITIONING", ""),
            (
                "ALTER x DROP DEFAULT, ALTER COLUMN y SET DEFAULT (1 + 2), DROP z",
                "-z",
            ),
            ("ALTER INDEX i INVISIBLE, DROP z", "-z"),
        ]);
    }

    #[test]
    fn changed_columns() {
        check_columns(&[
            ("CHANGE a b INT", "a>b"),
            (
                "CHANGE COLUMN a b INT FIRST, CHANGE `b` `a` INT AFTER `c`",
                "a>b b>a",
            ),
            ("CHANGE a a BIGINT", "~a"),
            ("CHANGE a `a` BIGINT", "~a"),
            ("CHANGE a A BIGINT", "a>A"),
            ("CHANGE COLUMN IF EXISTS a b INT", "a>b"),
            ("CHANGE `column` `co``l` INT", "column>co`l"),
            ("CHANGE a", ""),
            (
                "MODIFY a INT, MODIFY COLUMN b ENUM('x','y') NOT NULL, modify `c` INT",
                "~a ~b ~c",
            ),
            ("MODIFY COLUMN IF EXISTS a INT", "~a"),
            ("RENAME COLUMN a TO b, RENAME COLUMN `c` to D", "a>b c>D"),
            ("RENAME COLUMN IF EXISTS a TO b", "a>b"),
            ("RENAME COLUMN `to` TO `as`", "to>as"),
            ("RENAME COLUMN a TO a", "~a"),
            ("RENAME INDEX a TO b, RENAME KEY c TO d", ""),
            ("RENAME COLUMN", ""),
            ("RENAME COLUMN a TO", ""),
        ]);
    }

    #[test]
    fn lists_keep_their_commas() {
        check_columns(&[
            ("ORDER BY a, b", ""),
            ("ORDER BY a DESC, `drop` ASC, t.b, modify", ""),
            ("ORDER BY a, b PARTITION BY HASH (c)", ""),
            ("ORDER BY a, b, ADD x INT", "+x"),
            ("ADD x INT, ORDER BY a, b", "+x"),
            ("ORDER BY a,", ""),
            ("ORDER", ""),
            (
                "REORGANIZE PARTITION p0, p1 INTO (PARTITION q VALUES LESS THAN (10))",
                "",
            ),
            ("ANALYZE PARTITION p0, modify", ""),
            (
                "ENGINE=InnoDB COMMENT='a, DROP x' UNION=(a,b), CONVERT TO CHARACTER SET utf8mb4",
                "",
            ),
            (
                "ADD x INT PARTITION BY RANGE (x) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 \
              VALUES LESS THAN MAXVALUE)",
                "+x",
            ),
            (
                "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, DROP x",
                "-x",
            ),
        ]);
    }

    #[test]
    fn auto_increment_is_seen_as_table_option_only() {
        let cases = [
            ("AUTO_INCREMENT=5", Some(5)),
            ("auto_increment 5", Some(5)),
            (
                "ENGINE=InnoDB AUTO_INCREMENT = 18446744073709551615 COMMENT='x'",
                Some(u64::MAX),
            ),
            ("ADD x INT, ENGINE=InnoDB, AUTO_INCREMENT=7", Some(7)),
            ("AUTO_INCREMENT=5 AUTO_INCREMENT=6", Some(6)),
            ("AUTO_INCREMENT=18446744073709551616", None),
            ("AUTO_INCREMENT=", None),
            ("ADD x INT AUTO_INCREMENT", None),
            ("ADD auto_increment INT DEFAULT 5", None),
            ("ALTER auto_increment SET DEFAULT 5", None),
            ("COMMENT='AUTO_INCREMENT=5'", None),
            ("`auto_increment`=5", None),
            (
                "PARTITION BY RANGE (auto_increment + 5) (PARTITION p VALUES LESS THAN (5))",
                None,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).auto_increment, expected, "{text}");
        }
    }

    #[test]
    fn table_renames_are_seen() {
        let cases = [
            ("RENAME u", Some("u")),
            ("RENAME TO u", Some("u")),
            ("ADD x INT, RENAME AS `u v`", Some("u v")),
            ("RENAME = u", Some("u")),
            ("RENAME TO shop . u", Some("shop.u")),
            ("RENAME `column`", Some("column")),
            ("RENAME COLUMN a TO b", None),
            ("RENAME INDEX a TO b", None),
            ("RENAME", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).renames_table.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn foreign_keys_are_seen() {
        let cases = [
            ("ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES p (b)", true),
            (
                "ADD FOREIGN KEY f (a) REFERENCES p (b) ON DELETE CASCADE",
                true,
            ),
            ("ADD x INT REFERENCES p (b)", true),
            ("ADD x INT references p", true),
            ("ADD (x INT, FOREIGN KEY (x) REFERENCES p (b))", true),
            ("ADD (x INT REFERENCES p (b))", true),
            ("DROP FOREIGN KEY fk", false),
            ("ADD `references` INT", false),
            ("ADD x INT COMMENT 'REFERENCES p'", false),
            ("ADD x INT AS (t.references) STORED", false),
            ("ADD x INT -- REFERENCES p", false),
            ("ADD x INT /*! REFERENCES p (b) */", true),
            ("ADD CONSTRAINT c CHECK (a > .5)", false),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).adds_foreign_key, expected, "{text}");
        }
    }

    #[test]
    fn names_of_check_constraints_stand_where_they_are_said_to() {
        let cases: [(&str, &[&str]); 9] = [
            ("DROP CHECK a, DROP CONSTRAINT `b``c`", &["a", "`b``c`"]),
            (
                "ALTER CHECK a NOT ENFORCED, alter constraint b enforced",
                &["a", "b"],
            ),
            (
                "ADD CONSTRAINT a CHECK (x > 0), ADD CHECK (y), ADD CONSTRAINT CHECK (z)",
                &["a"],
            ),
            (
                "ADD (x INT CONSTRAINT `é` CHECK (x > 1), CONSTRAINT b CHECK (x))",
                &["`é`", "b"],
            ),
            (
                "MODIFY x INT /* CONSTRAINT n CHECK */ CONSTRAINT a CHECK (x <> 'CONSTRAINT b CHECK')",
                &["a"],
            ),
            (
                "ADD CONSTRAINT u UNIQUE (a), ADD CONSTRAINT PRIMARY KEY (b)",
                &[],
            ),
            (
                "DROP `check`, DROP COLUMN a, ALTER a SET DEFAULT 1, ALTER INDEX i VISIBLE",
                &[],
            ),
            (
                "ADD x INT AFTER t.constraint, ADD CONSTRAINT\n a -- b\n CHECK (1)",
                &["a"],
            ),
            ("CHECK PARTITION p0, p1", &[]),
        ];
        for (text, expected) in cases {
            for head in ["", "ALTER TABLE t  ", " \n"] {
                let whole = format!("{head}{text} ;");
                let alter = read(&whole);
                let found: Vec<&str> = alter
                    .check_names
                    .iter()
                    .map(|name| slice(&alter.clauses, name.start, name.end))
                    .collect();
                assert_eq!(found, expected, "{whole}");
            }
        }
        let alter = read("DROP CHECK a, DROP CONSTRAINT `b``c`, ALTER CONSTRAINT d ENFORCED");
        let found: Vec<(&str, bool)> = alter
            .check_names
            .iter()
            .map(|name| (name.name.as_str(), name.of_any_kind))
            .collect();
        assert_eq!(found, [("a", false), ("b`c", true), ("d", false)]);
    }

    #[test]
    fn clauses_are_refused() {
        let cases: [(&str, &[&str]); 21] = [
            (
                "ALGORITHM=INPLACE, ADD x INT, LOCK = NONE",
                &["ALGORITHM=INPLACE", "LOCK = NONE"],
            ),
            ("algorithm instant", &["algorithm instant"]),
            ("ORDER BY a, LOCK=NONE", &["LOCK=NONE"]),
            ("ADD x INT /*!50600 , LOCK=NONE */", &["LOCK=NONE"]),
            ("DISCARD TABLESPACE", &["DISCARD TABLESPACE"]),
            ("IMPORT TABLESPACE", &["IMPORT TABLESPACE"]),
            (
                "DISCARD PARTITION p0, p1 TABLESPACE",
                &["DISCARD PARTITION p0, p1 TABLESPACE"],
            ),
            (
                "EXCHANGE PARTITION p WITH TABLE u",
                &["EXCHANGE PARTITION p WITH TABLE u"],
            ),
            ("DROP PARTITION p0, p1", &["DROP PARTITION p0, p1"]),
            ("TRUNCATE PARTITION ALL", &["TRUNCATE PARTITION ALL"]),
            ("FORCE; DROP TABLE t", &["DROP TABLE t"]),
            (
                "FORCE;; DROP TABLE t; SELECT ';' ; ",
                &["DROP TABLE t; SELECT ';'"],
            ),
            ("FORCE; /* nothing */ ; -- more", &[]),
            ("FORCE COMMENT ';' # ; \n", &[]),
            ("ADD algorithm INT, ADD `lock` INT", &[]),
            ("DROP `partition`", &[]),
            ("TABLESPACE ts", &[]),
            ("MODIFY `lock` INT", &[]),
            ("COALESCE PARTITION 2", &[]),
            ("REMOVE PARTITIONING", &[]),
            ("COMMENT 'LOCK=NONE, LOCK=NONE'", &[]),
        ];
        for (text, expected) in cases {
            let alter = read(text);
            let refused: Vec<&str> = alter.refused.iter().map(|one| one.text.as_str()).collect();
            assert_eq!(refused, expected, "{text}");
            assert!(
                alter.dropped.iter().all(|name| name == "partition"),
                "{text}"
            );
        }
        assert_eq!(read("FORCE; DROP TABLE t").clauses, "FORCE");
    }

    #[test]
    fn rewritten_columns_are_listed() {
        let cases: [(&str, &[&str]); 6] = [
            ("DROP COLUMN a, ADD COLUMN a INT", &["a"]),
            ("ADD `Größe` INT, DROP grÖSSE, DROP gRÖßE", &["Größe"]),
            (
                "ADD A INT, ADD b INT, DROP a, DROP B, DROP c, ADD d INT",
                &["A", "b"],
            ),
            ("DROP INDEX a, ADD a INT", &[]),
            ("DROP a, ADD b INT", &[]),
            ("CHANGE a b INT, ADD a INT", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).rewritten_columns(), expected, "{text}");
        }
    }

    const LONG: [&str; 4] = [
        "ALTER ONLINE TABLE `sh``op` . \"or\"\"ders\" ADD COLUMN (größe DECIMAL(10,2) DEFAULT ('a,b'), \
         KEY k (`x`)), CHANGE COLUMN a b ENUM('a,b','c)') COMMENT 'it''s; \\'fine' AFTER `c`, DROP \
         PRIMARY KEY, RENAME COLUMN q TO r, ORDER BY a DESC, b.c, d PARTITION BY RANGE (x) \
         (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);",
        "/* first */ ALTER TABLE t -- rest\n ADD g INT AS (IF(a, 'x', \"y\\\"\")) /*!80000 STORED, \
         ADD h INT /* inner */ */, MODIFY i BIGINT, ENGINE=InnoDB AUTO_INCREMENT = 55 COMMENT='x' \
         # end\n, RENAME TO u.v; DROP TABLE t; ",
        "ALTER TABLE 数.表 DISCARD PARTITION p0, p1 TABLESPACE",
        "ALTER COLUMN c SET DEFAULT 1, ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES p (b), \
         ALGORITHM=INPLACE, LOCK NONE, DROP IF EXISTS z, ADD IF NOT EXISTS z INT REFERENCES p.",
    ];

    /// Whatever is read, the clauses are a piece of the text that can be read again alike.
    fn check_any(text: &str) {
        match parse(text) {
            Ok(alter) => {
                assert!(text.contains(&alter.clauses), "{text:?}");
                assert_eq!(
                    alter.clauses,
                    alter.clauses.trim_matches(is_space),
                    "{text:?}"
                );
                // Clauses of a whole statement may look like a statement themselves.
                if let Ok(again) = parse(&alter.clauses)
                    && again.table.is_none()
                {
                    assert_eq!(again.clauses, alter.clauses, "{text:?}");
                    assert_eq!(again.added, alter.added, "{text:?}");
                    assert_eq!(again.renamed, alter.renamed, "{text:?}");
                    assert_eq!(again.dropped, alter.dropped, "{text:?}");
                }
                assert!(alter.rewritten_columns().len() <= alter.added.len());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn no_prefix_or_suffix_panics() {
        for text in LONG {
            read(text);
            for (position, _) in text.char_indices() {
                let (prefix, suffix) = text.split_at(position);
                check_any(prefix);
                check_any(suffix);
            }
        }
    }

    /// A small generator of numbers that look random.
    struct Xorshift(u64);

    impl Xorshift {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }

        fn below(&mut self, limit: usize) -> usize {
            let limit = u64::try_from(limit).expect("a small number");
            usize::try_from(self.next() % limit).expect("below a small number")
        }
    }

    #[test]
    fn no_random_bytes_panic() {
        let mut random = Xorshift(0x9E37_79B9_7F4A_7C15);
        for _ in 0..20_000 {
            let length = random.below(60);
            let bytes: Vec<u8> = (0..length)
                .flat_map(|_| random.next().to_le_bytes().into_iter().take(1))
                .collect();
            check_any(&String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn no_random_mixture_panics() {
        let pieces = [
            "ALTER",
            "TABLE",
            "ADD",
            "DROP",
            "CHANGE",
            "MODIFY",
            "RENAME",
            "COLUMN",
            "ORDER",
            "BY",
            "PARTITION",
            "DISCARD",
            "LOCK",
            "AUTO_INCREMENT",
            "IF",
            "NOT",
            "EXISTS",
            "TO",
            "a",
            "é",
            "`b`",
            "\"c\"",
            "'d'",
            "5",
            "=",
            ".",
            ",",
            ",",
            "(",
            ")",
            ";",
            "/*!80000",
            "/*!",
            "/*",
            "*/",
            "--",
            "#",
            "\n",
            "\\",
            "'",
            "`",
            "\"",
            "REFERENCES",
            "SET",
            "FORCE",
            "1e5",
            "$",
        ];
        let mut random = Xorshift(42);
        for _ in 0..60_000 {
            let mut text = String::new();
            for _ in 0..random.below(14) {
                text.push_str(
                    pieces
                        .get(random.below(pieces.len()))
                        .expect("below the length"),
                );
                text.push_str(if random.below(4) == 0 { "" } else { " " });
            }
            check_any(&text);
        }
    }
}
