//! Threads that start together.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use engine_atomic::CachePadded;
use engine_barrier::Barrier;
use hdrhistogram::Histogram;

use super::Turn;
use super::turn::merge;

/// What one thread of a group did.
#[derive(Debug)]
pub struct Done {
    /// Operations that this thread completed.
    pub operations: u64,
    /// Latencies in nanoseconds, if it took them.
    pub latencies: Option<Histogram<u64>>,
}

impl From<u64> for Done {
    fn from(operations: u64) -> Self {
        Self {
            operations,
            latencies: None,
        }
    }
}

/// Tells the threads of a group when to stop.
#[derive(Debug)]
pub struct Signal {
    stop: CachePadded<AtomicBool>,
}

impl Signal {
    /// Whether the turn goes on.
    #[inline]
    pub fn running(&self) -> bool {
        // Relaxed: nothing is handed over; what the threads did comes back by their joins.
        !self.stop.load(Relaxed)
    }
}

/// One thread's part of a turn.
pub type Part<'a> = Box<dyn FnOnce(&Signal) -> Done + Send + 'a>;

/// Runs `parts`, a thread each, for `duration`.
///
/// The threads are created first and start together from a barrier.
pub fn for_duration(duration: Duration, parts: Vec<Part<'_>>) -> Turn {
    group(parts, |signal| {
        thread::sleep(duration);
        // Relaxed: as the load.
        signal.stop.store(true, Relaxed);
    })
}

/// Runs `parts`, a thread each, until each has done its share by itself.
pub fn to_the_end(parts: Vec<Part<'_>>) -> Turn {
    group(parts, |_| ())
}

fn group(parts: Vec<Part<'_>>, meanwhile: impl FnOnce(&Signal)) -> Turn {
    let signal = Signal {
        stop: CachePadded::new(AtomicBool::new(false)),
    };
    // Ours, though it is one of the contestants: a thread that it releases reads one word,
    // where std's takes a mutex, so that the threads would start one after another.
    let start = Barrier::new(parts.len() + 1);
    let (done, elapsed) = thread::scope(|s| {
        let threads: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let (signal, start) = (&signal, &start);
                s.spawn(move || {
                    start.wait();
                    let begin = Instant::now();
                    (begin, part(signal), Instant::now())
                })
            })
            .collect();
        start.wait();
        // The first to return from the barrier, us included, says when it opened.
        let mut begin = Instant::now();
        meanwhile(&signal);
        let mut end = begin;
        let done: Vec<Done> = threads
            .into_iter()
            .map(|thread| {
                let (began, done, ended) = thread.join().expect("a benchmark thread panicked");
                begin = begin.min(began);
                end = end.max(ended);
                done
            })
            .collect();
        (done, end - begin)
    });
    let mut latencies: Option<Histogram<u64>> = None;
    let mut shares = Vec::with_capacity(done.len());
    for part in done {
        shares.push(part.operations);
        if let Some(more) = part.latencies {
            merge(&mut latencies, &more);
        }
    }
    Turn {
        operations: shares.iter().sum(),
        elapsed,
        latencies,
        shares,
    }
}

/// Runs `turn` on this thread over and over for `duration`, `batch` operations at
/// a time, so that reading the clock costs nothing by comparison.
pub fn alone(duration: Duration, batch: u64, mut turn: impl FnMut(u64)) -> Turn {
    let start = Instant::now();
    let mut operations = 0;
    loop {
        turn(batch);
        operations += batch;
        let elapsed = start.elapsed();
        if elapsed >= duration {
            return Turn {
                operations,
                elapsed,
                latencies: None,
                shares: vec![operations],
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::nanoseconds;

    #[test]
    fn groups_start_together_stop_on_time_and_add_up() {
        let parts = |count: u64| -> Vec<Part<'static>> {
            (0..count)
                .map(|me| -> Part<'static> {
                    Box::new(move |signal: &Signal| {
                        while signal.running() {
                            thread::yield_now();
                        }
                        let mut latencies = nanoseconds();
                        latencies.record(me).unwrap();
                        Done {
                            operations: me + 1,
                            latencies: Some(latencies),
                        }
                    })
                })
                .collect()
        };
        let duration = Duration::from_millis(5);
        let turn = for_duration(duration, parts(3));
        assert!(turn.elapsed >= duration);
        assert_eq!(turn.operations, 6);
        assert_eq!(turn.shares, [1, 2, 3]);
        assert_eq!(turn.latencies.unwrap().len(), 3);
    }

    #[test]
    fn alone_does_whole_batches() {
        let mut seen = 0;
        let turn = alone(Duration::from_millis(1), 7, |batch| seen += batch);
        assert_eq!(turn.operations, seen);
        assert_eq!(seen % 7, 0);
        assert!(turn.elapsed >= Duration::from_millis(1));
    }
}
