//! Queues of many producers and many consumers: items through, a second.
//!
//! ```sh
//! cargo run --release -p benches --bin queues -- [--rounds 9] [--millis 60] [--only "bounded 1024"] [--format csv]
//! ```
//!
//! | set | what is in it |
//! |---|---|
//! | `bounded 1024`, `bounded 16` | `ArrayQueue` beside bounded peers, with so much room |
//! | `unbounded` | `SegQueue` and `LaneQueue` beside unbounded peers |
//! | `blocking 1024`, `blocking 16` | `Waitable<ArrayQueue>` beside bounded channels, by the calls that wait |
//!
//! A table for each set and shape: see [`benches::queues::Shape`] and the README.

use benches::{Report, queues};

fn main() {
    let report = Report::start();
    for capacity in [1_024, 16] {
        queues::bounded(capacity).run(&report);
    }
    queues::unbounded().run(&report);
    for capacity in [1_024, 16] {
        queues::blocking(capacity).run(&report);
    }
    report.finish();
}
