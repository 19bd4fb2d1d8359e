//! How to reach a server: every connection of a run, the binary log's included, begins here.

use std::time::Duration;

use mysql_async::{Conn, OptsBuilder};
use tokio::sync::{mpsc, watch};

use super::classify::{Fault, classify};
use super::tls;
use crate::config::Tls;
use crate::limits;

/// User and password, which may change while the run goes on: new connections use the new ones.
#[derive(Clone)]
pub struct Account(watch::Receiver<Credentials>);

/// What an account logs in with; shown nowhere.
#[derive(Clone)]
pub struct Credentials {
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
}

impl Account {
    /// An account that stays as it is.
    #[must_use]
    pub fn fixed(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self::renewable(user, password).0
    }

    /// An account that can be renewed.
    #[must_use]
    pub fn renewable(
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> (Self, watch::Sender<Credentials>) {
        let (sender, receiver) = watch::channel(Credentials {
            user: user.into(),
            password: password.into(),
        });
        (Self(receiver), sender)
    }
}

/// How to reach a server.
#[derive(Clone)]
pub struct Address {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Who logs in.
    pub account: Account,
    /// How connections are protected.
    pub tls: Tls,
    /// Time a new connection may take.
    pub connect_timeout: Duration,
    /// Marks this run's connections and statements.
    pub token: String,
    /// The server that every connection must lead to, once it is known: behind a proxy or a floating
    /// address the next connection may be to another one.
    pub server_uuid: Option<String>,
    /// The advisory lock and the connection that must hold it, once it is held. A run that has lost it
    /// must not come back: the run that has it now has ended all connections of this one, and relies on
    /// that nobody of it writes to the tables, which have the same names.
    pub lock: Option<(String, u32)>,
    /// Who wants to know of connections before they write.
    pub roster: Option<mpsc::Sender<Joined>>,
}

/// The id of a connection that belongs to this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined(pub u32);

/// Passwords beyond this need TLS: the driver's RSA exchange takes no more, and panics.
pub const PASSWORD_BYTES_MAX: usize = 214;

impl Address {
    /// An address for connections without TLS, with the usual limits.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, account: Account, token: String) -> Self {
        Self {
            host: host.into(),
            port,
            account,
            tls: Tls::default(),
            connect_timeout: limits::CONNECT_TIMEOUT,
            token,
            server_uuid: None,
            lock: None,
            roster: None,
        }
    }

    fn options(&self, credentials: Credentials) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname(self.host.clone())
            .tcp_port(self.port)
            .user(Some(credentials.user))
            .pass(Some(credentials.password))
            // The driver would otherwise switch to a local socket of the same path as the
            // server's, which behind a tunnel is another server.
            .prefer_socket(false)
            .tcp_keepalive(Some(Duration::from_secs(60)))
            .max_allowed_packet(Some(1 << 30))
            .wait_timeout(Some(28_800))
            .connect_attribute("program_name", "tableshift")
            .connect_attribute("tableshift_run", &self.token)
            // The run's mark again: over TLS the driver (0.37.1) asks for TLS without saying that
            // attributes follow, and the server then takes none.
            .init(vec![format!("SET @tableshift_run='{}'", self.token)])
    }

    /// The statement that counts this run's connections with this id: ids start again after a restart of
    /// the server, so the id alone would be somebody else's.
    #[must_use]
    pub fn count_of(&self, id: u32) -> String {
        let token = &self.token;
        format!("SELECT COUNT(*) FROM {MARKS} WHERE id={id} AND mark='{token}'")
    }

    /// Connects, within the time that it may take.
    ///
    /// # Errors
    /// When the server can't be reached, can't be trusted, or refuses the account.
    pub(super) async fn connect(
        &self,
        #[cfg_attr(
            not(feature = "faults"),
            expect(unused_variables, reason = "only fault tests ask for it")
        )]
        role: &'static str,
    ) -> Result<Conn, Fault> {
        let connecting = async {
            #[cfg(feature = "faults")]
            let due = crate::faults::before(role, "connect").await?;
            let conn = self.try_connect().await?;
            #[cfg(feature = "faults")]
            due.after().await?;
            Ok(conn)
        };
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error)) => Err(classify(&error, "connect")),
            Err(_) => Err(Fault::timed_out(
                "connect",
                self.connect_timeout.as_secs().max(1),
            )),
        }
    }

    async fn try_connect(&self) -> Result<Conn, mysql_async::Error> {
        let credentials = self.account.0.borrow().clone();
        let password_bytes = credentials.password.len();
        let plain = self.options(credentials);
        if let Some(options) = tls::options(&self.tls) {
            match Conn::new(plain.clone().ssl_opts(options)).await {
                Err(error) if tls::falls_back(&self.tls, &error) => {}
                other => return other,
            }
        }
        if password_bytes > PASSWORD_BYTES_MAX {
            let text = format!("passwords longer than {PASSWORD_BYTES_MAX} bytes need TLS");
            return Err(mysql_async::Error::Other(text.into()));
        }
        Conn::new(plain).await
    }
}

/// The marks of all connections of all runs, as a table of `id` and `mark`: told as attributes, and as
/// variables where attributes are lost ([`Address::count_of`]).
pub const MARKS: &str = "(SELECT PROCESSLIST_ID AS id, ATTR_VALUE AS mark FROM \
     performance_schema.session_connect_attrs WHERE ATTR_NAME='tableshift_run' UNION SELECT \
     t.PROCESSLIST_ID, v.VARIABLE_VALUE FROM performance_schema.user_variables_by_thread AS v JOIN \
     performance_schema.threads AS t USING (THREAD_ID) WHERE v.VARIABLE_NAME='tableshift_run') AS marks";

/// What the marks of all runs on one table begin with, so that a later run can tell what an earlier
/// one has left on the server. `lock` is the name of the table's advisory lock, which the server
/// compares without letter case: so does this.
#[must_use]
pub fn mark_of_table(lock: &str) -> String {
    let digest = lock
        .to_lowercase()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    format!("tableshift-{digest:016x}-")
}
