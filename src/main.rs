//! The program: command line in, exit code out.

use std::process::ExitCode;

use tableshift::cli::terminal::ask_password;
use tableshift::cli::{Asked, problems_text, read};
use tableshift::config::{Cleanup, Config, Listing, Pair, Planning};
use tableshift::control::{client, parent};
use tableshift::engine;
use tableshift::error::exit;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "ctl") {
        return ctl(arguments);
    }
    if let Err(problem) = parent::follow() {
        write(std::io::stderr(), &format!("error: {problem}\n"));
        return ExitCode::from(exit::STOPPED);
    }
    match read(arguments) {
        Asked::Print(text) => {
            write(std::io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Asked::Wrong(text) => wrong(&text),
        Asked::Run(mut config) if config.ask_password => match ask_password() {
            Ok(password) => {
                config.password = password;
                run(*config)
            }
            Err(problem) => wrong(&problems_text(&[problem])),
        },
        Asked::Run(config) => run(*config),
        Asked::CleanUp(wanted) => clean_up(*wanted),
        Asked::List(wanted) => list(*wanted),
        Asked::Verify(pair) => verify(*pair),
        Asked::Differ(config) => differ(*config),
        Asked::Plan(planning) => plan(*planning),
        Asked::Batch(wanted) => ended(engine::batch::run(
            &wanted,
            std::io::stdout(),
            std::io::stderr(),
        )),
    }
}

fn run(config: Config) -> ExitCode {
    ended(engine::run(config))
}

fn ended(end: anyhow::Result<u8>) -> ExitCode {
    match end {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            write(std::io::stderr(), &format!("error: {error:#}\n"));
            ExitCode::from(exit::INTERNAL)
        }
    }
}

fn clean_up(mut wanted: Cleanup) -> ExitCode {
    match asked_for(&mut wanted.config) {
        Ok(()) => ended(engine::cleanup::run(&wanted, std::io::stdout())),
        Err(problem) => wrong(&problem),
    }
}

fn list(mut wanted: Listing) -> ExitCode {
    match asked_for(&mut wanted.config) {
        Ok(()) => ended(engine::listing::run(
            &wanted,
            std::io::stdout(),
            std::io::stderr(),
        )),
        Err(problem) => wrong(&problem),
    }
}

/// The password, if it is to be asked for.
fn asked_for(config: &mut Config) -> Result<(), String> {
    if config.ask_password {
        config.password = ask_password().map_err(|problem| problems_text(&[problem]))?;
    }
    Ok(())
}

fn verify(mut pair: Pair) -> ExitCode {
    if pair.config.ask_password {
        match ask_password() {
            Ok(password) => pair.config.password = password,
            Err(problem) => return wrong(&problems_text(&[problem])),
        }
    }
    ended(engine::verify_alone::run(&pair, std::io::stdout()))
}

fn differ(mut config: Config) -> ExitCode {
    if let Err(problem) = asked_for(&mut config) {
        return wrong(&problem);
    }
    // As diff(1): 1 says that they differ, whatever else went wrong is 2.
    let code = engine::desired::run(&config, std::io::stdout(), std::io::stderr());
    ExitCode::from(code.unwrap_or(exit::USAGE))
}

fn plan(mut wanted: Planning) -> ExitCode {
    match asked_for(&mut wanted.config) {
        Ok(()) => ended(engine::prospect::run(
            &wanted,
            std::io::stdout(),
            std::io::stderr(),
        )),
        Err(problem) => wrong(&problem),
    }
}

/// The other end of a running migration's socket.
fn ctl(arguments: Vec<String>) -> ExitCode {
    match client::command().try_get_matches_from(arguments) {
        Ok(matches) => ExitCode::from(client::run(&matches, std::io::stdout(), std::io::stderr())),
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            let _ = error.print();
            ExitCode::from(code)
        }
    }
}

fn wrong(text: &str) -> ExitCode {
    write(std::io::stderr(), text);
    ExitCode::from(exit::USAGE)
}

/// A closed pipe on the other side is no error of ours.
fn write(mut to: impl std::io::Write, text: &str) {
    let _ = to.write_all(text.as_bytes());
}
