//! The queue itself: the list of segments, and how its ends move.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use engine_atomic::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::*, fence};
use engine_atomic::sync::pick;
use engine_atomic::{CachePadded, separate_lines};

use super::hazard::{Kind, Record, Registry};
use super::lane::Tenure;
use super::law::{Bounds, Plan};
use super::segment::{Header, Next, Past, Segment, Verdict};
use super::slot::Generation;
use super::stats::LaneStats;

mod teardown;

/// Segments kept for the next producer that needs one.
const CACHED: usize = pick(4, 1);

/// What does not change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bounds: Bounds,
    pub(super) lane_slots: usize,
    /// The most segments in the list.
    pub(super) segments: usize,
    /// What the segments are, whatever happens.
    #[cfg(test)]
    pub(super) script: Option<Script>,
}

/// The widths of the segments, over and over, and whether they are owned.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) widths: &'static [usize],
    pub(super) tenures: &'static [Tenure],
}

impl Limits {
    /// The plan, unless a test has its own.
    fn plan(&self, number: usize, plan: Plan) -> Plan {
        let _ = number;
        #[cfg(test)]
        if let Some(script) = self.script {
            let Script { widths, tenures } = script;
            let (width, tenure) = (number % widths.len(), number % tenures.len());
            return plan.scripted(widths[width], tenures[tenure]);
        }
        plan
    }
}

/// The state of one queue. `PROTOCOL.md`, beside this file, has the argument.
pub(super) struct Shared<T> {
    /// The segment that is popped from; never behind the one before a drained one.
    head: CachePadded<AtomicPtr<Segment<T>>>,
    /// The last segment, or the one before it while it is installed.
    tail: CachePadded<AtomicPtr<Segment<T>>>,
    rare: CachePadded<Rare<T>>,
    limits: Limits,
    _items: PhantomData<*const T>,
}

/// Touched once a segment at most.
struct Rare<T> {
    registry: Registry<T>,
    /// Segments that were unlinked and may be pinned; linked by `below`.
    retired: AtomicPtr<Segment<T>>,
    cache: [AtomicPtr<Segment<T>>; CACHED],
    /// The last segment has ended. Set after the fact.
    closed: AtomicBool,
    producers: AtomicUsize,
    consumers: AtomicUsize,
    /// Segments in memory.
    allocated: AtomicUsize,
    /// Of the segments that were passed.
    lost_by_consumers: AtomicUsize,
    burned: AtomicUsize,
}

separate_lines!(Shared<u8> { head, tail, rare });

// SAFETY: items are handed from thread to thread by value and never shared, so
// `T: Send` is enough.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(super) fn new(limits: Limits) -> Self {
        let header = Header {
            number: 0,
            generation: Generation::FIRST,
            plan: limits.plan(0, Plan::first(limits.bounds)),
            past: Past::default(),
        };
        let first = Segment::alloc(header.plan.width, limits.lane_slots, header);
        if header.plan.tenure == Tenure::Shared {
            // SAFETY: ours alone.
            unsafe { &mut *first.as_ptr() }.add_marks();
        }
        Self {
            head: CachePadded::new(AtomicPtr::new(first.as_ptr())),
            tail: CachePadded::new(AtomicPtr::new(first.as_ptr())),
            rare: CachePadded::new(Rare {
                registry: Registry::new(),
                retired: AtomicPtr::new(ptr::null_mut()),
                cache: [const { ptr::null_mut() }; CACHED].map(AtomicPtr::new),
                closed: AtomicBool::new(false),
                producers: AtomicUsize::new(0),
                consumers: AtomicUsize::new(0),
                allocated: AtomicUsize::new(1),
                lost_by_consumers: AtomicUsize::new(0),
                burned: AtomicUsize::new(0),
            }),
            limits,
            _items: PhantomData,
        }
    }

    pub(super) fn registry(&self) -> &Registry<T> {
        &self.rare.registry
    }

    pub(super) fn head(&self) -> &AtomicPtr<Segment<T>> {
        &self.head
    }

    pub(super) fn tail(&self) -> &AtomicPtr<Segment<T>> {
        &self.tail
    }

    /// A number for the next producer's home.
    pub(super) fn producer_home(&self) -> usize {
        // Relaxed: a figure.
        self.rare.producers.fetch_add(1, Relaxed)
    }

    /// A number for the next consumer's home.
    pub(super) fn consumer_home(&self) -> usize {
        // Relaxed: a figure.
        self.rare.consumers.fetch_add(1, Relaxed)
    }

    /// Closes the lanes of `last`, which is pinned, and makes the segment after it, not
    /// installed. Its number and width are decided by what happened in `last`.
    pub(super) fn succeed(&self, last: &Segment<T>) -> NonNull<Segment<T>> {
        let before = last.header();
        let seen = last.close_lanes();
        let number = before.number.wrapping_add(1);
        let plan = self
            .limits
            .plan(number, before.plan.after(seen, self.limits.bounds));
        let past = Past {
            pushes: before.past.pushes.wrapping_add(seen.pushes),
            lost: before.past.lost.wrapping_add(last.lost().0),
            widened: before.past.widened + usize::from(plan.width > before.plan.width),
            narrowed: before.past.narrowed + usize::from(plan.width < before.plan.width),
        };
        let segment = self.segment_of(plan);
        // SAFETY: from the cache or the allocator, so ours alone.
        let new = unsafe { segment.as_ref() };
        // SAFETY: as above.
        unsafe { new.plan(number, plan, past) };
        segment
    }

    /// An empty segment with room for what is planned.
    fn segment_of(&self, plan: Plan) -> NonNull<Segment<T>> {
        let segment = self.segment_with(plan.width);
        if plan.tenure == Tenure::Shared {
            // SAFETY: from the cache or the allocator, so ours alone.
            unsafe { &mut *segment.as_ptr() }.add_marks();
        }
        segment
    }

    /// An empty segment with room for `width` lanes.
    fn segment_with(&self, width: usize) -> NonNull<Segment<T>> {
        for cached in &self.rare.cache {
            // Relaxed: a look, to spare the RMW.
            if cached.load(Relaxed).is_null() {
                continue;
            }
            // segment -> null
            // Acquire: it is as new; pairs with the Release in `keep`.
            if let Some(segment) = NonNull::new(cached.swap(ptr::null_mut(), Acquire)) {
                // SAFETY: swapped out, so ours alone.
                if unsafe { segment.as_ref() }.capacity() >= width {
                    return segment;
                }
                // SAFETY: as above.
                unsafe { self.free(segment) };
            }
        }
        // Relaxed: a figure.
        self.rare.allocated.fetch_add(1, Relaxed);
        let header = Header {
            number: 0,
            generation: Generation::FIRST,
            plan: Plan::first(self.limits.bounds),
            past: Past::default(),
        };
        Segment::alloc(width, self.limits.lane_slots, header)
    }

    /// Keeps an empty segment for later, or frees it.
    ///
    /// # Safety
    ///
    /// The caller has it alone, and what others did on it happened before.
    pub(super) unsafe fn keep(&self, segment: NonNull<Segment<T>>) {
        // SAFETY: it lives, by contract.
        let ours = unsafe { segment.as_ref() };
        // SAFETY: ours alone, by contract.
        let usable = unsafe { ours.recycle() };
        let mut surplus = Some(segment);
        if usable {
            for cached in &self.rare.cache {
                // Relaxed: a look.
                if !cached.load(Relaxed).is_null() {
                    continue;
                }
                // null, or a segment that came meanwhile -> segment
                // Release: it is as new; pairs with the Acquire in `segment_of`. Acquire:
                // for the one that came meanwhile, which is ours now; pairs with this.
                surplus = NonNull::new(cached.swap(segment.as_ptr(), AcqRel));
                break;
            }
        }
        if let Some(surplus) = surplus {
            // SAFETY: by contract, or swapped out.
            unsafe { self.free(surplus) };
        }
    }

    /// # Safety
    ///
    /// As of `keep`; it holds no items.
    unsafe fn free(&self, segment: NonNull<Segment<T>>) {
        // Relaxed: a figure.
        self.rare.allocated.fetch_sub(1, Relaxed);
        // SAFETY: by contract.
        unsafe { Segment::free(segment) };
    }

    /// Helps the tail from `from`, which is pinned, to the next segment.
    pub(super) fn swing_tail(&self, from: &Segment<T>, next: NonNull<Segment<T>>) {
        // from -> next
        // Release: publishes the segment; pairs with the Acquire in `Record::pin`. A
        // failure: somebody has done it; `from` cannot come back, because it is pinned.
        let _ = self.tail.compare_exchange(
            ptr::from_ref(from).cast_mut(),
            next.as_ptr(),
            Release,
            Relaxed,
        );
    }

    /// Moves the head from `from`, which is pinned, to the next segment. The caller has seen
    /// every lane of `from` closed and drained. Who moves it gets `true` and calls `sweep`
    /// soon, with `from` no longer pinned.
    pub(super) fn pass(&self, from: &Segment<T>, next: NonNull<Segment<T>>) -> bool {
        // The tail first: it must not point to what is retired.
        self.swing_tail(from, next);
        let from = ptr::from_ref(from).cast_mut();
        // from -> next
        // Release: publishes the segment; pairs with the Acquire in `Record::pin`.
        let passed = self
            .head
            .compare_exchange(from, next.as_ptr(), Release, Relaxed);
        if passed.is_err() {
            return false;
        }
        // SAFETY: pinned by the caller.
        let segment = unsafe { &*from };
        let (_, lost, burned) = segment.lost();
        // Relaxed, both: figures.
        self.rare.lost_by_consumers.fetch_add(lost, Relaxed);
        self.rare.burned.fetch_add(burned, Relaxed);
        self.retire(from, from);
        true
    }

    /// Puts a chain of unlinked segments on the list of the retired.
    fn retire(&self, first: *mut Segment<T>, last: *mut Segment<T>) {
        // SAFETY: retired segments are freed by who has taken them from the list.
        let below = unsafe { &*last }.below();
        // Relaxed: only linked to, by what follows.
        let mut top = self.rare.retired.load(Relaxed);
        loop {
            // Relaxed: published by the exchange.
            below.store(top, Relaxed);
            // top -> first
            // Release: publishes the links, and that the segments are unlinked; pairs with
            // the fence in `sweep`. No ABA: the list is only ever taken whole.
            match self
                .rare
                .retired
                .compare_exchange(top, first, Release, Relaxed)
            {
                Ok(_) => return,
                Err(now) => top = now,
            }
        }
    }

    /// Recycles retired segments that nobody is on.
    #[cold]
    pub(super) fn sweep(&self) {
        // Relaxed: a look, to spare the RMW.
        if self.rare.retired.load(Relaxed).is_null() {
            return;
        }
        // list -> null
        // Acquire: receives the segments and the links; pairs with the Release in `retire`. (The
        // fence below would do for the language, and no model misses it; ThreadSanitizer, which
        // does not know fences, does.)
        let mut at = self.rare.retired.swap(ptr::null_mut(), Acquire);
        // SeqCst: they are unlinked before we look at the pins: see `Record::pin`.
        fence(SeqCst);
        let mut pinned: Option<(*mut Segment<T>, *mut Segment<T>)> = None;
        while let Some(segment) = NonNull::new(at) {
            // SAFETY: taken from the list, so it is freed by us or not at all.
            let below = unsafe { segment.as_ref() }.below();
            // Relaxed: came with the list.
            at = below.load(Relaxed);
            if self.rare.registry.is_pinned(segment.as_ptr()) {
                let top = pinned.map_or(ptr::null_mut(), |(first, _)| first);
                // Relaxed: published by `retire`.
                below.store(top, Relaxed);
                let last = pinned.map_or(segment.as_ptr(), |(_, last)| last);
                pinned = Some((segment.as_ptr(), last));
            } else {
                // SAFETY: (1) unlinked, so nobody comes any more; (2) nobody is there, by
                // the scan, and those who were left before it: pairs with the Release in
                // `Record::pin`; (3) drained, so it holds no items.
                unsafe { self.keep(segment) };
            }
        }
        if let Some((first, last)) = pinned {
            self.retire(first, last);
        }
    }

    /// Whether the list is as long as it may be, with `last` at its end. Passes a
    /// drained segment if that helps.
    pub(super) fn is_full(&self, last: &Segment<T>, record: &Record<T>) -> bool {
        if self.limits.segments == usize::MAX {
            return false;
        }
        let number = last.header().number;
        let mut passed = false;
        let full = loop {
            let head = record.pin(Kind::Look, &self.head);
            // SAFETY: pinned.
            let head = unsafe { head.as_ref() };
            // In the list: those from `head` to `last`, or more, if `last` is not the last.
            let linked = number.wrapping_sub(head.header().number).wrapping_add(1);
            // `head` may have overtaken `last`: then a new look at the tail is due.
            if (linked as isize) < self.limits.segments as isize {
                break false;
            }
            let Next::Segment(next) = head.next() else {
                break true;
            };
            // Closed: there is a next.
            if !head.is_drained() {
                break true;
            }
            passed |= self.pass(head, next);
        };
        record.unpin(Kind::Look);
        if passed {
            self.sweep();
        }
        full
    }

    /// Lets no item in any more; those inside stay. Whether this call did it.
    pub(super) fn close(&self, record: &Record<T>) -> bool {
        let closed = loop {
            let last = record.pin(Kind::Look, &self.tail);
            // SAFETY: pinned.
            let last = unsafe { last.as_ref() };
            let _ = last.close_lanes();
            match last.end() {
                Ok(()) => break true,
                Err(Next::End) => break false,
                Err(Next::Segment(next)) => self.swing_tail(last, next),
                // The exchange fails only if there is something.
                Err(Next::Nothing) => {}
            }
        };
        record.unpin(Kind::Look);
        self.say_closed();
        closed
    }

    /// The list was seen to have an end.
    pub(super) fn say_closed(&self) {
        // Release: who sees this sees the closed lanes; pairs with the Acquire in
        // `is_closed`.
        self.rare.closed.store(true, Release);
    }

    pub(super) fn is_closed(&self) -> bool {
        // Acquire: see `say_closed`.
        self.rare.closed.load(Acquire)
    }

    /// Tickets that were given out and not passed.
    pub(super) fn len(&self, record: &Record<T>) -> usize {
        let sums = |end, index: fn((usize, usize)) -> usize| {
            let segment = record.pin(Kind::Look, end);
            // SAFETY: pinned.
            let segment = unsafe { segment.as_ref() };
            let past = segment.header().past.pushes;
            past.wrapping_add(index(segment.tickets()))
        };
        // The head first: then it is not ahead of the tail.
        let heads = sums(&self.head, |(_, heads)| heads);
        let tails = sums(&self.tail, |(tails, _)| tails);
        record.unpin(Kind::Look);
        tails.wrapping_sub(heads)
    }

    /// Whether the queue was empty at one moment. A push that is under way may count.
    pub(super) fn is_empty(&self, record: &Record<T>) -> bool {
        let empty = loop {
            let head = record.pin(Kind::Look, &self.head);
            // SAFETY: pinned.
            let segment = unsafe { head.as_ref() };
            let Some(first) = segment.collect() else {
                break false;
            };
            match segment.verdict(first) {
                Verdict::Empty => break true,
                Verdict::Again => {}
                Verdict::Next(next) => {
                    if self.pass(segment, next) {
                        record.unpin(Kind::Look);
                        self.sweep();
                    }
                }
            }
        };
        record.unpin(Kind::Look);
        empty
    }

    pub(super) fn stats(&self, record: &Record<T>) -> LaneStats {
        let head = record.pin(Kind::Look, &self.head);
        // SAFETY: pinned.
        let head = unsafe { head.as_ref() };
        let first = head.header().number;
        let (_, popping, burned) = head.lost();
        // Relaxed, both: figures.
        let popping = popping.wrapping_add(self.rare.lost_by_consumers.load(Relaxed));
        let burned = burned.wrapping_add(self.rare.burned.load(Relaxed));
        let tail = record.pin(Kind::Look, &self.tail);
        // SAFETY: pinned.
        let tail = unsafe { tail.as_ref() };
        let (header, pushing) = (tail.header(), tail.lost().0);
        let stats = LaneStats {
            width: header.plan.width,
            owned: header.plan.tenure == Tenure::Owned,
            segments: header.number.wrapping_sub(first).wrapping_add(1),
            // Relaxed: a figure.
            allocated_segments: self.rare.allocated.load(Relaxed),
            cas_failures: popping.wrapping_add(header.past.lost).wrapping_add(pushing),
            pushes: header.past.pushes.wrapping_add(tail.tickets().0),
            burned,
            widened: header.past.widened,
            narrowed: header.past.narrowed,
        };
        record.unpin(Kind::Look);
        stats
    }
}
