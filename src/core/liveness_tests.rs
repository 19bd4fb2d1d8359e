//! One test for each answer that may never come, and for the reasons to wait.

use super::*;
use crate::core::Settings;
use crate::core::copy::CopyOutcome;
use crate::core::event::{Event, Marker, Scan};
use crate::core::refresh::RefreshOutcome;
use crate::plan::key::Key;

const LIMIT_SECONDS: u64 = limits::LIVENESS.as_secs();

fn core() -> Core {
    Core::new(Settings {
        lag_max_ms: 1_500,
        lock_held_max_ms: 3_000,
        ..Settings::of_tests()
    })
}

fn key() -> Key {
    Key::from_bytes(&[1])
}

/// Past the barrier, the one chunk's end being looked up.
fn copying() -> Core {
    let mut core = core();
    core.start();
    core.step(Event::BarrierPassed);
    core
}

/// The one chunk is copied, its comparison's end being looked up.
fn verifying() -> Core {
    let mut core = copying();
    core.step(Event::ChunkEndFound(Scan::Copy, None));
    core.step(Event::Copied(
        CopyOutcome {
            chunk: 0,
            read: 1,
            placed: 1,
            missing: Vec::new(),
            rows_max: None,
        },
        1,
    ));
    core
}

/// At the gate, with nothing in the way but what the test puts there.
fn gate(suspects: Vec<Key>) -> Core {
    let mut core = verifying();
    core.step(Event::ChunkEndFound(Scan::Verify, None));
    core.step(Event::Compared(0, 1, suspects, 1));
    core
}

/// The lock is asked for.
fn locking() -> Core {
    let mut core = gate(Vec::new());
    core.step(Event::HeartbeatSeen(0));
    assert_eq!(core.view().stage, crate::core::Stage::CutOver);
    core
}

fn locked() -> Core {
    let mut core = locking();
    core.step(Event::Locked);
    core
}

/// Lets seconds pass, each with these events before its tick, until the run ends.
fn ended_after(core: &mut Core, seconds: u64, events: &[Event]) -> Option<u64> {
    let first = core.now_ms / 1_000;
    for second in 1..=seconds {
        for event in events {
            core.step(event.clone());
        }
        core.step(Event::Tick((first + second) * 1_000));
        if core.outcome().is_some() {
            return Some(second);
        }
    }
    None
}

const HEARTBEAT: &[Event] = &[Event::HeartbeatSeen(20)];

/// The run ends in time, and says what it waited for.
fn ends_saying(mut core: Core, events: &[Event], what: &str) {
    let after = ended_after(&mut core, LIMIT_SECONDS + 2, events).expect("the run ends");
    assert!(after >= LIMIT_SECONDS, "not before its time: {after} s");
    let Some(Outcome::Failed(failure)) = core.outcome() else {
        panic!("{:?}", core.outcome());
    };
    assert!(failure.what.contains(what), "{}", failure.what);
}

fn goes_on(mut core: Core, events: &[Event]) {
    let ended = ended_after(&mut core, 3 * LIMIT_SECONDS, events);
    assert_eq!(ended, None, "{:?}", core.outcome());
}

#[test]
fn a_lookup_that_never_comes_back_ends_the_run() {
    ends_saying(copying(), HEARTBEAT, "the end of the next chunk to copy");
    ends_saying(
        verifying(),
        HEARTBEAT,
        "the end of the next chunk to compare",
    );
}

#[test]
fn a_copy_that_never_comes_back_ends_the_run() {
    let mut core = copying();
    core.step(Event::ChunkEndFound(Scan::Copy, None));
    ends_saying(
        core,
        HEARTBEAT,
        "a chunk that is being copied; stage Copying, under way: 1 copies",
    );
}

#[test]
fn a_refresh_that_never_comes_back_ends_the_run_whatever_else_moves() {
    let mut core = gate(Vec::new());
    core.step(Event::Postponed(true));
    core.step(Event::Changed(vec![key()]));
    let other = Event::Changed(vec![Key::from_bytes(&[2])]);
    ends_saying(
        core,
        &[HEARTBEAT[0].clone(), other],
        "rows that are being refreshed; stage Postponed, under way: 0 copies, 1 refreshes, \
         0 comparisons, 0 checks; 3 dirty keys",
    );
}

#[test]
fn a_comparison_that_never_comes_back_ends_the_run() {
    let mut core = verifying();
    core.step(Event::ChunkEndFound(Scan::Verify, None));
    ends_saying(core, HEARTBEAT, "a chunk that is being compared");
}

#[test]
fn a_check_that_never_comes_back_ends_the_run() {
    let mut core = gate(vec![key()]);
    core.step(Event::Postponed(true));
    ends_saying(core, HEARTBEAT, "a check of differing rows");
}

#[test]
fn a_marker_that_never_comes_back_ends_the_run() {
    let mut core = gate(vec![key()]);
    core.step(Event::Tick(1_000));
    core.step(Event::Postponed(true));
    let commands = core.step(Event::Checked(0, vec![key()]));
    assert_eq!(commands, [Command::WriteMarker(Marker(1))]);
    ends_saying(
        core.clone(),
        HEARTBEAT,
        "a marker to come back through the stream",
    );
    // Behind a backlog it takes its time.
    goes_on(core, &[Event::HeartbeatSeen(3_000_000)]);
}

#[test]
fn a_replica_that_applies_nothing_for_hours_is_waited_for() {
    let mut core = gate(Vec::new());
    core.step(Event::HeartbeatSeen(60_000));
    goes_on(core, &[Event::StreamAlive]);
}

#[test]
fn a_silent_stream_ends_the_run() {
    let mut core = gate(Vec::new());
    core.step(Event::Postponed(true));
    ends_saying(core.clone(), &[], "no heartbeat has ever come");
    core.step(Event::HeartbeatSeen(7));
    core.step(Event::Throttled(Some("busy".into())));
    ends_saying(core.clone(), &[], "not even a heartbeat");
    // Unless the heartbeats rest; afterwards it has its whole time again.
    core.step(Event::HeartbeatsRest(true));
    goes_on(core.clone(), &[]);
    core.step(Event::HeartbeatsRest(false));
    ends_saying(core, &[], "not even a heartbeat");
}

#[test]
fn a_lock_that_is_never_answered_ends_the_run_even_if_the_unlock_is_not_either() {
    let mut core = locking();
    assert_eq!(
        ended_after(&mut core, LIMIT_SECONDS + 2, HEARTBEAT),
        None,
        "the lock is given up first"
    );
    let after = ended_after(&mut core, LIMIT_SECONDS + 2, HEARTBEAT);
    assert!(after.is_some());
    let Some(Outcome::Failed(failure)) = core.outcome() else {
        panic!("{:?}", core.outcome());
    };
    assert!(failure.what.contains("an answer from the locking"));
    let mut core = locking();
    ended_after(&mut core, LIMIT_SECONDS + 2, HEARTBEAT);
    core.step(Event::NotLocked);
    core.step(Event::Unlocked);
    assert!(matches!(core.outcome(), Some(Outcome::Failed(_))));
}

#[test]
fn a_last_refresh_that_is_never_answered_ends_the_run() {
    let mut core = locked();
    core.step(Event::MarkerSeen(Marker(1)));
    assert_eq!(core.attempt_step().map(|step| step % 8), Some(2));
    let after = ended_after(&mut core, 2 * LIMIT_SECONDS + 4, HEARTBEAT);
    assert!(after.is_some());
    assert!(matches!(core.outcome(), Some(Outcome::Failed(_))));
}

#[test]
fn a_rename_that_is_never_answered_is_unknown_and_no_failure() {
    let mut core = locked();
    core.step(Event::MarkerSeen(Marker(1)));
    core.step(Event::LockedRefreshed(Vec::new()));
    let mut lost = core.clone();
    assert!(ended_after(&mut core, LIMIT_SECONDS + 2, HEARTBEAT).is_some());
    assert_eq!(core.outcome(), Some(&Outcome::Unknown));
    lost.step(Event::RenameLost);
    assert!(ended_after(&mut lost, LIMIT_SECONDS + 2, HEARTBEAT).is_some());
    assert_eq!(lost.outcome(), Some(&Outcome::Unknown));
}

#[test]
fn a_stop_whose_unlock_is_never_answered_is_still_a_stop() {
    let mut core = locked();
    core.step(Event::Stop);
    assert!(ended_after(&mut core, LIMIT_SECONDS + 2, HEARTBEAT).is_some());
    assert_eq!(core.outcome(), Some(&Outcome::Stopped));
}

#[test]
fn a_barrier_may_take_its_own_time_but_not_for_ever() {
    let mut core = core();
    core.start();
    assert_eq!(ended_after(&mut core, 3_600, HEARTBEAT), None);
    ended_after(&mut core, LIMIT_SECONDS + 2, HEARTBEAT).expect("the run ends");
    let Some(Outcome::Failed(failure)) = core.outcome() else {
        panic!("{:?}", core.outcome());
    };
    assert!(failure.what.contains("open at the start"));
}

#[test]
fn no_progress_without_a_reason_ends_the_run() {
    // Nothing is under way and nothing keeps the gate closed: a state that must not exist, made
    // by hand.
    let mut core = gate(Vec::new());
    core.step(Event::HeartbeatSeen(0));
    core.phase = Phase::Gate;
    core.next_attempt_ms = u64::MAX;
    ends_saying(core.clone(), HEARTBEAT, "any progress at all");
    // Attempts that fail are a reason, and they are seen.
    goes_on(locking(), &[HEARTBEAT[0].clone(), Event::NotLocked]);
    for reason in [
        Event::Throttled(Some("busy".into())),
        Event::Postponed(true),
    ] {
        let mut core = core.clone();
        core.step(reason);
        goes_on(core, HEARTBEAT);
    }
    goes_on(core, &[Event::HeartbeatSeen(2_000)]);
}

#[test]
fn rows_that_others_hold_are_a_reason_to_wait() {
    let mut core = gate(Vec::new());
    core.next_attempt_ms = u64::MAX;
    core.step(Event::Changed(vec![key()]));
    for second in 1..3 * LIMIT_SECONDS {
        core.step(Event::HeartbeatSeen(0));
        for command in core.step(Event::Tick(second * 1_000)) {
            if let Command::Refresh(job) = command {
                core.step(Event::Refreshed(
                    RefreshOutcome {
                        id: job.id,
                        stayed: vec![key()],
                        ..RefreshOutcome::default()
                    },
                    0,
                ));
            }
        }
    }
    assert_eq!(core.outcome(), None);
}

#[test]
fn a_process_that_was_frozen_gives_everybody_time_to_answer() {
    let mut core = copying();
    core.step(Event::HeartbeatSeen(0));
    core.step(Event::Tick(1_000));
    core.step(Event::Tick(24 * 3_600_000));
    core.step(Event::Tick(24 * 3_600_000 + 50));
    assert_eq!(core.outcome(), None);
}

#[test]
fn a_stream_from_which_nothing_ever_came_falls_behind() {
    let mut core = copying();
    core.step(Event::Tick(2_000));
    assert_eq!(core.view().lag_ms, Some(2_000));
    core.step(Event::HeartbeatSeen(20));
    assert_eq!(core.view().lag_ms, Some(20));
}

#[test]
fn rows_that_do_not_fit_end_the_run_where_the_lock_would_be_asked_for() {
    use crate::core::event::About;
    let mut core = gate(Vec::new());
    core.step(Event::Postponed(true));
    core.misfits.insert(Key::from_bytes(&[1]));
    core.step(Event::HeartbeatSeen(0));
    assert_eq!(core.outcome(), None, "nobody asks for the swap yet");
    let commands = core.step(Event::Postponed(false));
    assert!(commands.is_empty(), "{commands:?}");
    let about = match core.outcome() {
        Some(Outcome::Failed(failure)) => Some(failure.about),
        Some(_) | None => None,
    };
    assert_eq!(about, Some(About::Misfits));
}
