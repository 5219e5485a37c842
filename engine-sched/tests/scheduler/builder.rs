//! Settings and hooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use engine_sched::Scheduler;

use crate::scheduler;

#[test]
fn hooks_run_on_each_worker_and_may_panic() {
    let calls = Arc::new(AtomicUsize::new(0));
    let (starts, stops) = (calls.clone(), calls.clone());
    let scheduler = Scheduler::builder()
        .workers(2)
        .thread_name("hooked")
        .on_thread_start(move |worker| {
            let name = std::thread::current().name().unwrap().to_owned();
            assert_eq!(name, format!("hooked-{worker}"));
            starts.fetch_add(1, SeqCst);
            panic!("a hook that panics");
        })
        .on_thread_stop(move |_| {
            stops.fetch_add(100, SeqCst);
        })
        .build()
        .unwrap();
    assert_eq!(scheduler.block_on(scheduler.spawn(async { 7 })).unwrap(), 7);
    scheduler.shutdown();
    assert_eq!(calls.load(SeqCst), 202);
}

#[test]
fn bad_settings_are_errors() {
    for workers in [0, 1025, usize::MAX] {
        let error = Scheduler::builder().workers(workers).build().unwrap_err();
        let text = error.to_string();
        assert_eq!(
            text,
            format!("a scheduler has 1 to 1024 workers, not {workers}")
        );
    }
    let error = Scheduler::builder()
        .thread_name("a\0b")
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("NUL"));
    // No address space holds this stack: the system refuses the first thread.
    let error = Scheduler::builder()
        .workers(2)
        .stack_size(1 << 60)
        .build()
        .unwrap_err();
    assert!(std::error::Error::source(&error).is_some(), "{error}");
}

#[test]
fn one_worker_and_many_workers_work() {
    for workers in [1, 3, 70] {
        let scheduler = scheduler(workers);
        let handles: Vec<_> = (0..200)
            .map(|n| scheduler.spawn(async move { n }))
            .collect();
        for (n, handle) in handles.into_iter().enumerate() {
            assert_eq!(scheduler.block_on(handle).unwrap(), n);
        }
        assert_eq!(scheduler.snapshot().workers.len(), workers);
    }
}
