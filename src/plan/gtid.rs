//! Sets of GTIDs, as the server prints them and as a dump is asked for by them. Pure.
//!
//! A dump by GTIDs delivers every transaction that isn't in the set, wherever it stands; so what must
//! never happen is that a transaction gets into the set before all its changes are delivered.

use std::collections::BTreeMap;
use std::fmt;

/// The first half of a GTID: who it is counted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The server's uuid.
    pub uuid: [u8; 16],
    /// A tag (MySQL 8.3), or nothing.
    pub tag: String,
}

/// One transaction's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gtid {
    /// Who counts.
    pub origin: Origin,
    /// The number.
    pub number: u64,
}

/// A set of GTIDs: for each origin, ranges in order that don't touch, with both ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GtidSet(BTreeMap<Origin, Vec<(u64, u64)>>);

impl GtidSet {
    /// Reads what the server prints: `uuid:1-5:7:tag:1-2,uuid:1`, with white space anywhere; a part that
    /// begins with a letter begins another tag (manual, "GTID Format and Storage").
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        for group in plain.split(',').filter(|group| !group.is_empty()) {
            let mut parts = group.split(':');
            let uuid = parse_uuid(parts.next()?)?;
            let mut tag = String::new();
            for part in parts {
                if part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    part.to_ascii_lowercase().clone_into(&mut tag);
                    continue;
                }
                let (first, last) = part.split_once('-').unwrap_or((part, part));
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                if first == 0 || last < first {
                    return None;
                }
                let tag = tag.clone();
                set.add_range(Origin { uuid, tag }, first, last);
            }
        }
        Some(set)
    }

    /// Of this server's own transactions it has all from the first to the last one in it.
    #[must_use]
    pub fn is_whole_of(&self, uuid: &str) -> bool {
        let Some(uuid) = parse_uuid(uuid) else {
            return false;
        };
        let mut of_server = self.0.iter().filter(|(origin, _)| origin.uuid == uuid);
        of_server.all(|(_, ranges)| matches!(ranges.as_slice(), [(1, _)]))
    }

    /// Takes a transaction in.
    pub fn add(&mut self, gtid: &Gtid) {
        self.add_range(gtid.origin.clone(), gtid.number, gtid.number);
    }

    fn add_range(&mut self, origin: Origin, first: u64, last: u64) {
        let ranges = self.0.entry(origin).or_default();
        // Nearly always the last range grows by one.
        if let Some(end) = ranges.last_mut()
            && end.1.checked_add(1) == Some(first)
        {
            end.1 = last;
            return;
        }
        ranges.push((first, last));
        ranges.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges.drain(..) {
            match joined.last_mut() {
                Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
                Some(_) | None => joined.push((first, last)),
            }
        }
        *ranges = joined;
    }

    /// Every origin with its ranges, both ends included.
    pub fn ranges(&self) -> impl Iterator<Item = (&Origin, &[(u64, u64)])> {
        self.0.iter().map(|(origin, ranges)| (origin, &ranges[..]))
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    let number = u128::from_str_radix(&digits, 16).ok()?;
    Some(number.to_be_bytes())
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before: Option<[u8; 16]> = None;
        for (origin, ranges) in &self.0 {
            if before != Some(origin.uuid) {
                let comma = if before.is_some() { "," } else { "" };
                write!(f, "{comma}{}", shown_uuid(origin.uuid))?;
                before = Some(origin.uuid);
            }
            if !origin.tag.is_empty() {
                write!(f, ":{}", origin.tag)?;
            }
            for (first, last) in ranges {
                if first == last {
                    write!(f, ":{first}")?;
                } else {
                    write!(f, ":{first}-{last}")?;
                }
            }
        }
        Ok(())
    }
}

fn shown_uuid(uuid: [u8; 16]) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(uuid));
    let parts: Vec<&str> = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
        .iter()
        .filter_map(|(from, to)| digits.get(*from..*to))
        .collect();
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_in_a_server_s_transactions_is_seen() {
        let one = "00000000-0000-0000-0000-000000000001";
        let two = "00000000-0000-0000-0000-000000000002";
        let set = |text: &str| GtidSet::parse(text).expect("a set");
        assert!(set(&format!("{one}:1-9,{two}:5-6")).is_whole_of(one));
        assert!(!set(&format!("{one}:1-4:6-9")).is_whole_of(one));
        assert!(!set(&format!("{one}:2-9")).is_whole_of(one));
        assert!(!set(&format!("{one}:1-9:tag:2")).is_whole_of(one));
        assert!(!set("").is_whole_of("no uuid"));
    }

    const A: &str = "6eb68842-e7d5-11f1-8c2e-02fc00000001";
    const B: &str = "6eb68842-e7d5-11f1-8c2e-02fc00000002";

    #[test]
    fn the_server_s_own_form_is_read_and_written() {
        for text in [
            String::new(),
            format!("{A}:1-5:7"),
            format!("{A}:1-503724:mytag:1-2:4:other_1:9,{B}:1"),
        ] {
            let set = GtidSet::parse(&text).expect("a set");
            assert_eq!(set.to_string(), text);
        }
        let spaced = format!("{A}:1-2,\n{B}:1-3 : Tag : 5");
        let set = GtidSet::parse(&spaced).expect("a set");
        assert_eq!(set.to_string(), format!("{A}:1-2,{B}:1-3:tag:5"));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in [
            "binlog.000001:4",
            &format!("{A}:0"),
            &format!("{A}:5-3"),
            &format!("{A}:1-x"),
        ] {
            assert_eq!(GtidSet::parse(text), None, "{text}");
        }
    }

    #[test]
    fn transactions_join_the_ranges_in_any_order() {
        let mut set = GtidSet::parse(&format!("{A}:1-3:7")).expect("a set");
        let uuid = parse_uuid(A).expect("a uuid");
        for (tag, number) in [("", 5), ("", 4), ("", 8), ("x", 1), ("", 6), ("", 2)] {
            let origin = Origin {
                uuid,
                tag: tag.into(),
            };
            set.add(&Gtid { origin, number });
        }
        assert_eq!(set.to_string(), format!("{A}:1-8:x:1"));
    }
}
