//! Stress for the queues and the deque, for ThreadSanitizer: `cargo xtask tsan` runs
//! it.
//!
//! Each item is a box that one thread writes and another reads and frees: plain
//! memory, ordered by the queue alone. The program uses no std mutex, channel or
//! harness: std is not instrumented, and ThreadSanitizer would take its locks for
//! races.

use std::{
    hint, mem,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

use engine_queue::{
    ArrayQueue, LaneOptions, SegQueue,
    deque::{Injector, Steal, bounded},
    spsc,
};

const ITEMS: u64 = 20_000;
const SIDES: u64 = 2;

type Item = Box<u64>;

/// What was put in and what came out: the same, or something was lost or doubled.
#[derive(Default)]
struct Balance {
    items: AtomicU64,
    sum: AtomicU64,
}

impl Balance {
    const fn new() -> Self {
        Self {
            items: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    /// Reads and frees `item`.
    fn count(&self, item: Item) {
        // Relaxed, both: figures, which order nothing.
        self.sum.fetch_add(*item, Relaxed);
        drop(item);
        self.items.fetch_add(1, Relaxed);
    }

    fn is_full(&self) -> bool {
        // Relaxed: whoever sees it late tries once more.
        self.items.load(Relaxed) == SIDES * ITEMS
    }

    fn check(&self, name: &str) {
        let (items, sum) = (self.items.load(Relaxed), self.sum.load(Relaxed));
        assert_eq!(items, SIDES * ITEMS, "{name}");
        assert_eq!(sum, SIDES * ITEMS * (ITEMS - 1) / 2, "{name}");
        println!("tsan_queue: {name}: {items} items");
    }
}

/// Two threads push, two pop.
fn exchange(
    name: &str,
    balance: &'static Balance,
    push: impl Fn(Item) -> Result<(), Item> + Copy + Send + 'static,
    pop: impl Fn() -> Option<Item> + Copy + Send + 'static,
) {
    let producers = (0..SIDES).map(|_| {
        thread::spawn(move || {
            for n in 0..ITEMS {
                let mut item = Box::new(n);
                while let Err(back) = push(item) {
                    item = back;
                    hint::spin_loop();
                }
            }
        })
    });
    let consumers = (0..SIDES).map(|_| {
        thread::spawn(move || {
            while !balance.is_full() {
                match pop() {
                    Some(item) => balance.count(item),
                    None => hint::spin_loop(),
                }
            }
        })
    });
    let all: Vec<_> = producers.chain(consumers).collect();
    for thread in all {
        thread.join().expect("no assertion failed");
    }
    balance.check(name);
}

/// An owner pushes, pops and overflows; a second owner steals batches from it and
/// from the injector, and a thief steals from both.
fn steal() {
    static INJECTOR: Injector<Item> = Injector::new();
    static BALANCE: Balance = Balance::new();

    let (first, second) = (bounded::Worker::new_fifo(64), bounded::Worker::new_fifo(16));
    let (from_first, from_second) = (first.stealer(), second.stealer());
    // The last handle frees the ring behind std's `Arc`, whose fence is one of those
    // that ThreadSanitizer does not see: let there be no last one.
    mem::forget((from_first.clone(), from_second.clone()));
    let owner = thread::spawn(move || {
        for n in 0..SIDES * ITEMS {
            if let Err(item) = first.push(Box::new(n / SIDES)) {
                let mut half = Vec::new();
                first.pop_half(&mut half);
                half.push(item);
                INJECTOR.push_batch(&mut half);
            }
            if n % 4 == 0
                && let Some(item) = first.pop()
            {
                BALANCE.count(item);
            }
        }
        while let Some(item) = first.pop() {
            BALANCE.count(item);
        }
    });
    let batches = thread::spawn({
        let from_first = from_first.clone();
        move || {
            while !BALANCE.is_full() {
                let stolen = from_first
                    .steal_batch_and_pop(&second)
                    .or_else(|| INJECTOR.steal_batch_and_pop(&second));
                match stolen.success().or_else(|| second.pop()) {
                    Some(item) => BALANCE.count(item),
                    None => hint::spin_loop(),
                }
            }
        }
    });
    let thief = thread::spawn(move || {
        while !BALANCE.is_full() {
            let stolen = from_second
                .steal()
                .or_else(|| from_first.steal())
                .or_else(|| INJECTOR.steal());
            match stolen {
                Steal::Success(item) => BALANCE.count(item),
                Steal::Empty | Steal::Retry => hint::spin_loop(),
            }
        }
    });
    for thread in [owner, batches, thief] {
        thread.join().expect("no assertion failed");
    }
    BALANCE.check("deques and injector");
}

/// One thread pushes, by ones and batches; the other pops, by ones, batches and chunks.
fn two_ends() {
    static BALANCE: Balance = Balance::new();

    let (mut producer, mut consumer) = spsc::channel::<Item>(5);
    let pusher = thread::spawn(move || {
        let mut items = (0..SIDES * ITEMS).map(|n| Box::new(n / SIDES));
        let mut left = SIDES * ITEMS;
        while left > 0 {
            let batch = 1 + left as usize % 3;
            let pushed = producer.push_iter(items.by_ref().take(batch));
            left -= pushed as u64;
            if pushed == 0 {
                hint::spin_loop();
            }
        }
        // The last end frees the ring behind std's `Arc`: see `steal`.
        mem::forget(producer);
    });
    let popper = thread::spawn(move || {
        let mut batch = Vec::new();
        while !BALANCE.is_full() {
            match consumer.slots() {
                0 => hint::spin_loop(),
                1 => batch.extend(consumer.pop()),
                2 => batch.extend(consumer.read_chunk(2).expect("two are there")),
                _ => _ = consumer.pop_batch(&mut batch, 3),
            }
            batch.drain(..).for_each(|item| BALANCE.count(item));
        }
        mem::forget(consumer);
    });
    for thread in [pusher, popper] {
        thread.join().expect("no assertion failed");
    }
    BALANCE.check("spsc");
}

/// As `exchange`, by handles: over many segments of two lanes.
fn lanes() {
    static BALANCE: Balance = Balance::new();

    let queue = LaneOptions::new().min_width(2).lane_slots(8).build();
    // The last handle frees the queue behind std's `Arc`: as in `steal`.
    mem::forget(queue.producer());
    let producers = (0..SIDES).map(|_| {
        let mut producer = queue.producer();
        thread::spawn(move || (0..ITEMS).for_each(|n| producer.push(Box::new(n))))
    });
    let consumers = (0..SIDES).map(|_| {
        let mut consumer = queue.consumer();
        thread::spawn(move || {
            while !BALANCE.is_full() {
                match consumer.pop() {
                    Some(item) => BALANCE.count(item),
                    None => hint::spin_loop(),
                }
            }
        })
    });
    let all: Vec<_> = producers.chain(consumers).collect();
    for thread in all {
        thread.join().expect("no assertion failed");
    }
    BALANCE.check("LaneQueue");
}

fn main() {
    static SEG: SegQueue<Item> = SegQueue::new();
    static THROUGH_SEG: Balance = Balance::new();
    let push = |item| {
        SEG.push(item);
        Ok(())
    };
    exchange("SegQueue", &THROUGH_SEG, push, || SEG.pop());

    static THROUGH_ARRAY: Balance = Balance::new();
    // Its constructor allocates; leaked, it lives as long as a static.
    let array: &'static ArrayQueue<Item> = Box::leak(Box::new(ArrayQueue::new(3)));
    let push = move |item| array.push(item);
    exchange("ArrayQueue", &THROUGH_ARRAY, push, move || array.pop());

    steal();
    two_ends();
    lanes();
}
