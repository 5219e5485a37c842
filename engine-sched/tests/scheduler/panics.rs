//! Panics reach the handle, and nobody else.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::{Guard, scheduler};

#[test]
fn a_panic_reaches_the_handle_and_no_worker_dies() {
    let scheduler = scheduler(1);
    for _ in 0..3 {
        let error = scheduler
            .block_on(scheduler.spawn(async { panic!("payload") }))
            .unwrap_err();
        assert!(error.is_panic());
        assert_eq!(error.to_string(), "the task panicked");
        let payload = error.into_panic();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"payload"));
    }
    assert_eq!(scheduler.block_on(scheduler.spawn(async { 1 })).unwrap(), 1);
}

#[test]
fn a_panic_in_the_drop_of_a_future_reaches_the_handle() {
    let scheduler = scheduler(1);
    let drops = Arc::new(AtomicUsize::new(0));
    let mut guard = Guard::new(&drops);
    guard.panics = true;
    let handle = scheduler.spawn(async move {
        let _held_to_the_end = &guard;
        pending::<()>().await;
    });
    handle.abort();
    assert!(scheduler.block_on(handle).unwrap_err().is_panic());
    assert_eq!(drops.load(SeqCst), 1);
    assert_eq!(scheduler.block_on(scheduler.spawn(async { 1 })).unwrap(), 1);
}

#[test]
fn a_panic_in_the_drop_of_an_unwanted_result_kills_no_worker() {
    let scheduler = scheduler(1);
    let drops = Arc::new(AtomicUsize::new(0));
    let mut guard = Guard::new(&drops);
    guard.panics = true;
    scheduler.spawn(async move { guard }).detach();
    assert_eq!(scheduler.block_on(scheduler.spawn(async { 1 })).unwrap(), 1);
    assert_eq!(drops.load(SeqCst), 1);
    assert_eq!(scheduler.snapshot().workers[0].panics, 1);
}
