//! The owner's end.

use core::cell::Cell;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::NonNull;

use engine_atomic::sync::atomic::{Ordering::*, fence};
use engine_atomic::sync::{Arc, pick};

use super::Stealer;
use super::appending::Appending;
use super::buffer::{Buffer, Slots};
use super::head::Head;
use super::shared::Shared;
use crate::deque::bias::{HeadWord, Mode, Patience};
use crate::deque::flavor::{Flavor, Way};

mod pop;

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
///   [`new_fifo`](Self::new_fifo) owner tries again only when a thief took an item, so no
///   more often than there are items. A slot that a stopped thief has not finished reading
///   is left to it: the owner moves to another buffer when it comes to such a slot, which
///   happens at most once for a claim.
/// - **An owner that is left alone** takes items by plain stores from its 257th undisturbed
///   pop on; a [`new_lifo`](Self::new_lifo) one, from its next pop of a last item. The first
///   thief that comes for an item then runs one
///   [`fence::heavy`](engine_atomic::fence::heavy), a system call of a fraction of a
///   microsecond and more, and interrupts the processors that run this process. So the owner
///   begins again only after twice as many pops as the last time, in the end 16 385.
///   A thief that finds nothing leaves it so. Without membarrier(2) none of this
///   happens. The first deque of a process asks the kernel for it (see
///   [`fence::strategy`](engine_atomic::fence::strategy)).
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
    pub(super) slots: Cell<Slots<T>>,
    /// The buffer is halved when fewer items than this are left after a pop.
    shrink_below: Cell<i64>,
    /// The position of the next push: a copy, because what a processor has just stored by
    /// one pointer it has at once again, but not what it finds by a pointer in memory.
    pub(super) tail: Cell<u64>,
    /// The front as the owner last saw it, all bits of the position; under a bias that is
    /// the front.
    front: Cell<u64>,
    /// How many positions before `front` may still be read by thieves. All before them
    /// are free, so one capacity after them may be written.
    pending: Cell<u64>,
    /// The first position that may not be written, as far as the owner has seen.
    limit: Cell<u64>,
    /// A head that is as the current one is, but for the front if that is open. Under a
    /// bias it is the head, until a thief comes.
    seen: Cell<Head>,
    way: Cell<Way>,
    pub(in crate::deque) patience: Patience,
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
    pub(in crate::deque) fn starting_at(flavor: Flavor, start: u64) -> Self {
        let shared = Shared::new(MIN_CAPACITY, start);
        let (buffer, head) = (shared.buffer(), shared.head());
        Self {
            shared: Arc::new(shared),
            buffer: Cell::new(buffer),
            // SAFETY: the current buffer lives.
            slots: Cell::new(unsafe { Buffer::slots(buffer) }),
            shrink_below: Cell::new(0),
            tail: Cell::new(start),
            front: Cell::new(start),
            pending: Cell::new(0),
            limit: Cell::new(start.wrapping_add(MIN_CAPACITY as u64)),
            seen: Cell::new(head),
            way: Cell::new(Way::Open),
            patience: Patience::new(),
            still: Cell::new((0, 0)),
            flavor,
        }
    }

    /// A handle that steals from this deque.
    #[must_use]
    pub fn stealer(&self) -> Stealer<T> {
        Stealer::new(self.shared.clone(), self.flavor)
    }

    /// Appends `item`. No read-modify-write, no fence, and no look at what thieves write,
    /// but once a lap around the buffer.
    ///
    /// # Panics
    ///
    /// If the slots would not fit the address space.
    #[inline]
    pub fn push(&self, item: T) {
        let tail = self.tail.get();
        if tail == self.limit.get() {
            // Unwind: nothing has changed yet.
            self.make_room(1);
        }
        // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) there was room, or was
        // made.
        unsafe { self.slots.get().put(tail, item) };
        self.publish(tail.wrapping_add(1));
    }

    /// Moves the tail: what lies below it can be claimed.
    #[inline]
    pub(super) fn publish(&self, tail: u64) {
        self.tail.set(tail);
        self.shared.publish(tail);
    }

    /// How many slots may be written, as far as the owner has seen.
    #[inline]
    fn room(&self) -> u64 {
        self.limit.get().wrapping_sub(self.tail.get())
    }

    /// Computes the limit again.
    fn set_limit(&self) {
        // Positions before that are free: all before those that may still be read.
        let first = self.front.get().wrapping_sub(self.pending.get());
        let capacity = self.slots.get().capacity() as u64;
        self.limit.set(first.wrapping_add(capacity));
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
        self.len() <= 1
    }

    /// Takes the oldest item, or the newest of a [`new_lifo`](Self::new_lifo) owner.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        match self.way.get() {
            Way::BiasedOldest => self.pop_oldest(),
            Way::BiasedNewest => self.pop_newest(),
            Way::Open => self.pop_open(),
        }
    }

    /// The owner has popped, and `left` items are left.
    #[inline]
    fn popped(&self, left: i64) {
        if left < self.shrink_below.get() {
            self.shrink();
        }
    }

    /// The slot is free at once, but behind others that may not be: so it is marked as
    /// they are.
    #[cold]
    #[inline(never)]
    fn claimed_behind_thieves(&self, position: u64) {
        // SAFETY: the current buffer lives; the owner had claimed it.
        unsafe { self.slots.get().set_read(position) };
        self.pending.update(|pending| pending + 1);
    }

    /// Keeps the books when the owner sees `head`: thieves have claimed what is between.
    #[cold]
    #[inline(never)]
    fn saw(&self, head: Head) {
        debug_assert!(head.is_open());
        let seen = Head::new(self.front.get());
        let stolen = seen.items_before(head.front()).cast_unsigned();
        self.pending.update(|pending| pending + stolen);
        self.front.update(|front| front.wrapping_add(stolen));
    }

    /// Sees the head as it is now.
    fn look(&self) {
        let head = self.shared.head();
        // Otherwise nobody has claimed anything.
        if head.is_open() {
            if self.way.get() != Way::Open {
                self.patience.revoked();
                self.now_open(head);
            }
            self.saw(head);
        }
    }

    #[cfg(test)]
    pub(in crate::deque) fn is_biased(&self) -> bool {
        self.way.get() != Way::Open
    }

    /// A bias has ended, and this is a head after that.
    fn now_open(&self, head: Head) {
        self.seen.set(head);
        self.way.set(Way::Open);
    }

    /// Makes the front open.
    fn end_bias(&self) {
        if self.way.get() != Way::Open {
            let head = self.shared.end_bias(self.front.get());
            self.now_open(head);
            self.patience.interrupted();
            self.saw(head);
        }
    }

    /// Sees which of the slots that thieves have claimed are free by now.
    fn look_at_slots(&self) {
        self.look();
        let slots = self.slots.get();
        while self.pending.get() != 0 {
            let first = self.front.get().wrapping_sub(self.pending.get());
            // SAFETY: the current buffer lives.
            if !unsafe { slots.is_read(first) } {
                return;
            }
            // SAFETY: as above.
            unsafe { slots.clear_read(first) };
            self.pending.update(|pending| pending - 1);
        }
    }

    /// Whether there is nothing to take. Stays so until the owner pushes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items nobody has taken; thieves may be making it fewer.
    #[must_use]
    pub fn len(&self) -> usize {
        let (head, tail) = (self.shared.head(), self.tail.get());
        let len = match head.mode() {
            Mode::Open => head.items_before(tail),
            // Nobody has claimed anything.
            Mode::Biased | Mode::Revoking => tail.wrapping_sub(self.front.get()).cast_signed(),
        };
        len.max(0) as usize
    }

    /// Makes sure that the next `count` slots can be written.
    ///
    /// # Panics
    ///
    /// If they do not fit the address space; nothing has changed then.
    #[inline]
    pub(in crate::deque) fn reserve(&self, count: usize) {
        if self.room() < count as u64 {
            self.make_room(count);
        }
    }

    /// Looks again whether the next `count` slots can be written; if not, changes the
    /// buffer for one in which they can.
    #[cold]
    #[inline(never)]
    fn make_room(&self, count: usize) {
        // What the owner has popped itself is free without a look at anything.
        self.set_limit();
        if self.room() >= count as u64 {
            return;
        }
        self.look_at_slots();
        self.set_limit();
        if self.room() >= count as u64 {
            return;
        }
        let len = self.len();
        // Twice the items, so that as many pushes as items follow before the next time.
        // With few items, when a slow thief is in the way, this is no more than there was.
        let wanted = (len + count).max(2 * len).max(MIN_CAPACITY);
        let capacity = wanted.checked_next_power_of_two();
        self.replace_buffer(capacity.expect("capacity overflow"));
    }

    /// Halves the buffer.
    #[cold]
    #[inline(never)]
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
    /// begin_swap: generation + 1         claimed before: reads the old buffer, and says so
    ///                                      there
    ///                                    later: the claim fails
    /// stores the buffer
    /// end_swap: generation + 1           looks now: sees the new buffer
    /// ```
    ///
    /// So each claim is about one buffer; and in the new one all slots are free but those of
    /// the items that were not claimed before `begin_swap`.
    fn replace_buffer(&self, capacity: usize) {
        let shared = &*self.shared;
        let tail = self.tail.get();
        self.end_bias();
        let (old_buffer, old) = (self.buffer.get(), self.slots.get());
        // Unwind: nothing has changed yet but for the bias, should the slots not fit.
        let buffer = Buffer::alloc(capacity);
        // SAFETY: it is ours until it is stored.
        let new = unsafe { Buffer::slots(buffer) };

        let head = shared.head();
        let count = head.items_before(tail).cast_unsigned();
        debug_assert!(count <= capacity as u64);
        for n in 0..count {
            // SAFETY: (1) the owner wrote all up to the tail; (2) not stored yet; (3) of
            // those that are claimed before `begin_swap` this copy is dead, of the others
            // the old one is.
            unsafe { old.copy_to(new, head.front().wrapping_add(n)) };
        }
        let head = shared.begin_swap();
        shared.swap_buffer(buffer);
        let next = shared.end_swap();

        self.saw(head);
        let pending = self.pending.replace(0);
        let first = self.front.get().wrapping_sub(pending);
        // SAFETY: it lives; `&self` of a `!Sync` handle is the owner.
        unsafe { Buffer::set_pending(old_buffer, first, pending) };
        // SAFETY: (1) as above; (2) the generation is left behind; (3) just now.
        unsafe { shared.retire(old_buffer) };
        self.buffer.set(buffer);
        self.slots.set(new);
        self.seen.set(next);
        self.set_limit();
        let quarter = match capacity {
            ..=MIN_CAPACITY => 0,
            _ => (capacity / 4) as i64,
        };
        self.shrink_below.set(quarter);
        let (still_at, times) = self.still.get();
        let front = self.front.get();
        let times = if still_at == front { times + 1 } else { 1 };
        self.still.set((front, times));
    }

    /// Appends `count` items and publishes them at once, so that the owner pops `item(0)`
    /// first. `item` is never code of the user.
    ///
    /// # Safety
    ///
    /// `reserve(count)` was called, and the owner has not pushed since.
    pub(in crate::deque) unsafe fn append(&self, count: u64, mut item: impl FnMut(u64) -> T) {
        let (slots, tail) = (self.slots.get(), self.tail.get());
        for n in 0..count {
            let behind = match self.flavor {
                Flavor::Fifo => n,
                Flavor::Lifo => count - 1 - n,
            };
            // SAFETY: (1) `&self` of a `!Sync` handle is the owner; (2) free by contract,
            // and each written once.
            unsafe { slots.put(tail.wrapping_add(behind), item(n)) };
        }
        self.publish(tail.wrapping_add(count));
    }

    /// Items to be appended of which the number is not known before.
    pub(super) fn appending(&self) -> Appending<'_, T> {
        Appending::new(self)
    }

    #[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
    pub(super) fn capacity(&self) -> usize {
        self.slots.get().capacity()
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
