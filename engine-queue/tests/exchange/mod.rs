//! Producers and consumers on one queue.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

const PRODUCERS: usize = 3;
const CONSUMERS: usize = 3;

/// Producer and number; boxed, so that a doubled item is a double free for the
/// sanitizers too.
pub type Item = Box<(usize, usize)>;

/// Runs `produce` for each producer, which pushes its items `0..items` in their order,
/// and `pop` until all have come out: each once, and to each consumer those of one
/// producer in their order.
pub fn each_once_and_in_order(
    items: usize,
    produce: impl Fn(usize) + Sync,
    pop: impl Fn() -> Option<Item> + Sync,
) {
    let taken: Vec<AtomicUsize> = (0..PRODUCERS * items)
        .map(|_| AtomicUsize::new(0))
        .collect();
    // Relaxed, all: counts. The threads' joins come before the last look.
    let popped = AtomicUsize::new(0);
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let produce = &produce;
            scope.spawn(move || produce(producer));
        }
        for _ in 0..CONSUMERS {
            scope.spawn(|| {
                let mut next = [0; PRODUCERS];
                while popped.load(Relaxed) < PRODUCERS * items {
                    let Some(item) = pop() else {
                        thread::yield_now();
                        continue;
                    };
                    let (producer, n) = *item;
                    assert!(n >= next[producer], "{n} of {producer} is late");
                    next[producer] = n + 1;
                    taken[producer * items + n].fetch_add(1, Relaxed);
                    popped.fetch_add(1, Relaxed);
                }
            });
        }
    });
    assert!(taken.iter().all(|count| count.load(Relaxed) == 1));
}
