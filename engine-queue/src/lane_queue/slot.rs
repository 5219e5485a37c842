//! One slot of a lane: a value, and in a shared lane a mark beside it.

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

/// What a slot of a shared lane is, in one generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Empty,
    Full,
    Burned,
}

/// Beside a slot of a shared lane, which is used once in a generation.
///
/// | mark | meaning | who may leave it, how |
/// |---|---|---|
/// | of an earlier generation | empty: not claimed, or its push has not finished | the push, to full; any consumer, to burned |
/// | full | holds an item, until the head passes it | nobody |
/// | burned | will never hold an item: its push was too slow, and takes the next ticket | nobody |
///
/// The value belongs to the push that claimed the slot's ticket until the mark is
/// full, and for good if it is burned; then to the consumer that moves the head
/// past the slot.
pub(super) struct Mark(AtomicIndex);

impl Mark {
    pub(super) fn new() -> Self {
        Self(AtomicIndex::new(0))
    }

    /// For the push that has claimed the slot and written the value: gives it to the
    /// consumers. `false`: the slot was burned, the value is still the push's.
    #[inline]
    pub(super) fn fill(&self, generation: Generation) -> bool {
        // Relaxed: in this generation only a burn can come in between, and then the
        // exchange fails.
        let before = self.0.load(Relaxed);
        if before == generation.burned() {
            return false;
        }
        // empty -> full
        // Release: publishes the item; pairs with the Acquire load in `state`.
        // Relaxed failure: burned, which says nothing but that.
        // Strong: a failure means burned.
        self.0
            .compare_exchange(before, generation.full(), Release, Relaxed)
            .is_ok()
    }

    /// As `fill`, in a segment that is not installed.
    pub(super) fn set_full(&self, generation: Generation) {
        // Relaxed: published with the segment.
        self.0.store(generation.full(), Relaxed);
    }

    #[inline]
    pub(super) fn state(&self, generation: Generation) -> State {
        // Acquire: if full, receives the item; pairs with the Release in `fill`.
        let state = self.0.load(Acquire);
        if state == generation.full() {
            State::Full
        } else if state == generation.burned() {
            State::Burned
        } else {
            State::Empty
        }
    }

    /// Gives up on the push that holds this slot, unless it has just finished.
    pub(super) fn burn(&self, generation: Generation) {
        // Relaxed: if this is full or burned, it stays so.
        let before = self.0.load(Relaxed);
        if before == generation.full() || before == generation.burned() {
            return;
        }
        // empty -> burned
        // Relaxed: nothing is handed over: the push keeps what it wrote. A failure is
        // the push, or another consumer's burn.
        let _ = self
            .0
            .compare_exchange(before, generation.burned(), Relaxed, Relaxed);
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a look.
        let word = self.0.load(Relaxed);
        let kind = match word & ((1 << KIND) - 1) {
            FULL => State::Full,
            BURNED => State::Burned,
            _ => State::Empty,
        };
        f.debug_struct("Mark")
            .field("generation", &(word >> KIND))
            .field("state", &kind)
            .finish()
    }
}

/// The place for an item.
pub(super) struct Value<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> Value<T> {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// # Safety
    ///
    /// Nobody else has access, and there is no item.
    #[inline]
    pub(super) unsafe fn write(&self, item: T) {
        self.0.with_mut(|value| {
            // SAFETY: nobody else has access, by contract.
            let value = unsafe { &mut *value };
            value.write(item);
        });
    }

    /// Moves the item out.
    ///
    /// # Safety
    ///
    /// There is one, written before this, and the caller alone takes it, once.
    #[inline]
    pub(super) unsafe fn take(&self) -> T {
        self.0.with(|value| {
            // SAFETY: nobody writes while there is an item.
            let value = unsafe { &*value };
            // SAFETY: initialised, and read once, by contract.
            unsafe { value.assume_init_read() }
        })
    }

    /// Enters the value as a writer: nothing, but the checkers then verify that all
    /// earlier accesses happened before.
    pub(super) fn verify_ours(&self) {
        self.0.with_mut(|_| ());
    }
}
