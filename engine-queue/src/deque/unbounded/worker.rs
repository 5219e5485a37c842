//! The owner's end.

use core::cell::Cell;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::NonNull;

use engine_atomic::sync::atomic::{Ordering::*, fence};
use engine_atomic::sync::{Arc, pick};

use super::Stealer;
use super::buffer::{Buffer, Slots};
use super::head::Head;
use super::shared::Shared;
use crate::deque::flavor::Flavor;

/// The capacity of the first buffer, and the least of any.
pub(super) const MIN_CAPACITY: usize = pick(64, 2);

/// The owner's end of an unbounded deque: it pushes and pops.
///
/// The names and meanings are those of `crossbeam_deque::Worker`, and
/// [`push_was_empty`](Self::push_was_empty). `Send`, but not `Sync`: one thread at a
/// time owns it.
///
/// # Example
///
/// ```
/// use engine_queue::deque::{Steal, Worker};
///
/// let worker = Worker::new_lifo();
/// let stealer = worker.stealer();
/// for job in 1..=3 {
///     worker.push(job);
/// }
/// assert_eq!(worker.pop(), Some(3));
/// assert_eq!(stealer.steal(), Steal::Success(1));
/// assert_eq!(worker.pop(), Some(2));
/// assert_eq!(worker.pop(), None);
/// ```
///
/// # Guarantees
///
/// - **Exactly once**: each item is popped or stolen once, or dropped with the last
///   handle. An item is read only by whoever has claimed it, and its slot is not
///   written before that read is over: sound for every `T`, and no item is boxed.
/// - **Progress**: `push` and `pop` wait for nobody. The pop of a
///   [`new_fifo`](Self::new_fifo) owner tries again only when a thief succeeded; all
///   else the owner does in a bounded number of steps, and the allocator's. A slot that
///   a stopped thief has not finished reading is left to it: the owner moves to another
///   buffer when it comes to such a slot, which happens at most once for a claim.
/// - **Memory**: slots of one item and one byte, in a buffer that doubles when it is
///   full and halves when less than a quarter is used; 64 slots at least. A buffer that
///   was replaced is freed then and there unless a thief is reading an item in it; then
///   it is freed when the buffer is replaced again after that, or with the deque. So a
///   deque holds at most one buffer for each thief that is in the middle of a steal, and
///   those whose readers went while the deque did not change its size.
/// - **Unwinding**: no code of the user runs inside. When the drop of an item panics
///   while the deque is dropped, the others are still dropped. A push that cannot have
///   the memory for its slots leaves the deque as it was.
/// - **Positions** have 48 bits. A thief that is stopped between its look and its claim
///   while exactly a multiple of 2^48 items is taken could take one twice; at 2 ns an
///   item that is six days.
///
/// When the worker is dropped, what it holds stays with its stealers, and is dropped
/// with the last of them.
///
/// # When not to use
///
/// When the number of items has a bound: [`bounded`](crate::deque::bounded) has no
/// buffer to change, and hands an item back when it is full.
pub struct Worker<T> {
    pub(super) shared: Arc<Shared<T>>,
    /// The current buffer, which is the one that is shared. Also what makes a worker
    /// `!Sync`.
    buffer: Cell<NonNull<Buffer<T>>>,
    /// Its slots.
    slots: Cell<Slots<T>>,
    /// The buffer is halved when this many items are left after a pop, or fewer.
    shrink_below: Cell<u64>,
    /// A front, and how often the buffer was replaced with the front there.
    still: Cell<(u64, u32)>,
    pub(super) flavor: Flavor,
}

// SAFETY: a worker is one of the handles on `Shared`, which is `Send` and `Sync` for
// `T: Send`. The buffers are the deque's and go where it goes.
unsafe impl<T: Send> Send for Worker<T> {}

// No code of the user runs in here, so no panic can leave a deque half changed.
impl<T> UnwindSafe for Worker<T> {}
impl<T> RefUnwindSafe for Worker<T> {}

impl<T> Worker<T> {
    /// An empty deque whose owner pops the oldest item first.
    #[must_use]
    pub fn new_fifo() -> Self {
        Self::starting_at(Flavor::Fifo, 0)
    }

    /// An empty deque whose owner pops the newest item first.
    #[must_use]
    pub fn new_lifo() -> Self {
        Self::starting_at(Flavor::Lifo, 0)
    }

    /// An empty deque with the counters at `start`.
    pub(super) fn starting_at(flavor: Flavor, start: u64) -> Self {
        let shared = Shared::new(MIN_CAPACITY, start);
        let buffer = shared.buffer();
        Self {
            shared: Arc::new(shared),
            buffer: Cell::new(buffer),
            // SAFETY: the current buffer lives.
            slots: Cell::new(unsafe { Buffer::slots(buffer) }),
            shrink_below: Cell::new(0),
            still: Cell::new((0, 0)),
            flavor,
        }
    }

    /// A handle that steals from this deque.
    #[must_use]
    pub fn stealer(&self) -> Stealer<T> {
        Stealer::new(self.shared.clone(), self.flavor)
    }

    /// Appends `item`. No read-modify-write, no fence, and no look at what thieves write
    /// but the slot.
    ///
    /// # Panics
    ///
    /// If the slots would not fit the address space.
    #[inline]
    pub fn push(&self, item: T) {
        let tail = self.shared.tail();
        // SAFETY: the current buffer lives.
        if !unsafe { self.slots.get().is_vacant(tail) } {
            // Unwind: nothing has changed yet.
            self.make_room(1);
        }
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) vacant: seen above, or
        // made so.
        unsafe { self.slots.get().put(tail, item) };
        self.shared.publish(tail.wrapping_add(1));
    }

    /// As [`push`](Self::push); says whether the deque was empty. Costs a fence.
    ///
    /// This is for waking thieves that sleep. `false` means: when this item could
    /// already be stolen, an older one was still there. Whoever takes that one finds
    /// this one at its next look. So if thieves look until there is nothing before they
    /// sleep, an answer of `false` needs no wake-up. `true` means that no older item
    /// was there at that time; this one may be taken by then.
    #[inline]
    pub fn push_was_empty(&self, item: T) -> bool {
        self.push(item);
        // Dekker, with the fence in `Shared::look`. Either our fence is first, and a thief
        // that fences later sees the tail; or the thief's is, and we see the claim it made
        // before. (`push_was_empty_misses_nobody`)
        fence(SeqCst);
        let tail = self.shared.tail();
        self.shared.head().items_before(tail) <= 1
    }

    /// Takes the oldest item, or the newest of a [`new_lifo`](Self::new_lifo) owner.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        let tail = self.shared.tail();
        let head = self.shared.head();
        // What the owner sees of the front may be too low, but never too high: empty now is
        // empty until it pushes.
        if head.items_before(tail) <= 0 {
            return None;
        }
        let (item, left) = match self.flavor {
            Flavor::Fifo => self.pop_oldest(tail, head)?,
            Flavor::Lifo => self.pop_newest(tail.wrapping_sub(1))?,
        };
        if left < self.shrink_below.get() {
            self.shrink();
        }
        Some(item)
    }

    #[inline]
    fn pop_oldest(&self, tail: u64, mut head: Head) -> Option<(T, u64)> {
        loop {
            let len = head.items_before(tail);
            if len <= 0 {
                return None;
            }
            if self.shared.claim(head, 1).is_some() {
                // SAFETY: (1) claimed; (2) once; (3) the owner has written it.
                let item = unsafe { self.slots.get().take(head.front()) };
                return Some((item, len.cast_unsigned() - 1));
            }
            // A thief was faster.
            head = self.shared.head();
        }
    }

    /// Takes the item at `newest`, which is the one below the tail.
    #[inline]
    fn pop_newest(&self, newest: u64) -> Option<(T, u64)> {
        // From here on thieves do not claim `newest`, unless they have seen the old tail.
        self.shared.publish(newest);
        // Dekker, with the fence in `Shared::fenced_len`: see there.
        fence(SeqCst);
        let head = self.shared.head();
        let left = head.items_before(newest);
        let taken = match left {
            // The front is below: a thief that has it at `newest` later sees our tail.
            1.. => true,
            // The front is here: whoever claims it has it.
            0 => self.shared.claim(head, 1).is_some(),
            // A thief has taken it.
            _ => false,
        };
        // SAFETY: (1) claimed, or out of the reach of thieves; (2) once: the tail is below
        // it, or the front above; (3) the owner has written it.
        let item = taken.then(|| unsafe { self.slots.get().take(newest) });
        if left <= 0 {
            // The front is above `newest` now: nothing is below the tail.
            self.shared.publish(newest.wrapping_add(1));
        }
        Some((item?, left.cast_unsigned()))
    }

    /// Whether there is nothing to take. Stays so until the owner pushes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items nobody has taken; thieves may be making it fewer.
    #[must_use]
    pub fn len(&self) -> usize {
        let len = self.shared.head().items_before(self.shared.tail());
        len.max(0) as usize
    }

    /// Makes sure that the next `count` slots can be written.
    ///
    /// # Panics
    ///
    /// If they do not fit the address space; nothing has changed then.
    pub(in crate::deque) fn reserve(&self, count: usize) {
        let (slots, tail) = (self.slots.get(), self.shared.tail());
        let vacant = |n| {
            // SAFETY: the current buffer lives.
            unsafe { slots.is_vacant(tail.wrapping_add(n)) }
        };
        if count > slots.capacity() || !(0..count as u64).all(vacant) {
            self.make_room(count);
        }
    }

    /// Changes the buffer for one in which the next `count` slots are vacant.
    #[cold]
    fn make_room(&self, count: usize) {
        let len = self.len();
        // Twice the items, so that as many pushes as items follow before the next time.
        // With few items, when a slow thief is in the way, this is no more than there was.
        let wanted = (len + count).max(2 * len).max(MIN_CAPACITY);
        let capacity = wanted.checked_next_power_of_two();
        self.replace_buffer(capacity.expect("capacity overflow"));
    }

    /// Halves the buffer.
    #[cold]
    fn shrink(&self) {
        // A generation must not come again while the front stands: a thief that looked
        // at the first would claim in a buffer that is gone. Growing alone cannot get
        // there: no more than 64 times.
        if self.still.get().1 < Head::SWAPS / 2 {
            self.replace_buffer(self.slots.get().capacity() / 2);
        }
    }

    /// Moves the items to a new buffer.
    ///
    /// ```text
    /// owner                              thief
    /// copies front..tail
    /// begin_swap: generation + 1         claimed before: reads the old buffer,
    ///                                      its slot there is occupied until then
    ///                                    later: the claim fails
    /// vacates what was claimed meanwhile
    /// stores the buffer
    /// end_swap: generation + 1           looks now: sees the new buffer
    /// vacates what was not claimed in the old one
    /// ```
    ///
    /// So each claim is about one buffer, and that one's slot tells when its read is over.
    fn replace_buffer(&self, capacity: usize) {
        let shared = &*self.shared;
        let tail = shared.tail();
        let old = self.slots.get();
        // Unwind: nothing has changed yet, should the slots not fit.
        let buffer = Buffer::alloc(capacity);
        // SAFETY: it is ours until it is stored.
        let new = unsafe { Buffer::slots(buffer) };

        let head = shared.head();
        let (front, count) = (head.front(), head.items_before(tail).cast_unsigned());
        debug_assert!(count <= capacity as u64);
        for n in 0..count {
            // SAFETY: (1) the owner wrote all up to the tail; (2) not stored yet; (3) see
            // below: of those that are claimed, the copies are vacated, and of the others
            // the originals are.
            unsafe { old.copy_to(new, front.wrapping_add(n)) };
        }
        let head = shared.begin_swap();
        let claimed = count - head.items_before(tail).cast_unsigned();
        for n in 0..claimed {
            // SAFETY: the item was claimed in the old buffer; this copy is dead.
            unsafe { new.vacate(front.wrapping_add(n)) };
        }
        shared.swap_buffer(buffer);
        shared.end_swap();

        let old_buffer = self.buffer.replace(buffer);
        self.slots.set(new);
        let shrinkable = capacity > MIN_CAPACITY;
        let quarter = if shrinkable { capacity as u64 / 4 } else { 0 };
        self.shrink_below.set(quarter);
        let (still_at, times) = self.still.get();
        let times = if still_at == head.front() {
            times + 1
        } else {
            1
        };
        self.still.set((head.front(), times));
        for n in claimed..count {
            // SAFETY: moved to the new buffer, where alone it can be claimed.
            unsafe { old.vacate(front.wrapping_add(n)) };
        }
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) the generation is left
        // behind; (3) the others were vacated, just now or by whoever took them.
        unsafe { shared.retire(old_buffer) };
    }

    /// Appends `count` items and publishes them at once, so that the owner pops `item(0)`
    /// first. `item` is never code of the user.
    ///
    /// # Safety
    ///
    /// `reserve(count)` was called, and the owner has not pushed since.
    pub(in crate::deque) unsafe fn append(&self, count: u64, mut item: impl FnMut(u64) -> T) {
        let (slots, tail) = (self.slots.get(), self.shared.tail());
        for n in 0..count {
            let behind = match self.flavor {
                Flavor::Fifo => n,
                Flavor::Lifo => count - 1 - n,
            };
            // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) vacant by contract,
            // and each written once.
            unsafe { slots.put(tail.wrapping_add(behind), item(n)) };
        }
        self.shared.publish(tail.wrapping_add(count));
    }

    /// Items to be appended of which the number is not known before.
    pub(super) fn appending(&self) -> Appending<'_, T> {
        Appending {
            worker: self,
            slots: self.slots.get(),
            tail: self.shared.tail(),
            count: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.slots.get().capacity()
    }
}

/// Items behind the tail, not published.
#[must_use]
pub(super) struct Appending<'a, T> {
    worker: &'a Worker<T>,
    slots: Slots<T>,
    tail: u64,
    count: u64,
}

impl<T> Appending<'_, T> {
    /// Adds an item.
    ///
    /// # Safety
    ///
    /// It is one of those that were reserved.
    pub(super) unsafe fn put(&mut self, item: T) {
        // SAFETY: (1) the worker's owner is here; (2) vacant by contract.
        unsafe { self.slots.put(self.tail.wrapping_add(self.count), item) };
        self.count += 1;
    }

    /// Publishes the items, so that the owner pops the last that was added first.
    pub(super) fn publish_newest_first(self) {
        let position = |n| self.tail.wrapping_add(n);
        if self.worker.flavor == Flavor::Fifo {
            for n in 0..self.count / 2 {
                // SAFETY: written by `put`, not published, and two different ones.
                unsafe { self.slots.swap(position(n), position(self.count - 1 - n)) };
            }
        }
        self.worker.shared.publish(position(self.count));
    }
}

impl<T> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("flavor", &self.flavor)
            .field("len", &self.len())
            .field("capacity", &self.slots.get().capacity())
            .finish()
    }
}
