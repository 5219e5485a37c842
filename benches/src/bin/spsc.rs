//! Queues of one producer and one consumer: items through, a second.
//!
//! ```sh
//! cargo run --release -p benches --bin spsc -- [--rounds 9] [--millis 60] [--only "spsc 1024"] [--format csv]
//! ```
//!
//! A table for each capacity and shape: see [`benches::queues::Shape`] and the README.
//! Batches go through slices of an array of the caller's, through the vector that
//! `pop_batch` fills, or through the chunks' iterators.

use benches::{Report, queues};

fn main() {
    let report = Report::start();
    for capacity in [1_024, 16] {
        for set in queues::spsc(capacity) {
            set.run(&report);
        }
    }
    report.finish();
}
