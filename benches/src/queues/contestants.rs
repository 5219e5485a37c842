//! Who is compared with whom, at what, and what ours are to reach.

use engine_queue::{ArrayQueue, LaneQueue, SegQueue};

use super::blocking as waits;
use super::channels::{Crossbeam, CrossfireArray, CrossfireList, Flume, Kanal};
use super::engine::Fixed;
use super::moodycamel::Moodycamel;
use super::peers::Locked;
use super::rings::{Chunks, CrossfireRing, EngineRing, Ring, RtrbRing, Vectors};
use super::{Claims, Entry, Set, Shape, Threads, Work};

/// `ArrayQueue` beside what is bounded.
pub fn bounded(capacity: usize) -> Set {
    type Theirs = crossbeam_queue::ArrayQueue<u64>;
    Set {
        title: format!("bounded {capacity}"),
        claims: Claims::Rmw,
        entries: vec![
            Entry::peer::<Theirs>("crossbeam ArrayQueue"),
            Entry::peer::<concurrent_queue::ConcurrentQueue<u64>>("concurrent-queue"),
            Entry::peer::<Crossbeam>("crossbeam-channel"),
            Entry::peer::<CrossfireArray>("crossfire"),
            Entry::peer::<Kanal>("kanal"),
            Entry::peer::<Flume>("flume"),
            Entry::yardstick::<Locked>("Mutex<VecDeque>"),
            Entry::own::<ArrayQueue<u64>>("engine ArrayQueue", faster),
        ],
        shapes: shapes(Some(capacity)),
    }
}

/// `SegQueue` and `LaneQueue` beside what is unbounded.
pub fn unbounded() -> Set {
    type Theirs = crossbeam_queue::SegQueue<u64>;
    let mut entries = vec![
        Entry::peer::<Theirs>("crossbeam SegQueue"),
        Entry::peer::<concurrent_queue::ConcurrentQueue<u64>>("concurrent-queue"),
        Entry::peer::<Crossbeam>("crossbeam-channel"),
        Entry::peer::<CrossfireList>("crossfire"),
        Entry::peer::<Kanal>("kanal"),
        Entry::peer::<Flume>("flume"),
        Entry::yardstick::<Locked>("Mutex<VecDeque>"),
    ];
    if Moodycamel::is_here() {
        entries.push(Entry::peer::<Moodycamel>("moodycamel (C++)"));
    }
    entries.extend([
        Entry::own::<SegQueue<u64>>("engine SegQueue", faster),
        Entry::own::<LaneQueue<u64>>("engine LaneQueue", lanes_faster),
    ]);
    Set {
        title: "unbounded".to_owned(),
        claims: Claims::Rmw,
        entries,
        shapes: shapes(None),
    }
}

/// `Waitable<ArrayQueue>` beside bounded channels, all by the calls that wait.
pub fn blocking(capacity: usize) -> Set {
    let shapes = shapes(Some(capacity)).into_iter();
    let shapes = shapes.filter(|shape| shape.threads != Threads::One && shape.work == Work::Singly);
    Set {
        title: format!("blocking {capacity}"),
        claims: Claims::Rmw,
        entries: vec![
            Entry::waiting_peer::<waits::Crossbeam>("crossbeam-channel"),
            Entry::waiting_peer::<waits::Crossfire>("crossfire"),
            Entry::waiting_peer::<waits::Kanal>("kanal"),
            Entry::waiting_peer::<waits::Flume>("flume"),
            Entry::waiting_own::<waits::Engine>("engine Waitable<ArrayQueue>"),
        ],
        shapes: shapes.collect(),
    }
}

/// `LaneQueue` that chooses its width, beside some of a fixed width.
pub fn lanes() -> Set {
    type Theirs = crossbeam_queue::SegQueue<u64>;
    let shapes = shapes(None).into_iter();
    Set {
        title: "lanes".to_owned(),
        claims: Claims::Rmw,
        entries: vec![
            Entry::peer::<Theirs>("crossbeam SegQueue"),
            Entry::own::<SegQueue<u64>>("engine SegQueue", |_| None),
            Entry::own::<LaneQueue<u64>>("engine LaneQueue", lanes_faster),
            Entry::own::<Fixed<1>>("engine LaneQueue, 1 lane", |_| None),
            Entry::own::<Fixed<2>>("engine LaneQueue, 2 lanes", |_| None),
            Entry::own::<Fixed<4>>("engine LaneQueue, 4 lanes", |_| None),
        ],
        shapes: shapes.filter(|shape| shape.work == Work::Singly).collect(),
    }
}

/// `spsc` beside rings of one producer and one consumer, and queues for more.
pub fn spsc(capacity: usize) -> [Set; 2] {
    let shapes = |of: fn(&Shape) -> bool| {
        let one_each = |shape: &Shape| matches!(shape.counts(), [0, 0] | [1, 1]);
        (shapes(Some(capacity)).into_iter())
            .filter(|shape| one_each(shape) && of(shape))
            .collect()
    };
    let set = |entries, shapes| Set {
        title: format!("spsc {capacity}"),
        claims: Claims::None,
        entries,
        shapes,
    };
    let singly = vec![
        Entry::peer::<Ring<RtrbRing>>("rtrb"),
        Entry::peer::<crossbeam_queue::ArrayQueue<u64>>("crossbeam ArrayQueue"),
        Entry::peer::<Ring<CrossfireRing>>("crossfire spsc"),
        Entry::own::<Ring<EngineRing>>("engine spsc", as_fast),
        Entry::own::<ArrayQueue<u64>>("engine ArrayQueue", |_| None),
    ];
    let batches = vec![
        Entry::peer::<Ring<RtrbRing>>("rtrb, slices"),
        Entry::peer::<Ring<Chunks<RtrbRing>>>("rtrb, chunks"),
        Entry::peer::<crossbeam_queue::ArrayQueue<u64>>("crossbeam ArrayQueue"),
        Entry::own::<Ring<EngineRing>>("engine spsc, slices", as_fast),
        Entry::own::<Ring<Vectors<EngineRing>>>("engine spsc, push_batch", |_| None),
        Entry::own::<ArrayQueue<u64>>("engine ArrayQueue", |_| None),
    ];
    [
        set(singly, shapes(|shape| shape.work != Work::Batches)),
        set(batches, shapes(|shape| shape.work == Work::Batches)),
    ]
}

/// All that the queues are asked, as far as there is room for it.
fn shapes(capacity: Option<usize>) -> Vec<Shape> {
    let one = [Work::Singly, Work::Bursts].map(|work| (Threads::One, work));
    let each = [[1, 1], [2, 2], [4, 4], [1, 3], [3, 1]];
    let each = each.map(|counts| (Threads::Each(counts), Work::Singly));
    let pinned = [[1, 1], [2, 2]].map(|counts| (Threads::Pinned(counts), Work::Singly));
    let bursts = [(Threads::Each([1, 1]), Work::Bursts)];
    let batches = [
        Threads::One,
        Threads::Each([1, 1]),
        Threads::Each([2, 2]),
        Threads::Each([4, 4]),
    ];
    let batches = batches.map(|threads| (threads, Work::Batches));
    let all = (one.into_iter()).chain(each).chain(pinned).chain(bursts);
    let shapes = all.chain(batches).map(|(threads, work)| Shape {
        threads,
        work,
        capacity,
    });
    shapes.filter(Shape::fits).collect()
}

/// `ArrayQueue` and `SegQueue`.
fn faster(shape: &Shape) -> Option<f64> {
    Some(if shape.is_pinned() { 0.8 } else { 1.2 })
}

/// `LaneQueue`.
fn lanes_faster(shape: &Shape) -> Option<f64> {
    Some(match (shape.threads, shape.work) {
        (Threads::Pinned(_), _) => 0.8,
        (Threads::Each([4, 4]), Work::Singly) => 2.0,
        _ => 1.0,
    })
}

/// `spsc`.
fn as_fast(shape: &Shape) -> Option<f64> {
    Some(if shape.is_pinned() { 0.8 } else { 1.0 })
}
