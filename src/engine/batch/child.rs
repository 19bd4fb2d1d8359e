//! A migration as a process of its own: the same program, an ordinary command line, its output in a log.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::target;
use crate::config::{PARENT_VARIABLE, PASSWORD_VARIABLE};
use crate::error::exit;
use crate::limits;
use crate::mysql::address::Address;
use crate::plan::history::reason;

/// What is run.
pub(super) struct Spec {
    pub(super) arguments: Vec<String>,
    pub(super) log: PathBuf,
    /// What its attempt begins with in the log.
    pub(super) title: String,
    /// The password, if the manifest says where it is.
    pub(super) password: Option<String>,
    /// Variables with passwords, which are no business of it.
    pub(super) secret_variables: Vec<String>,
    pub(super) address: Address,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// The exit code; none if a signal ended it, or if it could not be waited for.
    pub(super) code: Option<u8>,
    pub(super) reason: String,
    /// The server went away, so nothing is wrong with the migration.
    pub(super) unreachable: bool,
    /// It never ran.
    pub(super) unborn: bool,
}

/// Runs it to its end, or until it has been told to stop and has had its time.
pub(super) async fn run(spec: Spec, stop: watch::Receiver<bool>) -> End {
    let unborn = |reason: String| End {
        code: None,
        reason,
        unreachable: false,
        unborn: true,
    };
    let (mut log, from) = match open(&spec.log, &spec.title) {
        Ok(opened) => opened,
        Err(error) => return unborn(format!("{}: {error}", spec.log.display())),
    };
    let child = match start(&spec, &log) {
        Ok(child) => child,
        Err(error) => return unborn(format!("the program can't be run: {error}")),
    };
    let status = wait(child, stop).await;
    let mut end = End {
        code: status.and_then(|status| u8::try_from(status.code()?).ok()),
        reason: said(&spec.log, from),
        unreachable: false,
        unborn: false,
    };
    if end.code.is_none() {
        end.reason = match status {
            Some(status) => format!("its process ended without an exit code: {status}"),
            None => "its process didn't end in time after it was told to stop".into(),
        };
    }
    if end.code == Some(exit::FAILED)
        && let Err(fault) = target::reachable(&spec.address).await
    {
        end.unreachable = true;
        end.reason = fault.to_string();
    }
    let code = end.code.map_or("none".to_owned(), |code| code.to_string());
    // The summary has the code as well.
    let _ = writeln!(log, "# exit code {code}");
    end
}

fn open(path: &Path, title: &str) -> std::io::Result<(File, u64)> {
    let mut log = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(log, "# {title}")?;
    let from = log.metadata()?.len();
    Ok((log, from))
}

fn start(spec: &Spec, log: &File) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(&spec.arguments)
        .env(PARENT_VARIABLE, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        // A Ctrl-C at the terminal is for the batch, which tells its migrations itself.
        .process_group(0);
    for variable in &spec.secret_variables {
        command.env_remove(variable);
    }
    if let Some(password) = &spec.password {
        command.env(PASSWORD_VARIABLE, password);
    }
    command.spawn()
}

/// Waits for its end; once it is to stop, only for a while.
async fn wait(mut child: Child, mut stop: watch::Receiver<bool>) -> Option<ExitStatus> {
    let asked = async {
        // The sender lives as long as the batch does.
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        status = child.wait() => return status.ok(),
        () = asked => {}
    }
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        // It may have ended meanwhile.
        let _ = kill_process(pid, Signal::TERM);
    }
    let ended = tokio::time::timeout(limits::BATCH_STOP_WAIT, child.wait()).await;
    ended.ok()?.ok()
}

/// The last error that an attempt told in its log.
fn said(path: &Path, from: u64) -> String {
    let tail = || -> std::io::Result<String> {
        let mut log = File::open(path)?;
        let length = log.metadata()?.len();
        let begin = from.max(length.saturating_sub(limits::BATCH_LOG_TAIL));
        log.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        log.take(limits::BATCH_LOG_TAIL).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let tail = tail().unwrap_or_default();
    let mut lines: Vec<&str> = tail.lines().collect();
    let at = lines.iter().rposition(|line| line.starts_with("error: "));
    let Some(at) = at else {
        return String::new();
    };
    // Several reasons for a refusal stand below it.
    let lines = lines.split_off(at);
    let first = reason(lines.first().unwrap_or(&""));
    let more = lines
        .iter()
        .skip(1)
        .take_while(|line| line.starts_with("  "));
    let whats: Vec<&str> = more
        .filter_map(|line| line.strip_prefix("  what:  "))
        .collect();
    if whats.is_empty() {
        return first;
    }
    reason(&format!("error: {first}: {}", whats.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_last_error_of_the_attempt() {
        let path = std::env::temp_dir().join(format!("tableshift-said-{}", std::process::id()));
        let earlier = "error: earlier\n";
        let text = format!(
            "{earlier}error: one\nerror: refused\n  data:  none\n  what:  a\n  what:  b\nend\n"
        );
        std::fs::write(&path, &text).expect("a log");
        let from = u64::try_from(earlier.len()).expect("small");
        assert_eq!(said(&path, from), "refused: a; b");
        assert_eq!(said(&path, u64::try_from(text.len()).expect("small")), "");
        std::fs::remove_file(&path).expect("the log");
    }
}
