//! The unbounded queue under `SegQueue` and `Injector`: a list of blocks, claimed
//! by compare-and-swap on two indices and freed without epochs.

mod alone;
mod block;
mod cache;
mod claim;
mod end;
mod index;
pub(crate) mod live;

use alloc::vec::Vec;
use core::ptr::{self, NonNull};

use engine_atomic::CachePadded;
use engine_atomic::sync::atomic::{Ordering::*, fence};

use self::block::Block;
use self::cache::Cache;
pub(crate) use self::claim::{Attempt, Claim};
use self::end::End;
use self::index::Index;
pub(crate) use self::index::Next;
use crate::QueueStats;
use crate::front::Front;
use crate::lost_race::LostRaces;

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
            // Release: as in `claim_slots`; pairs with the Acquire load in `len`, and keeps the
            // release sequence of `tail_to` alive. Relaxed on failure: not looked at. Strong: a
            // failure is a lost race.
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
        // The common case, before anything that it does not need: there is an item, and its
        // block has more than this slot left.
        let (head, block) = self.head.load();
        let mut seen = head.next();
        let mut common = head.offset() < CAP - 1;
        if seen == Next::NotSeen {
            // Relaxed: as in `tail_after`.
            let tail: Index<CAP> = Index(self.tail.index.load(Relaxed));
            common &= tail.is_after(head);
            if !tail.same_block(head) {
                seen = Next::Seen;
            }
        }
        if common && let Some(block) = NonNull::new(block) {
            // head -> head + 1
            // Release: as in `claim`; pairs with the Acquire loads in `len` and `is_empty`, and
            // keeps the release sequence of `head_to` alive. Relaxed on failure: not looked at.
            let won = self.head.index.compare_exchange(
                head.0,
                head.advanced(1).with_next(seen).0,
                Release,
                Relaxed,
            );
            if won.is_err() {
                return self.pop_slowly(true);
            }
            // SAFETY: the claim gives us this slot to read, once.
            let item = unsafe { Block::take(block, head.offset()) };
            // SAFETY: as above, taken, and not the last slot.
            unsafe { Block::leave(block, head.offset()) };
            return Some(item);
        }
        self.pop_slowly(false)
    }

    /// `pop` that has lost a race, or changes the block, or waits for that, or finds nothing.
    #[cold]
    #[inline(never)]
    fn pop_slowly(&self, lost: bool) -> Option<T> {
        let mut races = LostRaces::new();
        if lost {
            races.lost_one(&self.head.index);
        }
        loop {
            match self.claim(races.count(), |_, _| 1) {
                Attempt::Claimed(claim) => {
                    // SAFETY: a claim has at least one slot; it is taken once.
                    return Some(unsafe { claim.take(0) });
                }
                Attempt::Empty => return None,
                Attempt::Lost => races.lost_one(&self.head.index),
                Attempt::Changing => races.wait_for_other(),
            }
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
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;
