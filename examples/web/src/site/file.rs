//! Answering with a file: conditions, ranges, codings.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, HeaderValue, RANGE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::cache::{Claim, Key, Outcome};
use super::compress;
use super::encoding::{Accepted, Coding, Worth};
use super::etag::{self, ETag, Verdict};
use super::path::SitePath;
use super::range::{self, Ranged};
use super::respond::{self, Representation};
use super::root::Meta;
use super::stream::{Body, Chunks, Exact};
use super::{Site, media};
use crate::runtime::Runtime;

/// Up to here a file is read in the handler: less work than handing it over.
const INLINE_MAX: u64 = 64 * 1024;

/// Below this, a coding's own bytes eat what it saves.
const CODED_MIN: u64 = 256;

/// Above this, a file is compressed while it is sent and not kept.
const WHOLE_MAX: u64 = 16 << 20;

impl<R: Runtime> Site<R> {
    /// Answers with `file`, which was found under `path`.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the file became shorter than `meta` says before the
    /// response began; other errors of reading.
    pub(super) async fn answer_file(
        &self,
        request: &Parts,
        path: &SitePath,
        file: File,
        meta: Meta,
    ) -> io::Result<Response<Body<R>>> {
        let media = media::of(path.as_path());
        let accepted = Accepted::new(&request.headers);
        // RFC 9110, 14.2: only GET knows ranges.
        let range = request
            .headers
            .get(RANGE)
            .filter(|_| request.method == Method::GET);
        let range = range.filter(|_| accepted.identity());
        let worth = if meta.len < CODED_MIN {
            Worth::Little
        } else {
            media.worth
        };
        // A range counts the bytes of the representation that is sent. Those of
        // the file are the ones a client can mean.
        let coding = match range {
            Some(_) => Some(Coding::Identity),
            None => accepted.choose(worth),
        };
        let Some(coding) = coding else {
            return Ok(respond::not_acceptable());
        };
        let tag = ETag::new(&meta, coding);
        let representation = Representation {
            meta: &meta,
            coding,
            tag: &tag,
            content_type: media.content_type,
        };
        let modified = meta.modified_time();
        match etag::evaluate(&request.headers, &tag, modified) {
            Verdict::NotModified => {
                return Ok(representation.respond(StatusCode::NOT_MODIFIED, Body::empty()));
            }
            Verdict::Failed => {
                return Ok(representation.respond(StatusCode::PRECONDITION_FAILED, Body::empty()));
            }
            Verdict::Proceed => {}
        }
        let range = range.filter(|_| etag::range_allowed(&request.headers, &tag, modified));
        let ranged = range.map_or(Ranged::Whole, |r| range::parse(r.as_bytes(), meta.len));
        let part = match ranged {
            Ranged::Whole => 0..meta.len,
            Ranged::Unsatisfiable => return Ok(representation.not_satisfiable()),
            Ranged::Part(part) => {
                let len = part.end - part.start;
                let body = self.plain_body(&request.method, file, part.start, len)?;
                let mut response = representation.respond(StatusCode::PARTIAL_CONTENT, body);
                let headers = response.headers_mut();
                headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
                let positions = format!("{}-{}", part.start, part.end - 1);
                respond::content_range(headers, &positions, meta.len);
                return Ok(response);
            }
        };
        let (body, len) = if coding == Coding::Identity {
            let body = self.plain_body(&request.method, file, 0, part.end)?;
            (body, Some(part.end))
        } else if meta.len > WHOLE_MAX {
            let source = Exact::new(file, meta.len);
            let source = compress::stream(source, coding, self.quality)?;
            (
                Body::Chunks(Chunks::unknown(self.runtime.clone(), source)),
                None,
            )
        } else {
            let coded = self.coded(file, meta, coding).await;
            // The error is shared with other requests; its kind is all they need.
            let coded = coded.map_err(|error| io::Error::from(error.kind()))?;
            let len = coded.len() as u64;
            (Body::from(coded), Some(len))
        };
        let mut response = representation.respond(StatusCode::OK, body);
        if let Some(len) = len {
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(len));
        }
        Ok(response)
    }

    /// `len` bytes of `file` from `start`.
    fn plain_body(
        &self,
        method: &Method,
        mut file: File,
        start: u64,
        len: u64,
    ) -> io::Result<Body<R>> {
        if method == Method::HEAD {
            return Ok(Body::Omitted(len));
        }
        if start > 0 {
            file.seek(SeekFrom::Start(start))?;
        }
        if len <= INLINE_MAX {
            return Ok(Body::from(compress::read_file(&file, len)?));
        }
        let source = Exact::new(file, len);
        Ok(Body::Chunks(Chunks::exact(self.runtime.clone(), source)))
    }

    /// The whole file, compressed: from the cache, or made now and kept.
    async fn coded(&self, file: File, meta: Meta, coding: Coding) -> Outcome {
        let Some(cache) = &self.cache else {
            return self.compress(file, meta, coding).await;
        };
        match cache.claim(Key { meta, coding }) {
            Claim::Hit(body) => {
                self.stats.cache_hit();
                Ok(body)
            }
            Claim::Wait(slot) => {
                self.stats.cache_wait();
                slot.wait().await
            }
            Claim::Fill(filler) => {
                self.stats.cache_miss();
                let slot = filler.slot();
                let making = self.compress(file, meta, coding);
                // On its own: if this client hangs up, others still wait for it.
                self.runtime
                    .spawn(async move { filler.finish(making.await) });
                slot.wait().await
            }
        }
    }

    fn compress(
        &self,
        file: File,
        meta: Meta,
        coding: Coding,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let compressors = Arc::clone(&self.compressors);
        let (runtime, quality) = (self.runtime.clone(), self.quality);
        async move {
            let _turn = compressors.acquire_arc().await;
            let job = move || compress::compress_file(file, meta.len, coding, quality);
            let coded = runtime.blocking(job).await.map_err(io::Error::from);
            coded.flatten().map(Bytes::from).map_err(Arc::new)
        }
    }
}
