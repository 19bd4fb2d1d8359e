//! A case folder as data: what `testdata/cases/README.md` describes, read from disk.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;

/// One folder of `testdata/cases`.
pub struct Case {
    pub name: String,
    /// The table to migrate, and to compare.
    pub table: String,
    pub create: Vec<String>,
    /// What `--alter` gets, word for word.
    pub alter: String,
    pub during: Vec<String>,
    pub flags: Vec<String>,
    pub refusal: Option<Refusal>,
    /// What a run that succeeds must say in stderr, each of it.
    pub says: Vec<String>,
    pub ignore: Ignore,
    /// Run in the twin's session before the plain ALTER.
    pub twin_session: Vec<String>,
    /// The same behind it.
    pub twin_after: Vec<String>,
}

/// How a case that must not succeed has to end.
pub struct Refusal {
    /// One of these.
    pub exit_codes: Vec<i32>,
    /// Each must stand in stderr, upper and lower case alike.
    pub fragments: Vec<String>,
}

/// What of SHOW CREATE TABLE may differ.
#[derive(Default)]
pub struct Ignore {
    pub check_names: bool,
    pub auto_increment: bool,
}

impl Case {
    pub fn read(folder: &Path) -> Outcome<Case> {
        let name = file_name(folder)?;
        let optional = |file: &str| read_optional(&folder.join(file));
        let required = |file: &str| -> Outcome<String> {
            optional(file)?.ok_or_else(|| format!("{name}: {file} is missing").into())
        };
        let statements_of = |file: &str| -> Outcome<Vec<String>> {
            Ok(statements(&optional(file)?.unwrap_or_default()))
        };
        Ok(Case {
            table: optional("table")?.map_or("t".into(), |text| first_line(&text)),
            create: statements(&required("create.sql")?),
            alter: required("alter.sql")?.trim_end_matches('\n').to_string(),
            during: statements_of("during.sql")?,
            flags: lines(&optional("flags")?.unwrap_or_default()),
            refusal: optional("refused")?
                .map(|text| refusal(&text))
                .transpose()?,
            says: lines(&optional("says")?.unwrap_or_default()),
            ignore: ignore(&optional("definition")?.unwrap_or_default())?,
            twin_session: statements_of("twin_session.sql")?,
            twin_after: statements_of("twin_after.sql")?,
            name,
        })
    }

    /// The schema that tableshift works in.
    pub fn schema(&self) -> String {
        format!("case_{}", self.name)
    }

    /// The schema that gets the plain ALTER TABLE.
    pub fn twin(&self) -> String {
        format!("twin_{}", self.name)
    }

    /// The ALTER as the server wants it.
    pub fn plain_alter(&self) -> String {
        let words: Vec<String> = self
            .alter
            .split_whitespace()
            .take(2)
            .map(str::to_ascii_uppercase)
            .collect();
        if words == ["ALTER", "TABLE"] {
            return self.alter.clone();
        }
        format!(
            "ALTER TABLE `{}` {}",
            self.table.replace('`', "``"),
            self.alter
        )
    }
}

/// The folders to run: all, or the one that `wanted` names.
pub fn folders(root: &Path, wanted: Option<&str>) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.is_dir() && wanted.is_none_or(|name| path.ends_with(name)) {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!("no case in {} (CASE={wanted:?})", root.display()).into());
    }
    Ok(found)
}

/// Splits at `;` at the end of a line, or at lines `--//` if the text has any.
pub fn statements(text: &str) -> Vec<String> {
    let by_line = text.lines().any(|line| line.trim_end() == "--//");
    let mut found = Vec::new();
    let mut open = String::new();
    for line in text.lines().map(str::trim_end) {
        let comment = open.is_empty() && line.starts_with("-- ");
        if comment || (open.is_empty() && line.is_empty()) {
            continue;
        }
        let end = if by_line {
            line == "--//"
        } else {
            line.ends_with(';')
        };
        if !(by_line && end) {
            open.push_str(line);
            open.push('\n');
        }
        if end {
            push_statement(&mut found, &mut open);
        }
    }
    push_statement(&mut found, &mut open);
    found
}

fn push_statement(found: &mut Vec<String>, open: &mut String) {
    let statement = open.trim().trim_end_matches(';');
    if !statement.is_empty() {
        found.push(statement.to_string());
    }
    open.clear();
}

fn refusal(text: &str) -> Outcome<Refusal> {
    let mut lines = lines(text).into_iter();
    let first = lines.next().unwrap_or_default();
    let codes: Result<Vec<i32>, _> = first.split_whitespace().map(str::parse).collect();
    match codes {
        Ok(exit_codes) if !exit_codes.is_empty() => Ok(Refusal {
            exit_codes,
            fragments: lines.collect(),
        }),
        _ => Err(format!("refused: not exit codes: {first:?}").into()),
    }
}

fn ignore(text: &str) -> Outcome<Ignore> {
    let mut ignore = Ignore::default();
    for word in lines(text) {
        match word.as_str() {
            "check-names" => ignore.check_names = true,
            "auto-increment" => ignore.auto_increment = true,
            _ => return Err(format!("definition: unknown word {word:?}").into()),
        }
    }
    Ok(ignore)
}

/// The lines that say something: not empty, not a `#` comment.
fn lines(text: &str) -> Vec<String> {
    let said = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines()
        .map(str::trim_end)
        .filter(said)
        .map(str::to_string)
        .collect()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}

fn file_name(folder: &Path) -> Outcome<String> {
    let name = folder.file_name().and_then(|name| name.to_str());
    Ok(name
        .ok_or_else(|| format!("not a case name: {}", folder.display()))?
        .to_string())
}

fn read_optional(path: &Path) -> Outcome<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
    ))
}

#[test]
fn statements_end_with_their_line_or_at_a_separator() {
    let plain = "-- a remark\nSELECT 1;\n\nSELECT\n  ';x' ;\nSELECT 3";
    assert_eq!(
        statements(plain),
        ["SELECT 1", "SELECT\n  ';x' ", "SELECT 3"]
    );
    let bodies = "CREATE TRIGGER x\nBEGIN\n  DO 1;\nEND\n--//\nSELECT 2\n--//\n";
    assert_eq!(
        statements(bodies),
        ["CREATE TRIGGER x\nBEGIN\n  DO 1;\nEND", "SELECT 2"]
    );
}
