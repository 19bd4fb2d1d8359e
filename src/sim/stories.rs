//! The seeded simulator: long random stories in larger worlds, where the explorer can't go.
//!
//! A story is a random world (layout, unique keys, workers, chunk sizes, memory, what can go wrong)
//! with up to six keys and dozens of transactions, hundreds of random steps in it, and then
//! friendly steps to the end. The properties are the explorer's. Everything follows from one
//! number: `TABLESHIFT_SEED=n` repeats a story, `TABLESHIFT_STORIES=n` says how many to tell. A
//! story that breaks a property is shortened before it is told.

use std::fmt::Write as _;

use super::actions::VANISHING;
use super::explore::{attempt, friendly, is_late_report};
use super::world::OPS_MAX;
use super::*;

/// Keys of a story's world.
const KEYS: usize = 6;
/// Stories of the quick run, and of the deep one.
const STORIES: u64 = 3_000;
const STORIES_DEEP: u64 = 200_000;
/// Most random steps of a story.
const STEPS: u64 = 1_000;
/// Stories in which a mutant must have shown itself.
const STORIES_OF_A_MUTANT: u64 = 10_000;
/// One step in so many decides anew who stands still.
const STILL: u64 = 30;
/// Time between two ticks.
const TICK_MS: u64 = 50;
/// The same where answers vanish: a tick counts for a second at most.
const VANISHING_TICK_MS: u64 = 1_000;
/// Rounds of friendly steps in which a run must notice that an answer never comes.
const LIVENESS_ROUNDS: usize = 40;
/// Stories in which an answer vanishes.
const STORIES_OF_VANISHING: u64 = 200;
/// Rounds of leaving steps out of a story that breaks a property.
const SHORTENINGS: usize = 3;

/// A generator of numbers (SplitMix64, public domain): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn small(&mut self, limit: usize) -> u8 {
        u8::try_from(self.below(limit as u64)).expect("a small number")
    }

    fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let chosen = self.below(from.len() as u64);
        from[usize::try_from(chosen).expect("an index")]
    }
}

/// A world for one story.
fn random_world(random: &mut Random) -> Setup<KEYS> {
    let layout = random.pick(&[
        Layout::Plain,
        Layout::Plain,
        Layout::Plain,
        Layout::Collated,
        Layout::FinerGhost,
        Layout::CoarserGhost,
    ]);
    let unique = match layout {
        Layout::Plain => random.pick(&[Unique::No, Unique::Both, Unique::Both, Unique::Added]),
        Layout::Collated | Layout::FinerGhost | Layout::CoarserGhost => Unique::No,
    };
    let own_order = matches!(layout, Layout::FinerGhost | Layout::CoarserGhost);
    let chunk_rows = 1 + random.below(3);
    let refresh_keys = 1 + usize::from(random.small(4));
    let settings = Settings {
        copy_workers: 1 + usize::from(random.small(2)),
        refresh_workers: 1 + usize::from(random.small(2)),
        chunk_rows,
        chunk_rows_max: chunk_rows,
        refresh_keys,
        refresh_keys_max: refresh_keys + usize::from(random.small(3)),
        compare_behind_copy: random.one_in(2),
        dirty_bytes_max: if random.one_in(4) { 100 } else { 1 << 20 },
        byte_comparable: layout == Layout::Plain,
        same_order: !own_order,
        other_unique_keys: unique != Unique::No || own_order,
        introduced_keys: unique == Unique::Added || own_order,
        checkpoint_ms: random
            .one_in(2)
            .then(|| random.pick(&[0, TICK_MS, 20 * TICK_MS])),
        ..settings()
    };
    let restarts = settings.checkpoint_ms.is_some();
    // The way back is the same migration only if both tables tell the same keys apart.
    let alike = !own_order && unique != Unique::Added;
    let faults = random.small(4);
    Setup {
        settings,
        layout,
        unique,
        blind: random.one_in(2),
        start: Start::Beginning,
        contents: Vec::new(),
        transactions: 2 + random.small(50),
        ops: Vec::new(),
        pairs: Vec::new(),
        xa: random.one_in(2),
        before: random.one_in(2),
        faults,
        fault_kinds: ALL_FAULTS,
        stops: u8::from(random.one_in(20)),
        pauses: random.small(3),
        checkpoints: u8::MAX,
        crashes: if restarts { random.small(4) } else { 0 },
        reverts: u8::from(restarts && alike && random.one_in(2)),
        rows_one_by_one: random.one_in(2),
        lookups_at_once: random.one_in(2),
        reports_late: random.one_in(2),
        lie: None,
        stubborn: 0,
        tick_ms: TICK_MS,
        vanishing: false,
        alike: false,
        states_max: 0,
    }
}

/// Rows that the original may hold at first.
fn random_rows(setup: &Setup<KEYS>, random: &mut Random) -> Rows<KEYS> {
    let mut rows = [None; KEYS];
    for key in 0..u8::try_from(KEYS).expect("few keys") {
        let place = usize::from(setup.place(key));
        if rows[place].is_some() || random.one_in(3) {
            continue;
        }
        let value = if setup.unique == Unique::No {
            1
        } else {
            key + 1
        };
        rows[place] = Some(Row { key, value });
    }
    rows
}

/// What the application of a story likes to do.
#[derive(Debug, Clone, Copy)]
struct Habits {
    /// So many keys are in use; a loss in a row that changes again is none.
    keys: usize,
    /// Rows only come and go.
    come_and_go: bool,
    /// Most operations of a transaction.
    ops: usize,
    /// A transaction begins in one of so many steps.
    seldom: u64,
}

impl Habits {
    fn random(random: &mut Random) -> Self {
        Self {
            keys: 1 + usize::from(random.small(KEYS)),
            come_and_go: random.one_in(3),
            ops: 1 + usize::from(random.small(OPS_MAX)),
            seldom: random.pick(&[3, 5, 20]),
        }
    }

    fn op(self, random: &mut Random) -> Op {
        let (one, other) = (random.small(self.keys), random.small(self.keys));
        let value = 1 + random.small(KEYS);
        if self.come_and_go {
            return if random.one_in(2) {
                Op::Insert(one, value)
            } else {
                Op::Delete(one)
            };
        }
        match random.below(6) {
            0 | 1 => Op::Insert(one, value),
            2 => Op::Update(one),
            3 => Op::Delete(one),
            4 => Op::Move(one, other),
            _ if one != other => Op::Swap(one, other),
            _ => Op::Update(one),
        }
    }

    fn change(self, random: &mut Random) -> Action {
        let mut ops = [None; OPS_MAX];
        let number = 1 + usize::from(random.small(self.ops));
        for op in ops.iter_mut().take(number) {
            *op = Some(self.op(random));
        }
        Action::BeginSeveral(ops)
    }
}

/// Who does it: some of them stand still for a while, so that others overtake them by far.
fn actor(action: Action) -> u32 {
    match action {
        Action::Begin(_) | Action::BeginSeveral(_) => 0,
        Action::Log(_) | Action::Prepare(_) => 1,
        Action::Visible(_) | Action::RollBack(_) => 2,
        Action::Barrier | Action::Lookup => 3,
        Action::Deliver => 4,
        Action::CopyStep(slot) | Action::ReportCopied(slot) | Action::CopyLost(slot) => {
            5 + u32::from(slot)
        }
        Action::RefreshStep(slot) | Action::RefreshLost(slot, _) => 7 + u32::from(slot),
        Action::ReportRefreshed(slot) => 9 + u32::from(slot),
        Action::Compare(_) | Action::ReportCompared(_) => 11,
        Action::Check | Action::ReportChecked => 12,
        Action::WriteMarker => 13,
        Action::Locker(_) | Action::LockLost => 14,
        Action::LockerAnswer => 15,
        Action::DeadDelete | Action::DeadRename => 16,
        Action::Throttle | Action::Postpone => 17,
        Action::Tick
        | Action::Leap
        | Action::Stop
        | Action::Break
        | Action::Victim(_)
        | Action::Vanish(_)
        | Action::Store(_)
        | Action::Crash
        | Action::BuildIndexes(_)
        | Action::ComparePlans(_)
        | Action::Revert => 18,
    }
}

/// Who stands still for the time being, as bits.
fn random_still(random: &mut Random) -> u32 {
    (0..18).fold(0, |bits, who| bits | u32::from(random.one_in(3)) << who)
}

/// What happens next: the tool and the application take turns, and trouble is rare.
fn random_action(
    sim: &Sim<KEYS>,
    setup: &Setup<KEYS>,
    (habits, still): (Habits, u32),
    random: &mut Random,
) -> Action {
    let world = &sim.world;
    let open = !world.locked && (!world.swapped || sim.revertable());
    let begin = open && world.transactions_left > 0 && world.transactions.len() < 4;
    if begin && still & 1 == 0 && random.one_in(habits.seldom) {
        return habits.change(random);
    }
    let actions = sim.actions(setup);
    let mut action = random.pick(&actions);
    for _ in 0..3 {
        let rare = matches!(
            action,
            Action::Tick
                | Action::Stop
                | Action::Break
                | Action::Throttle
                | Action::Postpone
                | Action::Locker(Fate::Refused | Fate::LostDone | Fate::LostUndone)
                | Action::RefreshLost(..)
                | Action::CopyLost(_)
                | Action::LockLost
                | Action::BuildIndexes(false)
                | Action::Crash
                | Action::Revert
        );
        if !rare && still >> actor(action) & 1 == 0 {
            break;
        }
        action = random.pick(&actions);
    }
    if still >> actor(action) & 1 == 1 {
        return Action::Tick;
    }
    let resumes = world.paused && matches!(action, Action::Throttle | Action::Postpone);
    if resumes && world.transactions_left > 0 && !random.one_in(20) {
        return Action::Tick;
    }
    action
}

/// A story that was told: its world, its beginning, and what happened.
#[derive(Clone)]
struct Told {
    setup: Setup<KEYS>,
    root: Sim<KEYS>,
    way: Vec<Action>,
}

/// What came of a story.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    vanished: u64,
    swapped: u64,
    ended: u64,
    steps: u64,
}

/// Tries one step; the state is as before when it isn't possible.
fn step(sim: &mut Sim<KEYS>, setup: &Setup<KEYS>, action: Action) -> Result<bool, Broken> {
    let mut after = sim.clone();
    let done = attempt(&mut after, setup, action)?;
    if done {
        *sim = after;
    }
    Ok(done)
}

/// From here on everything goes well, and the run has to end.
fn to_the_end(sim: &mut Sim<KEYS>, setup: &Setup<KEYS>) -> Result<(), Broken> {
    let rounds = if setup.vanishing { LIVENESS_ROUNDS } else { 1 };
    for _ in 0..rounds {
        let over = |sim: &Sim<KEYS>| sim.core.outcome().is_some();
        if friendly(sim, setup, &mut Vec::new(), over)? {
            return Ok(());
        }
    }
    Err("pinned: friendly steps don't bring it to an end".into())
}

/// What was still under way is heard of after the end, and must start nothing.
fn late_reports(sim: &mut Sim<KEYS>, setup: &Setup<KEYS>) -> Result<(), Broken> {
    for action in sim.actions(setup) {
        if is_late_report(action) {
            step(sim, setup, action)?;
        }
    }
    Ok(())
}

/// Tells the story of a seed in a world that `change` may alter.
///
/// # Errors
/// Why it is a bad one, and the story.
fn tell(
    seed: u64,
    change: &impl Fn(&mut Setup<KEYS>),
    tally: &mut Tally,
) -> Result<(), Box<(Broken, Told)>> {
    let mut random = Random::new(seed);
    let mut setup = random_world(&mut random);
    change(&mut setup);
    let habits = Habits::random(&mut random);
    let rows = random_rows(&setup, &mut random);
    let mut root = Sim::new(&setup, rows, None).expect("a beginning");
    if setup.before
        && let Some(tx) = root.world.begin(&setup, &[habits.op(&mut random)])
    {
        let stage = if setup.xa {
            Stage::Prepared
        } else {
            Stage::Logged
        };
        let tx = Tx {
            stage,
            before: true,
            ..tx
        };
        root = Sim::new(&setup, rows, Some(tx)).expect("a beginning");
    }
    // Without this most stories are over before the application has done much.
    if random.one_in(2) {
        root.world.pauses_left += 1;
        step(&mut root, &setup, Action::Postpone).expect("a pause");
    }
    let mut sim = root.clone();
    let mut way = Vec::new();
    let steps = random.below(if setup.vanishing { STEPS / 10 } else { STEPS });
    let mut result = Ok(());
    let mut still = 0;
    for _ in 0..steps {
        if sim.is_over() {
            break;
        }
        if random.one_in(STILL) {
            still = random_still(&mut random);
        }
        let action = random_action(&sim, &setup, (habits, still), &mut random);
        match step(&mut sim, &setup, action) {
            Ok(false) => {}
            Ok(true) => way.push(action),
            Err(why) => {
                way.push(action);
                result = Err(why);
                break;
            }
        }
    }
    tally.steps += way.len() as u64;
    if result.is_ok() && sim.core.outcome().is_none() && setup.vanishing {
        let first = random.small(VANISHING);
        for more in 0..VANISHING {
            let what = (usize::from(first) + more) % VANISHING;
            let action = Action::Vanish(u8::try_from(what).expect("few kinds"));
            if step(&mut sim, &setup, action) == Ok(true) {
                way.push(action);
                tally.vanished += 1;
                break;
            }
        }
    }
    let result = result
        .and_then(|()| to_the_end(&mut sim, &setup))
        .and_then(|()| late_reports(&mut sim, &setup));
    tally.ended += 1;
    tally.swapped += u64::from(sim.world.swapped);
    result.map_err(|why| Box::new((why, Told { setup, root, way })))
}

impl Told {
    /// What breaks when exactly this happens.
    fn again(&self) -> Option<Broken> {
        let mut sim = self.root.clone();
        for action in &self.way {
            // Shortened, a story may speak of a transaction that never began.
            let known = match action {
                Action::Log(tx)
                | Action::Prepare(tx)
                | Action::Visible(tx)
                | Action::RollBack(tx) => usize::from(*tx) < sim.world.transactions.len(),
                _ => true,
            };
            if !known || sim.is_over() {
                continue;
            }
            match step(&mut sim, &self.setup, *action) {
                Ok(_) => {}
                Err(why) => return Some(why),
            }
        }
        let end = to_the_end(&mut sim, &self.setup);
        end.and_then(|()| late_reports(&mut sim, &self.setup)).err()
    }

    /// Leaves out what isn't needed for something to break.
    fn shortened(mut self) -> Self {
        for _ in 0..SHORTENINGS {
            let before = self.way.len();
            let mut at = before;
            while at > 0 {
                at -= 1;
                let mut shorter = self.clone();
                shorter.way.remove(at);
                if shorter.again().is_some() {
                    self = shorter;
                }
            }
            if self.way.len() == before {
                break;
            }
        }
        self
    }

    fn text(&self, why: &str) -> String {
        let mut text = format!("{why}\nin {:?}\n", self.setup);
        let mut sim = self.root.clone();
        let world = &sim.world;
        let _ = writeln!(
            text,
            "original {:?}, transactions {:?}",
            world.original, world.transactions
        );
        for (number, action) in self.way.iter().enumerate() {
            let result = step(&mut sim, &self.setup, *action);
            let short = |rows: Rows<KEYS>| rows.map(|row| row.map(|row| (row.key, row.value)));
            let _ = writeln!(
                text,
                "{number:4} {action:?}: {:?}, dirty {}, original {:?}, ghost {:?} {}",
                sim.core.view().stage,
                sim.core.view().dirty,
                short(sim.world.original),
                short(sim.world.ghost),
                result.err().unwrap_or_default()
            );
        }
        text.push_str("then friendly steps\n");
        text
    }
}

fn number_from(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tells stories until one breaks something; its seed, why, and the story.
fn first_bad(
    seeds: impl Iterator<Item = u64>,
    change: impl Fn(&mut Setup<KEYS>),
) -> Result<Tally, Box<(u64, Broken, Told)>> {
    let mut tally = Tally::default();
    for seed in seeds {
        tell(seed, &change, &mut tally).map_err(|bad| Box::new((seed, bad.0, bad.1)))?;
    }
    Ok(tally)
}

#[test]
fn random_stories_end_well() {
    let stories =
        number_from("TABLESHIFT_STORIES").unwrap_or(if deep() { STORIES_DEEP } else { STORIES });
    let seeds = match number_from("TABLESHIFT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..stories,
    };
    let many = seeds.end - seeds.start > 100;
    match first_bad(seeds, |_| {}) {
        Ok(tally) => {
            println!("{tally:?}");
            assert!(
                !many || tally.swapped * 2 > tally.ended,
                "most stories must come to their cut-over: {tally:?}"
            );
        }
        Err(bad) => {
            let (seed, why, told) = *bad;
            let short = told.shortened();
            let text = short.text(&why);
            panic!("TABLESHIFT_SEED={seed} repeats this story:\n{text}");
        }
    }
}

/// Indexes of the ghost are built after the copy, and more than once what changes meanwhile is too much.
#[test]
fn random_stories_with_deferred_indexes_end_well() {
    let stories = STORIES / 10 * if deep() { 20 } else { 1 };
    let deferring = |setup: &mut Setup<KEYS>| {
        setup.settings.deferred_indexes = true;
        setup.faults += 2;
        setup.fault_kinds = &[
            Fault::IndexLog,
            Fault::IndexLog,
            Fault::LockLost,
            Fault::Workers,
        ];
    };
    match first_bad(0..stories, deferring) {
        Ok(tally) => {
            println!("{tally:?}");
            assert!(tally.swapped * 2 > tally.ended, "few cut-overs: {tally:?}");
        }
        Err(bad) => {
            let (seed, why, told) = *bad;
            panic!("story {seed}: {}", told.shortened().text(&why));
        }
    }
}

#[test]
fn answers_that_vanish_end_the_run() {
    let stories = STORIES_OF_VANISHING * if deep() { 20 } else { 1 };
    match first_bad(0..stories, vanish) {
        Ok(tally) => {
            println!("{tally:?}");
            assert!(tally.vanished * 8 > stories, "few vanished: {tally:?}");
        }
        Err(bad) => {
            let (seed, why, told) = *bad;
            panic!("story {seed}: {}", told.text(&why));
        }
    }
}

/// The seed of the first story in which a mutant shows itself.
fn shows(mutant: &str, change: impl Fn(&mut Setup<KEYS>)) {
    match first_bad(0..STORIES_OF_A_MUTANT, change) {
        Ok(tally) => panic!("{mutant} is not caught: {tally:?}"),
        Err(bad) => {
            let (seed, why, _) = *bad;
            println!("{mutant}: story {seed}: {why}");
        }
    }
}

/// Rules whose absence shows in one of some thousand stories: for the deep run. The explorer's
/// mutants have them in every run.
const SELDOM: [Rule; 3] = [
    Rule::OneWorkerPerKey,
    Rule::EqualKeysOneWorker,
    Rule::NothingAfterTheEnd,
];
const SELDOM_LIES: [Lie; 4] = [
    Lie::CopyWithoutLock,
    Lie::BarrierIgnoresXa,
    Lie::DeadClientsDelete,
    Lie::EarlierRunLingers,
];
/// Rules that no story can show: nobody damages the ghost here; the lock's time always runs out, and
/// the next attempt may go better; a tool that dies before its barrier, beside a hidden insert, is too
/// rare; indexes are built long before a cut-over; and two false confirmations in a row are too rare
/// (`core::verify` has a test for those, and for rows compared again).
const EXPLORERS: [Rule; 9] = [
    Rule::StreamReadUnderLock,
    Rule::VerifiedBeforeCutOver,
    Rule::SuspectsSettledUnderLock,
    Rule::AnyEventTouchesSpellings,
    Rule::NoCheckpointBeforeBarrier,
    Rule::RepairedPassIsNoPass,
    Rule::ChangedRowsComparedAgain,
    Rule::IntroducedKeysVerified,
    Rule::IndexesBeforeCutOver,
];

/// Stories without the rule, in worlds where it is of use more often than in others.
fn without(rule: Rule, setup: &mut Setup<KEYS>) {
    setup.settings.rules = Rules::without(rule);
    match rule {
        Rule::StartBarrier => setup.before = true,
        Rule::OneWorkerPerKey => setup.settings.refresh_workers = 2,
        Rule::EqualKeysOneWorker => {
            setup.settings.refresh_workers = 2;
            setup.settings.refresh_keys = 1;
            setup.settings.refresh_keys_max = 1;
            spell(setup);
        }
        Rule::NewMarkerEachAttempt => only(setup, &[Fault::LockTime]),
        Rule::LostAnswerIsRead => only(setup, &[Fault::Locker]),
        Rule::PassedOverBecomesDirty
        | Rule::EventDuringRefreshMarksAgain
        | Rule::HeldStaysDirty
        | Rule::AbsenceIsProved
        | Rule::WorkersIdleBeforeLock
        | Rule::MarkerAfterLock
        | Rule::DrainBeforeRename
        | Rule::CopyReachesEnd
        | Rule::MismatchNeedsQuiet
        | Rule::PostponedMeansNoRename
        | Rule::VerifiedBeforeCutOver
        | Rule::ThrottledMeansNoLoad
        | Rule::NothingAfterTheEnd
        | Rule::MismatchWaitsForMarker
        | Rule::DirtyIsNotQuiet
        | Rule::AnyEventTouchesSpellings
        | Rule::RepairedPassIsNoPass
        | Rule::ChangedRowsComparedAgain
        | Rule::IntroducedKeysVerified => {}
        Rule::ComparedWhenCopied => setup.settings.compare_behind_copy = true,
        Rule::IndexesBeforeCutOver => setup.settings.deferred_indexes = true,
        Rule::PlansBeforeCutOver => setup.settings.compare_plans_ms = Some(0),
        Rule::AnswersAreWatched => vanish(setup),
        Rule::CleanedWhenIssued | Rule::LostLockMarksAgain => only(setup, &[Fault::LockLost]),
        Rule::StopWaitsForRename => setup.stops = 1,
        Rule::StreamReadUnderLock => setup.settings.dirty_bytes_max = 100,
        Rule::SuspectsSettledUnderLock => {}
        Rule::DirtyAgainKeepsItsAge
        | Rule::CheckpointIsNotPastDirtyKeys
        | Rule::CheckpointCountsKeysInHand
        | Rule::CheckpointNamesKeysPassedOver
        | Rule::CheckpointStaysBehindOpenChunks => restart(setup),
        Rule::CheckpointProvesItself => {
            restart(setup);
            setup.lie = Some(Lie::AnotherLog);
        }
        Rule::NoCheckpointUnderLock => {
            restart(setup);
            setup.faults = 0;
        }
        Rule::NoCheckpointBeforeBarrier => {
            restart(setup);
            setup.before = true;
        }
    }
}

/// The tool dies several times.
fn restart(setup: &mut Setup<KEYS>) {
    setup.settings.checkpoint_ms = Some(0);
    setup.crashes = 4;
}

/// Two keys are spellings of one row.
fn spell(setup: &mut Setup<KEYS>) {
    setup.layout = Layout::Collated;
    setup.unique = Unique::No;
    setup.settings.byte_comparable = false;
    setup.settings.same_order = true;
    setup.settings.other_unique_keys = false;
    setup.settings.introduced_keys = false;
}

/// In the end an answer vanishes.
fn vanish(setup: &mut Setup<KEYS>) {
    setup.vanishing = true;
    setup.tick_ms = VANISHING_TICK_MS;
}

/// Only this goes wrong, but often.
fn only(setup: &mut Setup<KEYS>, fault_kinds: &'static [Fault]) {
    setup.faults = 5;
    setup.fault_kinds = fault_kinds;
}

#[test]
fn stories_show_every_rule_that_is_taken_out() {
    for rule in rules::ALL {
        let seldom = SELDOM.contains(&rule) && !deep();
        if seldom || EXPLORERS.contains(&rule) {
            continue;
        }
        shows(&format!("{rule:?}"), |setup| without(rule, setup));
    }
}

#[test]
fn stories_show_every_lie_about_the_server() {
    for lie in LIES {
        if SELDOM_LIES.contains(&lie) && !deep() {
            continue;
        }
        shows(&format!("{lie:?}"), |setup| {
            setup.lie = Some(lie);
            match lie {
                Lie::DeadClientsDelete => only(setup, &[Fault::Workers]),
                Lie::OwnershipReadTooEarly => only(setup, &[Fault::Locker]),
                Lie::LockIgnoresXa => setup.xa = true,
                Lie::BarrierIgnoresXa => (setup.xa, setup.before) = (true, true),
                Lie::EarlierRunLingers => restart(setup),
                // Such a log is recognized.
                Lie::AnotherLog => without(Rule::CheckpointProvesItself, setup),
                Lie::RevertBeginsTooLate => {
                    restart(setup);
                    let alike = setup.settings.same_order && setup.unique != Unique::Added;
                    setup.reverts = u8::from(alike);
                }
                Lie::RefreshWithoutLock
                | Lie::CopyWithoutLock
                | Lie::ProofWithoutLock
                | Lie::OldKeyNotReported
                | Lie::NewKeyNotReported
                | Lie::DeleteByGhostsCollation
                | Lie::PairByOneCollation => {}
            }
        });
    }
}
