//! One block of slots, and who frees it.

use alloc::boxed::Box;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use engine_atomic::Backoff;
use engine_atomic::sync::atomic::{AtomicPtr, AtomicU8, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::pick;

use super::index::Next;
#[cfg(test)]
use super::live;

/// Slots of a block.
pub(super) const CAP: usize = pick(31, 3);

/// The item is written.
const WRITTEN: u8 = 1;
/// The item is moved out, and its popper has left the block.
const READ: u8 = 2;
/// The popper of this slot, when it leaves, goes on freeing the block.
const DESTROY: u8 = 4;

/// | state | meaning | who may leave it, how |
/// |---|---|---|
/// | 0 | not claimed, or its push has not finished | the push: `+ WRITTEN`; the destroyer: `+ DESTROY` |
/// | WRITTEN | holds an item | its popper: `+ READ`; the destroyer: `+ DESTROY` |
/// | DESTROY | the push has not finished, the popper waits for it | the push: `+ WRITTEN` |
/// | WRITTEN, DESTROY | the popper has not left | its popper: `+ READ`, and it is the destroyer now |
/// | READ, or WRITTEN, READ | used up | nobody, until the block is reset |
///
/// *The destroyer* is one thread: at first the popper of the last slot. It looks at
/// the slots from the last down; at one that is not READ it leaves the job to that
/// slot's popper, who goes on from there. So it holds: when the job is at slot `i`,
/// every slot above is READ or belongs to the destroyer.
struct Slot<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    state: AtomicU8,
}

pub(super) struct Block<T> {
    /// Null until the push of the last slot has installed the next block.
    next: AtomicPtr<Block<T>>,
    slots: [Slot<T>; CAP],
}

/// All of these take a pointer, not a reference: another thread may free the block
/// while the last access to it has not returned.
///
/// # Safety
///
/// Of all: the block lives until the call's last access to it. Of those with an
/// offset: it is below `CAP`.
impl<T> Block<T> {
    /// An empty block. Built where it lies: it may be larger than the stack.
    pub(super) fn alloc() -> NonNull<Self> {
        #[cfg(test)]
        live::add(1);
        let block: *mut Self = Box::into_raw(Box::<Self>::new_uninit()).cast();
        // SAFETY: in bounds of the new allocation.
        let next = unsafe { &raw mut (*block).next };
        // SAFETY: valid for writes: nobody else has the allocation.
        unsafe { next.write(AtomicPtr::new(ptr::null_mut())) };
        // SAFETY: in bounds of the new allocation.
        let slots = unsafe { &raw mut (*block).slots };
        for offset in 0..CAP {
            // SAFETY: in bounds: `slots` has `CAP` elements.
            let slot = unsafe { slots.cast::<Slot<T>>().add(offset) };
            let empty = Slot {
                value: UnsafeCell::new(MaybeUninit::uninit()),
                state: AtomicU8::new(0),
            };
            // SAFETY: valid for writes, as above.
            unsafe { slot.write(empty) };
        }
        // SAFETY: `Box` pointers are not null.
        unsafe { NonNull::new_unchecked(block) }
    }

    /// Frees the block, but no items.
    ///
    /// # Safety
    ///
    /// Nobody else has access any more, and what they did happened before.
    pub(super) unsafe fn free(block: NonNull<Self>) {
        #[cfg(test)]
        live::add(-1);
        // SAFETY: it came from `Box` in `alloc`, all its fields are initialised, and
        // by contract it is ours alone.
        let block = unsafe { Box::from_raw(block.as_ptr()) };
        block.verify_ours();
    }

    /// Makes the block as new.
    ///
    /// # Safety
    ///
    /// As of `free`; and the slots hold no items.
    pub(super) unsafe fn reset(block: NonNull<Self>) {
        // SAFETY: ours alone, by contract.
        let block = unsafe { block.as_ref() };
        block.verify_ours();
        // Relaxed, both: whoever gets the block next gets it by a Release.
        block.next.store(ptr::null_mut(), Relaxed);
        for slot in &block.slots {
            slot.state.store(0, Relaxed);
        }
    }

    /// Enters every slot as a writer: nothing, but the checkers then verify that all
    /// earlier accesses happened before.
    fn verify_ours(&self) {
        for slot in &self.slots {
            slot.value.with_mut(|_| ());
        }
    }

    /// # Safety
    ///
    /// As of the impl. The answer is good for as long as the block lives.
    unsafe fn slot<'a>(block: NonNull<Self>, offset: usize) -> &'a Slot<T> {
        debug_assert!(offset < CAP);
        // SAFETY: the block lives, by contract.
        let slots = unsafe { &raw const (*block.as_ptr()).slots };
        // SAFETY: in bounds, by contract.
        let slot = unsafe { slots.cast::<Slot<T>>().add(offset) };
        // SAFETY: a slot is initialised with its block; only its cells change.
        unsafe { &*slot }
    }

    /// Puts an item into a slot and says so.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot for writing, and writes it once.
    pub(super) unsafe fn write(block: NonNull<Self>, offset: usize, item: T) {
        // SAFETY: the block is not freed before this slot was popped, which waits for
        // WRITTEN.
        let slot = unsafe { Self::slot(block, offset) };
        slot.value.with_mut(|value| {
            // SAFETY: ours by the claim; poppers look after WRITTEN, and who had the
            // block before was done when it was reset.
            unsafe { (*value).write(item) };
        });
        // 0 -> WRITTEN, DESTROY -> WRITTEN | DESTROY
        // Release: publishes the item; pairs with the Acquire load in `take`.
        slot.state.fetch_or(WRITTEN, Release);
    }

    /// Moves out the item, once it is written.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot for reading, and reads it once.
    pub(super) unsafe fn take(block: NonNull<Self>, offset: usize) -> T {
        // SAFETY: the block is not freed before this slot's popper has left.
        let slot = unsafe { Self::slot(block, offset) };
        // Acquire: receives the item; pairs with the Release in `write`.
        if slot.state.load(Acquire) & WRITTEN == 0 {
            slot.wait_written();
        }
        // SAFETY: WRITTEN: it is initialised, and that happened before; the claim
        // makes us the only reader.
        slot.value.with(|value| unsafe { value.cast::<T>().read() })
    }

    /// Marks a slot as used up; not the last word on a claim, see `leave`.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot for reading and has taken its item, and no
    /// destroyer can have come this far.
    pub(super) unsafe fn mark_read(block: NonNull<Self>, offset: usize) {
        // SAFETY: by contract.
        let slot = unsafe { Self::slot(block, offset) };
        // Relaxed: a destroyer comes here after it has passed a slot above, whose
        // popper wrote this first. A store, not an RMW: the push is over, and so
        // nobody else writes the state now.
        slot.state.store(WRITTEN | READ, Relaxed);
    }

    /// Gives back the claimed slots `first..end`, all of them taken. True if the
    /// caller must free the block.
    ///
    /// # Safety
    ///
    /// The caller has claimed these slots for reading, has taken their items, and
    /// does not touch the block again unless the answer is true.
    pub(super) unsafe fn leave(block: NonNull<Self>, first: usize, end: usize) -> bool {
        if end != CAP {
            // The destroyer comes from above and stops at the last of our slots; those
            // below it need no RMW.
            for offset in first..end - 1 {
                // SAFETY: by contract, and as just said.
                unsafe { Self::mark_read(block, offset) };
            }
            // SAFETY: by contract.
            let slot = unsafe { Self::slot(block, end - 1) };
            // WRITTEN -> WRITTEN | READ, or with DESTROY in both
            // Release: our accesses to the block are over; pairs with the Acquire load
            // or RMW below, in the destroyer. Acquire: if we are the destroyer now,
            // those of the others; pairs with the Release of that RMW.
            if slot.state.fetch_or(READ, AcqRel) & DESTROY == 0 {
                return false;
            }
        }
        // We are the destroyer: everything from `first` on is done with.
        for offset in (0..first).rev() {
            // SAFETY: the block lives until its destroyer frees it.
            let slot = unsafe { Self::slot(block, offset) };
            // * -> * | DESTROY, unless READ
            // Acquire, both: the accesses of that slot's popper are over; pairs with
            // the Release above. Release of the RMW: ours are, and those that we have
            // seen; pairs with the Acquire above, in the next destroyer.
            if slot.state.load(Acquire) & READ == 0
                && slot.state.fetch_or(DESTROY, AcqRel) & READ == 0
            {
                return false;
            }
        }
        true
    }

    /// Says which block comes next.
    ///
    /// # Safety
    ///
    /// The caller has claimed the last slot for writing.
    pub(super) unsafe fn link(block: NonNull<Self>, next: NonNull<Self>) {
        // SAFETY: the popper of the last slot waits for this, so the block lives.
        let link = unsafe { &raw const (*block.as_ptr()).next };
        // SAFETY: initialised with the block.
        let link = unsafe { &*link };
        // Release: publishes the empty block; pairs with the Acquire in `wait_next`.
        link.store(next.as_ptr(), Release);
    }

    /// The next block, once it is there.
    ///
    /// # Safety
    ///
    /// The caller has claimed the last slot for reading.
    pub(super) unsafe fn wait_next(block: NonNull<Self>) -> NonNull<Self> {
        // SAFETY: the block lives until the caller leaves its slot.
        let block = unsafe { block.as_ref() };
        let backoff = Backoff::new();
        loop {
            // Acquire: receives the empty block; pairs with the Release in `link`.
            if let Some(next) = NonNull::new(block.next.load(Acquire)) {
                return next;
            }
            backoff.snooze();
        }
    }

    /// Whether the next block is there by now.
    ///
    /// # Safety
    ///
    /// As of the impl.
    pub(super) unsafe fn look_for_next(block: NonNull<Self>) -> Next {
        // SAFETY: by contract.
        let block = unsafe { block.as_ref() };
        // Relaxed: only compared with null; a hint that spares a look at the tail.
        if block.next.load(Relaxed).is_null() {
            Next::NotSeen
        } else {
            Next::Seen
        }
    }
}

impl<T> Slot<T> {
    /// Waits for a push that has claimed this slot and not finished.
    #[cold]
    fn wait_written(&self) {
        let backoff = Backoff::new();
        // Acquire: see `take`.
        while self.state.load(Acquire) & WRITTEN == 0 {
            backoff.snooze();
        }
    }
}
