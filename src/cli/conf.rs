//! Option files in the form of my.cnf: text in, lines out. Reads no file.
//!
//! The rules are those of MySQL's own programs (compared with `my_print_defaults` 9.7, and manual 9.x,
//! "Using Option Files"): `#` ends a line anywhere outside quotes, `;` only at its beginning; quotes
//! are taken off when they enclose the whole value; unknown escapes stay as they are.

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `[group]`
    Group(String),
    /// `name` or `name=value`; the name has dashes only, and no `loose-`.
    Setting(String, Option<String>),
    /// `!include file`
    Include(String),
    /// `!includedir folder`
    IncludeDir(String),
}

/// A line and what it says.
pub type Numbered = (usize, Item);

/// A line that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it, without its text, which may have a password.
    pub what: &'static str,
}

/// Reads an option file's text.
///
/// # Errors
/// The first line that can't be read.
pub fn parse(text: &str) -> Result<Vec<Numbered>, Wrong> {
    let mut items = Vec::new();
    let mut in_group = false;
    // Editors of other systems put a mark before the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let item = item(line).map_err(|what| Wrong { line: number, what })?;
        match item {
            Item::Group(_) => in_group = true,
            Item::Setting(..) if !in_group => {
                return Err(Wrong {
                    line: number,
                    what: "an option before the first [group]",
                });
            }
            Item::Setting(..) | Item::Include(_) | Item::IncludeDir(_) => {}
        }
        items.push((number, item));
    }
    Ok(items)
}

fn item(line: &str) -> Result<Item, &'static str> {
    if let Some(directive) = line.strip_prefix('!') {
        let (word, path) = directive
            .split_once(char::is_whitespace)
            .unwrap_or((directive, ""));
        let path = path.trim().to_owned();
        return match word {
            _ if path.is_empty() => Err("!include and !includedir need a path"),
            "include" => Ok(Item::Include(path)),
            "includedir" => Ok(Item::IncludeDir(path)),
            _ => Err("a directive that isn't !include or !includedir"),
        };
    }
    if let Some(group) = line.strip_prefix('[') {
        let (name, _) = group.split_once(']').ok_or("a [group] without its ]")?;
        return Ok(Item::Group(name.trim().to_owned()));
    }
    let line = without_comment(line);
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name, Some(unquoted(value.trim()))),
        None => (line, None),
    };
    let name = name.trim().replace('_', "-");
    if name.is_empty() {
        return Err("a value without a name");
    }
    let name = name.strip_prefix("loose-").unwrap_or(&name).to_owned();
    Ok(Item::Setting(name, value))
}

/// The line up to a `#` outside quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') => return line.get(..at).unwrap_or(line),
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character && !escaped => quote = None,
            _ => {}
        }
        escaped = quote.is_some() && character == '\\' && !escaped;
    }
    line
}

fn unquoted(value: &str) -> String {
    let inner = ['\'', '"'].into_iter().find_map(|quote| {
        let inner = value.strip_prefix(quote)?;
        inner.strip_suffix(quote)
    });
    let mut text = String::new();
    let mut characters = inner.unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('b') => text.push('\u{8}'),
            Some('s') => text.push(' '),
            Some(same @ ('\\' | '\'' | '"')) => text.push(same),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

/// The environment variable that a value is only the name of: `${NAME}`, as gh-ost has it.
#[must_use]
pub fn variable(value: &str) -> Option<&str> {
    let name = value.strip_prefix("${")?.strip_suffix('}')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<(String, Option<String>)> {
        let items = parse(text).expect("a good file");
        items
            .into_iter()
            .filter_map(|(_, item)| match item {
                Item::Setting(name, value) => Some((name, value)),
                Item::Group(_) | Item::Include(_) | Item::IncludeDir(_) => None,
            })
            .collect()
    }

    #[test]
    fn values_are_read_as_mysqls_own_programs_read_them() {
        for (line, expected) in [
            ("k=pa#ss", "pa"),
            ("k=\"a#b\" # c", "a#b"),
            ("k = x ; y", "x ; y"),
            ("k=a\\sb\\qc\\\\d", "a b\\qc\\d"),
            ("k='a\"b'", "a\"b"),
            ("k = \"un", "\"un"),
            ("k = \"a\\\"b#c\"", "a\"b#c"),
            ("k = 'x' y", "'x' y"),
            ("k =", ""),
            ("k = a \\", "a \\"),
            ("k = \"\\t|\"", "\t|"),
            ("loose-k = '  '", "  "),
            ("k = a=b", "a=b"),
            ("k = grün😀", "grün😀"),
        ] {
            let found = settings(&format!("[client]\n{line}\n"));
            assert_eq!(
                found,
                [("k".to_owned(), Some(expected.to_owned()))],
                "{line}"
            );
        }
    }

    #[test]
    fn names_comments_groups_and_directives() {
        let text = "\u{feff}# note\n; note\n [ client ] # hi\r\nssl_ca=x\r\nquick\n!include /a b.cnf\n\
                    !includedir /d\n";
        let set = |name: &str, value: Option<&str>| {
            Item::Setting(name.into(), value.map(ToOwned::to_owned))
        };
        assert_eq!(
            parse(text),
            Ok(vec![
                (3, Item::Group("client".into())),
                (4, set("ssl-ca", Some("x"))),
                (5, set("quick", None)),
                (6, Item::Include("/a b.cnf".into())),
                (7, Item::IncludeDir("/d".into())),
            ])
        );
    }

    #[test]
    fn bad_lines_are_named_without_their_text() {
        for (text, line) in [
            ("user=x", 1),
            ("[client\n", 1),
            ("[client]\n\n=secret", 3),
            ("[client]\n!included x", 2),
            ("!include\n", 1),
        ] {
            let wrong = parse(text).expect_err(text);
            assert_eq!(wrong.line, line, "{text}");
            assert!(!wrong.what.contains("secret"));
        }
    }

    #[test]
    fn only_a_whole_value_is_a_variable() {
        assert_eq!(variable("${MYSQL_PASSWORD}"), Some("MYSQL_PASSWORD"));
        for value in ["a${B}", "${}", "${A B}", "$A", "${A"] {
            assert_eq!(variable(value), None, "{value}");
        }
    }
}
