//! Threads on one processor.

use std::thread;

/// Runs `work` on a thread that may use one processor only, and so may the threads that it
/// starts.
///
/// # Panics
///
/// Where the system cannot do that: see [`can_pin`].
pub fn on_one_processor<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    thread::scope(|s| {
        let thread = s.spawn(|| {
            pin();
            work()
        });
        thread.join().expect("a benchmark thread panicked")
    })
}

/// Whether [`on_one_processor`] works here.
pub fn can_pin() -> bool {
    cfg!(target_os = "linux")
}

/// Keeps this thread to the last of its processors: the first one often has the most
/// interrupts.
#[cfg(target_os = "linux")]
fn pin() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let usable = sched_getaffinity(None).expect("a thread may ask for its processors");
    let last = (0..CpuSet::MAX_CPU).rfind(|&cpu| usable.is_set(cpu));
    let mut one = CpuSet::new();
    one.set(last.expect("the thread runs somewhere"));
    sched_setaffinity(None, &one).expect("a thread may restrict itself");
}

#[cfg(not(target_os = "linux"))]
fn pin() {
    panic!("no way is known here to keep a thread on one processor");
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_and_its_children_are_on_one_processor() {
        let usable = || thread::available_parallelism().unwrap().get();
        let before = usable();
        let inside = on_one_processor(|| thread::spawn(usable).join().unwrap());
        assert_eq!(inside, 1);
        assert_eq!(usable(), before);
    }
}
