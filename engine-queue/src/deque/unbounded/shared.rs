//! What a worker and its stealers share.

use core::iter;
use core::ptr::NonNull;

use engine_atomic::CachePadded;
use engine_atomic::sync::atomic::{AtomicPtr, AtomicU64, Ordering::*, fence};
use engine_atomic::sync::cell::UnsafeCell;

use super::buffer::Buffer;
use super::head::Head;
use crate::deque::Steal;
use crate::deque::bias::{Bias, HeadWord};
use crate::deque::flavor::Flavor;
use crate::drop_all::drop_all;

/// What the owner writes and thieves read: one line for both.
struct OwnerEnd<T> {
    /// The position of the next push; its low 48 bits say which. Stored by the owner only,
    /// always with Release: whatever value of it a thief acquires, the slots below it
    /// are written.
    tail: AtomicU64,
    /// The current buffer; stored by the owner only, while the generation is odd.
    buffer: AtomicPtr<Buffer<T>>,
    bias: Bias,
}

/// The two ends of a deque, its buffer, and the buffers that were.
pub(super) struct Shared<T> {
    /// A [`Head`]: changed by RMWs only.
    head: CachePadded<AtomicU64>,
    owner: CachePadded<OwnerEnd<T>>,
    /// Replaced buffers that a thief may still read from, a list; for the owner alone.
    retired: UnsafeCell<Option<NonNull<Buffer<T>>>>,
}

// SAFETY: a deque hands items from thread to thread by value and never shares one, so
// `T: Send` is enough. Slots: see the table in `buffer`. `retired` is for the owner.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above; the methods that only the owner may call say so, and touching slots
// is `unsafe`.
unsafe impl<T: Send> Sync for Shared<T> {}

/// What a thief has seen, to be confirmed by [`Shared::claim`]. Until then the buffer
/// may be freed.
pub(super) struct View<T> {
    pub(super) head: Head,
    /// How many items; not exact, but not above what the owner has published.
    pub(super) len: u64,
    pub(super) buffer: NonNull<Buffer<T>>,
}

impl<T> Shared<T> {
    /// An empty deque whose first position is `start`.
    pub(super) fn new(capacity: usize, start: u64) -> Self {
        let head = Head::new(start);
        Self {
            head: CachePadded::new(AtomicU64::new(head.0)),
            owner: CachePadded::new(OwnerEnd {
                tail: AtomicU64::new(start),
                buffer: AtomicPtr::new(Buffer::alloc(capacity).as_ptr()),
                bias: Bias::new(),
            }),
            retired: UnsafeCell::new(None),
        }
    }

    // ------------------------------------------------------------------- anyone

    /// Makes a claim for `count` items from the front of what was seen as `head`: the
    /// head after it, unless that is not the head any more.
    #[inline]
    pub(super) fn claim(&self, head: Head, count: u64) -> Option<Head> {
        debug_assert!(!head.is_swapping());
        let next = head.claimed(count);
        // {g, front} -> {g, front + count}, g even
        // Release: who sees the claim sees the pushes that we have seen; pairs with the
        // loads of the head in `len` and `look`. The items came with the tail. As
        // an RMW it keeps the release sequence of `end_swap` alive.
        // Relaxed on failure: nothing is read by it.
        self.head
            .compare_exchange(head.0, next.0, Release, Relaxed)
            .is_ok()
            .then_some(next)
    }

    /// How many items there are, for threads that do not own the deque.
    pub(super) fn len(&self) -> u64 {
        // Acquire: the tail below is not older than the one that the claim in this head came
        // after; pairs with the Release in `claim`.
        let mut head = Head(self.head.load(Acquire));
        while !head.is_open() {
            match self
                .owner
                .bias
                .count(&self.head, head, |front| self.len_from(front))
            {
                Ok(len) => return len,
                Err(now) => head = now,
            }
        }
        // "Empty" is an answer about the owner's pushes, so it must not come from an old
        // value. Of two SeqCst fences, this one and the one that a thread runs after its
        // push, one is first: if theirs, the load below sees their push; if ours, whatever
        // they load after their fence sees what we did before.
        // (`two_deques_are_not_both_empty`)
        fence(SeqCst);
        self.len_from(head.front())
    }

    /// How many items there are from `front` on.
    fn len_from(&self, front: u64) -> u64 {
        // Acquire: who is told of an item sees what its owner did before the push; pairs
        // with the Release in `publish`.
        let tail = self.owner.tail.load(Acquire);
        Head::new(front).items_before(tail).max(0).cast_unsigned()
    }

    // ------------------------------------------------------------------- thieves

    /// Looks for items.
    #[inline]
    pub(super) fn look(&self, flavor: Flavor) -> Steal<View<T>> {
        // Acquire: the tail below is not older than the one that the claim in this head
        // saw; and the buffer is at least that of this generation: pairs with the Release
        // in `end_swap`.
        let mut head = Head(self.head.load(Acquire));
        while !head.is_open() {
            match self
                .owner
                .bias
                .look(&self.head, head, |front| self.len_from(front))
            {
                Some(now) => head = now,
                None => return Steal::Empty,
            }
        }
        let len = match flavor {
            Flavor::Lifo => self.fenced_len(head),
            // Without a fence: the tail never goes back, so what it shows is there. Only
            // "empty" needs to be new.
            // Acquire: as in `fenced_len`.
            Flavor::Fifo => match head.items_before(self.owner.tail.load(Acquire)) {
                ..=0 => self.fenced_len(head),
                len => len,
            },
        };
        if len <= 0 {
            return Steal::Empty;
        }
        if head.is_swapping() {
            return Steal::Retry;
        }
        // Acquire: should this be the buffer of a later generation, then the head's step
        // to that generation happened before this load, and the claim fails; pairs with
        // the Release store in `swap_buffer`. (That a load sees a later store is no
        // execution for loom: this argument is not checked by it.)
        let buffer = self.owner.buffer.load(Acquire);
        // SAFETY: a buffer is stored before anybody else sees the deque, and never null.
        let buffer = unsafe { NonNull::new_unchecked(buffer) };
        Steal::Success(View {
            head,
            len: len.cast_unsigned(),
            buffer,
        })
    }

    /// How many items there are at or after the front of `head`, which the caller has
    /// loaded or stored.
    #[inline]
    pub(super) fn fenced_len(&self, head: Head) -> i64 {
        // Dekker, with the fence in `Worker::pop_newest`. The owner moves the tail back to
        // p, fences, loads the head; a thief has the head at p, fences, loads the tail.
        // If the owner's fence is first, the tail below is p or what was pushed after, and
        // the thief does not take what the owner has popped. If ours is first, the owner
        // sees the head at p, and takes p by a claim of its own.
        // (`the_last_item_is_taken_once`, `batch_against_a_lifo_owner`)
        fence(SeqCst);
        // Acquire: the items before this tail are written; pairs with the Release in
        // `publish`.
        head.items_before(self.owner.tail.load(Acquire))
    }

    /// Whether `view` is no longer what is there.
    pub(super) fn has_moved(&self, head: Head) -> bool {
        // Relaxed: a hint; the claim decides.
        self.head.load(Relaxed) != head.0
    }

    // --------------------------------------------------------------------- owner

    /// The current buffer, for the owner.
    pub(super) fn buffer(&self) -> NonNull<Buffer<T>> {
        // Relaxed: for the owner this is its own last store.
        let buffer = self.owner.buffer.load(Relaxed);
        // SAFETY: stored by `new` and `swap_buffer`, and never null.
        unsafe { NonNull::new_unchecked(buffer) }
    }

    /// The head, for the owner: when it is open, a front that is passed for good.
    #[inline]
    pub(super) fn head(&self) -> Head {
        // Relaxed: the owner has written the items itself, and learns from the flags which
        // slots it may write again.
        Head(self.head.load(Relaxed))
    }

    /// Moves the tail, for the owner: what lies below it can be claimed.
    #[inline]
    pub(super) fn publish(&self, tail: u64) {
        // Release: publishes the slots below; pairs with the Acquire loads of the tail.
        self.owner.tail.store(tail, Release);
    }

    /// As `claim` of the one item before `front`; after that, the front is biased.
    pub(super) fn claim_and_bias(&self, head: Head, front: u64) -> Option<Head> {
        debug_assert!(!head.is_swapping());
        self.owner.bias.begin(&self.head, head, front)
    }

    /// Takes what is before `front`, for the owner under a bias; whether that still holds.
    #[inline]
    pub(super) fn take_to(&self, biased: Head, front: u64) -> bool {
        self.owner.bias.take_to(&self.head, biased, front)
    }

    /// Whether a bias still holds, for an owner that has moved the tail back.
    #[inline]
    pub(super) fn still_holds(&self, biased: Head) -> bool {
        self.owner.bias.still_holds(&self.head, biased)
    }

    /// Ends a bias at `front`, for the owner, unless a thief has; the head after that.
    pub(super) fn end_bias(&self, front: u64) -> Head {
        self.owner.bias.end(&self.head, front)
    }

    /// Keeps thieves from claiming, for the owner of an open front; the head at which that
    /// began.
    pub(super) fn begin_swap(&self) -> Head {
        // {g, front} -> {g + 1, front}, g even
        // Relaxed: that the buffer is stored after this step, is by its Release.
        Head(self.head.fetch_add(1, Relaxed))
    }

    /// Stores the new buffer, for the owner, between `begin_swap` and `end_swap`.
    pub(super) fn swap_buffer(&self, new: NonNull<Buffer<T>>) {
        // Release: the step of `begin_swap` happened before for those who see the new
        // buffer; pairs with the Acquire load in `look`.
        self.owner.buffer.store(new.as_ptr(), Release);
    }

    /// Lets thieves claim again, for the owner; the head with which that begins.
    pub(super) fn end_swap(&self) -> Head {
        let step = self.head().to_next_generation();
        // {g + 1, front} -> {g + 2, front}, g + 1 odd, so nobody else changes it
        // Release: publishes the buffer and its slots; pairs with the Acquire load of the
        // head in `look`.
        let head = self.head.fetch_add(step, Release);
        Head(head.wrapping_add(step))
    }

    /// Puts a replaced buffer on the list, and frees those of it that nobody reads.
    ///
    /// # Safety
    ///
    /// (1) The caller is the owner; (2) no later claim can be about `old`; (3) those that
    /// were and may not be over are noted as pending.
    pub(super) unsafe fn retire(&self, old: NonNull<Buffer<T>>) {
        self.retired.with_mut(|retired| {
            // SAFETY: (1) only the owner comes here.
            let retired = unsafe { &mut *retired };
            let mut rest = retired.take();
            let mut next = Some(old);
            while let Some(buffer) = next {
                next = rest;
                if let Some(next) = next {
                    // SAFETY: on the list, so it lives; (1).
                    rest = unsafe { Buffer::next(next) };
                }
                // SAFETY: it lives; (1).
                if unsafe { Buffer::is_over(buffer) } {
                    // SAFETY: by (2) and (3) nobody has a claim in it or gets one; what was
                    // read there happened before, by the Acquire in `is_read`.
                    unsafe { Buffer::free(buffer) };
                } else {
                    // SAFETY: it lives; (1).
                    unsafe { Buffer::set_next(buffer, *retired) };
                    *retired = Some(buffer);
                }
            }
        });
    }

    /// How many buffers wait for their last reader.
    #[cfg(test)]
    pub(super) fn retired(&self) -> usize {
        self.retired.with(|retired| {
            // SAFETY: the tests call this on the owner's thread.
            let first = unsafe { *retired };
            // SAFETY: buffers on the list live.
            iter::successors(first, |buffer| unsafe { Buffer::next(*buffer) }).count()
        })
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        /// Frees the buffers, after the items and also when one of them panics.
        struct Buffers<'a, T>(&'a mut Shared<T>);

        impl<T> Drop for Buffers<'_, T> {
            fn drop(&mut self) {
                let current = Some(self.0.buffer());
                self.0.retired.with_mut(|retired| {
                    // SAFETY: `&mut self`.
                    let retired = unsafe { (*retired).take() };
                    // SAFETY: buffers on the list live, and nobody else is here.
                    let list = iter::successors(retired, |it| unsafe { Buffer::next(*it) });
                    // The next one is read before this one is freed.
                    for buffer in current.into_iter().chain(list) {
                        // SAFETY: nobody has a claim any more: a claim is made and used
                        // within a call on a handle, and there are no handles.
                        unsafe { Buffer::free(buffer) };
                    }
                });
            }
        }

        // Relaxed, here and above: `&mut self`; whoever dropped the other handles did so
        // before.
        let (mut head, tail) = (Head(self.head.load(Relaxed)), self.owner.tail.load(Relaxed));
        if !head.is_open() {
            head = head.open_at(self.owner.bias.front());
        }
        let buffers = Buffers(self);
        // SAFETY: the current buffer lives.
        let slots = unsafe { Buffer::slots(buffers.0.buffer()) };
        let count = head.items_before(tail).max(0).cast_unsigned();
        drop_all((0..count).map(|n| {
            // SAFETY: nobody else has a handle, so all that is left is ours; each position
            // comes once; whoever wrote it dropped its handle before.
            unsafe { slots.take(head.front().wrapping_add(n)) }
        }));
    }
}
