//! A real tree of many files: documentation.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::files_below;

/// The toolchain's documentation has more files than this; in 1.95 it has 51,906.
const TOOLCHAIN_FILES: usize = 50_000;

/// The toolchain's documentation, or this repository's where that is not installed.
pub struct Documentation {
    pub html: PathBuf,
    /// Below `html`.
    pub files: Vec<PathBuf>,
    _made: Option<tempfile::TempDir>,
}

impl Documentation {
    /// Finds or makes it, and says which it is and how many files it has.
    pub fn find() -> Self {
        match toolchain() {
            Some(html) => {
                let files = files_below(&html);
                println!("{} files: the toolchain's documentation", files.len());
                assert!(files.len() >= TOOLCHAIN_FILES, "{} files", files.len());
                Self {
                    html,
                    files,
                    _made: None,
                }
            }
            None => {
                let made = tempfile::tempdir().unwrap();
                let html = make(made.path());
                let files = files_below(&html);
                println!(
                    "{} files: this repository's documentation. The toolchain's is not \
                     installed; `rustup component add rust-docs` installs it",
                    files.len()
                );
                assert!(!files.is_empty());
                Self {
                    html,
                    files,
                    _made: Some(made),
                }
            }
        }
    }

    /// `count` files at random, and the seed, which is printed as well.
    pub fn sample(&self, count: usize) -> (Vec<&PathBuf>, u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = now.as_nanos() as u64;
        println!("{count} of them, seed {seed}");
        let mut state = seed | 1;
        let sample = (0..count).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            &self.files[(state % self.files.len() as u64) as usize]
        });
        (sample.collect(), seed)
    }
}

fn toolchain() -> Option<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output();
    let sysroot = String::from_utf8(sysroot.ok()?.stdout).ok()?;
    let html = Path::new(sysroot.trim()).join("share/doc/rust/html");
    html.join("index.html").is_file().then_some(html)
}

fn make(target: &Path) -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args([
            "doc",
            "--no-deps",
            "--package",
            "engine-web",
            "--target-dir",
        ])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success(), "cargo doc failed");
    target.join("doc")
}
