//! One block kept for the next push that needs one.

use core::ptr::{self, NonNull};

use engine_atomic::sync::atomic::{AtomicPtr, Ordering::*};

use super::block::Block;

/// At most one empty block.
///
/// Lossy on purpose: two threads that free at once leave one block here, and a
/// push that looks a moment too early allocates. Whoever swaps a block out of the
/// pointer owns it, so blocks have no ABA problem here.
pub(super) struct Cache<T> {
    block: AtomicPtr<Block<T>>,
}

impl<T> Cache<T> {
    engine_atomic::const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                block: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// An empty block: the cached one, or a new one.
    pub(super) fn take(&self) -> NonNull<Block<T>> {
        // Relaxed: a look, to spare the RMW while there is nothing.
        if !self.block.load(Relaxed).is_null() {
            // block -> null
            // Acquire: the block is reset; pairs with the Release in `put`.
            if let Some(block) = NonNull::new(self.block.swap(ptr::null_mut(), Acquire)) {
                return block;
            }
        }
        Block::alloc()
    }

    /// Keeps a block, or frees it.
    ///
    /// # Safety
    ///
    /// The block is the caller's alone, what others did with it happened before, and
    /// it holds no items.
    pub(super) unsafe fn put(&self, block: NonNull<Block<T>>) {
        // Relaxed: a look, to spare the reset while there is one.
        let unused = if self.block.load(Relaxed).is_null() {
            // SAFETY: by contract.
            unsafe { Block::reset(block) };
            // null, or a block that came meanwhile -> block
            // Release: the block is reset; pairs with the Acquire in `take`. Acquire:
            // for the block that came meanwhile, which is ours now; pairs with this.
            NonNull::new(self.block.swap(block.as_ptr(), AcqRel))
        } else {
            Some(block)
        };
        if let Some(unused) = unused {
            // SAFETY: swapped out or never shared, so ours alone; empty by contract.
            unsafe { Block::free(unused) };
        }
    }
}

impl<T> Drop for Cache<T> {
    fn drop(&mut self) {
        // Relaxed: `&mut self`.
        if let Some(block) = NonNull::new(self.block.load(Relaxed)) {
            // SAFETY: the cache owns what it points to.
            unsafe { Block::free(block) };
        }
    }
}
