//! The limits of this machine: what an atomic operation, a cache-line transfer, a
//! clock reading and a wake-up cost.
//!
//! ```sh
//! cargo run --release -p benches --bin limits [REPETITIONS]
//! ```
//!
//! The other binaries print the same line before and after their tables.

use benches::limits::Limits;
use benches::report::machine;

fn main() {
    let repetitions = match std::env::args().nth(1).map(|arg| arg.parse::<u32>()) {
        None => 3,
        Some(Ok(repetitions)) => repetitions,
        Some(Err(error)) => {
            eprintln!("limits [REPETITIONS]: {error}");
            std::process::exit(2);
        }
    };
    println!("{}\n", machine());
    for _ in 0..repetitions {
        println!("{}", Limits::measure());
    }
}
