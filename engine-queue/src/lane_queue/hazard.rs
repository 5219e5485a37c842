//! Who stands on which segment: hazard pointers, one record a handle.

use core::ptr::{self, NonNull};

use alloc::boxed::Box;

use engine_atomic::CachePadded;
use engine_atomic::sync::atomic::{AtomicBool, AtomicPtr, Ordering::*, fence};

use super::segment::Segment;

/// What a pin is for: a handle has one of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Where the handle works; kept from call to call.
    Work,
    /// A look at another segment within one call.
    Look,
}

/// The pins of one handle. Never freed before the registry, so that scans may walk
/// over it at any time; given from handle to handle.
///
/// | `taken` | meaning | who may leave it, how |
/// |---|---|---|
/// | false | nobody's; both pins are null | any thread, by a swap |
/// | true | the pins are written by one handle | that handle, when it is dropped |
pub(super) struct Record<T> {
    pins: [AtomicPtr<Segment<T>>; 2],
    taken: AtomicBool,
    /// Fixed before the record is linked.
    next: *mut CachePadded<Record<T>>,
}

impl<T> Record<T> {
    /// Pins the segment that `source` points to.
    ///
    /// A segment is unlinked from `source` for good before it is freed, and who frees
    /// it looks at all pins in between:
    ///
    /// ```text
    /// pin                    free
    /// a: pin = segment       c: source = another
    /// fence                  fence
    /// b: source = segment?   d: any pin = segment?
    /// ```
    ///
    /// Either our fence is first: then d sees the pin, and the segment stays. Or
    /// theirs is: then b sees that `source` has moved on, and we try again.
    ///
    /// The segment is pinned until this kind is pinned or unpinned again, and no longer
    /// than the registry lives.
    #[inline]
    pub(super) fn pin(&self, kind: Kind, source: &AtomicPtr<Segment<T>>) -> NonNull<Segment<T>> {
        let pin = &self.pins[kind as usize];
        // Relaxed: a guess.
        let mut segment = source.load(Relaxed);
        loop {
            // Release: what we did on the segment before happened before the scan that
            // finds us gone; pairs with the Acquire in `is_pinned`.
            pin.store(segment, Release);
            // SeqCst: the two cases above.
            fence(SeqCst);
            // Acquire: receives the segment; pairs with the Release of the exchange that
            // put it there. (No model misses it: the fence acquires what the guess has read. But
            // that may have been an earlier use of the same memory.)
            let now = source.load(Acquire);
            if now == segment
                && let Some(segment) = NonNull::new(segment)
            {
                return segment;
            }
            segment = now;
        }
    }

    pub(super) fn unpin(&self, kind: Kind) {
        // Release: as in `pin`.
        self.pins[kind as usize].store(ptr::null_mut(), Release);
    }
}

/// All records of a queue.
pub(super) struct Registry<T> {
    first: AtomicPtr<CachePadded<Record<T>>>,
}

impl<T> Registry<T> {
    pub(super) fn new() -> Self {
        Self {
            first: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn records(&self) -> impl Iterator<Item = &CachePadded<Record<T>>> {
        // Acquire: receives the record, and through it those behind; pairs with the
        // Release in `take`.
        let mut at = self.first.load(Acquire);
        core::iter::from_fn(move || {
            // SAFETY: null, or a record that was linked; freed with the registry.
            let record = unsafe { at.as_ref() }?;
            at = record.next;
            Some(record)
        })
    }

    /// A record for one handle. Its pins are null.
    pub(super) fn take(&self) -> NonNull<CachePadded<Record<T>>> {
        for record in self.records() {
            // Relaxed: a look, to spare the RMW.
            let is_free = !record.taken.load(Relaxed);
            // false -> true
            // Acquire: the last handle's pins are gone, and not later than ours; pairs with the
            // Release in `give_back`. (No model misses it: loom has all stores to one word in the
            // order in which it runs them.)
            if is_free && !record.taken.swap(true, Acquire) {
                return NonNull::from(record);
            }
        }
        // Relaxed: only linked to, by what follows.
        let mut first = self.first.load(Relaxed);
        let record = Box::into_raw(Box::new(CachePadded::new(Record {
            pins: [const { ptr::null_mut() }; 2].map(AtomicPtr::new),
            taken: AtomicBool::new(true),
            next: first,
        })));
        loop {
            // first -> record
            // Release: publishes the record; pairs with the Acquire in `records`, which
            // gets those behind it as well: every link of this word is a read-modify-write.
            match self.first.compare_exchange(first, record, Release, Relaxed) {
                // SAFETY: `Box` pointers are not null.
                Ok(_) => return unsafe { NonNull::new_unchecked(record) },
                Err(now) => {
                    first = now;
                    // SAFETY: not linked yet, so ours alone.
                    let record = unsafe { &mut *record };
                    record.next = now;
                }
            }
        }
    }

    /// Gives a record to the next handle that wants one.
    ///
    /// # Safety
    ///
    /// It came from `take` of this registry, and is not used after this.
    pub(super) unsafe fn give_back(&self, record: NonNull<CachePadded<Record<T>>>) {
        // SAFETY: freed with the registry, which is here.
        let record = unsafe { record.as_ref() };
        record.unpin(Kind::Work);
        record.unpin(Kind::Look);
        // true -> false
        // Release: publishes the null pins; pairs with the Acquire in `take`. A swap,
        // because the checkers ask for it where other threads swap.
        record.taken.swap(false, Release);
    }

    /// Whether any handle may be on `segment`, which must be unlinked, with a
    /// `fence(SeqCst)` since: see [`Record::pin`].
    pub(super) fn is_pinned(&self, segment: *mut Segment<T>) -> bool {
        self.records().any(|record| {
            record.pins.iter().any(|pin| {
                // Acquire: who has left it has done so before us; pairs with the Release
                // in `pin` and `unpin`.
                pin.load(Acquire) == segment
            })
        })
    }

    /// How many records there are, taken or not.
    #[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
    pub(super) fn len(&self) -> usize {
        self.records().count()
    }
}

impl<T> Drop for Registry<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut self`.
        let mut at = self.first.load(Relaxed);
        while !at.is_null() {
            // SAFETY: from `Box::into_raw`, and every handle keeps the registry alive, so
            // there is none.
            let record = unsafe { Box::from_raw(at) };
            at = record.next;
        }
    }
}
