#![doc = include_str!("PROTOCOL.md")]

use engine_atomic::CachePadded;
use engine_atomic::futex;
use engine_atomic::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::*, fence};

use crate::context;
use crate::driver::Driver;

#[cfg(test)]
mod model;

/// Workers whose bits share one word of the sleepers' bitmap.
const BITS: usize = u64::BITS as usize;

/// Which workers sleep, how many search, and how one is woken.
///
/// | `sleepers` bit | token | worker is | who may leave the state, how |
/// |---|---|---|---|
/// | 0 | `NONE` | awake | itself: `fetch_or` of its bit |
/// | 1 | `NONE` | going to sleep, or asleep | any waker by `fetch_and` of the bit (it then owes a token), or the worker itself by the same `fetch_and` (nobody owes anything) |
/// | 1 | `DRIVING` | in the driver | any waker, or itself for what it has pushed there, by `fetch_and` of the bit |
/// | 0 | `NONE`, `DRIVING` | claimed by a waker | that waker alone: `swap` of the token to `GIVEN` |
/// | 0 | `GIVEN` | woken | itself: `swap` of the token to `NONE` |
/// | 1 | `GIVEN` | | unreachable: a token is taken before the bit is set again |
///
/// Awake and claimed look the same in memory; the worker knows which it is, because its
/// own `fetch_and` failed to find the bit.
pub(crate) struct Idle {
    /// Bit `i % 64` of word `i / 64`: worker `i` may be claimed.
    sleepers: Box<[CachePadded<AtomicU64>]>,
    /// Workers that look for work and have not said what they found. A waker
    /// counts the worker that it claims before that worker runs.
    searching: CachePadded<AtomicU32>,
    /// The futex word of each worker.
    tokens: Box<[CachePadded<AtomicU32>]>,
    /// What one of the sleepers waits in, instead of on its futex.
    driver: Option<Box<dyn Driver>>,
    /// Whether a worker is in the driver.
    seat_taken: CachePadded<AtomicBool>,
}

/// No token.
const NONE: u32 = 0;
/// The token that a waker owes the worker that it has claimed.
const GIVEN: u32 = 1;
/// No token, and the worker sleeps in the driver and not on this word.
const DRIVING: u32 = 2;

/// What [`Idle::end_search`] says about the other searchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the last searcher has to look after the work that it leaves behind"]
pub(crate) enum Searchers {
    /// Somebody else still searches and will see what is public.
    Remain,
    /// This was the last one: nobody looks at what is public now.
    None,
}

impl Idle {
    pub(crate) fn new(workers: usize, driver: Option<Box<dyn Driver>>) -> Self {
        let padded_word = |_| CachePadded::new(AtomicU64::new(0));
        let token = |_| CachePadded::new(AtomicU32::new(NONE));
        Self {
            sleepers: (0..workers.div_ceil(BITS)).map(padded_word).collect(),
            searching: CachePadded::new(AtomicU32::new(0)),
            tokens: (0..workers).map(token).collect(),
            driver,
            seat_taken: CachePadded::new(AtomicBool::new(false)),
        }
    }

    /// Tells the sleepers that work has been made public. Every such push is
    /// followed by this.
    #[inline]
    pub(crate) fn notify(&self) {
        // SeqCst: fence P of PROTOCOL.md. Either it comes before the fence S of a
        // worker that goes to sleep, and that worker's last look sees the work; or
        // S comes first, and the loads below see its bit, or its claim by another.
        fence(SeqCst);
        // Relaxed: ordered by the fence. A searcher has its own fence still to come.
        if self.searching.load(Relaxed) == 0 {
            self.wake_one();
        }
    }

    /// Claims one sleeper and wakes it as a searcher, if there is one.
    pub(crate) fn wake_one(&self) {
        for (group, sleepers) in self.sleepers.iter().enumerate() {
            // Relaxed: a hint, confirmed by the fetch_and.
            let mut bits = sleepers.load(Relaxed);
            while bits != 0 {
                let bit = bits & bits.wrapping_neg();
                // asleep -> claimed
                // Acquire: the worker's taking of its last token comes before
                // ours is given; pairs with the Release fetch_or in `sleep`.
                let before = sleepers.fetch_and(!bit, Acquire);
                if before & bit != 0 {
                    self.give_token(group * BITS + bit.trailing_zeros() as usize);
                    return;
                }
                bits = before & !bit;
            }
        }
    }

    /// Claims and wakes every sleeper: after a change that all must see, such as
    /// the end.
    pub(crate) fn wake_all(&self) {
        // Release: enough here, because the bits are taken unread, by an RMW. Either a
        // worker's fetch_or is before our swap, which then returns its bit; or it reads
        // what our swap wrote, and with this fence and its own fence S behind it, its
        // last look sees the change.
        fence(Release);
        for (group, sleepers) in self.sleepers.iter().enumerate() {
            // asleep -> claimed, for each bit set
            // Acquire: as in `wake_one`.
            let mut bits = sleepers.swap(0, Acquire);
            while bits != 0 {
                self.give_token(group * BITS + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    /// Wakes `worker`, whose bit the caller has just cleared.
    fn give_token(&self, worker: usize) {
        // Relaxed: counted before the token is given, and un-counted only by
        // whoever took the token, so the count never falls below zero.
        self.searching.fetch_add(1, Relaxed);
        let token: &AtomicU32 = &self.tokens[worker];
        // claimed -> woken
        // Release: the count above precedes the worker's decrement; pairs with
        // the Acquire swap in `take_token`.
        match token.swap(GIVEN, Release) {
            NONE => futex::wake_one(token),
            DRIVING => {
                let driver = self.driver.as_ref();
                driver.expect("only a driver is driven").unpark();
            }
            _ => unreachable!("worker {worker} was given two tokens"),
        }
    }

    /// Tells that `worker`, which calls this, has pushed to its own queue.
    ///
    /// In the driver, it is itself the one to wake: it runs the work as soon as the
    /// driver returns, and passes the search on if there is more.
    #[inline]
    pub(crate) fn notify_from(&self, worker: usize) {
        if self.driver.is_none() || !self.wake_driving(worker) {
            self.notify();
        }
    }

    /// Whether `worker`, which calls this, is in the driver. It is woken then.
    fn wake_driving(&self, worker: usize) -> bool {
        // Relaxed: only this worker enters and leaves `DRIVING`, but for a waker that
        // turns it into `GIVEN`, after which any notification is right.
        if self.tokens[worker].load(Relaxed) != DRIVING {
            return false;
        }
        let bit = 1 << (worker % BITS);
        // driving -> claimed
        // Relaxed: the token and the work are our own. If the bit is gone, another
        // waker owes us the token, and we run the work when it has come.
        if self.sleepers[worker / BITS].fetch_and(!bit, Relaxed) & bit != 0 {
            self.give_token(worker);
        }
        true
    }

    /// Counts the caller as a searcher, unless half of the workers search already:
    /// more would only fight over the same queues.
    pub(crate) fn try_begin_search(&self) -> bool {
        // Relaxed: a limit that may be missed by a few.
        let searching = self.searching.load(Relaxed) as usize;
        if 2 * searching >= self.tokens.len() && searching != 0 {
            return false;
        }
        self.searching.fetch_add(1, Relaxed);
        true
    }

    /// The caller found work. The last searcher has to check what is public, after
    /// this, and to wake the next worker if there is more.
    pub(crate) fn end_search(&self) -> Searchers {
        // Relaxed: the fence below orders it for the pushers.
        if self.searching.fetch_sub(1, Relaxed) != 1 {
            return Searchers::Remain;
        }
        // SeqCst: fence E of PROTOCOL.md. A pusher that saw us searching did not
        // wake anybody. Either its fence P is before this one, and our look at the
        // queues sees its work; or this one is first, and it saw the count without
        // us.
        fence(SeqCst);
        Searchers::None
    }

    /// Sleeps until claimed, unless `anything_to_do` after the sleep is announced.
    ///
    /// `searching` says whether the caller counts as a searcher; after the call it
    /// does.
    pub(crate) fn sleep(
        &self,
        worker: usize,
        searching: Searching,
        anything_to_do: impl FnOnce() -> bool,
    ) {
        let sleepers: &AtomicU64 = &self.sleepers[worker / BITS];
        let bit = 1 << (worker % BITS);
        // awake -> asleep
        // Release: our token was taken before; pairs with the Acquire of the claim.
        let before = sleepers.fetch_or(bit, Release);
        debug_assert_eq!(before & bit, 0, "worker {worker} sleeps twice");
        if searching == Searching::Yes {
            // Relaxed: ordered for the pushers by the fence below.
            self.searching.fetch_sub(1, Relaxed);
        }
        // SeqCst: fence S of PROTOCOL.md; see `notify` for the two cases.
        fence(SeqCst);
        if anything_to_do() {
            // asleep -> awake, unless a waker was faster
            // Relaxed: if the bit is still ours, no waker ever touched our token.
            if sleepers.fetch_and(!bit, Relaxed) & bit != 0 {
                self.searching.fetch_add(1, Relaxed);
                return;
            }
            // Claimed in between: the token must be taken, or it would meet us
            // at the next sleep.
        }
        match &self.driver {
            Some(driver) if self.take_seat() => {
                self.drive(worker, &**driver);
                // Release: pairs with the Acquire of `take_seat`, so that the driver
                // sees one worker after the other.
                self.seat_taken.swap(false, Release);
            }
            _ => {
                while !self.take_token(worker) {
                    futex::wait(&self.tokens[worker], NONE);
                }
            }
        }
    }

    /// Waits in the driver until a token has come, and takes it.
    fn drive(&self, worker: usize, driver: &dyn Driver) {
        let token: &AtomicU32 = &self.tokens[worker];
        // asleep -> driving, unless a token is there
        // Relaxed: the token's own Acquire is in `take_token`.
        let entered = token.compare_exchange(NONE, DRIVING, Relaxed, Relaxed);
        if entered.is_ok() {
            // A waker turns DRIVING into GIVEN first and calls `unpark` then, so a
            // `park` that begins after this look ends all the same.
            // Relaxed: the driver orders the swap to GIVEN before the return of that `park`.
            while token.load(Relaxed) == DRIVING {
                context::catch(|| driver.park());
            }
        }
        let taken = self.take_token(worker);
        debug_assert!(taken, "worker {worker} left the driver without a token");
    }

    /// Takes the token of `worker`, which calls this, if it is there.
    fn take_token(&self, worker: usize) -> bool {
        // woken -> awake
        // Acquire: pairs with the Release swap in `give_token`.
        self.tokens[worker].swap(NONE, Acquire) == GIVEN
    }

    fn take_seat(&self) -> bool {
        // Acquire: pairs with the Release of whoever left the seat.
        !self.seat_taken.swap(true, Acquire)
    }

    /// Lets the driver handle what is there, unless another worker is in it.
    pub(crate) fn poll_driver(&self) {
        if let Some(driver) = &self.driver
            // Relaxed: a hint, confirmed by the swap.
            && !self.seat_taken.load(Relaxed)
            && self.take_seat()
        {
            context::catch(|| driver.poll());
            // Release: as in `sleep`.
            self.seat_taken.swap(false, Release);
        }
    }

    /// Workers that search now; a statistic.
    pub(crate) fn searching(&self) -> usize {
        // Relaxed: a statistic.
        self.searching.load(Relaxed) as usize
    }

    /// Workers that sleep now; a statistic.
    pub(crate) fn sleeping(&self) -> usize {
        self.sleepers
            .iter()
            // Relaxed: a statistic.
            .map(|bits| bits.load(Relaxed).count_ones() as usize)
            .sum()
    }
}

/// Whether a worker counts as a searcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Searching {
    Yes,
    No,
}
