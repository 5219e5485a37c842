//! The end: every task is dropped, every handle resolves, nobody waits for itself.

use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;

use engine_sched::{Scheduler, yield_now};

use crate::{Guard, scheduler};

#[test]
fn spawning_after_shutdown_hands_the_future_back() {
    let scheduler = scheduler(1);
    scheduler.shutdown();
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = Guard::new(&drops);
    let refused = scheduler
        .try_spawn(async move {
            let _guard = guard;
            5
        })
        .unwrap_err();
    assert_eq!(refused.to_string(), "the scheduler has been shut down");
    assert_eq!(drops.load(SeqCst), 0);
    assert_eq!(scheduler.block_on(refused.into_inner()), 5);

    let handle = scheduler.spawn(async {});
    assert!(handle.is_finished());
    assert!(scheduler.block_on(handle).unwrap_err().is_cancelled());
    let handle = scheduler.spawn_blocking(|| ());
    assert!(scheduler.block_on(handle).unwrap_err().is_cancelled());
}

#[test]
fn shutdown_drops_every_task_and_every_handle_resolves() {
    let scheduler = scheduler(2);
    let drops = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..100)
        .map(|n| {
            let guard = Guard::new(&drops);
            scheduler.spawn(async move {
                let _held_to_the_end = &guard;
                if n % 2 == 0 {
                    pending::<()>().await;
                }
                loop {
                    yield_now().await;
                }
            })
        })
        .collect();
    scheduler.shutdown();
    assert_eq!(drops.load(SeqCst), 100);
    for handle in handles {
        assert!(scheduler.block_on(handle).unwrap_err().is_cancelled());
    }
    assert_eq!(scheduler.snapshot().live_tasks, 0);
}

#[test]
fn the_last_handle_ends_the_scheduler() {
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = Guard::new(&drops);
    let first = scheduler(2);
    let second = first.clone();
    let handle = first.spawn(async move {
        let _held_to_the_end = &guard;
        pending::<()>().await;
    });
    drop(first);
    assert_eq!(drops.load(SeqCst), 0);
    drop(second);
    assert_eq!(drops.load(SeqCst), 1);
    assert!(handle.is_finished());
}

#[test]
fn shutdown_inside_a_task_and_inside_a_blocking_closure() {
    for blocking in [false, true] {
        let scheduler = scheduler(2);
        let inner = scheduler.clone();
        let handle = if blocking {
            scheduler.spawn_blocking(move || inner.shutdown())
        } else {
            scheduler.spawn(async move { inner.shutdown() })
        };
        scheduler.block_on(handle).unwrap();
        scheduler.shutdown();
        assert!(scheduler.is_shut_down());
    }
}

#[test]
fn a_future_whose_drop_spawns_during_shutdown() {
    struct Spawner(Scheduler, Arc<AtomicUsize>);
    impl Drop for Spawner {
        fn drop(&mut self) {
            assert!(self.0.try_spawn(async {}).is_err());
            self.1.fetch_add(1, SeqCst);
        }
    }
    let scheduler = scheduler(2);
    let drops = Arc::new(AtomicUsize::new(0));
    let spawner = Spawner(scheduler.clone(), drops.clone());
    scheduler
        .spawn(async move {
            let _held_to_the_end = &spawner;
            pending::<()>().await;
        })
        .detach();
    scheduler.shutdown();
    assert_eq!(drops.load(SeqCst), 1);
}

/// Runs a closure when dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}

/// The drop runs on a worker that has left its loop; waiting there for the end would be
/// waiting for itself.
#[test]
fn a_future_whose_drop_shuts_down() {
    for queued in [false, true] {
        let scheduler = scheduler(2);
        let inner = scheduler.clone();
        let (sender, receiver) = mpsc::channel();
        let on_drop = OnDrop(move || {
            inner.shutdown();
            sender.send(()).unwrap();
        });
        scheduler
            .spawn(async move {
                let _held_to_the_end = &on_drop;
                loop {
                    if !queued {
                        pending::<()>().await;
                    }
                    yield_now().await;
                }
            })
            .detach();
        scheduler.shutdown();
        assert_eq!(receiver.try_recv(), Ok(()));
    }
}

#[test]
fn the_last_handle_in_a_task_that_the_shutdown_drops() {
    let scheduler = scheduler(2);
    let (held, caller) = (scheduler.clone(), scheduler.clone());
    let holds = scheduler.spawn(async move {
        let _held_to_the_end = &held;
        pending::<()>().await;
    });
    scheduler.spawn(async move { caller.shutdown() }).detach();
    drop(scheduler);
    let other = crate::scheduler(1);
    assert!(other.block_on(holds).unwrap_err().is_cancelled());
}

/// By then the worker belongs to no scheduler; joining itself would panic, where a panic
/// aborts.
#[test]
fn the_last_handle_in_a_thread_local_of_a_worker() {
    struct Held(Option<Scheduler>, mpsc::Sender<()>);
    impl Drop for Held {
        fn drop(&mut self) {
            drop(self.0.take());
            self.1.send(()).unwrap();
        }
    }
    thread_local! {
        static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
    }
    let scheduler = scheduler(1);
    let inner = scheduler.clone();
    let (sender, receiver) = mpsc::channel();
    let (dropped, has_dropped) = mpsc::channel();
    scheduler
        .spawn(async move {
            has_dropped.recv().unwrap();
            inner.shutdown();
            HELD.set(Some(Held(Some(inner), sender)));
        })
        .detach();
    drop(scheduler);
    dropped.send(()).unwrap();
    assert_eq!(receiver.recv(), Ok(()));
}

/// What a drop does at the end is what it could do before, in the poll.
#[test]
fn a_drop_at_the_end_is_on_a_worker() {
    let scheduler = scheduler(1);
    let (sender, receiver) = mpsc::channel();
    let inner = scheduler.clone();
    let on_drop = OnDrop(move || {
        engine_sched::spawn(async {}).detach();
        let blocked = catch_unwind(AssertUnwindSafe(|| inner.block_on(async {})));
        sender.send(blocked.is_err()).unwrap();
    });
    scheduler
        .spawn(async move {
            let _held_to_the_end = &on_drop;
            loop {
                yield_now().await;
            }
        })
        .detach();
    scheduler.shutdown();
    assert_eq!(receiver.try_recv(), Ok(true));
}

#[test]
fn shutdown_while_a_blocking_closure_waits_for_a_task() {
    let scheduler = scheduler(2);
    let (sender, receiver) = mpsc::channel();
    let inner = scheduler.clone();
    let waits = scheduler.spawn_blocking(move || {
        let task = inner.spawn(pending::<()>());
        sender.send(()).unwrap();
        inner.block_on(task).unwrap_err().is_cancelled()
    });
    receiver.recv().unwrap();
    scheduler.shutdown();
    assert!(scheduler.block_on(waits).unwrap());
}
