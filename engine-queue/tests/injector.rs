//! The injector from outside: auto traits, the names of crossbeam's, many threads.
#![cfg(target_has_atomic = "64")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::thread;

use engine_queue::deque::bounded::Worker;
use engine_queue::deque::{Injector, Steal};

#[test]
fn auto_traits() {
    fn all<T: Send + Sync>() {}

    // An item that is `Send` only: it is handed over, never shared.
    all::<Injector<Cell<u8>>>();
    testkit::not_impl!(Injector<Rc<u8>>: Sync);
}

#[test]
fn the_names_of_crossbeam() {
    static JOBS: Injector<u8> = Injector::new();
    let worker = Worker::new_fifo(8);
    assert!(JOBS.is_empty());
    (0..9).for_each(|job| JOBS.push(job));
    assert_eq!(JOBS.len(), 9);
    assert_eq!(JOBS.steal(), Steal::Success(0));
    assert_eq!(JOBS.steal_batch_with_limit(&worker, 2), Steal::Success(()));
    assert_eq!(JOBS.steal_batch_and_pop(&worker), Steal::Success(3));
    assert_eq!(
        JOBS.steal_batch_with_limit_and_pop(&worker, 1),
        Steal::Success(6)
    );
    assert_eq!(JOBS.steal_batch(&worker), Steal::Success(()));
    let rest: Vec<_> = std::iter::from_fn(|| worker.pop()).collect();
    assert_eq!(rest, [1, 2, 4, 5, 7]);
}

/// Submitters and workers that also steal from each other: each job once.
#[test]
fn each_job_once() {
    const JOBS: usize = if cfg!(miri) { 100 } else { 50_000 };
    const SUBMITTERS: usize = 2;
    const WORKERS: usize = 3;

    let injector = Injector::new();
    let taken: Vec<AtomicUsize> = (0..SUBMITTERS * JOBS)
        .map(|_| AtomicUsize::new(0))
        .collect();
    let left = AtomicUsize::new(SUBMITTERS * JOBS);
    let finished = AtomicBool::new(false);
    let run = |job: Box<usize>| {
        taken[*job].fetch_add(1, Relaxed);
        if left.fetch_sub(1, Relaxed) == 1 {
            finished.store(true, Relaxed);
        }
    };
    let workers: Vec<_> = (0..WORKERS).map(|_| Worker::new_fifo(16)).collect();
    let stealers: Vec<_> = workers.iter().map(Worker::stealer).collect();
    thread::scope(|scope| {
        for submitter in 0..SUBMITTERS {
            let injector = &injector;
            scope.spawn(move || {
                let jobs = (submitter * JOBS..(submitter + 1) * JOBS).map(Box::new);
                if submitter == 0 {
                    jobs.for_each(|job| injector.push(job));
                } else {
                    let mut jobs = jobs.peekable();
                    while jobs.peek().is_some() {
                        injector.push_batch(&mut jobs.by_ref().take(40).collect());
                    }
                }
            });
        }
        for (me, worker) in workers.into_iter().enumerate() {
            let (injector, stealers, run, finished) = (&injector, &stealers, &run, &finished);
            scope.spawn(move || {
                while !finished.load(Relaxed) {
                    let found = worker.pop().map_or(Steal::Empty, Steal::Success);
                    let found = found
                        .or_else(|| injector.steal_batch_and_pop(&worker))
                        .or_else(|| {
                            (1..WORKERS)
                                .map(|n| stealers[(me + n) % WORKERS].steal_batch_and_pop(&worker))
                                .collect()
                        });
                    match found {
                        Steal::Success(job) => run(job),
                        Steal::Empty | Steal::Retry => thread::yield_now(),
                    }
                }
            });
        }
    });
    assert!(taken.iter().all(|count| count.load(Relaxed) == 1));
}
