//! `package`: the five crates as they would be published.

use std::fs;

use crate::{
    cmd::Cmd,
    env::{CRATES, target},
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

/// Packs them, builds what was packed, and looks inside.
pub fn run(report: &mut Report) {
    // One call for all five, in any order: each is built from its own package
    // against the packages of the others, none of which is in the registry yet.
    let cmd = select(Cmd::cargo("package --allow-dirty"), &CRATES)
        .path_var("CARGO_TARGET_DIR", &target("package"));
    let packed = report.command("package", &cmd);
    let mut rows = Vec::new();
    for krate in CRATES {
        report.step(&format!("package: {krate}"), || {
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
            if !packed {
                return Err("not packed".to_owned());
            }
            let note = format!("{} files, {:.1} KiB packed", files.len(), size(krate)?);
            rows.push(format!("{krate:14} {note}"));
            Ok(note)
        });
    }
    report.table("packages", rows);
}

fn select(cmd: Cmd, crates: &[&str]) -> Cmd {
    crates
        .iter()
        .fold(cmd, |cmd, krate| cmd.arg("-p").arg(*krate))
}

/// The size of the package in KiB.
fn size(krate: &str) -> Result<f64, String> {
    // `path+file:///..#0.1.0`, or `..#name@0.1.0`.
    let id = select(Cmd::cargo("pkgid"), &[krate]).read()?;
    let version = id.trim().rsplit(['#', '@']).next().unwrap_or_default();
    let name = format!("{krate}-{version}.crate");
    let file = target("package").join("package").join(&name);
    let data = fs::metadata(&file).map_err(|error| format!("{name}: {error}"))?;
    Ok(data.len() as f64 / 1024.0)
}
