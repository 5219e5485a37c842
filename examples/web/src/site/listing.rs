//! The page that lists a directory.

use std::fmt::Write as _;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, statat};

use super::path::{SitePath, escape_segment};
use super::root::{Found, Root, http_date};

struct Entry {
    name: Vec<u8>,
    directory: bool,
    len: u64,
    modified: i64,
}

/// Reads `directory`, which is `path` below `root`, and renders its page.
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
            directory: false,
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: stat.st_mtime as i64,
            name,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => listed.directory = true,
            FileType::Symlink => {
                let target = path
                    .as_path()
                    .join(std::ffi::OsStr::from_bytes(&listed.name));
                if !follow(root, &target, &mut listed) {
                    continue;
                }
            }
            _ => continue,
        }
        entries.push(listed);
    }
    entries.sort_by(|a, b| {
        b.directory
            .cmp(&a.directory)
            .then_with(|| a.name.cmp(&b.name))
    });
    Ok(page(path, &entries))
}

fn follow(root: &Root, target: &Path, listed: &mut Entry) -> bool {
    match root.find(target) {
        Ok(Found::File(_, meta)) => {
            listed.len = meta.len;
            listed.modified = meta.modified.0;
            true
        }
        Ok(Found::Directory(_)) => {
            listed.directory = true;
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
    html.push_str("</h1>\n<table>\n");
    if !path.is_root() {
        html.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for entry in entries {
        row(entry, &mut html);
    }
    html.push_str("</table>\n</body>\n</html>\n");
    html
}

fn row(entry: &Entry, html: &mut String) {
    let slash = if entry.directory { "/" } else { "" };
    // `./` keeps a name with a colon from being read as a scheme.
    html.push_str("<tr><td><a href=\"./");
    html.extend(escape_segment(&entry.name));
    html.push_str(slash);
    html.push_str("\">");
    escape_html(&String::from_utf8_lossy(&entry.name), html);
    html.push_str(slash);
    html.push_str("</a></td><td>");
    if !entry.directory {
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
        let path = SitePath::parse("/a%3Cb%3E/").unwrap();
        let Found::Directory(handle) = root.find(path.as_path()).unwrap() else {
            panic!("a directory");
        };
        let html = render(&root, &path, &handle).unwrap();

        assert!(html.contains("<title>/a&lt;b&gt;/</title>"));
        assert!(!html.contains("<script>"));
        assert!(html.contains("href=\"./x%26%22%27%3Cscript%3E.txt\">x&amp;&quot;&#39;&lt;script&gt;.txt</a></td><td>5<"));
        assert!(html.contains("href=\"./java:script\""));
        assert!(html.contains("href=\"./zdir/\">zdir/<"));
        assert!(html.contains(">link<"));
        assert!(!html.contains("leak") && !html.contains("broken"));
        assert!(html.find("zdir").unwrap() < html.find("java").unwrap());
    }
}
