//! Every live task, so that a shutdown can reach those that wait for something.

use std::task::Waker;

use engine_lock::{Mutex, MutexGuard};

/// A slab of wakers behind a lock. A scheduler has one per worker and one for
/// foreign threads, so that spawning rarely meets another thread here.
pub(crate) struct Registry {
    slots: Mutex<Slots>,
}

struct Slots {
    entries: Vec<Slot>,
    /// Head of the list of free entries, or `entries.len()`.
    free: u32,
    live: usize,
    closed: bool,
}

enum Slot {
    /// Names the next free entry.
    Free(u32),
    /// Its task is being made.
    Reserved,
    Live(Waker),
}

/// A reserved entry; holds the lock, so that a task is registered or the registry
/// is closed, and never in between.
pub(crate) struct Reservation<'a> {
    slots: MutexGuard<'a, Slots>,
    key: u32,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            slots: Mutex::new(Slots {
                entries: Vec::new(),
                free: 0,
                live: 0,
                closed: false,
            }),
        }
    }

    /// Reserves an entry; `None` once closed.
    pub(crate) fn reserve(&self) -> Option<Reservation<'_>> {
        let mut slots = self.slots.lock();
        if slots.closed {
            return None;
        }
        let key = slots.free;
        if key as usize == slots.entries.len() {
            // Unwind: nothing has changed yet, here and in the push.
            let next = key.checked_add(1).expect("too many live tasks");
            slots.entries.push(Slot::Reserved);
            slots.free = next;
        } else {
            let Slot::Free(next) = slots.entries[key as usize] else {
                unreachable!("the free list names an entry in use");
            };
            slots.free = next;
            slots.entries[key as usize] = Slot::Reserved;
        }
        slots.live += 1;
        Some(Reservation { slots, key })
    }

    /// Removes an entry.
    pub(crate) fn remove(&self, key: u32) {
        let mut slots = self.slots.lock();
        let next = slots.free;
        let removed = std::mem::replace(&mut slots.entries[key as usize], Slot::Free(next));
        debug_assert!(!matches!(removed, Slot::Free(_)), "removed twice");
        slots.free = key;
        slots.live -= 1;
        // The waker may be the last reference to a task, whose drop may run user
        // code that spawns: not under the lock.
        drop(slots);
        drop(removed);
    }

    /// The waker of an entry, if it is in use. The caller may be late, and wake
    /// another task that has the entry now: a spurious wake-up, which is allowed.
    pub(crate) fn waker(&self, key: u32) -> Option<Waker> {
        match self.slots.lock().entries.get(key as usize) {
            Some(Slot::Live(waker)) => Some(waker.clone()),
            _ => None,
        }
    }

    /// Refuses reservations from now on, and returns the wakers of all entries.
    pub(crate) fn close(&self) -> Vec<Waker> {
        let mut slots = self.slots.lock();
        slots.closed = true;
        let wakers = slots.entries.iter().filter_map(|slot| match slot {
            Slot::Live(waker) => Some(waker.clone()),
            _ => None,
        });
        wakers.collect()
    }

    /// Entries in use.
    pub(crate) fn live(&self) -> usize {
        self.slots.lock().live
    }
}

impl Reservation<'_> {
    pub(crate) fn key(&self) -> u32 {
        self.key
    }

    /// Makes the entry live.
    pub(crate) fn fill(mut self, waker: Waker) {
        let key = self.key as usize;
        self.slots.entries[key] = Slot::Live(waker);
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn keys_are_used_again_and_counted() {
        let registry = Registry::new();
        for key in [0, 1, 2] {
            let entry = registry.reserve().unwrap();
            assert_eq!(entry.key(), key);
            entry.fill(Waker::noop().clone());
        }
        registry.remove(1);
        registry.remove(0);
        assert_eq!(registry.live(), 1);
        assert!(registry.waker(0).is_none());
        assert!(registry.waker(2).is_some());
        assert!(registry.waker(99).is_none());
        let first = registry.reserve().map(|entry| entry.key());
        assert_eq!(first, Some(0));
        let second = registry.reserve().map(|entry| entry.key());
        assert_eq!(second, Some(1));
        let third = registry.reserve().map(|entry| entry.key());
        assert_eq!(third, Some(3));
        assert_eq!(registry.live(), 4);
    }

    #[test]
    fn a_closed_registry_refuses() {
        let registry = Registry::new();
        registry.reserve().unwrap().fill(Waker::noop().clone());
        assert_eq!(registry.close().len(), 1);
        assert!(registry.reserve().is_none());
        registry.remove(0);
        assert_eq!(registry.live(), 0);
    }
}
