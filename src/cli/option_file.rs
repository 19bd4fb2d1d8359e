//! Reads the option file of `--conf`, with what it includes, into the settings that count here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::conf::{self, Item};

/// Files that include one another, at most: as many as MySQL's own programs follow.
const DEPTH_MAX: usize = 10;

/// Names that are taken from the file; all others are for other programs.
pub(super) const TAKEN: [&str; 8] = [
    "user", "password", "host", "port", "ssl-ca", "ssl-cert", "ssl-key", "ssl-mode",
];

/// What an option file says, the last word on each name.
#[derive(Default)]
pub struct OptionFile {
    values: BTreeMap<String, String>,
    /// Where a socket is asked for, if it is: file and line.
    pub socket: Option<String>,
    /// What is said about the file without being wrong.
    pub notes: Vec<String>,
}

impl OptionFile {
    /// Reads a file and all that it includes.
    ///
    /// # Errors
    /// What can't be read, with file and line.
    pub fn load(path: &Path) -> Result<Self, String> {
        let mut file = Self::default();
        file.add(path, DEPTH_MAX)?;
        Ok(file)
    }

    /// A setting's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn add(&mut self, path: &Path, depth: usize) -> Result<(), String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("--conf: {shown} can't be read: {error}"))?;
        let items = conf::parse(&text)
            .map_err(|wrong| format!("--conf: {shown}, line {}: {}", wrong.line, wrong.what))?;
        // The group ends with its file.
        let mut counts = false;
        for (line, item) in items {
            let place = format!("{shown}, line {line}");
            match item {
                Item::Group(name) => {
                    counts = ["client", "mysql", "tableshift"].contains(&name.as_str());
                    if name == "osc" {
                        self.notes.push(format!(
                            "--conf: [osc] has no effect, as in gh-ost ({place})"
                        ));
                    }
                }
                Item::Setting(name, value) if counts => self.set(name, value, &place)?,
                Item::Setting(..) => {}
                Item::Include(_) | Item::IncludeDir(_) if depth == 0 => {
                    return Err(format!("--conf: {place}: more than {DEPTH_MAX} files deep"));
                }
                Item::Include(other) => self.add(&beside(path, &other), depth - 1)?,
                Item::IncludeDir(folder) => {
                    for other in files_of(&beside(path, &folder), &place)? {
                        self.add(&other, depth - 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, name: String, value: Option<String>, place: &str) -> Result<(), String> {
        if name == "socket" {
            self.socket = Some(place.to_owned());
            return Ok(());
        }
        if !TAKEN.contains(&name.as_str()) {
            return Ok(());
        }
        // `password` alone makes the mysql client ask; here --ask-pass does.
        let Some(value) = value else {
            return Err(format!("--conf: {place}: {name} has no value"));
        };
        let value = match conf::variable(&value) {
            Some(variable) => std::env::var(variable).map_err(|_| {
                format!("--conf: {place}: the environment variable {variable} is not set")
            })?,
            None => value,
        };
        self.values.insert(name, value);
        Ok(())
    }
}

/// Paths are meant from the file that names them.
fn beside(file: &Path, other: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(other)
}

/// The option files of a folder, in the order of their names, which MySQL leaves open.
fn files_of(folder: &Path, place: &str) -> Result<Vec<PathBuf>, String> {
    let unreadable = |error| {
        format!(
            "--conf: {place}: {} can't be read: {error}",
            folder.display()
        )
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "cnf") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
