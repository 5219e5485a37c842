//! Traits that users rely on without naming them, and sizes.

use engine_sched::{BuildError, JoinError, JoinHandle, Scheduler, Snapshot, SpawnError};

fn is_send_sync<T: Send + Sync + 'static>() {}
fn is_unpin<T: Unpin>() {}
fn is_error<T: std::error::Error + Send + Sync + 'static>() {}

#[test]
fn auto_traits() {
    is_send_sync::<Scheduler>();
    is_send_sync::<JoinHandle<u8>>();
    is_send_sync::<Snapshot>();
    is_unpin::<JoinHandle<std::marker::PhantomPinned>>();
    is_error::<BuildError>();
    is_error::<JoinError>();
    is_error::<SpawnError<u8>>();
}

#[test]
fn sizes() {
    assert_eq!(size_of::<Scheduler>(), size_of::<usize>());
    assert!(size_of::<JoinHandle<[u8; 100]>>() <= 2 * size_of::<usize>());
}
