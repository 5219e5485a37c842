//! One body for each promise of the pool, under the checker of this build.

use std::sync::Arc;

use crate::{
    Pool,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

#[cfg(engine_loom)]
use loom::thread;
#[cfg(engine_shuttle)]
use shuttle::thread;
#[cfg(not(any(engine_loom, engine_shuttle)))]
use std::thread;

/// Runs `body` in every execution that loom finds.
#[cfg(engine_loom)]
fn check(body: fn()) {
    loom::model(body);
}

/// Runs `body` under random schedules and under PCT.
#[cfg(engine_shuttle)]
fn check(body: fn()) {
    shuttle::check_random(body, 2_000);
    shuttle::check_pct(body, 2_000, 3);
}

/// Runs `body` on real threads.
#[cfg(not(any(engine_loom, engine_shuttle)))]
fn check(body: fn()) {
    for _ in 0..200 {
        body();
    }
}

/// A value that notices when two threads use it at once, or when one of them
/// cannot see what another did to it before.
struct Probe {
    busy: AtomicBool,
    uses: Uses,
}

/// Plain memory: loom reports an access that no happens-before edge orders.
#[cfg(engine_loom)]
type Uses = loom::cell::UnsafeCell<usize>;
/// The others have no such report, so the borrow checker's cell will do.
#[cfg(not(engine_loom))]
type Uses = std::cell::Cell<usize>;

impl Probe {
    fn new() -> Self {
        Self {
            busy: AtomicBool::new(false),
            uses: Uses::new(0),
        }
    }

    fn use_once(&mut self) {
        assert!(!self.busy.swap(true, Relaxed), "lent twice");
        #[cfg(engine_loom)]
        self.uses.with_mut(|uses| {
            // SAFETY: `&mut self`; loom verifies that the pool kept that promise.
            unsafe { *uses += 1 }
        });
        #[cfg(not(engine_loom))]
        self.uses.set(self.uses.get() + 1);
        // A swap, not a store: loom reports false histories where a plain store
        // races an RMW, which it would if the pool were wrong.
        assert!(self.busy.swap(false, Relaxed), "lent twice");
    }

    fn uses(&self) -> usize {
        #[cfg(engine_loom)]
        return self.uses.with(|uses| {
            // SAFETY: as above.
            unsafe { *uses }
        });
        #[cfg(not(engine_loom))]
        self.uses.get()
    }
}

/// `threads` of them take and give back, `rounds` times each; no use is lost.
fn share(limit: usize, threads: usize, rounds: usize) {
    let pool = Arc::new(Pool::new(limit, Probe::new));
    let used = Arc::new(AtomicUsize::new(0));
    let work = |pool: Arc<Pool<Probe>>, used: Arc<AtomicUsize>| {
        move || {
            for _ in 0..rounds {
                if let Some(mut probe) = pool.take() {
                    probe.use_once();
                    used.fetch_add(1, Relaxed);
                }
            }
        }
    };
    let handles: Vec<_> = (1..threads)
        .map(|_| thread::spawn(work(pool.clone(), used.clone())))
        .collect();
    work(pool.clone(), used.clone())();
    for handle in handles {
        handle.join().unwrap();
    }

    let made = pool.made();
    assert!((1..=limit).contains(&made), "{made} of {limit} made");
    let all: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(all.len(), limit, "a value got lost");
    let uses: usize = all.iter().map(|probe| probe.uses()).sum();
    assert_eq!(uses, used.load(Relaxed), "a use got lost");
}

#[test]
fn one_value_serves_one_at_a_time() {
    check(|| share(1, 2, 1));
}

#[test]
fn two_values_serve_two() {
    check(|| share(2, 2, 1));
}

/// Too many steps for loom.
#[cfg(not(engine_loom))]
#[test]
fn two_values_serve_four() {
    check(|| share(2, 4, 3));
}

/// The first taker's writes reach the second: the edge that the queue promises.
#[test]
fn a_value_comes_back_as_it_was_left() {
    check(|| {
        let pool = Arc::new(Pool::new(1, Probe::new));
        let other = thread::spawn({
            let pool = pool.clone();
            move || pool.take().map(|mut probe| probe.use_once()).is_some()
        });
        let seen = pool.take().map(|probe| probe.uses());
        let used = other.join().unwrap();
        assert!(
            used || seen == Some(0),
            "the only value was in use by nobody"
        );
        let last = pool.take().expect("all are back").uses();
        assert_eq!(last, usize::from(used));
    });
}
