//! What the README of the repository shows, to run.

use engine_atomic::StripedCounter;
use engine_sched::Scheduler;

static WORDS: StripedCounter = StripedCounter::new();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scheduler = Scheduler::builder().workers(2).build()?;
    let lines = ["to be", "or not", "to be"];
    let tasks =
        lines.map(|line| scheduler.spawn(async move { WORDS.add(line.split(' ').count() as u64) }));
    for task in tasks {
        scheduler.block_on(task)?;
    }
    assert_eq!(WORDS.sum(), 6);
    Ok(())
}
