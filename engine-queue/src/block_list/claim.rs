//! What a popper holds between its claim and the end of its reads.

use core::ptr::NonNull;

use super::block::Block;
use super::cache::Cache;

/// What came of an attempt to claim items.
#[must_use]
pub(crate) enum Attempt<'a, T, const CAP: usize> {
    Claimed(Claim<'a, T, CAP>),
    Empty,
    /// Another popper was faster.
    Lost,
    /// Another thread is installing a block: it must act first.
    Changing,
}

/// Slots of one block, to take each of, once, before this is dropped. Dropping it
/// gives them back, and the block after its last slot.
#[must_use]
pub(crate) struct Claim<'a, T, const CAP: usize> {
    cache: &'a Cache<T, CAP>,
    block: NonNull<Block<T, CAP>>,
    first: usize,
    count: usize,
}

impl<'a, T, const CAP: usize> Claim<'a, T, CAP> {
    /// # Safety
    ///
    /// The caller has claimed these slots for reading, and nobody else has.
    pub(super) unsafe fn new(
        cache: &'a Cache<T, CAP>,
        block: NonNull<Block<T, CAP>>,
        first: usize,
        count: usize,
    ) -> Self {
        Self {
            cache,
            block,
            first,
            count,
        }
    }

    /// How many items; at least one.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Moves out the `n`th item, waiting for its push to finish.
    ///
    /// # Safety
    ///
    /// `n < count`, and each `n` once.
    #[inline]
    pub(crate) unsafe fn take(&self, n: usize) -> T {
        debug_assert!(n < self.count);
        // SAFETY: claimed for reading, and read once by contract.
        unsafe { Block::take(self.block, self.first + n) }
    }
}

impl<T, const CAP: usize> Drop for Claim<'_, T, CAP> {
    #[inline]
    fn drop(&mut self) {
        let end = self.first + self.count;
        for offset in self.first..end {
            // SAFETY: claimed, and taken by contract. After the last of them the block is
            // not touched, unless it is for us to free it: who popped the last slot.
            unsafe { Block::leave(self.block, offset) };
        }
        if end == CAP {
            // SAFETY: we have popped the last slot, and left it.
            unsafe { self.cache.retire(self.block) };
        }
    }
}
