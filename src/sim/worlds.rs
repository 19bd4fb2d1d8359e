//! Worlds beyond the first ones: transactions of several rows, unique values handed over, little
//! memory, several workers, trouble in every phase, and a third key.

use super::*;

/// Every pair of changes that are not the same row's same change.
fn pairs(ops: &[Op]) -> Vec<[Op; 2]> {
    let both = |one: &Op| ops.iter().map(|other| [*one, *other]).collect::<Vec<_>>();
    ops.iter()
        .flat_map(both)
        .filter(|[one, other]| one != other)
        .collect()
}

/// Transactions that hand a unique value over from one row to another.
fn handed_over() -> Setup {
    Setup {
        ops: vec![Op::Swap(0, 1), Op::Update(0), Op::Delete(1)],
        pairs: vec![
            [Op::Delete(0), Op::Update(1)],
            [Op::Delete(1), Op::Update(0)],
            [Op::Delete(0), Op::Move(1, 0)],
            [Op::Delete(0), Op::Insert(0, 1)],
        ],
        contents: vec![[row(0), Some(Row { key: 1, value: 2 })]],
        ..unique()
    }
}

#[test]
fn transactions_of_two_rows() {
    holds(&transactions(
        1,
        Setup {
            pairs: pairs(&plain().ops),
            ops: Vec::new(),
            xa: true,
            ..plain()
        },
    ));
    let contents = vec![[row(0), row(1)]];
    let setup = Setup {
        pairs: pairs(&plain().ops[4..]),
        ops: Vec::new(),
        contents,
        ..plain()
    };
    holds(&transactions(1, setup.workers(2, 1)));
}

#[test]
fn a_unique_value_is_handed_over_in_one_transaction() {
    holds(&transactions(1, handed_over().workers(2, 1)));
    holds(&transactions(1, handed_over()));
    holds(&transactions(1, handed_over().seeing(Start::Verification)));
}

#[test]
fn a_unique_value_is_handed_over_under_a_new_unique_key() {
    let mut setup = handed_over().introducing();
    setup.settings.same_order = true;
    holds(&transactions(2, setup.clone()));
    holds(&transactions(1, setup.workers(2, 1).chunks(1)));
}

#[test]
fn values_are_unique_and_xa_is_decided_late() {
    let setup = Setup {
        xa: true,
        ..handed_over()
    };
    holds(&transactions(1, setup));
}

#[test]
fn two_copy_workers() {
    let mut setup = plain().chunks(1);
    setup.settings.copy_workers = 2;
    setup.contents = vec![[row(0), row(1)]];
    holds(&transactions(1, setup.clone()));
    let late = Setup {
        rows_one_by_one: true,
        reports_late: true,
        ops: vec![Op::Move(0, 1), Op::Move(1, 0), Op::Delete(0), Op::Update(1)],
        ..setup
    };
    holds(&transactions(1, late.clone()));
    holds(&transactions(1, late.seeing(Start::Verification)));
}

#[test]
fn the_set_of_dirty_keys_is_always_full() {
    let mut setup = plain().seeing(Start::Verification);
    setup.settings.dirty_bytes_max = 1;
    setup.contents = vec![[row(0), row(1)]];
    holds(&transactions(
        1,
        Setup {
            xa: true,
            faults: 1,
            fault_kinds: ALL_FAULTS,
            ..setup
        },
    ));
    let mut setup = added();
    setup.settings.dirty_bytes_max = 1;
    holds(&transactions(1, setup.workers(2, 1)));
}

#[test]
fn pauses_and_trouble_while_verifying_and_cutting_over() {
    let setup = Setup {
        contents: vec![[row(0), row(1)]],
        ops: vec![Op::Update(0), Op::Delete(1), Op::Move(0, 0)],
        pauses: 1,
        faults: 1,
        fault_kinds: ALL_FAULTS,
        ..plain()
    };
    holds(&transactions(1, setup.seeing(Start::Verification)));
}

#[test]
fn markers_of_suspects_and_of_attempts_mixed() {
    let setup = Setup {
        contents: vec![[row(0), None]],
        ops: vec![Op::Update(0), Op::Delete(0), Op::Insert(1, 2)],
        faults: 1,
        fault_kinds: &[Fault::LockTime, Fault::LockLost],
        ..plain()
    };
    holds(&transactions(1, setup.seeing(Start::Damage)));
}

#[test]
fn three_keys_one_of_them_held() {
    let rows = [row(0), row(1), row(2)];
    let mut settings = settings();
    settings.refresh_keys = 3;
    settings.refresh_keys_max = 3;
    settings.chunk_rows = 2;
    settings.chunk_rows_max = 2;
    let base = plain();
    let setup: Setup<3> = Setup {
        settings,
        layout: base.layout,
        unique: Unique::No,
        blind: true,
        start: Start::Beginning,
        contents: vec![rows],
        transactions: 1,
        ops: Vec::new(),
        pairs: vec![
            [Op::Delete(0), Op::Delete(2)],
            [Op::Update(1), Op::Delete(2)],
            [Op::Delete(0), Op::Update(1)],
            [Op::Move(0, 0), Op::Delete(1)],
        ],
        xa: true,
        before: false,
        faults: 0,
        fault_kinds: &[],
        stops: 0,
        pauses: 0,
        crashes: 0,
        checkpoints: 0,
        reverts: 0,
        rows_one_by_one: false,
        lookups_at_once: true,
        reports_late: false,
        lie: None,
        stubborn: 0,
        tick_ms: 0,
        vanishing: false,
        alike: true,
        states_max: base.states_max,
    };
    holds(&transactions(1, setup));
}

/// The tool may die once and is started again.
fn restarting(setup: Setup) -> Setup {
    let mut setup = Setup {
        crashes: 1,
        checkpoints: 1,
        ..setup
    };
    setup.settings.checkpoint_ms = Some(0);
    setup
}

#[test]
fn a_run_goes_on_where_a_dead_one_was() {
    let contents = vec![[row(0), None], [row(0), row(1)]];
    let setup = Setup {
        xa: true,
        contents: contents.clone(),
        ops: vec![
            Op::Update(0),
            Op::Delete(0),
            Op::Insert(1, 2),
            Op::Move(0, 1),
        ],
        ..restarting(plain())
    };
    holds(&transactions(1, setup.clone().chunks(1)));
    let setup = Setup {
        before: true,
        contents,
        ..setup
    };
    holds(&transactions(1, setup));
}

#[test]
fn a_run_that_goes_on_dies_as_well() {
    let setup = Setup {
        crashes: 2,
        checkpoints: 2,
        contents: vec![[row(0), None]],
        ops: vec![Op::Update(0), Op::Delete(0)],
        ..restarting(plain())
    };
    holds(&transactions(1, setup));
}

#[test]
fn a_run_goes_on_with_unique_values_and_spellings() {
    let few = |setup: Setup| Setup {
        contents: vec![[row(0), Some(Row { key: 1, value: 2 })]],
        ops: vec![Op::Swap(0, 1), Op::Delete(0)],
        pairs: vec![[Op::Delete(0), Op::Update(1)]],
        ..setup
    };
    holds(&transactions(1, few(restarting(handed_over()))));
    holds(&transactions(1, few(restarting(added()))));
    let few = |setup: Setup| Setup {
        contents: vec![[row(0), None]],
        ops: vec![Op::Move(0, 1), Op::Delete(0)],
        ..setup
    };
    holds(&transactions(1, few(restarting(collated()))));
    holds(&transactions(1, few(restarting(finer()))));
}

#[test]
fn a_run_goes_on_after_trouble_at_the_cut_over() {
    let setup = Setup {
        faults: 1,
        fault_kinds: &[Fault::LockTime, Fault::LockLost],
        contents: vec![[row(0), None]],
        ops: vec![Op::Update(0), Op::Delete(0)],
        ..restarting(plain())
    };
    holds(&transactions(1, setup.seeing(Start::Verification)));
}

#[test]
fn two_copy_workers_die() {
    let mut setup = restarting(plain()).chunks(1);
    setup.settings.copy_workers = 2;
    setup.contents = vec![[row(0), row(1)]];
    setup.ops = vec![Op::Update(0), Op::Delete(1)];
    holds(&transactions(1, setup));
}

#[test]
fn a_finished_migration_is_reverted() {
    let setup = Setup {
        reverts: 1,
        crashes: 0,
        contents: vec![[row(0), None]],
        ops: vec![
            Op::Update(0),
            Op::Delete(0),
            Op::Insert(1, 2),
            Op::Move(0, 1),
        ],
        ..restarting(plain())
    };
    holds(&transactions(1, setup.clone()));
    let setup = Setup {
        ops: vec![Op::Update(0), Op::Delete(0)],
        ..setup
    };
    holds(&transactions(2, setup.clone()));
    holds(&transactions(
        1,
        Setup {
            crashes: 1,
            ..setup
        },
    ));
    let setup = Setup {
        reverts: 1,
        crashes: 0,
        ..restarting(handed_over())
    };
    holds(&transactions(1, setup));
}
