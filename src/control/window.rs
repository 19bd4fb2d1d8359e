//! The times at which a cut-over may begin (`--cut-over-window`). Pure: whoever asks tells the time.
//!
//! A window is what a clock on the wall shows: `02:00-04:00` is open whenever the zone's local time is
//! within it. So when clocks are put forward, what they skip doesn't happen, and when they are put
//! back, it happens twice; in no case is the window open at another local time.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Days of which openings are looked for: a window may be open on one day of the week only, and its
/// time may be skipped by the clocks on that one day.
const DAYS_AHEAD: i32 = 15;
/// The days' names, as they are written.
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Times of day in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    zone: TimeZone,
    /// The zone as it was written, for messages.
    zone_name: String,
    spans: Vec<Span>,
}

/// From one time of day to another, which may be on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// Minutes of the day.
    start: u16,
    /// Minutes of the day, up to [`DAY`]; not after `start`: on the next day.
    end: u16,
    /// The days on which it begins, from Monday.
    days: [bool; 7],
}

/// Whether a cut-over may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Yes.
    Open,
    /// Not before then, in the window's zone; `None` when there is no such time in the next days.
    Opens(Option<String>),
}

impl Window {
    /// Reads `[DAY[-DAY] ]HH:MM-HH:MM[,…] [Zone/City]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (times, name) = match text.rsplit_once(char::is_whitespace) {
            Some((times, name)) if !name.contains(':') => (times, name),
            Some(_) | None => (text, ""),
        };
        let (zone, zone_name) = zone(name)?;
        let spans = times.split(',').map(|text| span(text.trim()));
        Ok(Self {
            spans: spans.collect::<Result<_, String>>()?,
            zone,
            zone_name,
        })
    }

    /// What holds at this moment, in seconds since 1970.
    #[must_use]
    pub fn at(&self, now: u64) -> Opening {
        let now = i64::try_from(now).ok();
        let Some(now) = now.and_then(|now| Timestamp::from_second(now).ok()) else {
            return Opening::Opens(None);
        };
        if self.covers(now) {
            return Opening::Open;
        }
        let next = self.candidates(now).into_iter().filter(|at| *at > now);
        let next = next.filter(|at| self.covers(*at)).min();
        Opening::Opens(next.map(|at| {
            let local = self.zone.to_datetime(at);
            let text = format!("{local}").replace('T', " ");
            let minutes = text.get(..16).unwrap_or(&text);
            format!("{minutes} {}", self.zone_name)
        }))
    }

    fn covers(&self, at: Timestamp) -> bool {
        let local = self.zone.to_datetime(at);
        self.spans.iter().any(|span| span.covers(local))
    }

    /// Every moment at which it may open: the beginnings of the spans in both readings, where clocks
    /// show a time twice, and the moments at which clocks are changed.
    fn candidates(&self, now: Timestamp) -> Vec<Timestamp> {
        let mut found = Vec::new();
        let mut date = self.zone.to_datetime(now).date();
        for _ in 0..DAYS_AHEAD {
            for span in &self.spans {
                let start = moment(date, span.start);
                let readings = || start.map(|start| self.zone.to_ambiguous_timestamp(start));
                found.extend(readings().and_then(|reading| reading.earlier().ok()));
                found.extend(readings().and_then(|reading| reading.later().ok()));
            }
            match date.tomorrow() {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        let changes = self.zone.following(now).take(2);
        found.extend(changes.map(|change| change.timestamp()));
        found
    }
}

impl Span {
    fn covers(&self, local: DateTime) -> bool {
        let time = local.time();
        let minute = u16::try_from(time.hour()).unwrap_or_default() * 60
            + u16::try_from(time.minute()).unwrap_or_default();
        let today = usize::try_from(local.date().weekday().to_monday_zero_offset());
        let today = today.unwrap_or_default();
        let on = |day: usize| self.days.get(day % 7).copied().unwrap_or_default();
        if self.start < self.end {
            return on(today) && (self.start..self.end).contains(&minute);
        }
        on(today) && minute >= self.start || on(today + 6) && minute < self.end
    }
}

fn moment(date: Date, minute: u16) -> Option<DateTime> {
    let (hour, minute) = (minute / 60, minute % 60);
    let time = Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
    time.ok().map(|time| date.to_datetime(time))
}

fn zone(name: &str) -> Result<(TimeZone, String), String> {
    if name.is_empty() {
        let zone = TimeZone::try_system()
            .map_err(|_| "this host's time zone isn't known: name one, as in Europe/Berlin")?;
        return Ok((zone, "(this host's time)".into()));
    }
    match TimeZone::get(name) {
        Ok(zone) => Ok((zone, name.to_owned())),
        Err(_) => Err(format!("{name} is no time zone, such as Europe/Berlin")),
    }
}

fn span(text: &str) -> Result<Span, String> {
    let wrong = || format!("{text:?} is not HH:MM-HH:MM, or with days Mon-Fri HH:MM-HH:MM");
    let (days, times) = match text.rsplit_once(char::is_whitespace) {
        Some((days, times)) => (days_between(days.trim()).ok_or_else(wrong)?, times),
        None => ([true; 7], text),
    };
    let (start, end) = times.split_once('-').ok_or_else(wrong)?;
    let (start, end) = (minutes(start), minutes(end));
    let (start, end) = start.zip(end).ok_or_else(wrong)?;
    if start == DAY {
        return Err(wrong());
    }
    if start == end {
        return Err(format!(
            "{text:?} has no length; a whole day is 00:00-24:00"
        ));
    }
    Ok(Span { start, end, days })
}

fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

fn days_between(text: &str) -> Option<[bool; 7]> {
    let day = |text: &str| {
        NAMES
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text))
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(text)?, day(text)?),
    };
    let length = (last + 7 - first) % 7;
    let mut days = [false; 7];
    for (number, on) in days.iter_mut().enumerate() {
        *on = (number + 7 - first) % 7 <= length;
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(window: &str, moment: &str) -> Opening {
        let moment: Timestamp = moment.parse().expect("a moment");
        let seconds = u64::try_from(moment.as_second()).expect("after 1970");
        Window::parse(window).expect("a window").at(seconds)
    }

    fn opens(text: &str) -> Opening {
        Opening::Opens(Some(text.into()))
    }

    #[test]
    fn it_is_open_from_its_beginning_to_just_before_its_end() {
        for (moment, expected) in [
            (
                "2026-07-01T00:59:59Z",
                opens("2026-07-01 03:00 Europe/Berlin"),
            ),
            ("2026-07-01T01:00:00Z", Opening::Open),
            ("2026-07-01T02:29:59Z", Opening::Open),
            (
                "2026-07-01T02:30:00Z",
                opens("2026-07-02 03:00 Europe/Berlin"),
            ),
        ] {
            assert_eq!(
                at("03:00-04:30 Europe/Berlin", moment),
                expected,
                "{moment}"
            );
        }
    }

    #[test]
    fn it_may_span_midnight_and_there_may_be_several() {
        let window = "23:00-01:00,12:00-12:30 UTC";
        for (moment, expected) in [
            ("2026-03-01T23:30:00Z", Opening::Open),
            ("2026-03-02T00:59:00Z", Opening::Open),
            ("2026-03-02T01:00:00Z", opens("2026-03-02 12:00 UTC")),
            ("2026-03-02T12:29:59Z", Opening::Open),
            ("2026-03-02T12:30:00Z", opens("2026-03-02 23:00 UTC")),
        ] {
            assert_eq!(at(window, moment), expected, "{moment}");
        }
    }

    #[test]
    fn days_are_those_on_which_it_begins() {
        let window = "Fri-Sat 23:00-01:00 UTC";
        // 2026-11-27 is a Friday.
        for (moment, expected) in [
            ("2026-11-27T00:30:00Z", opens("2026-11-27 23:00 UTC")),
            ("2026-11-28T00:30:00Z", Opening::Open),
            ("2026-11-29T00:30:00Z", Opening::Open),
            ("2026-11-29T23:30:00Z", opens("2026-12-04 23:00 UTC")),
        ] {
            assert_eq!(at(window, moment), expected, "{moment}");
        }
        assert_eq!(
            at("Sun-Mon 10:00-11:00 UTC", "2026-11-30T10:30:00Z"),
            Opening::Open
        );
    }

    /// Berlin, 2026-03-29: after 01:59:59 comes 03:00:00, at 01:00 UTC.
    #[test]
    fn what_the_clocks_skip_does_not_happen() {
        let window = "02:30-04:00 Europe/Berlin";
        let before = at(window, "2026-03-29T00:59:59Z");
        assert_eq!(before, opens("2026-03-29 03:00 Europe/Berlin"));
        assert_eq!(at(window, "2026-03-29T01:00:00Z"), Opening::Open);
        assert_eq!(
            at(window, "2026-03-29T02:00:00Z"),
            opens("2026-03-30 02:30 Europe/Berlin")
        );
        let skipped = at("02:15-02:45 Europe/Berlin", "2026-03-28T12:00:00Z");
        assert_eq!(skipped, opens("2026-03-30 02:15 Europe/Berlin"));
    }

    /// Berlin, 2026-10-25: after 02:59:59 comes 02:00:00 again, at 01:00 UTC.
    #[test]
    fn what_the_clocks_show_twice_happens_twice() {
        let window = "02:15-02:45 Europe/Berlin";
        for (moment, expected) in [
            ("2026-10-25T00:15:00Z", Opening::Open),
            (
                "2026-10-25T00:45:00Z",
                opens("2026-10-25 02:15 Europe/Berlin"),
            ),
            (
                "2026-10-25T01:14:59Z",
                opens("2026-10-25 02:15 Europe/Berlin"),
            ),
            ("2026-10-25T01:15:00Z", Opening::Open),
            (
                "2026-10-25T01:45:00Z",
                opens("2026-10-26 02:15 Europe/Berlin"),
            ),
        ] {
            assert_eq!(at(window, moment), expected, "{moment}");
        }
        // The clocks themselves open it.
        let from = at("02:00-02:30 Europe/Berlin", "2026-10-25T00:40:00Z");
        assert_eq!(from, opens("2026-10-25 02:00 Europe/Berlin"));
    }

    #[test]
    fn what_is_no_window_is_told() {
        for (text, words) in [
            ("", "is not HH:MM-HH:MM"),
            ("2:00-4:00", "is not HH:MM-HH:MM"),
            ("02:00-04:00,", "is not HH:MM-HH:MM"),
            ("24:00-01:00 UTC", "is not HH:MM-HH:MM"),
            ("02:60-04:00", "is not HH:MM-HH:MM"),
            ("02:00-25:00", "is not HH:MM-HH:MM"),
            ("Mo 02:00-04:00", "is not HH:MM-HH:MM"),
            ("02:00-02:00 UTC", "has no length"),
            (
                "02:00-04:00 Europe/Atlantis",
                "Europe/Atlantis is no time zone",
            ),
        ] {
            let wrong = Window::parse(text).expect_err(text);
            assert!(wrong.contains(words), "{text}: {wrong}");
        }
        assert!(Window::parse("Mon-Fri 00:00-24:00 America/New_York").is_ok());
        assert!(Window::parse("02:00-04:00").is_ok());
    }
}
