//! Single operations without contention, by criterion.
//!
//! ```sh
//! cargo bench -p benches -- [FILTER]
//! ```

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::*};

use criterion::{Criterion, criterion_group, criterion_main};
use engine_atomic::{Backoff, CachePadded, Contention, fence, futex};

fn atomic(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine-atomic");
    let word = CachePadded::new(AtomicU64::new(0));
    group.bench_function("CachePadded<AtomicU64>::fetch_add", |b| {
        b.iter(|| word.fetch_add(1, Relaxed));
    });
    group.bench_function("Backoff::new + first spin", |b| {
        b.iter(|| {
            let backoff = Backoff::new();
            backoff.spin();
            backoff.rounds()
        });
    });
    let contention = Contention::new();
    group.bench_function("Contention::record(1)", |b| {
        b.iter(|| contention.record(black_box(1)));
    });
    group.bench_function("fence::light", |b| b.iter(fence::light));
    group.bench_function("fence::seq_cst", |b| b.iter(fence::seq_cst));
    group.bench_function("fence::heavy", |b| b.iter(fence::heavy));
    let word = std::sync::atomic::AtomicU32::new(0);
    group.bench_function("futex::wake_one, nobody asleep", |b| {
        b.iter(|| futex::wake_one(&word));
    });
    group.bench_function("futex::wait, the word differs", |b| {
        b.iter(|| futex::wait(&word, 1));
    });
    group.finish();
}

fn queue(c: &mut Criterion) {
    let mut group = c.benchmark_group("bounded queue, push and pop");
    let crossbeam = crossbeam_queue::ArrayQueue::new(64);
    group.bench_function("crossbeam ArrayQueue", |b| {
        b.iter(|| {
            crossbeam.push(black_box(1_u64)).unwrap();
            crossbeam.pop()
        });
    });
    let engine = engine_queue::ArrayQueue::new(64);
    group.bench_function("engine ArrayQueue", |b| {
        b.iter(|| {
            engine.push(black_box(1_u64)).unwrap();
            engine.pop()
        });
    });
    group.finish();

    let mut group = c.benchmark_group("unbounded queue, push and pop");
    let crossbeam = crossbeam_queue::SegQueue::new();
    group.bench_function("crossbeam SegQueue", |b| {
        b.iter(|| {
            crossbeam.push(black_box(1_u64));
            crossbeam.pop()
        });
    });
    let engine = engine_queue::SegQueue::new();
    group.bench_function("engine SegQueue", |b| {
        b.iter(|| {
            engine.push(black_box(1_u64));
            engine.pop()
        });
    });
    group.finish();
}

fn lock(c: &mut Criterion) {
    let mut group = c.benchmark_group("lock");
    let std_mutex = std::sync::Mutex::new(0_u64);
    group.bench_function("std", |b| {
        b.iter(|| *std_mutex.lock().unwrap() += 1);
    });
    let parking_lot = parking_lot::Mutex::new(0_u64);
    group.bench_function("parking_lot", |b| b.iter(|| *parking_lot.lock() += 1));
    let engine = engine_lock::Mutex::new(0_u64);
    group.bench_function("engine-lock", |b| b.iter(|| *engine.lock() += 1));
    let condvar = engine_lock::Condvar::new();
    group.bench_function("engine-lock, notify nobody", |b| {
        b.iter(|| condvar.notify_one());
    });
    group.finish();
}

fn barrier(c: &mut Criterion) {
    let mut group = c.benchmark_group("barrier of one");
    let std_barrier = std::sync::Barrier::new(1);
    group.bench_function("std", |b| b.iter(|| std_barrier.wait().is_leader()));
    let engine = engine_barrier::Barrier::new(1);
    group.bench_function("engine-barrier", |b| b.iter(|| engine.wait().is_leader()));
    group.finish();
}

criterion_group!(benches, atomic, queue, lock, barrier);
criterion_main!(benches);
