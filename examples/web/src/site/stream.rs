//! Response bodies, in memory or read in chunks.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::runtime::{JobLost, Runtime};

/// What one read hands to the socket.
const CHUNK: usize = 128 * 1024;

/// A response's body.
pub enum Body<R: Runtime> {
    /// In memory; `None` once sent.
    Whole(Option<Bytes>),
    /// Not sent, because the request was `HEAD`; this is its length.
    Omitted(u64),
    /// Read while it is sent.
    Chunks(Chunks<R>),
}

impl<R: Runtime> Body<R> {
    /// No bytes.
    pub fn empty() -> Self {
        Self::Whole(None)
    }
}

impl<R: Runtime, T: Into<Bytes>> From<T> for Body<R> {
    fn from(bytes: T) -> Self {
        Self::Whole(Some(bytes.into()))
    }
}

impl<R: Runtime> http_body::Body for Body<R> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Whole(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Omitted(_) => Poll::Ready(None),
            Self::Chunks(chunks) => {
                let chunk = ready!(chunks.poll_chunk(cx));
                Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Omitted(len) => *len == 0,
            Self::Chunks(chunks) => matches!(chunks.state, State::Done),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Omitted(len) => SizeHint::with_exact(*len),
            Self::Chunks(chunks) => chunks
                .len
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

type Source = Box<dyn Read + Send>;
type Reading = Pin<Box<dyn Future<Output = Result<(io::Result<Bytes>, Source), JobLost>> + Send>>;

/// A body that is read chunk by chunk where blocking is allowed, each when the
/// client has taken the one before.
pub struct Chunks<R: Runtime> {
    runtime: R,
    state: State,
    /// Bytes to come, if known.
    len: Option<u64>,
}

enum State {
    Ready(Source),
    Reading(Reading),
    Done,
}

impl<R: Runtime> Chunks<R> {
    /// Exactly `source.left()` bytes of a file.
    pub fn exact(runtime: R, source: Exact) -> Self {
        Self {
            runtime,
            len: Some(source.left()),
            state: State::Ready(Box::new(source)),
        }
    }

    /// A reader of unknown length.
    pub fn unknown(runtime: R, source: Source) -> Self {
        Self {
            runtime,
            len: None,
            state: State::Ready(source),
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Ready(_) if self.len == Some(0) => return Poll::Ready(None),
                State::Ready(source) => {
                    let job = self.runtime.blocking(move || read_chunk(source));
                    self.state = State::Reading(Box::pin(job));
                }
                State::Reading(mut reading) => {
                    let Poll::Ready(result) = reading.as_mut().poll(cx) else {
                        self.state = State::Reading(reading);
                        return Poll::Pending;
                    };
                    let (chunk, source) = match result {
                        Ok((Ok(chunk), source)) => (chunk, source),
                        // hyper closes the connection: the client sees that
                        // the body is not whole.
                        Ok((Err(error), _)) => return Poll::Ready(Some(Err(error))),
                        Err(lost) => return Poll::Ready(Some(Err(lost.into()))),
                    };
                    if chunk.is_empty() {
                        return Poll::Ready(None);
                    }
                    if let Some(len) = &mut self.len {
                        *len = len.saturating_sub(chunk.len() as u64);
                    }
                    self.state = State::Ready(source);
                    return Poll::Ready(Some(Ok(chunk)));
                }
            }
        }
    }
}

fn read_chunk(mut source: Source) -> (io::Result<Bytes>, Source) {
    let mut chunk = Vec::with_capacity(CHUNK);
    let read = source.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
    (read.map(|_| chunk.into()), source)
}

/// A stretch of a file that is read whole or fails.
///
/// What is appended to the file meanwhile is not seen; if the file becomes
/// shorter, reading fails rather than making bytes up.
#[derive(Debug)]
pub struct Exact {
    file: File,
    left: u64,
}

impl Exact {
    /// `len` bytes from the file's position.
    pub fn new(file: File, len: u64) -> Self {
        Self { file, left: len }
    }

    /// Bytes not read yet.
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl Read for Exact {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buf.is_empty() {
            return Ok(0);
        }
        let room = usize::try_from(self.left).map_or(buf.len(), |left| left.min(buf.len()));
        let n = self.file.read(&mut buf[..room])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, Write as _};

    fn exact(content: &[u8], len: u64) -> Exact {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        Exact::new(file, len)
    }

    #[test]
    fn a_longer_file_is_cut_and_a_shorter_one_fails() {
        let mut read = Vec::new();
        exact(b"123456", 5).read_to_end(&mut read).unwrap();
        assert_eq!(read, b"12345");
        let mut read = Vec::new();
        let error = exact(b"1234", 5).read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read, b"1234");
    }
}
