//! What a turn measures.

use std::time::Duration;

use hdrhistogram::Histogram;

/// What one turn of a contestant measured.
#[derive(Debug)]
pub struct Turn {
    /// Operations that all threads completed together.
    pub operations: u64,
    /// From the common start to the end.
    pub elapsed: Duration,
    /// Latencies in nanoseconds, if the workload took them.
    pub latencies: Option<Histogram<u64>>,
    /// The operations of each thread, if the workload is about fairness.
    pub shares: Vec<u64>,
}

/// An empty histogram of nanoseconds, three significant digits.
pub fn nanoseconds() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are in range")
}

/// Adds `more` to what there is.
pub(super) fn merge(all: &mut Option<Histogram<u64>>, more: &Histogram<u64>) {
    all.get_or_insert_with(nanoseconds)
        .add(more)
        .expect("both histograms resize");
}
