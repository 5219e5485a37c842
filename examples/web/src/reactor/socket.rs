//! A socket that a reactor watches.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::task::{Context, Poll};

use polling::{Event, PollMode};

use super::Reactor;
use super::source::Source;

/// A connected socket that a [`Reactor`] watches.
pub struct Socket {
    stream: TcpStream,
    source: Arc<Source>,
    pub(super) key: usize,
    reactor: Reactor,
}

impl Socket {
    pub(super) fn new(reactor: &Reactor, stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let source = Arc::<Source>::default();
        let key = reactor.core.insert(source.clone());
        let socket = Self {
            stream,
            source,
            key,
            reactor: reactor.clone(),
        };
        let poller = &reactor.core.poller;
        // SAFETY: the socket is removed from the poller in `drop`, before its descriptor
        // is closed; if this fails, there is nothing to remove.
        unsafe { poller.add_with_mode(&socket.stream, Event::all(key), PollMode::Edge)? };
        Ok(socket)
    }

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
        mut operation: impl FnMut(&TcpStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.source.read.poll_with(cx, || operation(&self.stream))
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
        mut operation: impl FnMut(&TcpStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.source.write.poll_with(cx, || operation(&self.stream))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It fails if it was never added; closing it would remove it as well.
        let _ = self.reactor.core.poller.delete(&self.stream);
        self.reactor.core.remove(self.key);
    }
}
