//! Models of adding, growing, summing and resetting.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed as Plain};

use testkit::model::{Budget, check, check_large};

use super::StripedCounter;
use crate::sync::atomic::{AtomicU32, Ordering::*};
use crate::sync::{Arc, thread};

fn spawn(
    counter: &Arc<StripedCounter>,
    body: impl FnOnce(&StripedCounter) + Send + 'static,
) -> thread::JoinHandle<()> {
    let counter = counter.clone();
    thread::spawn(move || body(&counter))
}

/// Two adders and a reader: what the reader sees is bounded, and the end is exact.
#[test]
fn add_and_sum() {
    static MOST_STRIPES: AtomicUsize = AtomicUsize::new(0);
    check("add_and_sum", Budget::preemptions(3), || {
        let counter = Arc::new(StripedCounter::new());
        let adders = [1, 10].map(|amount| {
            spawn(&counter, move |counter| {
                counter.add(amount);
                counter.add(amount);
            })
        });
        let seen = counter.sum();
        let again = counter.sum();
        for adder in adders {
            adder.join().unwrap();
        }
        assert_eq!(counter.sum(), 22);
        assert!(seen <= again && again <= 22, "{seen}, {again}");
        assert!(seen % 10 <= 2 && seen / 10 <= 2, "{seen}");
        MOST_STRIPES.fetch_max(counter.stripes(), Plain);
    });
    // Races are lost in some of loom's executions, and lead to growth.
    let most = MOST_STRIPES.load(Plain);
    if cfg!(engine_loom) {
        assert!(most >= 2, "{most}");
    }
    println!("model add_and_sum: up to {most} stripes");
}

/// Three adders that all find each other in the way, from one stripe to four.
#[test]
fn grow_together() {
    check("grow_together", Budget::preemptions(2), || {
        let counter = Arc::new(StripedCounter::new());
        let losers = [1, 10].map(|amount| {
            spawn(&counter, move |counter| {
                counter.add_after_lost_race(1, 0, amount);
            })
        });
        counter.add(100);
        let seen = counter.sum();
        assert!(seen >= 100, "{seen}");
        for loser in losers {
            loser.join().unwrap();
        }
        // Both lost against one stripe, and one doubling serves both.
        assert_eq!((counter.sum(), counter.stripes()), (111, 2));
    });
}

/// A second growth, on top of another thread's, while readers pass over it.
#[test]
fn grow_on_top() {
    check("grow_on_top", Budget::preemptions(3), || {
        let counter = Arc::new(StripedCounter::new());
        let other = spawn(&counter, |counter| {
            counter.add_after_lost_race(1, 0, 1);
            counter.add(2);
        });
        // As if lost against whatever there was.
        let stripes = counter.growth.stripes.load(Acquire);
        counter.add_after_lost_race(stripes, stripes - 1, 10);
        assert!(counter.sum() >= 10);
        other.join().unwrap();
        assert_eq!(counter.sum(), 13);
        assert!([2, 4].contains(&counter.stripes()));
    });
}

/// A thread whose place is in the new half finds it there, or is told that it is not.
#[test]
fn add_to_the_new_half() {
    check("add_to_the_new_half", Budget::exhaustive(), || {
        let counter = Arc::new(StripedCounter::new());
        let grower = spawn(&counter, |counter| counter.add_after_lost_race(1, 0, 1));
        super::SLOT.with(|slot| slot.set(1));
        counter.add(10);
        grower.join().unwrap();
        assert_eq!(counter.sum(), 11);
    });
}

/// A sum that begins after an addition counts it, however the stripes have grown.
#[test]
fn sum_sees_what_happened_before() {
    check(
        "sum_sees_what_happened_before",
        Budget::preemptions(3),
        || {
            let counter = Arc::new(StripedCounter::new());
            let told = Arc::new(AtomicU32::new(0));
            let adder = spawn(&counter, {
                let told = told.clone();
                move |counter| {
                    counter.add_after_lost_race(1, 0, 10);
                    told.store(1, Release);
                }
            });
            let grower = spawn(&counter, |counter| counter.add_after_lost_race(1, 0, 1));
            if told.load(Acquire) == 1 {
                assert!(counter.sum() >= 10);
            }
            adder.join().unwrap();
            grower.join().unwrap();
        },
    );
}

/// Each addition is taken out exactly once.
#[test]
fn reset_loses_nothing() {
    check("reset_loses_nothing", Budget::preemptions(3), || {
        let counter = Arc::new(StripedCounter::new());
        let adders = [1, 10].map(|amount| {
            spawn(&counter, move |counter| {
                counter.add(amount);
                counter.add_after_lost_race(1, 0, amount);
            })
        });
        let early = counter.sum_then_reset();
        for adder in adders {
            adder.join().unwrap();
        }
        assert_eq!(early + counter.sum_then_reset(), 22);
        assert_eq!(counter.sum(), 0);
    });
}

/// Two threads reset at once: they share what there is.
#[test]
fn two_resets_share() {
    check("two_resets_share", Budget::preemptions(3), || {
        let counter = Arc::new(StripedCounter::new());
        counter.add(1);
        counter.add_after_lost_race(1, 0, 10);
        let taken = Arc::new(AtomicU32::new(0));
        let other = spawn(&counter, {
            let taken = taken.clone();
            move |counter| {
                taken.fetch_add(counter.sum_then_reset() as u32, Relaxed);
            }
        });
        let own = counter.sum_then_reset() as u32;
        other.join().unwrap();
        assert_eq!(own + taken.load(Relaxed), 11);
    });
}

#[test]
fn many_threads() {
    check_large("many_threads", Budget::default(), || {
        let counter = Arc::new(StripedCounter::new());
        let adders: Vec<_> = (0..6)
            .map(|_| spawn(&counter, |counter| (0..5).for_each(|n| counter.add(n))))
            .collect();
        let mut taken = counter.sum_then_reset();
        for adder in adders {
            adder.join().unwrap();
        }
        taken += counter.sum();
        assert_eq!(taken, 60);
    });
}
