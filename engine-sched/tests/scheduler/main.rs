//! What a user relies on, through the public interface, on real threads.

mod blocking;
mod builder;
mod observed;
mod panics;
mod shutdown;
mod tasks;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use engine_sched::Scheduler;

fn scheduler(workers: usize) -> Scheduler {
    Scheduler::builder().workers(workers).build().unwrap()
}

/// Counts drops, and panics in the drop if it is told to.
struct Guard {
    drops: Arc<AtomicUsize>,
    panics: bool,
}

impl Guard {
    fn new(drops: &Arc<AtomicUsize>) -> Self {
        Self {
            drops: drops.clone(),
            panics: false,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.drops.fetch_add(1, SeqCst);
        assert!(!self.panics, "a guard that panics when dropped");
    }
}
