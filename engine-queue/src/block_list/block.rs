//! One block of slots, and who frees it.

use alloc::boxed::Box;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};

use engine_atomic::Backoff;
use engine_atomic::sync::atomic::{AtomicBool, AtomicPtr, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;

use super::index::Next;
#[cfg(test)]
use super::live;

/// A slot of a block, and its mark.
///
/// | written, left | meaning | who may go on, how |
/// |---|---|---|
/// | no, no | not claimed, or its push has not finished | the push: written |
/// | yes, no | holds an item, or its popper has not left | its popper: left |
/// | yes, yes | used up | nobody, until the block is reset |
///
/// In each state one thread alone may go on, so plain stores do: an operation has no
/// read-modify-write but that of its claim.
struct Slot<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    written: AtomicBool,
}

/// Poppers write nothing into the lines of the slots: those go from the pushers to the
/// poppers once, and not back before the block is used again.
pub(super) struct Block<T, const CAP: usize> {
    slots: [Slot<T>; CAP],
    /// Null until the push of the last slot has installed the next block.
    next: AtomicPtr<Self>,
    /// Which poppers have moved out their items and left the block.
    left: [AtomicBool; CAP],
}

/// All of these take a pointer, not a reference: another thread may free the block
/// while the last access to it has not returned.
///
/// # Safety
///
/// Of all: the block lives until the call's last access to it. Of those with an
/// offset: it is below `CAP`.
impl<T, const CAP: usize> Block<T, CAP> {
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
        let left = unsafe { &raw mut (*block).left };
        // SAFETY: valid for writes, as above.
        unsafe { left.write([const { false }; CAP].map(AtomicBool::new)) };
        // SAFETY: in bounds of the new allocation.
        let slots = unsafe { &raw mut (*block).slots };
        for offset in 0..CAP {
            // SAFETY: in bounds: `slots` has `CAP` elements.
            let slot = unsafe { slots.cast::<Slot<T>>().add(offset) };
            let empty = Slot {
                value: UnsafeCell::new(MaybeUninit::uninit()),
                written: AtomicBool::new(false),
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
        // Relaxed, all: ours until a Release hands the block on.
        block.next.store(ptr::null_mut(), Relaxed);
        block
            .left
            .iter()
            .for_each(|left| left.store(false, Relaxed));
        for slot in &block.slots {
            slot.written.store(false, Relaxed);
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
        // the store below.
        let slot = unsafe { Self::slot(block, offset) };
        slot.value.with_mut(|value| {
            // SAFETY: ours by the claim; poppers look after that, and who had the
            // block before was done when it was reset.
            unsafe { (*value).write(item) };
        });
        // Release: publishes the item; pairs with the Acquire load in `take`.
        slot.written.store(true, Release);
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
        if !slot.written.load(Acquire) {
            slot.wait_written();
        }
        // SAFETY: written: it is initialised, and that happened before; the claim
        // makes us the only reader.
        slot.value.with(|value| unsafe { value.cast::<T>().read() })
    }

    /// Says that a slot is used up. The block may be freed at once.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot for reading and has taken its item, and does not
    /// touch the block again for this slot's sake.
    #[inline]
    pub(super) unsafe fn leave(block: NonNull<Self>, offset: usize) {
        debug_assert!(offset < CAP);
        // SAFETY: not freed before the store below.
        let left = unsafe { &raw const (*block.as_ptr()).left };
        // SAFETY: in bounds, by contract.
        let left = unsafe { left.cast::<AtomicBool>().add(offset) };
        // SAFETY: initialised with the block.
        let left = unsafe { &*left };
        // Release: our accesses to the block are over; pairs with the Acquire load in
        // `is_left`.
        left.store(true, Release);
    }

    /// Whether everybody has left: then the block is the caller's alone, and what others did
    /// happened before.
    ///
    /// # Safety
    ///
    /// As of the impl; and it is for the caller to free the block.
    pub(super) unsafe fn is_left(block: NonNull<Self>) -> bool {
        // SAFETY: the block lives, by contract.
        let left = unsafe { &raw const (*block.as_ptr()).left };
        // SAFETY: initialised with the block.
        let left = unsafe { &*left };
        // From the last: who claimed it is likely the last to leave.
        // Acquire: the accesses of that slot's popper are over, and before those its push;
        // pairs with the Release in `leave`.
        left.iter().rev().all(|left| left.load(Acquire))
    }

    /// The link of a list of blocks that were left by the head: the next block is known by
    /// then, so the place is free.
    ///
    /// # Safety
    ///
    /// As of the impl; the head has left the block, and its last popper has seen the next.
    pub(super) unsafe fn below<'a>(block: NonNull<Self>) -> &'a AtomicPtr<Self> {
        // SAFETY: the block lives, by contract.
        let below = unsafe { &raw const (*block.as_ptr()).next };
        // SAFETY: initialised with the block.
        unsafe { &*below }
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
        while !self.written.load(Acquire) {
            backoff.snooze();
        }
    }
}
