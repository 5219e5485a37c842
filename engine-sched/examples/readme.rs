//! What the README of the repository shows, to run.

use std::{error::Error, sync::Arc};

use engine_atomic::StripedCounter;
use engine_queue::ArrayQueue;
use engine_sched::Scheduler;

fn main() -> Result<(), Box<dyn Error>> {
    let scheduler = Scheduler::builder().workers(2).build()?;
    let lines = Arc::new(ArrayQueue::new(8));
    let words = Arc::new(StripedCounter::new());
    for line in ["to be", "or not", "to be"] {
        lines.push(line)?;
    }
    let tasks = [(); 2].map(|()| {
        let (lines, words) = (lines.clone(), words.clone());
        scheduler.spawn(async move {
            while let Some(line) = lines.pop() {
                words.add(line.split(' ').count() as u64);
            }
        })
    });
    for task in tasks {
        scheduler.block_on(task)?;
    }
    println!("{} words", words.sum());
    Ok(())
}
