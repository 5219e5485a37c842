//! Clients that are slow, silent, idle, gone or too many.

mod common;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::{Fixture, impatient, open_connections, pattern, read_head, read_to_close, wait_until};
use engine_web::server::Limits;

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
        while start.elapsed() < Duration::from_secs(30) {
            if trickle.write_all(b"x").is_err() {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    });
    let response = read_until_408(&mut socket);
    assert!(response.starts_with(b"HTTP/1.1 408 "), "{response:?}");
    assert!(start.elapsed() >= limits.head_timeout);
    let refused = trickler.join().unwrap();
    assert!(refused, "the trickle kept the connection open");
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

/// Nothing here times out within the test: it ends only if the drain closes
/// what waits for nothing.
#[test]
fn a_drain_does_not_wait_for_idle_and_unused_connections() {
    let fixture = Fixture::new();
    let hour = Duration::from_secs(3600);
    let server = fixture.serve(Limits {
        head_timeout: hour,
        idle_timeout: hour,
        ..Limits::default()
    });
    let mut unused = server.connect();
    let mut idle = server.connect();
    idle.write_all(b"GET /page.txt HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    read_head(&mut idle);
    server.assert_up();
    drop(server);
    assert_eq!(read_to_close(&mut unused).unwrap(), b"");
    read_to_close(&mut idle).unwrap();
}
