//! Tasks run, once each and in order, and their handles.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;

use engine_sched::yield_now;

use crate::{Guard, scheduler};

#[test]
fn many_tasks_from_many_threads() {
    let scheduler = scheduler(2);
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let scheduler = scheduler.clone();
            std::thread::spawn(move || {
                let handles: Vec<_> = (0..1_000)
                    .map(|n| {
                        scheduler.spawn(async move {
                            yield_now().await;
                            thread * 1_000 + n
                        })
                    })
                    .collect();
                handles
                    .into_iter()
                    .map(|handle| scheduler.block_on(handle).unwrap())
                    .sum::<u64>()
            })
        })
        .collect();
    let sum: u64 = threads.into_iter().map(|t| t.join().unwrap()).sum();
    assert_eq!(sum, (0..4_000).sum());
    let polls: u64 = scheduler.snapshot().workers.iter().map(|w| w.polls).sum();
    assert_eq!(polls, 8_000);
}

#[test]
fn a_worker_that_spawns_more_than_its_queue_holds() {
    let scheduler = scheduler(2);
    let sum = scheduler.spawn(async {
        let handles: Vec<_> = (0..10_000_u64)
            .map(|n| engine_sched::spawn(async move { n }))
            .collect();
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.unwrap();
        }
        sum
    });
    assert_eq!(scheduler.block_on(sum).unwrap(), (0..10_000).sum());
    let overflows: u64 = scheduler
        .snapshot()
        .workers
        .iter()
        .map(|w| w.overflows)
        .sum();
    assert!(overflows > 0, "10,000 tasks in a queue of 256");
}

#[test]
fn dropping_a_handle_detaches() {
    let scheduler = scheduler(1);
    let (sender, receiver) = mpsc::channel();
    drop(scheduler.spawn(async move { sender.send(7).unwrap() }));
    assert_eq!(receiver.recv(), Ok(7));
}

#[test]
fn abort_drops_the_future_and_leaves_a_finished_task_alone() {
    let scheduler = scheduler(1);
    let drops = Arc::new(AtomicUsize::new(0));
    let guard = Guard::new(&drops);
    let waiting = scheduler.spawn(async move {
        let _held_to_the_end = &guard;
        pending::<()>().await;
    });
    waiting.abort();
    waiting.abort();
    let error = scheduler.block_on(waiting).unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    assert_eq!(drops.load(SeqCst), 1);

    let finished = scheduler.spawn(async { 7 });
    scheduler.block_on(scheduler.spawn(async {})).unwrap();
    assert!(finished.is_finished());
    finished.abort();
    assert_eq!(scheduler.block_on(finished).unwrap(), 7);
}

/// The first task never gives its worker back before the second, which waits in the
/// same queue, has run: another worker must be woken to steal it.
#[test]
fn no_task_waits_behind_a_busy_worker() {
    let scheduler = scheduler(2);
    for _ in 0..1_000 {
        let outer = scheduler.spawn(async {
            let (sender, receiver) = mpsc::channel();
            engine_sched::spawn(async move { sender.send(7).unwrap() }).detach();
            receiver.recv().unwrap()
        });
        assert_eq!(scheduler.block_on(outer).unwrap(), 7);
    }
    let steals: u64 = scheduler.snapshot().workers.iter().map(|w| w.steals).sum();
    assert!(steals > 0);
}

#[test]
fn a_worker_polls_in_order_and_a_task_that_wakes_itself_goes_last() {
    let scheduler = scheduler(1);
    let (sender, receiver) = mpsc::channel();
    let outer = scheduler.spawn(async move {
        for n in 0..3 {
            let sender = sender.clone();
            let task = async move {
                sender.send(n).unwrap();
                yield_now().await;
                sender.send(10 + n).unwrap();
            };
            engine_sched::spawn(task).detach();
        }
    });
    scheduler.block_on(outer).unwrap();
    let order: Vec<_> = receiver.iter().collect();
    assert_eq!(order, [0, 1, 2, 10, 11, 12]);
}

#[test]
fn foreign_tasks_get_through_to_busy_workers() {
    let scheduler = scheduler(1);
    let stop = Arc::new(AtomicUsize::new(0));
    let busy: Vec<_> = (0..10)
        .map(|_| {
            let stop = stop.clone();
            scheduler.spawn(async move {
                while stop.load(SeqCst) == 0 {
                    yield_now().await;
                }
            })
        })
        .collect();
    for n in 0..100 {
        assert_eq!(
            scheduler
                .block_on(scheduler.spawn(async move { n }))
                .unwrap(),
            n
        );
    }
    stop.store(1, SeqCst);
    for handle in busy {
        scheduler.block_on(handle).unwrap();
    }
}

#[test]
#[should_panic(expected = "outside of a scheduler")]
fn the_free_spawn_needs_a_scheduler() {
    engine_sched::spawn(async {}).detach();
}

#[test]
fn two_schedulers_spawn_on_each_other() {
    let (one, two) = (scheduler(1), scheduler(1));
    let inner = two.clone();
    let handle = one.spawn(async move {
        let name = inner.spawn(async { std::thread::current().name().map(str::to_owned) });
        (
            name.await.unwrap(),
            std::thread::current().name().map(str::to_owned),
        )
    });
    one.block_on(handle).unwrap();
    assert_eq!(one.snapshot().live_tasks, 0);
    assert!(two.snapshot().workers[0].polls > 0);
}
