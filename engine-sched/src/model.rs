//! Models of whole schedulers.
//!
//! async-task's own atomics are not the facade's: the checker switches threads only
//! at ours, so these models are about the scheduler around it. Most are too big for
//! loom, and run under shuttle and on real threads; loom runs those at the end of the
//! file, and the parts in `idle/model.rs`, `phase/model.rs` and `block_on/model.rs`.

use std::time::Duration;

use engine_atomic::sync::Arc;
use engine_atomic::sync::atomic::{AtomicUsize, Ordering::*};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::thread;
use testkit::model::{Budget, check, check_large};

use crate::{Scheduler, yield_now};

fn scheduler(workers: usize) -> Scheduler {
    Scheduler::builder().workers(workers).build().unwrap()
}

/// Adds one when dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn spawned_tasks_run_once() {
    check_large("spawned_tasks_run_once", Budget::default(), || {
        let scheduler = scheduler(2);
        let runs = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..4)
            .map(|n| {
                let runs = runs.clone();
                scheduler.spawn(async move {
                    yield_now().await;
                    runs.fetch_add(1, Relaxed);
                    n
                })
            })
            .collect();
        for (n, handle) in handles.into_iter().enumerate() {
            assert_eq!(scheduler.block_on(handle).unwrap(), n);
        }
        assert_eq!(runs.load(Relaxed), 4);
        scheduler.shutdown();
    });
}

/// A worker's queue holds two tasks here, so that this overflows and is stolen from.
#[test]
fn nested_spawns_overflow_and_are_stolen() {
    check_large(
        "nested_spawns_overflow_and_are_stolen",
        Budget::default(),
        || {
            let scheduler = scheduler(2);
            let outer = scheduler.spawn(async {
                let inner: Vec<_> = (0..5).map(|n| crate::spawn(async move { n })).collect();
                let mut sum = 0;
                for handle in inner {
                    sum += handle.await.unwrap();
                }
                sum
            });
            assert_eq!(scheduler.block_on(outer).unwrap(), 10);
            scheduler.shutdown();
        },
    );
}

/// A shutdown meets spawns from another thread: every future is run, cancelled or
/// handed back, and is dropped exactly once; every handle resolves.
#[test]
fn shutdown_meets_spawn() {
    check_large("shutdown_meets_spawn", Budget::default(), || {
        let scheduler = scheduler(2);
        let drops = Arc::new(AtomicUsize::new(0));
        let spawner = thread::spawn({
            let scheduler = scheduler.clone();
            let drops = drops.clone();
            move || {
                for _ in 0..3 {
                    let counted = Counted(drops.clone());
                    let handle = scheduler.spawn(async move {
                        yield_now().await;
                        drop(counted);
                    });
                    match scheduler.block_on(handle) {
                        Ok(()) => {}
                        Err(error) => assert!(error.is_cancelled()),
                    }
                }
            }
        });
        scheduler.shutdown();
        spawner.join().unwrap();
        assert_eq!(drops.load(Relaxed), 3);
        assert_eq!(scheduler.snapshot().live_tasks, 0);
    });
}

/// Tasks that wait for a wake-up that never comes are dropped by the shutdown, also
/// while another thread wakes one of them.
#[test]
fn shutdown_reaches_waiting_tasks() {
    check_large("shutdown_reaches_waiting_tasks", Budget::default(), || {
        let scheduler = scheduler(2);
        let drops = Arc::new(AtomicUsize::new(0));
        let handles: Vec<_> = (0..2)
            .map(|_| {
                let counted = Counted(drops.clone());
                scheduler.spawn(async move {
                    std::future::pending::<()>().await;
                    drop(counted);
                })
            })
            .collect();
        let aborter = thread::spawn({
            let mut handles = handles;
            move || {
                handles[0].abort();
                handles.remove(1)
            }
        });
        scheduler.shutdown();
        let last = aborter.join().unwrap();
        assert!(last.is_finished());
        assert_eq!(drops.load(Relaxed), 2);
    });
}

#[test]
fn shutdown_from_a_task_and_from_outside() {
    check_large(
        "shutdown_from_a_task_and_from_outside",
        Budget::default(),
        || {
            let scheduler = scheduler(2);
            scheduler
                .spawn({
                    let scheduler = scheduler.clone();
                    async move { scheduler.shutdown() }
                })
                .detach();
            scheduler.shutdown();
            assert!(scheduler.is_shut_down());
            assert_eq!(scheduler.snapshot().live_tasks, 0);
        },
    );
}

#[test]
fn an_aborted_task_is_dropped_and_resolves() {
    check_large(
        "an_aborted_task_is_dropped_and_resolves",
        Budget::default(),
        || {
            let scheduler = scheduler(1);
            let drops = Arc::new(AtomicUsize::new(0));
            let counted = Counted(drops.clone());
            let handle = scheduler.spawn(async move {
                std::future::pending::<()>().await;
                drop(counted);
            });
            handle.abort();
            assert!(scheduler.block_on(handle).unwrap_err().is_cancelled());
            assert_eq!(drops.load(Relaxed), 1);
            scheduler.shutdown();
        },
    );
}

#[test]
fn blocking_closures_run_and_end_with_the_scheduler() {
    check_large(
        "blocking_closures_run_and_end_with_the_scheduler",
        Budget::default(),
        || {
            let scheduler = Scheduler::builder()
                .workers(1)
                .blocking_threads(2)
                .build()
                .unwrap();
            let handles: Vec<_> = (0..4)
                .map(|n| scheduler.spawn_blocking(move || n))
                .collect();
            let mut finished = 0;
            let mut handles = handles.into_iter();
            assert_eq!(scheduler.block_on(handles.next().unwrap()).unwrap(), 0);
            scheduler.shutdown();
            for handle in handles {
                match scheduler.block_on(handle) {
                    Ok(_) => finished += 1,
                    Err(error) => assert!(error.is_cancelled()),
                }
            }
            assert!(finished <= 3);
            assert_eq!(scheduler.snapshot().blocking_threads, 0);
        },
    );
}

/// A thread has waited long enough, and ends, just as a closure comes that counts on it.
#[test]
fn a_closure_meets_a_thread_that_ends() {
    check_large(
        "a_closure_meets_a_thread_that_ends",
        Budget::default(),
        || {
            let scheduler = Scheduler::builder()
                .workers(1)
                .blocking_threads(1)
                .blocking_keep_alive(Duration::from_micros(1))
                .build()
                .unwrap();
            for n in 0..3 {
                let handle = scheduler.spawn_blocking(move || n);
                assert_eq!(scheduler.block_on(handle).unwrap(), n);
            }
            scheduler.shutdown();
        },
    );
}

/// The end meets closures on their way to a thread. Their drops ask for the end, so none
/// may happen where it would be waited for.
#[test]
fn shutdown_meets_spawn_blocking() {
    struct ShutsDown(Scheduler);

    impl Drop for ShutsDown {
        fn drop(&mut self) {
            self.0.shutdown();
        }
    }

    check_large("shutdown_meets_spawn_blocking", Budget::default(), || {
        let scheduler = Scheduler::builder()
            .workers(1)
            .blocking_threads(1)
            .build()
            .unwrap();
        let spawner = thread::spawn({
            let scheduler = scheduler.clone();
            move || {
                let shuts_down = ShutsDown(scheduler.clone());
                scheduler.spawn_blocking(move || drop(shuts_down)).detach();
            }
        });
        scheduler.shutdown();
        spawner.join().unwrap();
        assert_eq!(scheduler.snapshot().live_tasks, 0);
    });
}

/// A closure that has begun waits for another one, which the end may meet on its way.
#[test]
fn shutdown_meets_a_closure_that_waits_for_a_closure() {
    check_large(
        "shutdown_meets_a_closure_that_waits_for_a_closure",
        Budget::default(),
        || {
            let scheduler = scheduler(1);
            let waits = scheduler.spawn_blocking({
                let scheduler = scheduler.clone();
                move || {
                    let closure = scheduler.spawn_blocking(|| ());
                    let _ = scheduler.block_on(closure);
                }
            });
            scheduler.shutdown();
            if let Err(error) = scheduler.block_on(waits) {
                assert!(error.is_cancelled());
            }
        },
    );
}

/// A closure that has begun waits for a task: the end cancels the task before it waits
/// for the closure.
#[test]
fn shutdown_meets_a_closure_that_waits_for_a_task() {
    check_large(
        "shutdown_meets_a_closure_that_waits_for_a_task",
        Budget::default(),
        || {
            let scheduler = scheduler(1);
            let waits = scheduler.spawn_blocking({
                let scheduler = scheduler.clone();
                move || {
                    let task = scheduler.spawn(std::future::pending::<()>());
                    assert!(scheduler.block_on(task).unwrap_err().is_cancelled());
                }
            });
            scheduler.shutdown();
            if let Err(error) = scheduler.block_on(waits) {
                assert!(error.is_cancelled());
            }
        },
    );
}

/// One task waits, without giving its worker back, for a task that it has put into its
/// own worker's queue: the other worker has to be woken and to steal it.
#[test]
fn no_task_waits_behind_a_busy_worker() {
    check_large(
        "no_task_waits_behind_a_busy_worker",
        Budget::default(),
        || {
            let scheduler = scheduler(2);
            let done = Arc::new(AtomicUsize::new(0));
            let outer = scheduler.spawn({
                let done = done.clone();
                async move {
                    crate::spawn({
                        let done = done.clone();
                        async move {
                            done.fetch_add(1, Relaxed);
                        }
                    })
                    .detach();
                    while done.load(Relaxed) == 0 {
                        thread::yield_now();
                    }
                }
            });
            scheduler.block_on(outer).unwrap();
            scheduler.shutdown();
        },
    );
}

/// Two tasks from outside that end only after both have begun, among `others` before
/// and after them that just end: whichever worker takes the one, with a batch or alone,
/// has to see to it that the other is not left behind.
fn tasks_that_wait_for_each_other(others: usize) {
    let scheduler = scheduler(2);
    let spawn_others = || (0..others).for_each(|_| scheduler.spawn(async {}).detach());
    spawn_others();
    let begun = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..2)
        .map(|_| {
            let begun = begun.clone();
            scheduler.spawn(async move {
                begun.fetch_add(1, Relaxed);
                while begun.load(Relaxed) < 2 {
                    thread::yield_now();
                }
            })
        })
        .collect();
    spawn_others();
    for handle in handles {
        scheduler.block_on(handle).unwrap();
    }
    scheduler.shutdown();
}

#[test]
fn a_woken_worker_wakes_the_next() {
    check_large("a_woken_worker_wakes_the_next", Budget::default(), || {
        tasks_that_wait_for_each_other(0)
    });
}

#[test]
fn a_batch_from_outside_is_announced() {
    check_large(
        "a_batch_from_outside_is_announced",
        Budget::default().schedules(15_000),
        || tasks_that_wait_for_each_other(1),
    );
}

/// A plain cell that tasks write.
struct Written(UnsafeCell<usize>);

// SAFETY: each cell is written by one task, and read after the end or by a drop that comes
// after all polls; the checkers verify it.
unsafe impl Sync for Written {}
// SAFETY: plain data.
unsafe impl Send for Written {}

impl Written {
    fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    fn write(&self, value: usize) {
        // SAFETY: see the type.
        self.0.with_mut(|cell| unsafe { *cell = value });
    }

    fn read(&self) -> usize {
        // SAFETY: see the type.
        self.0.with(|cell| unsafe { *cell })
    }
}

/// Whole schedulers that loom can afford. The handles are polled after the end only: what
/// async-task's own atomics order, loom does not see.
///
/// One worker, one task that is aborted on its way, and the end.
#[test]
fn an_abort_against_the_end() {
    check("an_abort_against_the_end", Budget::preemptions(2), || {
        let scheduler = scheduler(1);
        let written = Arc::new(Written::new());
        let handle = scheduler.spawn({
            let written = written.clone();
            async move { written.write(7) }
        });
        handle.abort();
        scheduler.shutdown();
        assert!(handle.is_finished());
        assert!([0, 7].contains(&written.read()));
        assert_eq!(scheduler.snapshot().live_tasks, 0);
    });
}

/// The last worker to end drops what waits, after all that every worker has done, to the
/// last hook.
#[test]
fn the_last_worker_drops_what_waits() {
    struct Reads(Arc<[Written; 2]>);

    impl Drop for Reads {
        fn drop(&mut self) {
            assert_eq!(self.0.each_ref().map(Written::read), [7, 7]);
        }
    }

    check(
        "the_last_worker_drops_what_waits",
        Budget::preemptions(1),
        || {
            let written = Arc::new([Written::new(), Written::new()]);
            let scheduler = Scheduler::builder()
                .workers(2)
                .on_thread_stop({
                    let written = written.clone();
                    move |worker| written[worker].write(7)
                })
                .build()
                .unwrap();
            let reads = Reads(written);
            scheduler
                .spawn(async move {
                    let _held_to_the_end = &reads;
                    std::future::pending::<()>().await;
                })
                .detach();
            // The workers may end before they have seen the task, or after its first poll.
            scheduler.shutdown();
        },
    );
}
