//! The handle that pushes.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::NonNull;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use engine_atomic::sync::Arc;

use super::handle::{Handle, Seat};
use super::hazard::Kind;
use super::lane::Tenure;
use super::segment::{Next, Segment};
use super::shared::Shared;
use crate::PushError;

/// Pushes into a [`LaneQueue`](super::LaneQueue).
///
/// Items that are pushed by one producer are popped in their order. Each thread
/// has its own: clone it, or ask the queue for another one. A clone is another
/// producer, with no order between the two.
///
/// # Guarantees
///
/// Those of [`LaneQueue`](super::LaneQueue). `Send` where `T` is, so that it can be
/// moved to its thread; not `Sync`. It keeps the queue alive, and from its first push
/// on it keeps the segment that it pushed to last from being used again: one
/// segment, however long it rests.
pub struct Producer<T> {
    /// Uses what `handle` has pinned as `Kind::Work`.
    seat: Option<Seat<T>>,
    /// Of the seat; `None`: there was none that this producer could own.
    lane: Option<usize>,
    /// The next ticket of an owned lane.
    ticket: usize,
    handle: Handle<T>,
    home: usize,
    #[cfg(test)]
    pub(super) race: Race,
}

/// Lets a test lose a race: called between the look at a tail and the claim.
#[cfg(test)]
pub(super) type Race = Option<alloc::boxed::Box<dyn FnMut() + Send>>;

// SAFETY: the pointers are to a queue whose items may be sent, and to a record of
// which this is the only user.
unsafe impl<T: Send> Send for Producer<T> {}
// No code of the user runs inside.
impl<T> UnwindSafe for Producer<T> {}
impl<T> RefUnwindSafe for Producer<T> {}

/// What came of an attempt to find another segment.
#[must_use]
enum Moved<T> {
    /// Pushed, on the way.
    Pushed,
    /// Try again there.
    Seated(T),
    Refused(PushError<T>),
}

/// A segment that was installed, its number, and the lane that was used.
type Linked<T> = (NonNull<Segment<T>>, (usize, usize));

impl<T> Producer<T> {
    pub(super) fn new(shared: &Arc<Shared<T>>) -> Self {
        Self {
            seat: None,
            lane: None,
            ticket: 0,
            handle: Handle::new(shared),
            home: shared.producer_home(),
            #[cfg(test)]
            race: None,
        }
    }

    /// Appends `item`.
    ///
    /// # Panics
    ///
    /// If the queue is closed, or has a limit and is full: see
    /// [`try_push`](Self::try_push), which says so and hands the item back.
    #[inline]
    pub fn push(&mut self, item: T) {
        if let Err(refused) = self.try_push(item) {
            push_refused(&refused);
        }
    }

    /// Appends `item`, unless the queue is closed or full.
    ///
    /// # Errors
    ///
    /// [`PushError::Closed`] after [`close`](super::LaneQueue::close);
    /// [`PushError::Full`] if a queue with
    /// [`max_segments`](super::LaneOptions::max_segments) has that many and the lane of
    /// this producer in the last one is used up.
    #[inline]
    pub fn try_push(&mut self, item: T) -> Result<(), PushError<T>> {
        self.push_here(item)
            .or_else(|back| self.push_elsewhere(back))
    }

    /// Pushes to the lane of the seat, if there is one and it takes any more.
    #[inline]
    fn push_here(&mut self, item: T) -> Result<(), T> {
        let Some(seat) = &self.seat else {
            return Err(item);
        };
        // SAFETY: pinned by our handle.
        let lane = unsafe { seat.lane() };
        #[cfg(not(test))]
        let race = || ();
        #[cfg(test)]
        let mut race = || self.race.iter_mut().for_each(|race| race());
        match lane.tenure {
            Tenure::Owned => {
                race();
                lane.push_owned(item, &mut self.ticket)
            }
            Tenure::Shared => lane.push_shared(item, race),
        }
    }

    #[cold]
    #[inline(never)]
    fn push_elsewhere(&mut self, mut item: T) -> Result<(), PushError<T>> {
        loop {
            match self.move_on(item) {
                Moved::Pushed => return Ok(()),
                Moved::Seated(back) => item = back,
                Moved::Refused(refused) => return Err(refused),
            }
            match self.push_here(item) {
                Ok(()) => return Ok(()),
                Err(back) => item = back,
            }
        }
    }

    /// Appends the items of the vector, in their order, as far as there is room, and takes
    /// these out of it.
    ///
    /// Fewer claims than by `push`: one for as many items as the lane has room for, if
    /// no race is lost. Items of other producers may come in between.
    ///
    /// # Errors
    ///
    /// When items are left in the vector, for the reasons of [`try_push`](Self::try_push).
    ///
    /// # Example
    ///
    /// ```
    /// use engine_queue::{LaneOptions, PushError};
    ///
    /// let options = LaneOptions::new().max_width(1).lane_slots(2).max_segments(2);
    /// let queue = options.build();
    /// let mut items = vec![1, 2, 3, 4, 5];
    /// let pushed = queue.producer().push_batch(&mut items);
    /// assert_eq!(pushed, Err(PushError::Full(())));
    /// assert_eq!(items, [5]);
    ///
    /// let mut out = Vec::new();
    /// let mut consumer = queue.consumer();
    /// while consumer.pop_batch(&mut out, 16) != 0 {}
    /// assert_eq!(out, [1, 2, 3, 4]);
    /// ```
    pub fn push_batch(&mut self, items: &mut Vec<T>) -> Result<(), PushError<()>> {
        // Neither of the two conversions allocates. Unwind: none of the user's code runs
        // before the second.
        let mut queue = VecDeque::from(core::mem::take(items));
        let pushed = self.push_all(&mut queue);
        *items = Vec::from(queue);
        pushed
    }

    fn push_all(&mut self, items: &mut VecDeque<T>) -> Result<(), PushError<()>> {
        loop {
            if let Some(seat) = &self.seat {
                // SAFETY: pinned by our handle.
                unsafe { seat.lane() }.push_all(items, &mut self.ticket);
            }
            let Some(first) = items.pop_front() else {
                return Ok(());
            };
            match self.move_on(first) {
                Moved::Pushed => {}
                // Does not allocate, nor does the other: it came from here.
                Moved::Seated(back) => items.push_front(back),
                Moved::Refused(refused) => {
                    return Err(refused.map(|back| items.push_front(back)));
                }
            }
        }
    }

    /// Closes the queue, as [`LaneQueue::close`](super::LaneQueue::close).
    pub fn close(&self) -> bool {
        self.handle.close(self.handle.record())
    }

    /// Whether the queue is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    #[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
    pub(super) fn seat(&self) -> Option<&Seat<T>> {
        self.seat.as_ref()
    }

    /// Leaves a lane that takes no more, or sits down for the first time.
    #[cold]
    fn move_on(&mut self, item: T) -> Moved<T> {
        let Some(seat) = &self.seat else {
            self.sit_down(None);
            return Moved::Seated(item);
        };
        // SAFETY: pinned by our handle, until `sit_down`.
        let last = unsafe { seat.segment() };
        match last.next() {
            Next::Nothing if self.handle.is_full(last, self.handle.record()) => {
                Moved::Refused(PushError::Full(item))
            }
            Next::Nothing => self.install(last, item),
            there => self.follow(last, there, item),
        }
    }

    /// Puts a new segment behind `last`, with `item` in it: so that whoever is fast
    /// enough to install one has pushed, even if every slot it claims is burned.
    fn install(&mut self, last: &Segment<T>, item: T) -> Moved<T> {
        match self.link(last, item) {
            Ok((segment, used)) => {
                self.handle.swing_tail(last, segment);
                self.sit_down(Some(used));
                Moved::Pushed
            }
            Err((there, item)) => self.follow(last, there, item),
        }
    }

    /// The first half of `install`: the segment, its number and the lane with the item; or
    /// what is there instead.
    fn link(&self, last: &Segment<T>, item: T) -> Result<Linked<T>, (Next<T>, T)> {
        let segment = self.handle.succeed(last);
        // SAFETY: not installed, so ours alone, and it lives.
        let new = unsafe { segment.as_ref() };
        let number = new.header().number;
        // It is new: there is one.
        let lane = new.enter(self.home).unwrap_or(0);
        // SAFETY: not installed, and once.
        unsafe { new.lane(lane).seed(item) };
        let Err(there) = last.install(segment) else {
            return Ok((segment, (number, lane)));
        };
        // SAFETY: not installed, and seeded above.
        let item = unsafe { new.lane(lane).unseed() };
        // SAFETY: ours alone, and empty again.
        unsafe { self.handle.keep(segment) };
        Err((there, item))
    }

    /// Installs a segment and stops before the tail follows, as a thread may; the next
    /// push goes on.
    #[cfg(test)]
    pub(super) fn install_halfway(&mut self, item: T) -> bool {
        self.seat.as_ref().is_some_and(|seat| {
            // SAFETY: pinned by our handle.
            let last = unsafe { seat.segment() };
            self.link(last, item).is_ok()
        })
    }

    /// Installs a segment and moves the tail to it, and stops before the fence of the next pin.
    #[cfg(test)]
    pub(super) fn install_and_swing(&mut self, item: T) -> bool {
        self.seat.as_ref().is_some_and(|seat| {
            // SAFETY: pinned by our handle.
            let last = unsafe { seat.segment() };
            let linked = self.link(last, item);
            let _ = linked
                .as_ref()
                .map(|(segment, _)| self.handle.swing_tail(last, *segment));
            linked.is_ok()
        })
    }

    /// Goes where `last` leads.
    fn follow(&mut self, last: &Segment<T>, there: Next<T>, item: T) -> Moved<T> {
        match there {
            Next::End => {
                self.handle.say_closed();
                return Moved::Refused(PushError::Closed(item));
            }
            Next::Segment(next) => {
                self.handle.swing_tail(last, next);
                self.sit_down(None);
            }
            // Still the last: try again.
            Next::Nothing => {}
        }
        Moved::Seated(item)
    }

    /// Takes a seat in the last segment. `used`: a segment's number, and the lane of it
    /// that we have pushed to: if it is that one, no other lane will do.
    fn sit_down(&mut self, used: Option<(usize, usize)>) {
        self.seat = None;
        let segment = self.handle.record().pin(Kind::Work, self.handle.tail());
        // SAFETY: pinned, until the next call.
        let segment = unsafe { segment.as_ref() };
        let lane = match used {
            Some((number, lane)) if number == segment.header().number => Some(lane),
            _ => segment.enter(self.home),
        };
        self.lane = lane;
        self.ticket = 0;
        self.seat = Some(match lane {
            Some(lane) => Seat::new(segment, lane),
            None => Seat::apart(segment),
        });
        if let (Some(lane), Tenure::Owned) = (lane, segment.tenure()) {
            self.ticket = segment.lanes()[lane].own_ticket();
        }
    }
}

#[cold]
#[track_caller]
fn push_refused<T>(refused: &PushError<T>) -> ! {
    panic!("push into a LaneQueue: {refused}; `try_push` hands the item back");
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        if let Some(seat) = &self.seat {
            // SAFETY: pinned by our handle.
            unsafe { seat.segment() }.leave(self.lane);
        }
    }
}

impl<T> Clone for Producer<T> {
    /// Another producer for the same queue.
    fn clone(&self) -> Self {
        Self::new(self.handle.shared())
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("home", &self.home)
            .field("seated", &self.seat.is_some())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
