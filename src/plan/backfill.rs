//! `--backfill`: columns of the ghost that are filled from an expression over the original's row. Pure.
//!
//! Copy, refresh and verification compute the value at different moments and on different connections, so it
//! must depend on the row alone. Who judges that: [`parse`] reads the text's tokens and refuses whatever could
//! end the expression early or hide a part of it; [`Backfill::unfit`] lets known functions pass only; and the
//! server has the last word about what may stand in a constraint (`engine::backfill`). Neither list alone is
//! enough: a CHECK constraint takes SYSDATE(), RANDOM_BYTES() and what makes today's date of a TIME (measured on
//! 9.7.4), and only the server knows what a name that isn't a column stands for.

pub(in crate::plan) mod functions;
mod tokens;

use super::alter::Alter;
use super::columns::{ColumnMap, SharedColumn};
use super::inspection::{Column, Table, same_name};
use super::time_zone::BY_ZONE;
use super::{Refusal, temporal};
use functions::{FUNCTIONS, MAKES_TIME, MAY_BE_NAMES, READS_DATE, READS_TIME_ALONE, WORDS};
use tokens::{Kind, Token};

/// A column and the expression that fills it, as they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// The ghost's column.
    pub column: String,
    /// The expression, byte for byte.
    pub expression: String,
    /// Both, as they were given.
    pub text: String,
    tokens: Vec<Token>,
}

/// A part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A column of the original, by its own spelling.
    Column(String),
    /// Text that goes through as it is.
    Text(String),
}

/// A backfill that the server has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The ghost's column, as it was given.
    pub column: String,
    /// Its expression.
    pub pieces: Vec<Piece>,
    /// What the expression gives, as a column: the type that the server stores its values in.
    pub from: Column,
    /// What it reads.
    pub reads: Reads,
}

/// What an expression may take for a date or a moment. In doubt it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reads {
    /// Dates: which of them are accepted depends on `sql_mode`.
    pub dates: bool,
    /// Text beside words of dates: with an offset in it (`'… +05:00'`) it goes by the session's time zone.
    pub text: bool,
}

impl Typed {
    /// One of which only the column is known.
    #[must_use]
    pub fn unknown(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            pieces: Vec::new(),
            from: Column::default(),
            reads: Reads::default(),
        }
    }
}

/// A column of the ghost that an expression fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfilledColumn {
    /// What the expression gives, and the ghost's column.
    pub types: SharedColumn,
    /// Its expression.
    pub pieces: Vec<Piece>,
    /// The original has this column as well; its values are left behind.
    pub replaces: bool,
    /// What it reads.
    pub reads: Reads,
}

/// Reads `col = expression`.
///
/// # Errors
/// Why it is none, for the operator.
pub fn parse(text: &str) -> Result<Backfill, String> {
    let form = "write it as 'column = expression'";
    let tokens = tokens::read(text).map_err(|wrong| format!("{wrong}; {form}"))?;
    let [name, equals, rest @ ..] = tokens.as_slice() else {
        return Err(form.to_owned());
    };
    let column = match &name.kind {
        Kind::Word => name.text.clone(),
        Kind::Name(name) => name.clone(),
        Kind::Text | Kind::Sign(_) => {
            return Err(format!("it doesn't begin with a column; {form}"));
        }
    };
    if equals.kind != Kind::Sign('=') {
        return Err(format!("no = follows the column; {form}"));
    }
    let Some(first) = rest.first() else {
        return Err(format!("no expression follows the =; {form}"));
    };
    let expression = text.get(first.start..).unwrap_or_default().trim_end();
    let from = first.start;
    let tokens = rest.iter().map(|token| Token {
        start: token.start - from,
        ..token.clone()
    });
    Ok(Backfill {
        column,
        expression: expression.to_owned(),
        text: text.to_owned(),
        tokens: tokens.collect(),
    })
}

impl Backfill {
    /// What speaks against it before the server is asked.
    #[must_use]
    pub fn unfit(&self, original: &Table) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut against = |what: String, next: &str| {
            let what = format!("--backfill of `{}`: {what}", self.column);
            let refusal = Refusal::new(what, next);
            if !refusals.contains(&refusal) {
                refusals.push(refusal);
            }
        };
        let row_alone = "the value must depend on the row alone, because copy, refresh and verification compute \
                         it at different moments; docs/backfill.md lists the functions";
        for at in 0..self.tokens.len() {
            if let Some(name) = self.called(at)
                && !FUNCTIONS.contains(&name.as_str())
                && !WORDS.contains(&name.as_str())
            {
                against(
                    format!("function {name} isn't among those that may be used"),
                    row_alone,
                );
            }
            if self.word(at).is_some_and(|word| {
                [
                    "SELECT", "TABLE", "VALUES", "WITH", "DEFAULT", "OVER", "BINLOG",
                ]
                .contains(&word.as_str())
            }) && !self.is_column(at, original)
            {
                let word = self.word(at).unwrap_or_default();
                against(
                    format!("{word} isn't allowed in an expression over one row"),
                    "leave subqueries, other tables, windows and defaults out",
                );
            }
            if let Some(name) = self.is_word_or_column(at, original) {
                against(
                    format!("{name} is a column and a word of SQL"),
                    "put it in back-quotes, if the column is meant",
                );
            }
            if self.qualifies(at) {
                against(
                    "a name has another one in front of it".to_owned(),
                    "write the columns of the table by their names alone",
                );
            }
        }
        if !self.formats_are_literals() {
            against(
                "the format of STR_TO_DATE isn't one literal".to_owned(),
                "write it as one string: of a format without a date the server makes a TIME, and of that perhaps \
                 today's date",
            );
        }
        if self.takes_todays_date(original) {
            against(
                "a TIME stands beside dates, and MySQL puts today's date before a TIME that it takes for a \
                 moment"
                    .to_owned(),
                "take numbers of it: HOUR(…), MINUTE(…), SECOND(…) or TIME_TO_SEC(…), of the column by itself",
            );
        }
        refusals
    }

    /// The expression with its columns told apart from the rest.
    #[must_use]
    pub fn pieces(&self, original: &Table) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut written = 0;
        for (at, token) in self.tokens.iter().enumerate() {
            let Some(column) = self.column_at(at, original) else {
                continue;
            };
            let between = self
                .expression
                .get(written..token.start)
                .unwrap_or_default();
            pieces.push(Piece::Text(between.to_owned()));
            pieces.push(Piece::Column(column.name.clone()));
            written = token.start + token.text.len();
        }
        let rest = self.expression.get(written..).unwrap_or_default();
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        pieces
    }

    /// The column of the original that a token means. A word that SQL has a use for (INTERVAL 1 DAY, CAST(… AS
    /// DATE)) means a column only in back-quotes.
    fn column_at<'a>(&self, at: usize, original: &'a Table) -> Option<&'a Column> {
        let token = self.tokens.get(at)?;
        if self.is_called(at) || self.qualifies(at) {
            return None;
        }
        match &token.kind {
            Kind::Name(name) => original.column(name),
            Kind::Word => {
                let upper = token.text.to_ascii_uppercase();
                let literal = self
                    .tokens
                    .get(at + 1)
                    .is_some_and(|next| next.kind == Kind::Text && next.text.starts_with('\''));
                let number = token.text.starts_with(|c: char| c.is_ascii_digit());
                (!WORDS.contains(&upper.as_str()) && !literal && !number)
                    .then(|| original.column(&token.text))?
            }
            Kind::Text | Kind::Sign(_) => None,
        }
    }

    /// A word without quotes that SQL has a use for elsewhere, but perhaps not here, and that a column is called.
    fn is_word_or_column(&self, at: usize, original: &Table) -> Option<String> {
        let word = self
            .word(at)
            .filter(|word| MAY_BE_NAMES.contains(&word.as_str()))?;
        let column = original.column(&word)?;
        let before = at.checked_sub(1).and_then(|before| self.word(before));
        let literal = self
            .tokens
            .get(at + 1)
            .is_some_and(|next| next.kind == Kind::Text);
        let units = ["INTERVAL", "EXTRACT", "TIMESTAMPADD", "TIMESTAMPDIFF"];
        let unit = (0..self.tokens.len()).any(|at| {
            self.word(at)
                .is_some_and(|word| units.contains(&word.as_str()))
        });
        let used = self.is_called(at) || literal || unit || before.as_deref() == Some("AS");
        (!used).then(|| column.name.clone())
    }

    fn is_column(&self, at: usize, original: &Table) -> bool {
        self.column_at(at, original).is_some()
    }

    /// A word without quotes, in upper case.
    fn word(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        (token.kind == Kind::Word).then(|| token.text.to_ascii_uppercase())
    }

    fn sign(&self, at: usize) -> Option<char> {
        match self.tokens.get(at)?.kind {
            Kind::Sign(sign) => Some(sign),
            Kind::Word | Kind::Name(_) | Kind::Text => None,
        }
    }

    fn is_called(&self, at: usize) -> bool {
        self.sign(at + 1) == Some('(')
    }

    /// The name before a parenthesis; in quotes it can only be a stored function.
    fn called(&self, at: usize) -> Option<String> {
        if !self.is_called(at) {
            return None;
        }
        match &self.tokens.get(at)?.kind {
            Kind::Word => self.word(at),
            Kind::Name(name) => Some(format!("`{name}`")),
            Kind::Text | Kind::Sign(_) => None,
        }
    }

    /// The functions that are called, each once.
    #[must_use]
    pub fn functions(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in (0..self.tokens.len()).filter_map(|at| self.called(at)) {
            if FUNCTIONS.contains(&name.as_str()) && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What it may take for a date or a moment.
    #[must_use]
    pub fn reads(&self, original: &Table) -> Reads {
        const NUMBERS: [&str; 12] = [
            "tinyint",
            "smallint",
            "mediumint",
            "int",
            "bigint",
            "decimal",
            "float",
            "double",
            "bit",
            "year",
            "date",
            "datetime",
        ];
        let mut reads = Reads::default();
        for (at, token) in self.tokens.iter().enumerate() {
            if let Some(column) = self.column_at(at, original) {
                reads.dates |= temporal(&column.data_type);
                reads.text |= !NUMBERS.contains(&column.data_type.as_str());
                continue;
            }
            let word = self.word(at).unwrap_or_default();
            let word = word.as_str();
            reads.dates |= READS_DATE.contains(&word)
                || MAKES_TIME.contains(&word)
                || READS_TIME_ALONE.contains(&word);
            // Hexadecimal numbers are text as well.
            reads.text |= token.kind == Kind::Text || word.starts_with("0X");
        }
        reads
    }

    /// Every STR_TO_DATE has its format as one literal: of a format without a date the server makes a TIME.
    fn formats_are_literals(&self) -> bool {
        let calls =
            (0..self.tokens.len()).filter(|at| self.called(*at).as_deref() == Some("STR_TO_DATE"));
        calls.into_iter().all(|at| {
            let mut depth = 0_usize;
            let mut comma = None;
            for here in at + 1..self.tokens.len() {
                match self.sign(here) {
                    Some('(') => depth += 1,
                    Some(')') if depth == 1 => {
                        let plain = |at: usize| {
                            let token = self.tokens.get(at);
                            token.is_some_and(|token| {
                                token.kind == Kind::Text && token.text.starts_with(['\'', '"'])
                            })
                        };
                        return comma.is_some_and(|comma| comma + 2 == here && plain(comma + 1));
                    }
                    Some(')') => depth = depth.saturating_sub(1),
                    Some(',') if depth == 1 => comma = Some(here),
                    Some(_) | None => {}
                }
            }
            false
        })
    }

    /// A name with a point beside it, which is no number's.
    fn qualifies(&self, at: usize) -> bool {
        let name = |at: usize| {
            self.tokens.get(at).is_some_and(|token| match token.kind {
                Kind::Name(_) => true,
                Kind::Word => !token.text.starts_with(|c: char| c.is_ascii_digit()),
                Kind::Text | Kind::Sign(_) => false,
            })
        };
        let after = at.checked_sub(1).and_then(|before| self.sign(before)) == Some('.');
        name(at) && (after || self.sign(at + 1) == Some('.'))
    }

    /// A TIME and something about dates stand in one expression, and it isn't only a number that is taken of
    /// the TIME. In doubt they do.
    fn takes_todays_date(&self, original: &Table) -> bool {
        let alone = |at: usize| {
            let inside = at.checked_sub(2).and_then(|before| self.word(before));
            let inside = inside.is_some_and(|name| READS_TIME_ALONE.contains(&name.as_str()));
            inside && self.sign(at - 1) == Some('(') && self.sign(at + 1) == Some(')')
        };
        let (mut times, mut dates) = (false, false);
        for at in 0..self.tokens.len() {
            match self
                .column_at(at, original)
                .map(|column| column.data_type.as_str())
            {
                Some("time") => times |= !alone(at),
                Some("date" | "datetime" | "timestamp") => dates = true,
                Some(_) => {}
                None => {
                    let word = self.word(at).unwrap_or_default();
                    times |= MAKES_TIME.contains(&word.as_str());
                    dates |= READS_DATE.contains(&word.as_str());
                }
            }
        }
        let format = self
            .tokens
            .iter()
            .any(|token| time_only(&token.text) && token.kind == Kind::Text);
        let read = (0..self.tokens.len()).any(|at| self.word(at).as_deref() == Some("STR_TO_DATE"));
        (times || read && format) && dates
    }
}

/// A format without any part of a date, of which STR_TO_DATE makes a TIME.
fn time_only(text: &str) -> bool {
    let has = |letters: &str| {
        text.split('%')
            .skip(1)
            .any(|part| part.starts_with(|letter| letters.contains(letter)))
    };
    has("HhIiklprSsTf") && !has("aBbcDdejMmUuVvWwXxYy")
}

/// Columns that are given two expressions.
#[must_use]
pub fn filled_twice(backfills: &[Backfill]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (at, backfill) in backfills.iter().enumerate() {
        let mut earlier = backfills.iter().take(at);
        if earlier.any(|earlier| same_name(&earlier.column, &backfill.column)) {
            refusals.push(Refusal::new(
                format!("--backfill fills column `{}` twice", backfill.column),
                "give it one expression",
            ));
        }
    }
    refusals
}

/// The ghost's column for a backfill, if it may be filled.
///
/// # Errors
/// Why it may not.
pub(super) fn target(
    typed: &Typed,
    ghost: &Table,
    alter: &Alter,
    replaced: Option<&SharedColumn>,
) -> Result<BackfilledColumn, Refusal> {
    let refused = |what: String, next: &str| Err(Refusal::new(format!("--backfill: {what}"), next));
    let Some(to) = ghost.column(&typed.column) else {
        return refused(
            format!("the altered table has no column `{}`", typed.column),
            "name a column that the ALTER adds or changes",
        );
    };
    let name = &to.name;
    if to.generated() {
        return refused(
            format!("column `{name}` is generated"),
            "the server computes it; leave this backfill out",
        );
    }
    if to.auto_increment() {
        return refused(
            format!("column `{name}` is AUTO_INCREMENT"),
            "its numbers are the server's; leave this backfill out",
        );
    }
    let changed = replaced.is_none_or(|shared| {
        let (from, to) = (&shared.from, &shared.to);
        let named = alter
            .modified
            .iter()
            .any(|modified| same_name(modified, &to.name));
        named
            || from.column_type != to.column_type
            || from.collation != to.collation
            || from.nullable != to.nullable
    });
    if !changed {
        return refused(
            format!("the ALTER neither adds nor changes column `{name}`"),
            "its values would be rewritten in passing: MODIFY it in the ALTER, if that is meant",
        );
    }
    Ok(BackfilledColumn {
        types: SharedColumn {
            from: typed.from.clone(),
            to: to.clone(),
        },
        pieces: typed.pieces.clone(),
        replaces: replaced.is_some(),
        reads: Reads {
            dates: typed.reads.dates || temporal(&to.data_type),
            ..typed.reads
        },
    })
}

impl BackfilledColumn {
    /// It may come out otherwise in another time zone.
    #[must_use]
    pub(super) fn by_zone(&self, original: &Table) -> bool {
        let stamp = |column: &Column| column.data_type == "timestamp";
        let piece = |piece: &Piece| match piece {
            Piece::Column(name) => original.column(name).is_some_and(stamp),
            Piece::Text(text) => {
                let text = text.to_lowercase();
                BY_ZONE.iter().any(|word| text.contains(word)) || text.contains("zone")
            }
        };
        stamp(&self.types.from)
            || stamp(&self.types.to)
            || self.reads.dates && self.reads.text
            || self.pieces.iter().any(piece)
    }
}

/// Columns of a unique key whose values a backfill leaves behind: by them no row can be found again.
pub(super) fn key_columns(original: &Table, columns: &ColumnMap) -> Vec<Refusal> {
    let replaced = columns.backfilled.iter().filter(|column| column.replaces);
    let unique = |name: &str| {
        let indexes = original.indexes.iter().filter(|index| index.unique);
        indexes.flat_map(|index| &index.parts).any(|part| {
            part.column
                .as_deref()
                .is_some_and(|column| same_name(column, name))
        })
    };
    replaced
        .map(|column| &column.types.to.name)
        .filter(|name| unique(name))
        .map(|name| {
            Refusal::new(
                format!("--backfill: column `{name}` is part of the key by which rows are found"),
                "leave its values as they are, or fill another column",
            )
        })
        .collect()
}

/// The type of an expression's values, as a column that accepts NULL. `column_type` and `collation` are what
/// SHOW FULL COLUMNS says of a table that was made of it.
#[must_use]
pub fn type_of(column_type: &str, collation: Option<&str>) -> Column {
    let data_type: String = column_type
        .chars()
        .take_while(|character| character.is_ascii_alphanumeric())
        .collect();
    // A value that isn't a column's has no padding that the server would take off or put on.
    let unpadded = match data_type.as_str() {
        "char" | "binary" => format!("var{column_type}"),
        _ => column_type.to_owned(),
    };
    let data_type = match data_type.as_str() {
        "char" | "binary" => format!("var{data_type}"),
        _ => data_type,
    };
    let numbers: Vec<u64> = column_type
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(inside, _)| {
            inside
                .split(',')
                .filter_map(|one| one.trim().parse().ok())
                .collect()
        })
        .unwrap_or_default();
    let digits = numbers
        .first()
        .and_then(|digits| u8::try_from(*digits).ok());
    let decimal = match (data_type.as_str(), numbers.as_slice()) {
        ("decimal", [precision, scale]) => Some((*precision, *scale)),
        _ => None,
    };
    Column {
        fraction_digits: digits.filter(|_| temporal(&data_type)).unwrap_or_default(),
        charset: collation
            .and_then(|collation| collation.split('_').next())
            .filter(|charset| *charset != "binary")
            .map(Into::into),
        collation: collation.map(Into::into),
        nullable: true,
        column_type: unpadded,
        data_type,
        decimal,
        ..Column::default()
    }
}
