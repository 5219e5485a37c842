//! A counter that many threads add to at once.

use std::cell::Cell;
use std::fmt;
use std::ptr;

use crate::CachePadded;
use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*};
use crate::sync::{pick, processors, thread_local};

mod stripe;

use stripe::Stripe;

/// Most doublings; a machine with more processors shares stripes.
const LEVELS: usize = pick(10, 2);

/// A counter that splits into stripes while threads get in each other's way.
///
/// One atomic counter is as fast as the line it lies on can travel between cores: all
/// writers together do not get past one of them alone. This one starts as a single
/// atomic, and whenever a thread loses a race on it, it doubles the number of stripes, up to
/// the number of processors. Threads then add to stripes of their own, and
/// [`sum`](Self::sum) adds those up.
///
/// # Example
///
/// ```
/// use engine_atomic::StripedCounter;
///
/// static REQUESTS: StripedCounter = StripedCounter::new();
///
/// std::thread::scope(|s| {
///     for _ in 0..4 {
///         s.spawn(|| (0..1000).for_each(|_| REQUESTS.increment()));
///     }
/// });
/// assert_eq!(REQUESTS.sum(), 4000);
/// ```
///
/// # Guarantees
///
/// - **Nothing is lost.** Once all that was added happens before (the writers are
///   joined, say), [`sum`](Self::sum) is exact. Each amount is returned by exactly one
///   [`sum_then_reset`](Self::sum_then_reset) or still there.
/// - **While others add**, `sum` is no less than what was added before it began and no more than what
///   had been added when it ended (if nothing wraps or resets meanwhile). It
///   is not a snapshot: of two additions under way, it may count the later one only.
/// - **Orders nothing else**: all accesses to the stripes are `Relaxed`.
/// - Arithmetic wraps at 2^64.
/// - **Progress**: `add` is lock-free and takes at most two read-modify-writes, unless it
///   grows: then it calls the allocator, which may block. `sum` is wait-free: one load a
///   stripe. (On targets without 64-bit atomics each stripe is a mutex.)
/// - **Allocation**: none at first; growing allocates the new stripes, at most 10 times
///   in a counter's life, in the thread that lost a race. Stripes are
///   never given back before the counter is dropped.
/// - Size: two cache lines with their padding (256 bytes on x86-64), plus one for each
///   further stripe.
/// - `Send` and `Sync`; `sum` in a panicking thread is as good as ever.
///
/// # When not to use
///
/// - When the sum is read about as often as it is added to, or decides something: use one
///   `AtomicU64`.
/// - For unique numbers: `add` does not return any.
/// - Inside an allocator or a signal handler, since it may allocate.
///
/// Source: D. Lea, `java.util.concurrent.atomic.LongAdder`. Here cells never move: each
/// doubling adds an array, so adders and readers need no lock against growth.
pub struct StripedCounter {
    /// Stripe 0.
    first: CachePadded<Stripe>,
    /// Read by every `add` and written at most `LEVELS` times: not on the line of `first`.
    growth: CachePadded<Growth>,
}

crate::separate_lines!(StripedCounter { first, growth });

/// The further stripes.
///
/// | word | meaning | who may leave it, how |
/// |---|---|---|
/// | `stripes` = 2^k | stripes 0 to 2^k - 1 are in use | who has seen `levels[k]` set, by CAS, to 2^(k+1) |
/// | `levels[k]` null | there are no stripes from 2^k on | a thread that lost a race, by CAS, to its new array |
/// | `levels[k]` set | points to stripes 2^k to 2^(k+1) - 1 | nobody, until `drop` |
///
/// `stripes` = 2^k implies that `levels[..k]` are set; both only ever grow.
struct Growth {
    stripes: AtomicUsize,
    levels: [AtomicPtr<CachePadded<Stripe>>; LEVELS],
}

thread_local! {
    /// Where this thread adds, in all counters alike; modulo the stripes of each.
    static SLOT: Cell<usize> = Cell::new(first_slot());
}

impl StripedCounter {
    crate::const_unless_loom! {
        /// A counter at zero, with one stripe.
        pub const fn new() -> Self {
            Self {
                first: CachePadded::new(Stripe::new()),
                growth: CachePadded::new(Growth {
                    stripes: AtomicUsize::new(1),
                    levels: no_levels(),
                }),
            }
        }
    }

    /// Adds one.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    #[inline]
    pub fn add(&self, amount: u64) {
        // Acquire: the stripes in use are there; pairs with the Release in `grow`.
        let stripes = self.growth.stripes.load(Acquire);
        let index = match stripes {
            1 => 0,
            _ => SLOT.with(Cell::get) & (stripes - 1),
        };
        if !self.stripe(index).try_add(amount) {
            self.add_after_lost_race(stripes, index, amount);
        }
    }

    /// What has been added so far.
    ///
    /// See the [guarantees](Self#guarantees) for what that means while others add.
    pub fn sum(&self) -> u64 {
        self.fold(Stripe::load)
    }

    /// Takes out what has been added, and returns it.
    ///
    /// Additions meanwhile are in this result or in a later one, never in both and never in none. Stripes are taken
    /// one after the other, so two calls at the same time share what there is.
    pub fn sum_then_reset(&self) -> u64 {
        self.fold(Stripe::take)
    }

    /// The number of stripes in use: 1, and twice as many after each growth.
    pub fn stripes(&self) -> usize {
        // Relaxed: a statistic.
        self.growth.stripes.load(Relaxed)
    }

    fn fold(&self, read: impl Fn(&Stripe) -> u64) -> u64 {
        // Acquire: as in `add`. An addition that happens before this call loaded the
        // number before us, so by coherence ours is no smaller and its stripe is among
        // those read here.
        let stripes = self.growth.stripes.load(Acquire);
        (0..stripes).fold(0, |sum, index| sum.wrapping_add(read(self.stripe(index))))
    }

    /// A stripe below a number that was loaded from `stripes` with Acquire, or of a
    /// level that this thread has just installed or found installed.
    #[inline]
    fn stripe(&self, index: usize) -> &Stripe {
        let Some(level) = index.checked_ilog2() else {
            return &self.first;
        };
        // Relaxed: an Acquire load, of `stripes` or of this pointer, came first.
        let array = self.growth.levels[level as usize].load(Relaxed);
        debug_assert!(!array.is_null(), "stripe {index} is not there");
        // SAFETY: (1) the array of level k has 2^k elements, and an index of that
        // level is 2^k plus less than 2^k.
        let stripe = unsafe { array.add(index - (1 << level)) };
        // SAFETY: (2) the array was filled before its pointer was published, which that
        // Acquire load saw; (3) it is freed by `drop` only, and until then shared
        // references alone are made to it.
        let stripe: &Stripe = unsafe { &*stripe };
        stripe.check_published();
        stripe
    }

    /// Somebody else won: makes room for both, or else gets out of the way.
    #[cold]
    fn add_after_lost_race(&self, stripes: usize, index: usize, amount: u64) {
        let now = if stripes < limit() {
            self.grow(stripes)
        } else {
            stripes
        };
        // Into the half that is new (which may be somebody else's doing, and no
        // longer the newest); or, if there is none, next door.
        let slot = if now > stripes {
            index + stripes
        } else {
            (index + 1) & (stripes - 1)
        };
        SLOT.with(|own| own.set(slot));
        self.stripe(slot).add(amount);
    }

    /// Doubles `seen` stripes, unless another thread has; returns how many there are.
    fn grow(&self, seen: usize) -> usize {
        let level = &self.growth.levels[seen.ilog2() as usize];
        // Acquire: whoever set it filled the array before; the number published below
        // must carry that on, and this thread is about to add to that array. Pairs with
        // the Release in `install`.
        if level.load(Acquire).is_null() {
            install(level, seen);
        }
        // 2^k -> 2^(k+1). Release: publishes the level and its array, and those
        // below, which our Acquire load of `seen` saw; pairs with the Acquire loads of
        // `stripes`. Relaxed on failure: the caller uses no stripe beyond this level.
        match self
            .growth
            .stripes
            .compare_exchange(seen, 2 * seen, Release, Relaxed)
        {
            Ok(_) => 2 * seen,
            Err(now) => now,
        }
    }
}

/// Sets `level` to a new array of `length` stripes, unless another thread is first.
fn install(level: &AtomicPtr<CachePadded<Stripe>>, length: usize) {
    let fresh = new_array(length);
    // null -> set. Release: publishes the array; pairs with the Acquire load in `grow`, and
    // with that of who finds it set. Acquire on failure: the other thread's array.
    // Unwind: nothing panics while `fresh` is ours alone.
    if level
        .compare_exchange(ptr::null_mut(), fresh, Release, Acquire)
        .is_err()
    {
        // SAFETY: (1) from `new_array(length)`; (2) published nowhere.
        unsafe { free_array(fresh, length) };
    }
}

impl Drop for StripedCounter {
    fn drop(&mut self) {
        for (level, array) in self.growth.levels.iter().enumerate() {
            // Relaxed: `&mut self`, so all that happened to it happened before.
            let array = array.load(Relaxed);
            if !array.is_null() {
                // SAFETY: (1) a pointer in `levels[k]` came from `new_array(2^k)`;
                // (2) `&mut self`: no reference into it is left.
                unsafe { free_array(array, 1 << level) };
            }
        }
    }
}

impl Default for StripedCounter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for StripedCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripedCounter")
            .field("sum", &self.sum())
            .field("stripes", &self.stripes())
            .finish()
    }
}

#[cfg(not(engine_loom))]
const fn no_levels() -> [AtomicPtr<CachePadded<Stripe>>; LEVELS] {
    [const { AtomicPtr::new(ptr::null_mut()) }; LEVELS]
}

#[cfg(engine_loom)]
fn no_levels() -> [AtomicPtr<CachePadded<Stripe>>; LEVELS] {
    std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))
}

fn new_array(length: usize) -> *mut CachePadded<Stripe> {
    let stripes: Box<[CachePadded<Stripe>]> = (0..length)
        .map(|_| CachePadded::new(Stripe::new()))
        .collect();
    Box::into_raw(stripes).cast()
}

/// # Safety
///
/// (1) `array` came from `new_array(length)`, and (2) nothing refers to it.
unsafe fn free_array(array: *mut CachePadded<Stripe>, length: usize) {
    let array = ptr::slice_from_raw_parts_mut(array, length);
    // SAFETY: (1) this is the pointer, with its length, that `Box::into_raw` gave;
    // (2) the caller gives it up.
    drop(unsafe { Box::from_raw(array) });
}

/// The most stripes that make sense: one for each processor, rounded up.
fn limit() -> usize {
    const MOST: usize = 1 << LEVELS;
    if crate::sync::MODEL {
        MOST
    } else {
        processors().min(MOST).next_power_of_two()
    }
}

/// Threads start one after the other; under a model all in the same place, so that
/// they meet and that every execution is the same.
fn first_slot() -> usize {
    // Not the facade's: a number for a start, not a protocol.
    use core::sync::atomic::AtomicUsize; // facade: a number for a start
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if crate::sync::MODEL {
        0
    } else {
        NEXT.fetch_add(1, Relaxed)
    }
}

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;
