//! Responses: the fields that every kind of them carries.

use std::io;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use rustix::io::Errno;

use super::encoding::Coding;
use super::etag::ETag;
use super::root::Meta;
use super::stream::Body;
use crate::runtime::Runtime;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A response of `status` with `body`, marked with its type.
pub fn with_body<R: Runtime>(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Body<R>> {
    let body = body.into();
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A plain-text response: the status and, where it helps, a sentence.
pub fn plain<R: Runtime>(status: StatusCode, why: &str) -> Response<Body<R>> {
    let reason = status.canonical_reason().unwrap_or("");
    let text = if why.is_empty() {
        format!("{} {reason}\n", status.as_str())
    } else {
        format!("{} {reason}: {why}\n", status.as_str())
    };
    with_body(status, TEXT, text)
}

/// 405 for a method other than `GET` and `HEAD`.
pub fn method_not_allowed<R: Runtime>() -> Response<Body<R>> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// 406: the client refuses every coding we have.
pub fn not_acceptable<R: Runtime>() -> Response<Body<R>> {
    let why = "the codings here are br, zstd, gzip and identity";
    let mut response = plain(StatusCode::NOT_ACCEPTABLE, why);
    response.headers_mut().insert(VARY, VARY_ENCODING);
    response
}

/// 301 to `url`, which is a path on this host.
pub fn moved<R: Runtime>(url: &str) -> Response<Body<R>> {
    // Our own escaping leaves nothing that a field value cannot hold, but a
    // query is passed on as it came.
    let Ok(location) = HeaderValue::from_str(url) else {
        return plain(StatusCode::BAD_REQUEST, "");
    };
    let mut response = plain(StatusCode::MOVED_PERMANENTLY, url);
    response.headers_mut().insert(LOCATION, location);
    response
}

/// The status for an error of the file system. Its text names no path.
pub fn failed<R: Runtime>(error: &io::Error) -> Response<Body<R>> {
    match error.kind() {
        io::ErrorKind::NotFound => return plain(StatusCode::NOT_FOUND, ""),
        io::ErrorKind::PermissionDenied => {
            return plain(StatusCode::FORBIDDEN, "the server may not read this");
        }
        io::ErrorKind::UnexpectedEof => {
            return later("the file is changing while it is read");
        }
        _ => {}
    }
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => {
            later("the server is out of resources")
        }
        _ => plain(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read"),
    }
}

fn later<R: Runtime>(why: &str) -> Response<Body<R>> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, why);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

const VARY_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");

/// What one representation of a file is described by.
pub struct Representation<'a> {
    /// The file.
    pub meta: &'a Meta,
    /// Its coding.
    pub coding: Coding,
    /// The tag of both.
    pub tag: &'a ETag,
    /// The type of the content before coding.
    pub content_type: HeaderValue,
}

impl Representation<'_> {
    /// A response with all fields but those of the body's length.
    pub fn respond<R: Runtime>(&self, status: StatusCode, body: Body<R>) -> Response<Body<R>> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(10);
        self.validators(headers);
        // A 304 or 412 does not describe a body of its own.
        if matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            headers.insert(CONTENT_TYPE, self.content_type.clone());
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            if self.coding != Coding::Identity {
                let token = HeaderValue::from_static(self.coding.token());
                headers.insert(CONTENT_ENCODING, token);
            }
        }
        response
    }

    /// The fields that a 200 and a 304 have in common (RFC 9110, 15.4.5).
    fn validators(&self, headers: &mut HeaderMap) {
        // A browser may keep it, but asks each time whether it is still good.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, VARY_ENCODING);
        if let Ok(tag) = HeaderValue::from_str(self.tag.as_str()) {
            headers.insert(ETAG, tag);
        }
        if let Some(date) = self
            .meta
            .http_date()
            .and_then(|d| HeaderValue::try_from(d).ok())
        {
            headers.insert(LAST_MODIFIED, date);
        }
    }

    /// 416, naming the length there is.
    pub fn not_satisfiable<R: Runtime>(&self) -> Response<Body<R>> {
        let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE, "");
        let headers = response.headers_mut();
        self.validators(headers);
        content_range(headers, "*", self.meta.len);
        response
    }
}

/// Sets `Content-Range`.
pub fn content_range(headers: &mut HeaderMap, part: &str, len: u64) {
    if let Ok(value) = HeaderValue::try_from(format!("bytes {part}/{len}")) {
        headers.insert(CONTENT_RANGE, value);
    }
}
