//! What producers and consumers have in common: a queue and a record in it.

use core::ops::Deref;
use core::ptr::NonNull;

use engine_atomic::CachePadded;
use engine_atomic::sync::Arc;

use super::hazard::Record;
use super::lane::{Ends, Lane, Tenure};
use super::segment::Segment;
use super::shared::Shared;
use super::slot::{Generation, Mark, Value};

/// A share of the queue, and a record of its own.
pub(super) struct Handle<T> {
    shared: Arc<Shared<T>>,
    record: NonNull<CachePadded<Record<T>>>,
}

impl<T> Handle<T> {
    pub(super) fn new(shared: &Arc<Shared<T>>) -> Self {
        Self {
            shared: shared.clone(),
            record: shared.registry().take(),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared<T>> {
        &self.shared
    }

    pub(super) fn record(&self) -> &Record<T> {
        // SAFETY: freed with the registry, which `shared` keeps alive.
        unsafe { self.record.as_ref() }
    }
}

impl<T> Deref for Handle<T> {
    type Target = Shared<T>;

    fn deref(&self) -> &Shared<T> {
        &self.shared
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: from this registry, and not used after this.
        unsafe { self.shared.registry().give_back(self.record) };
        // We may have been the last one on a retired segment.
        self.shared.sweep();
    }
}

/// A lane of the segment that a handle has pinned, found once and used for many items.
pub(super) struct Seat<T> {
    segment: NonNull<Segment<T>>,
    ends: NonNull<Ends>,
    values: NonNull<[Value<T>]>,
    marks: NonNull<[Mark]>,
    generation: Generation,
    tenure: Tenure,
}

impl<T> Seat<T> {
    /// A seat in `segment`, which the caller has pinned. All uses of the seat end
    /// before the pin does.
    pub(super) fn new(segment: &Segment<T>, lane: usize) -> Self {
        let lane = segment.lane(lane);
        Self {
            segment: NonNull::from(segment),
            ends: NonNull::from(lane.ends),
            values: NonNull::from(lane.values),
            marks: NonNull::from(lane.marks),
            generation: lane.generation,
            tenure: lane.tenure,
        }
    }

    /// A seat in `segment`, as by `new`, in none of its lanes.
    pub(super) fn apart(segment: &Segment<T>) -> Self {
        Self {
            values: NonNull::from(&mut []),
            marks: NonNull::from(&mut []),
            tenure: Tenure::Owned,
            ..Self::new(segment, 0)
        }
    }

    /// # Safety
    ///
    /// The segment is pinned, and for as long as the result is used.
    #[inline]
    pub(super) unsafe fn lane<'a>(&self) -> Lane<'a, T> {
        Lane {
            // SAFETY: part of the segment, which lives, by contract.
            ends: unsafe { self.ends.as_ref() },
            // SAFETY: as above.
            values: unsafe { self.values.as_ref() },
            // SAFETY: as above.
            marks: unsafe { self.marks.as_ref() },
            generation: self.generation,
            tenure: self.tenure,
        }
    }

    /// # Safety
    ///
    /// As of `lane`.
    #[inline]
    pub(super) unsafe fn segment<'a>(&self) -> &'a Segment<T> {
        // SAFETY: by contract.
        unsafe { self.segment.as_ref() }
    }
}
