//! The reactor over any poller.

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::poller::{Poll, Ready};
use super::source::{Source, Sources};
use super::state::{Begin, State, Unpark};
use crate::sync::{Mutex, Payload, lock, wake_all};

/// How long a worker rests before it tries a poller again that has failed.
pub const PAUSE: Duration = Duration::from_millis(50);

/// What all clones of a reactor share.
pub struct Core<P: Poll> {
    /// Where events come from.
    pub poller: P,
    state: State,
    /// Locked by the driving worker alone.
    batch: Mutex<Batch<P>>,
    sources: Mutex<Sources>,
}

/// Buffers of the driving worker.
struct Batch<P: Poll> {
    buffer: P::Buffer,
    ready: Vec<Ready>,
    wakers: Vec<Waker>,
    /// The last wait failed.
    failing: bool,
}

/// How a look at the poller ended.
struct Turn {
    waited: io::Result<()>,
    woken: Result<(), Payload>,
}

impl<P: Poll> Core<P> {
    /// Watches nothing yet.
    pub fn new(poller: P) -> Self {
        let batch = Batch {
            buffer: poller.buffer(),
            ready: Vec::new(),
            wakers: Vec::new(),
            failing: false,
        };
        Self {
            poller,
            state: State::new(),
            batch: Mutex::new(batch),
            sources: Mutex::default(),
        }
    }

    /// Enters `source`; events with the key that is returned are for it.
    pub fn insert(&self, source: Arc<Source>) -> usize {
        lock(&self.sources).insert(source)
    }

    /// Ends that.
    pub fn remove(&self, key: usize) {
        let source = lock(&self.sources).remove(key);
        drop(source);
    }

    /// See [`Driver::park`](engine_sched::Driver::park).
    ///
    /// A poller that fails would make a loop of this that never waits. So the worker rests
    /// for [`PAUSE`], and returns at once for an unpark: tasks that others wake run as ever,
    /// and sockets are looked at again when the poller has recovered. Meanwhile the
    /// connections run into their timeouts.
    pub fn park(&self) {
        let timeout = match self.state.begin() {
            Begin::Wait => None,
            Begin::Return => Some(Duration::ZERO),
        };
        let turn = self.turn(timeout);
        if turn.waited.is_err() {
            self.state.rest(PAUSE);
        }
        // An unpark by one of the wakers just called is satisfied by the return.
        self.state.end();
        turn.finish();
    }

    /// See [`Driver::unpark`](engine_sched::Driver::unpark).
    pub fn unpark(&self) {
        match self.state.unpark() {
            Unpark::Done => {}
            Unpark::NotifyPoller => self.poller.notify(),
        }
    }

    /// See [`Driver::poll`](engine_sched::Driver::poll). A failure is left to the next park.
    pub fn poll(&self) {
        self.turn(Some(Duration::ZERO)).finish();
    }

    /// Waits for events, at most for `timeout`, and wakes the tasks that wait for them.
    fn turn(&self, timeout: Option<Duration>) -> Turn {
        let mut batch = lock(&self.batch);
        let Batch {
            buffer,
            ready,
            wakers,
            failing,
        } = &mut *batch;
        ready.clear();
        let waited = self.poller.wait(buffer, timeout, ready);
        match &waited {
            Ok(()) => {
                *failing = false;
                self.state.woken();
            }
            Err(error) if !*failing => {
                *failing = true;
                crate::say(format_args!(
                    "cannot wait for sockets, trying again: {error}"
                ));
            }
            Err(_) => {}
        }
        let sources = lock(&self.sources);
        for event in ready.iter() {
            // A socket that is gone, or another one with its key: then this event is
            // spurious, which a source takes well.
            let Some(source) = sources.get(event.key) else {
                continue;
            };
            if event.read {
                wakers.extend(source.read.set_ready());
            }
            if event.write {
                wakers.extend(source.write.set_ready());
            }
        }
        drop(sources);
        let woken = wake_all(wakers.drain(..));
        Turn { waited, woken }
    }

    /// Keys given out so far, free ones included.
    #[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
    pub fn keys(&self) -> usize {
        lock(&self.sources).keys()
    }
}

impl Turn {
    /// Goes on with the panic of a waker: the scheduler counts it.
    fn finish(self) {
        if let Err(payload) = self.woken {
            resume_unwind(payload);
        }
    }
}
