//! What each side does under each strategy, over a system that is Linux or a model.

use super::decision::{Decision, Strategy};
use super::symmetric;

/// What the pair asks of the system.
pub(super) trait System {
    /// Whether [`interrupt`](Self::interrupt) is to be had. Threads that decide together
    /// ask several times, and may get several answers.
    fn willing(&self) -> bool;

    /// Keeps the compiler from moving this thread's accesses across.
    fn hold_compiler(&self);

    /// Returns once every other thread of the process has passed a full fence since
    /// the call. The compiler moves nothing across it.
    fn interrupt(&self);
}

/// Both sides, and the decision that they act on.
///
/// | strategy | [`light`](Self::light) | [`heavy`](Self::heavy) |
/// |---|---|---|
/// | none yet | decides, then as below | decides, then as below |
/// | [`Strategy::Membarrier`] | holds the compiler | full fence, then interrupts the others |
/// | [`Strategy::SeqCst`] | full fence | full fence |
///
/// Neither side ever acts on what it proposed, only on what was decided: whoever is
/// late to decide does as the first one does.
pub(super) struct Pair<S> {
    decision: Decision,
    system: S,
}

impl<S: System> Pair<S> {
    crate::const_unless_loom! {
        /// A pair whose strategy is to be decided.
        pub(super) const fn new(system: S) -> Self {
            Self {
                decision: Decision::new(),
                system,
            }
        }
    }

    #[inline]
    pub(super) fn light(&self) {
        match self.decision.made() {
            Some(strategy) => self.light_by(strategy),
            None => self.light_undecided(),
        }
    }

    #[inline(always)]
    fn light_by(&self, strategy: Strategy) {
        match strategy {
            Strategy::Membarrier => self.system.hold_compiler(),
            Strategy::SeqCst => symmetric::light(),
        }
    }

    #[cold]
    fn light_undecided(&self) {
        self.light_by(self.decide());
    }

    #[inline]
    pub(super) fn heavy(&self) {
        // In either case: towards another `heavy` this is all that counts.
        symmetric::heavy();
        if self.strategy() == Strategy::Membarrier {
            self.system.interrupt();
        }
    }

    #[inline]
    pub(super) fn strategy(&self) -> Strategy {
        match self.decision.made() {
            Some(strategy) => strategy,
            None => self.decide(),
        }
    }

    pub(super) fn prefer_seq_cst(&self) -> Strategy {
        self.decision.propose(Strategy::SeqCst)
    }

    #[cold]
    fn decide(&self) -> Strategy {
        self.decision.propose(if self.system.willing() {
            Strategy::Membarrier
        } else {
            Strategy::SeqCst
        })
    }

    /// For the models, which make the system act.
    #[cfg(test)]
    pub(super) fn system(&self) -> &S {
        &self.system
    }
}

#[cfg(test)]
mod model;
