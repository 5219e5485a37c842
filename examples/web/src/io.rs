//! hyper's `Read` and `Write` over a socket that async-io watches.

use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_io::Async;
use hyper::rt::{Read, ReadBufCursor, Write};
use rustix::net::{RecvFlags, recv};

use crate::activity::{Activity, Clock};

/// Bytes that one read takes from the socket at most. A request's head is a
/// few hundred; a longer one takes more reads.
const READ_MAX: usize = 4096;

/// One connection's socket, as hyper wants it.
///
/// Reads and writes are tried first and only then wait, with one exception:
/// after a read that came back short there is nothing left to read, so the
/// next one waits at once. That saves the `EAGAIN` between two requests.
pub struct Stream {
    socket: Arc<Async<TcpStream>>,
    activity: Arc<Activity>,
    clock: Arc<Clock>,
    /// The last read left nothing behind in the socket's buffer.
    drained: bool,
}

impl Stream {
    /// Wraps `socket`; each transfer is noted in `activity`.
    pub fn new(socket: Arc<Async<TcpStream>>, activity: Arc<Activity>, clock: Arc<Clock>) -> Self {
        Self {
            socket,
            activity,
            clock,
            drained: false,
        }
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut &TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&mut self.socket.get_ref()) {
                Ok(n) => {
                    self.activity.sent(self.clock.now());
                    return Poll::Ready(Ok(n));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_writable(cx))?;
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let want = buf.remaining().min(READ_MAX);
        if want == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut space = [MaybeUninit::<u8>::uninit(); READ_MAX];
        loop {
            if this.drained {
                ready!(this.socket.poll_readable(cx))?;
                this.drained = false;
            }
            match recv(&*this.socket, &mut space[..want], RecvFlags::empty()) {
                Ok(((bytes, _), n)) => {
                    this.drained = n < want;
                    if n > 0 {
                        this.activity.received(this.clock.now());
                        buf.put_slice(bytes);
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => this.drained = true,
                Err(e) => return Poll::Ready(Err(e.into())),
            }
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| socket.write(buf))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is buffered here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.socket.get_ref().shutdown(Shutdown::Write) {
            // The client has closed already: there is nobody left to tell.
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            other => Poll::Ready(other),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |socket| socket.write_vectored(bufs))
    }
}
