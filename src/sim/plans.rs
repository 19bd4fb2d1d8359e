//! Worlds in which the plans of the application's statements are compared before the cut-over.

use super::mutants::says;
use super::*;

/// The comparison is wanted; while the cut-over is postponed it is repeated at every tick.
fn comparing(setup: Setup) -> Setup {
    let mut setup = setup;
    setup.settings.compare_plans_ms = Some(0);
    setup
}

fn few_rows() -> Setup {
    Setup {
        contents: vec![[row(0), None]],
        ops: vec![Op::Update(0), Op::Delete(0), Op::Insert(1, 2)],
        ..plain()
    }
}

#[test]
fn plans_are_compared_while_rows_change() {
    holds(&transactions(1, comparing(plain())));
}

#[test]
fn plans_that_got_worse_postpone_the_cut_over_while_things_go_wrong() {
    let setup = Setup {
        pauses: 1,
        stops: 1,
        faults: 1,
        fault_kinds: &[Fault::LockLost, Fault::Locker],
        ..few_rows()
    };
    holds(&transactions(1, comparing(setup)));
}

#[test]
fn a_run_that_goes_on_compares_again() {
    let mut setup = Setup {
        crashes: 1,
        checkpoints: 1,
        ..few_rows()
    };
    setup.settings.checkpoint_ms = Some(0);
    holds(&transactions(1, comparing(setup)));
}

#[test]
fn a_cut_over_before_the_plans_are_compared() {
    let setup = comparing(few_rows()).without(Rule::PlansBeforeCutOver);
    says(&setup, "swapped before its plans were compared");
}
