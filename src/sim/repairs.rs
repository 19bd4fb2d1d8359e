//! Worlds in which mismatches are repaired, and others in which not everything is verified.

use super::mutants::wrong_rows;
use super::*;

/// The ghost is damaged, and the operator wants it to be repaired.
fn repaired(stubborn: u8, setup: Setup) -> Setup {
    let mut setup = Setup { stubborn, ..setup }.seeing(Start::Damage);
    setup.settings.verify.repair = true;
    setup
}

/// Little enough for transactions and trouble beside the damage.
fn one_row() -> Setup {
    Setup {
        contents: vec![[row(0), None]],
        ..plain()
    }
}

fn ends(setup: &Setup) -> explore::Seen {
    explore(setup).unwrap_or_else(|story| panic!("{story}"))
}

#[test]
fn damage_is_repaired_and_everything_compared_again() {
    for stubborn in 0..3 {
        let setup = Setup {
            transactions: 0,
            ..repaired(stubborn, plain())
        };
        let seen = ends(&setup);
        assert!(seen.complete && seen.swapped > 0, "{seen:?}");
    }
    holds(&transactions(1, repaired(0, one_row())));
    holds(&transactions(1, repaired(1, one_row())));
}

#[test]
fn damage_that_no_refresh_takes_away_ends_the_run() {
    let seen = ends(&Setup {
        transactions: 0,
        ..repaired(FOR_EVER, plain())
    });
    assert!(seen.complete && seen.swapped == 0, "{seen:?}");
}

#[test]
fn repairs_while_the_cut_over_goes_wrong_or_is_postponed() {
    let setup = Setup {
        transactions: 0,
        faults: 1,
        fault_kinds: ALL_FAULTS,
        pauses: 1,
        ..repaired(1, one_row())
    };
    let seen = ends(&setup);
    assert!(seen.complete && seen.swapped > 0, "{seen:?}");
}

#[test]
fn repairs_where_keys_have_spellings() {
    holds(&transactions(0, repaired(1, collated())));
    holds(&transactions(0, repaired(0, finer())));
    holds(&transactions(0, repaired(0, coarser())));
    holds(&transactions(0, repaired(0, added())));
}

#[test]
fn nothing_is_repaired_where_nothing_is_damaged() {
    let mut setup = one_row().seeing(Start::Verification);
    setup.settings.verify.repair = true;
    holds(&transactions(2, setup));
}

#[test]
fn rows_change_while_they_are_compared_again() {
    let setup = Setup {
        pauses: 1,
        ops: vec![Op::Update(0), Op::Delete(0), Op::Insert(1, 2)],
        ..one_row()
    };
    holds(&transactions(2, setup.seeing(Start::Verification)));
}

#[test]
fn a_sample_or_no_verification_at_all() {
    for extent in [
        Extent::Off,
        Extent::Sample {
            percent: 0,
            seed: 0,
        },
    ] {
        let mut setup = plain().chunks(1).seeing(Start::Beginning);
        setup.contents = vec![[row(0), row(1)]];
        setup.settings.verify = Wanted {
            extent,
            repair: false,
        };
        holds(&transactions(1, setup));
    }
}

#[test]
fn a_pass_that_repaired_counts_as_one() {
    wrong_rows(&repaired(1, plain()).without(Rule::RepairedPassIsNoPass));
}

/// The ALTER introduces a unique key, and the operator wants no verification.
fn unverified_key() -> Setup {
    let mut setup = added().seeing(Start::Damage);
    setup.settings.verify.extent = Extent::Off;
    Setup {
        transactions: 0,
        ..setup
    }
}

#[test]
fn introduced_keys_are_verified_whatever_was_wanted() {
    holds(&unverified_key());
    wrong_rows(&unverified_key().without(Rule::IntroducedKeysVerified));
}
