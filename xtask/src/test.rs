//! `test`: everything that decides whether the code is right, on stable Rust.

use std::path::Path;

use crate::{
    cmd::Cmd,
    env::{root, target},
    model::{self, Checker},
    report::Report,
};

/// The crates that are `no_std` without their default features.
const NO_STD: [&str; 2] = ["engine-atomic", "engine-queue"];

/// A target that has no std.
const BARE: &str = "x86_64-unknown-none";

/// Runs all tests.
pub fn run(report: &mut Report) {
    plain(report);
    features(report);
    for checker in [Checker::Loom, Checker::Shuttle] {
        model::run(report, checker, &model::Options::default());
    }
    downstream(report);
}

fn plain(report: &mut Report) {
    let tests = Cmd::cargo("test --workspace --lib --bins --tests --examples");
    report.command("unit and integration tests", &tests);
    report.command("doc tests", &Cmd::cargo("test --workspace --doc"));
    // What the README shows; `lint` compares the two.
    let readme = Cmd::cargo("run --quiet -p engine-sched --example readme");
    report.command("the README's example", &readme);
}

/// The feature sets that a build of the whole workspace does not show: there,
/// each crate gets the features that its neighbours ask for.
fn features(report: &mut Report) {
    for krate in NO_STD {
        for set in ["--no-default-features", "--all-features"] {
            let cmd = Cmd::cargo("check --lib -p").arg(krate).arg(set);
            report.command(&format!("{krate} {set}"), &cmd);
        }
    }
    let alloc = Cmd::cargo("check --lib -p engine-atomic --no-default-features --features alloc");
    report.command("engine-atomic, alloc alone", &alloc);
    // Where std is, a dependency may bring it in unseen.
    if !installed(BARE) {
        report.missing("no_std", &format!("`rustup target add {BARE}` installs it"));
        return;
    }
    for krate in NO_STD {
        let cmd = Cmd::cargo("check --lib --no-default-features --target")
            .arg(BARE)
            .arg("-p")
            .arg(krate);
        report.command(&format!("no_std: {krate}"), &cmd);
    }
}

/// Whether the toolchain has the libraries of `target`.
fn installed(target: &str) -> bool {
    let folder = Cmd::new("rustc")
        .words("--print target-libdir --target")
        .arg(target)
        .read();
    folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
}

/// A crate of another workspace that models its own use of engine-queue.
fn downstream(report: &mut Report) {
    let folder = root().join("testkit/downstream");
    let cmd = Cmd::cargo("test").folder(&folder);
    let plain = cmd
        .clone()
        .path_var("CARGO_TARGET_DIR", &target("downstream"));
    report.command("downstream: plain", &plain);
    for checker in [Checker::Loom, Checker::Shuttle] {
        let name = checker.name();
        let cmd = cmd
            .clone()
            .words("--profile model --lib --features")
            .words(name)
            .words("model -- --nocapture");
        let folder = target("downstream").join(name);
        report.step(&format!("downstream: {name}"), || {
            let cmd = checker.set(cmd, &folder);
            println!("$ (cd testkit/downstream && {cmd})");
            let mut passed = 0;
            cmd.run_lines(|line| {
                passed += usize::from(line.starts_with("test result: ok. "))
                    * line
                        .split(' ')
                        .nth(3)
                        .and_then(|n| n.parse().ok())
                        .unwrap_or(0);
            })?;
            match passed {
                0 => Err("no model ran".to_owned()),
                n => Ok(format!("{n} models")),
            }
        });
    }
}
