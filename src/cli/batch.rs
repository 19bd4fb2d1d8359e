//! The command line of `tableshift batch`, and the check of a manifest: every command line that it leads to is
//! read as if it had been typed, so that nothing is begun that can't be carried out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};

use super::{Asked, command, read::Given, understood, wrong};
use crate::config::{Batch, BatchWish, Config};
use crate::control::window::Window;
use crate::plan::batch::jobs::{command_line, connection};
use crate::plan::batch::manifest::{Manifest, Problem, Server, fits, parse};
use crate::report::Format;

const HELP: &str = "\
Runs many migrations, over many servers and schemas, from one manifest

Usage: tableshift batch MANIFEST [--execute] [--retry-failed] [--retry JOB] [--mark-done JOB] [--format FORM]
       tableshift batch status MANIFEST [--format FORM]

  --execute       Run what isn't done yet; without it this lists what would be done and writes nothing
  --retry-failed  Try those again that failed; otherwise they stay failed
  --retry         Try this job again, whatever became of its table (id of the list; may be repeated)
  --mark-done     Its table is as it should be: don't run this job (may be repeated)
  --format        Of the summary: text, or json for one object
  --worker        What this machine is called (default: its host name)

The manifest is TOML, docs/batch.md has one. The state is kept on the server that it names, so that several
machines can work on one manifest and any of them can be asked for the status. What was interrupted goes
on, what is done is skipped: run it from cron as often as you like.
Ends with 0 when all is done, 12 when some failed, 13 when something is left to do, 14 when another process
of this machine is at it, 2 or 3 when the manifest can't be carried out, 5 when its state can't be reached.
";

fn own_command() -> Command {
    let text = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Set);
    let several = |name: &'static str| Arg::new(name).long(name).action(ArgAction::Append);
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("tableshift batch")
        .disable_help_flag(true)
        .arg(Arg::new("words").action(ArgAction::Append))
        .args([switch("execute"), switch("retry-failed"), switch("help")])
        .args([several("retry"), several("mark-done")])
        .args([text("format"), text("worker")])
        .arg(Arg::new("h").short('h').action(ArgAction::SetTrue))
}

/// Reads it, without the program's name and the word `batch`.
pub(super) fn read(arguments: &[String]) -> Asked {
    let matches = match understood(own_command(), "batch", HELP, arguments) {
        Ok(matches) => matches,
        Err(asked) => return *asked,
    };
    let all = |name: &str| -> Vec<String> {
        let values = matches.get_many::<String>(name);
        values
            .map(|values| values.cloned().collect())
            .unwrap_or_default()
    };
    let mut problems = Vec::new();
    let words = all("words");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (status, path) = match words[..] {
        [path] if path != "status" => (false, path),
        ["status", path] => (true, path),
        _ => {
            problems.push("tableshift batch is followed by [status] and a manifest".to_owned());
            (false, "")
        }
    };
    let (retry, mark_done) = (all("retry"), all("mark-done"));
    let execute = matches.get_flag("execute");
    let retry_failed = matches.get_flag("retry-failed");
    let writes = retry_failed || !retry.is_empty() || !mark_done.is_empty();
    if status && (execute || writes) {
        problems.push("status only reads: without --execute, --retry… and --mark-done".into());
    } else if writes && !execute {
        problems.push("--retry-failed, --retry and --mark-done need --execute".into());
    }
    let format = match matches.get_one::<String>("format").map(String::as_str) {
        Some("text") | None => Format::Text,
        Some("json") => Format::Json,
        Some(other) => {
            problems.push(format!("--format is one of text, json, not {other}"));
            Format::Text
        }
    };
    if !problems.is_empty() {
        return wrong(&problems);
    }
    let checked = match load(Path::new(path)) {
        Ok(checked) => checked,
        Err(problems) => return Asked::Wrong(manifest_text(path, &problems)),
    };
    Asked::Batch(Box::new(Batch {
        manifest: checked.manifest,
        window: checked.window,
        servers: checked.servers,
        passwords: checked.passwords,
        folder: folder(Path::new(path)),
        wish: match (status, execute) {
            (true, _) => BatchWish::Status,
            (false, true) => BatchWish::Execute,
            (false, false) => BatchWish::Look,
        },
        retry_failed,
        retry,
        mark_done,
        format,
        worker: matches.get_one::<String>("worker").cloned(),
    }))
}

fn folder(manifest: &Path) -> PathBuf {
    match manifest.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

fn manifest_text(path: &str, problems: &[Problem]) -> String {
    let mut text = format!("error: the manifest {path} can't be carried out");
    for problem in problems {
        text.push_str(&format!(
            "\n  what:  line {}: {}",
            problem.line, problem.what
        ));
    }
    text.push_str("\n  data:  nothing was sent to any server\n  next:  see docs/batch.md\n");
    text
}

/// A manifest of which every command line can be carried out.
struct Checked {
    manifest: Manifest,
    window: Option<Window>,
    servers: Vec<Config>,
    passwords: Vec<Option<String>>,
}

fn load(path: &Path) -> Result<Checked, Vec<Problem>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("it can't be read: {error}");
        vec![Problem { line: 1, what }]
    })?;
    check(parse(&text)?, |variable| std::env::var(variable).ok())
}

fn check(
    manifest: Manifest,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Checked, Vec<Problem>> {
    let mut problems = BTreeSet::new();
    let mut told = BTreeSet::new();
    let mut problem = |line: usize, what: String| {
        // A default that is wrong is wrong for all; it is told once.
        if told.insert(what.clone()) {
            problems.insert(Problem { line, what });
        }
    };
    let window = manifest.window.as_ref().and_then(|(text, line)| {
        let window = Window::parse(text);
        window
            .map_err(|wrong| problem(*line, format!("window: {wrong}")))
            .ok()
    });
    let mut servers = Vec::new();
    let mut passwords = Vec::new();
    for server in &manifest.servers {
        let place = format!("[servers.{}]", server.name);
        match configuration(server) {
            Ok(config) => servers.push(config),
            Err(wrongs) => {
                for wrong in wrongs {
                    problem(server.line, format!("{place}: {wrong}"));
                }
            }
        }
        let password = server.password_env.as_ref().map(|name| {
            variable(name).unwrap_or_else(|| {
                problem(
                    server.line,
                    format!("{place}: the variable {name} isn't set"),
                );
                String::new()
            })
        });
        if let (Some(config), Some(password)) = (servers.last_mut(), &password) {
            config.password.clone_from(password);
        }
        passwords.push(password);
        for migration in &manifest.migrations {
            if !migration.servers.iter().any(|p| fits(p, &server.name)) {
                continue;
            }
            let first = |names: &[String]| names.first().cloned().unwrap_or_default();
            let (schema, table) = (first(&migration.schemas), first(&migration.tables));
            let line = command_line(&manifest, (server, migration), (&schema, &table), "0");
            let server_is_wrong = configuration(server).is_err();
            for wrong in arguments(line).err().unwrap_or_default() {
                if !server_is_wrong {
                    problem(migration.line, wrong);
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(Checked {
            manifest,
            window,
            servers,
            passwords,
        })
    } else {
        Err(problems.into_iter().collect())
    }
}

/// How to connect to a server.
fn configuration(server: &Server) -> Result<Config, Vec<String>> {
    let mut line = connection(server);
    for (name, values) in &server.flags {
        line.extend(values.iter().map(|value| format!("--{name}={value}")));
    }
    line.push("--alter=ALTER TABLE d.t FORCE".into());
    arguments(line)
}

/// Reads a migration's command line.
fn arguments(line: Vec<String>) -> Result<Config, Vec<String>> {
    let line = std::iter::once("tableshift".to_owned()).chain(line);
    let matches = command().try_get_matches_from(line).map_err(|error| {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        vec![first.trim_start_matches("error: ").to_owned()]
    })?;
    Given::new(&matches).config()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = 'n'\n[state]\nserver = 'a'\nschema = 's'\n[servers.a]\nhost = 'h'\n\
        password-env = 'SECRET'\nflags = { ssl-mode = 'required' }\n[[migrations]]\nname = 'm'\n\
        schemas = 'd*'\ntables = 't'\nalter = 'FORCE'\n";

    fn checked(text: &str) -> Result<Checked, String> {
        let variable = |name: &str| (name == "SECRET").then(|| "hidden".to_owned());
        let told = |problems: &[Problem]| manifest_text("x.toml", problems);
        let manifest = parse(text).map_err(|problems| told(&problems[..]))?;
        check(manifest, variable).map_err(|problems| told(&problems))
    }

    #[test]
    fn flags_are_checked_as_if_they_were_typed() {
        let good = checked(GOOD).unwrap_or_else(|text| panic!("{text}"));
        assert_eq!(good.servers[0].password, "hidden");
        assert_eq!(good.passwords, [Some("hidden".to_owned())]);
        for (from, to, words) in [
            (
                "'FORCE'",
                "'FORCE'\nflags = { chunk-size = 5 }",
                "line 9: --chunk-size",
            ),
            (
                "'FORCE'",
                "'FORCE'\nflags = { nosuch = 5 }",
                "line 9: unexpected argument '--nosuch",
            ),
            (
                "SECRET",
                "OTHER",
                "line 5: [servers.a]: the variable OTHER isn't set",
            ),
            ("'required'", "'perhaps'", "line 5: [servers.a]: --ssl-mode"),
            ("'FORCE'", "'ADD ('", "line 9: "),
            (
                "name = 'n'",
                "name = 'n'\nwindow = '2-4'",
                "line 2: window: ",
            ),
        ] {
            let text = checked(&GOOD.replacen(from, to, 1))
                .err()
                .expect("a problem");
            assert!(text.contains(words), "{words} in {text}");
            assert!(!text.contains("hidden"), "{text}");
        }
    }

    #[test]
    fn the_example_of_the_docs_is_a_manifest() {
        let page = include_str!("../../docs/batch.md");
        let (_, from) = page.split_once("```toml\n").expect("an example");
        let (example, _) = from.split_once("```").expect("its end");
        let manifest = parse(example).unwrap_or_else(|problems| panic!("{problems:?}"));
        // The option file is of the reader's machine.
        let manifest = Manifest {
            servers: manifest
                .servers
                .into_iter()
                .map(|server| Server {
                    conf: None,
                    ..server
                })
                .collect(),
            ..manifest
        };
        let set = |_: &str| Some("x".to_owned());
        let checked = check(manifest, set).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(checked.manifest.migrations.len(), 2);
        assert!(checked.window.is_some());
    }

    #[test]
    fn its_own_command_line_is_checked_first() {
        for (arguments, words) in [
            (&[][..], "followed by [status] and a manifest"),
            (&["status", "x", "--execute"], "status only reads"),
            (&["x", "--retry-failed"], "need --execute"),
            (&["x", "--format=xml"], "--format is one of"),
            (&["/nonexistent/x.toml"], "it can't be read"),
            (&["x", "--host=h"], "--host"),
        ] {
            let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
            let Asked::Wrong(text) = read(&arguments) else {
                panic!("{arguments:?}");
            };
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}
