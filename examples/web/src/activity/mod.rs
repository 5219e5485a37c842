//! What one connection is doing, and since when: read by the sweep that closes
//! idle and slow connections.
//!
//! A timer for each request would cost an allocation, a lock and often a
//! system call. Here a connection stores one word when its phase changes,
//! stamped from a clock that the sweep itself advances, and the sweep looks at
//! all of them a few times in each timeout.

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, lock, wake_all};

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
    /// It orders nothing: a nudge shows it to those who have to see it.
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
    /// load and a store make an update. It stands for itself and orders nothing: no
    /// model needs it.
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
        let waker = waker.clone();
        // Dropped without the lock: a waker's drop is foreign code.
        let _before = lock(&self.waker).replace(waker);
    }

    /// Makes the task look at the server's state and at its own clock.
    pub fn nudge(&self) {
        // Release: what the caller did before, as advancing the clock, is visible to
        // the task that finds the nudge; pairs with the Acquire in `take_nudge`.
        self.nudged.swap(true, Ordering::Release);
        // Cloned under the lock, since it has to stay: the task sets it once.
        let waker = lock(&self.waker).clone();
        // A waker that panics is the runtime's concern, and no reason to leave out
        // the connections behind this one.
        let _ = wake_all(waker);
    }

    /// The task's side, after [`set_waker`](Self::set_waker): whether a nudge came since
    /// the last call. The common answer, no, is one load.
    ///
    /// A nudge sets the flag and then looks for a waker; the task sets its waker and then
    /// looks for the flag. The lock around the waker decides: whoever comes second sees
    /// what the other has done before.
    pub fn take_nudge(&self) -> bool {
        // Relaxed: the swap below synchronises, and the lock in `set_waker` keeps this
        // load from missing a nudge that has found no waker.
        self.nudged.load(Ordering::Relaxed)
            // Acquire: pairs with the Release in `nudge`.
            && self.nudged.swap(false, Ordering::Acquire)
    }
}

fn pack(phase: Phase, millis: u64) -> u64 {
    millis << 2 | phase as u64
}
