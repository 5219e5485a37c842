//! Closures and threads that block.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;

use engine_sched::Scheduler;

use crate::scheduler;

#[test]
fn blocking_closures_beyond_the_limit_wait_their_turn() {
    let scheduler = Scheduler::builder()
        .workers(1)
        .blocking_threads(2)
        .build()
        .unwrap();
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..50)
        .map(|n| {
            let (running, most) = (running.clone(), most.clone());
            scheduler.spawn_blocking(move || {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, SeqCst);
                n
            })
        })
        .collect();
    for (n, handle) in handles.into_iter().enumerate() {
        assert_eq!(scheduler.block_on(handle).unwrap(), n);
    }
    assert!((1..=2).contains(&most.load(SeqCst)));
}

#[test]
fn blocking_closures_run_on_the_workers_if_there_are_no_threads_for_them() {
    let scheduler = Scheduler::builder()
        .workers(1)
        .blocking_threads(0)
        .build()
        .unwrap();
    assert_eq!(
        scheduler.block_on(scheduler.spawn_blocking(|| 7)).unwrap(),
        7
    );
    let error = scheduler
        .block_on(scheduler.spawn_blocking(|| panic!("payload")))
        .unwrap_err();
    assert!(error.is_panic());
}

#[test]
fn a_queued_blocking_closure_can_be_aborted_and_a_running_one_cannot() {
    let scheduler = Scheduler::builder()
        .workers(1)
        .blocking_threads(1)
        .build()
        .unwrap();
    let (started, has_started) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let running = scheduler.spawn_blocking(move || {
        started.send(()).unwrap();
        may_end.recv().unwrap();
        7
    });
    has_started.recv().unwrap();
    let queued = scheduler.spawn_blocking(|| 8);
    queued.abort();
    running.abort();
    end.send(()).unwrap();
    assert_eq!(scheduler.block_on(running).unwrap(), 7);
    assert!(scheduler.block_on(queued).unwrap_err().is_cancelled());
}

#[test]
fn block_on_a_worker_is_refused() {
    let scheduler = scheduler(1);
    let inner = scheduler.clone();
    let error = scheduler
        .block_on(scheduler.spawn(async move { inner.block_on(async {}) }))
        .unwrap_err();
    let payload = error.into_panic();
    let text = payload.downcast_ref::<&str>().unwrap();
    assert!(text.contains("use `.await`"), "{text}");
}

#[test]
fn block_on_borrows_and_nests_outside_of_workers() {
    let scheduler = scheduler(1);
    let text = String::from("borrowed");
    let length = scheduler.block_on(async { scheduler.block_on(async { text.len() }) });
    assert_eq!(length, 8);
    let nested = scheduler.spawn_blocking({
        let scheduler = scheduler.clone();
        move || scheduler.block_on(async { 7 })
    });
    assert_eq!(scheduler.block_on(nested).unwrap(), 7);
}
