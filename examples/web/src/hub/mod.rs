//! The set of open connections: admission, the sweep of overdue ones, and the drain.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_io::Timer;
use event_listener::Event;

use crate::activity::{Activity, Clock, Patience};

/// All open connections of one server.
pub struct Hub {
    /// Advanced by the sweep, read by the connections.
    pub clock: Arc<Clock>,
    /// How long a connection may stay in a phase.
    pub patience: Patience,
    limit: usize,
    draining: AtomicBool,
    guests: Mutex<Guests>,
    /// Notified when the first connection comes and whenever one goes.
    changed: Event,
}

#[derive(Default)]
struct Guests {
    next: u64,
    open: HashMap<u64, Arc<Activity>>,
}

impl Hub {
    /// An empty set that admits `limit` connections, at least one.
    pub fn new(patience: Patience, limit: usize) -> Self {
        Self {
            clock: Arc::new(Clock::new()),
            patience,
            limit: limit.max(1),
            draining: AtomicBool::new(false),
            guests: Mutex::default(),
            changed: Event::new(),
        }
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a new connection. It leaves when the guest is dropped.
    pub fn admit(self: &Arc<Self>) -> Guest {
        // The sweep sleeps while there is nobody here, and the clock with it.
        let activity = Arc::new(Activity::new(self.clock.advance()));
        let mut guests = self.guests();
        let id = guests.next;
        guests.next += 1;
        let first = guests.open.is_empty();
        guests.open.insert(id, Arc::clone(&activity));
        drop(guests);
        if first {
            self.changed.notify(usize::MAX);
        }
        Guest {
            hub: Arc::clone(self),
            id,
            activity,
        }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.guests().open.len()
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
        while !holds(self.open()) {
            let changed = self.changed.listen();
            // A change between the check and the listener would be missed.
            if holds(self.open()) {
                return;
            }
            changed.await;
        }
    }

    /// Whether the server is shutting down.
    pub fn draining(&self) -> bool {
        // Acquire: pairs with the Release in `drain`.
        self.draining.load(Ordering::Acquire)
    }

    /// Asks every connection to finish what it is doing and close.
    pub fn drain(&self) {
        // Release: a connection that finds the nudge also finds the flag.
        self.draining.store(true, Ordering::Release);
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
        self.guests().open.values().map(Arc::clone).collect()
    }
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
        self.hub.guests().open.remove(&self.id);
        self.hub.changed.notify(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    fn hub(limit: usize) -> Arc<Hub> {
        let patience = Patience {
            head: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        };
        Arc::new(Hub::new(patience, limit))
    }

    #[test]
    fn room_opens_when_a_guest_leaves() {
        let hub = hub(1);
        let guest = hub.admit();
        block_on(async {
            let mut room = std::pin::pin!(hub.room());
            assert!(poll_once(room.as_mut()).await.is_none());
            drop(guest);
            assert!(poll_once(room.as_mut()).await.is_some());
        });
    }

    #[test]
    fn empty_waits_for_the_last_guest() {
        let hub = hub(8);
        let (a, b) = (hub.admit(), hub.admit());
        block_on(async {
            let mut empty = std::pin::pin!(hub.empty());
            drop(a);
            assert!(poll_once(empty.as_mut()).await.is_none());
            drop(b);
            assert!(poll_once(empty.as_mut()).await.is_some());
        });
    }

    #[test]
    fn drain_nudges_everyone() {
        let hub = hub(8);
        let guests = [hub.admit(), hub.admit()];
        hub.drain();
        assert!(hub.draining());
        assert!(guests.iter().all(|guest| guest.activity.take_nudge()));
    }
}
