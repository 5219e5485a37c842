//! What can be seen of a scheduler from outside.

use std::future::pending;

use engine_sched::{Scheduler, Snapshot};

use crate::scheduler;

#[test]
fn the_snapshot_says_what_happens() {
    let scheduler = scheduler(1);
    let before: Snapshot = scheduler.snapshot();
    assert_eq!(before.live_tasks, 0);
    let waiting = scheduler.spawn(pending::<()>());
    scheduler.block_on(scheduler.spawn(async {})).unwrap();
    let during = scheduler.snapshot();
    assert_eq!(during.live_tasks, 1);
    assert_eq!(during.workers[0].polls, 2);
    assert!(during.to_string().contains("1 live tasks"), "{during}");
    waiting.abort();
    scheduler.shutdown();
    let after = scheduler.snapshot();
    assert_eq!(
        (after.live_tasks, after.searching, after.sleeping),
        (0, 0, 0)
    );
}

/// At rest: every worker sleeps, and none is switched to any more.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_scheduler_uses_no_processor() {
    fn switches(of: &str) -> u64 {
        let mut sum = 0;
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let path = task.path();
            let Ok(name) = std::fs::read_to_string(path.join("comm")) else {
                continue;
            };
            if !name.starts_with(of) {
                continue;
            }
            let status = std::fs::read_to_string(path.join("status")).unwrap();
            for line in status.lines().filter(|line| line.contains("ctxt_switches")) {
                sum += line.rsplit('\t').next().unwrap().parse::<u64>().unwrap();
            }
        }
        sum
    }

    let scheduler = Scheduler::builder()
        .workers(3)
        .thread_name("restful")
        .build()
        .unwrap();
    for n in 0..100 {
        scheduler
            .block_on(scheduler.spawn(async move { n }))
            .unwrap();
    }
    // A worker announces its sleep a few instructions before it is asleep: wait until
    // the counts stand still, then see that they go on standing.
    let mut last = switches("restful");
    loop {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let now = switches("restful");
        if scheduler.snapshot().sleeping == 3 && now == last {
            break;
        }
        last = now;
    }
    assert!(last > 0);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(switches("restful"), last);
}
