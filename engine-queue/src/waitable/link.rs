//! What holds an end and the other ends together.

use std::time::{Duration, Instant};

use engine_atomic::sync::Arc;

use super::waits::Waits;

/// A share of those who wait. Dropped after the end it belongs to.
pub(super) struct Link {
    waits: Arc<Waits>,
    end: End,
}

/// What goes with a link.
#[derive(Clone, Copy)]
enum End {
    /// One of many: nobody need know.
    OneOfMany,
    /// Those who wait for an item wait no more.
    OnlyProducer,
    /// Those who wait for room wait no more.
    OnlyConsumer,
}

impl Link {
    pub(super) fn producer(waits: Arc<Waits>, alone: bool) -> Self {
        Self::new(waits, alone, End::OnlyProducer)
    }

    pub(super) fn consumer(waits: Arc<Waits>, alone: bool) -> Self {
        Self::new(waits, alone, End::OnlyConsumer)
    }

    fn new(waits: Arc<Waits>, alone: bool, only: End) -> Self {
        let end = if alone { only } else { End::OneOfMany };
        Self { waits, end }
    }

    #[inline]
    pub(super) fn waits(&self) -> &Arc<Waits> {
        &self.waits
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The end is gone: whoever looks after this sees it.
        let panics = match self.end {
            End::OneOfMany => return,
            End::OnlyProducer => self.waits.items.notify_all(),
            End::OnlyConsumer => {
                self.waits.items.say_gone();
                self.waits.room.notify_all()
            }
        };
        panics.end_here();
    }
}

/// `None` beyond the clock: no limit.
pub(super) fn deadline_of(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}
