//! What a consumer remembers of a lane.

use engine_atomic::sync::{MODEL, hint};

use super::Tail;

/// What a consumer remembers of the lane that it sits on.
///
/// A consumer that is faster than the producers looks at the tail for every item, and each
/// look takes the line away from a producer: both crawl. So when looks find few items it
/// tries to wait a moment before one. If that look finds many, it goes on so. If not, the
/// producers are slow by themselves, or on this very thread, and it tries again ever
/// more seldom. After a look that found nothing it never waits: then it disturbs nobody,
/// and its caller may have better things to do.
pub(in super::super) struct Memo {
    /// At least so many tickets were given out.
    pub(super) tickets: usize,
    /// Races lost and not written down yet.
    pub(super) lost: usize,
    /// Whether the last look found something, and whether it waited.
    found: bool,
    waited: bool,
    /// Looks that find few items before one waits.
    trial_in: u32,
    /// The same, after the next trial that fails.
    next_trial: u32,
}

/// A look that finds fewer items came too early.
const FEW: usize = 16;

/// In time a few line transfers, or some dozens of pushes: `cargo run --release -p benches --bin
/// limits` prints a pause and a transfer.
const PAUSES: usize = 16;

/// Looks between two trials, at first and at most.
const TRIALS: (u32, u32) = (4, 4096);

impl Memo {
    pub(in super::super) fn new() -> Self {
        Self {
            tickets: 0,
            lost: 0,
            found: false,
            waited: false,
            trial_in: TRIALS.0,
            next_trial: TRIALS.0,
        }
    }

    /// For another lane.
    pub(in super::super) fn forget(&mut self) {
        self.tickets = 0;
    }

    /// Before a look at the tail.
    #[inline]
    pub(super) fn wait(&mut self) {
        self.waited = self.found && self.trial_in == 0;
        if self.waited && !MODEL {
            (0..PAUSES).for_each(|_| hint::spin_loop());
        }
    }

    /// After it.
    #[inline]
    pub(super) fn learn(&mut self, head: usize, tail: Tail) {
        self.tickets = tail.tickets();
        self.found = head < self.tickets;
        let few = self.tickets < head + FEW;
        if !self.found {
        } else if !self.waited {
            self.trial_in = self.trial_in.saturating_sub(u32::from(few));
        } else if few {
            self.next_trial = (self.next_trial * 2).min(TRIALS.1);
            self.trial_in = self.next_trial;
        } else {
            self.next_trial = TRIALS.0;
        }
    }
}
