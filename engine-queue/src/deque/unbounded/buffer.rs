//! Slots, and who may touch them.

use alloc::boxed::Box;
use core::iter;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use engine_atomic::sync::MODEL;
use engine_atomic::sync::atomic::{AtomicBool, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;

/// | `occupied` | the slot holds | who may leave it, how |
/// |---|---|---|
/// | no | nothing | the owner: writes an item, then stores yes |
/// | yes | an item, or one that is being moved out | whoever has claimed the item: moves it out, then stores no; the owner, when it has moved the item to another buffer |
///
/// The value is written while the slot is vacant and read while it is occupied, so
/// no read meets a write. Reads meet: the owner copies the bytes of a slot to a new
/// buffer while a thief moves its item out. One of the two copies is the item, the
/// other is dead (see `Worker::replace_buffer`).
struct Slot<T> {
    occupied: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// A ring of slots.
pub(super) struct Buffer<T> {
    /// A power of two of them, owned.
    slots: NonNull<[Slot<T>]>,
    /// The next in the list of retired buffers; used by the owner alone.
    next: Option<NonNull<Self>>,
}

/// All of these take a pointer, not a reference: a thief's last access to a buffer
/// may be followed by its end before the call returns.
impl<T> Buffer<T> {
    /// A buffer of vacant slots; `capacity` is a power of two.
    ///
    /// # Panics
    ///
    /// If that many slots do not fit the address space.
    pub(super) fn alloc(capacity: usize) -> NonNull<Self> {
        debug_assert!(capacity.is_power_of_two());
        let vacant = || Slot {
            occupied: AtomicBool::new(false),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        };
        let slots: Box<[Slot<T>]> = iter::repeat_with(vacant).take(capacity).collect();
        let buffer = Self {
            slots: NonNull::from(Box::leak(slots)),
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
        // SAFETY: as above.
        let slots = unsafe { Box::from_raw(buffer.slots.as_ptr()) };
        if MODEL {
            // What the allocator may do with them; the checkers see who still reads.
            for slot in &slots {
                slot.value.with_mut(|_| ());
            }
        }
    }

    /// # Safety
    ///
    /// The buffer lives.
    #[inline]
    pub(super) unsafe fn slots(this: NonNull<Self>) -> Slots<T> {
        // SAFETY: it lives, and this field is never written again.
        Slots(unsafe { (*this.as_ptr()).slots })
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

    /// # Safety
    ///
    /// The buffer lives; the caller is the owner.
    pub(super) unsafe fn set_next(this: NonNull<Self>, next: Option<NonNull<Self>>) {
        // SAFETY: it lives, and nobody else looks at this field.
        unsafe { (*this.as_ptr()).next = next };
    }
}

/// The slots of a buffer.
pub(super) struct Slots<T>(NonNull<[Slot<T>]>);

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
        self.0.len()
    }

    #[inline]
    unsafe fn at(self, position: u64) -> NonNull<Slot<T>> {
        // A position has more bits than an index of 32; the mask takes the low ones.
        let index = position as usize & (self.capacity() - 1);
        // SAFETY: in bounds by the mask: the number of slots is a power of two.
        unsafe { self.0.cast::<Slot<T>>().add(index) }
    }

    #[inline]
    unsafe fn occupied<'a>(self, position: u64) -> &'a AtomicBool {
        // SAFETY: the buffer lives.
        let slot = unsafe { self.at(position) };
        // SAFETY: it lives, and this field is only accessed as the atomic it is.
        unsafe { &(*slot.as_ptr()).occupied }
    }

    #[inline]
    unsafe fn value<'a>(self, position: u64) -> &'a UnsafeCell<MaybeUninit<T>> {
        // SAFETY: the buffer lives.
        let slot = unsafe { self.at(position) };
        // SAFETY: it lives, and this field is only accessed through the cell it is.
        unsafe { &(*slot.as_ptr()).value }
    }

    /// Whether the slot may be written, for the owner.
    #[inline]
    pub(super) unsafe fn is_vacant(self, position: u64) -> bool {
        // SAFETY: the buffer lives.
        let occupied = unsafe { self.occupied(position) };
        // Acquire: the last item was moved out; pairs with the Release in `take`.
        !occupied.load(Acquire)
    }

    /// Writes an item, unpublished.
    ///
    /// # Safety
    ///
    /// The caller is the owner and has seen the slot vacant.
    #[inline]
    pub(super) unsafe fn put(self, position: u64, item: T) {
        // SAFETY: the buffer lives.
        let value = unsafe { self.value(position) };
        // SAFETY: vacant: nobody reads it, and only the owner writes.
        value.with_mut(|value| unsafe { (*value).write(item) });
        // SAFETY: the buffer lives.
        let occupied = unsafe { self.occupied(position) };
        // Relaxed: who claims the item comes after its publication by the tail, and the
        // owner sees its own store.
        occupied.store(true, Relaxed);
    }

    /// Moves an item out. The last access to the buffer that its claim allows.
    ///
    /// # Safety
    ///
    /// (1) The caller has claimed the item that is at `position`; (2) it takes it
    /// once; (3) the write of it happened before.
    #[inline]
    pub(super) unsafe fn take(self, position: u64) -> T {
        // SAFETY: the buffer lives: it is not freed while this slot is occupied.
        let value = unsafe { self.value(position) };
        // SAFETY: occupied, hence not written; the item is the caller's by contract.
        let item = value.with(|value| unsafe { value.cast::<T>().read() });
        // SAFETY: as above.
        unsafe { self.vacate(position) };
        item
    }

    /// # Safety
    ///
    /// The caller has moved the item out, and had claimed it.
    #[inline]
    pub(super) unsafe fn vacate(self, position: u64) {
        // SAFETY: the buffer lives until this store.
        let occupied = unsafe { self.occupied(position) };
        // Release: our read of the slot is over; pairs with the Acquire in `is_vacant`.
        occupied.store(false, Release);
    }

    /// Copies the bytes of a slot to the same position of `new`, and occupies that.
    ///
    /// # Safety
    ///
    /// (1) The caller is the owner and has written the item at `position`; (2) nobody
    /// else has seen `new`; (3) only one of the two copies is used as an item.
    pub(super) unsafe fn copy_to(self, new: Self, position: u64) {
        // SAFETY: both buffers live.
        let (from, to) = unsafe { (self.value(position), new.value(position)) };
        from.with(|from| {
            // SAFETY: (1) valid and not written: only the owner does that; thieves read.
            // (2) `to` is ours, and another allocation.
            to.with_mut(|to| unsafe { to.copy_from_nonoverlapping(from, 1) });
        });
        // SAFETY: `new` lives.
        let occupied = unsafe { new.occupied(position) };
        // Relaxed: published with the buffer.
        occupied.store(true, Relaxed);
    }

    /// Exchanges two items that are not published.
    ///
    /// # Safety
    ///
    /// The caller is the owner and has written both.
    pub(super) unsafe fn swap(self, one: u64, other: u64) {
        // SAFETY: the buffer lives.
        let (one, other) = unsafe { (self.value(one), self.value(other)) };
        one.with_mut(|one| {
            // SAFETY: nobody else accesses either, and they are different slots.
            other.with_mut(|other| unsafe { one.swap(other) });
        });
    }

    /// Whether no slot is occupied: then nobody reads here any more.
    ///
    /// # Safety
    ///
    /// The caller is the owner.
    pub(super) unsafe fn all_vacant(self) -> bool {
        // SAFETY: the buffer lives.
        (0..self.capacity() as u64).all(|position| unsafe { self.is_vacant(position) })
    }
}
