//! Server and driver errors, classified once.

use std::fmt;

use super::tls;
use crate::core::event::{About, Failure};

/// What an error means for what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A NOWAIT read met a row that somebody holds (3572). The transaction goes on.
    Held,
    /// A lock wait or deadlock among our own statements (1205, 1213), a statement interrupted by us
    /// (1317), or no room for another connection (1040, 1203). Can be tried again after a rollback.
    Conflict,
    /// The connection is gone; whether the statement took effect is unknown.
    Lost,
    /// The statement took too long; its connection was thrown away and killed.
    TimedOut,
    /// The transaction is too much for the server's limits (1197, 1206); a smaller one may pass.
    TooLarge,
    /// Trying again would give the same answer.
    Definite,
}

/// A statement that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it means.
    pub kind: FaultKind,
    /// The server's error number.
    pub code: Option<u16>,
    /// Name of the statement.
    pub statement: &'static str,
    /// The server's text, without row values.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "could not {}: {} ({code})", self.statement, self.message),
            None => write!(f, "could not {}: {}", self.statement, self.message),
        }
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// A fault of a statement that took longer than it may.
    #[must_use]
    pub fn timed_out(statement: &'static str, seconds: u64) -> Self {
        Self {
            kind: FaultKind::TimedOut,
            code: None,
            statement,
            message: format!("no answer within {seconds} s"),
        }
    }

    /// A fault of a connection that is gone already.
    #[must_use]
    pub fn lost(statement: &'static str) -> Self {
        Self {
            kind: FaultKind::Lost,
            code: None,
            statement,
            message: "the connection is lost".into(),
        }
    }

    /// An answer that doesn't have the expected form.
    #[must_use]
    pub fn unexpected(statement: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::Definite,
            code: None,
            statement,
            message: message.into(),
        }
    }

    /// The failure as the operator reads it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let about = match self.code {
            Some(1062) => About::Duplicates,
            Some(_) | None => About::Nothing,
        };
        Failure::new(self.to_string(), self.advice()).about(about)
    }

    /// The same fault with the rows among which it happened, if it is one that the rows are to blame
    /// for.
    #[must_use]
    pub fn among(mut self, rows: impl FnOnce() -> String) -> Self {
        if self.kind == FaultKind::Definite && self.code.is_some() {
            self.message = format!("{}, in {}", self.message, rows());
        }
        self
    }

    fn advice(&self) -> &'static str {
        if self.statement == tls::STEP {
            return tls::advice(&self.message);
        }
        match self.code {
            Some(UNKNOWN_PLUGIN) => {
                "check user and password: for accounts that don't exist the server makes a plugin up; \
                 sha256_password isn't supported (ALTER USER … IDENTIFIED WITH caching_sha2_password)"
            }
            Some(1045 | 1698) => {
                "check user and password; an account that needs TLS (SHOW CREATE USER) needs --ssl or \
                 --ssl-mode, with REQUIRE X509 also --ssl-cert and --ssl-key"
            }
            Some(3159) => "the server takes TLS only: add --ssl, or --ssl-mode=required",
            Some(1048) => {
                "a NULL doesn't fit the altered column: UPDATE the rows first, or allow NULL"
            }
            Some(1292) => {
                "a value doesn't fit the altered column: correct the rows first; zero dates pass with \
                 --allow-zero-in-date"
            }
            Some(1365) => "correct the rows first, or write the expression so that it can't fail",
            Some(1264 | 1265 | 1300 | 1366 | 1406 | 1411 | 1690 | 3140) => {
                "a value doesn't fit the altered column: correct the rows first, or choose a wider \
                 type"
            }
            Some(1062) => "remove the duplicates, or leave the unique key out",
            Some(1526 | 3819) => {
                "a row violates a constraint of the altered table: correct it first"
            }
            Some(1114 | 1021) => "free disk space on the server, then run the command again",
            Some(1197) => {
                "a single row is too much for max_binlog_cache_size: SET GLOBAL it to a higher \
                 value, then run the command again"
            }
            Some(1206) => {
                "the server has no memory for more row locks: enlarge innodb_buffer_pool_size, then \
                 run the command again"
            }
            Some(1040 | 1203) => {
                "raise max_connections or max_user_connections, or end idle ones; then run it again"
            }
            Some(1095) => {
                "grant CONNECTION_ADMIN, or end the connection that the message names; then run it again"
            }
            Some(1153) => "SET GLOBAL max_allowed_packet to 16 MiB or more, then run it again",
            Some(1142 | 1044 | 1227 | 1370) => "grant the missing privilege, then run it again",
            Some(1290 | 1836) => "the server is read-only: run against the primary",
            Some(_) | None => match self.kind {
                FaultKind::Lost | FaultKind::TimedOut => {
                    "see that the server is up and reachable, then run the command again"
                }
                FaultKind::Held
                | FaultKind::Conflict
                | FaultKind::TooLarge
                | FaultKind::Definite => "see the server's message, then run the command again",
            },
        }
    }
}

/// The number by which MySQL's own clients tell that they don't know an authentication plugin.
const UNKNOWN_PLUGIN: u16 = 1251;

/// Classifies a driver error.
#[must_use]
pub fn classify(error: &mysql_async::Error, statement: &'static str) -> Fault {
    if let Some(message) = tls::failure(error) {
        return Fault::unexpected(tls::STEP, message);
    }
    match error {
        mysql_async::Error::Driver(mysql_async::DriverError::UnknownAuthPlugin { name }) => Fault {
            kind: FaultKind::Definite,
            code: Some(UNKNOWN_PLUGIN),
            statement,
            message: format!("the server asks for a login by {name}"),
        },
        mysql_async::Error::Server(server) => {
            let kind = match server.code {
                3572 => FaultKind::Held,
                1040 | 1203 | 1205 | 1213 | 1317 | 3024 => FaultKind::Conflict,
                1197 | 1206 => FaultKind::TooLarge,
                1053 | 1077 | 1079 | 1152 | 1158..=1161 | 2006 | 2013 | 3169 | 4031 => {
                    FaultKind::Lost
                }
                _ => FaultKind::Definite,
            };
            let message = without_values(server.code, &server.message);
            let message = if handles_rows(statement) && !names_only(server.code) {
                without_quotes(&message)
            } else {
                message
            };
            Fault {
                kind,
                code: Some(server.code),
                statement,
                message,
            }
        }
        mysql_async::Error::Io(io) => Fault {
            kind: FaultKind::Lost,
            code: None,
            statement,
            message: io.to_string(),
        },
        other => {
            let kind = if other.is_fatal() {
                FaultKind::Lost
            } else {
                FaultKind::Definite
            };
            Fault {
                kind,
                code: None,
                statement,
                message: other.to_string(),
            }
        }
    }
}

/// Statements in whose errors the server may quote values of rows.
fn handles_rows(statement: &str) -> bool {
    [
        "copy chunk",
        "refresh rows",
        "delete rows",
        "find rows passed over",
        "compare chunk",
        "find rows that differ",
        "find rows too many",
        "check rows again",
        "look for duplicates",
    ]
    .contains(&statement)
}

/// Errors that quote names of columns, keys and constraints, beside what [`without_values`] has taken out.
fn names_only(code: u16) -> bool {
    matches!(
        code,
        1048 | 1062
            | 1054
            | 1114
            | 1146
            | 1197
            | 1205
            | 1213
            | 1264
            | 1265
            | 1292
            | 1364
            | 1366
            | 1406
            | 1411
            | 1525
            | 1586
            | 1690
            | 3140
            | 3141
            | 3156
            | 3572
            | 3819
    )
}

/// Whatever else a message quotes may be a value.
fn without_quotes(message: &str) -> String {
    let mut parts = message.split('\'');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut quoted = true;
    for part in parts {
        text.push('\'');
        text.push_str(if quoted { "…" } else { part });
        quoted = !quoted;
    }
    text
}

/// Messages of these errors quote a value first; everything up to the end of that quote goes.
fn without_values(code: u16, message: &str) -> String {
    if matches!(code, 1300 | 1526 | 1690 | 3854) {
        return "a value doesn't fit (the server's message quotes it)".to_owned();
    }
    if !matches!(code, 1062 | 1292 | 1366 | 1411 | 1525 | 1586) {
        return message.to_owned();
    }
    let Some((before, rest)) = message.split_once('\'') else {
        return message.to_owned();
    };
    let after = [" for key", " for column", " for datetime"]
        .iter()
        .filter_map(|mark| rest.rfind(&format!("'{mark}")))
        .max()
        .and_then(|position| rest.get(position..))
        .unwrap_or("'");
    format!("{before}'…{after}")
}

impl Fault {
    /// A row was refused for what it holds, and would be again as long as it holds it (MySQL error
    /// reference): NULL, a value that is out of range, too long or of another kind, no default for a column
    /// that isn't given, a foreign key or a CHECK constraint.
    #[must_use]
    pub fn is_misfit(&self) -> bool {
        const CODES: [u16; 21] = [
            1048, 1263, 1264, 1265, 1292, 1300, 1364, 1365, 1366, 1406, 1411, 1416, 1452, 1525,
            1526, 1690, 3140, 3141, 3143, 3819, 3903,
        ];
        let code = self.code.is_some_and(|code| CODES.contains(&code));
        code && self.kind == FaultKind::Definite
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_unknown_error_quotes_is_taken_for_a_value() {
        let message = "Data cannot be converted to a valid vector: 's3cr3t'";
        let said = without_quotes(message);
        assert_eq!(said, "Data cannot be converted to a valid vector: '…'");
        assert!(handles_rows("copy chunk") && !handles_rows("alter the ghost table"));
    }

    #[test]
    fn messages_lose_their_values() {
        let cases = [
            (
                1062,
                "Duplicate entry 'o'brien-1' for key 'g.u'",
                "Duplicate entry '…' for key 'g.u'",
            ),
            (
                1366,
                "Incorrect integer value: 'a' for column 'b' for column 'c' at row 1",
                "Incorrect integer value: '…' for column 'c' at row 1",
            ),
            (
                1292,
                "Truncated incorrect DOUBLE value: 'secret'",
                "Truncated incorrect DOUBLE value: '…'",
            ),
            (
                1526,
                "Table has no partition for value 4242",
                "a value doesn't fit (the server's message quotes it)",
            ),
            (
                3140,
                "Invalid JSON text: \"Invalid value.\" at position 0 in value for column 't.j'.",
                "Invalid JSON text: \"Invalid value.\" at position 0 in value for column 't.j'.",
            ),
            (
                1406,
                "Data too long for column 'c' at row 1",
                "Data too long for column 'c' at row 1",
            ),
        ];
        for (code, message, expected) in cases {
            assert_eq!(without_values(code, message), expected);
        }
    }
}
