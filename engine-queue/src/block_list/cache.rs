//! The blocks that nobody pushes to or pops from any more.

use core::ptr::{self, NonNull};

use engine_atomic::sync::atomic::{AtomicPtr, Ordering::*};

use super::block::Block;

/// At most one empty block, for the next push that needs one; and the blocks that the head has
/// left and some popper has not.
///
/// The empty block is kept lossily, on purpose: two threads that free at once leave one block
/// here, and a push that looks a moment too early allocates. Whoever swaps a block out of
/// the pointer owns it, so blocks have no ABA problem here.
///
/// A popper's last access to a block is the store that says so, and nobody waits for it. So
/// whoever changes the block at the head looks whether all have left the old one. If not, it
/// is put on a list, and looked at again at the next change:
///
/// ```text
/// head's block ──last slot popped──┬── all have left ────────────> kept, or freed
///                                  └── retired ──next change──┬──> kept, or freed
///                                         ^                   │
///                                         └── still somebody ─┘
/// ```
///
/// So a popper that is stopped inside holds one block. One that is stopped while it looks
/// through the list holds what was on it, and others begin a new list meanwhile: in all less than
/// the square of the number of threads. At rest what was retired last stays.
pub(super) struct Cache<T, const CAP: usize> {
    block: AtomicPtr<Block<T, CAP>>,
    /// Linked by `Block::below`. Only ever taken whole.
    retired: AtomicPtr<Block<T, CAP>>,
}

impl<T, const CAP: usize> Cache<T, CAP> {
    engine_atomic::const_unless_loom! {
        pub(super) const fn new() -> Self {
            Self {
                block: AtomicPtr::new(ptr::null_mut()),
                retired: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// An empty block: the cached one, or a new one.
    pub(super) fn take(&self) -> NonNull<Block<T, CAP>> {
        // Relaxed: a look, to spare the RMW while there is nothing.
        if !self.block.load(Relaxed).is_null() {
            // block -> null
            // Acquire: everybody has left it; pairs with the Release in `put`.
            if let Some(block) = NonNull::new(self.block.swap(ptr::null_mut(), Acquire)) {
                // Here, not in `put`: it takes the lines to who needs them, all at once.
                // SAFETY: swapped out, so ours alone; it holds no items.
                unsafe { Block::reset(block) };
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
    pub(super) unsafe fn put(&self, block: NonNull<Block<T, CAP>>) {
        // Relaxed: a look, to spare the RMW while there is one.
        let unused = if self.block.load(Relaxed).is_null() {
            // null, or a block that came meanwhile -> block
            // Release: everybody has left it; pairs with the Acquire in `take`. Acquire:
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

    /// Takes over a block that the head has left, to keep or free it when all poppers have
    /// left it too.
    ///
    /// # Safety
    ///
    /// The caller has popped its last slot, and left it. It calls this once.
    pub(super) unsafe fn retire(&self, block: NonNull<Block<T, CAP>>) {
        // Those of before first: more time has passed. Relaxed: a look, to spare the RMW.
        if !self.retired.load(Relaxed).is_null() {
            self.sweep();
        }
        // SAFETY: by contract.
        unsafe { self.put_or_list(block) };
    }

    /// # Safety
    ///
    /// It is for the caller to free the block, which the head has left.
    unsafe fn put_or_list(&self, block: NonNull<Block<T, CAP>>) {
        // SAFETY: by contract.
        if unsafe { Block::is_left(block) } {
            // SAFETY: everybody has left it; and so every item.
            unsafe { self.put(block) };
        } else {
            // SAFETY: by contract.
            unsafe { self.list(block) };
        }
    }

    /// # Safety
    ///
    /// As of `put_or_list`.
    unsafe fn list(&self, block: NonNull<Block<T, CAP>>) {
        // SAFETY: by contract.
        let below = unsafe { Block::below(block) };
        // Relaxed: only linked to, by what follows.
        let mut top = self.retired.load(Relaxed);
        loop {
            // Relaxed: published by the exchange.
            below.store(top, Relaxed);
            // top -> block
            // Release: publishes the link; pairs with the Acquire in `sweep`, which gets the
            // links below as well: every write of this word is a read-modify-write.
            let listed = self
                .retired
                .compare_exchange_weak(top, block.as_ptr(), Release, Relaxed);
            match listed {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Looks at the retired blocks again.
    #[cold]
    fn sweep(&self) {
        // list -> null
        // Acquire: receives the links; pairs with the Release in `list`.
        let mut at = self.retired.swap(ptr::null_mut(), Acquire);
        while let Some(block) = NonNull::new(at) {
            // SAFETY: taken from the list, so it is freed by us or not at all.
            let below = unsafe { Block::below(block) };
            // Relaxed: came with the list.
            at = below.load(Relaxed);
            // SAFETY: as above.
            unsafe { self.put_or_list(block) };
        }
    }
}

impl<T, const CAP: usize> Drop for Cache<T, CAP> {
    fn drop(&mut self) {
        // Relaxed, all: `&mut self`.
        if let Some(block) = NonNull::new(self.block.load(Relaxed)) {
            // SAFETY: the cache owns what it points to.
            unsafe { Block::free(block) };
        }
        let mut at = self.retired.load(Relaxed);
        while let Some(block) = NonNull::new(at) {
            // SAFETY: the cache owns its list.
            at = unsafe { Block::below(block) }.load(Relaxed);
            // SAFETY: as above, and every pop is over.
            unsafe { Block::free(block) };
        }
    }
}
