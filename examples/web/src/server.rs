//! The accept loop: a bounded number of connections, and a drain at the end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::{FutureExt as _, future};
use hyper::server::conn::http1;
use rustix::io::Errno;

use crate::activity::Patience;
use crate::connection;
use crate::engine::Engine;
use crate::hub::Hub;
use crate::reactor::Socket;
use crate::runtime::Runtime as _;
use crate::site::Site;

/// How long accepting pauses when the process or the system is out of
/// descriptors or memory: a connection must end first.
const OUT_OF_RESOURCES: Duration = Duration::from_millis(50);

/// So many times in a row the server accepts before it looks at anything else.
const ROUNDS: u64 = 32;

/// What a client may take of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time for a request's head, from its first byte, and for the first byte
    /// of a new connection. Then the answer is 408, or a plain close.
    pub head_timeout: Duration,
    /// Time between requests, and between two writes to a client that is slow
    /// to take a response.
    pub idle_timeout: Duration,
    /// Bytes of a request's head. More is answered with 431.
    pub header_bytes: usize,
    /// Open connections. At the limit the server stops accepting until one
    /// closes; clients wait in the listen queue.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            header_bytes: 16 * 1024,
            connections: 4096,
        }
    }
}

/// Room for a head of the largest allowed size and for the writes behind it.
const BUFFER_MIN: usize = 64 * 1024;

impl Limits {
    /// hyper with these limits, and without timeouts of its own: the sweep closes what
    /// is overdue, without a timer for each request.
    pub fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .header_read_timeout(None)
            .max_header_size(self.header_bytes)
            .max_buf_size(self.header_bytes.max(BUFFER_MIN));
        builder
    }
}

/// A bound socket, ready to serve.
pub struct Server {
    listener: Async<TcpListener>,
    address: SocketAddr,
}

impl Server {
    /// Binds `address`, a host name or an IP address with a port. Port 0 picks a free one.
    ///
    /// # Errors
    ///
    /// Whatever the system says: the port is in use, the address is not ours, no permission.
    pub fn bind(address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener: Async::new(listener)?,
            address,
        })
    }

    /// The address it is bound to, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves `site` until `shutdown` resolves, then closes the listening
    /// socket, lets open responses finish and returns.
    pub async fn run(
        self,
        engine: Engine,
        site: Arc<Site<Engine>>,
        limits: Limits,
        shutdown: impl Future<Output = ()>,
    ) {
        let patience = Patience {
            head: limits.head_timeout,
            idle: limits.idle_timeout,
        };
        let hub = Arc::new(Hub::new(patience, limits.connections));
        let http1 = limits.http1();
        let serve = async {
            let accept = self.accept_all(&engine, &site, &hub, &http1);
            future::or(shutdown, accept).await;
            drop(self);
            hub.drain();
            hub.empty().await;
        };
        future::or(serve, hub.sweep()).await;
    }

    /// Accepts for ever. No error ends it: each is about one connection, or passes.
    async fn accept_all(
        &self,
        engine: &Engine,
        site: &Arc<Site<Engine>>,
        hub: &Arc<Hub>,
        http1: &http1::Builder,
    ) {
        let mut warned = false;
        for round in 1_u64.. {
            // A flood of connections, or of errors, is always ready: whoever shares the
            // task, as the shutdown does, must have its turn.
            if round.is_multiple_of(ROUNDS) {
                future::yield_now().await;
            }
            hub.room().await;
            match self.accept(engine).await {
                Ok(socket) => {
                    warned = false;
                    self.start(socket, engine, site, hub, http1);
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    if !warned {
                        crate::say(format_args!("cannot accept for now: {error}"));
                        warned = true;
                    }
                    Timer::after(OUT_OF_RESOURCES).await;
                }
            }
        }
    }

    async fn accept(&self, engine: &Engine) -> io::Result<Socket> {
        let (stream, _) = self.listener.accept().await?;
        engine.reactor().register(stream.into_inner()?)
    }

    fn start(
        &self,
        socket: Socket,
        engine: &Engine,
        site: &Arc<Site<Engine>>,
        hub: &Arc<Hub>,
        http1: &http1::Builder,
    ) {
        let stats = Arc::clone(site.stats());
        stats.connection_opened();
        let serve = connection::serve(socket, Arc::clone(site), hub.admit(), http1.clone());
        engine.spawn(async move {
            // A panic in a handler closes its connection and nothing else.
            let mut serve = pin!(serve);
            if AssertUnwindSafe(serve.as_mut())
                .catch_unwind()
                .await
                .is_err()
            {
                stats.connection_panicked();
            }
            stats.connection_closed();
        });
    }
}

/// Errors that accept(2) reports for the connection it was about to return.
fn is_about_one_connection(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else {
        return false;
    };
    matches!(
        errno,
        Errno::CONNABORTED
            | Errno::CONNRESET
            | Errno::INTR
            | Errno::PROTO
            | Errno::PERM
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NOPROTOOPT
            | Errno::OPNOTSUPP
    )
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use std::net::TcpStream;

    use futures_lite::future::{block_on, poll_once};

    use super::*;
    use crate::site::Options;

    #[test]
    fn a_flood_leaves_the_shutdown_its_turn() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::start(None).unwrap();
        let site = Site::open(engine.clone(), dir.path(), Options::default());
        let site = Arc::new(site.unwrap());
        let server = Server::bind("127.0.0.1:0").unwrap();
        let limits = Limits::default();
        let hour = Duration::from_secs(3600);
        let patience = Patience {
            head: hour,
            idle: hour,
        };
        let hub = Arc::new(Hub::new(patience, limits.connections));
        let flood: Vec<_> = (0..100)
            .map(|_| TcpStream::connect(server.local_addr()).unwrap())
            .collect();
        let http1 = limits.http1();
        let accept = server.accept_all(&engine, &site, &hub, &http1);
        block_on(async {
            let mut accept = pin!(accept);
            let mut before = 0;
            while before < flood.len() {
                assert!(poll_once(accept.as_mut()).await.is_none());
                let open = hub.open();
                assert!(open - before <= ROUNDS as usize, "{open} after {before}");
                before = open;
            }
        });
        drop(flood);
        block_on(hub.empty());
        engine.shutdown();
    }
}
