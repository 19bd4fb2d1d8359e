//! Worlds in which indexes of the ghost are built after the copy.

use super::mutants::says;
use super::*;

/// Some indexes are deferred.
fn deferring(setup: Setup) -> Setup {
    let mut setup = setup;
    setup.settings.deferred_indexes = true;
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
fn indexes_are_built_while_rows_change() {
    holds(&transactions(1, deferring(plain())));
    let seeing = few_rows().seeing(Start::Verification);
    holds(&transactions(1, deferring(seeing)));
}

#[test]
fn indexes_are_built_while_things_go_wrong_or_pause() {
    let setup = Setup {
        faults: 1,
        fault_kinds: &[Fault::IndexLog, Fault::LockLost, Fault::Locker],
        ..few_rows()
    };
    holds(&transactions(1, deferring(setup.clone())));
    let setup = Setup {
        pauses: 1,
        stops: 1,
        fault_kinds: &[Fault::IndexLog],
        ..setup
    };
    holds(&transactions(1, deferring(setup)));
}

/// With room for one dirty key the stream soon waits for the refreshes that rest.
#[test]
fn refreshes_rest_with_little_memory() {
    let mut setup = Setup {
        faults: 2,
        fault_kinds: &[Fault::IndexLog],
        ..few_rows()
    };
    setup.settings.dirty_bytes_max = 1;
    holds(&transactions(2, deferring(setup)));
}

#[test]
fn a_run_that_goes_on_builds_what_is_not_there() {
    let mut setup = Setup {
        crashes: 1,
        checkpoints: 1,
        ..few_rows()
    };
    setup.settings.checkpoint_ms = Some(0);
    holds(&transactions(1, deferring(setup.clone())));
    let setup = Setup {
        crashes: 0,
        reverts: 1,
        ops: vec![Op::Update(0), Op::Delete(0)],
        ..setup
    };
    holds(&transactions(1, deferring(setup)));
}

#[test]
fn a_cut_over_before_the_indexes_are_built() {
    let setup = deferring(few_rows()).without(Rule::IndexesBeforeCutOver);
    says(&setup, "swapped without its indexes");
}
