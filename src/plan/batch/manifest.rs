//! The manifest: TOML in, what is wanted out, or all that is wrong with it, each with its line.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::plan::history::recorded;

/// Flags by name; most have one value.
pub type Flags = BTreeMap<String, Vec<String>>;

/// Flags that a batch sets itself, or that many migrations can't share.
const OWN_FLAGS: [&str; 26] = [
    "alter",
    "ask-pass",
    "backfill",
    "check-flag",
    "conf",
    "database",
    "execute",
    "force-table-names",
    "h",
    "help",
    "host",
    "no-history",
    "no-resume",
    "old-table",
    "port",
    "resume",
    "revert",
    "revert-window",
    "serve-socket-file",
    "serve-tcp-port",
    "statsd-tags",
    "table",
    "test-on-replica",
    "user",
    "version",
    "metrics-listen",
];
/// Flags with secrets: they would stand in the manifest and in the list of processes.
const SECRET_FLAGS: [&str; 2] = ["password", "master-password"];
/// Most migrations at a time.
const CONCURRENCY_MAX: usize = 1_000;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 64;

/// Something wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// What a failed job means to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Nothing more begins.
    Stop,
    /// What comes after its migration doesn't begin.
    SkipDependents,
    /// Nothing: what comes after it begins all the same.
    GoOn,
}

/// What the end of the window means to migrations under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowEnd {
    /// They go on to their ends.
    Finish,
    /// They are stopped, and go on in the next window.
    Stop,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What the manifest calls it.
    pub name: String,
    /// The line it begins on.
    pub line: usize,
    /// Address.
    pub host: Option<String>,
    /// Port.
    pub port: Option<usize>,
    /// User.
    pub user: Option<String>,
    /// Option file with user and password.
    pub conf: Option<String>,
    /// The environment's variable that has the password.
    pub password_env: Option<String>,
    /// Most migrations at a time.
    pub concurrency: usize,
    /// Flags for connections and migrations.
    pub flags: Flags,
}

/// One ALTER for many tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its name.
    pub name: String,
    /// The line it begins on.
    pub line: usize,
    /// Patterns of servers' names.
    pub servers: Vec<String>,
    /// Patterns of schemas.
    pub schemas: Vec<String>,
    /// Patterns of tables.
    pub tables: Vec<String>,
    /// The ALTER.
    pub alter: String,
    /// Columns that expressions fill, each as `--backfill` has it.
    pub backfills: Vec<String>,
    /// Migrations that have to be done before.
    pub after: Vec<usize>,
    /// Flags of its own.
    pub flags: Flags,
}

impl Migration {
    /// The ALTER and the backfills without passwords, as the history has them.
    #[must_use]
    pub fn recorded(&self) -> String {
        recorded(&self.alter, self.backfills.iter().map(String::as_str))
    }
}

/// A checked manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The batch's name: its state is kept under it.
    pub name: String,
    /// The server that keeps the state, and its schema.
    pub state: (usize, String),
    /// Most migrations at a time.
    pub concurrency: usize,
    /// What a failure means.
    pub on_failure: OnFailure,
    /// The times at which migrations may begin, and the line that says so.
    pub window: Option<(String, usize)>,
    /// What its end means.
    pub window_end: WindowEnd,
    /// Folder of the logs.
    pub logs: String,
    /// A command for the end.
    pub on_end: Option<String>,
    /// Flags of all migrations.
    pub defaults: Flags,
    /// Servers by name.
    pub servers: Vec<Server>,
    /// Migrations as they are written.
    pub migrations: Vec<Migration>,
}

/// Reads a manifest.
///
/// # Errors
/// Every problem, by lines.
pub fn parse(text: &str) -> Result<Manifest, Vec<Problem>> {
    let mut reader = Reader {
        text,
        problems: Vec::new(),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = reader.line(error.span().map_or(0, |span| span.start));
        reader.problem(line, format!("not TOML: {}", error.message()));
    }
    // What can't be read would only lead to more problems that aren't any.
    let manifest = if reader.problems.is_empty() {
        reader.manifest(document.get_ref())
    } else {
        None
    };
    let mut problems = reader.problems;
    problems.sort();
    problems.dedup();
    match manifest {
        Some(manifest) if problems.is_empty() => Ok(manifest),
        Some(_) | None => Err(problems),
    }
}

/// Whether a pattern has characters that stand for others.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '%', '?'])
}

/// Whether a name fits a pattern: `*` and `%` stand for any characters, `?` for one.
#[must_use]
pub fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut here) = (0, 0);
    // Where to go on when what came after the last star doesn't fit.
    let mut star = None;
    while here < name.len() {
        match pattern.get(at) {
            Some('*' | '%') => {
                star = Some((at, here));
                at += 1;
            }
            Some(character) if *character == '?' || name.get(here) == Some(character) => {
                at += 1;
                here += 1;
            }
            Some(_) | None => {
                let Some((star_at, from)) = star else {
                    return false;
                };
                star = Some((star_at, from + 1));
                (at, here) = (star_at + 1, from + 1);
            }
        }
    }
    pattern
        .get(at..)
        .is_none_or(|rest| rest.iter().all(|c| matches!(c, '*' | '%')))
}

struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn problem(&mut self, line: usize, what: impl Into<String>) {
        let what = what.into();
        self.problems.push(Problem { line, what });
    }

    fn manifest(&mut self, table: &DeTable<'_>) -> Option<Manifest> {
        self.known(
            table,
            "the manifest",
            &[
                "name",
                "concurrency",
                "server-concurrency",
                "on-failure",
                "window",
                "when-window-ends",
                "logs",
                "on-end",
                "state",
                "defaults",
                "servers",
                "migrations",
            ],
        );
        let name = self.needed(table, "the manifest", 1, "name");
        if let Some(name) = &name
            && !is_name(name)
        {
            let line = self.line_of(table, "name");
            self.problem(
                line,
                format!("name: up to {NAME_CHARS_MAX} letters, digits, -, _ and ."),
            );
        }
        let concurrency = self.count(table, "concurrency").unwrap_or(4);
        let usual = self.count(table, "server-concurrency").unwrap_or(1);
        let on_failure = self.word(
            table,
            "on-failure",
            &[
                ("stop", OnFailure::Stop),
                ("skip-dependents", OnFailure::SkipDependents),
                ("go-on", OnFailure::GoOn),
            ],
        );
        let window_end = self.word(
            table,
            "when-window-ends",
            &[("finish", WindowEnd::Finish), ("stop", WindowEnd::Stop)],
        );
        let window = self.text(table, "window");
        let window = window.map(|window| (window, self.line_of(table, "window")));
        let defaults = self.flags(table, "defaults");
        let servers = self.servers(table, usual);
        let state = self.state(table, &servers);
        let migrations = self.migrations(table, &servers);
        Some(Manifest {
            name: name?,
            state: state?,
            concurrency,
            on_failure,
            window,
            window_end,
            logs: self.text(table, "logs").unwrap_or_else(|| "logs".into()),
            on_end: self.text(table, "on-end"),
            defaults,
            servers,
            migrations,
        })
    }

    fn state(&mut self, table: &DeTable<'_>, servers: &[Server]) -> Option<(usize, String)> {
        let Some((line, state)) = self.table(table, "state") else {
            self.problem(1, "[state] must say server and schema");
            return None;
        };
        self.known(state, "[state]", &["server", "schema"]);
        let schema = self.needed(state, "[state]", line, "schema");
        let name = self.needed(state, "[state]", line, "server")?;
        let server = servers.iter().position(|server| server.name == name);
        if server.is_none() {
            let line = self.line_of(state, "server");
            self.problem(line, format!("[state]: there is no [servers.{name}]"));
        }
        Some((server?, schema?))
    }

    fn servers(&mut self, table: &DeTable<'_>, usual: usize) -> Vec<Server> {
        let Some((_, entries)) = self.table(table, "servers") else {
            self.problem(1, "there must be a [servers.NAME] at least");
            return Vec::new();
        };
        let mut servers: Vec<Server> = Vec::new();
        for (name, value) in entries {
            let line = self.line(name.span().start);
            let name = name.get_ref().to_string();
            let place = format!("[servers.{name}]");
            let DeValue::Table(entry) = value.get_ref() else {
                self.problem(line, format!("servers.{name} must be a table, {place}"));
                continue;
            };
            self.known(
                entry,
                &place,
                &[
                    "host",
                    "port",
                    "user",
                    "conf",
                    "password-env",
                    "concurrency",
                    "flags",
                ],
            );
            if !is_name(&name) {
                self.problem(line, format!("{place}: letters, digits, -, _ and . only"));
            }
            let server = Server {
                host: self.text(entry, "host"),
                port: self.number(entry, "port", 65_535),
                user: self.text(entry, "user"),
                conf: self.text(entry, "conf"),
                password_env: self.text(entry, "password-env"),
                concurrency: self.count(entry, "concurrency").unwrap_or(usual),
                flags: self.flags(entry, "flags"),
                name,
                line,
            };
            if server.host.is_none() && server.conf.is_none() {
                self.problem(line, format!("{place}: host is missing"));
            }
            let place_of = |server: &Server| {
                let host = server.host.clone()?;
                Some((host, server.port.unwrap_or(3306)))
            };
            let twin = servers
                .iter()
                .find(|other| place_of(other).is_some() && place_of(other) == place_of(&server));
            if let Some(twin) = twin {
                let what = format!("{place} has the same address as [servers.{}]", twin.name);
                self.problem(line, what);
            }
            servers.push(server);
        }
        servers
    }

    fn migrations(&mut self, table: &DeTable<'_>, servers: &[Server]) -> Vec<Migration> {
        let entries = match find(table, "migrations").map(|value| value.get_ref()) {
            Some(DeValue::Array(entries)) if !entries.is_empty() => entries,
            Some(_) | None => {
                self.problem(1, "there must be a [[migrations]] at least");
                return Vec::new();
            }
        };
        let mut migrations: Vec<Migration> = Vec::new();
        let mut wanted: Vec<Vec<String>> = Vec::new();
        for entry in entries {
            let line = self.line(entry.span().start);
            let DeValue::Table(entry) = entry.get_ref() else {
                self.problem(line, "each of migrations must be a table, [[migrations]]");
                continue;
            };
            let name = self.text(entry, "name").unwrap_or_default();
            let place = match name.as_str() {
                "" => "[[migrations]]".to_owned(),
                name => format!("migration {name}"),
            };
            if name.is_empty() {
                self.problem(line, format!("{place}: name is missing"));
            } else if migrations.iter().any(|other| other.name == name) {
                self.problem(line, format!("{place}: there are two of this name"));
            }
            wanted.push(self.texts(entry, "after"));
            let migration = self.migration(entry, (line, &place), name, servers);
            migrations.push(migration);
        }
        self.order(&mut migrations, &wanted);
        migrations
    }

    fn migration(
        &mut self,
        entry: &DeTable<'_>,
        (line, place): (usize, &str),
        name: String,
        servers: &[Server],
    ) -> Migration {
        self.known(
            entry,
            place,
            &[
                "name", "servers", "schemas", "tables", "alter", "backfill", "after", "flags",
            ],
        );
        let mut patterns = self.texts(entry, "servers");
        if find(entry, "servers").is_none() {
            patterns = vec!["*".into()];
        }
        for pattern in &patterns {
            if !servers.iter().any(|server| fits(pattern, &server.name)) {
                let line = self.line_of(entry, "servers");
                self.problem(line, format!("{place}: no server is called {pattern}"));
            }
        }
        let schemas = self.texts(entry, "schemas");
        let tables = self.texts(entry, "tables");
        for (key, none) in [
            ("schemas", schemas.is_empty()),
            ("tables", tables.is_empty()),
        ] {
            if none {
                self.problem(line, format!("{place}: {key} are missing"));
            }
        }
        Migration {
            alter: self.needed(entry, place, line, "alter").unwrap_or_default(),
            backfills: self.texts(entry, "backfill"),
            flags: self.flags(entry, "flags"),
            servers: patterns,
            after: Vec::new(),
            name,
            line,
            schemas,
            tables,
        }
    }

    /// Finds what each comes after; nothing may come after itself.
    fn order(&mut self, migrations: &mut [Migration], wanted: &[Vec<String>]) {
        let names: Vec<String> = migrations.iter().map(|other| other.name.clone()).collect();
        for (migration, after) in migrations.iter_mut().zip(wanted) {
            for name in after {
                match names.iter().position(|other| other == name) {
                    Some(index) => migration.after.push(index),
                    None => self.problem(
                        migration.line,
                        format!("migration {}: after: there is no {name}", migration.name),
                    ),
                }
            }
        }
        for (index, migration) in migrations.iter().enumerate() {
            if before(migrations, index).contains(&index) {
                let what = format!("migration {}: comes after itself", migration.name);
                self.problem(migration.line, what);
            }
        }
    }

    fn known(&mut self, table: &DeTable<'_>, place: &str, keys: &[&str]) {
        for key in table.keys() {
            if !keys.contains(&key.get_ref().as_ref()) {
                let line = self.line(key.span().start);
                let what = format!(
                    "{place} has no {}; it has {}",
                    key.get_ref(),
                    keys.join(", ")
                );
                self.problem(line, what);
            }
        }
    }

    fn line_of(&self, table: &DeTable<'_>, key: &str) -> usize {
        find(table, key).map_or(1, |value| self.line(value.span().start))
    }

    fn table<'t, 'i>(
        &mut self,
        table: &'t DeTable<'i>,
        key: &str,
    ) -> Option<(usize, &'t DeTable<'i>)> {
        let value = find(table, key)?;
        let line = self.line(value.span().start);
        let DeValue::Table(inner) = value.get_ref() else {
            self.problem(line, format!("{key} must be a table, [{key}]"));
            return None;
        };
        Some((line, inner))
    }

    fn text(&mut self, table: &DeTable<'_>, key: &str) -> Option<String> {
        let value = find(table, key)?;
        let line = self.line(value.span().start);
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => return Some(text.to_string()),
            DeValue::String(_) => self.problem(line, format!("{key} is empty")),
            _ => self.problem(line, format!("{key} must be a string")),
        }
        None
    }

    fn needed(
        &mut self,
        table: &DeTable<'_>,
        place: &str,
        line: usize,
        key: &str,
    ) -> Option<String> {
        if find(table, key).is_none() {
            self.problem(line, format!("{place}: {key} is missing"));
        }
        self.text(table, key)
    }

    /// A string or several.
    fn texts(&mut self, table: &DeTable<'_>, key: &str) -> Vec<String> {
        match find(table, key).map(|value| value.get_ref()) {
            None => Vec::new(),
            Some(DeValue::Array(entries)) => {
                let mut texts = Vec::new();
                for entry in entries {
                    let line = self.line(entry.span().start);
                    match entry.get_ref() {
                        DeValue::String(text) => texts.push(text.to_string()),
                        _ => self.problem(line, format!("{key} must be strings")),
                    }
                }
                texts
            }
            Some(_) => self.text(table, key).into_iter().collect(),
        }
    }

    fn count(&mut self, table: &DeTable<'_>, key: &str) -> Option<usize> {
        self.number(table, key, CONCURRENCY_MAX)
    }

    fn number(&mut self, table: &DeTable<'_>, key: &str, most: usize) -> Option<usize> {
        let value = find(table, key)?;
        let number = match value.get_ref() {
            DeValue::Integer(digits) if digits.radix() == 10 => digits
                .as_str()
                .parse()
                .ok()
                .filter(|n| (1..=most).contains(n)),
            _ => None,
        };
        if number.is_none() {
            let line = self.line(value.span().start);
            self.problem(line, format!("{key} must be a number from 1 to {most}"));
        }
        number
    }

    fn word<T: Copy>(&mut self, table: &DeTable<'_>, key: &str, words: &[(&str, T)]) -> T {
        let [(_, first), ..] = words else {
            unreachable!("there are words to choose from");
        };
        let Some(text) = self.text(table, key) else {
            return *first;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let line = self.line_of(table, key);
        self.problem(line, format!("{key} is one of {}", known.join(", ")));
        *first
    }

    /// Flags of the command line, without their dashes.
    fn flags(&mut self, table: &DeTable<'_>, key: &str) -> Flags {
        let Some((_, entries)) = self.table(table, key) else {
            return Flags::new();
        };
        let mut flags = Flags::new();
        for (name, value) in entries {
            let line = self.line(name.span().start);
            let name = name.get_ref().to_string();
            if SECRET_FLAGS.contains(&name.as_str()) {
                let what = format!(
                    "{key}: {name} would be seen by everybody; use password-env or conf of the server"
                );
                self.problem(line, what);
                continue;
            }
            let of_a_flag = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if !name.chars().all(of_a_flag) {
                self.problem(line, format!("{key}: {name:?} is no flag's name"));
                continue;
            }
            if OWN_FLAGS.contains(&name.as_str()) {
                let what = match name.as_str() {
                    "backfill" => format!(
                        "{key}: --backfill belongs to one ALTER: write backfill = [\"column = expression\"] beside it"
                    ),
                    _ => format!("{key}: --{name} can't be set in a batch"),
                };
                self.problem(line, what);
                continue;
            }
            match values(value) {
                Some(values) => {
                    flags.insert(name, values);
                }
                None => self.problem(
                    line,
                    format!("{key}: {name} must be a string, a number, true, false or strings"),
                ),
            }
        }
        flags
    }
}

fn find<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    let entry = table
        .iter()
        .find(|(name, _)| name.get_ref().as_ref() == key);
    entry.map(|(_, value)| value)
}

fn values(value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(digits) if digits.radix() == 10 => Some(digits.as_str().to_owned()),
        DeValue::Float(digits) => Some(digits.as_str().to_owned()),
        DeValue::Boolean(on) => Some(on.to_string()),
        _ => None,
    };
    match value.get_ref() {
        DeValue::Array(entries) => entries.iter().map(|entry| one(entry.get_ref())).collect(),
        other => one(other).map(|text| vec![text]),
    }
}

fn is_name(text: &str) -> bool {
    text.chars().count() <= NAME_CHARS_MAX
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// All migrations that one comes after, also by way of others.
#[must_use]
pub fn before(migrations: &[Migration], of: usize) -> BTreeSet<usize> {
    let after = |index: usize| migrations.get(index).map_or(&[][..], |found| &found.after);
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = after(of).to_vec();
    while let Some(index) = open.pop() {
        if found.insert(index) {
            open.extend(after(index));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "notes"
concurrency = 3
on-failure = "skip-dependents"
[state]
server = "one"
schema = "ops"
[defaults]
chunk-size = 500
[servers.one]
host = "a"
[servers.two]
host = "b"
concurrency = 2
password-env = "TWO"
[[migrations]]
name = "first"
schemas = "shop_*"
tables = ["orders", "items"]
alter = "ADD COLUMN note INT"
flags = { verify-repair = true, statsd-addr = "h:1" }
[[migrations]]
name = "second"
servers = "two"
schemas = "x"
tables = "y"
alter = "FORCE"
after = ["first"]
"#;

    #[test]
    fn it_is_read_whole() {
        let manifest = parse(GOOD).expect("a manifest");
        assert_eq!((manifest.concurrency, manifest.servers.len()), (3, 2));
        let [first, second] = &manifest.migrations[..] else {
            panic!("two migrations");
        };
        assert_eq!(first.flags["verify-repair"], ["true"]);
        assert_eq!(first.servers, ["*"]);
        assert_eq!(second.after, [0]);
        assert_eq!(manifest.defaults["chunk-size"], ["500"]);
        assert_eq!(manifest.servers[1].concurrency, 2);
        assert_eq!(manifest.state, (0, "ops".into()));
    }

    #[test]
    fn all_problems_are_told_with_their_lines() {
        let text = r#"
name = "a b"
concurency = 3
concurrency = 0
on-failure = "panic"
[state]
server = "three"
[defaults]
password = "secret"
execute = true
[servers.one]
port = "x"
[[migrations]]
name = "m"
servers = "nine"
tables = "t"
after = ["m", "gone"]
alter = ""
"#;
        let problems = parse(text).expect_err("problems");
        let told: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.line, problem.what))
            .collect();
        let told = told.join("\n");
        for expected in [
            "2: name: up to",
            "3: the manifest has no concurency",
            "4: concurrency must be a number from 1",
            "5: on-failure is one of stop, skip-dependents, go-on",
            "6: [state]: schema is missing",
            "7: [state]: there is no [servers.three]",
            "9: defaults: password would be seen",
            "10: defaults: --execute can't be set",
            "11: [servers.one]: host is missing",
            "12: port must be a number",
            "13: migration m: schemas are missing",
            "13: migration m: after: there is no gone",
            "13: migration m: comes after itself",
            "15: migration m: no server is called nine",
            "18: alter is empty",
        ] {
            assert!(told.contains(expected), "{expected} in\n{told}");
        }
        assert!(!told.contains("secret"), "{told}");
        let broken = parse("name = \n[state\n").expect_err("not TOML");
        assert!(broken.len() >= 2, "{broken:?}");
    }

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, name, expected) in [
            ("shop_*", "shop_1", true),
            ("shop_%", "shop_", true),
            ("shop_*", "shopx1", false),
            ("*a*b", "xaybzb", true),
            ("*a*b", "xaybz", false),
            ("t?", "t1", true),
            ("t?", "t", false),
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
