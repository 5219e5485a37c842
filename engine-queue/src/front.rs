//! Moving items out of the front of a vector.

use alloc::vec::Vec;
use core::ptr;

/// The items of a vector, taken out one after the other. When this is dropped, also by an
/// unwind, those that were not taken are the vector's again, moved to its front.
///
/// Unlike `Vec::drain` it need not know how many are taken.
pub(crate) struct Front<'a, T> {
    /// Has the length 0 meanwhile: a forgotten `Front` leaks, and nothing is dropped twice.
    items: &'a mut Vec<T>,
    len: usize,
    taken: usize,
}

impl<'a, T> Front<'a, T> {
    pub(crate) fn new(items: &'a mut Vec<T>) -> Self {
        let len = items.len();
        // SAFETY: (1) within the capacity; (2) no item is to be initialised.
        unsafe { items.set_len(0) };
        Self {
            items,
            len,
            taken: 0,
        }
    }

    /// How many are not taken.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.len - self.taken
    }

    /// Takes the next `count` items at once: they lie there, and are the caller's.
    #[inline]
    pub(crate) fn take_out(&mut self, count: usize) -> *const T {
        assert!(count <= self.left(), "there are not so many");
        // SAFETY: at or below the old length, so within the allocation.
        let items = unsafe { self.items.as_ptr().add(self.taken) };
        self.taken += count;
        items
    }
}

impl<T> Iterator for Front<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.left() == 0 {
            return None;
        }
        // SAFETY: below the old length, so within the allocation.
        let item = unsafe { self.items.as_ptr().add(self.taken) };
        self.taken += 1;
        // SAFETY: initialised, and read once: the count goes up, and the vector's length
        // does not cover it any more.
        Some(unsafe { item.read() })
    }
}

impl<T> Drop for Front<'_, T> {
    fn drop(&mut self) {
        let left = self.left();
        if left == 0 {
            return;
        }
        let start = self.items.as_mut_ptr();
        // SAFETY: below or at the old length, so within the allocation.
        let rest = unsafe { start.add(self.taken) };
        // SAFETY: (1) both lie within the allocation; (2) it may overlap: `copy` allows it;
        // (3) the source is not used after this.
        unsafe { ptr::copy(rest, start, left) };
        // SAFETY: (1) within the capacity; (2) so many are initialised, by the copy.
        unsafe { self.items.set_len(left) };
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use std::rc::Rc;
    use std::vec;
    use std::vec::Vec;

    use super::Front;

    #[test]
    fn what_is_not_taken_stays() {
        for taken in 0..=3 {
            let mut items = vec![Rc::new(0), Rc::new(1), Rc::new(2)];
            let all = items.clone();
            let mut front = Front::new(&mut items);
            let out: Vec<_> = front.by_ref().take(taken).collect();
            assert_eq!(front.left(), 3 - taken);
            drop(front);
            assert_eq!(out, all[..taken]);
            assert_eq!(items, all[taken..]);
            drop((out, items));
            assert!(all.iter().all(|item| Rc::strong_count(item) == 1));
        }
    }

    #[test]
    fn an_empty_vector_and_items_of_no_size() {
        assert_eq!(Front::new(&mut Vec::<u8>::new()).next(), None);
        let mut items = vec![(); 5];
        Front::new(&mut items).next();
        assert_eq!(items.len(), 4);
    }
}
