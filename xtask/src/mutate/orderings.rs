//! Finds the memory orderings of a file and what each can be weakened to.

use std::{collections::BTreeSet, fmt, ops::Range};

use crate::source::{NamedPath, Token, group_end, paths, tokens, without_tests};

/// One change of the source.
#[derive(Debug)]
pub struct Mutation {
    /// Counted from 1.
    pub line: usize,
    /// What it does, for the reader.
    what: String,
    span: Range<usize>,
    text: String,
}

impl Mutation {
    /// `source` with the change.
    pub fn apply(&self, source: &str) -> String {
        let mut changed = source.to_owned();
        changed.replace_range(self.span.clone(), &self.text);
        changed
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Every change to `source` worth a try, in order.
pub fn mutations(source: &str) -> Vec<Mutation> {
    let tokens = without_tests(tokens(source));
    let paths = paths(&tokens);
    let imported: BTreeSet<usize> = paths
        .iter()
        .filter(|path| path.imported)
        .map(|path| path.last)
        .collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if ORDERINGS.contains(&token.text.as_str()) && !imported.contains(&at) {
            found.extend(weaken(&tokens, at));
        }
    }
    found.extend(paths.iter().filter_map(|path| named_fence(&tokens, path)));
    found.sort_by_key(|mutation| mutation.line);
    found
}

const ORDERINGS: [&str; 4] = ["Acquire", "Release", "AcqRel", "SeqCst"];

/// What an ordering is given to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Load,
    Store,
    Rmw,
    Fence,
}

fn weaken(tokens: &[Token], at: usize) -> Vec<Mutation> {
    let token = &tokens[at];
    let call = call(tokens, at);
    let (name, used) = match &call {
        Some(call) => (tokens[call.name].text.as_str(), call.used(tokens)),
        None => ("?", Use::Rmw),
    };
    let weaker: &[&str] = match (used, token.text.as_str()) {
        (Use::Load, "SeqCst") => &["Acquire"],
        (Use::Store, "SeqCst") => &["Release"],
        (_, "SeqCst") => &["AcqRel"],
        (_, "AcqRel") => &["Acquire", "Release"],
        // `fence(Relaxed)` panics: that would kill the mutation by itself.
        (Use::Fence, _) => &[],
        _ => &["Relaxed"],
    };
    let mut found: Vec<_> = weaker
        .iter()
        .map(|weaker| Mutation {
            line: token.line,
            what: format!("{name}: {} -> {weaker}", token.text),
            span: token.span.clone(),
            text: spelled(tokens, at, weaker),
        })
        .collect();
    if let (Use::Fence, Some(call)) = (used, call) {
        found.push(remove(tokens, call.name, call.end, &token.text));
    }
    found
}

/// An ordering's name where another was: with its full path unless a path is
/// before it, because an import of its own may be missing.
fn spelled(tokens: &[Token], at: usize, name: &str) -> String {
    if at > 0 && tokens[at - 1].text == "::" {
        name.to_owned()
    } else {
        format!("core::sync::atomic::Ordering::{name}")
    }
}

/// `fence::seq_cst()` and the like: the named fences of engine-atomic.
fn named_fence(tokens: &[Token], path: &NamedPath) -> Option<Mutation> {
    const NAMES: [&str; 5] = ["acquire", "release", "seq_cst", "light", "heavy"];
    let [.., module, name] = path.parts.as_slice() else {
        return None;
    };
    let called = tokens.get(path.last + 1)?.text == "(" && !path.imported;
    let ours = module == "fence" && NAMES.contains(&name.as_str());
    let end = group_end(tokens, path.last + 1);
    (ours && called).then(|| remove(tokens, path.last, end, name))
}

/// Replaces the call whose name is at `name` by `()`.
fn remove(tokens: &[Token], name: usize, end: usize, which: &str) -> Mutation {
    let mut start = name;
    while start >= 2 && tokens[start - 1].text == "::" {
        start -= 2;
    }
    Mutation {
        line: tokens[name].line,
        what: format!("fence {which} removed"),
        span: tokens[start].span.start..tokens[end - 1].span.end,
        text: "()".to_owned(),
    }
}

/// The call that a token is an argument of.
struct Call {
    /// The index of the last word of its name.
    name: usize,
    /// The index behind its closing bracket.
    end: usize,
    /// Which argument.
    argument: usize,
}

impl Call {
    fn used(&self, tokens: &[Token]) -> Use {
        let name = tokens[self.name].text.as_str();
        match name {
            "load" => Use::Load,
            "store" => Use::Store,
            "fence" => Use::Fence,
            // What a lost race reads.
            "compare_exchange" | "compare_exchange_weak" if self.argument == 3 => Use::Load,
            "fetch_update" | "try_update" | "update" if self.argument == 1 => Use::Load,
            _ => Use::Rmw,
        }
    }
}

fn call(tokens: &[Token], at: usize) -> Option<Call> {
    let mut depth = 0;
    let mut argument = 0;
    for i in (0..at).rev() {
        match tokens[i].text.as_str() {
            ")" | "]" | "}" => depth += 1,
            "," if depth == 0 => argument += 1,
            "(" | "[" | "{" if depth > 0 => depth -= 1,
            "(" => {
                let name = i.checked_sub(1)?;
                return tokens[name].is_word().then(|| Call {
                    name,
                    end: group_end(tokens, i),
                    argument,
                });
            }
            "[" | "{" | ";" if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::mutations;

    fn changed(source: &str) -> Vec<String> {
        let found = mutations(source);
        found.iter().map(|found| found.apply(source)).collect()
    }

    #[test]
    fn each_use_has_its_own_next_weaker() {
        assert_eq!(
            changed("a.load(Ordering::SeqCst)"),
            ["a.load(Ordering::Acquire)"]
        );
        assert_eq!(
            changed("a.store(1, Ordering::Release)"),
            ["a.store(1, Ordering::Relaxed)"]
        );
        assert_eq!(
            changed("a.swap(f(x, y), Ordering::AcqRel)"),
            [
                "a.swap(f(x, y), Ordering::Acquire)",
                "a.swap(f(x, y), Ordering::Release)"
            ]
        );
        assert_eq!(
            changed("a.compare_exchange(0, 1, Ordering::Relaxed, Ordering::SeqCst)"),
            ["a.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Acquire)"]
        );
    }

    #[test]
    fn a_bare_name_gets_its_path() {
        assert_eq!(
            changed("a.load(Acquire)"),
            ["a.load(core::sync::atomic::Ordering::Relaxed)"]
        );
    }

    #[test]
    fn fences_go() {
        assert_eq!(changed("atomic::fence(Ordering::Acquire);"), ["();"]);
        assert_eq!(
            changed("fence(Ordering::SeqCst);"),
            ["fence(Ordering::AcqRel);", "();"].map(String::from)
        );
        assert_eq!(changed("crate::fence::light();"), ["();"]);
    }

    #[test]
    fn imports_comments_and_tests_stay() {
        assert!(changed("use a::Ordering::{Acquire, Release};").is_empty());
        assert!(changed("// Acquire\n/* SeqCst */ \"AcqRel\"").is_empty());
        assert!(changed("#[cfg(test)] fn f() { a.load(Acquire) }").is_empty());
    }
}
