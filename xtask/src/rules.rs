//! Rules about the source that no compiler knows.

use std::{collections::BTreeSet, fs};

use crate::{
    cmd::Cmd,
    env::{self, MODELLED, folder, relative, root},
    source::{NamedPath, paths, tokens, without_tests},
};

/// What only the facade and the futex beside it may name. The rest of the library
/// code takes these from `engine_atomic::sync`, or it could not be modelled.
const FACADE_ONLY: [&str; 16] = [
    "core::sync::atomic",
    "std::sync::atomic",
    "core::cell::UnsafeCell",
    "std::cell::UnsafeCell",
    "core::hint::spin_loop",
    "std::hint::spin_loop",
    "std::thread",
    "std::thread_local",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::Condvar",
    "std::sync::Barrier",
    "std::sync::Once",
    "std::sync::mpsc",
    "loom",
    "shuttle",
];

/// Where they may be named.
const FACADE: [&str; 2] = ["engine-atomic/src/sync/", "engine-atomic/src/futex/"];

/// Marks a line that names one of them all the same, with the reason.
const EXCEPTION: &str = "// facade: ";

/// Checks the code of the crates that have models; returns a note for the summary.
pub fn facade() -> Result<String, String> {
    let mut checked = 0;
    let mut broken = Vec::new();
    for krate in MODELLED {
        let folder = root().join(folder(krate)).join("src");
        for file in env::files(&folder, ".rs").map_err(|error| error.to_string())? {
            let name = relative(&file);
            if FACADE.iter().any(|folder| name.starts_with(folder)) || is_test(&name) {
                continue;
            }
            let source = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            checked += 1;
            for (line, path) in facade_breaks(&source) {
                broken.push(format!("{name}:{line}: `{path}` outside the facade"));
            }
        }
    }
    verdict(broken, checked)
}

/// `tests.rs`, `model.rs` and the folders of these names.
fn is_test(name: &str) -> bool {
    name.split(['/', '.'])
        .any(|part| part == "tests" || part == "model")
}

fn facade_breaks(source: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = source.lines().collect();
    let tokens = without_tests(tokens(source));
    // `mod loom` of the file itself is no crate.
    let modules: Vec<&str> = tokens
        .windows(2)
        .filter(|pair| pair[0].text == "mod")
        .map(|pair| pair[1].text.as_str())
        .collect();
    paths(&tokens)
        .into_iter()
        .filter(|path| !modules.contains(&path.parts[0].as_str()))
        .filter(breaks_facade)
        .map(|path| (tokens[path.last].line, path.parts.join("::")))
        .filter(|(line, _)| {
            let reason = lines[line - 1].split_once(EXCEPTION);
            reason.is_none_or(|(_, reason)| reason.trim().is_empty())
        })
        .collect()
}

fn breaks_facade(path: &NamedPath) -> bool {
    FACADE_ONLY.iter().any(|only| {
        let only: Vec<&str> = only.split("::").collect();
        let shared = path.parts.iter().zip(&only);
        let same = shared.take_while(|(part, only)| part == only).count();
        if same == only.len() {
            // A single word is a path only with something behind it: `loom` may
            // be a feature, `loom::thread` is the crate.
            return only.len() > 1 || path.imported || path.parts.len() > 1;
        }
        // `use core::sync;` and `use core::sync::*;` bring it in by the back door.
        let rest = &path.parts[same..];
        path.imported && same > 1 && (rest.is_empty() || rest == ["*"])
    })
}

/// Checks that no file of the repository knows the machine it was written on.
pub fn portable() -> Result<String, String> {
    // Split, or this file would break the rule.
    let folders =
        ["/wo rk/", "/ro ot/", "/ho me/", "/Us ers/"].map(|folder| folder.replace(' ', ""));
    let mut broken = Vec::new();
    let files = tracked()?;
    for name in &files {
        let Ok(text) = fs::read_to_string(root().join(name)) else {
            // Binary, or deleted and not yet committed.
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            let place = format!("{name}:{}", index + 1);
            if let Some(folder) = folders.iter().find(|folder| names_folder(line, folder)) {
                broken.push(format!(
                    "{place}: names `{folder}`, a folder of one machine"
                ));
            }
            if let Some(registry) = other_registry(name, line) {
                broken.push(format!("{place}: `{registry}` is not the registry of all"));
            }
        }
    }
    verdict(broken, files.len())
}

/// Whether `folder` occurs as the start of a path, not in the middle of one.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"./_-}>*".contains(c))
    })
}

/// A registry other than crates.io in a lock file or in cargo's configuration.
fn other_registry<'a>(name: &str, line: &'a str) -> Option<&'a str> {
    const COMMON: &str = "registry+https://github.com/rust-lang/crates.io-index";
    if name.ends_with("Cargo.lock") {
        let source = line.strip_prefix("source = ")?.trim_matches('"');
        return (source != COMMON).then_some(source);
    }
    if name.ends_with(".toml") {
        let line = line.trim();
        let tables = ["[source.", "[registries.", "[registry]"];
        let keys = ["replace-with", "registry", "registry-index"];
        // A key of its own line, or of an inline table.
        let is_key = |part: &str| {
            let key = part.trim_start().split(['=', ' ']).next();
            part.contains('=') && key.is_some_and(|key| keys.contains(&key))
        };
        let found = tables.iter().any(|table| line.starts_with(table))
            || line.split(['{', ',']).any(is_key);
        return found.then_some(line);
    }
    None
}

/// The files that are, or are about to be, in the repository.
pub fn tracked() -> Result<Vec<String>, String> {
    let list = Cmd::new("git")
        // A checkout of another user (CI in a container) is ours all the same.
        .words("-c safe.directory=* ls-files -z --cached --others --exclude-standard")
        .read()?;
    let files: BTreeSet<String> = list
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(String::from)
        .collect();
    if files.is_empty() {
        return Err("git lists no file".to_owned());
    }
    Ok(files.into_iter().collect())
}

fn verdict(broken: Vec<String>, checked: usize) -> Result<String, String> {
    for line in &broken {
        println!("{line}");
    }
    match broken.len() {
        0 => Ok(format!("{checked} files")),
        n => Err(format!("{n} lines break the rule")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(source: &str) -> Vec<String> {
        facade_breaks(source).into_iter().map(|(_, p)| p).collect()
    }

    #[test]
    fn names_that_are_the_facades() {
        assert_eq!(
            broken("use std::sync::{Arc, atomic::{AtomicU32, Ordering}};").len(),
            2
        );
        assert_eq!(broken("use core::{cell::UnsafeCell, fmt};").len(), 1);
        assert_eq!(broken("use ::loom::thread;").len(), 1);
        assert_eq!(broken("fn f() { std::thread::yield_now() }").len(), 1);
        assert_eq!(broken("fn f() { std :: thread :: yield_now() }").len(), 1);
        assert_eq!(
            broken("use core::cell; type A = cell::UnsafeCell<u8>;").len(),
            1
        );
        assert_eq!(broken("use core::sync::*;").len(), 1);
        assert_eq!(broken("std::thread_local! { static A: u8 = 0 }").len(), 1);
    }

    #[test]
    fn names_that_are_everyones() {
        assert!(broken("use crate::sync::atomic::AtomicU32;").is_empty());
        assert!(broken("use engine_atomic::sync::{cell::UnsafeCell, thread};").is_empty());
        assert!(broken("use std::sync::{Arc, PoisonError};").is_empty());
        assert!(broken("use core::cell::Cell; use std::sync::OnceLock;").is_empty());
        assert!(broken("// core::sync::atomic\n/* std::thread */").is_empty());
        assert!(broken("#[cfg(feature = \"loom\")] const A: &str = \"loom::\";").is_empty());
        assert!(broken("mod loom; use loom::Word;").is_empty());
        assert!(broken("#[cfg(test)] mod tests { use std::thread; }").is_empty());
        assert!(broken("use std::*;").is_empty());
    }

    #[test]
    fn an_exception_needs_a_reason() {
        assert!(broken("use std::thread::Builder; // facade: names threads").is_empty());
        assert_eq!(broken("use std::thread::Builder; // facade: ").len(), 1);
        assert_eq!(broken("// facade: no\nuse std::thread::Builder;").len(), 1);
    }

    #[test]
    fn folders_of_one_machine() {
        let home = ["/ho", "me/"].concat();
        assert!(names_folder(&format!("cd {home}me"), &home));
        assert!(names_folder(&format!("\"{home}me\""), &home));
        assert!(!names_folder(&format!("https://example.org{home}"), &home));
        assert!(!names_folder("/homely/", &home));
    }

    #[test]
    fn registries() {
        let lock = |line| other_registry("fuzz/Cargo.lock", line);
        let ours = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        assert_eq!(lock(ours), None);
        assert_eq!(
            lock("source = \"sparse+https://a/\""),
            Some("sparse+https://a/")
        );
        let toml = |line| other_registry(".cargo/config.toml", line);
        assert!(toml("[source.crates-io]").is_some());
        assert!(toml("replace-with = \"mirror\"").is_some());
        assert!(toml("a = { version = \"1\", registry = \"b\" }").is_some());
        assert!(toml("[alias]").is_none());
        assert!(toml("[sources]").is_none());
        assert!(toml("unknown-registry = \"deny\"").is_none());
    }
}
