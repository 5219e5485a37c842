//! A `/sys` in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A directory that is removed at the end.
pub struct Sysfs {
    root: PathBuf,
}

impl Sysfs {
    pub fn empty() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "engine-atomic-topology-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Relaxed)
        );
        let root = std::env::temp_dir().join(name);
        fs::create_dir(&root).unwrap();
        Self { root }
    }

    /// A machine in the format of `fixtures/README.md`.
    pub fn machine(text: &str) -> Self {
        let sysfs = Self::empty();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (path, content) = line.split_once(' ').unwrap_or((line, ""));
            for path in expand(path) {
                sysfs.write(&path, format!("{content}\n"));
            }
        }
        sysfs
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join("devices/system").join(path)
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// Paths of all files, relative to `devices/system`.
    pub fn files(&self) -> Vec<String> {
        fn walk(base: &Path, at: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(base, &path, found);
                } else {
                    let relative = path.strip_prefix(base).unwrap();
                    found.push(relative.to_str().unwrap().to_owned());
                }
            }
        }
        let base = self.path("");
        let mut found = Vec::new();
        walk(&base, &base, &mut found);
        found.sort();
        found
    }
}

impl Drop for Sysfs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Every path that a pattern stands for.
fn expand(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else {
        return vec![pattern.to_owned()];
    };
    let (list, after) = rest.split_once('}').unwrap();
    let numbers = list.split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<usize>().unwrap()..=last.parse().unwrap()
    });
    numbers
        .flat_map(|n| expand(&format!("{before}{n}{after}")))
        .collect()
}
