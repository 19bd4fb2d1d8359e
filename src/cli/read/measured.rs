//! What is asked for about metrics.

use super::Given;
use crate::config::{Metrics, StatsdPlace};
use crate::metrics::statsd;

impl Given<'_> {
    /// Where the numbers go.
    pub(super) fn metrics(&self) -> Metrics {
        let listen = self.optional("metrics-listen").and_then(|text| {
            let parsed = listen(&text);
            if parsed.is_none() {
                self.problem(format!(
                    "--metrics-listen: {text} is not PORT or HOST:PORT; a port alone is loopback's, \
                     0.0.0.0:PORT is every address's"
                ));
            }
            parsed
        });
        let place = self.optional("statsd-addr").and_then(|text| {
            let parsed = statsd_place(&text);
            if parsed.is_none() {
                self.problem(format!(
                    "--statsd-addr: {text} is not host:port, nor the path of a unix socket"
                ));
            }
            parsed
        });
        let tags = self.texts("statsd-tags");
        if !tags.is_empty() && self.optional("statsd-addr").is_none() {
            self.problem("--statsd-tags requires --statsd-addr");
        }
        for tag in &tags {
            if let Some(wrong) = statsd::misfit(tag) {
                self.problem(format!("--statsd-tags: {tag:?} {wrong}"));
            }
        }
        Metrics {
            listen,
            statsd: place,
            tags,
        }
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let values = self.matches.get_many::<String>(name);
        values.into_iter().flatten().cloned().collect()
    }
}

/// A port alone is loopback's: who listens elsewhere has to say where.
fn listen(text: &str) -> Option<(String, u16)> {
    match text.parse() {
        Ok(port) => Some(("127.0.0.1".into(), port)),
        Err(_) => host_and_port(text),
    }
}

fn statsd_place(text: &str) -> Option<StatsdPlace> {
    let path = text.strip_prefix("unix://").unwrap_or(text);
    if path.starts_with('/') {
        return Some(StatsdPlace::Unix(path.into()));
    }
    let (host, port) = host_and_port(text)?;
    (port > 0).then_some(StatsdPlace::Udp(host, port))
}

/// `host:port` or `[address]:port`.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => text
            .rsplit_once(':')
            .filter(|(host, _)| !host.contains(':'))?,
    };
    let named = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/');
    Some((host.to_owned(), port.parse().ok()?)).filter(|_| named)
}
