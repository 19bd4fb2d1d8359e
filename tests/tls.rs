//! Every mode of TLS against servers with certificates of every kind, from the first connection to the
//! end of a migration.
//!
//! The certificates are made by openssl for each run of the tests; MySQL's own are those it makes in its
//! data folder, whose names fit no host.

#[cfg(test)]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mysql_async::prelude::Queryable;
use support::running::{ALTER, assert_code, execute, schema, tables};
use support::server::{PASSWORD, Server};

/// A folder with certificates; goes away when dropped.
struct Certificates(PathBuf);

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Certificates {
    /// An authority `ca`, another one `other`, a server certificate `server` for `localhost`, one
    /// `stranger` for another host, and `client`.
    fn make(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tableshift-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let made = Self(folder);
        for ca in ["ca", "other"] {
            made.openssl(&format!(
                "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-{ca} -keyout {ca}-key.pem \
                 -out {ca}.pem"
            ));
        }
        made.signed("server", "subjectAltName=DNS:localhost");
        made.signed("stranger", "subjectAltName=DNS:db.example.com");
        made.signed("client", "extendedKeyUsage=clientAuth");
        made
    }

    fn signed(&self, name: &str, extension: &str) {
        std::fs::write(self.0.join("extension"), extension).expect("a file");
        self.openssl(&format!(
            "req -newkey rsa:2048 -nodes -subj /CN=test-{name} -keyout {name}-key.pem -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -out \
             {name}.pem -extfile extension"
        ));
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("openssl; scripts/setup installs it");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {told}");
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// A server that has the certificate `name`.
    fn server(&self, name: &str) -> Server {
        let own = [
            format!("--ssl-ca={}", self.file("ca.pem")),
            format!("--ssl-cert={}", self.file(&format!("{name}.pem"))),
            format!("--ssl-key={}", self.file(&format!("{name}-key.pem"))),
        ];
        Server::start(&own.each_ref().map(String::as_str))
    }
}

/// Looks at the table without a migration; the flags come last and so win.
fn look(server: &Server, schema: &str, flags: &[&str]) -> Output {
    let mut command = support::tableshift_command(server, schema, "t", ALTER);
    command.args(flags).output().expect("the program")
}

#[track_caller]
fn works(server: &Server, schema: &str, flags: &[&str]) {
    let output = look(server, schema, flags);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{flags:?}: {log}");
}

/// Ends before anything is written, with words for what is wrong and what to do.
#[track_caller]
fn fails(server: &Server, schema: &str, flags: &[&str], what: &str, next: &str) {
    let output = look(server, schema, flags);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_code(&output, 5, &["  data:  nothing has been copied"]);
    assert!(log.contains(what), "{flags:?}: no {what:?} in {log}");
    let (_, told) = log.split_once("next:").expect("what to do");
    assert!(told.contains(next), "{flags:?}: no {next:?} in {told}");
    assert!(!log.contains(&format!(" {PASSWORD} ")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_as_each_mode_says() {
    let made = Certificates::make("modes");
    let server = made.server("server");
    let mut conn = setup(&server).await;
    tls_only(&mut conn).await;
    let (ca, other) = (made.file("ca.pem"), made.file("other.pem"));
    let (right, wrong) = (format!("--ssl-ca={ca}"), format!("--ssl-ca={other}"));
    let by_name = "--host=localhost";

    works(&server, "s", &["--ssl-mode=preferred"]);
    works(&server, "s", &["--ssl-mode=required"]);
    works(&server, "s", &["--ssl", "--ssl-allow-insecure"]);
    works(&server, "s", &["--ssl-mode=required", &wrong]);
    works(&server, "s", &["--ssl-mode=verify-ca", &right]);
    works(&server, "s", &["--ssl", &right, by_name]);
    works(
        &server,
        "s",
        &["--ssl-mode=verify-identity", &right, by_name],
    );

    let how = "add --ssl";
    fails(&server, "s", &[], "insecure transport", how);
    fails(
        &server,
        "s",
        &["--ssl-mode=disabled"],
        "insecure transport",
        how,
    );
    let authority = "--ssl-ca";
    for mode in [
        "--ssl-mode=verify-ca",
        "--ssl-mode=verify-identity",
        "--ssl",
    ] {
        fails(
            &server,
            "s",
            &[mode, &wrong, by_name],
            "set up TLS",
            authority,
        );
        fails(&server, "s", &[mode, by_name], "UnknownIssuer", authority);
    }
    // The certificate names localhost, not its address.
    let identity = ["--ssl-mode=verify-identity", &right, "--host=127.0.0.1"];
    fails(&server, "s", &identity, "not valid for name", "verify-ca");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_host_has_the_right_authority_at_most() {
    let made = Certificates::make("stranger");
    let server = made.server("stranger");
    setup(&server).await;
    let right = format!("--ssl-ca={}", made.file("ca.pem"));
    works(&server, "s", &["--ssl-mode=verify-ca", &right]);
    let identity = ["--ssl", &right, "--host=localhost"];
    fails(&server, "s", &identity, "not valid for name", "verify-ca");
}

#[tokio::test(flavor = "multi_thread")]
async fn mysqls_own_certificates_are_good_for_verify_ca() {
    let server = Server::start(&[]);
    setup(&server).await;
    let mut conn = server.conn(None).await;
    let folder: Option<String> = conn
        .query_first("SELECT @@datadir")
        .await
        .expect("a folder");
    let ca = Path::new(&folder.expect("one row")).join("ca.pem");
    assert!(ca.is_file(), "MySQL made certificates of its own");
    let right = format!("--ssl-ca={}", ca.display());
    works(&server, "s", &["--ssl-mode=required"]);
    works(&server, "s", &["--ssl-mode=verify-ca", &right]);
    let identity = ["--ssl-mode=verify-identity", &right, "--host=localhost"];
    fails(&server, "s", &identity, "not valid for name", "verify-ca");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_preferred_goes_on_without_tls_where_the_server_has_none() {
    let server = Server::start(&["--tls-version="]);
    setup(&server).await;
    works(&server, "s", &["--ssl-mode=preferred"]);
    works(&server, "s", &["--ssl-mode=disabled"]);
    for mode in ["--ssl", "--ssl-mode=required", "--ssl-mode=verify-ca"] {
        fails(&server, "s", &[mode], "the server has no TLS", "preferred");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_of_a_whole_migration_shows_our_certificate() {
    let made = Certificates::make("client");
    let server = made.server("server");
    let mut conn = setup(&server).await;
    execute(
        &mut conn,
        &[
            "CREATE USER shown@'%' IDENTIFIED BY 'pass phrase' REQUIRE X509",
            "GRANT ALL ON *.* TO shown@'%'",
        ],
    )
    .await;
    tls_only(&mut conn).await;
    let ca = format!("--ssl-ca={}", made.file("ca.pem"));
    let account = [
        "--user=shown",
        "--password=pass phrase",
        "--ssl",
        "--host=localhost",
    ];
    let nameless: Vec<&str> = account.iter().copied().chain([ca.as_str()]).collect();
    fails(&server, "s", &nameless, "Access denied", "REQUIRE X509");

    let certificate = format!("--ssl-cert={}", made.file("client.pem"));
    let key = format!("--ssl-key={}", made.file("client-key.pem"));
    let shown: Vec<&str> = nameless
        .iter()
        .copied()
        .chain([certificate.as_str(), key.as_str(), "--execute"])
        .collect();
    let output = look(&server, "s", &shown);
    assert_code(&output, 0, &["verified", "cut over"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("pass phrase"));
    assert_eq!(tables(&mut conn).await, ["_t_del", "_t_ghk", "t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_connection_of_a_tls_run_is_ended_over_tls() {
    use tableshift::config::{Tls, TlsMode};
    use tableshift::mysql::session::{Account, Address, Session, Setup, fence};

    let made = Certificates::make("fence");
    let server = made.server("server");
    let account = Account::fixed(support::server::USER, PASSWORD);
    let tls = Tls {
        mode: TlsMode::VerifyIdentity,
        ca: Some(made.0.join("ca.pem")),
        identity: None,
    };
    let token = "tableshift-fence".to_owned();
    let address = Address {
        tls,
        ..Address::new("localhost", server.port, account, token)
    };
    let setup = Setup {
        role: "test",
        sql_mode: String::new(),
        zone: tableshift::plan::Zone::Server,
        lock_wait_seconds: 5,
        idle_seconds: 60,
        pinned: String::new(),
        server_zone: String::new(),
    };
    let mut session = Session::open(&address, setup).await.expect("a session");
    let version = "SHOW SESSION STATUS LIKE 'Ssl_version'";
    let answer = session.say("look", version).await.expect("an answer");
    let version = answer.text(0, 1).expect("a version");
    assert!(version.starts_with("TLSv1."), "{version}");
    fence(&address, session.id()).await.expect("it is gone");
    assert!(session.say("look again", "DO 1").await.is_err());
}

/// A table `s`.`t`.
async fn setup(server: &Server) -> mysql_async::Conn {
    schema(server, "s", 10).await
}

/// From now on the server takes TLS only; this connection stays.
async fn tls_only(conn: &mut mysql_async::Conn) {
    execute(conn, &["SET GLOBAL require_secure_transport = ON"]).await;
}
