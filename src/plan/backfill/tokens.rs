//! Cuts a backfill into tokens, as a server does with neither `NO_BACKSLASH_ESCAPES` nor `ANSI_QUOTES`: the
//! sessions that compute it have both switched off.

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word or a number.
    Word,
    /// A name in back-quotes, without them.
    Name(String),
    /// A string in either quotes.
    Text,
    /// Any other character.
    Sign(char),
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// As it was written.
    pub(super) text: String,
    /// Offset of its first byte.
    pub(super) start: usize,
}

/// Reads all tokens.
///
/// # Errors
/// What isn't allowed: a quote or parenthesis without its partner, a comment, a second statement, a variable, a
/// parameter, a character that no expression has.
pub(super) fn read(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut open = 0_usize;
    let mut start = 0;
    while let Some(character) = text.get(start..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(start..).unwrap_or_default();
        let length = match character {
            ' ' | '\t' | '\n' | '\r' => {
                start += 1;
                continue;
            }
            '\'' | '"' | '`' => {
                let length = quoted(rest, character).ok_or_else(|| {
                    format!("the {character} at byte {start} has no closing {character}")
                })?;
                let inside = rest.get(1..length - 1).unwrap_or_default();
                let kind = match character {
                    '`' => Kind::Name(inside.replace("``", "`")),
                    _ => Kind::Text,
                };
                tokens.push(token(kind, rest, length, start));
                length
            }
            _ if in_a_word(character) => {
                let length = rest.find(|c| !in_a_word(c)).unwrap_or(rest.len());
                tokens.push(token(Kind::Word, rest, length, start));
                length
            }
            _ => {
                refused(rest, character)?;
                match character {
                    '(' => open += 1,
                    ')' => {
                        open = open
                            .checked_sub(1)
                            .ok_or_else(|| format!("the ) at byte {start} has no matching ("))?;
                    }
                    _ => {}
                }
                tokens.push(token(Kind::Sign(character), rest, 1, start));
                1
            }
        };
        start += length;
    }
    if open > 0 {
        return Err("a ( has no matching )".to_owned());
    }
    Ok(tokens)
}

fn token(kind: Kind, rest: &str, length: usize, start: usize) -> Token {
    let text = rest.get(..length).unwrap_or_default().to_owned();
    Token { kind, text, start }
}

fn in_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

/// What no expression over a row needs.
fn refused(rest: &str, character: char) -> Result<(), String> {
    let what = match character {
        '#' => "comments aren't allowed",
        '-' if rest.starts_with("--") => "-- isn't allowed, it may begin a comment",
        '/' if rest.starts_with("/*") => "comments aren't allowed",
        '*' if rest.starts_with("*/") => "comments aren't allowed",
        ';' => "a ; isn't allowed",
        '@' => "variables aren't allowed",
        '?' => "parameters aren't allowed",
        '\\' | '{' | '}' | '[' | ']' => "there is a character that no expression has",
        _ if character.is_ascii_control() => "there is a control character outside of quotes",
        _ => return Ok(()),
    };
    Err(what.to_owned())
}

/// The length of a string or quoted name at the beginning of a text.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((distance, character)) = characters.next() {
        if character == '\\' && quote != '`' {
            characters.next();
        } else if character == quote && characters.next_if(|&(_, next)| next == quote).is_none() {
            return Some(distance + 1);
        }
    }
    None
}
