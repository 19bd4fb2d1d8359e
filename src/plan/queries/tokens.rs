//! Cuts a statement of the application into tokens, as the server does in the given mode.

/// What of `sql_mode` says where a string ends and what is a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quoting {
    /// `"` encloses names (`ANSI_QUOTES`).
    pub names_in_double: bool,
    /// `\` is nothing special in strings (`NO_BACKSLASH_ESCAPES`).
    pub plain_backslash: bool,
}

impl Quoting {
    /// The other ways to read quotes.
    pub(super) fn others(self) -> Vec<Self> {
        let all = [(false, false), (false, true), (true, false), (true, true)];
        let all = all.map(|(names_in_double, plain_backslash)| Self {
            names_in_double,
            plain_backslash,
        });
        all.into_iter().filter(|other| *other != self).collect()
    }

    /// Of a `sql_mode`.
    #[must_use]
    pub fn of(sql_mode: &str) -> Self {
        let has = |name: &str| sql_mode.split(',').any(|mode| mode == name);
        Self {
            names_in_double: has("ANSI_QUOTES"),
            plain_backslash: has("NO_BACKSLASH_ESCAPES"),
        }
    }
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, a name without quotes, or a number.
    Word,
    /// A name in quotes, without them.
    Name(String),
    /// A string.
    Text,
    /// Any other character.
    Sign(char),
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Offset of its first byte.
    pub(super) start: usize,
    /// Offset of the byte behind it.
    pub(super) end: usize,
}

/// All tokens; none when a quote or comment has no end. Comments and hints are left out, what stands in executable
/// comments isn't.
pub(super) fn read(text: &str, quoting: Quoting) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(character) = text.get(start..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(start..).unwrap_or_default();
        if let Some(length) = skipped(rest, character)? {
            start += length;
            continue;
        }
        let (kind, length) = match character {
            '\'' | '"' | '`' => {
                let names = character == '`' || character == '"' && quoting.names_in_double;
                let escapes = !names && !quoting.plain_backslash;
                let length = quoted(rest, character, escapes)?;
                let inside = rest.get(1..length - 1).unwrap_or_default();
                let double = format!("{character}{character}");
                let kind = if names {
                    Kind::Name(inside.replace(&double, &character.to_string()))
                } else {
                    Kind::Text
                };
                (kind, length)
            }
            _ if in_a_word(character) => {
                let length = rest.find(|c| !in_a_word(c)).unwrap_or(rest.len());
                (Kind::Word, length)
            }
            _ => (Kind::Sign(character), character.len_utf8()),
        };
        tokens.push(Token {
            kind,
            start,
            end: start + length,
        });
        start += length;
    }
    Some(tokens)
}

/// Bytes of white space or comment at the beginning, if there is any; the outer `None` is for one without end.
fn skipped(rest: &str, character: char) -> Option<Option<usize>> {
    let line = || rest.find('\n').map_or(rest.len(), |end| end + 1);
    let dashes = rest.strip_prefix("--");
    let length = match character {
        ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => 1,
        '#' => line(),
        '-' if dashes.is_some_and(|behind| behind.chars().next().is_none_or(ends_dashes)) => line(),
        '/' if rest.starts_with("/*!") => {
            3 + rest.bytes().skip(3).take_while(u8::is_ascii_digit).count()
        }
        '/' if rest.starts_with("/*") => 4 + rest.get(2..)?.find("*/")?,
        '*' if rest.starts_with("*/") => 2,
        _ => return Some(None),
    };
    Some(Some(length))
}

/// Two dashes begin a comment only in front of white space or a control character.
fn ends_dashes(character: char) -> bool {
    character.is_ascii_whitespace() || character.is_ascii_control()
}

fn in_a_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

/// The length of a string or quoted name at the beginning of a text.
fn quoted(text: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((distance, character)) = characters.next() {
        if character == '\\' && escapes {
            characters.next();
        } else if character == quote && characters.next_if(|&(_, next)| next == quote).is_none() {
            return Some(distance + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, quoting: Quoting) -> Option<Vec<&str>> {
        let tokens = read(text, quoting)?;
        let slices = tokens.iter().map(|token| text.get(token.start..token.end));
        slices.collect()
    }

    #[test]
    fn comments_are_left_out_and_executable_ones_read() {
        let text = "a /* b ` */ c /*+ INDEX(t) */ d -- e '\n--1 # f\n/*!80000 g */ h";
        let found = texts(text, Quoting::default());
        let expected = vec!["a", "c", "d", "-", "-", "1", "g", "h"];
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn strings_and_names_end_where_the_mode_says() {
        let usual = Quoting::default();
        let ansi = Quoting::of("STRICT_TRANS_TABLES,ANSI_QUOTES,NO_BACKSLASH_ESCAPES");
        assert_eq!(
            texts(r"'a\'' `b``c`", usual),
            Some(vec![r"'a\''", "`b``c`"])
        );
        assert_eq!(texts(r"'a\' b", ansi), Some(vec![r"'a\'", "b"]));
        assert_eq!(texts(r"'a\' b", usual), None);
        let named = read("\"a\"\"b\"", ansi).expect("tokens");
        let kinds: Vec<Kind> = named.into_iter().map(|token| token.kind).collect();
        assert_eq!(kinds, [Kind::Name("a\"b".into())]);
        assert_eq!(
            read("\"a\"", usual)
                .expect("tokens")
                .first()
                .map(|t| t.kind.clone()),
            Some(Kind::Text)
        );
        assert_eq!(read("/* a", usual), None);
    }
}
