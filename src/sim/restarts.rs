//! What outlives a run: checkpoints, the log, and the way back after a swap.

use std::collections::VecDeque;

use super::world::{Broken, Item, PlansOf, Sim, World};
use super::{Lie, Setup};
use crate::core::checkpoint::{Checkpoint, Copied};
use crate::core::dirty::Spot;
use crate::core::event::Event;
use crate::core::refresh::RefreshStep;
use crate::core::{Core, Settings};

/// The checkpoint of a swap: its row is the rename itself.
const SWAP: u64 = 0;
/// The number of all checkpoints that nobody asks for any more.
const NOBODYS: u64 = 9;

fn is_change(item: &Item) -> bool {
    matches!(item, Item::Keys(_))
}

/// Markers and heartbeats bear the mark of the run that wrote them.
fn outlives_its_run(item: &Item) -> bool {
    matches!(item, Item::Keys(_) | Item::Checkpoint(_))
}

impl<const N: usize> Sim<N> {
    /// The checkpoint that was taken is stored, or not; its row goes into the log.
    pub(super) fn store(&mut self, setup: &Setup<N>, done: bool) -> Result<bool, Broken> {
        let Some(checkpoint) = self.world.to_store.take() else {
            return Ok(false);
        };
        if done {
            self.world.checkpoints_left -= u8::from(self.world.checkpoints_left < u8::MAX);
            let row = Item::Checkpoint(checkpoint.number);
            self.world.stream.push_back(row);
            self.world.stored = Some(checkpoint);
        }
        self.tell(setup, Event::CheckpointWritten).map(|()| true)
    }

    /// The stream has delivered this, and could be read again from behind it.
    pub(super) fn delivered(&mut self, setup: &Setup<N>, item: Item) -> Result<(), Broken> {
        if setup.settings.checkpoint_ms.is_none() || !outlives_its_run(&item) {
            return Ok(());
        }
        let change = is_change(&item);
        self.world.past.push_back(item);
        if !change {
            return Ok(());
        }
        let changes = self.world.past.iter().filter(|item| is_change(item));
        let spot = u32::try_from(changes.count()).expect("a short story");
        self.tell(setup, Event::Reached(spot))
    }

    /// The tool dies, and is started again.
    pub(super) fn crash(&mut self, setup: &Setup<N>) -> Result<bool, Broken> {
        let world = &mut self.world;
        if world.crashes_left == 0 || world.swapped || self.core.outcome().is_some() {
            return Ok(false);
        }
        let Some(checkpoint) = world.stored.clone() else {
            return Ok(false);
        };
        world.crashes_left -= 1;
        world.forget_the_run(setup);
        world.drop_past(checkpoint.spot);
        let mut again = std::mem::take(&mut world.past);
        again.append(&mut world.stream);
        again.retain(outlives_its_run);
        if setup.lie == Some(Lie::AnotherLog) {
            again.clear();
        }
        world.stream = again;
        self.go_on(setup, checkpoint).map(|()| true)
    }

    fn go_on(&mut self, setup: &Setup<N>, from: Checkpoint) -> Result<(), Broken> {
        let settings = Settings {
            deferred_indexes: !self.world.indexed,
            ..setup.settings.clone()
        };
        self.core = Core::resume(settings, Checkpoint { spot: 0, ..from });
        if let Some(stored) = &mut self.world.stored {
            stored.spot = 0;
        }
        self.start(setup)
    }

    /// The old table is brought up to date from the new one, to be swapped back.
    pub(super) fn revert(&mut self, setup: &Setup<N>) -> Result<bool, Broken> {
        if !self.revertable() {
            return Ok(false);
        }
        let world = &mut self.world;
        world.reverts_left -= 1;
        world.forget_the_run(setup);
        world.swapped = false;
        std::mem::swap(&mut world.original, &mut world.ghost);
        world.ghost_seen = world.ghost;
        world.past.clear();
        world
            .stream
            .retain(|item| is_change(item) || *item == Item::Checkpoint(SWAP));
        if setup.lie == Some(Lie::RevertBeginsTooLate) {
            let missed = world.stream.iter().position(is_change);
            missed.map(|at| world.stream.remove(at));
        }
        let checkpoint = Checkpoint {
            number: SWAP,
            spot: 0,
            copied: Copied::Everything,
            passed_over: Vec::new(),
            rows_copied: 0,
        };
        world.stored = Some(checkpoint.clone());
        self.go_on(setup, checkpoint).map(|()| true)
    }

    /// Numbers of spots and checkpoints begin again, so that states that behave alike are alike.
    pub(super) fn renumber(&mut self) {
        // Behind a swap nothing is left of the run's log.
        if self.world.swapped {
            return;
        }
        if self.world.past.is_empty()
            && self.world.stored.is_none()
            && self.world.to_store.is_none()
        {
            return;
        }
        let world = &mut self.world;
        let stored = world.stored.as_ref().map(|checkpoint| checkpoint.number);
        let proof = self.core.unproved();
        let mut kept = world.stored.iter().chain(&world.to_store);
        let first = kept.clone().map(|checkpoint| checkpoint.spot).min();
        let in_core = self.core.spots().first().copied();
        let base = first.into_iter().chain(in_core).min().unwrap_or_default();
        debug_assert!(kept.all(|checkpoint| checkpoint.spot >= base));
        let name = |number: u64| match Some(number) {
            number if number == stored => 2,
            number if number == proof => 1,
            _ => NOBODYS,
        };
        for items in [&mut world.past, &mut world.stream] {
            for item in items.iter_mut() {
                if let Item::Checkpoint(number) = item {
                    *number = name(*number);
                }
            }
            items.retain(|item| *item != Item::Checkpoint(NOBODYS));
        }
        world.drop_past(base);
        let kept = world.stored.iter_mut().zip([2]);
        for (checkpoint, number) in kept.chain(world.to_store.iter_mut().zip([3])) {
            checkpoint.spot -= base;
            checkpoint.number = number;
            checkpoint.rows_copied = 0;
        }
        self.core.rebase(
            base,
            3 + u64::from(world.to_store.is_some()),
            proof.map(name),
        );
    }
}

impl<const N: usize> World<N> {
    /// Nobody goes back to what was delivered before this spot.
    fn drop_past(&mut self, spot: Spot) {
        for _ in 0..spot {
            while self.past.pop_front().is_some_and(|item| !is_change(&item)) {}
        }
    }

    /// Whatever the run was at is rolled back or never heard of.
    fn forget_the_run(&mut self, setup: &Setup<N>) {
        for slot in 0..self.refresh.len() {
            if let Some(work) = &self.refresh[slot]
                && let RefreshStep::Delete(keys) = work.job.next()
                && setup.lie == Some(Lie::EarlierRunLingers)
            {
                self.delete_lingers.clone_from(keys);
            }
            self.roll_back(setup, slot);
            self.refresh[slot] = None;
            self.roll_back_copy(slot);
            self.copy[slot] = None;
            self.compare[slot] = None;
        }
        self.check = None;
        self.lookups.clear();
        self.locker.clear();
        self.answers.clear();
        self.to_write.clear();
        self.to_store = None;
        self.barrier_asked = false;
        self.indexing = false;
        self.plans = PlansOf {
            unknown: setup.settings.compare_plans_ms.is_some(),
            asked: false,
        };
        self.locked = false;
        self.now_ms = 0;
        (self.paused, self.throttled, self.postponed) = (false, false, false);
        self.pause = false;
    }

    /// The rename stands in the log; nothing before it matters to a revert.
    pub(super) fn log_the_swap(&mut self) {
        if self.reverts_left > 0 {
            self.stream = VecDeque::from([Item::Checkpoint(SWAP)]);
            self.past.clear();
            self.stored = None;
            self.to_store = None;
        }
    }
}
