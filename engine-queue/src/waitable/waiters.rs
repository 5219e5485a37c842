//! Waiting for one kind of event, and telling of it.

use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use core::marker::PhantomData;
use core::mem;
use core::ptr::NonNull;

use engine_atomic::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use engine_atomic::sync::{Mutex, pick};
use engine_atomic::{Backoff, CachePadded, fence};

use super::list::{Key, List, Sleeper, State, Waiter};
use super::panics::Panics;
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
///
/// The end of a queue is an event for all: `notify_all` needs no fence, as its lock is after
/// that of whoever is in the list, and before that of whoever comes later. The same holds for
/// an end that is dropped, which says that it is gone first (`Link`).
///
/// Room in a `LaneQueue` is an event for all as well: a producer that is refused waits until
/// the first segment is used up, and then every one of them has room, each in its lane.
/// One wake-up for that would not do, also if it was handed on: the next one's lane may
/// be full by then, and that of the one behind it not (`lane_room_for_two`).
pub(super) struct Waiters {
    line: CachePadded<Line>,
    list: Mutex<List>,
}

/// A line of its own: everybody who makes events reads it, and nobody writes it while
/// nobody waits.
struct Line {
    /// The length of the list, written under its lock.
    count: AtomicUsize,
    /// Whether the end that would wait here is gone.
    gone: AtomicBool,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self {
            line: CachePadded::new(Line {
                count: AtomicUsize::new(0),
                gone: AtomicBool::new(false),
            }),
            list: Mutex::new(List::new()),
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        // Relaxed: a statistic.
        self.line.count.load(Relaxed)
    }

    /// Nobody will wait here any more.
    pub(super) fn say_gone(&self) {
        // Release: who sees it sees what the end did; pairs with the Acquire in `is_gone`.
        self.line.gone.store(true, Release);
    }

    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        // Acquire: see `say_gone`.
        self.line.gone.load(Acquire)
    }

    /// So many events have happened: wakes as many of those who have waited longest. Panics
    /// as a waker does.
    #[inline]
    pub(super) fn notify(&self, events: usize) {
        if self.somebody_waits() {
            self.notify_some(events);
        }
    }

    #[cold]
    fn notify_some(&self, events: usize) {
        self.wake_first(events).pass_on();
    }

    /// After an event: whether somebody may be waiting for it.
    #[inline]
    pub(super) fn somebody_waits(&self) -> bool {
        // Light: see the type.
        fence::light();
        // Relaxed: ordered by the fence.
        self.line.count.load(Relaxed) != 0
    }

    /// Wakes as many of those who have waited longest.
    pub(super) fn wake_first(&self, most: usize) -> Panics {
        let mut panics = Panics::default();
        let mut left = most;
        // How many of those who are there now can be there still. Those who enter meanwhile
        // are behind them, and see the event in the look after it, by the lock. Without this a
        // waker that waits again and panics would be called for ever.
        let mut there = usize::MAX;
        while left > 0
            && there > 0
            && let Some((first, behind)) = self.take_first()
        {
            there = behind.min(there - 1);
            // Whose waker has panicked may never come: the event goes to the next as well.
            left -= usize::from(wake(first, &mut panics));
        }
        panics
    }

    /// An event that all must see: wakes everybody.
    pub(super) fn notify_all(&self) -> Panics {
        // No fence and no look at the count: under the lock, an entry is there or comes later,
        // and then the look after it sees what the lock has ordered.
        self.wake_first(usize::MAX)
    }

    /// The first one, and how many are behind it.
    fn take_first(&self) -> Option<(Sleeper, usize)> {
        self.with_list(|list| {
            // SAFETY: the lock is held.
            let first = unsafe { list.notify_first() };
            first.map(|first| (first, list.len()))
        })
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
        let parker = Parker::new();
        loop {
            // Unwind: the entry leaves, and passes on what it was woken for.
            let entry = Entry::new(self, &parker);
            if let Some(result) = attempt() {
                return Some(result);
            }
            let parked = parker.park(deadline);
            // What it was woken for is used by the attempt, which fails only if there is
            // nothing to be woken for. Unwind: it goes to the next.
            let wake_up = entry.end();
            let result = attempt();
            wake_up.used();
            match (result, parked) {
                (None, Parked::Woken) => {}
                (result, _) => return result,
            }
        }
    }

    /// Tries, and sees to it that the task is woken when it is worth another try. `place` is
    /// the task's place in the list, if it has one.
    pub(super) fn poll<R>(
        &self,
        place: &mut Option<Key>,
        cx: &Context<'_>,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Poll<R> {
        loop {
            if let Some(key) = *place {
                // Before the attempt: what it was woken for is used by that. Unwind (a waker
                // that cannot be cloned): the place stays as it was.
                if self.keep_waiting(key, cx.waker()) == State::Notified {
                    *place = None;
                    // Unwind: as in `wait`.
                    let wake_up = self.end(key);
                    let result = attempt();
                    wake_up.used();
                    if let Some(result) = result {
                        return Poll::Ready(result);
                    }
                } else if let Some(result) = attempt() {
                    self.leave(place);
                    return Poll::Ready(result);
                } else {
                    return Poll::Pending;
                }
            } else if let Some(result) = attempt() {
                return Poll::Ready(result);
            }
            // Unwind: nothing is entered yet.
            let waker = cx.waker().clone();
            *place = Some(self.enter(Waiter::Task(waker)));
        }
    }

    /// Gives up a place; what it was woken for goes to the next. Does not panic.
    pub(super) fn leave(&self, place: &mut Option<Key>) {
        if let Some(key) = place.take() {
            drop(self.end(key));
        }
    }

    /// Enters the list. After this the caller must try again before it sleeps.
    fn enter(&self, waiter: Waiter) -> Key {
        let key = self.with_list(|list| list.push_back(waiter));
        // Heavy: see the type.
        fence::heavy();
        key
    }

    /// Makes sure that a notification wakes `waker`; or says that there has been one.
    fn keep_waiting(&self, key: Key, waker: &Waker) -> State {
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

    /// Ends an entry. Does not panic.
    fn end(&self, key: Key) -> WakeUp<'_> {
        let (state, waiter) = self.with_list(|list| list.remove(key));
        // The drop of a waker is the user's, and the caller may have an item in its hands.
        let mut panics = Panics::default();
        panics.catch(|| drop(waiter));
        panics.end_here();
        WakeUp {
            waiters: (state == State::Notified).then_some(self),
        }
    }

    fn with_list<R>(&self, f: impl FnOnce(&mut List) -> R) -> R {
        // Nothing panics inside, but for an allocation that fails before it changes anything.
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut list);
        // Relaxed: for those who wait ordered by their heavy fence; and a count that is too
        // high for a moment only costs a look.
        self.line.count.store(list.len(), Relaxed);
        result
    }
}

/// Wakes one; whether it was woken.
fn wake(sleeper: Sleeper, panics: &mut Panics) -> bool {
    match sleeper {
        // None of the user's code.
        Sleeper::Thread(asleep) => {
            asleep.rouse();
            true
        }
        Sleeper::Task(waker) => panics.catch(|| waker.wake()),
    }
}

/// What an entry that has ended was woken for, if it was.
#[must_use = "dropped, it goes to the next"]
struct WakeUp<'a> {
    waiters: Option<&'a Waiters>,
}

impl WakeUp<'_> {
    /// A look came after it.
    fn used(self) {
        mem::forget(self);
    }
}

impl Drop for WakeUp<'_> {
    /// Does not panic: it is called with items in hand, and in drops.
    fn drop(&mut self) {
        if let Some(waiters) = self.waiters
            && waiters.somebody_waits()
        {
            waiters.wake_first(1).end_here();
        }
    }
}

/// The entry of a thread, for as long as it is in the list.
struct Entry<'a> {
    waiters: &'a Waiters,
    key: Option<Key>,
    /// Lent to the list; leaves it with the entry.
    parker: PhantomData<&'a Parker>,
}

impl<'a> Entry<'a> {
    fn new(waiters: &'a Waiters, parker: &'a Parker) -> Self {
        Self {
            waiters,
            key: Some(waiters.enter(Waiter::Thread(NonNull::from(parker)))),
            parker: PhantomData,
        }
    }

    fn end(mut self) -> WakeUp<'a> {
        match self.key.take() {
            Some(key) => self.waiters.end(key),
            None => WakeUp { waiters: None },
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.waiters.leave(&mut self.key);
    }
}
