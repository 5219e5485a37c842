//! One thread at a time, and growth step by step.

use std::alloc::{GlobalAlloc, Layout, System};

use super::*;

/// Counts what each thread has allocated and not freed.
struct Counting;

std::thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LIVE.try_with(|live| live.set(live.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let _ = LIVE.try_with(|live| live.set(live.get() - 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// One allocation for each level, none before, and none left over: neither by the
/// counter nor by a thread that was late with its array.
#[test]
fn allocations() {
    let live = || LIVE.with(Cell::get);
    let before = live();
    let counter = StripedCounter::new();
    counter.add(1);
    assert_eq!(live() - before, 0);
    counter.grow(1);
    counter.grow(2);
    counter.grow(1);
    counter.grow(2);
    assert_eq!(live() - before, 2);
    install(&counter.growth.levels[1], 2);
    install(&counter.growth.levels[1], 2);
    assert_eq!(live() - before, 2);
    counter.stripe(3).add(1);
    assert_eq!(counter.sum(), 2);
    assert_eq!(live() - before, 2);
    drop(counter);
    assert_eq!(live() - before, 0);
}

#[test]
fn counts() {
    let counter = StripedCounter::new();
    assert_eq!((counter.sum(), counter.stripes()), (0, 1));
    counter.increment();
    counter.add(41);
    assert_eq!(counter.sum(), 42);
    assert_eq!(counter.sum_then_reset(), 42);
    assert_eq!(counter.sum(), 0);
    assert_eq!(StripedCounter::default().sum_then_reset(), 0);
    // Nobody was in the way.
    assert_eq!(counter.stripes(), 1);
}

#[test]
fn wraps() {
    let counter = StripedCounter::new();
    counter.add(u64::MAX);
    counter.add(u64::MAX);
    assert_eq!(counter.sum(), u64::MAX - 1);
    counter.grow(1);
    counter.add(2);
    counter.add_after_lost_race(2, 1, 5);
    assert_eq!(counter.sum(), 5);
}

/// A lost race doubles the stripes, up to the processors and no further.
#[test]
fn lost_races_double_the_stripes() {
    let counter = StripedCounter::new();
    let mut expected = 1;
    for round in 0..2 * LEVELS as u64 {
        let stripes = counter.stripes();
        counter.add_after_lost_race(stripes, 0, 1);
        expected = limit().min(2 * expected);
        assert_eq!(counter.stripes(), expected);
        assert_eq!(counter.sum(), round + 1);
    }
    let processors = crate::topology::Topology::current().cpus().len();
    assert_eq!(counter.stripes(), processors.next_power_of_two().min(1024));
}

/// All levels, as on the largest machine, and each stripe of them.
#[test]
fn every_stripe_is_summed() {
    let counter = StripedCounter::new();
    for level in 0..LEVELS {
        assert_eq!(counter.grow(1 << level), 2 << level);
    }
    // Late for its own growth: gets the others'.
    assert_eq!(counter.grow(1), 1 << LEVELS);
    let stripes = counter.stripes();
    assert_eq!(stripes, 1024);
    let mut expected = 0;
    for index in 0..stripes {
        counter.stripe(index).add(index as u64 + 1);
        expected += index as u64 + 1;
        assert_eq!(counter.sum(), expected);
    }
    // No two share a line.
    let addresses: std::collections::BTreeSet<_> = (0..stripes)
        .map(|index| ptr::from_ref(counter.stripe(index)).addr() / crate::CACHE_LINE)
        .collect();
    assert_eq!(addresses.len(), stripes);
    assert_eq!(counter.sum_then_reset(), expected);
    assert_eq!(counter.sum(), 0);
}

#[test]
fn loser_moves_to_the_new_half() {
    let counter = StripedCounter::new();
    if limit() < 2 {
        return println!("skipped: one processor");
    }
    counter.add_after_lost_race(1, 0, 7);
    assert_eq!(counter.stripe(0).load(), 0);
    assert_eq!(counter.stripe(1).load(), 7);
    // And stays there.
    counter.add(1);
    assert_eq!(counter.stripe(1).load(), 8);
}

#[test]
fn exact_once_joined() {
    let counter = StripedCounter::new();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|s| {
        let reader = s.spawn(|| {
            let mut last = 0;
            while !done.load(Acquire) {
                let sum = counter.sum();
                assert!(sum >= last && sum <= 4 * 20_000, "{last}, {sum}");
                last = sum;
                std::thread::yield_now();
            }
        });
        let writers: Vec<_> = (0..4)
            .map(|_| s.spawn(|| (0..20_000).for_each(|_| counter.increment())))
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Release);
        reader.join().unwrap();
    });
    assert_eq!(counter.sum(), 80_000);
}

#[test]
fn debug_decodes() {
    let counter = StripedCounter::new();
    counter.add(3);
    assert_eq!(
        format!("{counter:?}"),
        "StripedCounter { sum: 3, stripes: 1 }"
    );
}
