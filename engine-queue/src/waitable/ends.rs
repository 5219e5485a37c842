//! What can be waited with: the ends of queues.

use std::vec::Vec;

use engine_atomic::fence;

use crate::queue::drain_or_why;
use crate::{PopError, PushError, Queue, lane_queue, spsc};

mod sealed {
    pub trait Sealed {}
}

use sealed::Sealed;

/// An end of a queue that pushes: a [`spsc::Producer`], a [`lane_queue::Producer`],
/// or a shared reference to a [`Queue`], which is both ends of it.
///
/// Sealed: what is to be waited for beside the queues of this crate implements [`Queue`].
pub trait PushEnd: Sealed {
    /// What it pushes.
    type Item;

    /// Whether this is the only end of its kind: when it goes, the queue is closed.
    #[doc(hidden)]
    const ALONE: bool = false;

    /// Appends `item`.
    ///
    /// # Errors
    ///
    /// Hands the item back when there is no room, or nobody will take it.
    fn try_push(&mut self, item: Self::Item) -> Result<(), PushError<Self::Item>>;

    /// Appends items from the front of the vector, as far as there is room, and takes these
    /// out of it.
    ///
    /// # Errors
    ///
    /// When items are left in the vector.
    fn push_batch(&mut self, items: &mut Vec<Self::Item>) -> Result<(), PushError<()>>;

    /// Whether pushes are refused for ever.
    fn is_closed(&self) -> bool;
}

/// An end of a queue that pops: a [`spsc::Consumer`], a [`lane_queue::Consumer`],
/// or a shared reference to a [`Queue`], which is both ends of it.
///
/// Sealed, as [`PushEnd`].
pub trait PopEnd: Sealed {
    /// What it pops.
    type Item;

    /// Whether this is the only end of its kind: when it goes, the queue is closed.
    #[doc(hidden)]
    const ALONE: bool = false;

    /// Takes an item.
    ///
    /// # Errors
    ///
    /// When there is none. [`PopError::Closed`] comes after all items whose push has
    /// succeeded.
    fn try_pop(&mut self) -> Result<Self::Item, PopError>;

    /// Moves up to `max` items to the end of `into`; how many.
    fn pop_batch(&mut self, into: &mut Vec<Self::Item>, max: usize) -> usize;

    /// Whether there will be no more items than those inside.
    fn is_closed(&self) -> bool;

    /// What a call that has taken so many items has done for producers that wait for
    /// room. Asked after it, behind a light fence, while some wait.
    #[doc(hidden)]
    fn room(&mut self, taken: usize) -> Room {
        Room::For(taken)
    }
}

/// For how many producers there is room.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// For so many more than before.
    For(usize),
    /// Maybe for everybody.
    ForAll,
}

impl<Q: Queue> Sealed for &Q {}

impl<Q: Queue> PushEnd for &Q {
    type Item = Q::Item;

    #[inline]
    fn try_push(&mut self, item: Q::Item) -> Result<(), PushError<Q::Item>> {
        Q::try_push(self, item)
    }

    fn push_batch(&mut self, items: &mut Vec<Q::Item>) -> Result<(), PushError<()>> {
        Q::push_batch(self, items)
    }

    fn is_closed(&self) -> bool {
        Q::is_closed(self)
    }
}

impl<Q: Queue> PopEnd for &Q {
    type Item = Q::Item;

    #[inline]
    fn try_pop(&mut self) -> Result<Q::Item, PopError> {
        Q::try_pop(self)
    }

    fn pop_batch(&mut self, into: &mut Vec<Q::Item>, max: usize) -> usize {
        Q::pop_batch(self, into, max)
    }

    fn is_closed(&self) -> bool {
        Q::is_closed(self)
    }
}

impl<E: Sealed> Sealed for &mut E {}

impl<P: PushEnd> PushEnd for &mut P {
    type Item = P::Item;
    const ALONE: bool = P::ALONE;

    #[inline]
    fn try_push(&mut self, item: P::Item) -> Result<(), PushError<P::Item>> {
        P::try_push(self, item)
    }

    fn push_batch(&mut self, items: &mut Vec<P::Item>) -> Result<(), PushError<()>> {
        P::push_batch(self, items)
    }

    fn is_closed(&self) -> bool {
        P::is_closed(self)
    }
}

impl<C: PopEnd> PopEnd for &mut C {
    type Item = C::Item;
    const ALONE: bool = C::ALONE;

    #[inline]
    fn try_pop(&mut self) -> Result<C::Item, PopError> {
        C::try_pop(self)
    }

    fn pop_batch(&mut self, into: &mut Vec<C::Item>, max: usize) -> usize {
        C::pop_batch(self, into, max)
    }

    fn is_closed(&self) -> bool {
        C::is_closed(self)
    }

    fn room(&mut self, taken: usize) -> Room {
        C::room(self, taken)
    }
}

impl<T> Sealed for spsc::Producer<T> {}

impl<T> PushEnd for spsc::Producer<T> {
    type Item = T;
    const ALONE: bool = true;

    #[inline]
    fn try_push(&mut self, item: T) -> Result<(), PushError<T>> {
        self.push(item).map_err(|item| match self.is_abandoned() {
            true => PushError::Closed(item),
            false => PushError::Full(item),
        })
    }

    fn push_batch(&mut self, items: &mut Vec<T>) -> Result<(), PushError<()>> {
        self.push_batch(items)
    }

    fn is_closed(&self) -> bool {
        self.is_abandoned()
    }
}

impl<T> Sealed for spsc::Consumer<T> {}

impl<T> PopEnd for spsc::Consumer<T> {
    type Item = T;
    const ALONE: bool = true;

    #[inline]
    fn try_pop(&mut self) -> Result<T, PopError> {
        drain_or_why(self, Self::pop, Self::is_abandoned)
    }

    fn pop_batch(&mut self, into: &mut Vec<T>, max: usize) -> usize {
        self.pop_batch(into, max)
    }

    fn is_closed(&self) -> bool {
        self.is_abandoned()
    }
}

impl<T> Sealed for lane_queue::Producer<T> {}

impl<T> PushEnd for lane_queue::Producer<T> {
    type Item = T;

    #[inline]
    fn try_push(&mut self, item: T) -> Result<(), PushError<T>> {
        self.try_push(item)
    }

    fn push_batch(&mut self, items: &mut Vec<T>) -> Result<(), PushError<()>> {
        self.push_batch(items)
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}

impl<T> Sealed for lane_queue::Consumer<T> {}

impl<T> PopEnd for lane_queue::Consumer<T> {
    type Item = T;

    #[inline]
    fn try_pop(&mut self) -> Result<T, PopError> {
        drain_or_why(self, Self::pop, Self::is_closed)
    }

    fn pop_batch(&mut self, into: &mut Vec<T>, max: usize) -> usize {
        self.pop_batch(into, max)
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }

    /// A producer that is refused waits until the first segment is used up, and then all of
    /// them have room, whatever their lanes. So a pop is an event only if it is the last
    /// of a segment: also one that found nothing, and gave up on slots. Consumers that
    /// take the last items of two lanes at the same time: two light fences do not order
    /// them, so whoever has used up its lane makes a heavy one. Either it sees what the
    /// other one has done, or the other one sees its lane used up, and that somebody waits,
    /// and comes here as well. (Under the checkers a light fence is a full one: they show
    /// that the look is needed, and not that its fence is.)
    fn room(&mut self, _taken: usize) -> Room {
        match self.has_used_up_a_segment(fence::heavy) {
            true => Room::ForAll,
            false => Room::For(0),
        }
    }
}
