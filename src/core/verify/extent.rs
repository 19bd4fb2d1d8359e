//! How much is compared before the cut-over: everything, a random share of the chunks, or nothing.

use super::super::chunk::Chunk;
use super::Pass;

/// How much of the tables is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Extent {
    /// Every chunk.
    #[default]
    Full,
    /// So many chunks of a hundred, chosen by the seed; one at least.
    Sample {
        /// Chunks of a hundred.
        percent: u8,
        /// Another one chooses other chunks; the same one, the same.
        seed: u64,
    },
    /// None.
    Off,
}

/// What the operator wants of the verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Wanted {
    /// How much is compared.
    pub extent: Extent,
    /// Rows that differ for certain are refreshed, and everything is verified again.
    pub repair: bool,
}

/// Chooses the chunks of one walk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Choice {
    extent: Extent,
    /// Some chunk of this walk was chosen.
    any: bool,
    /// The last chunk was chosen because no other was.
    last: bool,
}

impl Choice {
    pub(super) fn new(extent: Extent) -> Self {
        Self {
            extent,
            any: false,
            last: false,
        }
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    /// Whether this chunk is compared. The same chunk gets the same answer when it is looked at again.
    pub(super) fn takes(&mut self, pass: Pass, chunk: &Chunk) -> bool {
        let Extent::Sample { percent, seed } = self.extent else {
            return self.extent == Extent::Full;
        };
        let of_pass = match pass {
            Pass::Both | Pass::Original => chunk.id,
            Pass::Ghost => !chunk.id,
        };
        let drawn = mixed(seed ^ mixed(of_pass)) % 100 < u64::from(percent);
        self.last |= !drawn && !self.any && chunk.upto.is_none();
        let taken = drawn || (self.last && chunk.upto.is_none());
        self.any |= taken;
        taken
    }
}

/// Spreads a number over all bits (the finalizer of SplitMix64, public domain).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::key::Key;

    fn chunk(id: u64, last: bool) -> Chunk {
        Chunk {
            id,
            after: None,
            upto: (!last).then(|| Key::from_bytes(&id.to_be_bytes())),
            common_columns: 0,
        }
    }

    fn taken(seed: u64, percent: u8) -> Vec<u64> {
        let mut choice = Choice::new(Extent::Sample { percent, seed });
        (0..10_000)
            .filter(|id| choice.takes(Pass::Both, &chunk(*id, false)))
            .collect()
    }

    #[test]
    fn a_seed_chooses_its_share_and_always_the_same() {
        let (one, other) = (taken(1, 10), taken(2, 10));
        assert!((800..1_200).contains(&one.len()), "{}", one.len());
        assert_eq!(one, taken(1, 10));
        assert_ne!(one, other);
        assert_eq!(taken(3, 100).len(), 10_000);
    }

    #[test]
    fn at_least_the_last_chunk_is_compared_however_often_it_is_asked_for() {
        let percent = 1;
        let seed = (0..)
            .find(|seed| {
                let mut choice = Choice::new(Extent::Sample {
                    percent,
                    seed: *seed,
                });
                !choice.takes(Pass::Both, &chunk(0, false))
                    && !choice.takes(Pass::Both, &chunk(1, false))
            })
            .expect("a seed that draws neither");
        let mut choice = Choice::new(Extent::Sample { percent, seed });
        assert!(!choice.takes(Pass::Both, &chunk(0, false)));
        assert!(choice.takes(Pass::Both, &chunk(1, true)));
        assert!(choice.takes(Pass::Both, &chunk(1, true)), "once more");
        assert!(!choice.takes(Pass::Both, &chunk(0, false)));
    }
}
