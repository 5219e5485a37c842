//! What the hardware and the kernel take, measured here and now: no lock, queue or
//! barrier beats these.

use std::fmt;
use std::hint;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::*, fence};
use std::thread;
use std::time::{Duration, Instant};

use engine_atomic::{CachePadded, fence as engine_fence, futex};
use hdrhistogram::Histogram;

use crate::runner::{can_pin, nanoseconds, on_one_processor};

/// The limits of this machine, in nanoseconds. Each of the fixed costs is the best
/// of a number of windows: whatever interrupts a window only adds.
#[derive(Debug)]
pub struct Limits {
    /// A `fetch_add` on a line that this core owns.
    pub rmw: f64,
    /// A store and a full fence.
    pub store_and_fence: f64,
    /// One spin hint.
    pub spin_hint: f64,
    /// Reading the clock.
    pub now: f64,
    /// A cache line there and back between two threads; `None` on a single
    /// processor.
    pub round_trip: Option<f64>,
    /// From one thread to another on the same processor, by yielding; `None` where threads
    /// cannot be kept on one.
    pub hand_over: Option<f64>,
    /// `engine_atomic::fence::heavy`.
    pub heavy_fence: f64,
    /// The wake call while nobody sleeps.
    pub idle_wake: f64,
    /// The wake call that wakes a sleeper.
    pub wake: Histogram<u64>,
    /// From just before the wake call until the woken thread runs.
    pub woken: Histogram<u64>,
}

/// Windows of which the best counts.
const WINDOWS: usize = 20;

impl Limits {
    /// Measures; takes about a tenth of a second on an idle machine.
    pub fn measure() -> Self {
        // Hidden: stores that nobody reads would be left out.
        let word = CachePadded::new(AtomicU64::new(0));
        let word = hint::black_box(&word);
        let (wake, woken) = wakes(300);
        Self {
            rmw: rmw(),
            store_and_fence: best(10_000, || {
                // Relaxed: one thread; what is measured is the operation.
                word.store(1, Relaxed);
                // SeqCst: pairs with nothing; its price is the question.
                fence(SeqCst);
            }),
            spin_hint: best(2_000, hint::spin_loop),
            now: best(2_000, || {
                hint::black_box(Instant::now());
            }),
            round_trip: round_trip(),
            hand_over: hand_over(),
            heavy_fence: best(200, engine_fence::heavy),
            idle_wake: {
                let word = AtomicU32::new(0);
                best(500, || futex::wake_one(&word))
            },
            wake,
            woken,
        }
    }
}

/// The least nanoseconds of one `operation` among the windows of `times` each.
fn best(times: u32, mut operation: impl FnMut()) -> f64 {
    // Once outside: the heavy fence registers itself, pages are touched.
    operation();
    (0..WINDOWS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..times {
                operation();
            }
            start.elapsed().as_secs_f64() * 1e9 / f64::from(times)
        })
        .fold(f64::INFINITY, f64::min)
}

/// A `fetch_add` on a line that this core owns.
pub(crate) fn rmw() -> f64 {
    let word = CachePadded::new(AtomicU64::new(0));
    let word = hint::black_box(&word);
    best(10_000, || {
        // Relaxed: one thread; what is measured is the operation.
        word.fetch_add(1, Relaxed);
    })
}

/// A cache line there and back between two threads, which spin.
pub(crate) fn round_trip() -> Option<f64> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    (processors >= 2).then(|| back_and_forth(2_000, hint::spin_loop))
}

/// From one thread to another on the same processor, both of which yield.
pub(crate) fn hand_over() -> Option<f64> {
    can_pin().then(|| on_one_processor(|| back_and_forth(50, thread::yield_now)) / 2.0)
}

/// Two threads hand a word back and forth; the least nanoseconds for that among the windows
/// of `times` each.
fn back_and_forth(times: u64, wait: impl Fn() + Sync) -> f64 {
    let ball = CachePadded::new(AtomicU64::new(0));
    // A partner that is not running makes a window as long as a time slice.
    let all = times * WINDOWS as u64;
    thread::scope(|s| {
        s.spawn(|| {
            for turn in 0..all {
                // Acquire, and Release below: as a queue or a lock would hand data over.
                // Each pairs with the other thread's.
                while ball.load(Acquire) != 2 * turn + 1 {
                    wait();
                }
                ball.store(2 * turn + 2, Release);
            }
        });
        let mut turn = 0;
        (0..WINDOWS)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..times {
                    ball.store(2 * turn + 1, Release);
                    while ball.load(Acquire) != 2 * turn + 2 {
                        wait();
                    }
                    turn += 1;
                }
                start.elapsed().as_secs_f64() * 1e9 / times as f64
            })
            .fold(f64::INFINITY, f64::min)
    })
}

/// Wakes a sleeping thread `times` times: how long the call takes, and how long
/// until the sleeper runs.
fn wakes(times: u32) -> (Histogram<u64>, Histogram<u64>) {
    let word = AtomicU32::new(0);
    let acknowledged = AtomicU32::new(0);
    let sent = AtomicU64::new(0);
    let epoch = Instant::now();
    let since = |epoch: Instant| epoch.elapsed().as_nanos() as u64;
    let mut calls = nanoseconds();
    let woken = thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let mut woken = nanoseconds();
            for turn in 0..times {
                // Acquire: receives `sent`; pairs with the Release store of `word`.
                while word.load(Acquire) == turn {
                    futex::wait(&word, turn);
                }
                let now = since(epoch);
                woken
                    // Relaxed: ordered by `word`.
                    .record(now.saturating_sub(sent.load(Relaxed)))
                    .expect("the histogram resizes");
                // Release: the load of `sent` is over before the next store to it; pairs
                // with the Acquire load of `acknowledged`.
                acknowledged.store(turn + 1, Release);
            }
            woken
        });
        for turn in 0..times {
            // Long enough for the sleeper to be asleep; if it is not, the
            // reading is a good one, and the median does not mind a few.
            thread::sleep(Duration::from_micros(50));
            // Relaxed: published by the store below.
            sent.store(since(epoch), Relaxed);
            // Release: publishes `sent`; pairs with the Acquire load of `word`.
            word.store(turn + 1, Release);
            let start = Instant::now();
            futex::wake_one(&word);
            calls
                .record(start.elapsed().as_nanos() as u64)
                .expect("the histogram resizes");
            // Acquire: pairs with the Release store of `acknowledged`.
            while acknowledged.load(Acquire) != turn + 1 {
                thread::yield_now();
            }
        }
        sleeper.join().expect("the sleeper panicked")
    });
    (calls, woken)
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RMW {:.1} ns, store + full fence {:.1} ns, spin hint {:.1} ns, clock {:.0} ns, ",
            self.rmw, self.store_and_fence, self.spin_hint, self.now
        )?;
        match self.round_trip {
            Some(round_trip) => write!(f, "cache-line round trip {round_trip:.0} ns, ")?,
            None => write!(f, "cache-line round trip not measured (one processor), ")?,
        }
        if let Some(hand_over) = self.hand_over {
            write!(f, "hand-over on one processor {hand_over:.0} ns, ")?;
        }
        let micros = |histogram: &Histogram<u64>, quantile: f64| {
            histogram.value_at_quantile(quantile) as f64 / 1e3
        };
        write!(
            f,
            "heavy fence {:.2} µs, wake call {:.2} µs with nobody asleep, {:.1} µs (p50) with a \
             sleeper, wake to running {:.1} µs (p50) {:.0} µs (p99)",
            self.heavy_fence / 1e3,
            self.idle_wake / 1e3,
            micros(&self.wake, 0.5),
            micros(&self.woken, 0.5),
            micros(&self.woken, 0.99),
        )
    }
}
