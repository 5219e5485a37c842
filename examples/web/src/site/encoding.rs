//! Content codings and `Accept-Encoding` (RFC 9110, section 12.5.3).

use hyper::header::{ACCEPT_ENCODING, HeaderMap};

/// A content coding this server can produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// The bytes of the file.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
}

/// Best first, among those that a client likes equally: smallest result first.
const PREFERENCE: [Coding; 4] = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];

impl Coding {
    /// The coding's registered name.
    pub fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Brotli => "br",
        }
    }

    fn from_token(token: &str) -> Option<Self> {
        let named = PREFERENCE
            .into_iter()
            .find(|coding| token.eq_ignore_ascii_case(coding.token()));
        // RFC 9110, 8.4.1.3.
        named.or_else(|| token.eq_ignore_ascii_case("x-gzip").then_some(Self::Gzip))
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// How much a client likes each coding, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    weights: [u16; 4],
}

impl Accepted {
    /// Reads all `Accept-Encoding` fields. Without one, only `identity` is
    /// sent: a client that says nothing may not know any coding. Members that
    /// cannot be read are skipped.
    pub fn new(headers: &HeaderMap) -> Self {
        let fields = headers.get_all(ACCEPT_ENCODING).iter();
        Self::from_members(
            fields
                .filter_map(|field| field.to_str().ok())
                .flat_map(|field| field.split(',')),
        )
    }

    fn from_members<'a>(members: impl Iterator<Item = &'a str>) -> Self {
        let mut named: [Option<u16>; 4] = [None; 4];
        let mut rest = None;
        for member in members {
            let Some((token, weight)) = member_weight(member) else {
                continue;
            };
            let slot = if token == "*" {
                &mut rest
            } else if let Some(coding) = Coding::from_token(token) {
                &mut named[coding.index()]
            } else {
                continue;
            };
            // Named twice, as gzip and x-gzip perhaps: the better wish counts.
            *slot = Some(slot.map_or(weight, |before: u16| before.max(weight)));
        }
        let mut weights = named.map(|weight| weight.or(rest).unwrap_or(0));
        let identity = Coding::Identity.index();
        if named[identity].or(rest).is_none() {
            // Acceptable unless refused, but the last choice.
            weights[identity] = 1;
        }
        Self { weights }
    }

    /// The coding's weight in thousandths; zero is a refusal.
    pub fn weight(&self, coding: Coding) -> u16 {
        self.weights[coding.index()]
    }

    /// Whether the bytes of the file may be sent as they are.
    pub fn identity(&self) -> bool {
        self.weight(Coding::Identity) > 0
    }

    /// The coding to answer with; `None` if the client refuses all of them.
    ///
    /// A body that compressing gains [`Worth::Little`] for is only coded for a
    /// client that refuses to take it as it is.
    pub fn choose(&self, worth: Worth) -> Option<Coding> {
        if worth == Worth::Little && self.identity() {
            return Some(Coding::Identity);
        }
        let mut best = None;
        let mut best_weight = 0;
        for coding in PREFERENCE {
            if self.weight(coding) > best_weight {
                best = Some(coding);
                best_weight = self.weight(coding);
            }
        }
        best
    }
}

/// Whether compressing a body is worth the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Text and the like.
    Much,
    /// Images, archives, tiny files.
    Little,
}

/// `token [;q=weight]`. Other parameters do not exist for codings.
fn member_weight(member: &str) -> Option<(&str, u16)> {
    let mut parts = member.split(';');
    let token = parts.next()?.trim();
    if token.is_empty() {
        return None;
    }
    let mut weight = 1000;
    for parameter in parts {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value.trim())?;
        }
    }
    Some((token, weight))
}

/// `0`, `1`, or either with up to three decimals, at most 1 (RFC 9110, 12.4.2).
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = match whole {
        "0" => 0,
        "1" => 1000,
        _ => return None,
    };
    let mut fraction = 0;
    let mut place = 100;
    for digit in decimals.bytes() {
        fraction += u16::from(digit - b'0') * place;
        place /= 10;
    }
    let sum = whole + fraction;
    (sum <= 1000).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepted(value: &str) -> Accepted {
        Accepted::from_members(value.split(','))
    }

    fn text(value: &str) -> Option<Coding> {
        accepted(value).choose(Worth::Much)
    }

    fn image(value: &str) -> Option<Coding> {
        accepted(value).choose(Worth::Little)
    }

    #[test]
    fn without_the_field_the_file_goes_out_as_it_is() {
        let accepted = Accepted::new(&HeaderMap::new());
        assert_eq!(accepted.choose(Worth::Much), Some(Coding::Identity));
        assert_eq!(text(""), Some(Coding::Identity));
    }

    #[test]
    fn several_fields_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, "gzip;q=0.5".parse().unwrap());
        headers.append(ACCEPT_ENCODING, "zstd".parse().unwrap());
        let accepted = Accepted::new(&headers);
        assert_eq!(accepted.weight(Coding::Gzip), 500);
        assert_eq!(accepted.choose(Worth::Much), Some(Coding::Zstd));
    }

    #[test]
    fn weights_decide_then_our_preference() {
        assert_eq!(text("gzip, deflate, br, zstd"), Some(Coding::Brotli));
        assert_eq!(text("gzip, zstd"), Some(Coding::Zstd));
        assert_eq!(text("gzip;q=1.0, br;q=0.9"), Some(Coding::Gzip));
        assert_eq!(text("GZIP"), Some(Coding::Gzip));
        assert_eq!(text("x-gzip"), Some(Coding::Gzip));
        assert_eq!(text("br;q=0, *"), Some(Coding::Zstd));
        assert_eq!(text("*;q=0.1, gzip;q=0.2"), Some(Coding::Gzip));
        assert_eq!(text("deflate"), Some(Coding::Identity));
    }

    #[test]
    fn identity_is_the_last_choice_unless_it_is_named() {
        assert_eq!(text("gzip;q=0.001"), Some(Coding::Gzip));
        assert_eq!(text("identity, gzip;q=0.5"), Some(Coding::Identity));
        assert_eq!(text("identity;q=0.5, gzip;q=0.5"), Some(Coding::Gzip));
    }

    #[test]
    fn everything_refused() {
        assert_eq!(text("identity;q=0"), None);
        assert_eq!(text("*;q=0"), None);
        assert_eq!(text("gzip;q=0, *;q=0"), None);
        assert_eq!(text("deflate, identity;q=0"), None);
        assert_eq!(text("*;q=0, identity;q=0.1"), Some(Coding::Identity));
        assert_eq!(text("*;q=0, br"), Some(Coding::Brotli));
    }

    #[test]
    fn what_is_compressed_already_is_coded_only_under_duress() {
        assert_eq!(image("gzip, br"), Some(Coding::Identity));
        assert_eq!(image("gzip, identity;q=0.1"), Some(Coding::Identity));
        assert_eq!(image("gzip, identity;q=0"), Some(Coding::Gzip));
        assert_eq!(image("identity;q=0"), None);
    }

    #[test]
    fn malformed_members_are_skipped() {
        for bad in [
            "br;q=2",
            "br;q=1.001",
            "br;q=0.1234",
            "br;q=",
            "br;q",
            "br;q=-1",
            ";q=1",
            "br;q=.5",
        ] {
            assert_eq!(
                text(&format!("{bad}, gzip;q=0.1")),
                Some(Coding::Gzip),
                "{bad}"
            );
        }
        assert_eq!(text("br ; Q = 0.5 , gzip;q=0.4"), Some(Coding::Brotli));
    }

    #[test]
    fn thousandths_of_each_form() {
        for (value, want) in [
            ("0", 0),
            ("1", 1000),
            ("0.", 0),
            ("0.5", 500),
            ("0.25", 250),
            ("0.125", 125),
            ("1.000", 1000),
        ] {
            assert_eq!(thousandths(value), Some(want), "{value}");
        }
    }

    proptest! {
        #[test]
        fn the_choice_is_never_refused(value in "((gzip|br|zstd|identity|\\*|x)(;q=[01](\\.[0-9]{0,3})?)?,? ?){0,6}|\\PC{0,40}") {
            let accepted = accepted(&value);
            for worth in [Worth::Much, Worth::Little] {
                match accepted.choose(worth) {
                    Some(coding) => prop_assert!(accepted.weight(coding) > 0),
                    None => prop_assert_eq!(accepted.weights, [0; 4]),
                }
            }
        }
    }
}
