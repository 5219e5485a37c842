//! A reusable barrier: a ticket counter and a futex word of completed rounds.

use std::fmt;

use engine_atomic::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};
use engine_atomic::{CachePadded, const_unless_loom, futex};

use crate::spin::Patience;

mod epoch;
#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

use epoch::Epoch;

/// Lets a number of threads wait for each other, any number of times.
///
/// The names and their meaning are those of [`std::sync::Barrier`].
///
/// # Example
///
/// Two phases on shared data: nobody reads a neighbour's cell before it is
/// written, and nobody overwrites it before it was read.
///
/// ```
/// use engine_barrier::Barrier;
/// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
///
/// static BARRIER: Barrier = Barrier::new(3);
/// static CELLS: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
///
/// std::thread::scope(|s| {
///     for me in 0..3 {
///         s.spawn(move || {
///             for round in 1..=10 {
///                 CELLS[me].store(round, Relaxed);
///                 BARRIER.wait();
///                 assert_eq!(CELLS[(me + 1) % 3].load(Relaxed), round);
///                 BARRIER.wait();
///             }
///         });
///     }
/// });
/// ```
///
/// # Guarantees
///
/// - **Nobody passes early**: a call returns only after its round is complete,
///   that is after `n` calls, counted from the first call on the barrier in the
///   order of arrival. Exactly one call of each round is its leader, the last to
///   arrive.
/// - **Order**: what any thread did before its call happens-before what any
///   thread of the same round does after its own.
/// - **More threads than `n`** may share a barrier: the arrivals form rounds of
///   `n`, whoever they are. Rounds complete in order.
/// - **Progress**: blocking, by its purpose. A thread that has arrived waits for
///   the threads that have not; a round also waits for the leader of the round
///   before it to leave, which takes a few instructions. Arriving is one
///   `fetch_add`. A waiting thread spins for at most a few microseconds, and not
///   at all if there are more participants than processors; then it yields its
///   processor a bounded number of times; then it sleeps. Fairness: a round releases all its threads at once.
/// - **System calls**: the leader makes one, if somebody sleeps. A waiting thread
///   makes none while it spins; yielding and sleeping are system calls.
/// - **Freeing**: a leader does not touch the barrier after the write that
///   releases the others. So the barrier may be freed once every call but the
///   leaders' has returned, even if a leader is still inside its own. (Not with an
///   `n` of 1, where each call leads and releases nobody: then all have to return.)
/// - **Unwinding**: `wait` does not panic and runs no code of yours. A thread
///   that panics *instead of* arriving leaves the others waiting, as with `std`.
/// - **Allocation**: none. **Size**: one cache-line pair
///   ([`CachePadded`](engine_atomic::CachePadded)'s alignment). `Send`, `Sync`,
///   and unwind-safe.
/// - **Limits**: 2<sup>64</sup> arrivals in all (500 years at one a nanosecond),
///   and a waiting thread must run again within 2<sup>30</sup> rounds of its own.
///
/// # When not to use
///
/// - To wait for a *result*, join the thread or use a channel.
/// - When participants come and go, or may fail: a barrier has no way to know.
/// - For rounds shorter than a cache-line transfer between the cores (what that is:
///   `cargo run --release -p benches --bin limits`): split the work into larger pieces
///   instead.
///
/// # Verified by
///
/// loom (every ordering, 2 and 3 threads, more threads than participants, the
/// wrap of the epoch, freeing), shuttle (8 threads), ThreadSanitizer
/// (`examples/tsan_barrier.rs`).
///
/// Source: the ticket counter of glibc's `pthread_barrier_wait`, with the futex
/// word, the sleeper bit and the in-order publication derived here.
//
// Protocol. `n` is the number of participants.
//
// | word | meaning | who writes it |
// |---|---|---|
// | `tickets` | arrivals since construction; ticket t belongs to round t / n | everyone: fetch_add(1) on arrival |
// | `epoch`, rounds | published rounds, mod 2^31 | the leader of round r: r -> r + 1, once, in order |
// | `epoch`, SLEEPERS | a thread of a later round sleeps, or is about to | set by it (CAS), cleared by the next publication |
//
// Why the round comes from the ticket and not from `epoch`: with more threads
// than `n`, a thread that reads the epoch and then arrives may arrive in a later
// round than the one it read, and would pass when the earlier one completes:
//
//     C: reads epoch 0
//     A, B: arrive, round 0 is complete, epoch 1
//     C: arrives in round 1, sees an epoch other than 0, and passes alone
//
// Why publications are in order: the leader L of round r may stall between its
// ticket and its publication while others complete round r + 1. Were r + 1
// published first, the threads of round r could return and free the barrier
// under L's feet. With `n` threads in all this cannot be, since L itself is
// needed in round r + 1.
//
// All three words are on one line: the leader needs `participants` and `epoch`
// right after its ticket, and then owns the line already. A round of two threads
// costs about one transfer of the line.
pub struct Barrier {
    words: CachePadded<Words>,
}

struct Words {
    tickets: AtomicU64,
    epoch: AtomicU32,
    participants: u64,
}

impl Barrier {
    const_unless_loom! {
        /// A barrier for `n` threads; `n` = 0 acts like 1, as in `std`.
        pub const fn new(n: usize) -> Self {
            Self::after_rounds(n, 0)
        }
    }

    const_unless_loom! {
        /// A barrier that looks as if `rounds` had been completed: the tests
        /// start near the wrap of the epoch.
        const fn after_rounds(n: usize, rounds: u64) -> Self {
            let participants = if n == 0 { 1 } else { n as u64 };
            Self {
                words: CachePadded::new(Words {
                    tickets: AtomicU64::new(rounds * participants),
                    epoch: AtomicU32::new(Epoch::after(rounds).word()),
                    participants,
                }),
            }
        }
    }

    /// Waits until `n` threads have called this, and returns which of them was
    /// the last.
    ///
    /// # Example
    ///
    /// ```
    /// use engine_barrier::Barrier;
    ///
    /// let barrier = Barrier::new(2);
    /// let leaders = std::thread::scope(|s| {
    ///     let other = s.spawn(|| barrier.wait().is_leader());
    ///     let mine = barrier.wait().is_leader();
    ///     u32::from(mine) + u32::from(other.join().unwrap())
    /// });
    /// assert_eq!(leaders, 1);
    /// ```
    #[inline]
    pub fn wait(&self) -> BarrierWaitResult {
        // AcqRel: the tickets are one chain of RMWs, along which each arrival
        // publishes what came before it (Release) and the leader, who is the
        // last of its round, collects all of it (Acquire).
        let ticket = self.words.tickets.fetch_add(1, AcqRel);
        let participants = self.words.participants;
        let round = ticket / participants;
        let is_leader = ticket % participants == participants - 1;
        if is_leader {
            self.publish(Epoch::after(round), Epoch::after(round + 1));
        } else {
            self.wait_for(Epoch::after(round + 1));
        }
        BarrierWaitResult(is_leader)
    }

    /// Releases the threads of a round, as its leader.
    #[inline]
    fn publish(&self, before: Epoch, after: Epoch) {
        let word = &self.words.epoch;
        // Relaxed: only the value matters, see below.
        if !Epoch::from(word.load(Relaxed)).has_reached(before) {
            // Only with more threads than participants.
            self.wait_for(before);
        }
        // Nothing but the address may be used after the publication.
        let address: *const AtomicU32 = word;
        // before -> after, SLEEPERS cleared
        // Release: publishes what the leader has collected through the tickets;
        // pairs with the Acquire load in `wait_for`. That covers the rounds
        // before this one too: their tickets are in the same chain.
        let old = Epoch::from(word.swap(after.word(), Release));
        debug_assert!(old.same_rounds(before), "rounds published out of order");
        if old.has_sleepers() {
            futex::wake_all(address);
        }
    }

    /// Waits until `target` has been published.
    fn wait_for(&self, target: Epoch) {
        let word = &self.words.epoch;
        let mut patience = Patience::new(self.words.participants);
        loop {
            // Acquire: what every thread of the round did before it arrived;
            // pairs with the Release swap in `publish`.
            let seen = Epoch::from(word.load(Acquire));
            if seen.has_reached(target) {
                return;
            }
            if !patience.wait() {
                self.sleep(seen);
            }
        }
    }

    /// Sleeps while the epoch is `seen`; may return early.
    #[cold]
    fn sleep(&self, seen: Epoch) {
        let word = &self.words.epoch;
        // rounds -> rounds|SLEEPERS
        // Relaxed: the bit asks for a wake-up and publishes nothing. It shares
        // the word with the rounds, so the leader's swap either returns it or
        // makes this fail.
        if !seen.has_sleepers()
            && word
                .compare_exchange(seen.word(), seen.with_sleepers().word(), Relaxed, Relaxed)
                .is_err()
        {
            return;
        }
        futex::wait(word, seen.with_sleepers().word());
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a snapshot for people, of words that move independently.
        let tickets = self.words.tickets.load(Relaxed);
        let epoch = Epoch::from(self.words.epoch.load(Relaxed));
        f.debug_struct("Barrier")
            .field("participants", &self.words.participants)
            .field("arrived", &(tickets % self.words.participants))
            .field("epoch", &epoch)
            .finish()
    }
}

/// What [`Barrier::wait`] returns: whether this call completed the round.
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this thread was the last to arrive: true for exactly one call of
    /// each round.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult")
            .field("is_leader", &self.0)
            .finish()
    }
}
