//! One connection, from accept to close.

#[cfg(test)]
mod model;
#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_io::Timer;
use futures_lite::future;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

use crate::activity::{Activity, Phase};
use crate::hub::{Guest, Hub};
use crate::io::Stream;
use crate::reactor::Socket;
use crate::runtime::Runtime;
use crate::site::{Body, Site};
use crate::sync::atomic::{AtomicBool, Ordering};

/// How long and for how many bytes a refused client is heard out, so that the
/// refusal reaches it: closing a socket with unread input resets it.
const LINGER_TIME: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

const TIMEOUT_RESPONSE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How a connection ended.
enum End {
    /// hyper is done: the client closed, an error, or the last response of a drain.
    Finished(hyper::Result<()>),
    /// The phase lasted too long.
    Overdue(Phase),
}

/// What the requests of one connection share.
struct Shared<R: Runtime> {
    site: Arc<Site<R>>,
    hub: Arc<Hub>,
    activity: Arc<Activity>,
    /// The last request had a body, which the server does not read. Atomic because
    /// the task may move to another thread, and for no other reason: only the task
    /// touches it.
    body_left: AtomicBool,
}

impl<R: Runtime> Shared<R> {
    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<Watched<R>> {
        if !request.body().is_end_stream() {
            // Relaxed: the same task reads it; no model needs it.
            self.body_left.store(true, Ordering::Relaxed);
        }
        let (request, _) = request.into_parts();
        let response = self.site.handle(&request).await;
        response.map(|body| Watched {
            body,
            activity: Arc::clone(&self.activity),
        })
    }
}

/// A body that tells when hyper is done with it.
struct Watched<R: Runtime> {
    body: Body<R>,
    activity: Arc<Activity>,
}

impl<R: Runtime> hyper::body::Body for Watched<R> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<R: Runtime> Drop for Watched<R> {
    fn drop(&mut self) {
        self.activity.body_ended();
    }
}

/// Serves `socket` until either side closes it.
pub async fn serve<R: Runtime>(
    socket: Socket,
    site: Arc<Site<R>>,
    guest: Guest,
    http1: http1::Builder,
) {
    // Small responses must not wait for the client's delayed acknowledgement.
    // A socket that refuses the option works all the same.
    let _ = socket.get_ref().set_nodelay(true);
    let socket = Arc::new(socket);
    let (hub, activity) = (&guest.hub, &guest.activity);
    let shared = Arc::new(Shared {
        site,
        hub: Arc::clone(hub),
        activity: Arc::clone(activity),
        body_left: AtomicBool::new(false),
    });
    let end = {
        let stream = Stream::new(
            Arc::clone(&socket),
            Arc::clone(activity),
            Arc::clone(&hub.clock),
        );
        let service = service_fn(|request| {
            shared.activity.begin(shared.hub.clock.now());
            let response = Arc::clone(&shared).respond(request);
            async move { Ok::<_, Infallible>(response.await) }
        });
        let connection = http1.serve_connection(stream, service);
        drive(pin!(connection), hub, activity).await
    };
    let refused = match end {
        End::Finished(Ok(())) => false,
        // hyper has answered with 400, 414 or 431.
        End::Finished(Err(error)) => error.is_parse(),
        End::Overdue(Phase::Head) => {
            // One try: a client that does not even take this gets the close.
            (&mut socket.get_ref()).write(TIMEOUT_RESPONSE).is_ok()
        }
        End::Overdue(_) => false,
    };
    // Relaxed: as above.
    if refused || shared.body_left.load(Ordering::Relaxed) {
        linger(&socket).await;
    }
}

/// Polls hyper, and on a nudge looks whether to drain or to give up.
async fn drive<C: Drain>(mut connection: Pin<&mut C>, hub: &Hub, activity: &Activity) -> End {
    let mut known: Option<Waker> = None;
    let mut draining = false;
    poll_fn(|cx| {
        if !known
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            activity.set_waker(cx.waker());
            known = Some(cx.waker().clone());
        }
        if activity.take_nudge() {
            if activity.overdue(hub.clock.now(), &hub.patience) {
                return Poll::Ready(End::Overdue(activity.get().0));
            }
            if hub.draining() && !draining {
                draining = true;
                // A request that the reactor has announced is answered; a connection
                // that waits for one is then closed by hyper.
                if let Poll::Ready(result) = connection.as_mut().poll_serve(cx) {
                    return Poll::Ready(End::Finished(result));
                }
                connection.as_mut().drain();
            }
        }
        connection.as_mut().poll_serve(cx).map(End::Finished)
    })
    .await
}

/// What `drive` does with hyper's connection, without the bounds of its service.
trait Drain {
    fn poll_serve(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>>;
    fn drain(self: Pin<&mut Self>);
}

impl<S, B> Drain for http1::Connection<Stream, S>
where
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn poll_serve(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.poll(cx)
    }

    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Half-closes and reads on for a moment, so that the client sees the response
/// rather than a reset.
async fn linger(socket: &Socket) {
    if socket.get_ref().shutdown(Shutdown::Write).is_err() {
        return;
    }
    let discard = async {
        let mut space = [0; 4096];
        let mut left = LINGER_BYTES;
        while let Ok(n @ 1..) =
            poll_fn(|cx| socket.poll_read_with(cx, |mut stream| stream.read(&mut space))).await
        {
            left = left.saturating_sub(n);
            if left == 0 {
                break;
            }
        }
    };
    let timeout = async {
        Timer::after(LINGER_TIME).await;
    };
    future::or(discard, timeout).await;
}
