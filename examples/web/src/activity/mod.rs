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
/// | `Idle` | between requests, all responses are out | a byte: `Head` |
/// | `Head` | part of a request's head has arrived | the handler starts: `Busy` |
/// | `Busy` | the handler runs, or its body is made and sent | the socket is full: `Stalled`; the last byte is out: `Idle`, or `Head` if the client has sent ahead |
/// | `Stalled` | a response waits for the client to take it | bytes are taken: `Busy` |
///
/// Only in `Head` is there no response on the wire, so that one of the sweep's own fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Accepted, nothing received yet.
    Fresh = 0,
    /// Between requests.
    Idle = 1,
    /// Part of a request's head has arrived.
    Head = 2,
    /// A response is made or sent, and the client takes what there is.
    Busy = 3,
    /// The client does not take the response.
    Stalled = 4,
}

/// The bits of an activity's word: `millis << 5 | ENDED | AHEAD | phase`.
const PHASE: u64 = 0b111;
/// In `Busy` and `Stalled`: bytes have come that are not of this request's head.
const AHEAD: u64 = 0b1000;
/// In `Busy` and `Stalled`: hyper has all of the body, and some of it may not be sent yet.
const ENDED: u64 = 0b1_0000;
const SHIFT: u32 = 5;

impl Phase {
    fn of(word: u64) -> Self {
        match word & PHASE {
            0 => Self::Fresh,
            1 => Self::Idle,
            2 => Self::Head,
            3 => Self::Busy,
            _ => Self::Stalled,
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
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX >> SHIFT);
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
    /// The time and the phase. Only the connection's task stores to it, so a
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

    fn word(&self) -> u64 {
        // Relaxed: the word is all that is shared; nothing is published by it.
        self.word.load(Ordering::Relaxed)
    }

    fn store(&self, word: u64) {
        // Relaxed: see `word`.
        self.word.store(word, Ordering::Relaxed);
    }

    /// The phase and the time of its last progress.
    pub fn get(&self) -> (Phase, u64) {
        let word = self.word();
        (Phase::of(word), word >> SHIFT)
    }

    /// The task's side: a request's head is complete, and its handler starts.
    pub fn begin(&self, now: u64) {
        self.store(pack(Phase::Busy, now));
    }

    /// The task's side: bytes arrived.
    pub fn received(&self, now: u64) {
        let word = self.word();
        match Phase::of(word) {
            Phase::Fresh | Phase::Idle => self.store(pack(Phase::Head, now)),
            Phase::Head => {}
            Phase::Busy | Phase::Stalled => self.store(word | AHEAD),
        }
    }

    /// The task's side: the client took bytes of a response.
    pub fn sent(&self, now: u64) {
        self.respond(Phase::Busy, now);
    }

    /// The task's side: the client took none. The time counts from the first such try.
    pub fn stalled(&self, now: u64) {
        if Phase::of(self.word()) == Phase::Busy {
            self.respond(Phase::Stalled, now);
        }
    }

    fn respond(&self, phase: Phase, now: u64) {
        let word = self.word();
        // What is sent in another phase is hyper's own refusal of a bad head.
        if matches!(Phase::of(word), Phase::Busy | Phase::Stalled) {
            self.store(pack(phase, now) | word & (AHEAD | ENDED));
        }
    }

    /// The task's side: nothing more will come from the response's body.
    pub fn body_ended(&self) {
        self.store(self.word() | ENDED);
    }

    /// The task's side: all bytes that there were are sent. If the body has ended, so
    /// has the response.
    pub fn flushed(&self, now: u64) {
        let word = self.word();
        let responding = matches!(Phase::of(word), Phase::Busy | Phase::Stalled);
        if !responding || word & ENDED == 0 {
            return;
        }
        let phase = match word & AHEAD {
            0 => Phase::Idle,
            _ => Phase::Head,
        };
        self.store(pack(phase, now));
    }

    /// Whether the phase has lasted longer than `patience` allows.
    pub fn overdue(&self, now: u64, patience: &Patience) -> bool {
        let (phase, since) = self.get();
        let limit = match phase {
            Phase::Busy => return false,
            Phase::Fresh | Phase::Head => patience.head,
            Phase::Idle | Phase::Stalled => patience.idle,
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
    millis << SHIFT | phase as u64
}
