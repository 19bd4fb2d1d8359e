//! `--discover-replicas`: the primary's list of those that read its binary log.

use tokio::sync::watch;

use super::reader::Reader;
use super::{Collectors, no_answer, patiently};
use crate::control::throttle::{discovered, host_port};
use crate::limits;
use crate::mysql::classify::Fault;
use crate::mysql::session::Answer;
use crate::sql::signals;

/// What is known of the list: nothing yet, the list, or why it can't be read.
pub(super) type Found = Option<Result<Vec<(String, u16)>, String>>;

/// Syntax error: the server doesn't know the statement.
const UNKNOWN_STATEMENT: u16 = 1064;

/// Reads the list now and then, until nobody wants it or the run ends.
pub(super) async fn run(mut around: Collectors, found: watch::Sender<Found>) {
    let mut reader = Reader::new(&around.address, "replicas", None);
    let mut told = None;
    loop {
        let settings = around.settings();
        if !settings.discover_replicas {
            reader.rest();
            if !around.wait_for_settings().await {
                return;
            }
            continue;
        }
        let late = async {
            let _ = found.send(Some(Err(no_answer())));
        };
        let list = match patiently(ask(&mut reader), late).await {
            Ok(answer) => Ok(discovered(&rows(&answer))),
            Err(fault) => Err(fault.message),
        };
        if let Ok(replicas) = &list
            && told.as_ref() != Some(replicas)
        {
            tell(&around, replicas);
            told = Some(replicas.clone());
        }
        let unread = list.is_err();
        if found.send(Some(list)).is_err() {
            return;
        }
        let pause = if unread {
            limits::SIGNAL_LOOK
        } else {
            limits::REPLICA_DISCOVERY
        };
        if !around.wait(pause).await {
            return;
        }
    }
}

async fn ask(reader: &mut Reader) -> Result<Answer, Fault> {
    let limit = limits::SIGNAL_STATEMENT;
    match reader.ask(&signals::replicas(), limit).await {
        Err(fault) if fault.code == Some(UNKNOWN_STATEMENT) => {
            reader.ask(&signals::replicas_before_8_0_22(), limit).await
        }
        answer => answer,
    }
}

fn tell(around: &Collectors, replicas: &[(String, u16)]) {
    if replicas.is_empty() {
        around.reporter.warn(
            "no replicas found: a replica is seen once it is connected and has report_host set",
        );
        return;
    }
    let names: Vec<String> = replicas.iter().map(host_port).collect();
    around
        .reporter
        .info(format!("replicas found: {}", names.join(", ")));
}

/// Hosts and ports. With `show_replica_auth_info` two columns stand between them.
fn rows(answer: &Answer) -> Vec<(String, Option<u16>)> {
    (0..answer.rows.len())
        .map(|row| {
            let columns = answer.rows.get(row).map_or(0, Vec::len);
            let port = answer.number(row, if columns > 5 { 4 } else { 2 });
            let host = answer.text(row, 1).unwrap_or_default();
            (host, port.and_then(|port| u16::try_from(port).ok()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_with_and_without_the_account() {
        let fields = |texts: &[&str]| {
            let field = |text: &&str| Some(text.as_bytes().to_vec());
            texts.iter().map(field).collect::<Vec<_>>()
        };
        let answer = Answer {
            rows: vec![
                fields(&["2", "a", "3307", "1", "uuid"]),
                fields(&["3", "b", "user", "password", "3308", "1", "uuid"]),
            ],
            ..Answer::default()
        };
        let expected = [("a".to_owned(), Some(3_307)), ("b".to_owned(), Some(3_308))];
        assert_eq!(rows(&answer), expected);
    }
}
