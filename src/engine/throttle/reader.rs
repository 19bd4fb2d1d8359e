//! A connection that reads a signal, made when it is needed and made again when it is lost.

use std::time::Duration;

use crate::engine::usual;
use crate::mysql::classify::{Fault, FaultKind};
use crate::mysql::session::{Address, Answer, Session};
use crate::sql::Statement;

/// The connection of one collector.
pub(super) struct Reader {
    address: Address,
    role: &'static str,
    /// Run on every new connection.
    settings: Option<Statement>,
    session: Option<Session>,
    /// The connection is lost, or not set up.
    broken: bool,
}

impl Reader {
    /// A reader without a connection yet. It writes nothing, so the stream needn't know of it.
    pub(super) fn new(address: &Address, role: &'static str, settings: Option<Statement>) -> Self {
        let address = Address {
            roster: None,
            ..address.clone()
        };
        Self {
            address,
            role,
            settings,
            session: None,
            broken: false,
        }
    }

    /// Asks, after one attempt to connect if there is no connection. An earlier question is over
    /// before the next one is asked: the lost connection's statement is ended first.
    pub(super) async fn ask(
        &mut self,
        statement: &Statement,
        limit: Duration,
    ) -> Result<Answer, Fault> {
        let session = match &mut self.session {
            Some(session) => {
                if self.broken {
                    session.reopen_once().await?;
                }
                session
            }
            none => {
                let setup = usual(self.role, String::new());
                self.broken = true;
                none.insert(Session::open(&self.address, setup).await?)
            }
        };
        if self.broken
            && let Some(settings) = &self.settings
        {
            session.run(settings).await?;
        }
        let answer = session.run_for(statement, limit).await;
        self.broken = match &answer {
            Ok(_) => false,
            Err(fault) => matches!(fault.kind, FaultKind::Lost | FaultKind::TimedOut),
        };
        answer
    }

    /// Gives the connection up: there is nothing to read at present.
    pub(super) fn rest(&mut self) {
        self.session = None;
    }
}
