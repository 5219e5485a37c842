//! The lane queue, as wide as it likes, beside some of a fixed width: items through, a second.
//!
//! ```sh
//! cargo run --release -p benches --bin lanes -- [--rounds 9] [--millis 60] [--only 4p4c] [--format csv]
//! ```
//!
//! What its choice costs or gains. Below a table stands the width that it had at the end
//! of a turn; `LANES_STATS=1` prints its statistics after each turn. The peers are in
//! `--bin queues -- --only unbounded`.

use benches::{Report, queues};

fn main() {
    let report = Report::start();
    queues::lanes().run(&report);
    report.finish();
}
