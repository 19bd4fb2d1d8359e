//! Endings: what the operator reads and the exit code, in one place.

use crate::core::event::{Failure, Outcome};
use crate::plan::Refusal;
use crate::plan::names::Names;

/// Exit codes; `docs/exit-codes.md` has a paragraph for each, and a test that demands it.
pub mod exit {
    /// The tables are swapped and everything is cleaned up.
    pub const COMPLETED: u8 = 0;
    /// A bug of ours.
    pub const INTERNAL: u8 = 1;
    /// The command line can't be understood.
    pub const USAGE: u8 = 2;
    /// Refused before the copy; nothing stays on the server.
    pub const REFUSED: u8 = 3;
    /// Stopped by the operator; the original is untouched.
    pub const STOPPED: u8 = 4;
    /// Given up; the original is untouched.
    pub const FAILED: u8 = 5;
    /// It is not known whether the tables are swapped.
    pub const UNKNOWN: u8 = 6;
    /// Swapped, but helper tables are left over.
    pub const LEFTOVERS: u8 = 7;
    /// Stopped or given up with a checkpoint to go on from; the original is untouched.
    pub const RESUMABLE: u8 = 8;
    /// `tableshift verify`: some rows differ.
    pub const DIFFERENT: u8 = 9;
    /// `tableshift verify`: it can't be told.
    pub const NOT_TOLD: u8 = 10;
    /// The table has the wanted shape already.
    pub const NOTHING_TO_DO: u8 = 11;
    /// `tableshift batch`: some migrations failed.
    pub const BATCH_FAILED: u8 = 12;
    /// `tableshift batch`: not everything is done yet, and nothing failed.
    pub const BATCH_OPEN: u8 = 13;
    /// `tableshift batch`: another process of this machine is at it.
    pub const BATCH_BUSY: u8 = 14;
    /// `tableshift plan`: possible, but somebody should look at the warnings first.
    pub const WARNINGS: u8 = 15;
    /// All of them, with the name by which the documentation calls them.
    pub const ALL: [(u8, &str); 16] = [
        (COMPLETED, "completed"),
        (INTERNAL, "internal error"),
        (USAGE, "usage"),
        (REFUSED, "refused"),
        (STOPPED, "stopped"),
        (FAILED, "failed"),
        (UNKNOWN, "outcome unknown"),
        (LEFTOVERS, "completed with leftovers"),
        (RESUMABLE, "resumable"),
        (DIFFERENT, "different"),
        (NOT_TOLD, "not told"),
        (NOTHING_TO_DO, "nothing to do"),
        (BATCH_FAILED, "some failed"),
        (BATCH_OPEN, "not everything done"),
        (BATCH_BUSY, "another batch is at it"),
        (WARNINGS, "warnings"),
    ];
}

/// What an operator reads at the end: what happened, what it means for the data, what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The process's exit code.
    pub code: u8,
    /// The text, without a line end.
    pub text: String,
}

fn three_parts(what: &str, data: &str, next: &str) -> String {
    format!("error: {what}\n  data:  {data}\n  next:  {next}")
}

/// Refusals, all at once.
#[must_use]
pub fn refused(refusals: &[Refusal]) -> Report {
    let mut text = match refusals {
        [_] => "error: this migration is refused".to_owned(),
        _ => format!(
            "error: this migration is refused for {} reasons",
            refusals.len()
        ),
    };
    text.push_str("\n  data:  nothing has been written; the table is as it was");
    for refusal in refusals {
        text.push_str(&format!(
            "\n  what:  {}\n  next:  {}",
            refusal.what, refusal.next
        ));
    }
    Report {
        code: exit::REFUSED,
        text,
    }
}

/// The table has already what it was to get.
#[must_use]
pub fn nothing_to_do(names: &Names) -> Report {
    Report {
        code: exit::NOTHING_TO_DO,
        text: format!(
            "# Nothing to do: `{}`.`{}` has this shape already",
            names.schema, names.original
        ),
    }
}

/// The migration is complete, but the hook that was to be told so failed.
#[must_use]
pub fn hook_failed(wrong: &str) -> Report {
    Report {
        code: exit::LEFTOVERS,
        text: three_parts(
            wrong,
            "the table has its new shape; this is only about the hook",
            "do what the hook should have done",
        ),
    }
}

/// A failure before anything was written.
#[must_use]
pub fn not_started(failure: &Failure) -> Report {
    Report {
        code: exit::FAILED,
        text: three_parts(
            &failure.what,
            "nothing has been copied; the table is as it was",
            &failure.next,
        ),
    }
}

/// What an ending has to say of the verification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// What may be said of the new table once it is swapped in, such as `verified`.
    pub claim: String,
    /// The rows that differ, each with what is wrong about it.
    pub differing: String,
}

/// What is left of a run on the server, beside what belongs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// Helper tables that could not be dropped, or that a person has to look at.
    Tables,
    /// Helper tables with which another run can go on.
    State,
}

/// A run that ended before the swap, and can be continued.
fn resumable(outcome: &Outcome, untouched: &str, names: &Names) -> Report {
    let (what, first) = match outcome {
        Outcome::Failed(failure) => (failure.what.as_str(), failure.next.as_str()),
        Outcome::Stopped | Outcome::Completed | Outcome::Mismatch(_) | Outcome::Unknown => {
            ("stopped as asked", "run the same command again")
        }
    };
    if names.reverts {
        let kept = format!(
            "{untouched}; `{}` is brought up to date as far as `{}` tells",
            names.ghost, names.checkpoint
        );
        let next = format!(
            "{first}run the same command again to go on with the revert, or leave both tables as they are"
        );
        return Report {
            code: exit::RESUMABLE,
            text: three_parts(what, &kept, &next),
        };
    }
    let kept = format!(
        "{untouched}; what is copied so far is kept (`{}`, `{}`, `{}`)",
        names.ghost, names.changelog, names.checkpoint
    );
    let next = format!(
        "{first}; it goes on from the last checkpoint. To give it up: add --no-resume, or run tableshift \
         cleanup"
    );
    Report {
        code: exit::RESUMABLE,
        text: three_parts(what, &kept, &next),
    }
}

/// Nothing was swapped: what that means for the tables.
fn untouched(names: &Names, left: Left) -> String {
    let original = format!("`{}`.`{}`", names.schema, names.original);
    let mut untouched = format!("{original} is in place, untouched and taking writes");
    if left == Left::Tables && names.reverts {
        untouched.push_str(&format!("; `{}` may be left over", names.changelog));
    } else if left == Left::Tables {
        untouched.push_str(&format!(
            "; helper tables (`{}`, `{}`) may be left over",
            names.ghost, names.changelog
        ));
    }
    untouched
}

/// The end of a run that began.
#[must_use]
pub fn ended(outcome: &Outcome, names: &Names, verified: &Verified, left: Left) -> Report {
    let original = format!("`{}`.`{}`", names.schema, names.original);
    let shape = if names.reverts { "old" } else { "new" };
    let untouched = untouched(names, left);
    if left == Left::State {
        return resumable(outcome, &untouched, names);
    }
    match outcome {
        Outcome::Completed if left == Left::Tables => Report {
            code: exit::LEFTOVERS,
            text: three_parts(
                "the helper tables could not all be dropped",
                &format!(
                    "{original} has its {shape} shape, {}; this is only about clean-up",
                    verified.claim
                ),
                &format!(
                    "drop `{}` and look for other helper tables",
                    names.changelog
                ),
            ),
        },
        Outcome::Completed => Report {
            code: exit::COMPLETED,
            text: "# Done".into(),
        },
        Outcome::Stopped => Report {
            code: exit::STOPPED,
            text: three_parts(
                "stopped as asked",
                &untouched,
                "run the same command to start over",
            ),
        },
        Outcome::Failed(failure) => Report {
            code: exit::FAILED,
            text: three_parts(&failure.what, &untouched, &failure.next),
        },
        Outcome::Mismatch(keys) => Report {
            code: exit::FAILED,
            text: three_parts(
                &format!(
                    "verification found {} or more rows that differ for certain: {}",
                    keys.len(),
                    verified.differing
                ),
                &untouched,
                "don't trust this migration: if nobody wrote to the ghost table, report it as a \
                 bug with the ALTER and SHOW CREATE TABLE; with a new unique key, look for \
                 duplicates; rows that somebody spoilt are refreshed by --verify-repair",
            ),
        },
        Outcome::Unknown => Report {
            code: exit::UNKNOWN,
            text: three_parts(
                "the answer to the RENAME was lost and the catalogue could not be read",
                &format!(
                    "either {original} has its {shape} shape and `{}` is what it was, or nothing \
                     happened; never half of it",
                    names.old
                ),
                "look which tables exist, then read docs/recovery.md",
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_has_a_paragraph() {
        let docs = include_str!("../docs/exit-codes.md");
        for (code, name) in exit::ALL {
            assert!(
                docs.contains(&format!("## {code}: {name}")),
                "{code} {name}"
            );
        }
    }

    #[test]
    fn every_ending_says_what_it_means_for_the_data() {
        let names = Names::new("shop", "orders", None, None);
        let endings = [
            (Outcome::Stopped, exit::STOPPED),
            (Outcome::Failed(Failure::new("what", "next")), exit::FAILED),
            (Outcome::Mismatch(vec![]), exit::FAILED),
            (Outcome::Unknown, exit::UNKNOWN),
        ];
        for (outcome, code) in endings {
            let report = ended(&outcome, &names, &Verified::default(), Left::Nothing);
            assert_eq!(report.code, code);
            assert!(report.text.contains("\n  data:  ") && report.text.contains("\n  next:  "));
        }
        for outcome in [
            Outcome::Stopped,
            Outcome::Failed(Failure::new("what", "next")),
        ] {
            let report = ended(&outcome, &names, &Verified::default(), Left::State);
            assert_eq!(report.code, exit::RESUMABLE);
            assert!(report.text.contains("_orders_ghk") && report.text.contains("--no-resume"));
        }
        assert_eq!(
            ended(
                &Outcome::Completed,
                &names,
                &Verified::default(),
                Left::Nothing,
            )
            .code,
            exit::COMPLETED
        );
        assert_eq!(
            ended(
                &Outcome::Completed,
                &names,
                &Verified::default(),
                Left::Tables,
            )
            .code,
            exit::LEFTOVERS
        );
    }
}
