//! What the reactor knows of a socket, and the table of all of them.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, lock};

/// Both directions of a socket.
#[derive(Default)]
pub struct Source {
    /// Who waits to read.
    pub read: Side,
    /// Who waits to write.
    pub write: Side,
}

/// One direction: whether an event has come, and who waits for one.
///
/// | `ready` | `waker` | meaning | leaves by |
/// |---|---|---|---|
/// | no | none | an operation runs, or nobody asks | an event: ready; a wait: the waker |
/// | no | some | a task waits | an event: ready, and the waker is called |
/// | yes | none | an event has come since the last operation began | the next operation |
///
/// Ready with a waker is unreachable: the event takes it, and no wait begins while ready.
#[derive(Default)]
pub struct Side {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ready: bool,
    waker: Option<Waker>,
}

impl Side {
    /// An event: returns whom to wake.
    #[must_use]
    pub fn set_ready(&self) -> Option<Waker> {
        let mut inner = lock(&self.inner);
        inner.ready = true;
        inner.waker.take()
    }

    /// Tries `operation` until it is done, fails, or finds the socket not ready although
    /// no event has come since it began. Then `cx` is woken by the next event.
    ///
    /// ```text
    /// poll_with                 the reactor
    /// forget: ready = no
    /// operation: not ready
    ///                           an edge: ready = yes, nobody to wake
    /// should_wait: ready, so try again
    /// ```
    ///
    /// Without the second look at `ready`, that edge would be lost, and no other comes.
    ///
    /// A read that comes back short is tried again before the task waits, although there is
    /// rarely anything left: if the other side's end came in the same event as its last
    /// bytes, no further event will tell.
    pub fn poll_with<R>(
        &self,
        cx: &Context<'_>,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            self.forget();
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.should_wait(cx) {
                        return Poll::Pending;
                    }
                }
                result => return Poll::Ready(result),
            }
        }
    }

    /// The operation that follows sees what all events so far were about.
    fn forget(&self) {
        lock(&self.inner).ready = false;
    }

    /// Whether no event has come since [`forget`](Self::forget); then the next one wakes `cx`.
    fn should_wait(&self, cx: &Context<'_>) -> bool {
        // A waker's clone and drop are foreign code, which may end a task and with it a
        // socket: neither runs under the lock.
        let waker = cx.waker().clone();
        let mut inner = lock(&self.inner);
        if inner.ready {
            return false;
        }
        let before = inner.waker.replace(waker);
        drop(inner);
        drop(before);
        true
    }
}

/// The registered sockets by key, and the keys that are free.
#[derive(Default)]
pub struct Sources {
    by_key: Vec<Option<Arc<Source>>>,
    free: Vec<usize>,
}

impl Sources {
    /// Enters `source` and returns its key, which no other has until it is removed.
    pub fn insert(&mut self, source: Arc<Source>) -> usize {
        if let Some(key) = self.free.pop() {
            self.by_key[key] = Some(source);
            return key;
        }
        self.by_key.push(Some(source));
        self.by_key.len() - 1
    }

    /// Frees `key`. The source is returned, for the caller to drop without the lock.
    #[must_use]
    pub fn remove(&mut self, key: usize) -> Option<Arc<Source>> {
        let source = self.by_key[key].take();
        self.free.push(key);
        source
    }

    /// The source of `key`, if there is one.
    pub fn get(&self, key: usize) -> Option<&Source> {
        self.by_key.get(key)?.as_deref()
    }

    /// Keys given out so far, free ones included.
    #[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
    pub fn keys(&self) -> usize {
        self.by_key.len()
    }
}
