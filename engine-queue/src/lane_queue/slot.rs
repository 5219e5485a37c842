//! One slot of a lane.

use core::fmt;
use core::mem::MaybeUninit;

use engine_atomic::sync::atomic::Ordering::*;
use engine_atomic::sync::cell::UnsafeCell;

use crate::word::{AtomicIndex, Word};

/// Bits of a state beside the generation.
const KIND: u32 = 2;
const FULL: Word = 1;
const BURNED: Word = 2;

/// Which use of a segment's memory this is. A slot's state carries it, so that the
/// states of an earlier use mean "empty" and nobody has to wipe them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Generation(Word);

impl Generation {
    pub(super) const FIRST: Self = Self(1);

    /// The next one; `None` when there is none left and the memory must be freed.
    pub(super) fn next(self) -> Option<Self> {
        let next = self.0 + 1;
        (next <= Word::MAX >> KIND).then_some(Self(next))
    }

    #[inline]
    fn full(self) -> Word {
        self.0 << KIND | FULL
    }

    #[inline]
    fn burned(self) -> Word {
        self.0 << KIND | BURNED
    }

    #[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
    pub(super) fn last() -> Self {
        Self(Word::MAX >> KIND)
    }
}

/// What a slot is, in one generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Empty,
    Full,
    Burned,
}

/// Used once in a generation.
///
/// | state | meaning | who may leave it, how |
/// |---|---|---|
/// | of an earlier generation | empty: not claimed, or its push has not finished | the push, to full; any consumer, to burned |
/// | full | holds an item, until the head passes it | nobody |
/// | burned | will never hold an item: its push was too slow, and takes the next ticket | nobody |
///
/// The value belongs to the push that claimed the slot's ticket until the state is
/// full, and for good if it is burned; then to the consumer that moves the head
/// past the slot.
pub(super) struct Slot<T> {
    state: AtomicIndex,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicIndex::new(0),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Gives `item` to the consumers, or back if the slot was burned.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot's ticket in `generation`, and does this once.
    #[inline]
    pub(super) unsafe fn put(&self, generation: Generation, item: T) -> Result<(), T> {
        self.value.with_mut(|value| {
            // SAFETY: ours by the claim; consumers look after full. Who used the memory
            // before was done when the segment was recycled.
            let value = unsafe { &mut *value };
            value.write(item);
        });
        // Relaxed: in this generation only a burn can come in between, and then the
        // exchange fails.
        let before = self.state.load(Relaxed);
        if before != generation.burned() {
            // empty -> full
            // Release: publishes the item; pairs with the Acquire load in `state`.
            // Relaxed failure: burned, which says nothing but that.
            // Strong: a failure means burned.
            let published =
                self.state
                    .compare_exchange(before, generation.full(), Release, Relaxed);
            if published.is_ok() {
                return Ok(());
            }
        }
        Err(self.value.with(|value| {
            // SAFETY: written above, and a burned slot is the push's for good.
            let value = unsafe { &*value };
            // SAFETY: initialised, and read once.
            unsafe { value.assume_init_read() }
        }))
    }

    /// Puts an item into a slot of a segment that is not installed.
    ///
    /// # Safety
    ///
    /// Nobody else has access, and the slot is empty.
    pub(super) unsafe fn fill(&self, generation: Generation, item: T) {
        self.value.with_mut(|value| {
            // SAFETY: nobody else has access, by contract.
            let value = unsafe { &mut *value };
            value.write(item);
        });
        // Relaxed: published with the segment.
        self.state.store(generation.full(), Relaxed);
    }

    #[inline]
    pub(super) fn state(&self, generation: Generation) -> State {
        // Acquire: if full, receives the item; pairs with the Release in `put`.
        let state = self.state.load(Acquire);
        if state == generation.full() {
            State::Full
        } else if state == generation.burned() {
            State::Burned
        } else {
            State::Empty
        }
    }

    /// Moves the item out.
    ///
    /// # Safety
    ///
    /// The caller saw the slot full and has moved the head past it.
    #[inline]
    pub(super) unsafe fn take(&self) -> T {
        self.value.with(|value| {
            // SAFETY: ours: the head passes a slot once.
            let value = unsafe { &*value };
            // SAFETY: full means initialised: pairs with the Release in `put`.
            unsafe { value.assume_init_read() }
        })
    }

    /// Gives up on the push that holds this slot, unless it has just finished.
    pub(super) fn burn(&self, generation: Generation) {
        // Relaxed: if this is full or burned, it stays so.
        let before = self.state.load(Relaxed);
        if before == generation.full() || before == generation.burned() {
            return;
        }
        // empty -> burned
        // Relaxed: nothing is handed over: the push keeps what it wrote. A failure is
        // the push, or another consumer's burn.
        let _ = self
            .state
            .compare_exchange(before, generation.burned(), Relaxed, Relaxed);
    }

    /// Enters the value as a writer: nothing, but the checkers then verify that all
    /// earlier accesses happened before.
    pub(super) fn verify_ours(&self) {
        self.value.with_mut(|_| ());
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a look.
        let state = self.state.load(Relaxed);
        let kind = match state & ((1 << KIND) - 1) {
            FULL => State::Full,
            BURNED => State::Burned,
            _ => State::Empty,
        };
        f.debug_struct("Slot")
            .field("generation", &(state >> KIND))
            .field("state", &kind)
            .finish()
    }
}
