//! The unbounded queue under `SegQueue` and `Injector`: a list of blocks, claimed
//! by compare-and-swap on two indices and freed without epochs.

mod block;
mod cache;
mod claim;
mod index;
pub(crate) mod live;

use alloc::vec::Vec;
use core::ptr::{self, NonNull};

use engine_atomic::sync::atomic::{AtomicPtr, Ordering::*, fence};
use engine_atomic::{CachePadded, Contention};

use self::block::Block;
use self::cache::Cache;
pub(crate) use self::claim::{Attempt, Claim};
pub(crate) use self::index::Next;
use self::index::{AtomicIndex, Index};
use crate::QueueStats;
use crate::drop_all::drop_all;
use crate::front::Front;
use crate::lost_race::LostRaces;

/// One end of the list.
///
/// `block` is the block that `index` points into, unless a block change is under
/// way: then `index` stands on the block's last position, which has no slot, and
/// whoever moved it there stores the next block, then the next index.
struct End<T, const CAP: usize> {
    index: AtomicIndex,
    /// Null until the first push.
    block: AtomicPtr<Block<T, CAP>>,
    /// On the same line, for whoever has just won it.
    contention: Contention,
}

impl<T, const CAP: usize> End<T, CAP> {
    engine_atomic::const_unless_loom! {
        const fn new() -> Self {
            Self {
                index: AtomicIndex::new(Index::<CAP>::START.0),
                block: AtomicPtr::new(ptr::null_mut()),
                contention: Contention::new(),
            }
        }
    }

    /// Index and block, in this order.
    fn load(&self) -> (Index<CAP>, *mut Block<T, CAP>) {
        // Acquire: the block is at least the one of this index; pairs with the
        // Release RMW in `tail_to` or `head_to`.
        let index: Index<CAP> = Index(self.index.load(Acquire));
        // Acquire: the first block is initialised; pairs with its Release store or
        // CAS in `install_first_block`. A later one came with the index.
        (index, self.block.load(Acquire))
    }

    /// Moves the tail from the position without a slot to the next block.
    fn tail_to(&self, next: NonNull<Block<T, CAP>>) {
        // Relaxed: published by the addition below, and nobody claims before that.
        self.block.store(next.as_ptr(), Relaxed);
        // { CAP, closed } -> { next block's 0, closed }
        // Release: publishes the block; pairs with the Acquire load in `load`. An
        // addition, because the queue may be closed meanwhile.
        self.index.fetch_add(Index::<CAP>::NEXT_BLOCK, Release);
    }

    /// Moves the head from the position without a slot to `index`, in the next block.
    fn head_to(&self, next: NonNull<Block<T, CAP>>, index: Index<CAP>) {
        // Relaxed: published by the swap below, and nobody claims before that.
        self.block.store(next.as_ptr(), Relaxed);
        // { CAP, * } -> { next block's 0, has next }
        // Release: publishes the block; pairs with the Acquire load in `load`. A swap
        // where a store would do, because the checkers ask for it where other threads
        // compare-and-swap: once a block.
        self.index.swap(index.0, Release);
    }
}

/// The list is closed: nothing more is claimed at its tail.
#[derive(Debug)]
pub(crate) struct Closed;

/// An unbounded queue of many producers and many consumers.
///
/// Blocks have `CAP` slots: the most that one claim can take.
///
/// Claims are ordered by the two indices, so items leave in the order in which
/// their pushes claimed. A claim is followed by the access to its slot, and by
/// that alone: no code of the user runs in between.
pub(crate) struct BlockList<T, const CAP: usize> {
    head: CachePadded<End<T, CAP>>,
    tail: CachePadded<End<T, CAP>>,
    cache: Cache<T, CAP>,
}

// SAFETY: items are handed from thread to thread by value and never shared, so
// `T: Send` is enough. Each slot is written by the one push and read by the one
// pop that claimed it: see `Slot`.
unsafe impl<T: Send, const CAP: usize> Send for BlockList<T, CAP> {}
// SAFETY: as above.
unsafe impl<T: Send, const CAP: usize> Sync for BlockList<T, CAP> {}

impl<T, const CAP: usize> BlockList<T, CAP> {
    engine_atomic::const_unless_loom! {
        pub(crate) const fn new() -> Self {
            Self {
                head: CachePadded::new(End::new()),
                tail: CachePadded::new(End::new()),
                cache: Cache::new(),
            }
        }
    }

    /// Appends one item, or hands it back if the list is closed.
    #[inline]
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let (index, block) = self.tail.load();
        // The common case, before anything that it does not need: the block has more than
        // this slot left.
        if let Some(block) = NonNull::new(block)
            && !index.is_closed()
            && index.offset() < CAP - 1
        {
            // index -> index + 1
            // Orderings: see `claim_slots`. Strong: a failure is a lost race.
            let won =
                self.tail
                    .index
                    .compare_exchange(index.0, index.advanced(1).0, Release, Relaxed);
            if won.is_err() {
                return self.push_slowly(item, true);
            }
            // SAFETY: the claim gives us this slot to write, once.
            unsafe { Block::write(block, index.offset(), item) };
            return Ok(());
        }
        self.push_slowly(item, false)
    }

    /// `push` that has lost a race, or changes the block, or waits for that.
    #[cold]
    #[inline(never)]
    fn push_slowly(&self, item: T, lost: bool) -> Result<(), T> {
        let mut races = LostRaces::new();
        if lost {
            races.lost_one(&self.tail.index);
        }
        let Ok((block, offset, _)) = self.claim_slots(&mut races, 1) else {
            return Err(item);
        };
        // SAFETY: the claim gives us this slot to write, once.
        unsafe { Block::write(block, offset, item) };
        Ok(())
    }

    /// Appends `items` in their order, with one claim for each block that they touch, and
    /// takes what is appended out of the vector. Other threads' items may come between
    /// those of two claims.
    ///
    /// # Errors
    ///
    /// If the list is closed, maybe after some items.
    pub(crate) fn push_all(&self, items: &mut Vec<T>) -> Result<(), Closed> {
        let mut items = Front::new(items);
        while items.left() != 0 {
            let mut races = LostRaces::new();
            let (block, offset, count) = self.claim_slots(&mut races, items.left())?;
            for (n, item) in items.by_ref().take(count).enumerate() {
                // SAFETY: the claim gives us these slots to write, each once.
                unsafe { Block::write(block, offset + n, item) };
            }
        }
        Ok(())
    }

    /// Takes the oldest item.
    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        // Nothing is set up for races that are not lost.
        match self.claim(0, |_, _| 1) {
            // SAFETY: a claim has at least one slot; it is taken once.
            Attempt::Claimed(claim) => Some(unsafe { claim.take(0) }),
            Attempt::Empty => None,
            missed => self.pop_slowly(missed),
        }
    }

    /// `pop` that has lost a race, or waits for the next block.
    #[cold]
    #[inline(never)]
    fn pop_slowly<'a>(&'a self, mut attempt: Attempt<'a, T, CAP>) -> Option<T> {
        let mut races = LostRaces::new();
        loop {
            match attempt {
                Attempt::Claimed(claim) => {
                    // SAFETY: a claim has at least one slot; it is taken once.
                    return Some(unsafe { claim.take(0) });
                }
                Attempt::Empty => return None,
                Attempt::Lost => races.lost_one(&self.head.index),
                Attempt::Changing => races.wait_for_other(),
            }
            attempt = self.claim(races.count(), |_, _| 1);
        }
    }

    /// Moves up to `max` of the oldest items to the end of `into`, with one claim for each
    /// block that they lie in; how many.
    pub(crate) fn pop_all(&self, into: &mut Vec<T>, max: usize) -> usize {
        let mut races = LostRaces::new();
        let mut popped = 0;
        while popped < max {
            let count = |len: usize, _| {
                let count = len.min(max - popped);
                // Before the claim, since the allocator is the user's; and only when there
                // is something.
                into.reserve(count);
                count
            };
            match self.claim(races.count(), count) {
                Attempt::Claimed(claim) => {
                    let len = into.len();
                    for n in 0..claim.count() {
                        // SAFETY: `n` is below the count, and each is taken once.
                        let item = unsafe { claim.take(n) };
                        // SAFETY: within the capacity, by `reserve`.
                        let place = unsafe { into.as_mut_ptr().add(len + n) };
                        // SAFETY: in the vector's allocation, and past its length: nobody else's.
                        unsafe { place.write(item) };
                    }
                    // SAFETY: so many are initialised now.
                    unsafe { into.set_len(len + claim.count()) };
                    popped += claim.count();
                }
                Attempt::Empty => break,
                Attempt::Lost => races.lost_one(&self.head.index),
                Attempt::Changing => races.wait_for_other(),
            }
        }
        popped
    }

    /// Claims up to `wanted` slots at the end, all in one block: the block, the first
    /// slot and how many.
    #[inline]
    fn claim_slots(
        &self,
        races: &mut LostRaces,
        wanted: usize,
    ) -> Result<(NonNull<Block<T, CAP>>, usize, usize), Closed> {
        // The block to install should we claim the last slot of one. Allocated before
        // the claim: nobody waits for the allocator, and a failure hurts nobody.
        let mut spare = None;
        let claimed = loop {
            let (index, block) = self.tail.load();
            if index.is_closed() {
                break Err(Closed);
            }
            let offset = index.offset();
            if offset == CAP {
                // The pusher of the last slot is about to install the next block.
                races.wait_for_other();
                continue;
            }
            let count = wanted.min(CAP - offset);
            if offset + count == CAP && spare.is_none() {
                spare = Some(self.cache.take());
            }
            let Some(block) = NonNull::new(block) else {
                self.install_first_block(&mut spare);
                continue;
            };
            // index -> index + count
            // Release: who sees this tail sees the pops that came before; pairs with the
            // Acquire load in `len`. Items are published by the states of their slots.
            // As an RMW it keeps the release sequence of `tail_to` alive for `load`.
            // Relaxed on failure: a number to look at.
            if let Err(now) = self.tail.index.compare_exchange_weak(
                index.0,
                index.advanced(count).0,
                Release,
                Relaxed,
            ) {
                // A weak CAS may fail with nobody there: that is no contention.
                if now != index.0 {
                    races.lost_one(&self.tail.index);
                }
                continue;
            }
            races.record(&self.tail.contention);
            if offset + count == CAP {
                // `spare` was filled above, for this very offset.
                let next = spare.take().unwrap_or_else(|| self.cache.take());

                self.tail.tail_to(next);
                // SAFETY: the block is freed only after its last slot was popped, which
                // waits for this link.
                unsafe { Block::link(block, next) };
            }
            break Ok((block, offset, count));
        };
        if let Some(unused) = spare {
            // SAFETY: nobody else has seen it.
            unsafe { self.cache.put(unused) };
        }
        claimed
    }

    /// Closes the list; whether this call did it.
    pub(crate) fn close(&self) -> bool {
        // { position, 0 } -> { position, closed }
        // Release: who sees the list closed sees what the closer did before; pairs with the
        // Acquire load in `is_closed`. As an RMW it keeps the release sequences of the
        // other writes alive.
        !Index::<CAP>(self.tail.index.fetch_or(Index::<CAP>::CLOSED, Release)).is_closed()
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in `close`.
        Index::<CAP>(self.tail.index.load(Acquire)).is_closed()
    }

    pub(crate) fn stats(&self) -> QueueStats {
        QueueStats {
            push_races_lost: self.tail.contention.lost(),
            pop_races_lost: self.head.contention.lost(),
        }
    }

    /// Makes the first block that of both ends, unless somebody else does.
    #[cold]
    fn install_first_block(&self, spare: &mut Option<NonNull<Block<T, CAP>>>) {
        let first = spare.take().unwrap_or_else(|| self.cache.take());
        // null -> first
        // Release: publishes the empty block; pairs with the Acquire load in `load`.
        match self
            .tail
            .block
            .compare_exchange(ptr::null_mut(), first.as_ptr(), Release, Relaxed)
        {
            // Release: as above, for poppers. Until then they see a null block.
            Ok(_) => self.head.block.store(first.as_ptr(), Release),
            // Relaxed above: the block that won is loaded again.
            Err(_) => *spare = Some(first),
        }
    }

    /// Tries to claim the oldest items: `count_of(len, next)` of the `len` in their
    /// block, but at least one; `next` says whether there are later blocks. `lost` races
    /// before this attempt are written down with it.
    #[inline]
    pub(crate) fn claim(
        &self,
        lost: usize,
        count_of: impl FnOnce(usize, Next) -> usize,
    ) -> Attempt<'_, T, CAP> {
        let (head, block) = self.head.load();
        let offset = head.offset();
        if offset == CAP {
            return Attempt::Changing;
        }
        let (mut len, mut seen) = (CAP - offset, head.next());
        if seen == Next::NotSeen {
            let Some(tail) = self.tail_after(head) else {
                return Attempt::Empty;
            };
            if tail.same_block(head) {
                len = tail.offset() - offset;
            } else {
                seen = Next::Seen;
            }
        }
        let Some(block) = NonNull::new(block) else {
            // The first push has claimed, and is about to tell this end.
            return Attempt::Changing;
        };
        let count = count_of(len, seen).clamp(1, len);
        let next_head = head.advanced(count).with_next(seen);
        // head -> head + count
        // Release: who sees this head sees the tail that we saw; pairs with the Acquire
        // loads in `len` and `is_empty`. Items are received through the states of their
        // slots. As an RMW it keeps the release sequence of `head_to` alive.
        // Relaxed on failure: a number to look at.
        let won = self
            .head
            .index
            .compare_exchange(head.0, next_head.0, Release, Relaxed);
        if won.is_err() {
            return Attempt::Lost;
        }
        self.head.contention.record(lost);
        if offset + count == CAP {
            // SAFETY: we have claimed the last slot and not yet given it back, so the
            // block lives.
            let next = unsafe { Block::wait_next(block) };
            // SAFETY: nobody can claim in `next`, let alone free it, before the head
            // points to it.
            let seen = unsafe { Block::look_for_next(next) };
            let next_head = next_head.next_block().with_next(seen);
            self.head.head_to(next, next_head);
        }
        // SAFETY: these slots are claimed by this CAS, and by nobody else.
        Attempt::Claimed(unsafe { Claim::new(&self.cache, block, offset, count) })
    }

    /// The tail if something lies between `head` and it.
    #[inline]
    fn tail_after(&self, head: Index<CAP>) -> Option<Index<CAP>> {
        // Relaxed: a look at the number only; an item is received through its slot.
        let tail: Index<CAP> = Index(self.tail.index.load(Relaxed));
        if tail.is_after(head) {
            return Some(tail);
        }
        // "Empty" is an answer about other threads' pushes, so it must not come from
        // an old value. Of two SeqCst fences, this one and the one that a thread runs
        // after its push, one is first: if theirs, the load below sees their push; if
        // ours, whatever they load after their fence sees what we did before.
        // (`two_queues_are_not_both_empty`: pop's own fence serves as both.)
        fence(SeqCst);
        // Relaxed: ordered by the fence.
        let tail: Index<CAP> = Index(self.tail.index.load(Relaxed));
        tail.is_after(head).then_some(tail)
    }

    /// How many items there are; exact at one moment of the call.
    pub(crate) fn len(&self) -> usize {
        loop {
            // Acquire: the head below is not older than the pops that this tail's push
            // came after; pairs with the Release CAS in `claim_slots`.
            // (`len_is_never_too_long`)
            let tail: Index<CAP> = Index(self.tail.index.load(Acquire));
            // Acquire: the tail below is not older than the one this head's pop saw;
            // pairs with the Release CAS in `claim`. (`len_is_never_too_short`)
            let head: Index<CAP> = Index(self.head.index.load(Acquire));
            // Relaxed: only compared. The tail never returns to a value, so it was
            // this one when the head was loaded.
            if self.tail.index.load(Relaxed) == tail.0 {
                return tail.items_since(head);
            }
        }
    }

    /// Whether there is no item; true at one moment of the call.
    pub(crate) fn is_empty(&self) -> bool {
        // Acquire: the tail below is not older than the one this head's pop saw; pairs
        // with the Release CAS in `claim`. The tail only grows: if it is not beyond
        // the head now, it was not when the head was loaded.
        let head: Index<CAP> = Index(self.head.index.load(Acquire));
        // Relaxed: only compared.
        let tail: Index<CAP> = Index(self.tail.index.load(Relaxed));
        tail.items_since(head) == 0
    }

    /// `push` for who is alone: no read-modify-write.
    pub(crate) fn push_mut(&mut self, item: T) -> Result<(), T> {
        // Relaxed, here and below: `&mut self` orders what came before and comes after.
        let index: Index<CAP> = Index(self.tail.index.load(Relaxed));
        if index.is_closed() {
            return Err(item);
        }
        let block = match NonNull::new(self.tail.block.load(Relaxed)) {
            Some(block) => block,
            None => {
                let first = self.cache.take();
                self.tail.block.store(first.as_ptr(), Relaxed);
                self.head.block.store(first.as_ptr(), Relaxed);
                first
            }
        };
        let offset = index.offset();
        let mut next_index = index.advanced(1);
        if offset + 1 == CAP {
            let next = self.cache.take();
            // SAFETY: the block holds a position that is not popped, so it lives.
            unsafe { Block::link(block, next) };
            self.tail.block.store(next.as_ptr(), Relaxed);
            next_index = next_index.next_block();
        }
        // SAFETY: `&mut self`: the slot at the tail is ours, and is empty.
        unsafe { Block::write(block, offset, item) };
        self.tail.index.store(next_index.0, Relaxed);
        Ok(())
    }

    /// `pop` for who is alone: no read-modify-write.
    pub(crate) fn pop_mut(&mut self) -> Option<T> {
        // Relaxed, here and below: `&mut self` orders what came before and comes after.
        let head: Index<CAP> = Index(self.head.index.load(Relaxed));
        let tail: Index<CAP> = Index(self.tail.index.load(Relaxed));
        if !tail.is_after(head) {
            return None;
        }
        let block = NonNull::new(self.head.block.load(Relaxed))?;
        let offset = head.offset();
        // SAFETY: `&mut self`: the slot before the tail is written, and ours to read.
        let item = unsafe { Block::take(block, offset) };
        let mut next_head = head.advanced(1);
        if offset + 1 == CAP {
            // SAFETY: the block lives until it is put away below.
            let next = unsafe { Block::wait_next(block) };
            // SAFETY: the block after one that is not freed lives.
            let seen = unsafe { Block::look_for_next(next) };
            next_head = next_head.next_block().with_next(seen);
            self.head.block.store(next.as_ptr(), Relaxed);
            // SAFETY: all its slots are popped, the head has left it, and nobody else
            // is here.
            unsafe { self.cache.put(block) };
        } else {
            // SAFETY: as for `take`; the slot's item is moved out.
            unsafe { Block::leave(block, offset) };
        }
        self.head.index.store(next_head.0, Relaxed);
        Some(item)
    }
}

impl<T, const CAP: usize> Drop for BlockList<T, CAP> {
    fn drop(&mut self) {
        /// Frees the last block, after the items and also when one of them panics.
        struct LastBlock<'a, T, const CAP: usize>(&'a mut BlockList<T, CAP>);

        impl<T, const CAP: usize> Drop for LastBlock<'_, T, CAP> {
            fn drop(&mut self) {
                // Relaxed: `&mut self`.
                if let Some(block) = NonNull::new(self.0.head.block.load(Relaxed)) {
                    // SAFETY: the list is empty, and this is the block of both its ends.
                    unsafe { Block::free(block) };
                }
            }
        }

        let last = LastBlock(self);
        drop_all(core::iter::from_fn(|| last.0.pop_mut()));
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;
