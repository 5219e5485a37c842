//! The server's own counters.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counted since the start. Each is exact; two read together may be of
/// slightly different moments, hence Relaxed throughout: they order nothing, and no
/// model needs them.
#[derive(Debug, Default)]
pub struct Stats {
    opened: AtomicU64,
    closed: AtomicU64,
    panicked: AtomicU64,
    /// Responses by the first digit of their status: 1xx to 5xx.
    responses: [AtomicU64; 5],
    cache_hits: AtomicU64,
    cache_waits: AtomicU64,
    cache_misses: AtomicU64,
}

impl Stats {
    /// A connection was accepted.
    pub fn connection_opened(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    /// A connection has ended.
    pub fn connection_closed(&self) {
        self.closed.fetch_add(1, Relaxed);
    }

    /// A handler panicked, which ended its connection.
    pub fn connection_panicked(&self) {
        self.panicked.fetch_add(1, Relaxed);
    }

    /// A response was made.
    pub fn responded(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.responses[class].fetch_add(1, Relaxed);
    }

    /// A compressed body was there.
    pub fn cache_hit(&self) {
        self.cache_hits.fetch_add(1, Relaxed);
    }

    /// A compressed body was being made for another request.
    pub fn cache_wait(&self) {
        self.cache_waits.fetch_add(1, Relaxed);
    }

    /// A compressed body had to be made.
    pub fn cache_miss(&self) {
        self.cache_misses.fetch_add(1, Relaxed);
    }

    /// How many compressed bodies had to be made so far.
    pub fn cache_misses(&self) -> u64 {
        self.cache_misses.load(Relaxed)
    }

    /// All of them.
    pub fn to_json(&self) -> Value {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        let opened = get(&self.opened);
        let responses: Vec<u64> = self.responses.iter().map(get).collect();
        json!({
            "connections": {
                "open": opened.saturating_sub(get(&self.closed)),
                "accepted": opened,
                "panicked": get(&self.panicked),
            },
            "responses": {
                "2xx": responses[1],
                "3xx": responses[2],
                "4xx": responses[3],
                "5xx": responses[4],
            },
            "bodies": {
                "hits": get(&self.cache_hits),
                "waits": get(&self.cache_waits),
                "misses": get(&self.cache_misses),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_counted_by_class() {
        let stats = Stats::default();
        stats.responded(StatusCode::OK);
        stats.responded(StatusCode::PARTIAL_CONTENT);
        stats.responded(StatusCode::NOT_MODIFIED);
        stats.responded(StatusCode::NOT_FOUND);
        stats.responded(StatusCode::SERVICE_UNAVAILABLE);
        let json = stats.to_json();
        let want = json!({"2xx": 2, "3xx": 1, "4xx": 1, "5xx": 1});
        assert_eq!(json["responses"], want);
    }
}
