//! The plans of the application's statements: no cut-over before they were compared, if that was asked for.
//!
//! They are asked for when everything else is ready, and again from time to time while the cut-over is postponed, for
//! whatever reason: what postpones it may have gone, or come. Whether it is postponed because of them isn't decided
//! here but where all reasons to wait are; that word comes before the answer does.

use std::collections::VecDeque;

use super::event::Command;
use super::rules::Rule;
use super::{Core, Phase};

/// Where the comparison of plans stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Plans {
    /// Nobody wants it.
    #[default]
    Unwanted,
    /// It is to be done once the cut-over could begin.
    Due,
    /// It is under way.
    Asked,
    /// It was done, at this moment.
    Known(u64),
}

impl Plans {
    pub(super) fn new(wanted: bool) -> Self {
        if wanted { Self::Due } else { Self::Unwanted }
    }
}

impl Core {
    /// Asks for the comparison when nothing else is left to do.
    pub(super) fn compare_plans(&mut self, commands: &mut VecDeque<Command>) {
        if self.plans == Plans::Due && self.phase == Phase::Gate {
            self.plans = Plans::Asked;
            commands.push_back(Command::ComparePlans);
        }
    }

    /// The answer is there.
    pub(super) fn plans_compared(&mut self) {
        if self.plans == Plans::Asked {
            self.plans = Plans::Known(self.now_ms);
        }
    }

    /// While the cut-over is postponed an answer gets old.
    pub(super) fn plans_tick(&mut self) {
        if let (Plans::Known(since), Some(again_ms)) = (self.plans, self.settings.compare_plans_ms)
            && self.postponed
            && self.now_ms.saturating_sub(since) >= again_ms
        {
            self.plans = Plans::Due;
        }
    }

    /// Nothing has to be waited for.
    pub(super) fn plans_are_known(&self) -> bool {
        match self.plans {
            Plans::Unwanted | Plans::Known(_) => true,
            Plans::Due | Plans::Asked => !self.rules().has(Rule::PlansBeforeCutOver),
        }
    }

    /// For people: plans are being compared.
    pub(super) fn compares_plans(&self) -> bool {
        self.plans == Plans::Asked && !matches!(self.phase, Phase::Ended(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;
    use crate::core::{Settings, Stage};

    /// Everything is done but the comparison.
    fn ready() -> Core {
        let mut core = Core::new(Settings {
            compare_plans_ms: Some(1_000),
            ..Settings::of_tests()
        });
        core.phase = Phase::Gate;
        core.step(Event::Throttled(Some("busy".into())));
        core.step(Event::HeartbeatSeen(0));
        core
    }

    fn asks(commands: &[Command]) -> bool {
        commands.contains(&Command::ComparePlans)
    }

    #[test]
    fn they_are_asked_for_once_and_never_while_throttled() {
        let mut core = ready();
        assert!(!asks(&core.step(Event::Tick(50))));
        assert!(asks(&core.step(Event::Throttled(None))));
        assert!(!asks(&core.step(Event::Tick(100))));
        assert_eq!(core.view().stage, Stage::Waiting);
        assert!(core.view().compares_plans);
    }

    #[test]
    fn they_are_compared_again_while_the_cut_over_is_postponed() {
        let mut core = ready();
        core.step(Event::Throttled(None));
        core.step(Event::Postponed(true));
        core.step(Event::PlansCompared(Some("worse".into())));
        assert_eq!(core.view().stage, Stage::Postponed);
        assert!(!asks(&core.step(Event::Tick(999))));
        assert!(asks(&core.step(Event::Tick(1_000))));
        core.step(Event::Postponed(false));
        assert!(!core.plans_are_known(), "the answer is waited for");
        core.step(Event::PlansCompared(None));
        assert!(core.plans_are_known());
    }

    #[test]
    fn an_answer_stays_true_while_nothing_postpones_the_cut_over() {
        let mut core = ready();
        core.step(Event::Throttled(None));
        core.step(Event::PlansCompared(None));
        core.step(Event::Throttled(Some("busy".into())));
        core.step(Event::Tick(100_000));
        assert!(!asks(&core.step(Event::Throttled(None))));
        assert!(core.plans_are_known());
    }
}
