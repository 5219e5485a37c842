//! Slots, and who may touch them.

use alloc::boxed::Box;
use core::iter;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use engine_atomic::sync::MODEL;
use engine_atomic::sync::atomic::{AtomicBool, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;

type Value<T> = UnsafeCell<MaybeUninit<T>>;

/// A ring of slots: each a value and a flag, `read`.
///
/// | position of the slot | the slot holds | who may touch it |
/// |---|---|---|
/// | up to the front, claimed by a thief, not `read` | an item that is being moved out | that thief reads it, then stores `read` |
/// | up to the front, `read`, or claimed by the owner | nothing | the owner, who first takes `read` back |
/// | `front..tail` | an item | nobody but by a claim; the owner copies the bytes to another buffer |
/// | from the tail on | nothing | the owner, to write |
///
/// A slot is written only when no thief reads it. Reads meet: the owner copies the
/// bytes of a slot to a new buffer while a thief moves its item out. One of the two is
/// the item, the other is dead (see `Worker::replace_buffer`).
///
/// The flags lie apart: thieves store them, and the owner looks at them once a lap.
pub(super) struct Buffer<T> {
    slots: Slots<T>,
    /// Of a retired buffer, the claims that may not be over: the first and how many.
    pending: (u64, u64),
    /// The next in the list of retired buffers; used by the owner alone.
    next: Option<NonNull<Self>>,
}

/// All of these take a pointer, not a reference: a thief's last access to a buffer
/// may be followed by its end before the call returns.
impl<T> Buffer<T> {
    /// A buffer of free slots; `capacity` is a power of two.
    ///
    /// # Panics
    ///
    /// If that many slots do not fit the address space.
    pub(super) fn alloc(capacity: usize) -> NonNull<Self> {
        debug_assert!(capacity.is_power_of_two());
        let values: Box<[Value<T>]> = iter::repeat_with(|| UnsafeCell::new(MaybeUninit::uninit()))
            .take(capacity)
            .collect();
        let read: Box<[AtomicBool]> = iter::repeat_with(|| AtomicBool::new(false))
            .take(capacity)
            .collect();
        let buffer = Self {
            slots: Slots {
                values: NonNull::from(Box::leak(values)).cast(),
                read: NonNull::from(Box::leak(read)).cast(),
                mask: capacity - 1,
            },
            pending: (0, 0),
            next: None,
        };
        NonNull::from(Box::leak(Box::new(buffer)))
    }

    /// Frees the buffer, but no items.
    ///
    /// # Safety
    ///
    /// It came from `alloc`, and nobody uses it any more.
    pub(super) unsafe fn free(this: NonNull<Self>) {
        // SAFETY: from `Box::leak` in `alloc`, and not used by anybody else.
        let buffer = unsafe { Box::from_raw(this.as_ptr()) };
        let Slots { values, read, mask } = buffer.slots;
        let values = NonNull::slice_from_raw_parts(values, mask + 1);
        // SAFETY: as above.
        let values = unsafe { Box::from_raw(values.as_ptr()) };
        let read = NonNull::slice_from_raw_parts(read, mask + 1);
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(read.as_ptr()) });
        if MODEL {
            // What the allocator may do with them; the checkers see who still reads.
            for value in &values {
                value.with_mut(|_| ());
            }
        }
    }

    /// # Safety
    ///
    /// The buffer lives.
    #[inline]
    pub(super) unsafe fn slots(this: NonNull<Self>) -> Slots<T> {
        // SAFETY: it lives, and this field is never written again.
        unsafe { (*this.as_ptr()).slots }
    }

    /// Makes it the first of the list that `next` is the first of.
    ///
    /// # Safety
    ///
    /// The buffer lives; the caller is the owner.
    pub(super) unsafe fn set_next(this: NonNull<Self>, next: Option<NonNull<Self>>) {
        // SAFETY: it lives, and nobody else looks at this field.
        unsafe { (*this.as_ptr()).next = next };
    }

    /// The next in the list of retired buffers.
    ///
    /// # Safety
    ///
    /// The buffer lives; the caller is the owner.
    pub(super) unsafe fn next(this: NonNull<Self>) -> Option<NonNull<Self>> {
        // SAFETY: it lives, and the owner alone writes this field.
        unsafe { (*this.as_ptr()).next }
    }

    /// Notes the claims that may not be over.
    ///
    /// # Safety
    ///
    /// The buffer lives; the caller is the owner.
    pub(super) unsafe fn set_pending(this: NonNull<Self>, first: u64, count: u64) {
        // SAFETY: it lives, and nobody else looks at this field.
        unsafe { (*this.as_ptr()).pending = (first, count) };
    }

    /// Whether all claims in this retired buffer are over.
    ///
    /// # Safety
    ///
    /// The buffer lives; the caller is the owner.
    pub(super) unsafe fn is_over(this: NonNull<Self>) -> bool {
        // SAFETY: it lives, and the owner alone writes this field.
        let (first, count) = unsafe { (*this.as_ptr()).pending };
        // SAFETY: it lives.
        let slots = unsafe { Self::slots(this) };
        // SAFETY: as above.
        (0..count).all(|n| unsafe { slots.is_read(first.wrapping_add(n)) })
    }
}

/// The slots of a buffer.
pub(super) struct Slots<T> {
    values: NonNull<Value<T>>,
    read: NonNull<AtomicBool>,
    /// The capacity, a power of two, less one.
    mask: usize,
}

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slots<T> {}

/// # Safety
///
/// Of all that are unsafe: the buffer lives until the call's last access to it.
impl<T> Slots<T> {
    #[inline]
    pub(super) fn capacity(self) -> usize {
        self.mask + 1
    }

    /// The slot of a position; of one with more bits than an index, the low ones count.
    #[inline]
    fn index(self, position: u64) -> usize {
        position as usize & self.mask
    }

    #[inline]
    unsafe fn value<'a>(self, position: u64) -> &'a Value<T> {
        // SAFETY: in bounds by the mask; the buffer lives.
        let value = unsafe { self.values.add(self.index(position)) };
        // SAFETY: it lives, and is only accessed through the cell it is.
        unsafe { value.as_ref() }
    }

    #[inline]
    unsafe fn read_flag<'a>(self, position: u64) -> &'a AtomicBool {
        // SAFETY: in bounds by the mask; the buffer lives.
        let flag = unsafe { self.read.add(self.index(position)) };
        // SAFETY: it lives, and is only accessed as the atomic it is.
        unsafe { flag.as_ref() }
    }

    /// Writes an item, unpublished.
    ///
    /// # Safety
    ///
    /// The caller is the owner, and the slot holds nothing.
    #[inline]
    pub(super) unsafe fn put(self, position: u64, item: T) {
        // SAFETY: the buffer lives.
        let value = unsafe { self.value(position) };
        // SAFETY: it holds nothing, so nobody reads it, and only the owner writes.
        value.with_mut(|value| unsafe { (*value).write(item) });
    }

    /// Moves an item out, for the owner, who may write the slot again.
    ///
    /// # Safety
    ///
    /// (1) The caller has claimed the item at `position`; (2) it takes it once; (3) the
    /// write of it happened before.
    #[inline]
    pub(super) unsafe fn take(self, position: u64) -> T {
        // SAFETY: the buffer lives.
        let value = unsafe { self.value(position) };
        // SAFETY: it holds an item, which by contract is the caller's.
        value.with(|value| unsafe { value.cast::<T>().read() })
    }

    /// Moves an item out, for a thief: its last access to the buffer by this claim.
    ///
    /// # Safety
    ///
    /// As of `take`. The buffer lives: it is not freed while the claim is not `read`.
    #[inline]
    pub(super) unsafe fn steal(self, position: u64) -> T {
        // SAFETY: by contract.
        let item = unsafe { self.take(position) };
        // SAFETY: by contract.
        unsafe { self.set_read(position) };
        item
    }

    /// Says that the item is moved out.
    ///
    /// # Safety
    ///
    /// The caller had claimed it.
    #[inline]
    pub(super) unsafe fn set_read(self, position: u64) {
        // SAFETY: the buffer lives until this store.
        let read = unsafe { self.read_flag(position) };
        // Release: our read of the slot is over; pairs with the Acquire in `is_read`.
        read.store(true, Release);
    }

    /// Whether the item of a claim is moved out.
    #[inline]
    pub(super) unsafe fn is_read(self, position: u64) -> bool {
        // SAFETY: the buffer lives.
        let read = unsafe { self.read_flag(position) };
        // Acquire: the slot is not read any more; pairs with the Release in `set_read`.
        read.load(Acquire)
    }

    /// Takes the flag back, for the owner: the slot may be written.
    #[inline]
    pub(super) unsafe fn clear_read(self, position: u64) {
        // SAFETY: the buffer lives.
        let read = unsafe { self.read_flag(position) };
        // Relaxed: the thief that stores it next comes after the item's publication.
        read.store(false, Relaxed);
    }

    /// Copies the bytes of a slot to the same position of `new`.
    ///
    /// # Safety
    ///
    /// (1) The caller is the owner and has written the item at `position`; (2) nobody
    /// else has seen `new`; (3) only one of the two copies is used as an item.
    pub(super) unsafe fn copy_to(self, new: Self, position: u64) {
        // SAFETY: the buffer lives.
        let from = unsafe { self.value(position) };
        // SAFETY: as above.
        let to = unsafe { new.value(position) };
        from.with(|from| {
            // SAFETY: (1) valid and not written: only the owner does that; thieves read.
            // (2) `to` is ours, and another allocation.
            to.with_mut(|to| unsafe { to.copy_from_nonoverlapping(from, 1) });
        });
    }

    /// Exchanges two items that are not published.
    ///
    /// # Safety
    ///
    /// The caller is the owner and has written both, at different positions.
    pub(super) unsafe fn swap(self, one: u64, other: u64) {
        // SAFETY: the buffer lives.
        let one = unsafe { self.value(one) };
        // SAFETY: as above.
        let other = unsafe { self.value(other) };
        one.with_mut(|one| {
            // SAFETY: nobody else accesses either, and they are different slots.
            other.with_mut(|other| unsafe { one.swap(other) });
        });
    }
}
