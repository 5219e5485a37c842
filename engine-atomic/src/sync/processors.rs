//! How many threads can run side by side, for whoever decides whether to spin.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The processors that this process may use, asked once; 1 if the system does not tell.
///
/// It does not allocate, and so may be asked by a lock that an allocator uses. That is
/// why it is not `available_parallelism`, which on Linux reads the files of the cgroups
/// for a quota. A quota is of time, and no reason not to spin: within it threads do run
/// side by side.
#[inline]
pub fn processors() -> usize {
    // No protocol between threads, and nothing for the checkers: whoever asks stores the
    // same answer.
    const UNKNOWN: usize = 0;
    static PROCESSORS: AtomicUsize = AtomicUsize::new(UNKNOWN);
    match PROCESSORS.load(Relaxed) {
        UNKNOWN => {
            let answer = ask();
            PROCESSORS.store(answer, Relaxed);
            answer
        }
        known => known,
    }
}

#[cold]
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
fn ask() -> usize {
    use rustix::io::Errno;
    use rustix::thread::{CpuSet, Pid, sched_getaffinity};

    let usable = |thread| match sched_getaffinity(thread) {
        Ok(set) => set.count() as usize,
        // A kernel for more processors than the set has room for.
        Err(Errno::INVAL) => CpuSet::MAX_CPU,
        Err(_) => 1,
    };
    // The thread that asks first may be pinned, and the others not: so the process's
    // first thread counts as well.
    let first = Pid::from_raw(std::process::id().cast_signed());
    usable(None).max(usable(first)).max(1)
}

#[cold]
#[cfg(not(all(any(target_os = "linux", target_os = "android"), not(miri))))]
fn ask() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_answer_stays() {
        let first = processors();
        assert!(first >= 1);
        assert_eq!((processors(), ask()), (first, first));
    }

    /// A thread on one processor does not speak for the others.
    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn a_pinned_thread_asks() {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

        let unpinned = ask();
        let pinned = std::thread::spawn(|| {
            let usable = sched_getaffinity(None).unwrap();
            let mut one = CpuSet::new();
            one.set(
                (0..CpuSet::MAX_CPU)
                    .find(|&cpu| usable.is_set(cpu))
                    .unwrap(),
            );
            sched_setaffinity(None, &one).unwrap();
            assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
            ask()
        });
        assert_eq!(pinned.join().unwrap(), unpinned);
    }
}
