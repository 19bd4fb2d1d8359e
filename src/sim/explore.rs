//! Breadth-first through everything that can happen, so that the first bad story is the shortest.
//!
//! Visited states are kept as 128-bit fingerprints and stories as links to the action before, so
//! memory is for the frontier only. From a sample of the states the run is played to its end in a
//! friendly way (transactions end, everything is delivered and answered): it must end.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Setup;
use super::actions::Action;
use super::server::Fate;
use super::world::{Broken, Sim, Stage};

/// What an exploration saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Different states.
    pub(super) states: usize,
    /// States in which the core had ended.
    pub(super) ended: usize,
    /// States with swapped tables.
    pub(super) swapped: usize,
    /// Steps of the longest of the shortest stories.
    pub(super) depth: usize,
    /// Everything was seen; otherwise the bound was reached.
    pub(super) complete: bool,
}

/// A story that breaks a property.
pub(super) struct Story {
    /// What is broken.
    pub(super) why: Broken,
    /// How it came about.
    pub(super) lines: Vec<String>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.why)?;
        for (number, line) in self.lines.iter().enumerate() {
            writeln!(f, "{number:4} {line}")?;
        }
        Ok(())
    }
}

/// Steps in which a friendly world must bring every run to its end.
const FRIENDLY_STEPS: usize = 600;
/// Friendly steps that a story tells.
const FRIENDLY_TOLD: usize = 12;
/// One state in so many is played to its end.
const FRIENDLY_SAMPLE: u128 = 61;

struct Explorer<'a, const N: usize> {
    setup: &'a Setup<N>,
    roots: Vec<Sim<N>>,
    /// For each state the one before, and what happened then; roots point to themselves.
    links: Vec<(u32, Option<Action>)>,
    visited: HashSet<u128, BuildHasherDefault<Already>>,
    seen: Seen,
}

/// Explores everything that can happen in this setup.
///
/// # Errors
/// The shortest story that breaks a property.
pub(super) fn explore<const N: usize>(setup: &Setup<N>) -> Result<Seen, Box<Story>> {
    let roots = setup.roots().map_err(|why| {
        Box::new(Story {
            why,
            lines: Vec::new(),
        })
    })?;
    let mut explorer = Explorer {
        setup,
        roots: Vec::new(),
        links: Vec::new(),
        visited: HashSet::default(),
        seen: Seen::default(),
    };
    let mut frontier = Vec::new();
    for root in roots {
        if explorer.visited.insert(fingerprint(&root)) {
            let link = u32::try_from(explorer.links.len()).expect("few roots");
            explorer.links.push((link, None));
            explorer.roots.push(root.clone());
            frontier.push((link, root));
        }
    }
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (link, sim) in frontier {
            explorer.expand(link, &sim, &mut next)?;
            if explorer.links.len() > setup.states_max {
                explorer.seen.states = explorer.links.len();
                return Ok(explorer.seen);
            }
        }
        frontier = next;
        explorer.seen.depth += 1;
    }
    explorer.seen.states = explorer.links.len();
    explorer.seen.complete = true;
    Ok(explorer.seen)
}

impl<const N: usize> Explorer<'_, N> {
    fn expand(
        &mut self,
        link: u32,
        sim: &Sim<N>,
        next: &mut Vec<(u32, Sim<N>)>,
    ) -> Result<(), Box<Story>> {
        self.seen.swapped += usize::from(sim.world.swapped);
        let ended = sim.is_over();
        self.seen.ended += usize::from(ended);
        let mut moves = false;
        for action in sim.actions(self.setup) {
            // After the end only what was already under way can still be heard of.
            if ended && !is_late_report(action) {
                continue;
            }
            let mut after = sim.clone();
            match attempt(&mut after, self.setup, action) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(why) => return Err(self.story(link, Some(action), why, &[])),
            }
            if ended || after == *sim {
                continue;
            }
            moves = true;
            let print = fingerprint(&after);
            if !self.visited.insert(print) {
                continue;
            }
            let number = u32::try_from(self.links.len()).expect("less than 2^32 states");
            self.links.push((link, Some(action)));
            if print.is_multiple_of(FRIENDLY_SAMPLE) {
                self.play_to_the_end(number, &after)?;
            }
            next.push((number, after));
        }
        if !moves && !ended {
            return Err(self.story(link, None, "stuck: nothing can happen any more".into(), &[]));
        }
        Ok(())
    }

    fn play_to_the_end(&self, link: u32, sim: &Sim<N>) -> Result<(), Box<Story>> {
        let mut sim = sim.clone();
        let mut taken = Vec::new();
        match friendly(&mut sim, self.setup, &mut taken, |sim| {
            sim.core.outcome().is_some()
        }) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let why = "pinned: friendly steps don't bring it to an end".into();
                Err(self.story(link, None, why, &taken))
            }
            Err(why) => Err(self.story(link, None, why, &taken)),
        }
    }

    /// Tells the way to a state, and what then happened.
    fn story(&self, link: u32, last: Option<Action>, why: Broken, more: &[Action]) -> Box<Story> {
        let mut way = Vec::new();
        let mut at = link;
        while let (before, Some(action)) = self.links[at as usize] {
            way.push(action);
            at = before;
        }
        way.reverse();
        let mut sim = self.roots[at as usize].clone();
        let world = &sim.world;
        let mut lines = vec![format!(
            "original {:?}, ghost {:?}, transactions {:?}",
            world.original, world.ghost, world.transactions
        )];
        for action in way
            .into_iter()
            .chain(last)
            .chain(more.iter().copied().take(FRIENDLY_TOLD))
        {
            let result = attempt(&mut sim, self.setup, action);
            let world = &sim.world;
            lines.push(format!(
                "{action:?}: {:?}, dirty {}, original {:?}, ghost {:?}{}",
                sim.core.view().stage,
                sim.core.view().dirty,
                world
                    .original
                    .map(|row| row.map(|row| (row.key, row.value))),
                world.ghost.map(|row| row.map(|row| (row.key, row.value))),
                result
                    .err()
                    .map(|why| format!(" -> {why}"))
                    .unwrap_or_default(),
            ));
        }
        Box::new(Story { why, lines })
    }
}

/// A broken belief of the core (a failed assertion) is a broken property with a story, too.
pub(super) fn attempt<const N: usize>(
    sim: &mut Sim<N>,
    setup: &Setup<N>,
    action: Action,
) -> Result<bool, Broken> {
    catch_unwind(AssertUnwindSafe(|| sim.apply(setup, action))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

pub(super) fn is_late_report(action: Action) -> bool {
    matches!(
        action,
        Action::ReportCopied(_)
            | Action::ReportRefreshed(_)
            | Action::ReportCompared(_)
            | Action::ReportChecked
            | Action::Lookup
            | Action::Barrier
            | Action::Deliver
            | Action::LockerAnswer
            | Action::Tick
            | Action::BuildIndexes(true)
            | Action::ComparePlans(true)
            | Action::Stop
    )
}

/// Plays on in a friendly way until `end`; `false` when that doesn't come.
pub(super) fn friendly<const N: usize>(
    sim: &mut Sim<N>,
    setup: &Setup<N>,
    taken: &mut Vec<Action>,
    end: impl Fn(&Sim<N>) -> bool,
) -> Result<bool, Broken> {
    for _ in 0..FRIENDLY_STEPS {
        if end(sim) {
            return Ok(true);
        }
        let mut moved = false;
        for action in friendly_actions(sim) {
            let mut after = sim.clone();
            // A leap of time is always friendly.
            after.world.pause |= action == Action::Leap;
            if attempt(&mut after, setup, action)? && after != *sim {
                *sim = after;
                taken.push(action);
                moved = true;
                break;
            }
        }
        if !moved {
            return Ok(false);
        }
    }
    Ok(false)
}

fn friendly_actions<const N: usize>(sim: &Sim<N>) -> Vec<Action> {
    let mut actions: Vec<Action> = Vec::new();
    for (number, tx) in (0..).zip(&sim.world.transactions) {
        let end = if tx.stage == Stage::Open {
            Action::Log
        } else {
            Action::Visible
        };
        actions.push(end(number));
    }
    actions.extend([
        Action::Barrier,
        Action::Lookup,
        Action::Deliver,
        Action::ReportCopied(0),
        Action::CopyStep(0),
        Action::ReportCopied(1),
        Action::CopyStep(1),
        Action::ReportRefreshed(0),
        Action::ReportRefreshed(1),
        Action::RefreshStep(0),
        Action::RefreshStep(1),
        Action::Compare(0),
        Action::ReportCompared(0),
        Action::Compare(1),
        Action::ReportCompared(1),
        Action::Check,
        Action::ReportChecked,
        Action::WriteMarker,
        Action::Store(true),
        Action::BuildIndexes(true),
        Action::ComparePlans(true),
        Action::DeadDelete,
        Action::DeadRename,
        Action::Victim(0),
        Action::Victim(1),
        Action::Victim(2),
        Action::Victim(3),
        Action::LockerAnswer,
        Action::Locker(Fate::Well),
    ]);
    if sim.world.paused {
        actions.push(Action::Throttle);
    }
    actions.extend([Action::Tick, Action::Leap]);
    actions
}

/// Two independent 64-bit hashes; a collision would hide a state, so 64 bits would be too few.
fn fingerprint<const N: usize>(sim: &Sim<N>) -> u128 {
    let mut hasher = Twin {
        one: 0x9e37_79b9_7f4a_7c15,
        other: 0xc2b2_ae3d_27d4_eb4f,
    };
    sim.hash(&mut hasher);
    u128::from(hasher.one) << 64 | u128::from(hasher.other)
}

struct Twin {
    one: u64,
    other: u64,
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves are folded into one"
    )]
    {
        product as u64 ^ (product >> 64) as u64
    }
}

impl Hasher for Twin {
    fn finish(&self) -> u64 {
        self.one
    }

    fn write_u64(&mut self, word: u64) {
        self.one = fold(self.one ^ word, 0xa076_1d64_78bd_642f).wrapping_add(0x2545_f491_4f6c_dd1d);
        self.other =
            fold(self.other ^ word.rotate_left(32), 0xe703_7ed1_a0b4_28db).wrapping_add(word | 1);
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word.cast_unsigned() as u64);
    }
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[..8]);
        self.0 = u64::from_le_bytes(word);
    }
}
