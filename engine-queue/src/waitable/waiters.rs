//! Waiting for one kind of event, and telling of it.

use std::sync::PoisonError;
use std::task::Waker;
use std::time::Instant;
use std::vec::Vec;

use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};
use engine_atomic::sync::{Arc, Mutex, pick};
use engine_atomic::{Backoff, CachePadded, fence};

use super::list::{Key, List, State, Waiter};
use super::parker::{Parked, Parker};

/// Looks before a thread sleeps, each after a longer wait, the last by yielding.
const LOOKS: u32 = pick(6, 0) as u32;

/// Who waits for an event: an item in a queue, or room.
///
/// | who makes an event | who waits |
/// |---|---|
/// | E1 the event: a push, for example | W1 enters the list, and the count |
/// | **`fence::light`** | **`fence::heavy`** |
/// | E2 reads the count; 0: done | W2 tries; success: leaves, done |
/// | E3 takes the first out of the list, wakes it | W3 sleeps until woken |
///
/// The two fences are ordered like SeqCst fences. The light one is first: then W2 sees the
/// event, unless somebody else has used it up. The heavy one is first: then E2 sees the count.
///
/// A wake-up belongs to an event. Whoever got it and does not need it, because W2 succeeded,
/// or it gave up, passes it on to the next: an event that nobody has used may be behind it.
/// W2 succeeding is no use of it (`two_waiters_two_pushes`, `two_tasks_two_pushes`):
///
/// ```text
///     A                       B                       pushes
///     enters                  enters, sleeps
///                                                     pushes 1
///     W2: takes 1
///                                                     wakes B for 1
///                             finds nothing, enters
///                                                     pushes 2, wakes A for it
///     leaves: passes on, or B sleeps beside 2
/// ```
pub(super) struct Waiters {
    /// The length of the list, written under the lock. On a line of its own: everybody who
    /// makes events reads it, and nobody writes it while nobody waits.
    count: CachePadded<AtomicUsize>,
    list: Mutex<List>,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self {
            count: CachePadded::new(AtomicUsize::new(0)),
            list: Mutex::new(List::new()),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        // Relaxed: a statistic.
        self.count.load(Relaxed)
    }

    /// An event has happened: wakes the one who has waited longest.
    #[inline]
    pub(super) fn notify_one(&self) {
        // Light: see the type.
        fence::light();
        // Relaxed: ordered by the fence.
        if self.count.load(Relaxed) != 0 {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        let first = self.with_list(List::notify_first);
        // Outside of the lock: the waker is the user's.
        if let Some(first) = first {
            first.wake();
        }
    }

    /// An event that all must see: wakes everybody.
    pub(super) fn notify_all(&self) {
        // No fence and no look at the count: under the lock, an entry is there or comes later,
        // and then the look after it sees what the lock has ordered.
        let mut all: Vec<_> =
            self.with_list(|list| std::iter::from_fn(|| list.notify_first()).collect());
        /// Wakes the rest also when one panics.
        struct Rest<'a>(&'a mut Vec<Waiter>);
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.0.drain(..).for_each(Waiter::wake);
            }
        }
        let rest = Rest(&mut all);
        while let Some(waiter) = rest.0.pop() {
            waiter.wake();
        }
    }

    /// Tries until `attempt` succeeds, and sleeps in between; `None` if the deadline comes
    /// first.
    pub(super) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let backoff = Backoff::new();
        loop {
            if let Some(result) = attempt() {
                return Some(result);
            }
            if backoff.rounds() >= LOOKS {
                break;
            }
            backoff.snooze();
        }
        let parker = Arc::new(Parker::new());
        loop {
            // Unwind: the entry leaves, and passes on what it was woken for.
            let entry = Entry::new(self, Waiter::Thread(parker.clone()));
            if let Some(result) = attempt() {
                return Some(result);
            }
            let parked = parker.park(deadline);
            // What it was woken for is used by the attempt below, which fails only if there is
            // nothing to be woken for.
            let _used = entry.end();
            match (attempt(), parked) {
                (None, Parked::Woken) => {}
                (result, _) => return result,
            }
        }
    }

    /// Enters the list. After this the caller must try again before it sleeps.
    pub(super) fn enter(&self, waiter: Waiter) -> Key {
        let key = self.with_list(|list| list.push_back(waiter));
        // Heavy: see the type.
        fence::heavy();
        key
    }

    /// Makes sure that a notification wakes `waker`; or says that there has been one.
    pub(super) fn keep_waiting(&self, key: Key, waker: &Waker) -> State {
        if self.with_list(|list| list.waits_for(key, waker)) {
            return State::Waiting;
        }
        // Outside of the lock, this and the drop of what comes back: the code is the user's.
        let new = Waiter::Task(waker.clone());
        match self.with_list(|list| list.replace(key, new)) {
            Ok(_old) => State::Waiting,
            Err(_new) => State::Notified,
        }
    }

    /// Ends an entry.
    pub(super) fn end(&self, key: Key) -> State {
        let (state, _waiter) = self.with_list(|list| list.remove(key));
        state
    }

    /// Ends an entry that does not use what it may have been woken for.
    pub(super) fn leave(&self, key: Key) {
        if self.end(key) == State::Notified {
            self.notify_one();
        }
    }

    fn with_list<R>(&self, f: impl FnOnce(&mut List) -> R) -> R {
        // Nothing panics inside, but for an allocation that fails before it changes anything.
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut list);
        // Relaxed: for those who wait ordered by their heavy fence; and a count that is too
        // high for a moment only costs a look.
        self.count.store(list.len(), Relaxed);
        result
    }
}

/// The entry of a thread, for as long as it is in the list.
struct Entry<'a> {
    waiters: &'a Waiters,
    key: Key,
}

impl<'a> Entry<'a> {
    fn new(waiters: &'a Waiters, waiter: Waiter) -> Self {
        Self {
            waiters,
            key: waiters.enter(waiter),
        }
    }

    fn end(self) -> State {
        let (waiters, key) = (self.waiters, self.key);
        std::mem::forget(self);
        waiters.end(key)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.waiters.leave(self.key);
    }
}
