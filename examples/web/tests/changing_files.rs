//! Files and links that change while they are served.

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::thread;

use common::{Fixture, pattern, raw_get, read_head};
use engine_web::server::Limits;

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
    // Not a multiple of what is read at once.
    let content = pattern((32 << 20) - 777);
    fs::write(&path, &content).unwrap();
    let server = fixture.serve(Limits::default());
    let mut socket = server.connect();
    let request = b"GET /large HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    socket.write_all(request).unwrap();
    let (head, mut body) = read_head(&mut socket);
    assert!(head.contains("content-length: 33553655"), "{head}");
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
