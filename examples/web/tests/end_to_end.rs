//! A real client talks to a real server about a real documentation tree.

mod common;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use common::documentation::Documentation;
use common::{TestServer, age, body, client, decode, fast, pattern, url_path};
use engine_web::server::Limits;
use engine_web::site::Options;
use ureq::http::Response;

const CODINGS: [&str; 4] = ["identity", "gzip", "zstd", "br"];

fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Response<ureq::Body> {
    let mut request = client().get(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.call().unwrap()
}

fn field<'a>(response: &'a Response<ureq::Body>, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// A small site: `page.html` (1000 bytes), `tiny.txt`, `image.png`, `sub/index.html`, `list/`.
fn small_site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("page.html"), pattern(1000)).unwrap();
    fs::write(dir.path().join("tiny.txt"), "tiny").unwrap();
    fs::write(dir.path().join("image.png"), pattern(2000)).unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/index.html"), "index of sub").unwrap();
    fs::create_dir(dir.path().join("list")).unwrap();
    fs::write(dir.path().join("list/one & two.txt"), "both").unwrap();
    dir
}

#[test]
fn random_files_decode_to_the_same_bytes_in_every_coding() {
    let documentation = Documentation::find();
    let (sample, seed) = documentation.sample(500);
    let html = &documentation.html;
    let server = TestServer::start(html, fast(), Limits::default());
    let next = AtomicUsize::new(0);
    let coded = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Each client keeps its connections and so tests keep-alive.
                let client = client();
                while let Some(file) = sample.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let expected = fs::read(html.join(file)).unwrap();
                    for coding in CODINGS {
                        let mut response = client
                            .get(server.url(&url_path(file)))
                            .header("accept-encoding", coding)
                            .call()
                            .unwrap();
                        let case = format!("{} as {coding}, seed {seed}", file.display());
                        assert_eq!(response.status(), 200, "{case}");
                        let length = field(&response, "content-length").map(str::to_owned);
                        let used = field(&response, "content-encoding").map(str::to_owned);
                        let received = body(&mut response).unwrap();
                        if let Some(length) = length {
                            assert_eq!(length, received.len().to_string(), "{case}");
                        }
                        if let Some(used) = &used {
                            assert_eq!(used, coding, "{case}");
                            coded.fetch_add(1, Ordering::Relaxed);
                        }
                        let plain = decode(used.as_deref(), &received);
                        assert!(plain == expected, "{case}: the bytes differ");
                    }
                }
            });
        }
    });
    // Nearly all of a documentation tree is text.
    let coded = coded.into_inner();
    assert!(
        coded > 1000,
        "only {coded} of 1500 responses were compressed"
    );
}

#[test]
fn head_has_the_fields_of_get() {
    let dir = small_site();
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    let client = client();
    for path in [
        "/page.html",
        "/tiny.txt",
        "/image.png",
        "/sub/",
        "/sub",
        "/list/",
        "/none",
        "/_engine/",
    ] {
        for coding in CODINGS {
            let mut get = client
                .get(server.url(path))
                .header("accept-encoding", coding)
                .call()
                .unwrap();
            let mut head = client
                .head(server.url(path))
                .header("accept-encoding", coding)
                .call()
                .unwrap();
            assert_eq!(get.status(), head.status(), "{path}");
            let mut get_fields = get.headers().clone();
            let mut head_fields = head.headers().clone();
            get_fields.remove("date");
            head_fields.remove("date");
            if path == "/_engine/" {
                // The page counts the very requests that fetch it.
                get_fields.remove("content-length");
                head_fields.remove("content-length");
            }
            assert_eq!(get_fields, head_fields, "{path} as {coding}");
            assert!(!body(&mut get).unwrap().is_empty());
            assert!(body(&mut head).unwrap().is_empty());
        }
    }
}

#[test]
fn negotiation() {
    let dir = small_site();
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    for (path, accept, status, coding) in [
        ("/page.html", "gzip;q=0.5, br;q=0.4", 200, Some("gzip")),
        ("/page.html", "br, gzip, zstd", 200, Some("br")),
        ("/page.html", "*", 200, Some("br")),
        ("/page.html", "deflate", 200, None),
        ("/page.html", "identity;q=0", 406, None),
        ("/page.html", "*;q=0", 406, None),
        ("/tiny.txt", "gzip", 200, None),
        ("/tiny.txt", "gzip, identity;q=0", 200, Some("gzip")),
        ("/image.png", "gzip", 200, None),
        ("/image.png", "gzip, *;q=0", 200, Some("gzip")),
        ("/list/", "zstd", 200, Some("zstd")),
    ] {
        let mut response = get(&server, path, &[("accept-encoding", accept)]);
        assert_eq!(response.status(), status, "{path} {accept}");
        assert_eq!(
            field(&response, "content-encoding"),
            coding,
            "{path} {accept}"
        );
        assert_eq!(
            field(&response, "vary"),
            Some("accept-encoding"),
            "{path} {accept}"
        );
        let received = body(&mut response).unwrap();
        let file = dir.path().join(&path[1..]);
        if status == 200 && file.is_file() {
            assert_eq!(decode(coding, &received), fs::read(file).unwrap());
        }
    }
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let dir = small_site();
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    let mut tags = Vec::new();
    for coding in CODINGS {
        let response = get(&server, "/page.html", &[("accept-encoding", coding)]);
        let tag = field(&response, "etag").unwrap().to_owned();
        let date = field(&response, "last-modified").unwrap().to_owned();
        for condition in [("if-none-match", &tag), ("if-modified-since", &date)] {
            let (name, value) = condition;
            let headers = [("accept-encoding", coding), (name, value.as_str())];
            let mut again = get(&server, "/page.html", &headers);
            assert_eq!(again.status(), 304, "{coding} {name}");
            assert_eq!(field(&again, "etag"), Some(tag.as_str()));
            assert_eq!(field(&again, "vary"), Some("accept-encoding"));
            assert!(body(&mut again).unwrap().is_empty());
        }
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), CODINGS.len(), "each coding has its own tag");

    // A new version, of the same length: all old tags are void.
    let other: Vec<u8> = pattern(1000).into_iter().rev().collect();
    let replacement = dir.path().join("new");
    fs::write(&replacement, &other).unwrap();
    fs::rename(&replacement, dir.path().join("page.html")).unwrap();
    let list = tags.join(", ");
    for coding in CODINGS {
        let headers = [
            ("accept-encoding", coding),
            ("if-none-match", list.as_str()),
        ];
        let mut response = get(&server, "/page.html", &headers);
        assert_eq!(response.status(), 200, "{coding}");
        let used = field(&response, "content-encoding").map(str::to_owned);
        assert_eq!(
            decode(used.as_deref(), &body(&mut response).unwrap()),
            other
        );
    }
    let failed = get(&server, "/page.html", &[("if-match", list.as_str())]);
    assert_eq!(failed.status(), 412);
}

#[test]
fn ranges() {
    let dir = small_site();
    let big = pattern(300_000);
    fs::write(dir.path().join("big.txt"), &big).unwrap();
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    let tag = field(&get(&server, "/big.txt", &[]), "etag")
        .unwrap()
        .to_owned();
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=-5", 299_995, 300_000),
        ("bytes=100000-", 100_000, 300_000),
        ("bytes=299999-400000", 299_999, 300_000),
    ] {
        // Also for a client that takes gzip: a range is of the file's own bytes.
        for accept in ["identity", "gzip"] {
            let headers = [
                ("range", range),
                ("accept-encoding", accept),
                ("if-range", tag.as_str()),
            ];
            let mut response = get(&server, "/big.txt", &headers);
            assert_eq!(response.status(), 206, "{range}");
            let want = format!("bytes {from}-{}/300000", to - 1);
            assert_eq!(field(&response, "content-range"), Some(want.as_str()));
            assert_eq!(field(&response, "content-encoding"), None);
            assert!(body(&mut response).unwrap() == big[from..to], "{range}");
        }
    }
    for range in ["bytes=300000-", "bytes=-0"] {
        let response = get(&server, "/big.txt", &[("range", range)]);
        assert_eq!(response.status(), 416, "{range}");
        assert_eq!(field(&response, "content-range"), Some("bytes */300000"));
    }
    for headers in [
        [("range", "bytes=0-1,5-6"), ("x", "")],
        [("range", "lines=0-1"), ("x", "")],
        [("range", "bytes=5-1"), ("x", "")],
        [("range", "bytes=0-1"), ("if-range", "\"another\"")],
    ] {
        let mut response = get(&server, "/big.txt", &headers);
        assert_eq!(response.status(), 200, "{headers:?}");
        assert!(body(&mut response).unwrap() == big, "{headers:?}");
    }
}

#[test]
fn directories() {
    let dir = small_site();
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    let moved = get(&server, "/sub?a=b", &[]);
    assert_eq!(moved.status(), 301);
    assert_eq!(field(&moved, "location"), Some("/sub/?a=b"));
    let mut index = get(&server, "/sub/", &[]);
    assert_eq!(
        field(&index, "content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(body(&mut index).unwrap(), b"index of sub");
    let mut list = get(&server, "/list/", &[]);
    let page = String::from_utf8(body(&mut list).unwrap()).unwrap();
    assert!(
        page.contains("<a href=\"./one%20%26%20two.txt\">one &amp; two.txt</a>"),
        "{page}"
    );
    let mut file = get(&server, "/list/one%20%26%20two.txt", &[]);
    assert_eq!(body(&mut file).unwrap(), b"both");
    assert_eq!(get(&server, "/page.html/", &[]).status(), 404);
    assert_eq!(get(&server, "/page.html/x", &[]).status(), 404);
    let engine = get(&server, "/_engine", &[]);
    assert_eq!(field(&engine, "location"), Some("/_engine/"));
}

#[test]
fn methods() {
    let dir = small_site();
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    let url = server.url("/page.html");
    for response in [
        client().post(&url).send("x").unwrap(),
        client().put(&url).send("x").unwrap(),
        client().delete(&url).call().unwrap(),
        client().options(&url).call().unwrap(),
    ] {
        assert_eq!(response.status(), 405);
        assert_eq!(field(&response, "allow"), Some("GET, HEAD"));
    }
}

#[test]
fn a_large_file_is_streamed_in_every_coding() {
    let dir = tempfile::tempdir().unwrap();
    let content = pattern(17 << 20);
    fs::write(dir.path().join("large.txt"), &content).unwrap();
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    for coding in CODINGS {
        let mut response = get(&server, "/large.txt", &[("accept-encoding", coding)]);
        let used = field(&response, "content-encoding").map(str::to_owned);
        assert_eq!(used.is_none(), coding == "identity");
        let received = body(&mut response).unwrap();
        let share = received.len() * 100 / content.len();
        assert!(used.is_none() || share < 90, "{coding}: {share} %");
        assert!(decode(used.as_deref(), &received) == content, "{coding}");
    }
    let head = client()
        .head(server.url("/large.txt"))
        .header("accept-encoding", "gzip")
        .call()
        .unwrap();
    assert_eq!(field(&head, "content-encoding"), Some("gzip"));
    assert_eq!(field(&head, "content-length"), None);
}

#[test]
fn many_requests_for_one_body_compress_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let content = pattern(2 << 20);
    fs::write(dir.path().join("hot.txt"), &content).unwrap();
    age(&dir.path().join("hot.txt"));
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut response = get(&server, "/hot.txt", &[("accept-encoding", "zstd")]);
                let received = body(&mut response).unwrap();
                assert!(decode(Some("zstd"), &received) == content);
            });
        }
    });
    assert_eq!(server.site.stats().cache_misses(), 1);
}

#[test]
fn a_change_within_one_step_of_the_clock_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fresh.txt");
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    let stamp = SystemTime::now();
    for byte in [b'a', b'b', b'c'] {
        // The same length and the same time, as two writes in one tick have.
        fs::write(&file, vec![byte; 1000]).unwrap();
        let handle = fs::File::options().write(true).open(&file).unwrap();
        handle.set_modified(stamp).unwrap();
        let mut response = get(&server, "/fresh.txt", &[("accept-encoding", "gzip")]);
        let received = body(&mut response).unwrap();
        assert_eq!(decode(Some("gzip"), &received), vec![byte; 1000]);
    }
}

#[test]
fn without_a_cache_each_request_is_compressed() {
    let dir = small_site();
    let options = Options {
        cache: None,
        ..fast()
    };
    let server = TestServer::start(dir.path(), options, Limits::default());
    for _ in 0..3 {
        let mut response = get(&server, "/page.html", &[("accept-encoding", "br")]);
        assert_eq!(
            decode(Some("br"), &body(&mut response).unwrap()),
            pattern(1000)
        );
    }
    let mut snapshot = get(&server, "/_engine/snapshot.json", &[]);
    let snapshot: serde_json::Value =
        serde_json::from_slice(&body(&mut snapshot).unwrap()).unwrap();
    assert!(snapshot["server"]["cache"].is_null());
    assert_eq!(snapshot["server"]["bodies"]["hits"], 0);
}

#[test]
fn the_engine_shows_itself() {
    let dir = small_site();
    age(&dir.path().join("page.html"));
    let server = TestServer::start(dir.path(), fast(), Limits::default());
    for _ in 0..2 {
        get(&server, "/page.html", &[("accept-encoding", "gzip")]);
    }
    get(&server, "/none", &[]);
    let mut response = get(&server, "/_engine/snapshot.json", &[]);
    assert_eq!(field(&response, "content-type"), Some("application/json"));
    let snapshot: serde_json::Value =
        serde_json::from_slice(&body(&mut response).unwrap()).unwrap();
    let counts = &snapshot["server"];
    assert_eq!(counts["responses"]["2xx"], 2);
    assert_eq!(counts["responses"]["4xx"], 1);
    assert_eq!(counts["bodies"]["misses"], 1);
    assert_eq!(counts["bodies"]["hits"], 1);
    assert_eq!(counts["cache"]["entries"], 1);
    let mut page = get(&server, "/_engine/", &[]);
    let page = String::from_utf8(body(&mut page).unwrap()).unwrap();
    assert!(page.contains("&quot;responses&quot;"), "{page}");
    assert_eq!(get(&server, "/_engine/none", &[]).status(), 404);
}
