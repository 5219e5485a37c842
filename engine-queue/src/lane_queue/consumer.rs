//! The handle that pops.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use alloc::vec::Vec;

use engine_atomic::Backoff;
use engine_atomic::sync::{Arc, pick};

use super::handle::{Handle, Seat};
use super::hazard::Kind;
use super::lane::{Lane, Look, Memo};
#[cfg(any(test, feature = "std"))]
use super::segment::Next;
use super::segment::{Collect, Verdict};
use super::shared::Shared;
use crate::lost_race::LostRaces;

/// Rounds of waiting for a push that has claimed a slot and not finished, before its
/// slot is given up: four that spin and four that yield the processor. None in a model:
/// a checker lets a thread that yields run last, and would hardly ever see a slot burn.
const PATIENCE: u32 = pick(8, 0) as u32;

/// Scans that found nothing are written down so many at a time.
const IDLE_SCANS: usize = pick(16, 1);

/// Pops from a [`LaneQueue`](super::LaneQueue).
///
/// Each thread has its own: clone it, or ask the queue for another one.
///
/// # Guarantees
///
/// Those of [`LaneQueue`](super::LaneQueue). `Send` where `T` is, so that it can be
/// moved to its thread; not `Sync`. It keeps the queue alive, and from its first pop
/// on it keeps the segment that it popped from last from being used again: one
/// segment, however long it rests.
pub struct Consumer<T> {
    /// Uses what `handle` has pinned as `Kind::Work`.
    seat: Option<Seat<T>>,
    handle: Handle<T>,
    home: usize,
    /// The lane of the seat.
    lane: usize,
    /// Of that lane.
    memo: Memo,
    idle_scans: usize,
    /// The segment of the last answer of `has_used_up_a_segment`.
    #[cfg(feature = "std")]
    answered: usize,
}

// SAFETY: the pointers are to a queue whose items may be sent, and to a record of
// which this is the only user.
unsafe impl<T: Send> Send for Consumer<T> {}
// No code of the user runs inside.
impl<T> UnwindSafe for Consumer<T> {}
impl<T> RefUnwindSafe for Consumer<T> {}

/// What a scan of all lanes found.
enum Scan<R> {
    Taken(R),
    /// Others were faster wherever there was something.
    Lost,
    /// A push that has not finished, in this lane and slot, and nothing else.
    Pending(usize, usize),
    /// All lanes were drained, each at its own time.
    Drained(Collect),
}

impl<T> Consumer<T> {
    pub(super) fn new(shared: &Arc<Shared<T>>) -> Self {
        Self {
            seat: None,
            handle: Handle::new(shared),
            home: shared.consumer_home(),
            lane: 0,
            memo: Memo::new(),
            idle_scans: 0,
            #[cfg(feature = "std")]
            answered: usize::MAX,
        }
    }

    /// Takes the first item of a lane; `None` if the queue was empty at one moment of
    /// the call.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if let Some(seat) = &self.seat {
            // SAFETY: pinned by our handle.
            if let Look::Taken(item) = unsafe { seat.lane() }.pop(&mut self.memo) {
                return Some(item);
            }
        }
        self.search(|lane, memo| lane.pop(memo))
    }

    /// Moves up to `max` items of one lane to the end of `into`, with one claim; how many.
    ///
    /// Room is made in `into` before they are claimed. 0 if the queue was empty at one
    /// moment of the call, or `max` is 0. Fewer than `max` says nothing.
    pub fn pop_batch(&mut self, into: &mut Vec<T>, max: usize) -> usize {
        if max == 0 {
            return 0;
        }
        self.search(|lane, memo| lane.pop_some(max, into, memo))
            .unwrap_or(0)
    }

    /// Closes the queue, as [`LaneQueue::close`](super::LaneQueue::close).
    pub fn close(&self) -> bool {
        self.handle.close(self.handle.record())
    }

    /// Whether the queue is closed. If it is, a `None` from [`pop`](Self::pop) after
    /// this is for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Whether the queue was empty at one moment of the call. `false` may be due to a
    /// push that was under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handle.is_empty(self.handle.record())
    }

    #[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
    pub(super) fn lane(&self) -> usize {
        self.lane
    }

    /// Whether a segment has been used up, as far as this consumer knows, since the last
    /// answer. `fence` is to order what is seen of the other lanes.
    ///
    /// No fence is needed while the lane of the seat has items: who takes the last one of
    /// them asks then, and sees what we have done on the others.
    #[cfg(feature = "std")]
    pub(crate) fn has_used_up_a_segment(&mut self, fence: impl FnOnce()) -> bool {
        let Some(seat) = &self.seat else {
            return false;
        };
        // SAFETY: pinned by our handle.
        let segment = unsafe { seat.segment() };
        let number = segment.header().number;
        if core::mem::replace(&mut self.answered, number) != number {
            return true;
        }
        let own = &segment.lanes()[self.lane];
        if own.head() < own.tail(segment.tenure()).tickets() {
            return false;
        }
        fence();
        matches!(segment.next(), Next::Segment(_)) && segment.is_drained()
    }

    /// Takes by `take` from any lane, over all segments.
    #[cold]
    #[inline(never)]
    fn search<R>(&mut self, mut take: impl FnMut(&Lane<'_, T>, &mut Memo) -> Look<R>) -> Option<R> {
        let backoff = Backoff::new();
        let mut races = LostRaces::new();
        loop {
            if self.seat.is_none() {
                self.sit_down();
                continue;
            }
            match self.scan(&mut take) {
                Scan::Taken(taken) => return Some(taken),
                Scan::Lost => self.stay_away(&mut races),
                Scan::Pending(lane, slot) => {
                    if backoff.rounds() < PATIENCE {
                        backoff.snooze();
                    } else {
                        backoff.reset();
                        self.burn(lane, slot);
                    }
                }
                Scan::Drained(first) => {
                    if self.is_over(first) {
                        return None;
                    }
                }
            }
        }
    }

    /// Looks at each lane once, from the seat's on.
    #[inline]
    fn scan<R>(&mut self, take: &mut impl FnMut(&Lane<'_, T>, &mut Memo) -> Look<R>) -> Scan<R> {
        let Some(seat) = &self.seat else {
            return Scan::Lost;
        };
        // SAFETY: pinned by our handle.
        let segment = unsafe { seat.segment() };
        let width = segment.width();
        let mut collect = Collect::EMPTY;
        let mut pending = None;
        let mut lost = false;
        let at = self.lane;
        for lane in (0..width).map(|n| (at + n) % width) {
            if lane != at {
                self.memo.forget();
            }
            match take(&segment.lane(lane), &mut self.memo) {
                Look::Taken(taken) => {
                    if lane != at {
                        self.lane = lane;
                        self.seat = Some(Seat::new(segment, lane));
                    }
                    return Scan::Taken(taken);
                }
                Look::Lost => lost = true,
                Look::Pending(slot) => pending = Some((lane, slot)),
                Look::Drained(tail) => collect = collect.and(tail),
            }
        }
        if width > 1 {
            // What it remembers is of the last lane.
            self.memo.forget();
        }
        match pending {
            _ if lost => Scan::Lost,
            Some((lane, slot)) => Scan::Pending(lane, slot),
            None => Scan::Drained(collect),
        }
    }

    /// After a race that was lost, and nothing was found elsewhere: see [`LostRaces`].
    fn stay_away(&self, races: &mut LostRaces) {
        if let Some(seat) = &self.seat {
            // SAFETY: pinned by our handle.
            races.wait(unsafe { seat.lane() }.ends.head_word());
        }
    }

    fn burn(&self, lane: usize, slot: usize) {
        if let Some(seat) = &self.seat {
            // SAFETY: pinned by our handle.
            unsafe { seat.segment() }.lane(lane).burn(slot);
        }
    }

    /// After a scan that found all lanes drained: whether the queue was empty. If not,
    /// we may sit elsewhere now.
    fn is_over(&mut self, first: Collect) -> bool {
        let Some(seat) = &self.seat else {
            return false;
        };
        // SAFETY: pinned by our handle, until `sit_down`.
        let segment = unsafe { seat.segment() };
        match segment.verdict(first) {
            Verdict::Empty => {
                self.idle_scans += 1;
                if self.idle_scans == IDLE_SCANS {
                    // With one lane, a scan costs nothing that narrowing could save.
                    if segment.width() > 1 {
                        segment.count_idle_scans(IDLE_SCANS);
                    }
                    self.idle_scans = 0;
                }
                true
            }
            Verdict::Again => false,
            Verdict::Next(next) => {
                let passed = self.handle.pass(segment, next);
                self.sit_down();
                if passed {
                    self.handle.sweep();
                }
                false
            }
        }
    }

    /// Moves the head on if there is a next segment and this one is drained, and stops before the
    /// fence of the next pin.
    #[cfg(test)]
    pub(super) fn pass_halfway(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| {
            // SAFETY: pinned by our handle.
            let segment = unsafe { seat.segment() };
            match segment.next() {
                Next::Segment(next) if segment.is_drained() => self.handle.pass(segment, next),
                _ => false,
            }
        })
    }

    /// Takes a seat in the first segment.
    fn sit_down(&mut self) {
        self.seat = None;
        let segment = self.handle.record().pin(Kind::Work, self.handle.head());
        // SAFETY: pinned, until the next call.
        let segment = unsafe { segment.as_ref() };
        self.lane = self.home % segment.width();
        self.memo.forget();
        self.seat = Some(Seat::new(segment, self.lane));
        #[cfg(feature = "std")]
        if self.answered == usize::MAX {
            // The first one: we have used up nothing yet.
            self.answered = segment.header().number;
        }
    }
}

impl<T> Clone for Consumer<T> {
    /// Another consumer of the same queue.
    fn clone(&self) -> Self {
        Self::new(self.handle.shared())
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("home", &self.home)
            .field("lane", &self.lane)
            .field("seated", &self.seat.is_some())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
