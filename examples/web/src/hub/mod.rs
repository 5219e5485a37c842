//! The set of open connections: admission, the sweep of overdue ones, and the drain.

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_io::Timer;

use crate::activity::{Activity, Clock, Patience};
use crate::sync::{Mutex, lock, wake_all};

/// All open connections of one server.
pub struct Hub {
    /// Advanced by the sweep, read by the connections.
    pub clock: Arc<Clock>,
    /// How long a connection may stay in a phase.
    pub patience: Patience,
    limit: usize,
    guests: Mutex<Guests>,
}

/// One lock for all of it: a connection that enters is in the picture that the drain
/// takes, or finds the drain on. Nobody is woken under it.
#[derive(Default)]
struct Guests {
    next: u64,
    open: BTreeMap<u64, Arc<Activity>>,
    draining: bool,
    /// Who waits for another number of connections.
    waiting: Vec<Waker>,
}

impl Hub {
    /// An empty set that admits `limit` connections, at least one.
    pub fn new(patience: Patience, limit: usize) -> Self {
        Self {
            clock: Arc::new(Clock::new()),
            patience,
            limit: limit.max(1),
            guests: Mutex::default(),
        }
    }

    /// Enters a new connection. It leaves when the guest is dropped.
    pub fn admit(self: &Arc<Self>) -> Guest {
        // The sweep sleeps while there is nobody here, and the clock with it.
        let activity = Arc::new(Activity::new(self.clock.advance()));
        let mut guests = lock(&self.guests);
        let id = guests.next;
        guests.next += 1;
        guests.open.insert(id, Arc::clone(&activity));
        let waiting = mem::take(&mut guests.waiting);
        let draining = guests.draining;
        drop(guests);
        if draining {
            activity.nudge();
        }
        notify(waiting);
        Guest {
            hub: Arc::clone(self),
            id,
            activity,
        }
    }

    fn leave(&self, id: u64) {
        let mut guests = lock(&self.guests);
        let activity = guests.open.remove(&id);
        let waiting = mem::take(&mut guests.waiting);
        drop(guests);
        // It holds a waker, whose drop is foreign code.
        drop(activity);
        notify(waiting);
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        lock(&self.guests).open.len()
    }

    /// Waits until one more connection may enter.
    pub async fn room(&self) {
        self.until(|open| open < self.limit).await;
    }

    /// Waits until the last connection has left.
    pub async fn empty(&self) {
        self.until(|open| open == 0).await;
    }

    async fn until(&self, holds: impl Fn(usize) -> bool) {
        poll_fn(|cx| self.poll_until(cx, &holds)).await;
    }

    fn poll_until(&self, cx: &mut Context<'_>, holds: &impl Fn(usize) -> bool) -> Poll<()> {
        if holds(self.open()) {
            return Poll::Ready(());
        }
        // Cloned without the lock.
        let waker = cx.waker().clone();
        let mut guests = lock(&self.guests);
        // A change between the check and the waker would be missed.
        if holds(guests.open.len()) {
            return Poll::Ready(());
        }
        if !guests.waiting.iter().any(|other| other.will_wake(&waker)) {
            guests.waiting.push(waker);
        }
        Poll::Pending
    }

    /// Whether the server is shutting down.
    pub fn draining(&self) -> bool {
        lock(&self.guests).draining
    }

    /// Asks every connection to finish what it is doing and close, those that enter
    /// later as well.
    pub fn drain(&self) {
        lock(&self.guests).draining = true;
        for activity in self.snapshot() {
            activity.nudge();
        }
    }

    /// Nudges overdue connections, for ever. Sleeps while none is open.
    pub async fn sweep(&self) {
        let shortest = self.patience.head.min(self.patience.idle);
        let step = (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
        loop {
            self.until(|open| open > 0).await;
            Timer::after(step).await;
            let now = self.clock.advance();
            for activity in self.snapshot() {
                if activity.overdue(now, &self.patience) {
                    activity.nudge();
                }
            }
        }
    }

    /// The connections of this moment; nudging runs wakers, so not under the lock.
    fn snapshot(&self) -> Vec<Arc<Activity>> {
        lock(&self.guests).open.values().map(Arc::clone).collect()
    }
}

/// A waker that panics is the runtime's concern, and no reason to leave a connection
/// half entered or half gone.
fn notify(waiting: Vec<Waker>) {
    let _ = wake_all(waiting);
}

/// One admitted connection.
pub struct Guest {
    /// The set it belongs to.
    pub hub: Arc<Hub>,
    id: u64,
    /// What it is doing.
    pub activity: Arc<Activity>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}
