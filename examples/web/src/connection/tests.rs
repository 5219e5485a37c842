use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use hyper::Method;

use super::*;
use crate::activity::Patience;
use crate::engine::Engine;
use crate::runtime::JobLost;
use crate::server::Limits;
use crate::site::Options;

/// The engine, with blocking jobs that begin late.
#[derive(Clone)]
struct Slow {
    engine: Engine,
    delay: Duration,
}

impl Runtime for Slow {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.engine.spawn(future);
    }

    fn blocking<T, F>(&self, job: F) -> impl Future<Output = Result<T, JobLost>> + Send + 'static
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let delay = self.delay;
        self.engine.blocking(move || {
            thread::sleep(delay);
            job()
        })
    }
}

const PATIENCE: Patience = Patience {
    head: Duration::from_millis(100),
    idle: Duration::from_millis(100),
};

/// What a client sees, as a closure, of a server that reads its files slowly.
fn with_slow_files(delay: Duration, len: usize, client: impl FnOnce(TcpStream)) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("large"), vec![b'x'; len]).unwrap();
    let engine = Engine::start(None).unwrap();
    let runtime = Slow {
        engine: engine.clone(),
        delay,
    };
    let site = Arc::new(Site::open(runtime, dir.path(), Options::default()).unwrap());
    let hub = Arc::new(Hub::new(PATIENCE, 8));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = engine.reactor().register(listener.accept().unwrap().0);
    let limits = Limits::default();
    engine.spawn(serve(socket.unwrap(), site, hub.admit(), limits.http1()));
    thread::scope(|scope| {
        scope.spawn(|| engine.block_on(future::or(hub.empty(), hub.sweep())));
        client(stream);
    });
    engine.shutdown();
}

fn head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut space = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).unwrap(), rest);
        }
        let n = stream.read(&mut space).unwrap();
        assert_ne!(n, 0, "closed");
        bytes.extend_from_slice(&space[..n]);
    }
}

/// The client has begun its next request, and the server is late with the response to
/// the last one: nothing is said in between, and nothing cut. The time for the next head
/// counts from the end of the response.
#[test]
fn the_servers_own_slowness_is_no_reason_to_close() {
    const LEN: usize = 300_000;
    with_slow_files(PATIENCE.idle * 5, LEN, |mut stream| {
        let start = Instant::now();
        stream
            .write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n")
            .unwrap();
        let (head, mut body) = head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        stream.write_all(b"GET /la").unwrap();
        let mut space = vec![0; 1 << 16];
        while body.len() < LEN {
            let n = stream.read(&mut space).unwrap();
            assert_ne!(n, 0, "closed after {} bytes", body.len());
            body.extend_from_slice(&space[..n]);
        }
        assert!(start.elapsed() > PATIENCE.idle * 5);
        let strange = body.iter().position(|&byte| byte != b'x');
        assert_eq!((strange, body.len()), (None, LEN));
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.starts_with("HTTP/1.1 408 "), "{rest:?}");
    });
}

/// Every way to end a response leads back to a phase that can time out.
#[test]
fn a_connection_is_idle_after_every_kind_of_response() {
    for (method, path, status) in [
        (Method::GET, "/large", "200"),
        (Method::HEAD, "/large", "200"),
        (Method::GET, "/none", "404"),
        (Method::HEAD, "/none", "404"),
        (Method::GET, "/", "200"),
        (Method::POST, "/large", "405"),
        (Method::GET, "/_engine", "301"),
    ] {
        with_slow_files(Duration::ZERO, 100_000, |mut stream| {
            let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let (head, _) = head(&mut stream);
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
            // It hangs if the sweep does not close it.
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
    }
}
