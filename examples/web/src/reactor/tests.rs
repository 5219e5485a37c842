//! On real sockets, and with pollers and wakers that fail.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use engine_sched::Scheduler;
use polling::Events;

use super::core::PAUSE;
use super::poller::{Poll, Ready};
use super::state::State;
use super::*;
use crate::testing::{Bomb, Signal};

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
        let write =
            std::future::poll_fn(|cx| socket.poll_write_with(cx, |mut stream| stream.write(bytes)));
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
    assert_eq!(reactor.core.keys(), 1);
}

#[test]
fn a_waker_that_panics_loses_no_other_of_its_batch() {
    let reactor = Reactor::new().unwrap();
    let pairs: Vec<_> = (0..3).map(|_| pair(&reactor)).collect();
    let signals: Vec<_> = (0..3).map(|_| Arc::<Signal>::default()).collect();
    for (index, (socket, _)) in pairs.iter().enumerate() {
        let waker = match index {
            1 => Waker::from(Arc::new(Bomb("the second"))),
            _ => Waker::from(signals[index].clone()),
        };
        let read = socket.poll_read_with(&Context::from_waker(&waker), |mut stream| {
            stream.read(&mut [0; 1])
        });
        assert!(read.is_pending());
    }
    for (_, client) in &pairs {
        (&mut &*client).write_all(b"x").unwrap();
    }
    // All three may come in one batch, or in several.
    let mut panics = 0;
    while panics == 0 || !signals[0].is_set() || !signals[2].is_set() {
        panics += usize::from(catch_unwind(AssertUnwindSafe(|| reactor.park())).is_err());
    }
    assert_eq!(panics, 1);
    // It goes on as if nothing had been.
    reactor.unpark();
    reactor.park();
}

/// A poller that fails while it is told to.
struct Flaky {
    failing: AtomicBool,
    waits: AtomicUsize,
    poller: Poller,
}

impl Flaky {
    fn new() -> Self {
        Self {
            failing: AtomicBool::new(true),
            waits: AtomicUsize::new(0),
            poller: Poller::new().unwrap(),
        }
    }
}

impl Poll for Flaky {
    type Buffer = Events;

    fn buffer(&self) -> Events {
        self.poller.buffer()
    }

    fn wait(
        &self,
        buffer: &mut Events,
        timeout: Option<Duration>,
        ready: &mut Vec<Ready>,
    ) -> io::Result<()> {
        self.waits.fetch_add(1, Relaxed);
        if self.failing.load(Relaxed) {
            return Err(io::Error::other("told to fail"));
        }
        Poll::wait(&self.poller, buffer, timeout, ready)
    }

    fn notify(&self) {
        Poll::notify(&self.poller);
    }
}

#[test]
fn a_poller_that_fails_is_not_tried_in_a_loop() {
    let core = Core::new(Flaky::new());
    let start = Instant::now();
    for _ in 0..4 {
        core.park();
    }
    assert!(start.elapsed() >= 4 * PAUSE);
    assert_eq!(core.poller.waits.load(Relaxed), 4);
    // An unpark before the park: no rest at all, and none after it either.
    core.unpark();
    core.park();
    assert_eq!(core.poller.waits.load(Relaxed), 5);
}

/// It hangs if the unpark does not reach the sleeper.
#[test]
fn an_unpark_ends_the_rest() {
    let state = State::new();
    std::thread::scope(|scope| {
        let resting = scope.spawn(|| {
            let _ = state.begin();
            state.rest(Duration::from_secs(24 * 3600));
            state.end();
        });
        while format!("{state:?}") != "Resting" {
            std::thread::yield_now();
        }
        let _ = state.unpark();
        resting.join().unwrap();
    });
    assert_eq!(format!("{state:?}"), "Awake");
}

struct Driven(Arc<Core<Flaky>>);

impl Driver for Driven {
    fn park(&self) {
        self.0.park();
    }

    fn unpark(&self) {
        self.0.unpark();
    }

    fn poll(&self) {
        self.0.poll();
    }
}

#[test]
fn tasks_run_while_the_poller_fails_and_when_it_has_recovered() {
    let core = Arc::new(Core::new(Flaky::new()));
    let scheduler = Scheduler::builder()
        .workers(1)
        .driver(Driven(core.clone()))
        .build()
        .unwrap();
    for n in 0..100 {
        assert_eq!(
            scheduler
                .block_on(scheduler.spawn(async move { n }))
                .unwrap(),
            n
        );
        if n == 50 {
            core.poller.failing.store(false, Relaxed);
        }
    }
}
