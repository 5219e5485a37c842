//! Channels and queues by the calls that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::time::Duration;

use engine_queue::{ArrayQueue, Waitable};

use super::account::{Received, item, settle};
use super::work::go;
use super::{Shape, Work};
use crate::Turn;
use crate::runner::Part;

/// An end that is pushed to. When all of a channel are dropped, no more items come.
pub(super) trait Put: Send {
    /// Waits for room.
    fn put(&mut self, item: u64);
}

/// An end that is popped from.
pub(super) trait Take: Send {
    /// Waits for an item; `None` when no more come.
    fn take(&mut self) -> Option<u64>;
}

/// How the ends of a channel come to be.
pub(super) trait Channel {
    /// So many ends that push, and so many that pop.
    fn ends(
        capacity: usize,
        counts: [usize; 2],
    ) -> (Vec<impl Put + use<Self>>, Vec<impl Take + use<Self>>);
}

/// A turn of this channel at this shape: producers send until the time is over, and consumers
/// receive until nothing comes any more.
///
/// # Panics
///
/// If an item is lost, comes twice, or overtakes one of the same producer on the way to a
/// consumer.
pub(super) fn turn<C: Channel>(shape: &Shape, duration: Duration) -> Turn {
    assert_eq!(shape.work, Work::Singly, "nothing else is measured here");
    let counts @ [p, c] = shape.counts();
    let (senders, receivers) = C::ends(shape.capacity.expect("it has a bound"), counts);
    let mut pushed = vec![0; p];
    let mut received: Vec<_> = (0..c).map(|_| Received::new(p)).collect();
    let send = senders.into_iter().zip(&mut pushed).enumerate();
    let send = send.map(|(me, (mut sender, pushed))| -> Part<'_> {
        Box::new(move |signal| {
            let mut number = 0;
            while signal.running() {
                sender.put(item(me, number));
                number += 1;
            }
            *pushed = number;
            // An item counts when it is popped.
            0_u64.into()
        })
    });
    let receive = (receivers.into_iter().zip(&mut received)).map(|(mut receiver, received)| {
        let part: Part<'_> = Box::new(move |_| {
            // On this thread's own stack meanwhile.
            let mut mine = std::mem::take(received);
            while let Some(item) = receiver.take() {
                mine.take(item);
            }
            *received = mine;
            received.count.into()
        });
        part
    });
    let parts = send.chain(receive).collect();
    let turn = go(shape.threads, duration, parts);
    settle(&pushed, &received);
    turn
}

macro_rules! channel {
    ($name:ident, $sender:ty, $receiver:ty, |$capacity:ident| $new:expr) => {
        impl Put for $sender {
            #[inline]
            fn put(&mut self, item: u64) {
                self.send(item).expect("a receiver is alive");
            }
        }

        impl Take for $receiver {
            #[inline]
            fn take(&mut self) -> Option<u64> {
                self.recv().ok()
            }
        }

        pub(super) struct $name;

        impl Channel for $name {
            fn ends(
                $capacity: usize,
                [p, c]: [usize; 2],
            ) -> (Vec<impl Put + use<>>, Vec<impl Take + use<>>) {
                let (sender, receiver) = $new;
                (vec![sender; p], vec![receiver; c])
            }
        }
    };
}

channel!(
    Crossbeam,
    crossbeam_channel::Sender<u64>,
    crossbeam_channel::Receiver<u64>,
    |capacity| crossbeam_channel::bounded(capacity)
);
channel!(
    Crossfire,
    crossfire::MTx<crossfire::mpmc::Array<u64>>,
    crossfire::MRx<crossfire::mpmc::Array<u64>>,
    |capacity| crossfire::mpmc::bounded_blocking(capacity)
);
channel!(
    Flume,
    flume::Sender<u64>,
    flume::Receiver<u64>,
    |capacity| flume::bounded(capacity)
);
channel!(
    Kanal,
    kanal::Sender<u64>,
    kanal::Receiver<u64>,
    |capacity| kanal::bounded(capacity)
);

/// `Waitable<ArrayQueue>`.
pub(super) struct Engine;

struct Shared {
    queue: Waitable<ArrayQueue<u64>>,
    producers: AtomicUsize,
}

/// Closes the queue when it is the last.
struct Producer(Arc<Shared>);

impl Put for Producer {
    #[inline]
    fn put(&mut self, item: u64) {
        self.0.queue.push_wait(item).expect("it is not closed");
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // AcqRel: the last one to come here comes after all pushes; pairs with the others'.
        if self.0.producers.fetch_sub(1, AcqRel) == 1 {
            self.0.queue.close();
        }
    }
}

impl Take for Arc<Shared> {
    #[inline]
    fn take(&mut self) -> Option<u64> {
        self.queue.pop_wait()
    }
}

impl Channel for Engine {
    fn ends(
        capacity: usize,
        [p, c]: [usize; 2],
    ) -> (Vec<impl Put + use<>>, Vec<impl Take + use<>>) {
        let shared = Arc::new(Shared {
            queue: Waitable::new(ArrayQueue::new(capacity)),
            producers: AtomicUsize::new(p),
        });
        let producers = (0..p).map(|_| Producer(shared.clone())).collect();
        (producers, vec![shared; c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queues::Threads;

    #[test]
    fn all_that_is_sent_is_received() {
        let shape = Shape {
            threads: Threads::Each([2, 2]),
            work: Work::Singly,
            capacity: Some(4),
        };
        let turns = [turn::<Engine>, turn::<Crossbeam>, turn::<Kanal>];
        for turn in turns {
            // On a busy machine no producer may have run before the turn is over.
            while turn(&shape, Duration::from_millis(3)).operations == 0 {}
        }
    }
}
