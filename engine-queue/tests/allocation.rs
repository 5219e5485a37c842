//! What is allocated, and when.

use engine_queue::deque::Injector;
use engine_queue::{ArrayQueue, SegQueue};
use testkit::allocation::{Counting, allocations, bytes};

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn queues_allocate_blocks_and_nothing_in_steady_state() {
    let before = bytes();

    let mut queue = SegQueue::new();
    assert_eq!(allocations(|| drop(SegQueue::<u64>::new())), 0);
    // The first block, and the second with the last slot of the first.
    assert_eq!(allocations(|| (0..31_u64).for_each(|n| queue.push(n))), 2);
    assert_eq!(
        allocations(|| (0..31).for_each(|n| assert_eq!(queue.pop(), Some(n)))),
        0
    );

    // A steady number of items, on either side of a block's end.
    for held in [0, 1, 30, 31, 32, 62, 500] {
        (0..held).for_each(|n| queue.push(n));
        // Until the cache has its block.
        let step = || {
            queue.push(7);
            queue.pop().unwrap();
        };
        (0..200).for_each(|_| step());
        assert_eq!(
            allocations(|| (0..10_000).for_each(|_| step())),
            0,
            "{held}"
        );
        let mut step = || {
            queue.push_mut(7);
            queue.pop_mut().unwrap();
        };
        (0..200).for_each(|_| step());
        assert_eq!(
            allocations(|| (0..10_000).for_each(|_| step())),
            0,
            "{held}"
        );
        while queue.pop().is_some() {}
    }
    // A batch makes room for what there is, and for nothing if there is nothing.
    let mut out = Vec::new();
    assert_eq!(
        allocations(|| assert_eq!(queue.pop_batch(&mut out, 16), 0)),
        0
    );
    drop(queue);

    let array = ArrayQueue::<u64>::new(4);
    assert_eq!(
        allocations(|| assert_eq!(array.pop_batch(&mut out, 16), 0)),
        0
    );
    drop(array);

    let injector = Injector::new();
    let step = || {
        injector.push(7_u64);
        assert!(injector.steal().is_success());
    };
    (0..200).for_each(|_| step());
    assert_eq!(allocations(|| (0..10_000).for_each(|_| step())), 0);
    drop(injector);

    assert_eq!(bytes(), before, "everything is freed");
}
