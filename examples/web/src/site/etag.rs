//! Entity tags and the conditions of a request (RFC 9110, sections 8.8 and 13).

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use hyper::header::{
    HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE,
};

use super::encoding::Coding;
use super::root::Meta;

/// A strong entity tag with its quotes.
///
/// It is made of length, modification time in nanoseconds, inode and content
/// coding, so two codings of one file differ, as RFC 9110, 8.8.3.3 asks. A
/// file that is written twice within one tick of the file system's clock and
/// keeps its length keeps its tag: that is the limit of what a tag without
/// reading the file can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of one coding of a file.
    pub fn new(meta: &Meta, coding: Coding) -> Self {
        let mut tag = String::with_capacity(64);
        let (seconds, nanos) = meta.modified;
        let inode = meta.identity.1;
        // Writing to a String cannot fail.
        let _ = write!(tag, "\"{inode:x}-{:x}-{seconds:x}.{nanos:x}", meta.len);
        if coding != Coding::Identity {
            tag.push('-');
            tag.push_str(coding.token());
        }
        tag.push('"');
        Self(tag)
    }

    /// The tag as a field value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// 304: the client has this version.
    NotModified,
    /// 412: the client meant another version.
    Failed,
}

/// Evaluates the conditions in the order of RFC 9110, 13.2.2.
pub fn evaluate(headers: &HeaderMap, tag: &ETag, modified: Option<SystemTime>) -> Verdict {
    if headers.contains_key(IF_MATCH) {
        if !matches_any(headers, &IF_MATCH, tag, Comparison::Strong) {
            return Verdict::Failed;
        }
    } else if let (Some(limit), Some(time)) = (date(headers, &IF_UNMODIFIED_SINCE), modified)
        && whole_seconds(time) > Some(limit)
    {
        return Verdict::Failed;
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if matches_any(headers, &IF_NONE_MATCH, tag, Comparison::Weak) {
            return Verdict::NotModified;
        }
    } else if let (Some(limit), Some(time)) = (date(headers, &IF_MODIFIED_SINCE), modified)
        && whole_seconds(time) <= Some(limit)
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether a `Range` may be honoured: there is no `If-Range`, or it names this version.
pub fn range_allowed(headers: &HeaderMap, tag: &ETag, modified: Option<SystemTime>) -> bool {
    let Some(value) = headers.get(IF_RANGE) else {
        return true;
    };
    let value = value.as_bytes().trim_ascii();
    if value.starts_with(b"\"") || value.starts_with(b"W/") {
        return value == tag.as_str().as_bytes();
    }
    // A date must match exactly (RFC 9110, 13.1.5), and is only a strong
    // validator if the file has been left alone for a while since.
    let Some(date) = parse_date(value) else {
        return false;
    };
    modified.is_some_and(|time| {
        let old = time
            .elapsed()
            .is_ok_and(|age| age > Duration::from_secs(60));
        old && whole_seconds(time) == Some(date)
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn matches_any(headers: &HeaderMap, name: &HeaderName, tag: &ETag, how: Comparison) -> bool {
    headers
        .get_all(name)
        .iter()
        .any(|list| list_matches(list, tag, how))
}

/// Walks a list of entity tags; stops at the first byte that is not part of one.
fn list_matches(list: &HeaderValue, tag: &ETag, how: Comparison) -> bool {
    let mut rest = list.as_bytes().trim_ascii();
    if rest == b"*" {
        return true;
    }
    loop {
        while let [b',' | b' ' | b'\t', tail @ ..] = rest {
            rest = tail;
        }
        let (weak, quoted) = match rest {
            [b'W', b'/', tail @ ..] => (true, tail),
            _ => (false, rest),
        };
        // Quotes cannot be escaped in an entity tag; commas may be in it.
        let Some(inner) = quoted.strip_prefix(b"\"") else {
            return false;
        };
        let Some(end) = inner.iter().position(|&byte| byte == b'"') else {
            return false;
        };
        let (one, tail) = quoted.split_at(end + 2);
        if one == tag.as_str().as_bytes() && (how == Comparison::Weak || !weak) {
            return true;
        }
        rest = tail;
    }
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    parse_date(headers.get(name)?.as_bytes())
}

fn parse_date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()
}

/// HTTP dates have no fraction. `None` is a time before 1970, older than any date.
fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    let age = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(age.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meta() -> Meta {
        Meta {
            len: 0x1f,
            modified: (1_700_000_000, 123),
            identity: (1, 0xab),
        }
    }

    fn time() -> Option<SystemTime> {
        meta().modified_time()
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn verdict(pairs: &[(HeaderName, &str)]) -> Verdict {
        evaluate(
            &headers(pairs),
            &ETag::new(&meta(), Coding::Identity),
            time(),
        )
    }

    const SAME: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";

    #[test]
    fn every_part_changes_the_tag() {
        let tag = ETag::new(&meta(), Coding::Identity);
        assert_eq!(tag.as_str(), "\"ab-1f-6553f100.7b\"");
        let others = [
            Meta {
                len: 0x20,
                ..meta()
            },
            Meta {
                modified: (1_700_000_000, 124),
                ..meta()
            },
            Meta {
                modified: (1_700_000_001, 123),
                ..meta()
            },
            Meta {
                identity: (1, 0xac),
                ..meta()
            },
        ];
        for other in others {
            assert_ne!(ETag::new(&other, Coding::Identity), tag, "{other:?}");
        }
        for coding in [Coding::Gzip, Coding::Zstd, Coding::Brotli] {
            assert_ne!(ETag::new(&meta(), coding), tag);
        }
    }

    #[test]
    fn if_none_match() {
        let tag = ETag::new(&meta(), Coding::Identity);
        let one = tag.as_str();
        for list in [
            one.to_owned(),
            format!("W/{one}"),
            format!("\"x,y\", {one}"),
            format!("W/\"a\" ,{one},"),
            "*".to_owned(),
        ] {
            assert_eq!(
                verdict(&[(IF_NONE_MATCH, &list)]),
                Verdict::NotModified,
                "{list}"
            );
        }
        for list in ["", "\"x\"", "ab-1f", "\"", "W/", ",,,", "x, *"] {
            assert_eq!(
                verdict(&[(IF_NONE_MATCH, list)]),
                Verdict::Proceed,
                "{list}"
            );
        }
        // It silences If-Modified-Since.
        let both = [(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, SAME)];
        assert_eq!(verdict(&both), Verdict::Proceed);
    }

    #[test]
    fn if_match_is_strong() {
        let tag = ETag::new(&meta(), Coding::Identity);
        let weak = format!("W/{}", tag.as_str());
        assert_eq!(verdict(&[(IF_MATCH, tag.as_str())]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MATCH, "*")]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_MATCH, &weak)]), Verdict::Failed);
        assert_eq!(verdict(&[(IF_MATCH, "\"x\"")]), Verdict::Failed);
    }

    #[test]
    fn dates() {
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, SAME)]), Verdict::NotModified);
        assert_eq!(verdict(&[(IF_MODIFIED_SINCE, BEFORE)]), Verdict::Proceed);
        assert_eq!(
            verdict(&[(IF_MODIFIED_SINCE, "yesterday")]),
            Verdict::Proceed
        );
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, SAME)]), Verdict::Proceed);
        assert_eq!(verdict(&[(IF_UNMODIFIED_SINCE, BEFORE)]), Verdict::Failed);
    }

    #[test]
    fn if_range() {
        let tag = ETag::new(&meta(), Coding::Identity);
        let allowed = |value: &str| range_allowed(&headers(&[(IF_RANGE, value)]), &tag, time());
        assert!(range_allowed(&HeaderMap::new(), &tag, time()));
        assert!(allowed(tag.as_str()));
        assert!(allowed(SAME));
        assert!(!allowed(&format!("W/{}", tag.as_str())));
        assert!(!allowed("\"x\""));
        assert!(!allowed(BEFORE));
        assert!(!allowed("Tue, 14 Nov 2023 22:13:21 GMT"));
        assert!(!allowed("nonsense"));
    }

    #[test]
    fn a_fresh_date_is_no_strong_validator() {
        let now = SystemTime::now();
        let date = httpdate::fmt_http_date(now);
        let tag = ETag::new(&meta(), Coding::Identity);
        assert!(!range_allowed(
            &headers(&[(IF_RANGE, &date)]),
            &tag,
            Some(now)
        ));
    }

    proptest! {
        #[test]
        fn no_list_panics(list in proptest::collection::vec(32u8..127, 0..60)) {
            let value = HeaderValue::from_bytes(&list).unwrap();
            let tag = ETag::new(&meta(), Coding::Identity);
            let strong = list_matches(&value, &tag, Comparison::Strong);
            let weak = list_matches(&value, &tag, Comparison::Weak);
            prop_assert!(weak || !strong);
        }
    }
}
