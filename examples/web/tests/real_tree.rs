//! The binary serves a real documentation tree, and what comes back is decoded by
//! libraries other than the server's.

mod common;

use std::fs;
use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::documentation::Documentation;
use common::process::Process;
use common::{body, client, url_path};
use rustix::process::Signal;

const CODINGS: [&str; 4] = ["identity", "gzip", "zstd", "br"];

/// libflate and ruzstd are written anew in Rust; brotlic is brotli's own decoder in C.
/// The server has zlib-rs, zstd's own encoder in C, and a port of brotli to Rust.
fn decode(coding: Option<&str>, coded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        None => plain.extend_from_slice(coded),
        Some("gzip") => {
            let mut decoder = libflate::gzip::Decoder::new(coded).unwrap();
            decoder.read_to_end(&mut plain).unwrap();
            assert!(decoder.into_inner().is_empty(), "bytes behind the end");
        }
        Some("zstd") => {
            let mut rest = coded;
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(&mut rest).unwrap();
            decoder.read_to_end(&mut plain).unwrap();
            drop(decoder);
            assert!(rest.is_empty(), "bytes behind the end");
        }
        Some("br") => {
            let mut decoder = brotlic::DecompressorReader::new(coded);
            decoder.read_to_end(&mut plain).unwrap();
        }
        Some(other) => panic!("unexpected coding {other}"),
    }
    plain
}

fn serves_what_is_there(count: usize) {
    let documentation = Documentation::find();
    let (sample, seed) = documentation.sample(count);
    let mut process = Process::start(&documentation.html, &[]);
    let (next, coded) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = client();
                while let Some(file) = sample.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let expected = fs::read(documentation.html.join(file)).unwrap();
                    for coding in CODINGS {
                        let case = format!("{} as {coding}, seed {seed}", file.display());
                        let url = format!("http://{}{}", process.address, url_path(file));
                        let mut response = client
                            .get(url)
                            .header("accept-encoding", coding)
                            .call()
                            .unwrap();
                        assert_eq!(response.status(), 200, "{case}");
                        let used = response.headers().get("content-encoding").cloned();
                        let used = used.as_ref().map(|value| value.to_str().unwrap());
                        if let Some(used) = used {
                            assert_eq!(used, coding, "{case}");
                            coded.fetch_add(1, Ordering::Relaxed);
                        }
                        let received = body(&mut response).unwrap();
                        let plain = decode(used, &received);
                        assert!(plain == expected, "{case}: the bytes differ");
                    }
                }
            });
        }
    });
    // Nearly all of a documentation tree is text, and asked for in three codings.
    let coded = coded.into_inner();
    println!("{coded} of {} responses were compressed", 4 * count);
    assert!(coded > 2 * count);
    process.signal(Signal::INT);
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn the_binary_serves_what_is_there() {
    serves_what_is_there(60);
}

/// In a release build: `cargo test --release -p engine-web --test real_tree -- --ignored`.
#[test]
#[ignore = "takes long in a debug build"]
fn the_binary_serves_what_is_there_500_times() {
    serves_what_is_there(500);
}
