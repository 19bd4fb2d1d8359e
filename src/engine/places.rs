//! The places in the log that checkpoints can begin at.
//!
//! The core knows them by number only (`core::dirty::Spot`); here is what each of them means.

use std::collections::BTreeMap;
use std::time::Duration;

use super::resume::seen;
use super::scribe::progress;
use crate::core::checkpoint::{Checkpoint, Copied};
use crate::core::dirty::Spot;
use crate::core::event::Event;
use crate::limits;
use crate::mysql::binlog::Delivery;
use crate::mysql::place::Position;
use crate::plan::inspection::Server;
use crate::plan::saved::{Progress, Seen, Stage};

/// Positions by spot.
pub(super) struct Places {
    spots: BTreeMap<Spot, Position>,
    /// The last position that the stream has told.
    latest: Position,
    next: Spot,
    /// Time between two new spots, in milliseconds; none where there are no checkpoints.
    every_ms: Option<u64>,
    next_ms: u64,
    servers: (Seen, Seen),
    /// The number of the last checkpoint.
    number: u64,
    /// What stands beside every position.
    ways: Ways,
    /// The rename from which a revert begins hasn't come yet.
    before_swap: bool,
}

/// Where the run is going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ways {
    /// The stage at the position where it begins.
    pub first: Stage,
    /// The stage at all other positions.
    pub then: Stage,
    /// What the table with the old shape is called, once it is swapped.
    pub old_table: String,
}

/// New spots for each checkpoint: it need not be right behind one.
const SPOTS_PER_CHECKPOINT: u32 = 4;

impl Places {
    /// Without any yet. `number` is that of the checkpoint that the run goes on from.
    pub(super) fn new(
        every: Option<Duration>,
        (written, log): (&Server, &Server),
        number: u64,
        ways: Ways,
    ) -> Self {
        let every = every.map(|every| (every / SPOTS_PER_CHECKPOINT).as_millis());
        Self {
            spots: BTreeMap::new(),
            latest: Position::default(),
            next: 1,
            every_ms: every.map(|every| u64::try_from(every).unwrap_or(u64::MAX)),
            next_ms: 0,
            servers: (seen(written), seen(log)),
            number,
            before_swap: ways.first == Stage::Swapped,
            ways,
        }
    }

    /// The run's log begins here; it is the spot 0.
    pub(super) fn begin(&mut self, position: Position) {
        self.latest = position.clone();
        self.spots = BTreeMap::from([(0, position)]);
    }

    /// The stream may have told how far it is.
    pub(super) fn take_in(&mut self, delivery: &Option<Delivery>) {
        match delivery {
            Some(Delivery::Position { resume, .. }) => self.latest.clone_from(resume),
            Some(Delivery::Checkpoint(_)) => self.before_swap = false,
            Some(_) | None => {}
        }
    }

    /// Makes a spot of where the stream is, when it is time for one.
    pub(super) fn reached(&mut self, now_ms: u64) -> Option<Event> {
        let every_ms = self.every_ms?;
        let known = self.spots.values().next_back() == Some(&self.latest);
        if self.before_swap
            || now_ms < self.next_ms
            || known
            || self.spots.len() >= limits::SPOTS_MAX
        {
            return None;
        }
        self.next_ms = now_ms + every_ms;
        let spot = self.next;
        self.spots.insert(spot, self.latest.clone());
        self.next += 1;
        Some(Event::Reached(spot))
    }

    /// A checkpoint as it is written down. No later one begins before it, so earlier spots are forgotten.
    pub(super) fn write_down(&mut self, checkpoint: Checkpoint) -> Option<Progress> {
        let position = self.spots.get(&checkpoint.spot)?.clone();
        self.spots = self.spots.split_off(&checkpoint.spot);
        self.number = checkpoint.number;
        let stage = match checkpoint.spot {
            0 => self.ways.first,
            _ => self.ways.then,
        };
        Some(self.progress(checkpoint, position, stage))
    }

    fn progress(&self, checkpoint: Checkpoint, position: Position, stage: Stage) -> Progress {
        Progress {
            stage,
            old_table: self.ways.old_table.clone(),
            ..progress(checkpoint, position, &self.servers)
        }
    }

    /// The swap, as it is written down: the log from here on has the rename, and behind it everything that
    /// happened to the new table.
    pub(super) fn swapped(&self) -> Progress {
        let checkpoint = Checkpoint {
            number: self.number + 1,
            spot: 0,
            copied: Copied::Everything,
            passed_over: Vec::new(),
            rows_copied: 0,
        };
        self.progress(checkpoint, self.latest.clone(), Stage::Swapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Position {
        Position::of_file("b.1", offset)
    }

    fn places() -> Places {
        let server = Server::default();
        let every = Some(Duration::from_secs(4));
        let mut places = Places::new(every, (&server, &server), 0, migrating());
        places.begin(at(4));
        places
    }

    fn migrating() -> Ways {
        Ways {
            first: Stage::Migrating,
            then: Stage::Migrating,
            old_table: "_t_del".into(),
        }
    }

    fn tell(places: &mut Places, offset: u64) {
        places.take_in(&Some(Delivery::Position {
            read: at(offset),
            resume: at(offset),
        }));
    }

    fn checkpoint(number: u64, spot: Spot) -> Checkpoint {
        Checkpoint {
            number,
            spot,
            copied: Copied::UpTo(None),
            passed_over: Vec::new(),
            rows_copied: 0,
        }
    }

    #[test]
    fn spots_are_made_now_and_then_and_only_when_the_stream_moved() {
        let mut places = places();
        assert_eq!(places.reached(0), None, "it stands where it began");
        tell(&mut places, 100);
        assert_eq!(places.reached(0), Some(Event::Reached(1)));
        tell(&mut places, 200);
        assert_eq!(places.reached(999), None);
        assert_eq!(places.reached(1_000), Some(Event::Reached(2)));
    }

    #[test]
    fn a_checkpoint_has_the_position_of_its_spot_and_what_lies_before_is_forgotten() {
        let mut places = places();
        tell(&mut places, 100);
        places.reached(0);
        let written = places.write_down(checkpoint(1, 0)).expect("the beginning");
        assert_eq!((written.offset, written.number), (4, 1));
        let written = places.write_down(checkpoint(2, 1)).expect("the spot");
        assert_eq!((written.offset, written.number), (100, 2));
        assert!(places.write_down(checkpoint(3, 0)).is_none());
        assert_eq!(places.swapped().number, 3);
    }

    #[test]
    fn without_checkpoints_there_are_no_spots() {
        let server = Server::default();
        let mut places = Places::new(None, (&server, &server), 0, migrating());
        places.begin(at(4));
        tell(&mut places, 100);
        assert_eq!(places.reached(0), None);
    }

    #[test]
    fn a_revert_goes_on_from_the_rename_or_from_behind_it() {
        let server = Server::default();
        let ways = Ways {
            first: Stage::Swapped,
            then: Stage::Reverting,
            ..migrating()
        };
        let every = Some(Duration::from_secs(4));
        let mut places = Places::new(every, (&server, &server), 7, ways);
        places.begin(at(4));
        tell(&mut places, 100);
        assert_eq!(places.reached(0), None, "that may be before the rename");
        let written = places.write_down(checkpoint(8, 0)).expect("the beginning");
        assert_eq!((written.stage, written.offset), (Stage::Swapped, 4));
        places.take_in(&Some(Delivery::Checkpoint(7)));
        tell(&mut places, 200);
        assert_eq!(places.reached(0), Some(Event::Reached(1)));
        let written = places.write_down(checkpoint(9, 1)).expect("the spot");
        assert_eq!((written.stage, written.offset), (Stage::Reverting, 200));
    }
}
