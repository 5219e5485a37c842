//! `tsan`: stress programs under ThreadSanitizer.
//!
//! The programs are the examples `tsan_*` of the five crates, without a test
//! harness: std is not instrumented, so that every std mutex (and libtest is full
//! of them) would look like a race. For the same reason the programs may share
//! data through our primitives only. `--cfg engine_tsan` shows it the edges that std's
//! locks give (`engine-atomic/src/sync/tsan.rs`). It knows no fences; what that means is
//! in `docs/verification.md`.

use crate::{
    cmd::Cmd,
    env::{self, CRATES, root, rustflags, target},
    report::Report,
};

/// Runs each program.
pub fn run(report: &mut Report) {
    let host = match Cmd::nightly("--version --verbose").read() {
        Ok(version) => host(&version),
        Err(_) => None,
    };
    let Some(host) = host else {
        let how = "`rustup toolchain install nightly --profile minimal` installs it";
        report.missing("tsan", how);
        return;
    };
    if host != "x86_64-unknown-linux-gnu" && host != "aarch64-unknown-linux-gnu" {
        report.missing("tsan", "it runs on 64-bit Linux (x86, Arm) only");
        return;
    }
    let programs = programs();
    if programs.is_empty() {
        report.step("tsan", || Err("no example is named `tsan_*`".to_owned()));
    }
    for (krate, example) in programs {
        report.command(
            &format!("tsan: {krate} {example}"),
            &cmd(&host, krate, &example),
        );
    }
}

fn cmd(host: &str, krate: &str, example: &str) -> Cmd {
    let (name, flags) = rustflags(&[
        "-Zsanitizer=thread",
        "-Cunsafe-allow-abi-mismatch=sanitizer",
        "--cfg engine_tsan",
        "-Cdebuginfo=1",
    ]);
    let suppressions = root().join("xtask/tsan.supp");
    let suppressions = suppressions.display();
    Cmd::nightly("run --profile model -p")
        .arg(krate)
        .words("--example")
        .arg(example)
        // With a target, build scripts and macros are not instrumented.
        .words("--target")
        .arg(host)
        .var(name, flags)
        .path_var("CARGO_TARGET_DIR", &target("tsan"))
        .var(
            "TSAN_OPTIONS",
            format!("halt_on_error=1 suppressions={suppressions}"),
        )
}

fn programs() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for krate in CRATES {
        let folder = root().join(krate).join("examples");
        // A crate without the folder has no examples.
        for file in env::files(&folder, ".rs").unwrap_or_default() {
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            if name.starts_with("tsan_") {
                found.push((krate, name.into_owned()));
            }
        }
    }
    found
}

fn host(version: &str) -> Option<String> {
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned)
}
