//! Who waits, in order.

use std::task::Waker;
use std::vec::Vec;

use core::ptr::NonNull;

use super::parker::{Asleep, Parker};

/// What waits.
pub(super) enum Waiter {
    /// Of a thread whose entry leaves the list before the parker goes.
    Thread(NonNull<Parker>),
    Task(Waker),
}

// SAFETY: a parker is an atomic word, which any thread may use.
unsafe impl Send for Waiter {}

/// Who is to be woken, outside of the lock.
#[must_use = "it sleeps until this is used"]
pub(super) enum Sleeper {
    Thread(Asleep),
    Task(Waker),
}

/// Whether an entry has been woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a wake-up that nobody used belongs to the next"]
pub(super) enum State {
    Waiting,
    Notified,
}

/// An entry of the list; its owner takes it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(usize);

/// A list of waiters, linked through the slots of a vector, so that one in the middle can
/// leave, and that slots are used again.
///
/// | slot | meaning | who may leave it, how |
/// |---|---|---|
/// | `Waiting` | in the list | a notifier: to `Notified`; its owner: to `Free` |
/// | `Notified` | out of the list, the owner does not know yet | its owner: to `Free` |
/// | `Free` | in the list of free slots | a new owner: to `Waiting` |
pub(super) struct List {
    slots: Vec<Slot>,
    /// Ends of the list, and the first free slot; `NONE` if there is none.
    first: usize,
    last: usize,
    free: usize,
    len: usize,
}

enum Slot {
    Waiting {
        waiter: Waiter,
        before: usize,
        after: usize,
    },
    Notified,
    Free {
        next: usize,
    },
}

const NONE: usize = usize::MAX;

impl List {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            first: NONE,
            last: NONE,
            free: NONE,
            len: 0,
        }
    }

    /// How many wait and have not been notified.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push_back(&mut self, waiter: Waiter) -> Key {
        let slot = Slot::Waiting {
            waiter,
            before: self.last,
            after: NONE,
        };
        let key = match self.slots.get(self.free) {
            Some(&Slot::Free { next }) => {
                let key = std::mem::replace(&mut self.free, next);
                self.slots[key] = slot;
                key
            }
            _ => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        self.link(self.last, key);
        self.last = key;
        self.len += 1;
        Key(key)
    }

    /// Takes the first one out, to be woken.
    ///
    /// # Safety
    ///
    /// The lock of the list is held: a thread takes it before its parker goes.
    pub(super) unsafe fn notify_first(&mut self) -> Option<Sleeper> {
        let key = self.first;
        (key != NONE).then(|| match self.unlink(key) {
            // SAFETY: its entry has not been removed, and cannot be while the lock is held:
            // so the parker is there.
            Waiter::Thread(parker) => Sleeper::Thread(unsafe { parker.as_ref() }.unpark()),
            Waiter::Task(waker) => Sleeper::Task(waker),
        })
    }

    /// Puts another waiter in the place of this one, unless it has been notified.
    pub(super) fn replace(&mut self, key: Key, new: Waiter) -> Result<Waiter, Waiter> {
        match &mut self.slots[key.0] {
            Slot::Waiting { waiter, .. } => Ok(std::mem::replace(waiter, new)),
            _ => Err(new),
        }
    }

    /// Whether the entry is the task of `waker`, and has not been notified.
    pub(super) fn waits_for(&self, key: Key, waker: &Waker) -> bool {
        matches!(&self.slots[key.0],
            Slot::Waiting { waiter: Waiter::Task(own), .. } if own.will_wake(waker))
    }

    /// Ends an entry, by its owner, and says what it was; the waiter is to be dropped
    /// outside of the lock.
    pub(super) fn remove(&mut self, key: Key) -> (State, Option<Waiter>) {
        let found = match self.slots[key.0] {
            Slot::Waiting { .. } => (State::Waiting, Some(self.unlink(key.0))),
            Slot::Notified => (State::Notified, None),
            Slot::Free { .. } => unreachable!("an entry ended twice"),
        };
        self.slots[key.0] = Slot::Free { next: self.free };
        self.free = key.0;
        found
    }

    /// Waiting -> Notified
    fn unlink(&mut self, key: usize) -> Waiter {
        let slot = std::mem::replace(&mut self.slots[key], Slot::Notified);
        let Slot::Waiting {
            waiter,
            before,
            after,
        } = slot
        else {
            unreachable!("only who waits is in the list");
        };
        self.link(before, after);
        if after == NONE {
            self.last = before;
        }
        self.len -= 1;
        waiter
    }

    /// Lets `after` come after `before`, each of which may be the end.
    fn link(&mut self, before: usize, new_after: usize) {
        match self.slots.get_mut(before) {
            Some(Slot::Waiting { after, .. }) => *after = new_after,
            _ => self.first = new_after,
        }
        if let Some(Slot::Waiting {
            before: new_before, ..
        }) = self.slots.get_mut(new_after)
        {
            *new_before = before;
        }
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::task::{Wake, Waker};
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::{Key, List, State, Waiter};

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    proptest! {
        /// Against a queue of keys: entries leave from anywhere, in any order.
        #[test]
        fn as_a_queue(steps in prop::collection::vec((0..3, any::<prop::sample::Index>()), 0..200)) {
            // Not `Waker::noop`, which need not be the same as itself.
            let waker = Waker::from(Arc::new(Nobody));
            let mut list = List::new();
            let mut waiting = VecDeque::<Key>::new();
            let mut notified = Vec::<Key>::new();
            let mut most = 0;
            for (kind, pick) in steps {
                let all = waiting.len() + notified.len();
                match kind {
                    0 => waiting.push_back(list.push_back(Waiter::Task(waker.clone()))),
                    1 => {
                        // SAFETY: the list is ours, and has no threads.
                        let first = unsafe { list.notify_first() };
                        prop_assert_eq!(first.is_some(), !waiting.is_empty());
                        notified.extend(waiting.pop_front());
                    }
                    _ if all == 0 => {}
                    _ => {
                        let n = pick.index(all);
                        let (key, expected) = match n.checked_sub(waiting.len()) {
                            None => (waiting.remove(n).unwrap(), State::Waiting),
                            Some(n) => (notified.swap_remove(n), State::Notified),
                        };
                        prop_assert_eq!(list.remove(key).0, expected);
                    }
                }
                prop_assert_eq!(list.len(), waiting.len());
                most = most.max(waiting.len() + notified.len());
                prop_assert!(list.slots.len() <= most, "slots are used again");
            }
            for key in waiting {
                prop_assert!(list.waits_for(key, &waker));
                // SAFETY: as above.
                let first = unsafe { list.notify_first() };
                prop_assert!(first.is_some());
                prop_assert!(!list.waits_for(key, &waker));
                prop_assert!(list.replace(key, Waiter::Task(waker.clone())).is_err());
            }
            // SAFETY: as above.
            let first = unsafe { list.notify_first() };
            prop_assert!(first.is_none());
        }
    }
}
