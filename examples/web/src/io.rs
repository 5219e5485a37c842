//! hyper's `Read` and `Write` over a socket of the reactor.

use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use rustix::net::{RecvFlags, recv};

use crate::activity::{Activity, Clock};
use crate::reactor::Socket;

/// Bytes that one read takes from the socket at most. A request's head is a
/// few hundred; a longer one takes more reads.
const READ_MAX: usize = 4096;

/// One connection's socket, as hyper wants it.
///
/// Reads and writes are tried first and only then wait.
pub struct Stream {
    socket: Arc<Socket>,
    activity: Arc<Activity>,
    clock: Arc<Clock>,
}

impl Stream {
    /// Wraps `socket`; each transfer is noted in `activity`.
    pub fn new(socket: Arc<Socket>, activity: Arc<Activity>, clock: Arc<Clock>) -> Self {
        Self {
            socket,
            activity,
            clock,
        }
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&mut &TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let written = self
            .socket
            .poll_write_with(cx, |mut stream| write(&mut stream));
        match written {
            Poll::Ready(Ok(_)) => self.activity.sent(self.clock.now()),
            Poll::Pending => self.activity.stalled(self.clock.now()),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let want = buf.remaining().min(READ_MAX);
        if want == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut space = [MaybeUninit::<u8>::uninit(); READ_MAX];
        self.socket.poll_read_with(cx, |stream| {
            let ((bytes, _), _) = recv(stream, &mut space[..want], RecvFlags::empty())?;
            if !bytes.is_empty() {
                self.activity.received(self.clock.now());
                buf.put_slice(bytes);
            }
            Ok(())
        })
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
        // Nothing is buffered here. hyper flushes when it has written all that it has.
        self.activity.flushed(self.clock.now());
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
