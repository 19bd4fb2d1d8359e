//! Where in the binary log the stream stands, and from where it could be resumed. Pure.
//!
//! Events carry the low 32 bits of their end, and a dump can be asked for by 32 bits only, but one
//! transaction may write a file beyond 4 GiB. So the end is counted here with 64 bits, and compared
//! with what the event says: a difference is a gap in the stream. Beyond 4 GiB the resume point
//! stays where it is until the next file: reading a change twice is harmless, missing one never is.

use std::fmt;

use crate::core::event::Failure;

/// A place in the binary log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// File name.
    pub file: String,
    /// Byte after the last complete transaction.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
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
}

impl Place {
    /// A stream that begins here.
    ///
    /// # Errors
    /// When no dump can be asked for from here.
    pub(super) fn new(begin: Position) -> Result<Self, Failure> {
        if u32::try_from(begin.offset).is_err() {
            return Err(Failure::new(
                format!(
                    "the binary log {} has grown beyond 4 GiB, and can't be followed from its end",
                    begin.file
                ),
                "run FLUSH BINARY LOGS, then the command again",
            ));
        }
        Ok(Self {
            resume: begin.clone(),
            read: begin,
        })
    }

    /// Where a dump can be asked for.
    pub(super) fn resume(&self) -> &Position {
        &self.resume
    }

    /// How far the stream has been read.
    pub(super) fn read(&self) -> &Position {
        &self.read
    }

    /// A new connection begins at the resume point.
    pub(super) fn connected(&mut self) {
        self.read = self.resume.clone();
    }

    /// An event of the file was read: `size` bytes that end at `end`, of which only the low 32 bits are
    /// known.
    ///
    /// # Errors
    /// When it doesn't follow on the event before it.
    pub(super) fn event(&mut self, size: u32, end: u32) -> Result<(), Failure> {
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
        if u32::try_from(self.read.offset).is_ok() {
            self.resume.clone_from(&self.read);
        }
    }

    /// The next event comes from this place of this file. Nothing changes when that is where the stream
    /// already is (the first event of a connection repeats what was asked for).
    pub(super) fn turn_to(&mut self, file: &str, offset: u64) {
        if self.read.file != file {
            self.read = Position {
                file: file.to_owned(),
                offset,
            };
            self.committed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Place {
        Place::new(Position {
            file: "binlog.999999".into(),
            offset,
        })
        .expect("a place")
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
        let begin = Position {
            file: "binlog.000001".into(),
            offset: 1 << 32,
        };
        let failure = Place::new(begin).expect_err("32 bits can't say it");
        assert!(failure.next.contains("FLUSH BINARY LOGS"));
    }
}
