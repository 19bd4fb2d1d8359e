//! What somebody asks the metrics endpoint for, and the head of the answer. Pure.
//!
//! As much of HTTP/1.1 as it takes to be scraped: one request a connection, GET or HEAD.

use super::exposition::Format;

/// What to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The numbers in this form.
    Metrics(Format),
    /// Only what the answer would be like.
    Head(Format),
    /// Nothing that is here: status code and its words.
    Refused(u16, &'static str),
}

/// A request that is too long.
pub const TOO_LONG: Asked = Asked::Refused(431, "Request Header Fields Too Large");
/// What no client that speaks HTTP/1 sends.
pub const BAD: Asked = Asked::Refused(400, "Bad Request");

/// Whether the head of a request is complete.
#[must_use]
pub fn is_whole(bytes: &[u8]) -> bool {
    bytes.windows(4).any(|four| four == b"\r\n\r\n") || bytes.windows(2).any(|two| two == b"\n\n")
}

/// Reads the head of a request.
#[must_use]
pub fn read(bytes: &[u8]) -> Asked {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return BAD;
    };
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return BAD;
    };
    if !version.starts_with("HTTP/1.") {
        return BAD;
    }
    let path = target.split('?').next().unwrap_or_default();
    if path != "/metrics" {
        return Asked::Refused(404, "Not Found");
    }
    let accepted: Vec<&str> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("accept"))
        .map(|(_, value)| value)
        .collect();
    let format = negotiated(&accepted.join(","));
    match method {
        "GET" => Asked::Metrics(format),
        "HEAD" => Asked::Head(format),
        _ => Asked::Refused(405, "Method Not Allowed"),
    }
}

/// OpenMetrics for who takes 1.0.0 at least as gladly as plain text; everybody can read the older form.
fn negotiated(accept: &str) -> Format {
    let (mut open, mut plain) = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut weight, mut version) = (1_000, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => weight = permille(value.trim()),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        match (kind.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => open = open.max(weight),
            ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => {
                plain = plain.max(weight);
            }
            _ => {}
        }
    }
    if open > 0 && open >= plain {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

/// A weight of 0 to 1 with up to three digits (RFC 9110, "Quality Values"), times a thousand.
fn permille(text: &str) -> u32 {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{digits:0<3}");
    let fraction = digits.get(..3).and_then(|digits| digits.parse().ok());
    match (whole.parse::<u32>(), fraction) {
        (Ok(whole), Some(fraction)) => whole
            .saturating_mul(1_000)
            .saturating_add(fraction)
            .min(1_000),
        _ => 0,
    }
}

/// The whole answer.
#[must_use]
pub fn answer(asked: Asked, numbers: impl FnOnce(Format) -> String) -> String {
    let (status, kind, more, body) = match asked {
        Asked::Metrics(format) | Asked::Head(format) => (
            "200 OK".to_owned(),
            format.content_type(),
            "",
            numbers(format),
        ),
        Asked::Refused(code, words) => {
            let allow = if code == 405 {
                "Allow: GET, HEAD\r\n"
            } else {
                ""
            };
            let body = format!("{words}; the numbers are at /metrics\n");
            (
                format!("{code} {words}"),
                "text/plain; charset=utf-8",
                allow,
                body,
            )
        }
    };
    let shown = match asked {
        Asked::Head(_) => "",
        Asked::Metrics(_) | Asked::Refused(..) => body.as_str(),
    };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nVary: Accept\r\n\
         {more}Connection: close\r\n\r\n{shown}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str, accept: &str) -> Asked {
        read(format!("{line}\r\nHost: h\r\naccept: {accept}\r\n\r\n").as_bytes())
    }

    #[test]
    fn the_form_is_what_the_client_prefers() {
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain", Format::Text),
            ("application/json", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;version=0.0.1", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            (
                "application/openmetrics-text;q=0.1,text/plain;q=0.5",
                Format::Text,
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
                 version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;\
                 version=1.0.0;escaping=allow-utf-8;q=0.7,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
        ] {
            let found = asked("GET /metrics HTTP/1.1", accept);
            assert_eq!(found, Asked::Metrics(format), "{accept}");
        }
    }

    #[test]
    fn anything_but_the_numbers_is_refused() {
        for (line, code) in [
            ("GET / HTTP/1.1", 404),
            ("GET /metrics/x HTTP/1.1", 404),
            ("GET http://other/metrics HTTP/1.1", 404),
            ("POST /metrics HTTP/1.1", 405),
            ("GET /metrics", 400),
            ("GET /metrics HTTP/2", 400),
            ("GET /metrics HTTP/1.1 x", 400),
            ("", 400),
        ] {
            let Asked::Refused(found, _) = asked(line, "") else {
                panic!("{line}");
            };
            assert_eq!(found, code, "{line}");
        }
        assert_eq!(read(b"\xff\xfe"), BAD);
        let query = asked("HEAD /metrics?x=1 HTTP/1.0", "");
        assert_eq!(query, Asked::Head(Format::Text));
    }

    #[test]
    fn a_request_is_whole_at_its_empty_line() {
        assert!(is_whole(b"GET / HTTP/1.1\r\n\r\n") && is_whole(b"GET / HTTP/1.1\n\n"));
        assert!(!is_whole(b"GET / HTTP/1.1\r\nHost: h\r\n") && !is_whole(b""));
    }

    #[test]
    fn answers_say_their_length_and_end_the_connection() {
        let numbers = |_| "é 1\n".to_owned();
        let whole = answer(Asked::Metrics(Format::OpenMetrics), numbers);
        assert_eq!(
            whole,
            "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; \
             charset=utf-8\r\nContent-Length: 5\r\nVary: Accept\r\nConnection: close\r\n\r\né 1\n"
        );
        let head = answer(Asked::Head(Format::OpenMetrics), numbers);
        assert_eq!(whole.strip_suffix("é 1\n"), Some(head.as_str()));
        let refused = answer(Asked::Refused(405, "Method Not Allowed"), numbers);
        assert!(refused.contains("\r\nAllow: GET, HEAD\r\n"));
        assert!(refused.ends_with("\r\n\r\nMethod Not Allowed; the numbers are at /metrics\n"));
    }
}
