//! What one connection is doing, and since when: read by the sweep that closes
//! idle and slow connections.
//!
//! A timer for each request would cost an allocation, a lock and often a
//! system call. Here a connection stores one word when its phase changes,
//! stamped from a clock that the sweep itself advances, and the sweep looks at
//! all of them a few times in each timeout.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

/// The phases of a connection.
///
/// | phase | meaning | leaves by |
/// |---|---|---|
/// | `Fresh` | accepted, nothing received | a byte: `Head` |
/// | `Idle` | between requests, or writing a response | a byte: `Head` |
/// | `Head` | part of a request's head has arrived | the handler starts: `Busy` |
/// | `Busy` | the handler runs | the handler returns: `Idle` |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Accepted, nothing received yet.
    Fresh = 0,
    /// Between requests, or writing a response.
    Idle = 1,
    /// Part of a request's head has arrived.
    Head = 2,
    /// The handler runs.
    Busy = 3,
}

impl Phase {
    fn from_bits(bits: u64) -> Self {
        match bits & 0b11 {
            0 => Self::Fresh,
            1 => Self::Idle,
            2 => Self::Head,
            _ => Self::Busy,
        }
    }
}

/// A clock that only moves when [`Clock::advance`] is called.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    millis: AtomicU64,
}

impl Clock {
    /// A clock at zero.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            millis: AtomicU64::new(0),
        }
    }

    /// Milliseconds since the start, as of the last `advance`.
    pub fn now(&self) -> u64 {
        // Relaxed: a reading that is one step old only shifts a timeout by a step.
        self.millis.load(Ordering::Relaxed)
    }

    /// Reads the system's clock and returns the new time.
    pub fn advance(&self) -> u64 {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX >> 2);
        // Relaxed: see `now`.
        self.millis.store(now, Ordering::Relaxed);
        now
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// How long a connection may stay in a phase.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first byte of a request's head to its last, and from the
    /// accept to the first byte.
    pub head: Duration,
    /// Between requests, and between two writes of a response that the client
    /// is slow to take.
    pub idle: Duration,
}

/// The shared state of one connection: written by its task, read by the sweep.
#[derive(Debug)]
pub struct Activity {
    /// `millis << 2 | phase`. Only the connection's task stores to it, so a
    /// load and a store make an update.
    word: AtomicU64,
    /// The server is draining or the sweep found the connection overdue.
    nudged: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Activity {
    /// A fresh connection at time `now`.
    pub fn new(now: u64) -> Self {
        Self {
            word: AtomicU64::new(pack(Phase::Fresh, now)),
            nudged: AtomicBool::new(false),
            waker: Mutex::new(None),
        }
    }

    /// The phase and the time of its last progress.
    pub fn get(&self) -> (Phase, u64) {
        // Relaxed: the word is all that is shared; nothing is published by it.
        let word = self.word.load(Ordering::Relaxed);
        (Phase::from_bits(word), word >> 2)
    }

    /// The task's side: enters `phase` at time `now`.
    pub fn enter(&self, phase: Phase, now: u64) {
        // Relaxed: see `get`.
        self.word.store(pack(phase, now), Ordering::Relaxed);
    }

    /// The task's side: bytes arrived.
    pub fn received(&self, now: u64) {
        if matches!(self.get().0, Phase::Fresh | Phase::Idle) {
            self.enter(Phase::Head, now);
        }
    }

    /// The task's side: bytes were written. A client that takes bytes is
    /// neither idle nor, if it has sent ahead, late with its next head.
    pub fn sent(&self, now: u64) {
        self.enter(self.get().0, now);
    }

    /// Whether the phase has lasted longer than `patience` allows.
    pub fn overdue(&self, now: u64, patience: &Patience) -> bool {
        let (phase, since) = self.get();
        let limit = match phase {
            Phase::Busy => return false,
            Phase::Fresh | Phase::Head => patience.head,
            Phase::Idle => patience.idle,
        };
        u128::from(now.saturating_sub(since)) > limit.as_millis()
    }

    /// The task's side: remembers whom to wake.
    pub fn set_waker(&self, waker: &Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
    }

    /// Makes the task look at the server's state and at its own clock.
    pub fn nudge(&self) {
        // Release: what the caller stored before (the drain flag) is visible to
        // the task that finds the nudge; pairs with the Acquire in `take_nudge`.
        self.nudged.store(true, Ordering::Release);
        let waker = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The task's side: whether a nudge came since the last call. The common
    /// answer, no, is one load.
    pub fn take_nudge(&self) -> bool {
        // Relaxed: only a hint; the swap below synchronises.
        self.nudged.load(Ordering::Relaxed)
            // Acquire: pairs with the Release in `nudge`.
            && self.nudged.swap(false, Ordering::Acquire)
    }
}

fn pack(phase: Phase, millis: u64) -> u64 {
    millis << 2 | phase as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_millis(100),
        idle: Duration::from_millis(1000),
    };

    #[test]
    fn head_time_counts_from_the_first_byte() {
        let activity = Activity::new(0);
        activity.received(50);
        activity.received(120);
        assert_eq!(activity.get(), (Phase::Head, 50));
        assert!(!activity.overdue(150, &PATIENCE));
        assert!(activity.overdue(151, &PATIENCE));
    }

    #[test]
    fn idle_and_fresh_have_their_own_limits() {
        let activity = Activity::new(7);
        assert!(!activity.overdue(107, &PATIENCE));
        assert!(activity.overdue(108, &PATIENCE));
        activity.enter(Phase::Idle, 200);
        assert!(!activity.overdue(1200, &PATIENCE));
        assert!(activity.overdue(1201, &PATIENCE));
    }

    #[test]
    fn a_busy_connection_is_never_overdue() {
        let activity = Activity::new(0);
        activity.enter(Phase::Busy, 0);
        assert!(!activity.overdue(u64::MAX >> 2, &PATIENCE));
    }

    #[test]
    fn progress_in_writing_restarts_the_wait() {
        let activity = Activity::new(0);
        activity.enter(Phase::Idle, 0);
        activity.sent(900);
        assert_eq!(activity.get(), (Phase::Idle, 900));
        assert!(!activity.overdue(1900, &PATIENCE));
        // A request sent ahead during a long download is not a slow head.
        activity.received(900);
        activity.sent(5000);
        assert_eq!(activity.get(), (Phase::Head, 5000));
    }

    #[test]
    fn a_nudge_is_taken_once() {
        let activity = Activity::new(0);
        assert!(!activity.take_nudge());
        activity.nudge();
        assert!(activity.take_nudge());
        assert!(!activity.take_nudge());
    }
}
