//! `lint`: everything that needs no test run.

use crate::{
    cmd::Cmd,
    env::{MODELLED, root, target},
    model::Checker,
    readme,
    report::Report,
    rules,
};

/// Workspaces beside the main one.
const OTHERS: [&str; 2] = ["fuzz", "testkit/downstream"];

/// Runs all lints.
pub fn run(report: &mut Report) {
    format(report);
    report.step("the facade is the only way to atomics", rules::facade);
    report.step("no file knows this machine", rules::portable);
    report.step(
        "the README names and counts packages as cargo does",
        readme::packages,
    );
    report.step("the README's code is an example", readme::example);
    clippy(report);
    let docs = Cmd::cargo("doc --workspace --no-deps --all-features")
        .var("RUSTDOCFLAGS", "--deny warnings");
    report.command("docs", &docs);
    deny(report);
}

fn format(report: &mut Report) {
    if Cmd::cargo("fmt --version").read().is_err() {
        report.missing("format", "`rustup component add rustfmt` installs it");
        return;
    }
    report.command("format", &Cmd::cargo("fmt --all -- --check"));
    for folder in OTHERS {
        let manifest = format!("{folder}/Cargo.toml");
        let cmd = Cmd::cargo("fmt --manifest-path")
            .arg(manifest)
            .words("-- --check");
        report.command(&format!("format: {folder}"), &cmd);
    }
}

fn clippy(report: &mut Report) {
    if Cmd::cargo("clippy --version").read().is_err() {
        report.missing("clippy", "`rustup component add clippy` installs it");
        return;
    }
    let all = Cmd::cargo("clippy --workspace --all-targets --all-features");
    report.command("clippy", &strict(all));
    // What only a checker's build sees: the models and the facade behind them. The
    // profile turns unit tests on, and leaves the tests in `tests/` out: they need
    // not build under a checker.
    for checker in [Checker::Loom, Checker::Shuttle] {
        let name = checker.name();
        let cmd = MODELLED
            .iter()
            .fold(Cmd::cargo("clippy --lib --profile test"), |cmd, krate| {
                cmd.arg("-p").arg(*krate)
            })
            .words("--features")
            .arg(name);
        let cmd = checker.set(cmd, &target(name));
        // Bounds shrink under a checker, some to zero.
        let cmd = strict(cmd).words("--allow clippy::absurd_extreme_comparisons");
        report.command(&format!("clippy: {name}"), &cmd);
    }
    for folder in OTHERS {
        let cmd = Cmd::cargo("clippy --all-targets")
            .folder(&root().join(folder))
            // Nothing is linked, so the library need not be there; without this, fuzz/
            // would compile its own, which takes a C++ compiler.
            .var("CUSTOM_LIBFUZZER_PATH", "none/libfuzzer.a")
            .path_var("CARGO_TARGET_DIR", &target("lint").join(folder));
        report.command(&format!("clippy: {folder}"), &strict(cmd));
    }
}

fn strict(cmd: Cmd) -> Cmd {
    cmd.words("-- --deny warnings")
}

fn deny(report: &mut Report) {
    const NAME: &str = "cargo deny";
    if Cmd::cargo("deny --version").read().is_err() {
        report.missing(NAME, "`cargo install cargo-deny --locked` installs it");
        return;
    }
    // No `advisories`: that one needs the network each time.
    for folder in ["."].into_iter().chain(OTHERS) {
        let cmd = Cmd::cargo("deny --config deny.toml --manifest-path")
            .arg(format!("{folder}/Cargo.toml"))
            .words("check bans licenses sources");
        report.command(&format!("{NAME}: {folder}"), &cmd);
    }
}
