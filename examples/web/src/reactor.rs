//! The connections' sockets, watched by whichever worker is idle.
//!
//! async-io watches sockets on a thread of its own, which for a server of short
//! requests means a switch of threads and a call of `epoll_ctl` for each request. This
//! reactor is a [`Driver`]: the scheduler's idle worker waits in it and runs what it
//! wakes. It stands on the `polling` crate, as async-io does, but registers a socket
//! once, edge-triggered.
//!
//! Timers and the listening socket stay with async-io: they are rare.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use engine_sched::Driver;
use polling::{Event, Events, PollMode, Poller};

/// Watches sockets. Clones share it.
#[derive(Clone)]
pub struct Reactor {
    inner: Arc<Inner>,
}

struct Inner {
    poller: Poller,
    /// | value | meaning | who may leave it, how |
    /// |---|---|---|
    /// | `AWAKE` | nobody waits | the driving worker, to `WAITING`; `unpark`, to `NOTIFIED` |
    /// | `WAITING` | a worker is in the poller, or about to be | that worker, to `AWAKE`; `unpark`, to `NOTIFIED`, and it notifies the poller |
    /// | `NOTIFIED` | the current or next `park` is to return | the driving worker, to `AWAKE` |
    state: AtomicU8,
    batch: Mutex<Batch>,
    sources: Mutex<Sources>,
}

const AWAKE: u8 = 0;
const WAITING: u8 = 1;
const NOTIFIED: u8 = 2;

/// Buffers of the driving worker.
struct Batch {
    events: Events,
    wakers: Vec<Waker>,
}

/// The registered sockets by key, and the keys that are free.
#[derive(Default)]
struct Sources {
    by_key: Vec<Option<Arc<Source>>>,
    free: Vec<usize>,
}

/// What the reactor knows of a socket.
#[derive(Default)]
struct Source {
    read: Mutex<Side>,
    write: Mutex<Side>,
}

#[derive(Default)]
struct Side {
    /// An event has come since the last operation began.
    ready: bool,
    waker: Option<Waker>,
}

/// Nothing here panics while it holds a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reactor {
    /// A reactor that watches nothing yet.
    ///
    /// # Errors
    ///
    /// When the system refuses it, or has no edge-triggered events.
    pub fn new() -> io::Result<Self> {
        let poller = Poller::new()?;
        if !poller.supports_edge() {
            let why = "this system has no edge-triggered events";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        let batch = Batch {
            events: Events::new(),
            wakers: Vec::new(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                poller,
                state: AtomicU8::new(AWAKE),
                batch: Mutex::new(batch),
                sources: Mutex::default(),
            }),
        })
    }

    /// Watches `stream` until the socket is dropped.
    ///
    /// # Errors
    ///
    /// When the system refuses to make it non-blocking or to watch it.
    pub fn register(&self, stream: TcpStream) -> io::Result<Socket> {
        stream.set_nonblocking(true)?;
        let source = Arc::new(Source::default());
        let key = lock(&self.inner.sources).insert(source.clone());
        let socket = Socket {
            stream,
            source,
            key,
            reactor: self.clone(),
        };
        // SAFETY: the socket is removed from the poller in `Socket::drop`, before its
        // descriptor is closed; if this fails, there is nothing to remove.
        unsafe {
            self.inner
                .poller
                .add_with_mode(&socket.stream, Event::all(key), PollMode::Edge)?;
        }
        Ok(socket)
    }

    /// Waits for events, at most for `timeout`, and wakes the tasks that wait for them.
    fn turn(&self, timeout: Option<Duration>) {
        let mut batch = lock(&self.inner.batch);
        let Batch { events, wakers } = &mut *batch;
        events.clear();
        // An error other than an interrupt would mean a bad descriptor of our own; the
        // scheduler calls again, and the timeouts of the connections still run.
        let _ = self.inner.poller.wait(events, timeout);
        // WAITING -> AWAKE: from here on, an `unpark` needs no system call.
        // Relaxed: nothing is handed over; `park` takes what there is at its end.
        let state = &self.inner.state;
        let _ = state.compare_exchange(WAITING, AWAKE, Ordering::Relaxed, Ordering::Relaxed);
        let sources = lock(&self.inner.sources);
        for event in events.iter() {
            // A socket that is gone, or another one with its key: then this event is
            // spurious, which a source takes well.
            let Some(Some(source)) = sources.by_key.get(event.key) else {
                continue;
            };
            // Errors and hang-ups count as both, so that whoever waits finds out.
            let both = event.is_interrupt() || event.is_err() == Some(true);
            if event.readable || both {
                wakers.extend(source.read_ready());
            }
            if event.writable || both {
                wakers.extend(source.write_ready());
            }
        }
        drop(sources);
        for waker in wakers.drain(..) {
            waker.wake();
        }
    }
}

impl Driver for Reactor {
    fn park(&self) {
        let state = &self.inner.state;
        // AWAKE -> WAITING
        // AcqRel: pairs with `unpark`.
        let waits = state.compare_exchange(AWAKE, WAITING, Ordering::AcqRel, Ordering::Acquire);
        self.turn(waits.is_err().then_some(Duration::ZERO));
        // NOTIFIED -> AWAKE: an `unpark` by one of the wakers just called is satisfied by
        // the return.
        state.swap(AWAKE, Ordering::AcqRel);
    }

    fn unpark(&self) {
        // -> NOTIFIED
        // AcqRel: what the caller did before happens before the return of `park`.
        if self.inner.state.swap(NOTIFIED, Ordering::AcqRel) == WAITING {
            // It fails for a bad descriptor only.
            let _ = self.inner.poller.notify();
        }
    }

    fn poll(&self) {
        self.turn(Some(Duration::ZERO));
    }
}

impl Sources {
    fn insert(&mut self, source: Arc<Source>) -> usize {
        if let Some(key) = self.free.pop() {
            self.by_key[key] = Some(source);
            return key;
        }
        self.by_key.push(Some(source));
        self.by_key.len() - 1
    }

    fn remove(&mut self, key: usize) {
        self.by_key[key] = None;
        self.free.push(key);
    }
}

impl Source {
    fn read_ready(&self) -> Option<Waker> {
        lock(&self.read).set_ready()
    }

    fn write_ready(&self) -> Option<Waker> {
        lock(&self.write).set_ready()
    }
}

impl Side {
    fn set_ready(&mut self) -> Option<Waker> {
        self.ready = true;
        self.waker.take()
    }

    /// After an operation has found the socket not ready: whether an event has come since
    /// [`forget`](Self::forget), and the operation has to be tried again. Otherwise `cx` is
    /// woken by the next one.
    fn should_retry(&mut self, cx: &Context<'_>) -> bool {
        if self.ready {
            return true;
        }
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        false
    }

    /// The operation that follows sees what all events so far were about.
    fn forget(&mut self) {
        self.ready = false;
    }
}

/// A connected socket that a [`Reactor`] watches.
pub struct Socket {
    stream: TcpStream,
    source: Arc<Source>,
    key: usize,
    reactor: Reactor,
}

impl Socket {
    /// The socket itself; it does not block.
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// Tries `operation`, which reads, and again whenever the socket has become readable.
    ///
    /// One task at a time may wait to read.
    ///
    /// # Errors
    ///
    /// Whatever `operation` fails with, other than not being ready or interrupted.
    pub fn poll_read_with<R>(
        &self,
        cx: &Context<'_>,
        operation: impl FnMut(&TcpStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(&self.source.read, cx, operation)
    }

    /// Tries `operation`, which writes, and again whenever the socket has become writable.
    ///
    /// One task at a time may wait to write.
    ///
    /// # Errors
    ///
    /// Whatever `operation` fails with, other than not being ready or interrupted.
    pub fn poll_write_with<R>(
        &self,
        cx: &Context<'_>,
        operation: impl FnMut(&TcpStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(&self.source.write, cx, operation)
    }

    /// An edge that comes while `operation` finds the socket not ready sets `ready`: before
    /// our second lock, and we try again; or after it, and it wakes us.
    ///
    /// A read that comes back short is tried again before the task waits, although there is
    /// rarely anything left: if the other side's end came in the same event as its last
    /// bytes, no further event will tell.
    fn poll_with<R>(
        &self,
        side: &Mutex<Side>,
        cx: &Context<'_>,
        mut operation: impl FnMut(&TcpStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            lock(side).forget();
            match operation(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !lock(side).should_retry(cx) {
                        return Poll::Pending;
                    }
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It fails if it was never added; closing it would remove it as well.
        let _ = self.reactor.inner.poller.delete(&self.stream);
        lock(&self.reactor.inner.sources).remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use engine_sched::Scheduler;

    use super::*;

    fn pair(reactor: &Reactor) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (
            reactor.register(listener.accept().unwrap().0).unwrap(),
            client,
        )
    }

    async fn read_all(socket: &Socket) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut space = [0; 4096];
            let read = std::future::poll_fn(|cx| {
                socket.poll_read_with(cx, |mut stream| stream.read(&mut space))
            });
            match read.await.unwrap() {
                0 => return all,
                n => all.extend_from_slice(&space[..n]),
            }
        }
    }

    async fn write_all(socket: &Socket, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let write = std::future::poll_fn(|cx| {
                socket.poll_write_with(cx, |mut stream| stream.write(bytes))
            });
            bytes = &bytes[write.await.unwrap()..];
        }
    }

    /// More than the socket's buffers hold goes both ways, with and without a worker
    /// that is busy, and the last bytes come together with the end.
    #[test]
    fn bytes_and_the_end_arrive() {
        for workers in [1, 2] {
            let reactor = Reactor::new().unwrap();
            let scheduler = Scheduler::builder()
                .workers(workers)
                .driver(reactor.clone())
                .build()
                .unwrap();
            let sent: Vec<u8> = (0..8_000_000_u32).map(|n| n as u8).collect();
            let handles: Vec<_> = (0..4)
                .map(|_| {
                    let (socket, mut client) = pair(&reactor);
                    let bytes = sent.clone();
                    let client = std::thread::spawn(move || {
                        client.write_all(&bytes).unwrap();
                        client.shutdown(std::net::Shutdown::Write).unwrap();
                        let mut echo = Vec::new();
                        client.read_to_end(&mut echo).unwrap();
                        echo.len()
                    });
                    let served = scheduler.spawn(async move {
                        let bytes = read_all(&socket).await;
                        write_all(&socket, &bytes).await;
                        bytes
                    });
                    (client, served)
                })
                .collect();
            for (client, served) in handles {
                assert!(scheduler.block_on(served).unwrap() == sent);
                assert_eq!(client.join().unwrap(), sent.len());
            }
        }
    }

    #[test]
    fn a_spawn_reaches_a_worker_that_waits_for_events() {
        let reactor = Reactor::new().unwrap();
        let scheduler = Scheduler::builder()
            .workers(1)
            .driver(reactor.clone())
            .build()
            .unwrap();
        for n in 0..2_000 {
            let (sender, receiver) = mpsc::channel();
            scheduler
                .spawn(async move { sender.send(n).unwrap() })
                .detach();
            assert_eq!(receiver.recv(), Ok(n));
        }
    }

    #[test]
    fn keys_are_used_again() {
        let reactor = Reactor::new().unwrap();
        let (first, _client) = pair(&reactor);
        let key = first.key;
        drop(first);
        let (second, _client) = pair(&reactor);
        assert_eq!(second.key, key);
        assert_eq!(lock(&reactor.inner.sources).by_key.len(), 1);
    }
}
