//! What is asked for about the plans of the application's statements.

use super::Given;
use crate::config::ComparePlans;
use crate::limits;

impl Given<'_> {
    /// Whether and how plans are compared before the cut-over.
    pub(super) fn plans(&self) -> Option<ComparePlans> {
        let wait = Self::if_any(self.seconds("compare-plans-wait"));
        if !self.is_on("compare-plans") {
            if wait.is_some() {
                self.problem("--compare-plans-wait requires --compare-plans");
            }
            return None;
        }
        for other in ["revert", "attempt-instant-ddl"] {
            if self.is_on(other) {
                self.problem(format!(
                    "--compare-plans and --{other} are mutually exclusive"
                ));
            }
        }
        Some(ComparePlans {
            wait,
            again: limits::PLANS_AGAIN,
        })
    }
}
