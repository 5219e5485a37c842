//! From the path of a request target to a name below the root.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// What is escaped in a segment of a path that we write: everything that
/// RFC 3986 does not allow in `pchar`, and what HTML would have to escape.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A name below the root: relative, without `.`, `..`, empty segments or control bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SitePath {
    name: Vec<u8>,
    slash: bool,
}

/// Why a request's path names nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPath {
    /// It does not start with a slash.
    NotAbsolute,
    /// A percent sign without two hexadecimal digits.
    BadEscape,
    /// A NUL or another control byte.
    Control,
    /// A segment that is, once decoded, `.` or `..`.
    Dots,
    /// A slash inside a segment, as `%2F`.
    EncodedSlash,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "the path does not start with a slash",
            Self::BadEscape => "a percent sign in the path is not followed by two hex digits",
            Self::Control => "the path contains a control character",
            Self::Dots => "the path contains a `.` or `..` segment",
            Self::EncodedSlash => "the path contains an encoded slash",
        })
    }
}

impl std::error::Error for BadPath {}

impl SitePath {
    /// Decodes the path of a request target: split at slashes first, each
    /// segment decoded once, so that no escape turns into a separator.
    ///
    /// Empty segments are dropped: `//a//b` is `a/b`. A client normalises `.`
    /// and `..` before it asks (RFC 3986, 5.2.4); one that did not is refused.
    ///
    /// # Errors
    ///
    /// See [`BadPath`].
    pub fn parse(path: &str) -> Result<Self, BadPath> {
        let path = path.strip_prefix('/').ok_or(BadPath::NotAbsolute)?;
        let mut name = Vec::with_capacity(path.len() + INDEX.len());
        for segment in path.split('/') {
            if segment.is_empty() {
                continue;
            }
            if !name.is_empty() {
                name.push(b'/');
            }
            let start = name.len();
            if segment.contains('%') {
                check_escapes(segment.as_bytes())?;
                name.extend(percent_decode_str(segment));
            } else {
                name.extend_from_slice(segment.as_bytes());
            }
            check_segment(&name[start..])?;
        }
        Ok(Self {
            name,
            slash: path.is_empty() || path.ends_with('/'),
        })
    }

    /// The name relative to the root; `.` for the root itself.
    pub fn as_path(&self) -> &Path {
        let name = if self.name.is_empty() {
            b"."
        } else {
            self.name.as_slice()
        };
        Path::new(OsStr::from_bytes(name))
    }

    /// Whether it ends in a slash, as a directory's should.
    pub fn has_slash(&self) -> bool {
        self.slash
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.name.is_empty()
    }

    /// The name of the page that stands for this directory.
    pub fn index(&self) -> Self {
        let mut name = self.name.clone();
        if !name.is_empty() {
            name.push(b'/');
        }
        name.extend_from_slice(INDEX);
        Self { name, slash: false }
    }

    /// The path of this directory as a client should ask for it. It starts
    /// with exactly one slash, so as a `Location` it stays on this host.
    pub fn directory_url(&self) -> String {
        let mut url = String::with_capacity(self.name.len() + 2);
        url.push('/');
        for segment in self.name.split(|&byte| byte == b'/') {
            if !segment.is_empty() {
                url.extend(escape_segment(segment));
                url.push('/');
            }
        }
        url
    }
}

/// The page that stands for its directory.
pub const INDEX: &[u8] = b"index.html";

/// A file name as one segment of a URL path.
pub fn escape_segment(name: &[u8]) -> impl Iterator<Item = &str> {
    percent_encode(name, SEGMENT)
}

fn check_escapes(segment: &[u8]) -> Result<(), BadPath> {
    let mut rest = segment;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        match &rest[at + 1..] {
            [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest = &rest[at + 3..],
            _ => return Err(BadPath::BadEscape),
        }
    }
    Ok(())
}

fn check_segment(segment: &[u8]) -> Result<(), BadPath> {
    if segment == b"." || segment == b".." {
        return Err(BadPath::Dots);
    }
    for &byte in segment {
        match byte {
            b'/' => return Err(BadPath::EncodedSlash),
            0..=0x1f | 0x7f => return Err(BadPath::Control),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    fn name(path: &str) -> Result<String, BadPath> {
        let path = SitePath::parse(path)?;
        Ok(path.as_path().to_str().unwrap().to_owned())
    }

    #[test]
    fn plain_names() {
        assert_eq!(name("/"), Ok(".".into()));
        assert_eq!(name("/a/b.html"), Ok("a/b.html".into()));
        assert_eq!(name("/a%20b/%e4%bd%a0"), Ok("a b/你".into()));
        assert_eq!(name("//etc//passwd"), Ok("etc/passwd".into()));
        assert_eq!(name("/...three"), Ok("...three".into()));
        assert_eq!(name("/a%2525"), Ok("a%25".into()));
    }

    #[test]
    fn refused_names() {
        for (path, why) in [
            ("", BadPath::NotAbsolute),
            ("*", BadPath::NotAbsolute),
            ("a/b", BadPath::NotAbsolute),
            ("/..", BadPath::Dots),
            ("/a/../b", BadPath::Dots),
            ("/./a", BadPath::Dots),
            ("/%2e%2e/a", BadPath::Dots),
            ("/.%2E/a", BadPath::Dots),
            ("/..%2f..%2fetc/passwd", BadPath::EncodedSlash),
            ("/%2fetc/passwd", BadPath::EncodedSlash),
            ("/a%00.html", BadPath::Control),
            ("/a%0d%0ab", BadPath::Control),
            ("/a%7f", BadPath::Control),
            ("/100%", BadPath::BadEscape),
            ("/%4", BadPath::BadEscape),
            ("/%zz", BadPath::BadEscape),
            ("/%4%41", BadPath::BadEscape),
        ] {
            assert_eq!(SitePath::parse(path), Err(why), "{path}");
        }
    }

    #[test]
    fn a_slash_at_the_end_is_remembered() {
        assert!(SitePath::parse("/").unwrap().has_slash());
        assert!(SitePath::parse("/a/").unwrap().has_slash());
        assert!(!SitePath::parse("/a").unwrap().has_slash());
    }

    #[test]
    fn a_redirect_never_names_another_host() {
        let path = SitePath::parse("//evil.example/%5c").unwrap();
        assert_eq!(path.directory_url(), "/evil.example/%5C/");
        assert_eq!(SitePath::parse("//").unwrap().directory_url(), "/");
    }

    proptest! {
        #[test]
        fn any_path_stays_below_the_root(path in "(/?([.%/a0-9]|%2[eEfF]|%00|\\PC){0,40})") {
            if let Ok(parsed) = SitePath::parse(&path) {
                let mut components = parsed.as_path().components();
                if parsed.is_root() {
                    prop_assert_eq!(components.next(), Some(Component::CurDir));
                } else {
                    prop_assert!(components.all(|c| matches!(c, Component::Normal(_))));
                }
                prop_assert!(!parsed.as_path().as_os_str().as_bytes().contains(&0));
            }
        }

        #[test]
        fn an_escaped_name_decodes_to_itself(name in proptest::collection::vec(any::<u8>(), 1..40)) {
            let url: String = ["/"].into_iter().chain(escape_segment(&name)).collect();
            match SitePath::parse(&url) {
                Ok(parsed) => prop_assert_eq!(parsed.as_path().as_os_str().as_bytes(), &name[..]),
                Err(_) => prop_assert!(check_segment(&name).is_err()),
            }
        }
    }
}
