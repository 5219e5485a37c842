//! Histories of queues on threads: broken ones, and long ones of a right one.

use super::*;

/// Looks, waits for another that looks, and takes.
#[test]
fn a_queue_that_looks_before_it_takes_is_caught() {
    let items = Mutex::new(VecDeque::from([1, 2]));
    let both_have_looked = Barrier::new(2);
    let take = || {
        let front = items.lock().unwrap().front().copied();
        both_have_looked.wait();
        items.lock().unwrap().pop_front();
        Ret::popped(front)
    };
    let mut recorder = Recorder::new();
    let mut logs: [Log; 3] = [(); 3].map(|()| recorder.log());
    logs[2].record(Op::Push(1), || Ret::Done);
    logs[2].record(Op::Push(2), || Ret::Done);
    thread::scope(|scope| {
        for log in &mut logs[..2] {
            scope.spawn(|| _ = log.record(Op::Pop, take));
        }
    });
    let history = History::new(logs);
    let failure = check(&Fifo::unbounded(), &history).unwrap_err();
    assert!(
        matches!(failure, Failure::NotLinearizable(_)),
        "{failure:?}"
    );
}

/// Says "empty" when somebody else is inside.
#[test]
fn a_queue_that_gives_up_too_early_is_caught() {
    let items = Mutex::new(VecDeque::from([1]));
    let (inside, told) = (Barrier::new(2), Barrier::new(2));
    let mut recorder = Recorder::new();
    let mut logs: [Log; 2] = [(); 2].map(|()| recorder.log());
    logs[0].record(Op::Push(1), || Ret::Done);
    let [first, second] = &mut logs;
    thread::scope(|scope| {
        scope.spawn(|| {
            first.record(Op::Push(2), || {
                let mut items = items.lock().unwrap();
                inside.wait();
                told.wait();
                items.push_back(2);
                Ret::Done
            });
        });
        scope.spawn(|| {
            inside.wait();
            second.record(Op::Pop, || {
                let item = items
                    .try_lock()
                    .ok()
                    .and_then(|mut items| items.pop_front());
                Ret::popped(item)
            });
            told.wait();
        });
    });
    let failure = check(&Fifo::unbounded(), &History::new(logs)).unwrap_err();
    assert!(
        matches!(failure, Failure::NotLinearizable(_)),
        "{failure:?}"
    );
}

/// Takes the newest when there are many.
#[test]
fn a_queue_that_turns_round_is_caught() {
    let items = Mutex::new(VecDeque::new());
    let mut recorder = Recorder::new();
    let mut log: Log = recorder.log();
    for item in 0..50 {
        log.record(Op::Push(item), || {
            items.lock().unwrap().push_back(item);
            Ret::Done
        });
        if item % 5 == 0 {
            log.record(Op::Pop, || {
                let mut items = items.lock().unwrap();
                Ret::popped(match items.len() {
                    ..20 => items.pop_front(),
                    _ => items.pop_back(),
                })
            });
        }
    }
    assert!(check(&Fifo::unbounded(), &History::new([log])).is_err());
}

// ------------------------------------------------------------- long and real ones

/// Queue of the test, right by its lock.
type Locked = Mutex<VecDeque<Item>>;

/// `threads` push and pop, each `each` times; the queue grows to some hundred items.
fn recorded(threads: u64, each: u64, capacity: usize) -> History {
    let queue = Locked::default();
    let mut recorder = Recorder::new();
    let mut logs: Vec<Log> = (0..threads).map(|_| recorder.log()).collect();
    thread::scope(|scope| {
        for (thread, log) in (0..threads).zip(&mut logs) {
            let queue = &queue;
            scope.spawn(move || {
                for n in 0..each {
                    // More pushes at first, more pops at last.
                    if (n * 7 + thread * 3) % 10 < 3 + 4 * u64::from(n < each / 2) {
                        let item = thread * 1_000_000 + n;
                        log.record(Op::Push(item), || {
                            let mut queue = queue.lock().unwrap();
                            if queue.len() == capacity {
                                return Ret::Full;
                            }
                            queue.push_back(item);
                            Ret::Done
                        });
                    } else {
                        log.record(Op::Pop, || Ret::popped(queue.lock().unwrap().pop_front()));
                    }
                }
            });
        }
    });
    History::new(logs)
}

#[test]
fn thousands_of_operations_of_eight_threads() {
    let each = if cfg!(miri) { 20 } else { 1_000 };
    for capacity in [usize::MAX, 64, 1] {
        let spec = match capacity {
            usize::MAX => Fifo::unbounded(),
            _ => Fifo::bounded(capacity),
        };
        let history = recorded(8, each, capacity);
        let order = check(&spec, &history).unwrap();
        assert_is_linearization(&spec, &history, &order);
        // An item that is popped much later than it was.
        let mut operations = history.operations().to_vec();
        let popped: Vec<_> = (0..operations.len())
            .filter(|&n| matches!(operations[n].ret, Ret::Item(_)))
            .collect();
        let (first, last) = (popped[0], popped[popped.len() - 1]);
        let ret = operations[first].ret.clone();
        operations[first].ret = std::mem::replace(&mut operations[last].ret, ret);
        let failure = check(&spec, &History::of(operations)).unwrap_err();
        assert!(
            matches!(failure, Failure::NotLinearizable(_)),
            "{failure:?}"
        );
    }
}

/// Rounds of eight concurrent pushes make the queue deep; then the items of each round
/// come out in some order. Which one it was nobody knew before.
#[test]
fn a_deep_queue_of_concurrent_pushes() {
    const ROUNDS: u64 = if cfg!(miri) { 10 } else { 200 };

    let mut operations = Vec::new();
    for item in 0..8 * ROUNDS {
        let (round, thread) = (item / 8, item % 8);
        operations.push(push(thread as usize, 100 * round, 100 * round + 50, item));
    }
    for n in 0..8 * ROUNDS {
        let (round, place) = (n / 8, n % 8);
        // All orders of a round are different from that of the threads.
        let item = 8 * round + (place * 3 + round) % 8;
        operations.push(pop(8, 100_000 + 10 * n, 100_005 + 10 * n, item));
    }
    assert!(fifo(operations.clone()));
    // An item of the last round comes before one of the round before.
    let last = operations.len() - 1;
    let ret = operations[last].ret.clone();
    operations[last].ret = std::mem::replace(&mut operations[last - 8].ret, ret);
    assert!(!fifo(operations));
}

// -------------------------------------------------------------------- at random
