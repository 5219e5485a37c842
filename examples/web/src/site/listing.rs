//! The page that lists a directory.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::path::{INDEX, SitePath, escape_segment};
use super::root::{Found, Root, http_date};

/// What an entry is listed as, in the order of the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A directory with an `index.html`: the way into what is below.
    Page,
    Directory,
    File,
}

struct Entry {
    name: Vec<u8>,
    kind: Kind,
    len: u64,
    modified: i64,
}

/// Reads `directory`, which is `path` below `root`, and renders its page. Directories
/// that have a page of their own come first: in a tree of documentation, say, the crates
/// before the styles and scripts. The page of the root also leads to `/_engine/`.
///
/// Links are listed as what they lead to, and left out if they lead outside
/// or nowhere. Neither are devices, sockets and FIFOs listed.
///
/// # Errors
///
/// If the directory cannot be read.
pub fn render(root: &Root, path: &SitePath, directory: &OwnedFd) -> io::Result<String> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        // An entry that vanished meanwhile is not there.
        let Ok(stat) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let name = name.to_bytes().to_vec();
        #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // Differs by platform.
        let mut listed = Entry {
            kind: Kind::File,
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: stat.st_mtime as i64,
            name,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => listed.kind = Kind::Directory,
            FileType::Symlink => {
                if !follow(root, &below(path, &listed), &mut listed) {
                    continue;
                }
            }
            _ => continue,
        }
        if listed.kind == Kind::Directory {
            let index = below(path, &listed).join(OsStr::from_bytes(INDEX));
            if let Ok(Found::File(..)) = root.find(&index) {
                listed.kind = Kind::Page;
            }
        }
        entries.push(listed);
    }
    entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(page(path, &entries))
}

fn below(path: &SitePath, entry: &Entry) -> PathBuf {
    path.as_path().join(OsStr::from_bytes(&entry.name))
}

fn follow(root: &Root, target: &Path, listed: &mut Entry) -> bool {
    match root.find(target) {
        Ok(Found::File(_, meta)) => {
            listed.len = meta.len;
            listed.modified = meta.modified.0;
            true
        }
        Ok(Found::Directory(_)) => {
            listed.kind = Kind::Directory;
            true
        }
        Ok(Found::Other) | Err(_) => false,
    }
}

fn page(path: &SitePath, entries: &[Entry]) -> String {
    let mut title = String::from("/");
    if !path.is_root() {
        let name = path.as_path().as_os_str().to_string_lossy();
        escape_html(&name, &mut title);
        title.push('/');
    }
    let mut html = String::with_capacity(512 + entries.len() * 160);
    html.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    html.push_str(&title);
    html.push_str("</title>\n<style>body{font-family:sans-serif;margin:2em}");
    html.push_str(
        "td{padding:.1em 1em .1em 0}td+td{font-family:monospace;text-align:right}</style>\n",
    );
    html.push_str("</head>\n<body>\n<h1>");
    html.push_str(&title);
    html.push_str("</h1>\n");
    html.push_str(if path.is_root() {
        "<p><a href=\"/_engine/\">The engine at work</a></p>\n"
    } else {
        "<p><a href=\"../\">../</a></p>\n"
    });
    let (pages, others) = entries.split_at(entries.partition_point(|e| e.kind == Kind::Page));
    if pages.is_empty() {
        table(others, &mut html);
    } else {
        html.push_str("<h2>Pages</h2>\n");
        table(pages, &mut html);
        if !others.is_empty() {
            html.push_str("<h2>Other files</h2>\n");
            table(others, &mut html);
        }
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn table(entries: &[Entry], html: &mut String) {
    html.push_str("<table>\n");
    for entry in entries {
        row(entry, html);
    }
    html.push_str("</table>\n");
}

fn row(entry: &Entry, html: &mut String) {
    let slash = if entry.kind == Kind::File { "" } else { "/" };
    // `./` keeps a name with a colon from being read as a scheme.
    html.push_str("<tr><td><a href=\"./");
    html.extend(escape_segment(&entry.name));
    html.push_str(slash);
    html.push_str("\">");
    escape_html(&String::from_utf8_lossy(&entry.name), html);
    html.push_str(slash);
    html.push_str("</a></td><td>");
    if entry.kind == Kind::File {
        // Writing to a String cannot fail.
        let _ = write!(html, "{}", entry.len);
    }
    html.push_str("</td><td>");
    html.push_str(&http_date(entry.modified).unwrap_or_default());
    html.push_str("</td></tr>\n");
}

/// Appends `text` so that HTML shows it as it is, in content and in quoted attributes.
pub fn escape_html(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_are_escaped_and_sorted_and_links_checked() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        fs::create_dir_all(site.join("a<b>/zdir")).unwrap();
        let here = site.join("a<b>");
        fs::write(here.join("x&\"'<script>.txt"), "12345").unwrap();
        fs::write(here.join("java:script"), "").unwrap();
        fs::write(dir.path().join("outside"), "secret").unwrap();
        symlink("../../outside", here.join("leak")).unwrap();
        symlink("nowhere", here.join("broken")).unwrap();
        symlink("java:script", here.join("link")).unwrap();

        let root = Root::open(&site).unwrap();
        let html = rendered(&root, "/a%3Cb%3E/");

        assert!(html.contains("<title>/a&lt;b&gt;/</title>"));
        assert!(!html.contains("<script>"));
        assert!(html.contains("href=\"./x%26%22%27%3Cscript%3E.txt\">x&amp;&quot;&#39;&lt;script&gt;.txt</a></td><td>5<"));
        assert!(html.contains("href=\"./java:script\""));
        assert!(html.contains("href=\"./zdir/\">zdir/<"));
        assert!(html.contains(">link<"));
        assert!(!html.contains("leak") && !html.contains("broken"));
        assert!(html.find("zdir").unwrap() < html.find("java").unwrap());
    }

    fn rendered(root: &Root, path: &str) -> String {
        let path = SitePath::parse(path).unwrap();
        let Found::Directory(handle) = root.find(path.as_path()).unwrap() else {
            panic!("a directory");
        };
        render(root, &path, &handle).unwrap()
    }

    #[test]
    fn what_has_a_page_comes_first_and_the_root_leads_to_the_engine() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        for name in ["a-scripts", "crate", "trap", "trap/index.html"] {
            fs::create_dir_all(site.join(name)).unwrap();
        }
        fs::write(site.join("crate/index.html"), "").unwrap();
        fs::write(site.join("a.txt"), "").unwrap();
        symlink("crate", site.join("link")).unwrap();
        // A page that leads out is none.
        fs::create_dir(site.join("leak")).unwrap();
        symlink("/etc/passwd", site.join("leak/index.html")).unwrap();

        let html = rendered(&Root::open(&site).unwrap(), "/");
        let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        let order = [
            "href=\"/_engine/\"",
            "<h2>Pages</h2>",
            ">crate/<",
            ">link/<",
            "<h2>Other files</h2>",
            ">a-scripts/<",
            ">leak/<",
            ">trap/<",
            ">a.txt<",
        ];
        assert!(order.map(at).is_sorted(), "{html}");
        assert!(!html.contains("../"));

        let below = rendered(&Root::open(&site).unwrap(), "/leak/");
        assert!(below.contains("href=\"../\"") && !below.contains("_engine"));
        assert!(!below.contains("<h2>"), "{below}");
    }
}
