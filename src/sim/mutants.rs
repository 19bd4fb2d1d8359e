//! What the explorer must catch: every rule taken out, and every lie about the server or the
//! engine on which the protocol's argument stands.
//!
//! A mutant that is not caught is a rule that is not needed, or its world is too small for it.

use super::*;

/// The shortest story that breaks the mutant; that there is none is a failure.
fn caught(setup: &Setup) -> Box<Story> {
    match explore(setup) {
        Err(story) => {
            println!("{story}");
            story
        }
        Ok(seen) => panic!("not caught: {seen:?} in {setup:?}"),
    }
}

fn wrong_rows(setup: &Setup) {
    let story = caught(setup);
    assert!(story.why.starts_with("swapped with original"), "{story}");
}

fn says(setup: &Setup, why: &str) {
    let story = caught(setup);
    assert!(story.why.contains(why), "{story}");
}

fn lie(lie: Lie, setup: Setup) -> Setup {
    Setup {
        lie: Some(lie),
        ..setup
    }
}

#[test]
fn no_start_barrier() {
    wrong_rows(
        &Setup {
            before: true,
            ..plain()
        }
        .without(Rule::StartBarrier),
    );
}

#[test]
fn rows_passed_over_are_forgotten() {
    wrong_rows(&plain().without(Rule::PassedOverBecomesDirty));
}

#[test]
fn an_event_during_a_refresh_is_forgotten() {
    // One to make the key dirty, one to change it again.
    let setup = Setup {
        transactions: 2,
        contents: vec![[row(0), None]],
        ..plain()
    };
    wrong_rows(&setup.without(Rule::EventDuringRefreshMarksAgain));
}

#[test]
fn two_workers_on_one_key() {
    let setup = Setup {
        contents: vec![[None, None]],
        ops: vec![Op::Insert(0, 2), Op::Delete(0)],
        transactions: 3,
        ..plain()
    };
    wrong_rows(&setup.workers(2, 1).without(Rule::OneWorkerPerKey));
}

#[test]
fn two_workers_on_two_spellings_of_one_key() {
    let setup = Setup {
        transactions: 2,
        contents: vec![[row(0), None]],
        ..collated()
    };
    wrong_rows(&setup.workers(2, 1).without(Rule::EqualKeysOneWorker));
}

#[test]
fn held_rows_count_as_refreshed() {
    wrong_rows(&plain().without(Rule::HeldStaysDirty));
}

#[test]
fn deletes_without_proof_of_absence() {
    wrong_rows(&plain().without(Rule::AbsenceIsProved));
}

#[test]
fn a_lock_while_workers_have_jobs() {
    wrong_rows(&plain().without(Rule::WorkersIdleBeforeLock));
}

#[test]
fn no_wait_for_the_marker() {
    wrong_rows(&plain().without(Rule::MarkerAfterLock));
}

#[test]
fn an_earlier_attempts_marker() {
    let setup = Setup {
        faults: 1,
        fault_kinds: &[Fault::LockTime],
        ..plain()
    };
    wrong_rows(&setup.without(Rule::NewMarkerEachAttempt));
}

#[test]
fn no_last_refresh() {
    wrong_rows(&plain().without(Rule::DrainBeforeRename));
}

#[test]
fn a_lost_answer_taken_for_a_failure() {
    let setup = Setup {
        faults: 1,
        stops: 1,
        fault_kinds: &[Fault::Locker],
        ..plain()
    };
    says(
        &setup.without(Rule::LostAnswerIsRead),
        "but the tables are swapped",
    );
}

#[test]
fn a_copy_that_does_not_reach_the_end() {
    wrong_rows(&plain().without(Rule::CopyReachesEnd));
}

#[test]
fn a_mismatch_in_a_row_that_changes() {
    let setup = plain()
        .seeing(Start::Verification)
        .without(Rule::MismatchNeedsQuiet);
    says(&setup, "a mismatch, though nothing was damaged");
}

#[test]
fn refreshes_that_read_without_a_lock() {
    wrong_rows(&lie(Lie::RefreshWithoutLock, plain()));
}

#[test]
fn a_copy_that_reads_without_a_lock() {
    wrong_rows(&lie(Lie::CopyWithoutLock, plain()));
}

#[test]
fn a_proof_of_absence_that_is_a_plain_read() {
    wrong_rows(&lie(Lie::ProofWithoutLock, plain()));
}

#[test]
fn key_changes_without_their_old_key() {
    wrong_rows(&lie(Lie::OldKeyNotReported, plain()));
}

#[test]
fn key_changes_without_their_new_key() {
    wrong_rows(&lie(Lie::NewKeyNotReported, plain()));
}

#[test]
fn a_lock_beside_a_prepared_transaction() {
    caught(&lie(
        Lie::LockIgnoresXa,
        Setup {
            xa: true,
            ..plain()
        },
    ));
}

#[test]
fn a_dead_clients_delete() {
    let setup = Setup {
        faults: 1,
        fault_kinds: &[Fault::Workers],
        transactions: 2,
        ..plain()
    };
    let setup = Setup {
        contents: vec![[row(0), None]],
        ops: vec![Op::Insert(0, 2), Op::Delete(0)],
        ..setup
    };
    wrong_rows(&lie(Lie::DeadClientsDelete, setup));
}

#[test]
fn a_catalogue_read_too_early() {
    // The core goes back to the gate, and the tables are swapped behind its back.
    let setup = Setup {
        faults: 1,
        fault_kinds: &[Fault::Locker],
        ..plain()
    };
    caught(&lie(Lie::OwnershipReadTooEarly, setup));
}

#[test]
fn deletes_by_the_ghosts_collation() {
    wrong_rows(&lie(Lie::DeleteByGhostsCollation, coarser()));
}

#[test]
fn rows_paired_by_one_collation() {
    wrong_rows(&lie(Lie::PairByOneCollation, finer().seeing(Start::Damage)));
    let setup = lie(
        Lie::PairByOneCollation,
        coarser().seeing(Start::Verification),
    );
    says(&setup, "a mismatch, though nothing was damaged");
}

#[test]
fn displaced_rows_under_a_new_unique_key() {
    let mut setup = added().seeing(Start::Verification);
    setup.settings.introduced_keys = false;
    wrong_rows(&setup);
}
