//! The connections' sockets, watched by whichever worker is idle.
//!
//! async-io watches sockets on a thread of its own, which for a server of short
//! requests means a switch of threads and a call of `epoll_ctl` for each request. This
//! reactor is a [`Driver`]: the scheduler's idle worker waits in it and runs what it
//! wakes. It stands on the `polling` crate, as async-io does, but registers a socket
//! once, edge-triggered.
//!
//! Timers and the listening socket stay with async-io: they are rare.
//!
//! | part | what it is | shared by |
//! |---|---|---|
//! | `state` | whether the driving worker waits | that worker and all who unpark it |
//! | `source` | whether a socket has become ready, and who waits for it | that worker and the connection's task |
//! | `core` | both, over any poller | |
//! | `poller` | where events come from | |
//!
//! # When it fails
//!
//! - A waker that panics does not keep the others of the same events from being called;
//!   the panic goes on to the scheduler after them.
//! - A poller that fails is said once on standard error and tried again every
//!   50 ms, and the worker still runs whatever else becomes ready.

mod core;
mod poller;
mod socket;
mod source;
mod state;

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use engine_sched::Driver;
use polling::Poller;

pub use socket::Socket;

use self::core::Core;

/// Watches sockets. Clones share it.
#[derive(Clone)]
pub struct Reactor {
    core: Arc<Core<Poller>>,
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
        let core = Arc::new(Core::new(poller));
        Ok(Self { core })
    }

    /// Watches `stream` until the socket is dropped.
    ///
    /// # Errors
    ///
    /// When the system refuses to make it non-blocking or to watch it.
    pub fn register(&self, stream: TcpStream) -> io::Result<Socket> {
        Socket::new(self, stream)
    }
}

impl Driver for Reactor {
    fn park(&self) {
        self.core.park();
    }

    fn unpark(&self) {
        self.core.unpark();
    }

    fn poll(&self) {
        self.core.poll();
    }
}
