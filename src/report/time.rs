//! Moments and durations as text. Pure.

/// Seconds since 1970 as `YYYY-MM-DD hh:mm:ss` in UTC.
#[must_use]
pub fn utc(seconds: u64) -> String {
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        clock / 3_600,
        clock / 60 % 60,
        clock % 60
    )
}

/// Seconds since 1970 in the form of Go's `RubyDate`, in UTC: `Sat Nov 21 08:53:51 +0000 2026`.
#[must_use]
pub fn ruby_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (days, clock) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], at: u64| {
        let at = usize::try_from(at).unwrap_or_default();
        names.get(at).copied().unwrap_or_default()
    };
    format!(
        "{} {} {day:02} {:02}:{:02}:{:02} +0000 {year:04}",
        name(&DAYS, days % 7),
        name(&MONTHS, month.saturating_sub(1)),
        clock / 3_600,
        clock / 60 % 60,
        clock % 60
    )
}

/// Year, month and day of a day number since 1970; eras of 400 years that begin in March, so that
/// the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The moment in an RFC 3339 text with nanoseconds in UTC, since 1970.
#[must_use]
pub fn parse_heartbeat(text: &str) -> Option<std::time::Duration> {
    let (moment, fraction) = text.strip_suffix('Z')?.split_once('.')?;
    let (date, clock) = moment.split_once('T')?;
    let numbers = |text: &str, by: char| -> Option<[u64; 3]> {
        let mut parts = text.split(by).map(|part| part.parse().ok());
        Some([parts.next()??, parts.next()??, parts.next()??])
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hours, minutes, seconds] = numbers(clock, ':')?;
    let nanoseconds: u32 = fraction.parse().ok().filter(|_| fraction.len() == 9)?;
    let total = days(year, month, day)? * 86_400 + hours * 3_600 + minutes * 60 + seconds;
    Some(std::time::Duration::new(total, nanoseconds))
}

/// Day number since 1970, the inverse of [`civil`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let (era, year_of_era) = (year / 400, year % 400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

/// A duration in gh-ost's form, in whole seconds: `0s`, `1m5s`, `1h2m3s`.
#[must_use]
pub fn go_duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// A duration for people: `00:03:10`.
#[must_use]
pub fn clock(seconds: u64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_durations() {
        assert_eq!(utc(0), "1970-01-01 00:00:00");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(utc(4_107_542_399), "2100-02-28 23:59:59");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00");
        for seconds in [0, 951_782_400, 1_795_256_472, 4_107_542_399, 4_107_542_400] {
            let text = format!("{}.000000007Z", utc(seconds).replace(' ', "T"));
            let parsed = parse_heartbeat(&text);
            assert_eq!(parsed, Some(std::time::Duration::new(seconds, 7)), "{text}");
        }
        assert_eq!(parse_heartbeat("2026-11-21 10:11:12"), None);
        assert_eq!(go_duration(0), "0s");
        assert_eq!(go_duration(65), "1m5s");
        assert_eq!(go_duration(3_723), "1h2m3s");
        assert_eq!(clock(190), "00:03:10");
    }
}
