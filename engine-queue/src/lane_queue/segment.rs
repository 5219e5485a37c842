//! A segment: a number of lanes, fixed for good, and the link to the next segment.

use core::ptr::{self, NonNull};

use alloc::boxed::Box;

use engine_atomic::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*, fence};
use engine_atomic::sync::cell::UnsafeCell;
use engine_atomic::sync::{hint, pick};
use engine_atomic::{CachePadded, fence::heavy};

use super::lane::{Ends, Lane, Tail, Tenure};
use super::law::{Plan, Seen};
use super::slot::{Generation, Mark, Value};

/// What is fixed before a segment is installed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Number of the segment in its queue: never given twice.
    pub(super) number: usize,
    pub(super) generation: Generation,
    pub(super) plan: Plan,
    /// Of the segments before this one.
    pub(super) past: Past,
}

/// Sums over all segments before one. Wrap with `usize`.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Past {
    /// Tickets given out.
    pub(super) pushes: usize,
    /// Races lost by producers.
    pub(super) lost: usize,
    pub(super) widened: usize,
    pub(super) narrowed: usize,
}

/// What comes after a segment.
///
/// | `next` | meaning | who may leave it, how |
/// |---|---|---|
/// | null | the last one | a producer that has closed all lanes, to its new segment; `close`, when it has closed all lanes, to the end |
/// | a segment | closed, all tails are final | nobody, until it is recycled |
/// | the end | the queue is closed | nobody |
#[must_use]
pub(super) enum Next<T> {
    Nothing,
    Segment(NonNull<Segment<T>>),
    End,
}

/// No segment lies at an odd address.
fn end<T>() -> *mut Segment<T> {
    ptr::without_provenance_mut(1)
}

impl<T> From<*mut Segment<T>> for Next<T> {
    fn from(next: *mut Segment<T>) -> Self {
        if next == end() {
            return Self::End;
        }
        NonNull::new(next).map_or(Self::Nothing, Self::Segment)
    }
}

/// Pauses. In time some line transfers, of which an owner needs two to see that its lane is
/// closed, and to be seen; a heavy fence takes longer. None in a model: it has owners that are
/// that fast anyway.
const OWNERS_MOMENT: usize = pick(12, 0);

pub(super) struct Segment<T> {
    header: UnsafeCell<Header>,
    next: AtomicPtr<Segment<T>>,
    /// In a list of retired segments: the next of those.
    below: AtomicPtr<Segment<T>>,
    /// Producers that came, and scans that found nothing (lossy).
    visits: CachePadded<(AtomicUsize, AtomicUsize)>,
    /// As many as any use of this memory may have lanes.
    lanes: Box<[Ends]>,
    /// `per_lane` for each lane, lane by lane.
    values: Box<[Value<T>]>,
    /// The same for shared lanes. None, if this memory has never had any.
    marks: Box<[Mark]>,
    per_lane: usize,
}

/// What the lanes say together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Collect {
    weight: usize,
    all_closed: bool,
}

impl Collect {
    pub(super) const EMPTY: Self = Self {
        weight: 0,
        all_closed: true,
    };

    /// With one more lane.
    pub(super) fn and(self, tail: Tail) -> Self {
        Self {
            // Tails only grow, and the sum does not wrap: see `lane::CLOSED`.
            weight: self.weight + tail.weight(),
            all_closed: self.all_closed && tail.is_closed(),
        }
    }
}

/// What a consumer that found every lane drained may conclude.
#[must_use]
pub(super) enum Verdict<T> {
    /// The whole queue was empty at one moment.
    Empty,
    /// Items may be in the next segment.
    Next(NonNull<Segment<T>>),
    /// Something came meanwhile.
    Again,
}

impl<T> Segment<T> {
    pub(super) fn alloc(lanes: usize, per_lane: usize, header: Header) -> NonNull<Self> {
        #[cfg(test)]
        live::add(1);
        let segment = Box::new(Self {
            header: UnsafeCell::new(header),
            next: AtomicPtr::new(ptr::null_mut()),
            below: AtomicPtr::new(ptr::null_mut()),
            visits: CachePadded::new((AtomicUsize::new(0), AtomicUsize::new(0))),
            lanes: (0..lanes).map(|_| Ends::new(per_lane)).collect(),
            values: (0..lanes * per_lane).map(|_| Value::new()).collect(),
            marks: Box::default(),
            per_lane,
        });
        NonNull::from(Box::leak(segment))
    }

    /// Frees the segment, but no items.
    ///
    /// # Safety
    ///
    /// It came from `alloc`, nobody else has access any more, and what they did
    /// happened before.
    pub(super) unsafe fn free(segment: NonNull<Self>) {
        #[cfg(test)]
        live::add(-1);
        // SAFETY: from `Box::leak`, and ours alone by contract.
        let segment = unsafe { Box::from_raw(segment.as_ptr()) };
        segment.verify_ours();
    }

    /// Makes the segment as new, for a new use. `false`: it has been used as often as
    /// it can be.
    ///
    /// # Safety
    ///
    /// Nobody else has access, what they did happened before, and it holds no items.
    pub(super) unsafe fn recycle(&self) -> bool {
        self.verify_ours();
        let Some(generation) = self.header().generation.next() else {
            return false;
        };
        self.header.with_mut(|header| {
            // SAFETY: nobody else has access, by contract.
            let header = unsafe { &mut *header };
            header.generation = generation;
        });
        // Relaxed, all: whoever gets the segment gets it by a Release.
        self.next.store(ptr::null_mut(), Relaxed);
        self.visits.0.store(0, Relaxed);
        self.visits.1.store(0, Relaxed);
        self.lanes.iter().for_each(Ends::reset);
        true
    }

    /// Has marks from here on.
    pub(super) fn add_marks(&mut self) {
        if self.marks.is_empty() {
            self.marks = self.values.iter().map(|_| Mark::new()).collect();
        }
    }

    /// Gives the segment its place in the queue.
    ///
    /// # Safety
    ///
    /// Nobody else has access.
    pub(super) unsafe fn plan(&self, number: usize, plan: Plan, past: Past) {
        debug_assert!(plan.tenure == Tenure::Owned || !self.marks.is_empty());
        debug_assert!(plan.width <= self.lanes.len());
        self.header.with_mut(|header| {
            // SAFETY: nobody else has access, by contract.
            let header = unsafe { &mut *header };
            (header.number, header.plan, header.past) = (number, plan, past);
        });
    }

    /// Enters every slot as a writer: nothing, but the checkers then verify that all
    /// earlier accesses happened before.
    fn verify_ours(&self) {
        if cfg!(any(engine_loom, engine_shuttle)) {
            self.values.iter().for_each(Value::verify_ours);
        }
    }

    pub(super) fn header(&self) -> Header {
        self.header.with(|header| {
            // SAFETY: written before the segment was installed, and next when it is
            // recycled, which waits for our pin.
            unsafe { *header }
        })
    }

    pub(super) fn width(&self) -> usize {
        self.header().plan.width
    }

    pub(super) fn tenure(&self) -> Tenure {
        self.header().plan.tenure
    }

    /// The most lanes that it may be given.
    pub(super) fn capacity(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn lane(&self, lane: usize) -> Lane<'_, T> {
        let (first, header) = (lane * self.per_lane, self.header());
        let slots = first..first + self.per_lane;
        let marks = match header.plan.tenure {
            Tenure::Owned => &[],
            Tenure::Shared => &self.marks[slots.clone()],
        };
        Lane {
            ends: &self.lanes[lane],
            values: &self.values[slots],
            marks,
            generation: header.generation,
            tenure: header.plan.tenure,
        }
    }

    /// The lanes in use.
    pub(super) fn lanes(&self) -> &[Ends] {
        &self.lanes[..self.width()]
    }

    /// Link of the list of retired segments.
    pub(super) fn below(&self) -> &AtomicPtr<Self> {
        &self.below
    }

    pub(super) fn next(&self) -> Next<T> {
        // Acquire: receives the new segment, and that all lanes of this one are closed;
        // pairs with the Release in `install` and `end`.
        Next::from(self.next.load(Acquire))
    }

    /// Makes `next` the next segment, unless there is something.
    ///
    /// The caller has closed all lanes, by read-modify-writes of its own.
    pub(super) fn install(&self, next: NonNull<Self>) -> Result<(), Next<T>> {
        self.link(next.as_ptr())
    }

    /// Makes this the last segment for good, unless there is a next.
    ///
    /// As of `install`.
    pub(super) fn end(&self) -> Result<(), Next<T>> {
        self.link(end())
    }

    fn link(&self, next: *mut Self) -> Result<(), Next<T>> {
        // null -> next
        // Release: publishes the segment, and our closing of the lanes; pairs with the
        // Acquire in `next`. Acquire: as in `next`.
        match self
            .next
            .compare_exchange(ptr::null_mut(), next, Release, Acquire)
        {
            Ok(_) => Ok(()),
            Err(there) => Err(there.into()),
        }
    }

    /// A producer has come: which lane should it use? Of shared lanes the first after
    /// `home` that nobody has used, or the one that was used least. Of owned lanes the first after
    /// `home` that has no owner: now it has one. `None`: all have.
    pub(super) fn enter(&self, home: usize) -> Option<usize> {
        // Relaxed: a figure.
        self.visits.0.fetch_add(1, Relaxed);
        let lanes = self.lanes();
        let mut order = (0..lanes.len()).map(|n| (home + n) % lanes.len());
        if self.tenure() == Tenure::Owned {
            return order.find(|&lane| lanes[lane].own());
        }
        let mut best = (usize::MAX, 0);
        for lane in order {
            let used = lanes[lane].shared_tail().tickets();
            if used < best.0 {
                best = (used, lane);
            }
            if used == 0 {
                break;
            }
        }
        Some(best.1)
    }

    /// A producer goes for good, from this lane if it had one.
    pub(super) fn leave(&self, lane: Option<usize>) {
        // Relaxed: a figure.
        self.visits.0.fetch_sub(1, Relaxed);
        if let (Some(lane), Tenure::Owned) = (lane, self.tenure()) {
            self.lanes[lane].disown();
        }
    }

    /// Adds scans that found nothing.
    pub(super) fn count_idle_scans(&self, scans: usize) {
        // Relaxed, and not one step: a figure, allowed to lose counts.
        let before = self.visits.1.load(Relaxed);
        self.visits.1.store(before.wrapping_add(scans), Relaxed);
    }

    /// Whether all owned lanes are closed within a moment, by owners that are pushing just now:
    /// that spares the heavy fence, which would interrupt them.
    fn owners_close(&self) -> bool {
        (0..OWNERS_MOMENT).any(|_| {
            hint::spin_loop();
            self.lanes().iter().all(Ends::is_decided)
        })
    }

    /// Closes all lanes: when this returns, nobody claims here any more.
    pub(super) fn close_lanes(&self) -> Seen {
        let mut seen = Seen {
            pushes: 0,
            room: self.width() * self.per_lane,
            lost: 0,
            // Relaxed, both: figures.
            producers: self.visits.0.load(Relaxed),
            idle_scans: self.visits.1.load(Relaxed),
            left: 0,
        };
        let tenure = self.tenure();
        if tenure == Tenure::Owned {
            let begin = |undecided, lane: &Ends| lane.begin_closing() || undecided;
            if self.lanes().iter().fold(false, begin) && !self.owners_close() {
                // Heavy, once for all lanes: see `Ends::announce` and `Ends::owned_tail`.
                heavy();
            }
        }
        for lane in self.lanes() {
            let pushes = match tenure {
                Tenure::Owned => lane.finish_closing(),
                Tenure::Shared => lane.close_shared(),
            };
            seen.pushes += pushes;
            seen.left += pushes.saturating_sub(lane.head());
            let (push, pop) = lane.lost();
            seen.lost += push.wrapping_add(pop);
        }
        seen
    }

    /// Tickets given out, and passed by the heads.
    pub(super) fn tickets(&self) -> (usize, usize) {
        let tenure = self.tenure();
        let sum = |(tails, heads): (usize, usize), lane: &Ends| {
            // Head first: then it is not ahead of its tail.
            let head = lane.head();
            (tails + lane.tail(tenure).tickets(), heads + head)
        };
        self.lanes().iter().fold((0, 0), sum)
    }

    /// Races lost by producers and consumers, and slots given up.
    pub(super) fn lost(&self) -> (usize, usize, usize) {
        let sum = |(push, pop, burned): (usize, usize, usize), lane: &Ends| {
            let lost = lane.lost();
            let push = push.wrapping_add(lost.0);
            let pop = pop.wrapping_add(lost.1);
            (push, pop, burned.wrapping_add(lane.burned()))
        };
        self.lanes().iter().fold((0, 0, 0), sum)
    }

    /// Whether every ticket is passed: for good, if `next` was seen before.
    pub(super) fn is_drained(&self) -> bool {
        let tenure = self.tenure();
        self.lanes()
            .iter()
            .all(|lane| lane.head() >= lane.tail(tenure).tickets())
    }

    /// Looks at every lane: the tails, if all are drained.
    pub(super) fn collect(&self) -> Option<Collect> {
        let tenure = self.tenure();
        self.lanes().iter().try_fold(Collect::EMPTY, |sum, lane| {
            let head = lane.head();
            let tail = lane.tail(tenure);
            (head >= tail.tickets()).then(|| sum.and(tail))
        })
    }

    /// Decides after a scan that found every lane drained, each at its own time; `first`
    /// has the tails of that scan.
    ///
    /// ```text
    /// lane 0: drained ─┐             ┌ tail unchanged
    /// lane 1: drained ─┴─── fence ───┴ tail unchanged
    ///                         ^ all are drained here: tails did not move in between,
    ///                           and heads only grow
    /// ```
    ///
    /// If a lane was open, so was the segment at the fence, and there was no next. If
    /// all were closed when they were looked at, they are drained for good, and `next` says
    /// where items can be. With a `next` alone it is not so:
    ///
    /// ```text
    /// consumer               producers
    /// lane 0 is drained
    ///                        push to lane 0; close; install next
    /// next is there
    /// head passes the item
    /// ```
    pub(super) fn verdict(&self, first: Collect) -> Verdict<T> {
        // SeqCst: of two threads that each push to one queue and then find another one
        // empty, one sees the other's item. Either our fence comes before the other
        // thread's: then its loads see the push that we made before; or it comes after:
        // then our loads see its push.
        fence(SeqCst);
        if first.all_closed {
            return match self.next() {
                Next::Segment(next) => Verdict::Next(next),
                Next::Nothing | Next::End => Verdict::Empty,
            };
        }
        let tenure = self.tenure();
        let second = self
            .lanes()
            .iter()
            .fold(Collect::EMPTY, |sum, lane| sum.and(lane.tail(tenure)));
        if second == first {
            Verdict::Empty
        } else {
            Verdict::Again
        }
    }

    /// Moves out what was not popped, in the order of the lanes.
    ///
    /// # Safety
    ///
    /// Nobody else has access, what they did happened before, and this is called once
    /// before the segment is freed.
    pub(super) unsafe fn drain(&self) -> impl Iterator<Item = T> {
        use super::slot::State;

        let tenure = self.tenure();
        (0..self.width()).flat_map(move |lane| {
            let lane = self.lane(lane);
            let slots = lane.ends.head()..lane.ends.tail(tenure).tickets();
            let is_there = move |&slot: &usize| {
                tenure == Tenure::Owned || lane.marks[slot].state(lane.generation) == State::Full
            };
            slots.filter(is_there).map(move |slot| {
                // SAFETY: given out and filled, not passed, and taken once: by contract.
                unsafe { lane.values[slot].take() }
            })
        })
    }
}

/// Segments that were not freed, by thread: the checkers run a model on one.
#[cfg(test)]
pub(super) mod live {
    use std::cell::Cell;

    std::thread_local! {
        static LIVE: Cell<isize> = const { Cell::new(0) };
    }

    pub(super) fn add(n: isize) {
        LIVE.set(LIVE.get() + n);
    }

    /// How many this thread has allocated and not freed.
    pub(crate) fn count() -> isize {
        LIVE.get()
    }
}
