//! Bad input over raw sockets: each a clear status, and the server stays up.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Fixture, connect, parse, raw, raw_get, read_to_close};
use engine_web::server::Limits;
use rustix::fs::{CWD, FileType, Mode, mknodat};

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
        (b"GET /page.txt HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        (
            b"GET /page.txt HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n",
            400,
        ),
        (b"GET /page.txt HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n", 400),
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
