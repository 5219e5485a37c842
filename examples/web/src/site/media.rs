//! Content types.

use std::path::Path;

use hyper::header::HeaderValue;

use super::encoding::Worth;

/// What a file's name says about its content.
#[derive(Clone, Debug)]
pub struct Media {
    /// The `Content-Type`. Text is taken to be UTF-8.
    pub content_type: HeaderValue,
    /// Whether content of this type usually compresses.
    pub worth: Worth,
}

/// The media type by the extension of `name`.
pub fn of(name: &Path) -> Media {
    let essence = mime_guess::from_path(name)
        .first_raw()
        .unwrap_or("application/octet-stream");
    Media {
        content_type: content_type(essence),
        worth: worth(essence),
    }
}

fn content_type(essence: &'static str) -> HeaderValue {
    // The common ones cost no allocation.
    match essence {
        "text/html" => HeaderValue::from_static("text/html; charset=utf-8"),
        "text/css" => HeaderValue::from_static("text/css; charset=utf-8"),
        "text/javascript" => HeaderValue::from_static("text/javascript; charset=utf-8"),
        "text/plain" => HeaderValue::from_static("text/plain; charset=utf-8"),
        _ if essence.starts_with("text/") => {
            let text = format!("{essence}; charset=utf-8");
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("text/plain"))
        }
        _ => HeaderValue::from_static(essence),
    }
}

/// By a list of what compresses: sending an unknown format as it is costs
/// bandwidth once, compressing a film costs minutes.
fn worth(essence: &str) -> Worth {
    let structured = essence.ends_with("+xml") || essence.ends_with("+json");
    let much = essence.starts_with("text/")
        || structured
        || matches!(
            essence,
            "application/javascript"
                | "application/json"
                | "application/wasm"
                | "application/xml"
                | "application/rtf"
                | "application/toml"
                | "application/x-sh"
                | "application/x-tar"
                | "application/postscript"
                | "application/vnd.ms-fontobject"
                | "font/otf"
                | "font/ttf"
                | "image/bmp"
                | "image/x-icon"
        );
    if much { Worth::Much } else { Worth::Little }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_extension() {
        for (name, content_type, worth) in [
            ("a.html", "text/html; charset=utf-8", Worth::Much),
            ("a.CSS", "text/css; charset=utf-8", Worth::Much),
            ("a.js", "text/javascript; charset=utf-8", Worth::Much),
            ("a.md", "text/markdown; charset=utf-8", Worth::Much),
            ("a.json", "application/json", Worth::Much),
            ("a.svg", "image/svg+xml", Worth::Much),
            ("a.wasm", "application/wasm", Worth::Much),
            ("a.png", "image/png", Worth::Little),
            ("a.woff2", "font/woff2", Worth::Little),
            ("a.zip", "application/zip", Worth::Little),
            ("a.unheard-of", "application/octet-stream", Worth::Little),
            ("LICENSE", "application/octet-stream", Worth::Little),
        ] {
            let media = of(Path::new(name));
            assert_eq!(media.content_type, content_type, "{name}");
            assert_eq!(media.worth, worth, "{name}");
        }
    }
}
