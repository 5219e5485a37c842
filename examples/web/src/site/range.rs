//! The `Range` field (RFC 9110, section 14).

use std::ops::Range;

/// What a `Range` field asks of a body of known length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranged {
    /// Answer with the whole body: the field is malformed, of another unit, or
    /// has several ranges, which a server may decline (14.2).
    Whole,
    /// Answer 206 with these bytes.
    Part(Range<u64>),
    /// Answer 416.
    Unsatisfiable,
}

/// Reads a `Range` field for a body of `len` bytes.
pub fn parse(value: &[u8], len: u64) -> Ranged {
    match parse_one(value) {
        None => Ranged::Whole,
        Some(Spec::From(first, last)) if first < len => Ranged::Part(first..last.min(len - 1) + 1),
        Some(Spec::Last(count)) if count > 0 && len > 0 => {
            Ranged::Part(len.saturating_sub(count)..len)
        }
        Some(_) => Ranged::Unsatisfiable,
    }
}

enum Spec {
    /// First and last position, both included.
    From(u64, u64),
    /// The last so many bytes.
    Last(u64),
}

fn parse_one(value: &[u8]) -> Option<Spec> {
    let value = std::str::from_utf8(value).ok()?;
    let (unit, set) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
    let spec = match (first, last) {
        ("", last) => Spec::Last(number(last)?),
        (first, "") => Spec::From(number(first)?, u64::MAX),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            Spec::From(first, last)
        }
    };
    Some(spec)
}

/// Digits only. A number beyond 64 bits is beyond every file: it saturates.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(value: &str, len: u64) -> Ranged {
        parse(value.as_bytes(), len)
    }

    #[test]
    fn parts() {
        assert_eq!(of("bytes=0-0", 10), Ranged::Part(0..1));
        assert_eq!(of("bytes=2-5", 10), Ranged::Part(2..6));
        assert_eq!(of("bytes=2-", 10), Ranged::Part(2..10));
        assert_eq!(of("bytes=2-99", 10), Ranged::Part(2..10));
        assert_eq!(of("bytes=-3", 10), Ranged::Part(7..10));
        assert_eq!(of("bytes=-99", 10), Ranged::Part(0..10));
        assert_eq!(of("Bytes = 1-2 ", 10), Ranged::Part(1..3));
        assert_eq!(
            of("bytes=0-99999999999999999999999", 10),
            Ranged::Part(0..10)
        );
    }

    #[test]
    fn unsatisfiable() {
        assert_eq!(of("bytes=10-", 10), Ranged::Unsatisfiable);
        assert_eq!(
            of("bytes=99999999999999999999999-", 10),
            Ranged::Unsatisfiable
        );
        assert_eq!(of("bytes=-0", 10), Ranged::Unsatisfiable);
        assert_eq!(of("bytes=0-", 0), Ranged::Unsatisfiable);
        assert_eq!(of("bytes=-1", 0), Ranged::Unsatisfiable);
    }

    #[test]
    fn ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=0x1-2",
        ] {
            assert_eq!(of(value, 10), Ranged::Whole, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_in_the_body(value in "bytes=[-0-9, ]{0,24}|\\PC{0,20}", len in any::<u64>()) {
            if let Ranged::Part(range) = of(&value, len) {
                prop_assert!(range.start < range.end && range.end <= len);
            }
        }

        #[test]
        fn well_formed_ranges_are_exact(first in 0u64..100, more in 0u64..100, len in 1u64..150) {
            let last = first + more;
            let got = of(&format!("bytes={first}-{last}"), len);
            let want = if first < len {
                Ranged::Part(first..len.min(last + 1))
            } else {
                Ranged::Unsatisfiable
            };
            prop_assert_eq!(got, want);
        }
    }
}
