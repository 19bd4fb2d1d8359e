//! TLS: from the operator's wishes to the driver's options, and from its errors to what to do.

use std::path::PathBuf;

use mysql_async::{ClientIdentity, SslOpts};

use crate::config::{Tls, TlsMode};

/// Name of the step in messages; [`advice`] is asked for faults of it.
pub(super) const STEP: &str = "set up TLS";

/// The driver's options, or none for connections without TLS.
///
/// Its `skip_domain_validation` recognises a wrong name by the word `NotValidForName` in the error's
/// text, which the TLS library doesn't write any more; but it writes the name that was looked for. So
/// for verify-ca that very word is the name: the chain is checked first, and the error about the name,
/// in the old form or in the new one, is the one that is passed over. `tests/tls.rs` holds both sides.
pub(super) fn options(tls: &Tls) -> Option<SslOpts> {
    let roots: Vec<_> = tls.ca.iter().cloned().map(Into::into).collect();
    let own_roots = !roots.is_empty();
    let identity = tls
        .identity
        .clone()
        .map(|(certificate, key)| ClientIdentity::new(certificate.into(), key.into()));
    let plain = SslOpts::default()
        .with_root_certs(roots)
        .with_disable_built_in_roots(own_roots)
        .with_client_identity(identity);
    match tls.mode {
        TlsMode::Disabled => None,
        TlsMode::Preferred | TlsMode::Required => {
            Some(plain.with_danger_accept_invalid_certs(true))
        }
        TlsMode::VerifyCa => Some(
            plain
                .with_danger_skip_domain_validation(true)
                .with_danger_tls_hostname_override(Some("NotValidForName")),
        ),
        TlsMode::VerifyIdentity => Some(plain),
    }
}

/// Whether a server without TLS is accepted.
pub(super) fn falls_back(tls: &Tls, error: &mysql_async::Error) -> bool {
    use mysql_async::DriverError::NoClientSslFlagFromServer;

    tls.mode == TlsMode::Preferred
        && matches!(error, mysql_async::Error::Driver(NoClientSslFlagFromServer))
}

/// The TLS library's text, if that is what failed.
pub(super) fn failure(error: &mysql_async::Error) -> Option<String> {
    use mysql_async::{DriverError, Error, IoError};

    match error {
        Error::Io(IoError::Tls(tls)) => Some(tls.to_string()),
        // A handshake that fails comes as an error of the stream, with the library's error inside.
        Error::Io(IoError::Io(io)) if io.kind() == std::io::ErrorKind::InvalidData => {
            io.get_ref().map(ToString::to_string)
        }
        Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            Some("the server has no TLS".to_owned())
        }
        _ => None,
    }
}

/// What to do about a failure of TLS.
pub(super) fn advice(message: &str) -> &'static str {
    let has = |word| message.contains(word);
    if has("has no TLS") {
        "configure certificates on the server, or use --ssl-mode=preferred or disabled"
    } else if has("UnknownIssuer") || has("BadSignature") {
        "name the authority that signed the server's certificate with --ssl-ca (MySQL's own is ca.pem \
         in its data folder)"
    } else if has("not valid for name") || has("NotValidForName") {
        "use a --host that the server's certificate names (subjectAltName), or --ssl-mode=verify-ca"
    } else if has("Expired") || has("expired") || has("not yet valid") {
        "renew the server's certificate, and compare the clocks of both hosts"
    } else if has("received fatal alert") {
        "the server refused our certificate or our protocol version: check --ssl-cert and --ssl-key, \
         and the server's tls_version"
    } else {
        "check the files of --ssl-ca, --ssl-cert and --ssl-key, and the server's certificate"
    }
}

/// Why the files can't be used; an empty list when they can.
///
/// Told before the first connection, because a file that is missing would otherwise look like a server
/// that can't be reached.
#[must_use]
pub fn problems(tls: &Tls) -> Vec<String> {
    if tls.mode == TlsMode::Disabled {
        return Vec::new();
    }
    let mut files: Vec<(&str, &PathBuf, &str)> = Vec::new();
    if let Some(ca) = &tls.ca {
        files.push(("ssl-ca", ca, "CERTIFICATE-----"));
    }
    if let Some((certificate, key)) = &tls.identity {
        files.push(("ssl-cert", certificate, "CERTIFICATE-----"));
        files.push(("ssl-key", key, "PRIVATE KEY-----"));
    }
    let wrong = |(flag, path, mark): (&str, &PathBuf, &str)| {
        let name = path.display();
        match std::fs::read_to_string(path) {
            Ok(text) if text.contains(mark) => None,
            Ok(_) => Some(format!(
                "--{flag}: {name} holds no {mark} block of a PEM file"
            )),
            Err(error) => Some(format!("--{flag}: {name} can't be read: {error}")),
        }
    };
    files.into_iter().filter_map(wrong).collect()
}
