//! The site: a directory, and how a request for a file of it is answered.

pub mod cache;
pub mod compress;
pub mod encoding;
pub mod etag;
mod file;
pub mod listing;
pub mod media;
pub mod path;
pub mod range;
mod respond;
pub mod root;
pub mod stream;

use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism; // facade: it asks the system, and starts nothing

use async_lock::Semaphore;
use hyper::header::{CACHE_CONTROL, CONTENT_ENCODING, HOST, HeaderValue, VARY};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};

use crate::runtime::Runtime;
use crate::stats::Stats;
use crate::status;
use cache::Cache;
use compress::Quality;
use encoding::{Accepted, Worth};
use path::SitePath;
use root::{Found, Root};

pub use stream::Body;

/// How often a request starts over when its file changes under it.
const CHANGE_RETRIES: usize = 3;

/// How a site behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How hard to compress.
    pub quality: Quality,
    /// Bytes for compressed bodies; `None` compresses for each request anew.
    pub cache: Option<NonZeroU64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            quality: Quality::default(),
            cache: NonZeroU64::new(64 << 20),
        }
    }
}

/// A directory that is served.
pub struct Site<R: Runtime> {
    runtime: R,
    root: Arc<Root>,
    quality: Quality,
    cache: Option<Arc<Cache>>,
    /// Bodies in memory while they are compressed: one for each CPU.
    compressors: Arc<Semaphore>,
    stats: Arc<Stats>,
}

impl<R: Runtime> Site<R> {
    /// Opens `directory`. What blocks or computes for long runs on `runtime`.
    ///
    /// # Errors
    ///
    /// If it does not exist, is not a directory or may not be read.
    pub fn open(runtime: R, directory: &Path, options: Options) -> io::Result<Self> {
        let cpus = available_parallelism().map_or(1, usize::from);
        Ok(Self {
            runtime,
            root: Arc::new(Root::open(directory)?),
            quality: options.quality,
            cache: options.cache.map(|budget| Arc::new(Cache::new(budget))),
            compressors: Arc::new(Semaphore::new(cpus)),
            stats: Arc::default(),
        })
    }

    /// The directory's absolute path.
    pub fn directory(&self) -> &Path {
        self.root.canonical()
    }

    /// The counters of the server.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// Everything known about the engine and the server, as JSON.
    pub fn snapshot_json(&self) -> String {
        let cache = self.cache.as_ref().map(|cache| cache.usage());
        status::snapshot_json(&self.runtime.snapshot_json(), &self.stats, cache)
    }

    /// Answers one request. Bodies of requests are not read.
    pub async fn handle(&self, request: &Parts) -> Response<Body<R>> {
        let mut response = self.route(request).await;
        self.stats.responded(response.status());
        if request.method == Method::HEAD {
            omit_body(&mut response);
        }
        response
    }

    async fn route(&self, request: &Parts) -> Response<Body<R>> {
        if !names_one_host(request) {
            let why = "a request of HTTP/1.1 has one Host field";
            return respond::plain(StatusCode::BAD_REQUEST, why);
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            return respond::method_not_allowed();
        }
        let path = match SitePath::parse(request.uri.path()) {
            Ok(path) => path,
            Err(why) => return respond::plain(StatusCode::BAD_REQUEST, &why.to_string()),
        };
        if let Some(page) = status::Page::at(&path) {
            return self.engine_page(page);
        }
        let mut changed = io::Error::from(io::ErrorKind::UnexpectedEof);
        for _ in 0..CHANGE_RETRIES {
            match self.find_and_answer(request, &path).await {
                Ok(response) => return response,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => changed = error,
                Err(error) => return respond::failed(&error),
            }
        }
        respond::failed(&changed)
    }

    /// `UnexpectedEof` means that the file changed before a byte was sent.
    async fn find_and_answer(
        &self,
        request: &Parts,
        path: &SitePath,
    ) -> io::Result<Response<Body<R>>> {
        if path.has_slash() {
            let index = path.index();
            match self.root.find(index.as_path()) {
                Ok(Found::File(file, meta)) => {
                    return self.answer_file(request, &index, file, meta).await;
                }
                Ok(Found::Directory(_) | Found::Other) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        match self.root.find(path.as_path())? {
            Found::File(..) if path.has_slash() => Err(io::ErrorKind::NotFound.into()),
            Found::File(file, meta) => self.answer_file(request, path, file, meta).await,
            Found::Directory(directory) if path.has_slash() => {
                self.answer_directory(request, path, directory).await
            }
            Found::Directory(_) => {
                let mut url = path.directory_url();
                if let Some(query) = request.uri.query() {
                    url.push('?');
                    url.push_str(query);
                }
                Ok(respond::moved(&url))
            }
            Found::Other => Ok(respond::plain(StatusCode::FORBIDDEN, "not a regular file")),
        }
    }

    async fn answer_directory(
        &self,
        request: &Parts,
        path: &SitePath,
        directory: OwnedFd,
    ) -> io::Result<Response<Body<R>>> {
        let Some(coding) = Accepted::new(&request.headers).choose(Worth::Much) else {
            return Ok(respond::not_acceptable());
        };
        let (root, path, quality) = (Arc::clone(&self.root), path.clone(), self.quality);
        let _turn = self.compressors.acquire().await;
        let job = self.runtime.blocking(move || {
            let page = listing::render(&root, &path, &directory)?;
            compress::compress(page.as_bytes(), coding, quality)
        });
        let page = job.await??;
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        let mut response = respond::with_body(StatusCode::OK, html, page);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if coding != encoding::Coding::Identity {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        }
        Ok(response)
    }

    fn engine_page(&self, page: status::Page) -> Response<Body<R>> {
        let (content_type, body) = match page {
            status::Page::Moved => return respond::moved("/_engine/"),
            status::Page::Unknown => return respond::plain(StatusCode::NOT_FOUND, ""),
            status::Page::Snapshot => ("application/json", self.snapshot_json()),
            status::Page::Overview => (
                "text/html; charset=utf-8",
                status::overview(&self.snapshot_json()),
            ),
        };
        let content_type = HeaderValue::from_static(content_type);
        let mut response = respond::with_body(StatusCode::OK, content_type, body);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// RFC 9112, 3.2: a request without the field, or with two, is to be refused. Who
/// stands between client and server may have taken it for another host's.
fn names_one_host(request: &Parts) -> bool {
    match request.headers.get_all(HOST).iter().count() {
        0 => request.version < Version::HTTP_11,
        n => n == 1,
    }
}

/// Keeps all fields, and what hyper derives from the body's length.
fn omit_body<R: Runtime>(response: &mut Response<Body<R>>) {
    use hyper::body::Body as _;
    let exact = response.body().size_hint().exact();
    // Of unknown length: hyper announces chunks and does not read them.
    if let Some(len) = exact {
        *response.body_mut() = Body::Omitted(len);
    }
}
