//! Repairs, where the operator asked for them: which passes made some, and what they were.
//!
//! A row that differs for certain is marked dirty, and so refreshed like one that was changed. That
//! proves nothing: whatever made it differ may be there still. So a pass that repaired is no pass; after
//! it everything is compared again, and the number of such passes is bounded.

use crate::limits;
use crate::plan::key::Key;

/// What was repaired so far.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Repairs {
    /// Passes that repaired.
    pub passes: u8,
    /// Rows that they refreshed; one counts again when it differs again.
    pub rows: u64,
    /// The latest of them, for messages.
    pub latest: Vec<Key>,
    /// The pass under way has repaired.
    in_this_pass: bool,
}

impl Repairs {
    /// Whether rows may be repaired now: another pass that repairs would not be one too many.
    pub(super) fn possible(&self) -> bool {
        self.in_this_pass || self.passes < limits::REPAIR_PASSES_MAX
    }

    pub(super) fn made(&mut self, keys: &[Key]) {
        if !self.in_this_pass {
            self.passes += 1;
        }
        self.in_this_pass = true;
        self.rows += keys.len() as u64;
        self.latest = keys.iter().take(limits::KEYS_SHOWN_MAX).cloned().collect();
    }

    pub(super) fn in_this_pass(&self) -> bool {
        self.in_this_pass
    }

    pub(super) fn new_pass(&mut self) {
        self.in_this_pass = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_bounded_and_not_the_rows_of_one() {
        let mut repairs = Repairs::default();
        let key = |number: u8| vec![Key::from_bytes(&[number])];
        for pass in 1..=limits::REPAIR_PASSES_MAX {
            assert!(repairs.possible());
            repairs.made(&key(1));
            assert!(repairs.possible(), "the same pass goes on to its end");
            repairs.made(&key(2));
            assert_eq!((repairs.passes, repairs.rows), (pass, u64::from(pass) * 2));
            repairs.new_pass();
        }
        assert!(!repairs.possible());
        assert_eq!(repairs.latest, key(2));
    }
}
