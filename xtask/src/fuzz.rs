//! `fuzz-smoke`: each fuzz target for a bounded number of inputs.

use clap::Args;

use crate::{
    cmd::Cmd,
    env::{self, root, target},
    report::Report,
};

/// How long.
#[derive(Args)]
pub struct Options {
    /// Inputs for each target
    #[arg(long, default_value_t = 20_000)]
    runs: u64,
    /// Only this target
    target: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runs: 20_000,
            target: None,
        }
    }
}

/// Runs each target.
pub fn run(report: &mut Report, options: &Options) {
    const NAME: &str = "fuzz";
    if Cmd::nightly("--version").read().is_err() {
        let how = "`rustup toolchain install nightly --profile minimal` installs it";
        report.missing(NAME, how);
        return;
    }
    if Cmd::nightly("fuzz --version").read().is_err() {
        report.missing(NAME, "`cargo install cargo-fuzz --locked` installs it");
        return;
    }
    let mut targets = targets();
    if let Some(only) = &options.target {
        targets.retain(|target| target == only);
    }
    if targets.is_empty() {
        report.step(NAME, || Err("no target of this name".to_owned()));
    }
    for name in targets {
        let cmd = Cmd::nightly("fuzz run --fuzz-dir fuzz")
            .arg(&name)
            .words("--")
            .arg(format!("-runs={}", options.runs))
            // A hang is a failure. Long inputs from the start: a short run would not grow that far.
            .words("-timeout=30 -len_control=0 -max_len=1024 -print_final_stats=1")
            .path_var("CARGO_TARGET_DIR", &target("fuzz"));
        report.command(&format!("fuzz: {name}"), &cmd);
    }
}

fn targets() -> Vec<String> {
    let folder = root().join("fuzz/fuzz_targets");
    let files = env::files(&folder, ".rs").unwrap_or_default();
    let stem = |file: &std::path::PathBuf| Some(file.file_stem()?.to_string_lossy().into_owned());
    files.iter().filter_map(stem).collect()
}
