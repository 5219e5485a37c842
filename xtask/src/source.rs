//! Rust source as tokens: enough to find a path or an ordering, no more.
//!
//! Comments and literals are no tokens, so that a rule about names does not
//! stumble over prose. Tokens know their place, so that a report can name the
//! line and a mutation can replace the bytes.

use std::ops::Range;

/// A word or a sign of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// An identifier or keyword, `::`, or one character of punctuation.
    pub text: String,
    /// Its bytes in the source.
    pub span: Range<usize>,
    /// Counted from 1.
    pub line: usize,
}

impl Token {
    /// Whether it is an identifier or a keyword.
    pub fn is_word(&self) -> bool {
        self.text.starts_with(is_word_start)
    }
}

/// The tokens of `source`.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        let (length, is_token) = next(rest);
        if is_token {
            found.push(Token {
                text: rest[..length].to_owned(),
                span: at..at + length,
                line,
            });
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

/// The length of what `rest` starts with, and whether that is a token.
fn next(rest: &str) -> (usize, bool) {
    let first = rest.chars().next().expect("`rest` is not empty");
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), false);
    }
    if let Some(length) = string(rest) {
        return (length, false);
    }
    if first == '\'' {
        return (quote(rest), false);
    }
    if is_word_start(first) {
        let length = rest.find(|c| !is_word_part(c)).unwrap_or(rest.len());
        return (length, true);
    }
    if first.is_ascii_digit() {
        let length = rest.find(|c| !is_word_part(c)).unwrap_or(rest.len());
        return (length, false);
    }
    if rest.starts_with("::") {
        return (2, true);
    }
    (first.len_utf8(), !first.is_whitespace())
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_word_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a string literal with its prefix, if `rest` starts with one.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|rest| {
            let raw = prefix.ends_with('r');
            let rest = if raw {
                rest.trim_start_matches('#')
            } else {
                rest
            };
            rest.starts_with('"')
        })
    })?;
    let body = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let start = hashes + 1;
        let length = body[start..].find(&end)? + start + end.len();
        return Some(prefix.len() + length);
    }
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// The length of a character literal or of a lifetime.
fn quote(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((escaped, c))) => {
            let from = escaped + c.len_utf8();
            rest[from..]
                .find('\'')
                .map_or(rest.len(), |end| from + end + 1)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        // A lifetime: the name behind it is part of it.
        _ => rest[1..]
            .find(|c| !is_word_part(c))
            .map_or(rest.len(), |end| end + 1)
            .max(1),
    }
}

/// `tokens` without the items that only tests see: those behind an attribute
/// `#[cfg(test)]`, or `#[cfg(all(test, ..))]`; nothing of a file that begins with one.
pub fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    if let [hash, bang, ..] = &tokens[..]
        && (hash.text.as_str(), bang.text.as_str()) == ("#", "!")
        && needs_test(&tokens[1..group_end(&tokens, 2)])
    {
        return Vec::new();
    }
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if let Some(end) = attribute(&tokens, at)
            && needs_test(&tokens[at..end])
        {
            at = item_end(&tokens, end);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The end of the outer attribute that starts at `at`.
fn attribute(tokens: &[Token], at: usize) -> Option<usize> {
    let starts = tokens[at].text == "#" && tokens.get(at + 1)?.text == "[";
    starts.then(|| group_end(tokens, at + 1))
}

fn needs_test(attribute: &[Token]) -> bool {
    if attribute.get(2).is_none_or(|word| word.text != "cfg") {
        return false;
    }
    let mut heads = Vec::new();
    for (i, token) in attribute.iter().enumerate() {
        match token.text.as_str() {
            "(" => heads.push(attribute[i - 1].text.as_str()),
            ")" => {
                heads.pop();
            }
            // Under `any` or `not`, the item exists in other builds too.
            "test" if heads.iter().all(|head| ["cfg", "all"].contains(head)) => return true,
            _ => {}
        }
    }
    false
}

/// The end of the item at `at`: behind its first `;`, or behind its braces.
fn item_end(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" => return group_end(tokens, at),
            "(" | "[" => at = group_end(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// The end of the group whose opening bracket is at `at`.
pub fn group_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth -= 1;
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// A path of the source, with the index of its last token.
#[derive(Debug, PartialEq, Eq)]
pub struct NamedPath {
    /// `core`, `sync`, `atomic`; a glob ends with `*`.
    pub parts: Vec<String>,
    /// The index of its last token.
    pub last: usize,
    /// Whether a `use` brings it in.
    pub imported: bool,
}

/// All paths in `tokens`; the trees of `use` are written out.
pub fn paths(tokens: &[Token]) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].text == "use" {
            // `+ use<'a>` in a bound is no import.
            if tokens.get(at + 1).is_some_and(|token| token.text != "<") {
                at = use_tree(tokens, at + 1, &[], &mut found);
                continue;
            }
        } else if tokens[at].is_word() {
            let mut parts = vec![tokens[at].text.clone()];
            while let [separator, word, ..] = &tokens[at + 1..]
                && separator.text == "::"
                && word.is_word()
            {
                parts.push(word.text.clone());
                at += 2;
            }
            found.push(NamedPath {
                parts,
                last: at,
                imported: false,
            });
        }
        at += 1;
    }
    found
}

/// Reads one `use` tree from `at`; returns the index behind it.
fn use_tree(tokens: &[Token], mut at: usize, before: &[String], out: &mut Vec<NamedPath>) -> usize {
    let mut parts = before.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "::" => {}
            "{" => {
                let end = group_end(tokens, at);
                at += 1;
                while at + 1 < end {
                    at = use_tree(tokens, at, &parts, out);
                    at += usize::from(tokens[at].text == ",");
                }
                return end;
            }
            "as" => {
                at += 2;
                break;
            }
            // `self` inside braces names what is before them.
            "self" if parts.len() == before.len() && !before.is_empty() => {}
            "*" => parts.push("*".to_owned()),
            _ if token.is_word() => parts.push(token.text.clone()),
            _ => break,
        }
        at += 1;
    }
    out.push(NamedPath {
        parts,
        last: at - 1,
        imported: true,
    });
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(source).into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn comments_and_literals_are_no_tokens() {
        assert_eq!(words("a /* b /* c */ d */ e // f\n g"), ["a", "e", "g"]);
        assert_eq!(words(r##"a "b \" c" r#"d " e"# b"f" g"##), ["a", "g"]);
        assert_eq!(words(r"'a' '\'' 'x: b<'c>"), [":", "b", "<", ">"]);
        assert_eq!(words(r"'\u{1F600}' a 1_000u32 0..n"), ["a", ".", ".", "n"]);
        assert_eq!(words("r#type bar"), ["r", "#", "type", "bar"]);
    }

    #[test]
    fn tokens_know_their_lines() {
        let found = tokens("a\n/* \n */ b \"\n\" c");
        let lines: Vec<_> = found.iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 4]);
        assert_eq!(found[1].span, 10..11);
    }

    #[test]
    fn items_of_tests_are_left_out() {
        let keep = |source: &str| -> Vec<String> {
            let kept = without_tests(tokens(source));
            kept.into_iter().map(|token| token.text).collect()
        };
        assert_eq!(keep("#[cfg(test)] mod a { b } c"), ["c"]);
        assert_eq!(keep("#[cfg(all(test, not(x)))] mod a; c"), ["c"]);
        assert!(keep("//! A.\n#![cfg(test)]\nuse a;").is_empty());
        assert!(keep("#![cfg(not(test))] use a;").contains(&"a".to_owned()));
        assert!(keep("#![no_std] use a;").contains(&"a".to_owned()));
        assert_eq!(keep("#[cfg(test)] fn a(b: [u8; 2]) -> c { d } e"), ["e"]);
        assert!(keep("#[cfg(not(test))] mod a;").contains(&"a".to_owned()));
        assert!(keep("#[cfg(any(test, x))] mod a;").contains(&"a".to_owned()));
        assert!(keep("#[test] fn a() {}").contains(&"a".to_owned()));
    }

    #[test]
    fn trees_are_written_out() {
        let found: Vec<String> = paths(&tokens(
            "use core::{cell::UnsafeCell as Cell, sync::{self, atomic::*}}; a::b(c);",
        ))
        .into_iter()
        .map(|path| path.parts.join("::"))
        .collect();
        assert_eq!(
            found,
            [
                "core::cell::UnsafeCell",
                "core::sync",
                "core::sync::atomic::*",
                "a::b",
                "c"
            ]
        );
    }
}
