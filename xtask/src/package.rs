//! `package`: the five crates as they would be published.
//!
//! cargo can verify packages that depend on each other, but it unpacks them into
//! a cache by name and version, and so would build against yesterday's package of
//! the same version. So the packages are unpacked and built here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    cmd::Cmd,
    env::{CRATES, root, target},
    report::Report,
};

/// What each published crate must hold.
const NEEDED: [&str; 5] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "src/lib.rs",
];

/// Packs them, looks inside, and builds what was packed.
pub fn run(report: &mut Report) {
    // One call for all: the packages stand in for each other in the registry.
    let cmd = select(Cmd::cargo("package --allow-dirty --no-verify"), &CRATES)
        .path_var("CARGO_TARGET_DIR", &target("package"));
    let packed = report.command("pack", &cmd);
    let mut rows = Vec::new();
    for krate in CRATES {
        report.step(&format!("contents: {krate}"), || {
            let note = contents(krate)?;
            rows.push(format!("{krate:14} {note}"));
            Ok(note)
        });
    }
    if packed {
        report.step("build what was packed", || build().map(|()| String::new()));
    }
    report.table("packages", rows);
}

fn select(cmd: Cmd, crates: &[&str]) -> Cmd {
    crates
        .iter()
        .fold(cmd, |cmd, krate| cmd.arg("-p").arg(*krate))
}

fn contents(krate: &str) -> Result<String, String> {
    let cmd = select(Cmd::cargo("package --allow-dirty --list"), &[krate]);
    println!("$ {cmd}");
    let list = cmd.read()?;
    print!("{list}");
    let files: Vec<&str> = list.lines().collect();
    let lost: Vec<&str> = NEEDED
        .into_iter()
        .filter(|needed| !files.contains(needed))
        .collect();
    if !lost.is_empty() {
        return Err(format!("without {}", lost.join(", ")));
    }
    let file = file(krate)?;
    let data = fs::metadata(&file).map_err(|error| explain(&file, &error))?;
    let size = data.len() as f64 / 1024.0;
    Ok(format!("{} files, {size:.1} KiB packed", files.len()))
}

/// Where the package is, of the version that the crate has now.
fn file(krate: &str) -> Result<PathBuf, String> {
    // `path+file:///..#0.1.0`, or `..#name@0.1.0`.
    let id = select(Cmd::cargo("pkgid"), &[krate]).read()?;
    let version = id.trim().rsplit(['#', '@']).next().unwrap_or_default();
    let name = format!("{krate}-{version}.crate");
    Ok(target("package").join("package").join(name))
}

/// Unpacks the packages into a workspace of their own and builds it.
fn build() -> Result<(), String> {
    let folder = target("package").join("unpacked");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|error| explain(&folder, &error))?;
    }
    fs::create_dir_all(&folder).map_err(|error| explain(&folder, &error))?;
    let mut members = String::new();
    let mut patches = String::new();
    for krate in CRATES {
        let file = file(krate)?;
        let untar = Cmd::new("tar")
            // Not the packed times, which are the same in every package: cargo would take
            // what it built of the last one for built of this one.
            .words("-xzmf")
            .arg(file.to_string_lossy())
            .folder(&folder);
        println!("$ {untar}");
        untar.run()?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        members += &format!("    \"{stem}\",\n");
        patches += &format!("{krate} = {{ path = \"{stem}\" }}\n");
    }
    let manifest = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [\n{members}]\n\n[patch.crates-io]\n{patches}"
    );
    let path = folder.join("Cargo.toml");
    fs::write(&path, manifest).map_err(|error| explain(&path, &error))?;
    // The versions that the repository is tested with.
    let lock = folder.join("Cargo.lock");
    fs::copy(root().join("Cargo.lock"), &lock).map_err(|error| explain(&lock, &error))?;
    let check = Cmd::cargo("check --workspace")
        .folder(&folder)
        .path_var("CARGO_TARGET_DIR", &target("package"));
    println!("$ {check}");
    check.run()
}

fn explain(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
