//! The program: command line in, exit code out.

use std::process::ExitCode;

use tableshift::cli::{Asked, read};
use tableshift::engine;
use tableshift::error::exit;

fn main() -> ExitCode {
    match read(std::env::args().skip(1)) {
        Asked::Print(text) => {
            write(std::io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Asked::Wrong(text) => {
            write(std::io::stderr(), &text);
            ExitCode::from(exit::USAGE)
        }
        Asked::Run(config) => match engine::run(*config) {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                write(std::io::stderr(), &format!("error: {error:#}\n"));
                ExitCode::from(exit::INTERNAL)
            }
        },
    }
}

/// A closed pipe on the other side is no error of ours.
fn write(mut to: impl std::io::Write, text: &str) {
    let _ = to.write_all(text.as_bytes());
}
