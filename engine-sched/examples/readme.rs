//! What the README of the repository shows, to run.

use engine_atomic::StripedCounter;
use engine_queue::SegQueue;
use engine_sched::Scheduler;

static LINES: SegQueue<&str> = SegQueue::new();
static WORDS: StripedCounter = StripedCounter::new();

async fn count() {
    while let Some(line) = LINES.pop() {
        WORDS.add(line.split(' ').count() as u64);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scheduler = Scheduler::builder().workers(2).build()?;
    for line in ["to be", "or not", "to be"] {
        LINES.push(line);
    }
    for task in [count(), count()].map(|task| scheduler.spawn(task)) {
        scheduler.block_on(task)?;
    }
    println!("{} words", WORDS.sum());
    Ok(())
}
