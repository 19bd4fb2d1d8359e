//! What is asked for about columns that expressions fill.

use super::Given;
use crate::plan::backfill::{self, Backfill};

impl Given<'_> {
    /// The backfills; the way back needs none.
    pub(super) fn backfills(&self) -> Vec<Backfill> {
        let given = self.texts("backfill");
        if !given.is_empty() && self.is_on("skip-strict-mode") {
            self.problem("--backfill and --skip-strict-mode are mutually exclusive");
        }
        let mut backfills = Vec::new();
        for text in given {
            match backfill::parse(&text) {
                Ok(backfill) => backfills.push(backfill),
                Err(wrong) => self.problem(format!("--backfill {text:?}: {wrong}")),
            }
        }
        if self.is_on("revert") {
            backfills.clear();
        }
        backfills
    }
}
