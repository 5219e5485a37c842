//! The peers that are channels, by the calls that do not wait.
//!
//! Both ends are shared by reference: a clone for each thread costs nothing more or less,
//! because no call looks at the number of ends.

use super::queue::Shared;

/// crossbeam-channel.
pub(super) struct Crossbeam {
    sender: crossbeam_channel::Sender<u64>,
    receiver: crossbeam_channel::Receiver<u64>,
}

impl Shared for Crossbeam {
    fn new(capacity: Option<usize>) -> Self {
        let (sender, receiver) =
            capacity.map_or_else(crossbeam_channel::unbounded, crossbeam_channel::bounded);
        Self { sender, receiver }
    }

    #[inline]
    fn push(&self, item: u64) -> bool {
        self.sender.try_send(item).is_ok()
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.receiver.try_recv().ok()
    }
}

/// flume. It has a call that takes all there is.
pub(super) struct Flume {
    sender: flume::Sender<u64>,
    receiver: flume::Receiver<u64>,
}

impl Shared for Flume {
    fn new(capacity: Option<usize>) -> Self {
        let (sender, receiver) = capacity.map_or_else(flume::unbounded, flume::bounded);
        Self { sender, receiver }
    }

    #[inline]
    fn push(&self, item: u64) -> bool {
        self.sender.try_send(item).is_ok()
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.receiver.try_recv().ok()
    }

    #[inline]
    fn pop_batch(&self, _buffer: &mut Vec<u64>, each: impl FnMut(u64)) -> usize {
        self.receiver.drain().map(each).count()
    }
}

/// kanal. It has a call that takes all there is.
pub(super) struct Kanal {
    sender: kanal::Sender<u64>,
    receiver: kanal::Receiver<u64>,
}

impl Shared for Kanal {
    fn new(capacity: Option<usize>) -> Self {
        let (sender, receiver) = capacity.map_or_else(kanal::unbounded, kanal::bounded);
        Self { sender, receiver }
    }

    #[inline]
    fn push(&self, item: u64) -> bool {
        self.sender.try_send(item).expect("it is not closed")
    }

    #[inline]
    fn pop(&self) -> Option<u64> {
        self.receiver.try_recv().expect("it is not closed")
    }

    #[inline]
    fn pop_batch(&self, buffer: &mut Vec<u64>, each: impl FnMut(u64)) -> usize {
        let count = self.receiver.drain_into(buffer).expect("it is not closed");
        buffer.drain(..).for_each(each);
        count
    }
}

/// The two ends of a crossfire channel of this flavour.
macro_rules! crossfire {
    ($name:ident, $flavour:ident, |$capacity:ident| $new:expr) => {
        /// crossfire.
        pub(super) struct $name {
            sender: crossfire::MTx<crossfire::mpmc::$flavour<u64>>,
            receiver: crossfire::MRx<crossfire::mpmc::$flavour<u64>>,
        }

        impl Shared for $name {
            fn new($capacity: Option<usize>) -> Self {
                let (sender, receiver) = $new;
                Self { sender, receiver }
            }

            #[inline]
            fn push(&self, item: u64) -> bool {
                self.sender.try_send(item).is_ok()
            }

            #[inline]
            fn pop(&self) -> Option<u64> {
                self.receiver.try_recv().ok()
            }
        }
    };
}

crossfire!(CrossfireArray, Array, |capacity| {
    crossfire::mpmc::bounded_blocking(capacity.expect("it has a bound"))
});
crossfire!(CrossfireList, List, |capacity| {
    assert_eq!(capacity, None, "it has no bound");
    crossfire::mpmc::unbounded_blocking()
});
