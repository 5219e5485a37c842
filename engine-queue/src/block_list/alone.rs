//! What needs no other thread to be thought of: `&mut self`.

use core::ptr::NonNull;

use engine_atomic::sync::atomic::Ordering::*;

use super::BlockList;
use super::block::Block;
use super::index::Index;
use crate::drop_all::drop_all;

impl<T, const CAP: usize> BlockList<T, CAP> {
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
