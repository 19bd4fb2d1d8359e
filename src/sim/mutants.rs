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

pub(super) fn wrong_rows(setup: &Setup) {
    let story = caught(setup);
    assert!(story.why.starts_with("swapped with original"), "{story}");
}

pub(super) fn says(setup: &Setup, why: &str) {
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
    // It ends as if nothing had happened, or waits at the gate for a table that is gone.
    let story = caught(&setup.without(Rule::LostAnswerIsRead));
    let known = ["but the tables are swapped", "pinned"];
    assert!(known.iter().any(|why| story.why.contains(why)), "{story}");
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

#[test]
fn a_start_barrier_without_prepared_transactions() {
    let setup = Setup {
        before: true,
        xa: true,
        ..plain()
    };
    wrong_rows(&lie(Lie::BarrierIgnoresXa, setup));
}

#[test]
fn rows_that_lost_against_a_new_unique_key_are_forgotten() {
    let duplicates = Some(Row { key: 1, value: 1 });
    let mut setup = added();
    setup.contents = vec![[row(0), duplicates]];
    setup.settings.other_unique_keys = false;
    wrong_rows(&setup);
}

#[test]
fn a_rename_although_postponed() {
    let setup = Setup {
        pauses: 1,
        ..plain()
    };
    says(
        &setup.without(Rule::PostponedMeansNoRename),
        "while the cut-over was postponed",
    );
}

#[test]
fn work_although_throttled() {
    let setup = Setup {
        pauses: 1,
        ..plain()
    };
    says(
        &setup.without(Rule::ThrottledMeansNoLoad),
        "while throttled",
    );
}

#[test]
fn late_reports_start_something() {
    let setup = Setup {
        stops: 1,
        reports_late: true,
        ..plain().seeing(Start::Damage)
    };
    says(&setup.without(Rule::NothingAfterTheEnd), "ended, but");
}

#[test]
fn a_cut_over_before_the_verification() {
    let setup = plain().seeing(Start::Damage);
    wrong_rows(&setup.without(Rule::VerifiedBeforeCutOver));
}

#[test]
fn a_dirty_row_is_a_mismatch() {
    let setup = plain()
        .seeing(Start::Verification)
        .without(Rule::DirtyIsNotQuiet);
    says(&setup, "a mismatch, though nothing was damaged");
}

#[test]
fn a_full_set_keeps_the_marker_from_being_read() {
    let mut setup = plain().without(Rule::StreamReadUnderLock);
    setup.settings.dirty_bytes_max = 1;
    says(&setup, "stuck");
}

#[test]
fn a_mismatch_before_its_events_are_delivered() {
    let setup = plain()
        .seeing(Start::Verification)
        .without(Rule::MismatchWaitsForMarker);
    says(&setup, "a mismatch, though nothing was damaged");
}

/// The lock is lost once.
fn losing_the_lock() -> Setup {
    Setup {
        faults: 1,
        fault_kinds: &[Fault::LockLost],
        transactions: 2,
        contents: vec![[row(0), None]],
        ops: vec![Op::Update(0), Op::Delete(0), Op::Insert(1, 2)],
        ..plain()
    }
}

#[test]
fn the_set_is_cleaned_by_the_answer() {
    wrong_rows(&losing_the_lock().without(Rule::CleanedWhenIssued));
}

#[test]
fn keys_of_a_lost_lock_are_forgotten() {
    wrong_rows(&losing_the_lock().without(Rule::LostLockMarksAgain));
}

#[test]
fn suspects_are_not_settled_under_the_lock() {
    let setup = Setup {
        contents: vec![[row(0), None]],
        ..plain()
    };
    let setup = setup.seeing(Start::Damage);
    wrong_rows(&setup.without(Rule::SuspectsSettledUnderLock));
}

#[test]
fn a_stop_that_does_not_wait_for_the_rename() {
    let setup = Setup {
        stops: 1,
        ..plain()
    };
    caught(&setup.without(Rule::StopWaitsForRename));
}

/// The tool dies once; rows are few, so that stories are long.
fn dying() -> Setup {
    let mut setup = Setup {
        crashes: 1,
        checkpoints: 1,
        contents: vec![[row(0), None], [row(0), row(1)]],
        ..plain()
    };
    setup.settings.checkpoint_ms = Some(0);
    setup
}

#[test]
fn a_checkpoint_past_a_dirty_key() {
    wrong_rows(&dying().without(Rule::CheckpointIsNotPastDirtyKeys));
}

#[test]
fn a_checkpoint_past_a_key_in_a_workers_hands() {
    wrong_rows(&dying().without(Rule::CheckpointCountsKeysInHand));
}

#[test]
fn a_checkpoint_without_the_keys_that_were_passed_over() {
    wrong_rows(&dying().without(Rule::CheckpointNamesKeysPassedOver));
}

#[test]
fn a_checkpoint_past_a_chunk_that_is_not_done() {
    wrong_rows(
        &dying()
            .chunks(1)
            .without(Rule::CheckpointStaysBehindOpenChunks),
    );
}

#[test]
fn a_held_key_that_gets_younger() {
    let setup = Setup {
        transactions: 2,
        contents: vec![[row(0), row(1)]],
        ops: vec![Op::Update(0), Op::Update(1)],
        ..dying()
    };
    wrong_rows(&setup.without(Rule::DirtyAgainKeepsItsAge));
}

#[test]
fn a_checkpoint_under_the_lock() {
    wrong_rows(&dying().without(Rule::NoCheckpointUnderLock));
}

#[test]
fn a_checkpoint_before_the_barrier() {
    let setup = Setup {
        before: true,
        ..dying()
    };
    wrong_rows(&setup.without(Rule::NoCheckpointBeforeBarrier));
}

#[test]
fn a_log_without_the_checkpoint() {
    let setup = lie(Lie::AnotherLog, dying());
    wrong_rows(&setup.clone().without(Rule::CheckpointProvesItself));
    let seen = explore(&setup).unwrap_or_else(|story| panic!("{story}"));
    assert!(seen.complete && seen.ended > 0, "{seen:?}");
}

#[test]
fn a_run_that_begins_before_the_dead_one_is_gone() {
    let setup = Setup {
        transactions: 2,
        contents: vec![[row(0), None]],
        ops: vec![Op::Insert(0, 2), Op::Delete(0)],
        ..dying()
    };
    wrong_rows(&lie(Lie::EarlierRunLingers, setup));
}

#[test]
fn a_revert_that_begins_too_late() {
    let setup = Setup {
        crashes: 0,
        reverts: 1,
        ..dying()
    };
    wrong_rows(&lie(Lie::RevertBeginsTooLate, setup));
}
