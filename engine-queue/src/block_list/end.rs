//! The two words of one end of the list.

use core::ptr::{self, NonNull};

use engine_atomic::Contention;
use engine_atomic::sync::atomic::{AtomicPtr, Ordering::*};

use super::block::Block;
use super::index::{AtomicIndex, Index};

/// One end of the list.
///
/// `block` is the block that `index` points into, unless a block change is under
/// way: then `index` stands on the block's last position, which has no slot, and
/// whoever moved it there stores the next block, then the next index.
pub(super) struct End<T, const CAP: usize> {
    pub(super) index: AtomicIndex,
    /// Null until the first push.
    pub(super) block: AtomicPtr<Block<T, CAP>>,
    /// On the same line, for whoever has just won it.
    pub(super) contention: Contention,
}

impl<T, const CAP: usize> End<T, CAP> {
    engine_atomic::const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                index: AtomicIndex::new(Index::<CAP>::START.0),
                block: AtomicPtr::new(ptr::null_mut()),
                contention: Contention::new(),
            }
        }
    }

    /// Index and block, in this order.
    pub(super) fn load(&self) -> (Index<CAP>, *mut Block<T, CAP>) {
        // Acquire: the block is at least the one of this index; pairs with the
        // Release RMW in `tail_to` or `head_to`.
        let index: Index<CAP> = Index(self.index.load(Acquire));
        // Acquire: the first block is initialised; pairs with its Release store or
        // CAS in `install_first_block`. A later one came with the index.
        (index, self.block.load(Acquire))
    }

    /// Moves the tail from the position without a slot to the next block.
    pub(super) fn tail_to(&self, next: NonNull<Block<T, CAP>>) {
        // Relaxed: published by the addition below, and nobody claims before that.
        self.block.store(next.as_ptr(), Relaxed);
        // { CAP, closed } -> { next block's 0, closed }
        // Release: publishes the block; pairs with the Acquire load in `load`. An
        // addition, because the queue may be closed meanwhile.
        self.index.fetch_add(Index::<CAP>::NEXT_BLOCK, Release);
    }

    /// Moves the head from the position without a slot to `index`, in the next block.
    pub(super) fn head_to(&self, next: NonNull<Block<T, CAP>>, index: Index<CAP>) {
        // Relaxed: published by the swap below, and nobody claims before that.
        self.block.store(next.as_ptr(), Relaxed);
        // { CAP, * } -> { next block's 0, has next }
        // Release: publishes the block; pairs with the Acquire load in `load`. A swap
        // where a store would do, because the checkers ask for it where other threads
        // compare-and-swap: once a block.
        self.index.swap(index.0, Release);
    }
}
