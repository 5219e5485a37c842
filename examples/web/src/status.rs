//! The pages under `/_engine/`. They hide a directory of that name, if DIR has one.

use std::path::Path;

use serde_json::json;

use crate::site::cache::Usage;
use crate::site::listing::escape_html;
use crate::site::path::SitePath;
use crate::stats::Stats;

/// What is asked for below `/_engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/_engine`: the slash is missing.
    Moved,
    /// `/_engine/`.
    Overview,
    /// `/_engine/snapshot.json`.
    Snapshot,
    /// Anything else there.
    Unknown,
}

impl Page {
    /// The page at `path`, or `None` if it belongs to the served directory.
    pub fn at(path: &SitePath) -> Option<Self> {
        let below = path.as_path().strip_prefix("_engine").ok()?;
        Some(if below == Path::new("") {
            if path.has_slash() {
                Self::Overview
            } else {
                Self::Moved
            }
        } else if below == Path::new("snapshot.json") && !path.has_slash() {
            Self::Snapshot
        } else {
            Self::Unknown
        })
    }
}

/// `engine` is the runtime's own JSON value.
pub fn snapshot_json(engine: &str, stats: &Stats, cache: Option<Usage>) -> String {
    let mut server = stats.to_json();
    server["cache"] = match cache {
        Some(usage) => json!({
            "entries": usage.entries,
            "bytes": usage.bytes,
            "budget": usage.budget,
            "evicted": usage.evicted,
        }),
        None => json!(null),
    };
    format!("{{\"engine\":{engine},\"server\":{server}}}\n")
}

/// A page that shows `snapshot` and keeps it up to date.
pub fn overview(snapshot: &str) -> String {
    let mut escaped = String::new();
    escape_html(snapshot, &mut escaped);
    OVERVIEW.replace("{snapshot}", &escaped)
}

const OVERVIEW: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>engine</title>
<style>
body { font-family: sans-serif; margin: 2em; }
td { padding: .1em 2em .1em 0; }
td + td { font-family: monospace; text-align: right; }
</style>
</head>
<body>
<h1>engine</h1>
<table id="values"></table>
<pre id="raw">{snapshot}</pre>
<p><a href="snapshot.json">snapshot.json</a></p>
<script>
const values = document.getElementById("values");
const raw = document.getElementById("raw");

function* leaves(value, name) {
  if (value !== null && typeof value === "object") {
    for (const key of Object.keys(value)) {
      yield* leaves(value[key], name ? name + "." + key : key);
    }
  } else {
    yield [name, String(value)];
  }
}

function show(snapshot) {
  values.replaceChildren(...Array.from(leaves(snapshot, ""), ([name, value]) => {
    const row = document.createElement("tr");
    for (const text of [name, value]) {
      row.appendChild(document.createElement("td")).textContent = text;
    }
    return row;
  }));
  raw.hidden = true;
}

show(JSON.parse(raw.textContent));
setInterval(async () => {
  try {
    show(await (await fetch("snapshot.json")).json());
  } catch {
    // The server is gone or busy; the next tick tries again.
  }
}, 1000);
</script>
</body>
</html>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_by_path() {
        for (path, page) in [
            ("/_engine", Some(Page::Moved)),
            ("/_engine/", Some(Page::Overview)),
            ("//_engine//", Some(Page::Overview)),
            ("/_engine/snapshot.json", Some(Page::Snapshot)),
            ("/_engine/snapshot.json/", Some(Page::Unknown)),
            ("/_engine/x", Some(Page::Unknown)),
            ("/_engines", None),
            ("/a/_engine", None),
            ("/", None),
        ] {
            assert_eq!(Page::at(&SitePath::parse(path).unwrap()), page, "{path}");
        }
    }

    #[test]
    fn the_snapshot_is_json_and_the_page_escapes_it() {
        let stats = Stats::default();
        let json = snapshot_json("{\"name\":\"</pre>\"}", &stats, None);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["engine"]["name"], "</pre>");
        assert!(value["server"]["cache"].is_null());
        let page = overview(&json);
        assert_eq!(page.matches("</pre>").count(), 1);
    }
}
