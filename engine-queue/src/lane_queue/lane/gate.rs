//! The word that closes an owned lane.

use core::fmt;

use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};

const OPEN: usize = 0;
const CLOSING: usize = 1;
/// Added to the number of tickets.
const CLOSED: usize = 2;

/// What a gate is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Open,
    Closing,
    /// So many tickets count, for good.
    Closed(usize),
}

impl From<usize> for State {
    #[inline]
    fn from(word: usize) -> Self {
        match word {
            OPEN => Self::Open,
            CLOSING => Self::Closing,
            closed => Self::Closed(closed - CLOSED),
        }
    }
}

/// Whether an owned lane takes items, and how many it has if not.
///
/// | word | meaning | who may leave it, how |
/// |---|---|---|
/// | OPEN | whatever the owner announces counts | anybody who wants a next segment, or `close`, to CLOSING |
/// | CLOSING | what was announced is about to be counted | anybody who knows how much that is, to CLOSED |
/// | CLOSED + T | the first T tickets count, no others | nobody, until the segment is recycled |
///
/// Who may decide for T, and why, is in `PROTOCOL.md`, under *Closing an owned lane*.
pub(super) struct Gate(AtomicUsize);

impl Gate {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(OPEN))
    }

    /// Only who has the lane alone may do this.
    pub(super) fn reset(&self) {
        // Relaxed: the caller publishes the lane later.
        self.0.store(OPEN, Relaxed);
    }

    /// For the owner, after it has announced a ticket and a `fence::light`: the one
    /// question of a push.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        // Relaxed: the owner has written all there is in the lane.
        self.0.load(Relaxed) == OPEN
    }

    #[inline]
    pub(super) fn look(&self) -> State {
        // Acquire: if closed, receives the items that count; pairs with the Release in
        // `decide`.
        State::from(self.0.load(Acquire))
    }

    /// Lets nobody announce unseen from here on: see [`decide`](Self::decide). `false`: it
    /// is closed already.
    pub(super) fn begin(&self) -> bool {
        // OPEN -> CLOSING
        // Relaxed: what must come after this comes after a `fence::heavy`, or the caller
        // owns the lane, or it is full. A failure: somebody else has done it.
        match self.0.compare_exchange(OPEN, CLOSING, Relaxed, Relaxed) {
            Ok(_) => true,
            Err(now) => now == CLOSING,
        }
    }

    /// Closes with `tickets`, unless somebody has; how many count.
    ///
    /// The caller has seen CLOSING, or written it, and then found out that `tickets` were announced:
    /// as the owner, or of a lane that was full, or after a `fence::heavy`.
    pub(super) fn decide(&self, tickets: usize) -> usize {
        // CLOSING -> CLOSED + tickets
        // Release: publishes the items, which we have received with the tail, or written;
        // pairs with the Acquire in `look`. Acquire: as in `look`.
        match self
            .0
            .compare_exchange(CLOSING, CLOSED + tickets, Release, Acquire)
        {
            Ok(_) => tickets,
            Err(now) => {
                debug_assert!(now >= CLOSED, "nobody opens a gate");
                now - CLOSED
            }
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a look.
        State::from(self.0.load(Relaxed)).fmt(f)
    }
}
