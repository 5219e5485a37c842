//! A front that is the owner's own for as long as no thief comes.
//!
//! Whoever takes from the front claims it, by a read-modify-write of a head word. Of an owner
//! that nobody steals from, that is most of what a pop costs, and in vain. So after enough
//! claims in a row that no thief disturbed, the owner's next claim makes the front *biased*:
//! then the owner takes by a store, and a thief that comes has to end that first.
//!
//! | mode of the head | where the front is | who takes | who leaves the mode, how |
//! |---|---|---|---|
//! | [`Open`](Mode::Open) | in the head | anyone, by a claim | the owner, by a claim to `Biased` |
//! | [`Biased`](Mode::Biased) | [`Bias::front`] | the owner: it stores what it takes, runs a light fence, and looks at the head | a thief, to `Revoking`; the owner, to `Open` |
//! | [`Revoking`](Mode::Revoking) | [`Bias::front`] | nobody | any thief that has run a heavy fence since, to `Open` at the front that it sees then; the owner, to `Open` at its front |
//!
//! What the owner stores says what it takes: the front after it when it takes the oldest
//! item, the tail before it when it takes the newest (then the front stays).
//!
//! ```text
//! owner                               thief
//! stores front = f + 1                CAS: Biased -> Revoking
//! light fence                         heavy fence
//! loads the head                      loads front
//! ```
//!
//! Of these fences one is first. If the owner's, the thief sees `f + 1` and opens the front
//! there. If the thief's, the owner sees that the head is not `Biased` any more: then it ends
//! the bias itself, at `f + 1`, or finds that a thief did, and where: at `f` or `f + 1`, no
//! other, because for the owner's last take but this one the first case held. Which of the
//! two, it cannot tell from the head's front, which may have been claimed from since. That
//! is what the bit in [`HeadWord::was_opened_at_odd`] is for. If at `f`, the item is anyone's
//! again, and the owner claims as others do.
//!
//! # Why a head does not come again
//!
//! The claim that begins a bias takes an item, so each bias begins at a front above all
//! fronts that were open before; it ends there or above. So a claim that a thief prepared
//! before a bias fails after it, and so does the step from `Revoking` of a thief whose fence
//! was about an earlier bias. A LIFO owner whose last item is taken under a bias leaves the front
//! alone and writes the position again: nobody but the owner had looked at it as open.
//!
//! No thief waits for another: all that find the front `Revoking` run the fence, and one of
//! their steps counts. The owner waits for nobody.
//!
//! # Source
//!
//! Biased locking, as in D. Dice, M. Moir and W. Scherer, *Quickly Reacquirable Locks*
//! (2003), with the pair of [`engine_atomic::fence`] instead of a stop of the owner. When to
//! begin is the ski-rental rule: the owner has spent on claims what ending a bias costs.

use core::cell::Cell;

use engine_atomic::fence::{self, Strategy};
use engine_atomic::sync::MODEL;
use engine_atomic::sync::atomic::{self, AtomicU64, Ordering::*};

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

/// Who may take from the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Anyone, by a claim.
    Open,
    /// The owner, by stores.
    Biased,
    /// A thief has come and is finding out where the front is.
    Revoking,
}

/// A word that claims are made on: the front in its upper bits, and below it a mode, a bit
/// about the front, and whatever else.
pub(super) trait HeadWord: Copy + PartialEq {
    /// How far the front is shifted.
    const FRONT: u32;
    /// Where the mode stands, if it is not `Open`.
    const MODE: u64;
    const BIASED: u64;
    const REVOKING: u64;
    const OPENED_AT_ODD: u64;
    /// What a step from mode to mode leaves alone.
    const KEPT: u64;

    fn from_bits(bits: u64) -> Self;

    fn bits(self) -> u64;

    #[inline]
    fn mode(self) -> Mode {
        match self.bits() & Self::MODE {
            mode if mode == Self::BIASED => Mode::Biased,
            mode if mode == Self::REVOKING => Mode::Revoking,
            _ => Mode::Open,
        }
    }

    /// `Biased` from `front` on.
    #[must_use]
    fn biased_at(self, front: u64) -> Self {
        debug_assert!(self.is_open());
        Self::from_bits(self.open_at(front).bits() | Self::BIASED)
    }

    /// `Revoking` what this `Biased` head began.
    #[must_use]
    fn revoking(self) -> Self {
        debug_assert_eq!(self.mode(), Mode::Biased);
        Self::from_bits(self.bits() ^ (Self::BIASED ^ Self::REVOKING))
    }

    /// `Open` from `front` on.
    #[must_use]
    fn open_at(self, front: u64) -> Self {
        let odd = if front & 1 != 0 {
            Self::OPENED_AT_ODD
        } else {
            0
        };
        Self::from_bits(front << Self::FRONT | odd | self.bits() & Self::KEPT)
    }

    /// Whether the front at which it was opened last was odd; claims leave this alone.
    fn was_opened_at_odd(self) -> bool {
        self.bits() & Self::OPENED_AT_ODD != 0
    }

    fn is_open(self) -> bool {
        self.mode() == Mode::Open
    }
}

/// Where the front is while the head does not say; on the owner's line.
pub(super) struct Bias {
    /// The first position that the owner has not taken; stored by the owner only. Of no
    /// meaning while the head is open.
    front: AtomicU64,
}

impl Bias {
    pub(super) fn new() -> Self {
        Self {
            front: AtomicU64::new(0),
        }
    }

    /// The front, for those who have seen, with Acquire, a head that is not open.
    pub(super) fn front(&self) -> u64 {
        // Acquire: who sees an item taken sees the pushes before that; pairs with the
        // Release in `take_to`. (Argued, not shown: no model misses either of the two, since
        // loom has a full fence beside each. `a_biased_pop_shows_the_pushes_before_it` is
        // the interleaving.)
        self.front.load(Acquire)
    }

    // --------------------------------------------------------------------- owner

    /// Claims what is before `front`, a higher one than that of `head`, and begins a bias:
    /// the head after that, unless `head` is not the head any more.
    pub(super) fn begin<H: HeadWord>(&self, word: &AtomicU64, head: H, front: u64) -> Option<H> {
        debug_assert!(head.is_open());
        // Release: who sees this and an earlier bias finds at its next look at the head that
        // the bias has ended; pairs with the Acquire in `front`.
        self.front.store(front, Release);
        let biased = head.biased_at(front);
        // OPEN -> BIASED
        // Release: publishes the front above, and who sees the claim sees the pushes that we
        // have seen; pairs with the Acquire loads of the head.
        // Relaxed on failure: nothing is read by it.
        word.compare_exchange(head.bits(), biased.bits(), Release, Relaxed)
            .is_ok()
            .then_some(biased)
    }

    /// Takes what is before `front`, for an owner that has seen `biased`; says whether that
    /// still holds. If not, see [`end`](Self::end).
    #[inline]
    pub(super) fn take_to<H: HeadWord>(&self, word: &AtomicU64, biased: H, front: u64) -> bool {
        // Release: shows our pushes to who sees the item taken; pairs with the Acquire in
        // `front`.
        self.front.store(front, Release);
        self.still_holds(word, biased)
    }

    /// Whether what the owner has stored before is seen by whoever ends the bias that it has
    /// seen as `biased`.
    #[inline]
    pub(super) fn still_holds<H: HeadWord>(&self, word: &AtomicU64, biased: H) -> bool {
        // Light: with the heavy fence in `revoke`. If ours is first, the thief sees what we
        // stored; if theirs is, the load below does not see `Biased`.
        // (`a_thief_ends_a_bias`)
        if BY_MEMBARRIER {
            // Which is what `light` is under this strategy; the owner knows it, and need not
            // look.
            fence::compiler();
        } else {
            fence::light();
        }
        // Relaxed: what follows from a change is found out by `end`.
        word.load(Relaxed) == biased.bits()
    }

    /// Ends the bias at `front`, unless a thief has; the head after that, which is open.
    pub(super) fn end<H: HeadWord>(&self, word: &AtomicU64, front: u64) -> H {
        // Acquire, here and on failure: as every load of the head. (No model misses it: when
        // slots are free again the owner learns by other words.)
        let mut head = H::from_bits(word.load(Acquire));
        while !head.is_open() {
            let open = head.open_at(front);
            // BIASED | REVOKING -> OPEN
            // Release: shows what we took under the bias to who claims after it; pairs with
            // the Acquire loads of the head. That is why we need no fence. (The models do not
            // miss it: they have a full fence for each light one before.)
            match word.compare_exchange_weak(head.bits(), open.bits(), Release, Acquire) {
                Ok(_) => return open,
                Err(now) => head = H::from_bits(now),
            }
        }
        head
    }

    // -------------------------------------------------------------------- thieves

    /// Counts the items of a deque whose `head`, loaded with Acquire, is not open, by
    /// `len_from`, which loads the tail with Acquire. An answer of zero was true at one
    /// moment. If it cannot be known, the head to go on with.
    #[cold]
    pub(super) fn count<H: HeadWord>(
        &self,
        word: &AtomicU64,
        head: H,
        len_from: impl FnOnce(u64) -> u64,
    ) -> Result<u64, H> {
        let front = self.front();
        // What this front says of the last item is not decided until the owner has looked at
        // the head. Of two SeqCst fences, this one and the heavy one in `revoke`, one is
        // first. If ours, whoever ends the bias sees this front, or a tail that is not
        // older; if theirs, we see below that the bias has ended.
        // (`empty_under_a_bias_stays_empty`)
        // And the tail is a new one: see `fenced_len` of both deques.
        atomic::fence(SeqCst);
        let len = len_from(front);
        // Relaxed: the fence is what counts.
        if len > 0 || head.mode() == Mode::Biased && word.load(Relaxed) == head.bits() {
            return Ok(len);
        }
        Err(match head.mode() {
            Mode::Revoking => self.revoke(word, head),
            // Acquire: as the caller's. (Argued, not shown: no model misses it.)
            _ => H::from_bits(word.load(Acquire)),
        })
    }

    /// Looks for items as [`count`](Self::count) does: `None` if there are none; or a head to
    /// go on with, which in the end is open.
    #[cold]
    pub(super) fn look<H: HeadWord>(
        &self,
        word: &AtomicU64,
        head: H,
        len_from: impl FnOnce(u64) -> u64,
    ) -> Option<H> {
        match self.count(word, head, len_from) {
            Ok(0) => None,
            Ok(_) => Some(self.revoke(word, head)),
            Err(head) => Some(head),
        }
    }

    /// Ends the bias that was seen as `head`, for a thief; the head now.
    #[cold]
    pub(super) fn revoke<H: HeadWord>(&self, word: &AtomicU64, head: H) -> H {
        let revoking = match head.mode() {
            Mode::Open => return head,
            Mode::Revoking => head,
            Mode::Biased => {
                let revoking = head.revoking();
                // BIASED -> REVOKING
                // Relaxed: the fence orders it before the load of the front. As an RMW it
                // keeps the release sequence of `begin` alive.
                // Acquire on failure: as the caller's load.
                match word.compare_exchange(head.bits(), revoking.bits(), Relaxed, Acquire) {
                    Ok(_) => revoking,
                    Err(now) => return H::from_bits(now),
                }
            }
        };
        // Heavy: with the light one in `still_holds`: see there.
        fence::heavy();
        let open = revoking.open_at(self.front());
        // REVOKING -> OPEN
        // Release: our fence happened before the claims of those who see this; pairs with
        // the Acquire loads of the head. (Argued, not shown: in a model the heavy fence is one
        // of the language, which releases.)
        // Acquire on failure: as the caller's load.
        match word.compare_exchange(revoking.bits(), open.bits(), Release, Acquire) {
            Ok(_) => open,
            Err(now) => H::from_bits(now),
        }
    }
}

/// Whether there is a bias under [`Strategy::Membarrier`] only. With full fences it gains
/// nothing, but checkers want to see it.
const BY_MEMBARRIER: bool = !(MODEL || cfg!(any(miri, engine_tsan)));

/// Never more than this many claims in a row.
const NEVER: u32 = u32::MAX;
/// So many claims cost what a heavy fence does, on a machine with few processors: it is
/// about 0.2 to 1 µs there.
const FIRST: u32 = if MODEL { NEVER } else { 256 };
/// So many claims cost what a heavy fence does that interrupts dozens of processors.
const MOST: u32 = 1 << 14;

/// When the owner begins a bias.
pub(super) struct Patience {
    /// Claims in a row in which no thief was seen.
    claims: Cell<u32>,
    /// After how many the next one begins a bias: twice as many after each that a thief
    /// ended.
    wanted: Cell<u32>,
}

impl Patience {
    pub(super) fn new() -> Self {
        // Decides on the pair of fences here: it may take milliseconds, once in a process.
        let wanted = match fence::strategy() {
            Strategy::Membarrier => FIRST,
            _ if !BY_MEMBARRIER => FIRST,
            _ => NEVER,
        };
        Self {
            claims: Cell::new(0),
            wanted: Cell::new(wanted),
        }
    }

    /// The owner is about to take an item, by a fence or a claim; says whether it is time
    /// for a bias.
    #[inline]
    pub(super) fn take(&self) -> bool {
        let claims = self.claims.get().saturating_add(1);
        self.claims.set(claims);
        claims > self.wanted.get()
    }

    /// A thief was seen.
    pub(super) fn disturbed(&self) {
        self.claims.set(0);
    }

    /// A thief has ended a bias.
    pub(super) fn revoked(&self) {
        self.claims.set(0);
        self.wanted.update(|wanted| (2 * wanted).min(MOST));
    }

    /// The owner has ended a bias for reasons of its own.
    pub(super) fn interrupted(&self) {
        self.claims.set(self.wanted.get());
    }

    /// Begins each bias after `claims`, where there are any.
    #[cfg(test)]
    pub(super) fn set(&self, claims: u32) {
        if self.is_finite() {
            self.claims.set(0);
            self.wanted.set(claims);
        }
    }

    /// Whether there is a bias at all.
    #[cfg(test)]
    pub(super) fn is_finite(&self) -> bool {
        !BY_MEMBARRIER || self.wanted.get() != NEVER
    }
}
