//! A server on a free port of the loopback interface, and ways to talk to it.
#![allow(dead_code)] // Each test file uses its part.

pub mod documentation;
pub mod process;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use engine_web::engine::Engine;
use engine_web::server::{Limits, Server};
use engine_web::site::compress::Quality;
use engine_web::site::{Options, Site};
use event_listener::Event;

/// No answer for this long is a failure of the test, not a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Compression that keeps debug builds of the encoders bearable.
pub const FAST: Quality = Quality {
    brotli: 1,
    gzip: 1,
    zstd: 1,
};

pub fn fast() -> Options {
    Options {
        quality: FAST,
        ..Options::default()
    }
}

/// Timeouts short enough to wait for.
pub fn impatient() -> Limits {
    Limits {
        head_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_millis(1500),
        ..Limits::default()
    }
}

/// A server in this process. Dropping it drains and joins.
pub struct TestServer {
    pub address: SocketAddr,
    pub site: Arc<Site<Engine>>,
    stop: Arc<Event>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub fn start(directory: &Path, options: Options, limits: Limits) -> Self {
        let engine = Engine::start(None).unwrap();
        let site = Arc::new(Site::open(engine.clone(), directory, options).unwrap());
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr();
        let stop = Arc::new(Event::new());
        let stopped = stop.listen();
        let served = Arc::clone(&site);
        let thread = thread::spawn(move || {
            engine.block_on(server.run(engine.clone(), served, limits, stopped));
            engine.shutdown();
        });
        Self {
            address,
            site,
            stop,
            thread: Some(thread),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// The server still answers.
    pub fn assert_up(&self) {
        let response = raw_get(self.address, "/_engine/snapshot.json", "");
        assert_eq!(response.status, 200);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.notify(usize::MAX);
        let joined = self.thread.take().unwrap().join();
        if !thread::panicking() {
            joined.unwrap();
        }
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A client that follows nothing, decodes nothing and reports every status.
pub fn client() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

/// The whole body.
pub fn body(response: &mut ureq::http::Response<ureq::Body>) -> Result<Vec<u8>, ureq::Error> {
    let limit = u64::MAX;
    response.body_mut().with_config().limit(limit).read_to_vec()
}

/// What came back on a raw socket until the server closed it.
#[derive(Debug)]
pub struct Raw {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// Sends bytes as they are and reads until the server closes.
pub fn raw(address: SocketAddr, request: &[u8]) -> Raw {
    let mut socket = connect(address);
    // A server that refuses may stop reading before everything is sent.
    let _ = socket.write_all(request);
    parse(&read_to_close(&mut socket).unwrap())
}

pub fn raw_get(address: SocketAddr, target: &str, headers: &str) -> Raw {
    let request =
        format!("GET {target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
    raw(address, request.as_bytes())
}

pub fn read_to_close(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn parse(response: &[u8]) -> Raw {
    let text = String::from_utf8_lossy(response);
    let end = response
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_else(|| panic!("no response head in {text:?}"));
    let head = String::from_utf8(response[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Raw {
        status,
        head,
        body: response[end + 4..].to_vec(),
    }
}

/// Reads one response's head from a connection that stays open; returns what
/// was read beyond it as well.
pub fn read_head(socket: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut space = [0; 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            return (head, bytes.split_off(end + 4));
        }
        let n = socket.read(&mut space).unwrap();
        assert!(n > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&space[..n]);
    }
}

/// Undoes a content coding with the library that made it.
pub fn decode(coding: Option<&str>, coded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        None => plain.extend_from_slice(coded),
        Some("gzip") => {
            let mut decoder = flate2::read::GzDecoder::new(coded);
            decoder.read_to_end(&mut plain).unwrap();
        }
        Some("br") => {
            let mut decoder = brotli::Decompressor::new(coded, 64 * 1024);
            decoder.read_to_end(&mut plain).unwrap();
        }
        Some("zstd") => plain = zstd::decode_all(coded).unwrap(),
        Some(other) => panic!("unexpected coding {other}"),
    }
    plain
}

/// All regular files below `directory`, relative to it, in a stable order.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![directory.to_path_buf()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path().strip_prefix(directory).unwrap().to_path_buf());
            }
        }
    }
    files.sort();
    files
}

/// The URL path of a file below the root.
pub fn url_path(file: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut url = String::new();
    for component in file {
        url.push('/');
        url.extend(engine_web::site::path::escape_segment(component.as_bytes()));
    }
    url
}

/// Makes a file look old enough that a change of it would be noticed.
pub fn age(file: &Path) {
    let file = fs::File::options().write(true).open(file).unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    file.set_modified(hour_ago).unwrap();
}

/// Bytes that compress to about a half and differ everywhere.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 16);
    while bytes.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        bytes.extend_from_slice(format!("{:016x}", state >> 7).as_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub const SECRET: &str = "the secret beside the site";

/// `site/` is served; `secret` and `site-private/secret` are not.
pub struct Fixture {
    pub dir: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("site/sub")).unwrap();
        fs::create_dir(dir.path().join("site-private")).unwrap();
        fs::write(dir.path().join("site/page.txt"), "a page").unwrap();
        fs::write(dir.path().join("site/sub/leaf.txt"), "a leaf").unwrap();
        fs::write(dir.path().join("secret"), SECRET).unwrap();
        fs::write(dir.path().join("site-private/secret"), SECRET).unwrap();
        Self { dir }
    }

    pub fn site(&self) -> PathBuf {
        self.dir.path().join("site")
    }

    pub fn serve(&self, limits: Limits) -> TestServer {
        TestServer::start(&self.site(), fast(), limits)
    }
}

/// Connections other than the one that asks.
pub fn open_connections(server: &TestServer) -> u64 {
    let response = raw_get(server.address, "/_engine/snapshot.json", "");
    let snapshot: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    snapshot["server"]["connections"]["open"].as_u64().unwrap() - 1
}

pub fn wait_until(mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}
