//! How many connections copy while applications write to the table: one, and another one only where it is
//! worth it.
//!
//! On a server with cores and disk to spare a second connection copies nearly as much as the first. On one
//! without, it copies little more, and what it takes is missing at the writers. So a connection more is tried
//! now and then for a stretch, and stays only if the copy became faster by a good part of what it could.

use crate::limits;

/// The number of connections, and what is known about another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Hands {
    /// Connections that copy beside writers.
    now: usize,
    most: usize,
    /// Rows a second before the connection that is on trial came.
    on_trial: Option<u64>,
    /// Stretches until the next trial, and after the one that follows it.
    wait: u32,
    pause: u32,
    /// What the present stretch began with.
    rows: u64,
    since_ms: u64,
}

impl Hands {
    /// Up to `most` connections.
    pub(super) fn new(most: usize) -> Self {
        Self {
            now: 1,
            most,
            on_trial: None,
            wait: limits::HANDS_PAUSE_FIRST,
            pause: limits::HANDS_PAUSE_FIRST,
            rows: 0,
            since_ms: 0,
        }
    }

    /// Connections that may copy: all of them, unless somebody writes.
    pub(super) fn may_copy(&self, busy: bool) -> usize {
        if busy {
            self.now.min(self.most)
        } else {
            self.most
        }
    }

    /// Nobody writes, or nothing is copied: what a stretch has copied tells nothing.
    pub(super) fn rest(&mut self, rows: u64, now_ms: u64) {
        if self.on_trial.take().is_some() {
            self.now -= 1;
        }
        (self.rows, self.since_ms) = (rows, now_ms);
    }

    /// So many rows are copied by now, beside writers.
    pub(super) fn tick(&mut self, rows: u64, now_ms: u64) {
        let took_ms = now_ms.saturating_sub(self.since_ms);
        if took_ms < super::millis(limits::HANDS_STRETCH) {
            return;
        }
        let rate = rows.saturating_sub(self.rows) * 1_000 / took_ms;
        (self.rows, self.since_ms) = (rows, now_ms);
        if let Some(before) = self.on_trial.take() {
            // Half of what the others copy on average.
            let worth = before + before / (2 * (self.now as u64 - 1));
            if rate < worth {
                self.now -= 1;
                self.pause = (self.pause * 2).min(limits::HANDS_PAUSE_MAX);
            } else {
                self.pause = limits::HANDS_PAUSE_FIRST;
            }
            self.wait = self.pause;
        } else if self.wait > 0 {
            self.wait -= 1;
        } else if self.now < self.most {
            self.on_trial = Some(rate);
            self.now += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies for so many stretches on a server that copies `rates[n - 1]` rows a stretch with `n`
    /// connections. Returns the connections of each stretch.
    fn copied(hands: &mut Hands, rates: &[u64], stretches: u32) -> Vec<usize> {
        let stretch = super::super::millis(limits::HANDS_STRETCH);
        let (mut rows, mut now_ms) = (hands.rows, hands.since_ms);
        let mut seen = Vec::new();
        for _ in 0..stretches {
            let number = hands.may_copy(true);
            seen.push(number);
            rows += rates[number - 1];
            now_ms += stretch;
            hands.tick(rows, now_ms);
        }
        seen
    }

    #[test]
    fn connections_that_are_worth_it_stay() {
        let mut hands = Hands::new(3);
        let seen = copied(
            &mut hands,
            &[1_000, 1_900, 2_700],
            6 * limits::HANDS_PAUSE_FIRST,
        );
        assert_eq!(seen.first(), Some(&1));
        assert_eq!(seen.last(), Some(&3));
    }

    #[test]
    fn one_that_only_takes_from_the_writers_goes_and_is_tried_ever_more_seldom() {
        let mut hands = Hands::new(2);
        let seen = copied(&mut hands, &[1_000, 1_200], 100);
        let trials: Vec<usize> = (0..seen.len()).filter(|at| seen[*at] == 2).collect();
        assert!(trials.len() > 1 && trials.len() < 10, "{trials:?}");
        let pauses: Vec<usize> = trials.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            pauses.windows(2).all(|pair| pair[0] < pair[1]),
            "{pauses:?}"
        );
    }

    #[test]
    fn a_trial_that_is_cut_short_proves_nothing() {
        let mut hands = Hands::new(2);
        let seen = copied(&mut hands, &[1_000, 1_900], limits::HANDS_PAUSE_FIRST + 1);
        assert_eq!(
            (seen.last(), hands.may_copy(true)),
            (Some(&1), 2),
            "on trial"
        );
        hands.rest(0, 0);
        assert_eq!(hands.may_copy(true), 1);
        assert_eq!(hands.may_copy(false), 2, "nobody is in the way");
    }
}
