//! Where things are: the repository, the crates, the target folders, the flags.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// The published crates, dependencies first.
pub const CRATES: [&str; 5] = [
    "engine-atomic",
    "engine-queue",
    "engine-lock",
    "engine-barrier",
    "engine-sched",
];

/// The crates that have models: the published ones, and the server built on them.
pub const MODELLED: [&str; 6] = [
    "engine-atomic",
    "engine-queue",
    "engine-lock",
    "engine-barrier",
    "engine-sched",
    "engine-web",
];

/// The folder of a crate, from the root.
pub fn folder(krate: &str) -> &str {
    match krate {
        "engine-web" => "examples/web",
        published => published,
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        // Asked at run time: two checkouts that share a target folder share the
        // program, too.
        let xtask = env::var_os("CARGO_MANIFEST_DIR");
        let xtask = xtask.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        xtask
            .parent()
            .expect("xtask/ lies in the root")
            .to_path_buf()
    });
    &ROOT
}

/// The target folder of the plain builds, or a folder of its own inside it.
///
/// Builds that differ in `RUSTFLAGS` get one folder each: in a shared one, each
/// would throw the others' artifacts away.
pub fn target(sub: &str) -> PathBuf {
    let base = match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    };
    if sub.is_empty() { base } else { base.join(sub) }
}

/// The variable that gives rustc its flags, with `flags` behind what the caller
/// has set already.
pub fn rustflags(flags: &[&str]) -> (&'static str, String) {
    // cargo reads only the first of the two that is set.
    if let Ok(encoded) = env::var("CARGO_ENCODED_RUSTFLAGS") {
        let flags = flags
            .iter()
            .flat_map(|flag| flag.split(' '))
            .collect::<Vec<_>>();
        return ("CARGO_ENCODED_RUSTFLAGS", join(encoded, &flags, "\x1f"));
    }
    let plain = env::var("RUSTFLAGS").unwrap_or_default();
    ("RUSTFLAGS", join(plain, flags, " "))
}

fn join(mut outer: String, flags: &[&str], separator: &str) -> String {
    for flag in flags {
        if !outer.is_empty() {
            outer.push_str(separator);
        }
        outer.push_str(flag);
    }
    outer
}

/// All files below `folder` whose name ends with `suffix`, in order.
pub fn files(folder: &Path, suffix: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().ends_with(suffix) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `path` as it is written in reports: from the root, with `/`.
pub fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn flags_go_behind_the_outer_ones() {
        let flags = ["--cfg", "engine_loom"];
        assert_eq!(join(String::new(), &flags, " "), "--cfg engine_loom");
        assert_eq!(
            join("-Copt-level=1".to_owned(), &flags, "\x1f"),
            "-Copt-level=1\x1f--cfg\x1fengine_loom"
        );
    }
}
