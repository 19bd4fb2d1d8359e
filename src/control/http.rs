//! The throttle URL: which ones can be asked, the request, and what the answer means. Pure.

/// Why a URL can't be asked.
const FORM: &str = "must be http://host[:port][/path]";

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Host and port as the URL has them, for the Host header.
    authority: String,
    /// Path and query.
    path: String,
}

impl Target {
    /// Reads a URL. Only plain HTTP without an account can be asked.
    ///
    /// # Errors
    /// What a URL must be.
    pub fn parse(url: &str) -> Result<Self, String> {
        let wrong = || FORM.to_owned();
        let scheme = "http://";
        if !url
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        {
            return Err(wrong());
        }
        let rest = url.get(scheme.len()..).unwrap_or_default();
        let rest = rest.split('#').next().unwrap_or_default();
        // A line end in it would begin another header.
        if rest.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = split_authority(authority).ok_or_else(wrong)?;
        if host.is_empty() || host.contains('@') {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            path: if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/{path}")
            },
        })
    }

    /// The request: headers only are wanted, and the connection isn't used again.
    #[must_use]
    pub fn request(&self) -> String {
        format!(
            "HEAD {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tableshift\r\nAccept: */*\r\nConnection: \
             close\r\n\r\n",
            self.path, self.authority
        )
    }
}

fn split_authority(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (
                host,
                rest.strip_prefix(':').or(rest.is_empty().then_some(""))?,
            )
        }
        None => authority.rsplit_once(':').unwrap_or((authority, "")),
    };
    let port = if port.is_empty() {
        80
    } else {
        port.parse().ok()?
    };
    Some((host, port))
}

/// The status code in the first line of an answer.
#[must_use]
pub fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    words.next().filter(|word| word.starts_with("HTTP/1."))?;
    words
        .next()?
        .parse()
        .ok()
        .filter(|code| (100..=999).contains(code))
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A status code.
    Status(u16),
    /// None: no connection, no answer in time, or no HTTP.
    Failed,
}

/// Why the URL throttles, in gh-ost's words; `ignore_errors` lets go when there was no answer.
#[must_use]
pub fn reason(url: &str, answer: Answer, ignore_errors: bool) -> Option<String> {
    let code = match answer {
        Answer::Status(200) => return None,
        Answer::Failed if ignore_errors => return None,
        Answer::Status(code) => i32::from(code),
        Answer::Failed => -1,
    };
    let words = match (code, url.contains("freno")) {
        (404, false) => "Not found",
        (404, true) => "freno: unknown metric",
        (417, false) => "Expectation failed",
        (417, true) => "freno: access forbidden",
        (429, false) => "Too many requests",
        (429, true) => "freno: threshold exceeded",
        (500, false) => "Internal server error",
        (500, true) => "freno: internal error",
        (-1, false) => "Connection error",
        (-1, true) => "freno: connection error",
        _ => return Some(format!("http={code}")),
    };
    Some(format!("{words} (http={code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_urls_are_read_and_others_are_not_guessed_at() {
        let parsed = |url: &str| {
            let target = Target::parse(url).expect(url);
            (target.host, target.port, target.authority, target.path)
        };
        let expected = |host: &str, port, authority: &str, path: &str| {
            (host.to_owned(), port, authority.to_owned(), path.to_owned())
        };
        assert_eq!(parsed("http://h"), expected("h", 80, "h", "/"));
        assert_eq!(
            parsed("HTTP://freno.example:9777/check/a/mysql/b?low=1#x"),
            expected(
                "freno.example",
                9_777,
                "freno.example:9777",
                "/check/a/mysql/b?low=1"
            )
        );
        assert_eq!(
            parsed("http://[::1]:81?a"),
            expected("::1", 81, "[::1]:81", "/?a")
        );
        assert_eq!(parsed("http://[::1]"), expected("::1", 80, "[::1]", "/"));
        for wrong in [
            "https://h/",
            "h:80",
            "http://",
            "http://:80/",
            "http://u:p@h/",
            "http://h:x/",
            "http://h:99999/",
            "http://[::1/",
            "http://[::1]x/",
            "http://h/a\r\nX: y",
            "http://h/a b",
            "",
        ] {
            assert_eq!(Target::parse(wrong), Err(FORM.to_owned()), "{wrong:?}");
        }
    }

    #[test]
    fn the_request_asks_for_headers_only() {
        let request = Target::parse("http://h:8/a?b").expect("a URL").request();
        assert!(request.starts_with("HEAD /a?b HTTP/1.1\r\nHost: h:8\r\n"));
        assert!(request.ends_with("\r\n\r\n"));
    }

    #[test]
    fn the_status_is_in_the_first_line() {
        assert_eq!(status_of(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"), Some(200));
        assert_eq!(status_of(b"HTTP/1.0 429\r\n"), Some(429));
        for wrong in [
            &b"SSH-2.0-OpenSSH\r\n"[..],
            b"HTTP/1.1 abc\r\n",
            b"HTTP/1.1 20\r\n",
            b"HTTP/1.1",
            b"\xff\xfe\n",
            b"",
        ] {
            assert_eq!(status_of(wrong), None);
        }
    }

    #[test]
    fn everything_but_200_throttles_in_gh_osts_words() {
        let plain = |code| reason("http://h/", Answer::Status(code), true);
        assert_eq!(plain(200), None);
        assert_eq!(plain(404).as_deref(), Some("Not found (http=404)"));
        assert_eq!(plain(417).as_deref(), Some("Expectation failed (http=417)"));
        assert_eq!(plain(429).as_deref(), Some("Too many requests (http=429)"));
        assert_eq!(
            plain(500).as_deref(),
            Some("Internal server error (http=500)")
        );
        assert_eq!(plain(204).as_deref(), Some("http=204"));
        assert_eq!(plain(301).as_deref(), Some("http=301"));
        let freno = |answer| reason("http://freno:1/check", answer, false);
        for (code, words) in [
            (404, "freno: unknown metric (http=404)"),
            (417, "freno: access forbidden (http=417)"),
            (429, "freno: threshold exceeded (http=429)"),
            (500, "freno: internal error (http=500)"),
        ] {
            assert_eq!(freno(Answer::Status(code)).as_deref(), Some(words));
        }
        let failed = "freno: connection error (http=-1)";
        assert_eq!(freno(Answer::Failed).as_deref(), Some(failed));
        let failed = reason("http://h/", Answer::Failed, false);
        assert_eq!(failed.as_deref(), Some("Connection error (http=-1)"));
        assert_eq!(reason("http://h/", Answer::Failed, true), None);
    }
}
