//! Where in the binary log the stream stands, and from where it could be resumed. Pure.
//!
//! Events carry the low 32 bits of their end, and a dump can be asked for by 32 bits only, but one
//! transaction may write a file beyond 4 GiB. So the end is counted here with 64 bits, and compared
//! with what the event says: a difference is a gap in the stream. Beyond 4 GiB the resume point
//! stays where it is until the next file: reading a change twice is harmless, missing one never is.
//!
//! By GTIDs a dump is asked for by the set of what has been delivered whole. The server passes over
//! what is in the set, so a transaction may begin anywhere behind the one before it; within a
//! transaction every event still has to follow on the one before.

use std::fmt;

use crate::core::event::Failure;
use crate::plan::gtid::{Gtid, GtidSet};

/// A place in the binary log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// File name.
    pub file: String,
    /// Byte after the last complete transaction.
    pub offset: u64,
    /// Every transaction up to here, when the log is followed by GTIDs.
    pub gtids: Option<GtidSet>,
}

impl Position {
    /// A place by file and offset.
    #[must_use]
    pub fn of_file(file: impl Into<String>, offset: u64) -> Self {
        Self {
            file: file.into(),
            offset,
            gtids: None,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.gtids {
            Some(gtids) => write!(f, "{gtids}"),
            None => write!(f, "{}:{}", self.file, self.offset),
        }
    }
}

/// The first event of every file begins behind the four bytes that mark it as a binary log.
pub(super) const FILE_START: u64 = 4;

/// The place of one stream, over all its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    resume: Position,
    /// The file being read, and the byte after the last event read from it.
    read: Position,
    /// The transaction being read, by GTIDs.
    open: Option<Gtid>,
}

impl Place {
    /// A stream that begins here.
    ///
    /// # Errors
    /// When no dump can be asked for from here.
    pub(super) fn new(begin: Position) -> Result<Self, Failure> {
        if begin.gtids.is_none() && u32::try_from(begin.offset).is_err() {
            return Err(Failure::new(
                format!(
                    "the binary log {} has grown beyond 4 GiB, and can't be followed from its end",
                    begin.file
                ),
                "run FLUSH BINARY LOGS, then the command again, or use --gtid",
            ));
        }
        Ok(Self {
            read: Position::of_file(begin.file.clone(), begin.offset),
            resume: begin,
            open: None,
        })
    }

    /// Where a dump can be asked for.
    pub(super) fn resume(&self) -> &Position {
        &self.resume
    }

    /// How far the stream has been read, for people.
    pub(super) fn read(&self) -> &Position {
        if self.by_gtids() {
            &self.resume
        } else {
            &self.read
        }
    }

    fn by_gtids(&self) -> bool {
        self.resume.gtids.is_some()
    }

    /// A new connection begins at the resume point. By GTIDs its first event tells the file.
    pub(super) fn connected(&mut self) {
        self.open = None;
        self.read = Position::of_file(self.resume.file.clone(), self.resume.offset);
        if self.by_gtids() {
            self.read.file.clear();
        }
    }

    /// A transaction with this id begins. So the one before it is over, if it was one without a COMMIT
    /// (DDL, the decision of an XA transaction).
    pub(super) fn begins(&mut self, gtid: Gtid) {
        if self.by_gtids() {
            self.committed();
            self.open = Some(gtid);
        }
    }

    /// Between transactions the server may have passed over some that were delivered before.
    fn pass_over(&mut self, size: u32, end: u32) {
        let high = self.read.offset & !u64::from(u32::MAX);
        let ahead = high | u64::from(end);
        let wraps = if ahead < self.read.offset { 1 << 32 } else { 0 };
        self.read.offset = (ahead + wraps).saturating_sub(u64::from(size));
    }

    /// An event of the file was read: `size` bytes that end at `end`, of which only the low 32 bits are
    /// known.
    ///
    /// # Errors
    /// When it doesn't follow on the event before it.
    pub(super) fn event(&mut self, size: u32, end: u32) -> Result<(), Failure> {
        if self.by_gtids() && self.open.is_none() {
            self.pass_over(size, end);
        }
        self.follows(size, end)
    }

    /// As [`Place::event`], for an event that stands between transactions, whatever came before it.
    ///
    /// # Errors
    /// As there.
    pub(super) fn event_between(&mut self, size: u32, end: u32) -> Result<(), Failure> {
        if self.by_gtids() {
            self.pass_over(size, end);
        }
        self.follows(size, end)
    }

    fn follows(&mut self, size: u32, end: u32) -> Result<(), Failure> {
        let counted = self.read.offset + u64::from(size);
        if counted & u64::from(u32::MAX) != u64::from(end) {
            return Err(Failure::new(
                format!(
                    "the binary log has a gap: behind {} an event of {size} bytes ends at {end}",
                    self.read
                ),
                "see that nothing between here and the server leaves out events, then run the command \
                 again",
            ));
        }
        self.read.offset = counted;
        Ok(())
    }

    /// Everything read so far has been delivered whole.
    pub(super) fn committed(&mut self) {
        match &mut self.resume.gtids {
            Some(done) => {
                if let Some(gtid) = self.open.take() {
                    done.add(&gtid);
                }
            }
            None if u32::try_from(self.read.offset).is_ok() => {
                self.resume.clone_from(&self.read);
            }
            None => {}
        }
    }

    /// The next event comes from this place of this file. Nothing changes when that is where the stream
    /// already is (the first event of a connection repeats what was asked for).
    pub(super) fn turn_to(&mut self, file: &str, offset: u64) {
        if self.read.file != file {
            self.read = Position::of_file(file, offset);
            if !self.by_gtids() {
                self.committed();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Place {
        Place::new(Position::of_file("binlog.999999", offset)).expect("a place")
    }

    #[test]
    fn an_event_that_does_not_follow_is_a_gap() {
        let mut place = at(100);
        assert_eq!(place.event(50, 150), Ok(()));
        assert_eq!(place.event(50, 200), Ok(()));
        let gap = place.event(50, 300).expect_err("50 bytes are missing");
        assert!(gap.what.contains("binlog.999999:200"), "{}", gap.what);
    }

    #[test]
    fn beyond_4_gib_positions_are_counted_and_the_resume_point_stays() {
        let mut place = at(4_294_967_000);
        place.event(200, 4_294_967_200).expect("it follows");
        place.committed();
        assert_eq!(place.resume().offset, 4_294_967_200);
        place.event(1_000, 904).expect("the end wraps");
        place.committed();
        assert_eq!(place.read().offset, 4_294_968_200);
        assert_eq!(place.resume().offset, 4_294_967_200);
        place.turn_to("binlog.1000000", FILE_START);
        place.event(122, 126).expect("the new file's first event");
        place.committed();
        assert_eq!(place.resume().to_string(), "binlog.1000000:126");
    }

    #[test]
    fn a_new_connection_begins_at_the_resume_point() {
        let mut place = at(100);
        place.event(50, 150).expect("it follows");
        place.committed();
        place.event(50, 200).expect("it follows");
        place.connected();
        place.turn_to("binlog.999999", 150);
        assert_eq!(place.event(50, 200), Ok(()));
    }

    #[test]
    fn no_dump_is_asked_for_beyond_4_gib() {
        let begin = Position::of_file("binlog.000001", 1 << 32);
        let failure = Place::new(begin).expect_err("32 bits can't say it");
        assert!(failure.next.contains("FLUSH BINARY LOGS"));
    }

    #[test]
    fn by_gtids_only_whole_transactions_are_resumed_behind_and_gaps_within_one_are_found() {
        let set = |text: &str| GtidSet::parse(text).expect("a set");
        let uuid = "6eb68842-e7d5-11f1-8c2e-02fc00000001";
        let gtid = |number| Gtid {
            origin: set(&format!("{uuid}:1"))
                .ranges()
                .next()
                .expect("one")
                .0
                .clone(),
            number,
        };
        let mut place = Place::new(Position {
            gtids: Some(set(&format!("{uuid}:1-4"))),
            ..Position::of_file("binlog.000007", 1 << 33)
        })
        .expect("no offset is too far");
        place.connected();
        place.turn_to("binlog.000003", FILE_START);
        place.event(122, 126).expect("the format description");
        // 1 to 4 are passed over.
        place.event(80, 1_080).expect("it begins anywhere");
        place.begins(gtid(5));
        let mut broken = place.clone();
        assert!(broken.event(50, 1_200).is_err(), "70 bytes are missing");
        place.event(50, 1_130).expect("it follows");
        assert_eq!(
            place.resume().to_string(),
            format!("{uuid}:1-4"),
            "not whole yet"
        );
        place.turn_to("binlog.000004", FILE_START);
        assert_eq!(place.resume().to_string(), format!("{uuid}:1-4"));
        place.committed();
        assert_eq!(place.resume().to_string(), format!("{uuid}:1-5"));
        place.begins(gtid(6));
        place.begins(gtid(7));
        assert_eq!(
            place.resume().to_string(),
            format!("{uuid}:1-6"),
            "DDL is over when the next one begins"
        );
        place.connected();
        place.committed();
        assert_eq!(
            place.resume().to_string(),
            format!("{uuid}:1-6"),
            "half read, thrown away"
        );
    }
}
