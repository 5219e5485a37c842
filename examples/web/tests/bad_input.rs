//! Bad input over raw sockets: each a clear status or a close, and the server stays up.

mod common;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::{
    TestServer, connect, fast, impatient, parse, pattern, raw, raw_get, read_head, read_to_close,
};
use engine_web::server::Limits;
use rustix::fs::{CWD, FileType, Mode, mknodat};

const SECRET: &str = "the secret beside the site";

/// `site/` is served; `secret` and `site-private/secret` are not.
struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("site/sub")).unwrap();
        fs::create_dir(dir.path().join("site-private")).unwrap();
        fs::write(dir.path().join("site/page.txt"), "a page").unwrap();
        fs::write(dir.path().join("site/sub/leaf.txt"), "a leaf").unwrap();
        fs::write(dir.path().join("secret"), SECRET).unwrap();
        fs::write(dir.path().join("site-private/secret"), SECRET).unwrap();
        Self { dir }
    }

    fn site(&self) -> std::path::PathBuf {
        self.dir.path().join("site")
    }

    fn serve(&self, limits: Limits) -> TestServer {
        TestServer::start(&self.site(), fast(), limits)
    }
}

#[test]
fn traversal_finds_nothing() {
    let fixture = Fixture::new();
    let server = fixture.serve(Limits::default());
    let absolute = fixture.dir.path().join("secret");
    let absolute = absolute.to_str().unwrap();
    let encoded_absolute = format!("/{}", absolute.replace('/', "%2f"));
    let targets = [
        "/../secret",
        "/../site-private/secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/%2E%2e/secret",
        "/.%2e/secret",
        "/..%2fsecret",
        "/..%2Fsecret",
        "/sub%2f..%2f..%2fsecret",
        "/%252e%252e/secret",
        "/..%5csecret",
        "/..\\secret",
        "/....//secret",
        "/.../secret",
        "/%c0%ae%c0%ae/secret",
        "/..;/secret",
        "/../../../../../../../../etc/passwd",
        "//../secret",
        absolute,
        &format!("/{absolute}"),
        &encoded_absolute,
    ];
    for target in targets {
        let response = raw_get(server.address, target, "");
        assert!(
            matches!(response.status, 400 | 404),
            "{target}: {}",
            response.head
        );
        let body = String::from_utf8_lossy(&response.body);
        assert!(
            !body.contains("secret beside") && !body.contains("root:"),
            "{target}"
        );
    }
    server.assert_up();
}

#[test]
fn links_out_of_the_directory_are_not_followed() {
    let fixture = Fixture::new();
    let site = fixture.site();
    symlink("../secret", site.join("relative")).unwrap();
    symlink(fixture.dir.path().join("secret"), site.join("absolute")).unwrap();
    symlink("..", site.join("parent")).unwrap();
    symlink("/", site.join("everything")).unwrap();
    symlink(
        fixture.dir.path().join("site-private"),
        site.join("sibling"),
    )
    .unwrap();
    symlink("/proc/self/root", site.join("magic")).unwrap();
    symlink("sub/leaf.txt", site.join("inside")).unwrap();
    symlink(site.join("sub"), site.join("absolute-inside")).unwrap();
    symlink("loop", site.join("loop")).unwrap();
    // A directory whose index leads out.
    fs::create_dir(site.join("trap")).unwrap();
    symlink("../../secret", site.join("trap/index.html")).unwrap();
    let server = fixture.serve(Limits::default());
    for target in [
        "/relative",
        "/absolute",
        "/parent/secret",
        "/parent/",
        "/everything/etc/passwd",
        "/sibling/secret",
        "/magic/etc/passwd",
        "/loop",
    ] {
        let response = raw_get(server.address, target, "");
        assert_eq!(response.status, 404, "{target}");
        assert!(!String::from_utf8_lossy(&response.body).contains("secret beside"));
    }
    for target in ["/inside", "/absolute-inside/leaf.txt"] {
        let response = raw_get(server.address, target, "");
        assert_eq!(
            (response.status, response.body),
            (200, b"a leaf".to_vec()),
            "{target}"
        );
    }
    let trap = raw_get(server.address, "/trap/", "");
    assert!(!String::from_utf8_lossy(&trap.body).contains("secret beside"));
    let listing = String::from_utf8(raw_get(server.address, "/", "").body).unwrap();
    assert!(
        listing.contains("inside") && !listing.contains("relative"),
        "{listing}"
    );
}

#[test]
fn a_link_that_flips_never_leaks() {
    let fixture = Fixture::new();
    let site = fixture.site();
    let server = fixture.serve(Limits::default());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    thread::scope(|scope| {
        // `flip` is by turns a directory inside and a link to the one outside.
        scope.spawn(|| {
            let (flip, spare) = (site.join("flip"), site.join("spare"));
            while !stop.load(relaxed) {
                symlink("..", &spare).unwrap();
                fs::rename(&spare, &flip).unwrap();
                symlink("sub", &spare).unwrap();
                fs::rename(&spare, &flip).unwrap();
            }
        });
        let mut socket = server.connect();
        for _ in 0..400 {
            socket
                .write_all(b"GET /flip/secret HTTP/1.1\r\nhost: test\r\n\r\n")
                .unwrap();
            let (head, mut body) = read_head(&mut socket);
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            while body.len() < length {
                let mut space = [0; 256];
                let n = socket.read(&mut space).unwrap();
                body.extend_from_slice(&space[..n]);
            }
            assert!(!head.starts_with("HTTP/1.1 200"), "{head}");
            assert!(!String::from_utf8_lossy(&body).contains("secret beside"));
        }
        stop.store(true, relaxed);
    });
}

#[test]
fn malformed_requests_are_refused() {
    let fixture = Fixture::new();
    let server = fixture.serve(Limits::default());
    for (request, status) in [
        (
            &b"GET /a%00b HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"[..],
            400,
        ),
        (
            b"GET /page.txt%00.html HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
            400,
        ),
        (b"GET /a\0b HTTP/1.1\r\nhost: test\r\n\r\n", 400),
        (
            b"GET /a%0d%0aset-cookie:x HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
            400,
        ),
        (
            b"GET /%zz HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
            400,
        ),
        (b"GET /page.txt HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"complete nonsense\r\n\r\n", 400),
        (
            b"OPTIONS * HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
            405,
        ),
        (
            b"CONNECT test:80 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
            405,
        ),
        (
            b"GET http://test/page.txt HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
            200,
        ),
        (b"GET /page.txt HTTP/1.0\r\n\r\n", 200),
    ] {
        let response = raw(server.address, request);
        let shown = String::from_utf8_lossy(request);
        assert_eq!(response.status, status, "{shown:?}: {}", response.head);
        assert!(!response.head.contains("set-cookie"));
    }
    server.assert_up();
}

#[test]
fn an_oversized_head_is_answered_with_431() {
    let fixture = Fixture::new();
    let limits = Limits::default();
    let server = fixture.serve(limits);
    let long = format!("x-long: {}\r\n", "x".repeat(limits.header_bytes));
    assert_eq!(raw_get(server.address, "/page.txt", &long).status, 431);
    // Far beyond what the socket's buffers hold.
    let huge = format!("x-huge: {}\r\n", "x".repeat(8 << 20));
    let mut socket = connect(server.address);
    let _ = write!(socket, "GET / HTTP/1.1\r\nhost: test\r\n{huge}\r\n");
    let mut answer = [0; 64];
    // The client may still be sending when the server gives up; then a reset is its answer.
    if let Ok(n @ 1..) = socket.read(&mut answer) {
        assert!(answer[..n].starts_with(b"HTTP/1.1 431"));
    }
    let many: String = (0..200).map(|i| format!("x-{i}: 1\r\n")).collect();
    assert_eq!(raw_get(server.address, "/page.txt", &many).status, 431);
    let path = format!("/{}", "a".repeat(5000));
    assert_eq!(raw_get(server.address, &path, "").status, 404);
    let fits = format!("x-long: {}\r\n", "x".repeat(limits.header_bytes / 2));
    assert_eq!(raw_get(server.address, "/page.txt", &fits).status, 200);
    server.assert_up();
}

#[test]
fn a_slow_head_times_out_with_408() {
    let fixture = Fixture::new();
    let limits = impatient();
    let server = fixture.serve(limits);
    let start = Instant::now();
    let mut socket = server.connect();
    socket
        .write_all(b"GET /page.txt HTTP/1.1\r\nx-slow: ")
        .unwrap();
    // A byte now and then does not help.
    let mut trickle = socket.try_clone().unwrap();
    let trickler = thread::spawn(move || {
        while trickle.write_all(b"x").is_ok() && start.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let response = read_until_408(&mut socket);
    assert!(response.starts_with(b"HTTP/1.1 408 "), "{response:?}");
    assert!(start.elapsed() >= limits.head_timeout);
    drop(socket);
    trickler.join().unwrap();
    server.assert_up();
}

/// The close may arrive as a reset, since the client goes on sending.
fn read_until_408(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut space = [0; 256];
    while let Ok(n @ 1..) = socket.read(&mut space) {
        bytes.extend_from_slice(&space[..n]);
    }
    bytes
}

#[test]
fn silent_and_idle_connections_are_closed() {
    let fixture = Fixture::new();
    let limits = impatient();
    let server = fixture.serve(limits);
    // Never says anything.
    let start = Instant::now();
    let mut silent = server.connect();
    assert_eq!(read_to_close(&mut silent).unwrap(), b"");
    assert!(start.elapsed() >= limits.head_timeout);
    // Asks once and stays.
    let mut idle = server.connect();
    idle.write_all(b"GET /page.txt HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    let (_, mut body) = read_head(&mut idle);
    let start = Instant::now();
    body.extend(read_to_close(&mut idle).unwrap());
    assert_eq!(body, b"a page");
    assert!(start.elapsed() >= limits.idle_timeout / 2);
    // Asks again within the time: is served as long as it likes.
    let mut busy = server.connect();
    for _ in 0..8 {
        busy.write_all(b"GET /page.txt HTTP/1.1\r\nhost: test\r\n\r\n")
            .unwrap();
        let (head, _) = read_head(&mut busy);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        thread::sleep(limits.idle_timeout / 4);
    }
}

#[test]
fn a_client_that_takes_nothing_is_dropped() {
    let fixture = Fixture::new();
    let limits = impatient();
    fs::write(fixture.site().join("large"), pattern(64 << 20)).unwrap();
    let server = fixture.serve(limits);
    let mut socket = server.connect();
    socket
        .write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    read_head(&mut socket);
    let gone = wait_until(|| open_connections(&server) == 0);
    assert!(gone, "the stalled download still holds its connection");
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    assert!(rest.len() < 64 << 20);
    server.assert_up();
}

#[test]
fn a_slow_but_steady_client_is_served() {
    let fixture = Fixture::new();
    let content = pattern(24 << 20);
    fs::write(fixture.site().join("large"), &content).unwrap();
    let limits = impatient();
    let server = fixture.serve(limits);
    let mut socket = server.connect();
    socket
        .write_all(b"GET /large HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        .unwrap();
    let (_, mut body) = read_head(&mut socket);
    let mut space = vec![0; 1 << 20];
    let start = Instant::now();
    loop {
        let n = socket.read(&mut space).unwrap();
        if n == 0 {
            break;
        }
        body.extend_from_slice(&space[..n]);
        thread::sleep(limits.idle_timeout / 16);
    }
    assert!(start.elapsed() > limits.idle_timeout);
    assert!(body == content);
}

/// Connections other than the one that asks.
fn open_connections(server: &TestServer) -> u64 {
    let response = raw_get(server.address, "/_engine/snapshot.json", "");
    let snapshot: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    snapshot["server"]["connections"]["open"].as_u64().unwrap() - 1
}

fn wait_until(mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn a_file_that_shrinks_cuts_the_response_short() {
    let fixture = Fixture::new();
    let path = fixture.site().join("large");
    fs::write(&path, pattern(64 << 20)).unwrap();
    let server = fixture.serve(Limits::default());
    let mut socket = server.connect();
    socket
        .write_all(b"GET /large HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    let (head, mut body) = read_head(&mut socket);
    assert!(head.contains("content-length: 67108864"), "{head}");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    // A close or a reset, but never as many bytes as were promised.
    let _ = socket.read_to_end(&mut body);
    assert!(body.len() < 64 << 20, "{} bytes", body.len());
    assert!(pattern(64 << 20).starts_with(&body), "bytes were made up");
    server.assert_up();
}

#[test]
fn a_file_that_grows_is_cut_at_the_promised_length() {
    let fixture = Fixture::new();
    let path = fixture.site().join("large");
    let content = pattern(32 << 20);
    fs::write(&path, &content).unwrap();
    let server = fixture.serve(Limits::default());
    let mut socket = server.connect();
    let request = b"GET /large HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    socket.write_all(request).unwrap();
    let (head, mut body) = read_head(&mut socket);
    assert!(head.contains("content-length: 33554432"), "{head}");
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"more").unwrap();
    socket.read_to_end(&mut body).unwrap();
    assert!(body == content);
}

#[test]
fn a_file_that_vanishes() {
    let fixture = Fixture::new();
    let path = fixture.site().join("large");
    let content = pattern(32 << 20);
    fs::write(&path, &content).unwrap();
    let server = fixture.serve(Limits::default());
    let mut socket = server.connect();
    let request = b"GET /large HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    socket.write_all(request).unwrap();
    let (_, mut body) = read_head(&mut socket);
    fs::remove_file(&path).unwrap();
    assert_eq!(raw_get(server.address, "/large", "").status, 404);
    // What is open stays readable.
    socket.read_to_end(&mut body).unwrap();
    assert!(body == content);
}

#[test]
fn files_rewritten_all_the_time_stay_consistent() {
    let fixture = Fixture::new();
    let path = fixture.site().join("busy.txt");
    fs::write(&path, pattern(1000)).unwrap();
    let server = fixture.serve(Limits::default());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut len = 0;
            while !stop.load(relaxed) {
                len = (len + 997) % 40_000;
                fs::write(&path, pattern(len)).unwrap();
            }
        });
        for round in 0..200 {
            let accept = ["accept-encoding: identity\r\n", "accept-encoding: gzip\r\n"][round % 2];
            let response = raw_get(server.address, "/busy.txt", accept);
            match response.status {
                200 => {
                    let coding = response
                        .head
                        .contains("content-encoding: gzip")
                        .then_some("gzip");
                    // Whole as promised, whatever version it is.
                    let plain = common::decode(coding, &response.body);
                    assert!(pattern(40_000).starts_with(&plain));
                }
                // Shorter each time it was tried.
                503 => assert!(response.head.contains("retry-after: 1")),
                other => panic!("{other}: {}", response.head),
            }
        }
        stop.store(true, relaxed);
    });
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let fixture = Fixture::new();
    let fifo = fixture.site().join("fifo");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(fixture.site().join("socket")).unwrap();
    let server = fixture.serve(Limits::default());
    assert_eq!(raw_get(server.address, "/fifo", "").status, 403);
    assert_eq!(raw_get(server.address, "/socket", "").status, 404);
    drop(socket);
}

#[test]
fn a_request_with_a_body_gets_its_refusal_in_full() {
    let fixture = Fixture::new();
    let server = fixture.serve(Limits::default());
    let body = vec![b'x'; 100_000];
    let mut request = format!(
        "POST /page.txt HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    let response = raw(server.address, &request);
    assert_eq!(response.status, 405);
    assert_eq!(
        response.body,
        b"405 Method Not Allowed: only GET and HEAD\n"
    );
}

#[test]
fn half_closed_and_vanished_clients() {
    let fixture = Fixture::new();
    fs::write(fixture.site().join("large"), pattern(8 << 20)).unwrap();
    let server = fixture.serve(Limits::default());
    for request in ["", "GET", "GET /large HTTP/1.1\r\nhost: test\r\n\r\n"] {
        let mut socket = server.connect();
        socket.write_all(request.as_bytes()).unwrap();
        drop(socket);
    }
    let mut half = server.connect();
    half.write_all(b"GET /page").unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    let _ = read_to_close(&mut half);
    assert!(wait_until(|| open_connections(&server) == 0));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let fixture = Fixture::new();
    let server = fixture.serve(Limits::default());
    let mut socket = server.connect();
    let one = |path: &str, close: &str| format!("GET {path} HTTP/1.1\r\nhost: test\r\n{close}\r\n");
    let requests = [
        one("/page.txt", ""),
        one("/sub/leaf.txt", ""),
        one("/none", "connection: close\r\n"),
    ];
    socket.write_all(requests.concat().as_bytes()).unwrap();
    let answer = String::from_utf8(read_to_close(&mut socket).unwrap()).unwrap();
    let at = |text: &str| {
        answer
            .find(text)
            .unwrap_or_else(|| panic!("{text} in {answer}"))
    };
    assert!(at("a page") < at("a leaf") && at("a leaf") < at("404 Not Found"));
}

#[test]
fn at_the_connection_limit_clients_wait_their_turn() {
    let fixture = Fixture::new();
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let server = fixture.serve(limits);
    let request = b"GET /page.txt HTTP/1.1\r\nhost: test\r\n\r\n";
    let mut held: Vec<TcpStream> = (0..2).map(|_| server.connect()).collect();
    for socket in &mut held {
        socket.write_all(request).unwrap();
        read_head(socket);
    }
    let mut waiting = server.connect();
    waiting.write_all(request).unwrap();
    waiting
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let early = waiting.read(&mut [0; 1]).unwrap_err();
    assert!(matches!(
        early.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    ));
    held.pop();
    waiting
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let (head, _) = read_head(&mut waiting);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[test]
fn a_deep_or_odd_name_is_found_or_not_found() {
    let fixture = Fixture::new();
    let odd = "a b&c#d?e%f\\g\"h'<i>;j\u{e9}\u{4f60}";
    fs::write(fixture.site().join(odd), "odd").unwrap();
    let server = fixture.serve(Limits::default());
    let found = raw_get(server.address, &common::url_path(Path::new(odd)), "");
    assert_eq!((found.status, found.body), (200, b"odd".to_vec()));
    let deep = "/d".repeat(3000);
    assert_eq!(raw_get(server.address, &deep, "").status, 404);
    let response = parse(&{
        let mut socket = server.connect();
        let request = format!(
            "GET /{} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n",
            "n".repeat(255)
        );
        socket.write_all(request.as_bytes()).unwrap();
        read_to_close(&mut socket).unwrap()
    });
    assert_eq!(response.status, 404);
}
